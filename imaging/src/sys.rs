//! Effects, one a file. Nothing here decides.

pub mod clock;
pub mod direct;
pub mod disk;
pub mod file;
pub mod node;
pub mod pipe;
pub mod program;
pub mod scratch;
pub mod zero;
