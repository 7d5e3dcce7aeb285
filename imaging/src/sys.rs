//! Effects, one a file. Nothing here decides.

pub(crate) mod clock;
pub(crate) mod direct;
pub mod disk;
pub mod file;
pub(crate) mod mapping;
pub(crate) mod node;
pub(crate) mod pipe;
pub(crate) mod program;
pub(crate) mod scratch;
pub(crate) mod zero;
