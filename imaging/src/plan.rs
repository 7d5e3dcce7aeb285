//! What is to be read, and what may be written. Pure: facts in, a plan or a refusal out; nothing here opens
//! a file or starts a program.

pub mod backup;
pub(crate) mod chosen;
mod extent;
pub(crate) mod grow;
pub mod maps;
pub(crate) mod moves;
pub(crate) mod rehearsal;
pub(crate) mod restore;
pub(crate) mod shrink;
pub(crate) mod table;
