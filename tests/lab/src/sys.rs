//! The system calls that no safe crate offers. The only place of this crate with `unsafe`.

pub mod name_space;
pub mod packet;
