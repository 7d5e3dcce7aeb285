//! PID 1 of the diskless client.

pub mod bootdisk;
pub mod prompt;
pub mod screen;
pub mod stall;
