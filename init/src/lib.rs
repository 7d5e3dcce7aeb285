//! PID 1 of the diskless client.
//!
//! ```text
//!         event                     actions
//! machine ─────▶ session::decide ──────────▶ machine
//! ```
//!
//! Everything that decides is pure and knows no file, clock or process. [`machine`] and [`sys`] act, and decide
//! nothing.

pub(crate) mod boot;
pub(crate) mod cmdline;
pub(crate) mod disk;
pub mod failure;
pub(crate) mod fstab;
pub(crate) mod identity;
pub(crate) mod imager;
pub(crate) mod job;
pub(crate) mod kernel_modules;
pub(crate) mod keys;
pub mod machine;
pub(crate) mod memory;
pub(crate) mod network;
pub(crate) mod nfs_root;
#[doc(hidden)]
pub mod parsers;
pub(crate) mod prompt;
pub mod screen;
pub(crate) mod session;
pub(crate) mod stall;
pub mod sys;
pub(crate) mod task;
pub(crate) mod watchdog;

#[cfg(test)]
mod sample;
