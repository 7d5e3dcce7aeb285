//! The system calls that no safe crate offers. The only place of this crate with `unsafe`.

pub(crate) mod name_space;
pub(crate) mod packet;
