//! What acts: one effect a file, and no decisions. The only place where `unsafe` may stand.

pub mod folder;
