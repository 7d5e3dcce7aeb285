//! What is to be read, and what may be written. Pure: facts in, a plan or a refusal out; nothing here opens
//! a file or starts a program.

pub mod backup;
pub mod chosen;
mod extent;
pub mod grow;
pub mod maps;
pub mod moves;
pub mod rehearsal;
pub mod restore;
pub mod shrink;
pub mod table;
