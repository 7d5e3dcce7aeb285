//! PID 1 of the diskless client.
//!
//! ```text
//!         event                     actions
//! machine ─────▶ session::decide ──────────▶ machine
//! ```
//!
//! Everything that decides is pure and knows no file, clock or process. [`machine`] and [`sys`] act, and decide
//! nothing.

pub mod boot;
pub mod cmdline;
pub mod disk;
pub mod failure;
pub mod fstab;
pub mod identity;
pub mod imager;
pub mod job;
pub mod machine;
pub mod network;
pub mod prompt;
pub mod screen;
pub mod session;
pub mod stall;
pub mod sys;
pub mod task;
pub mod watchdog;

#[cfg(test)]
mod sample;
