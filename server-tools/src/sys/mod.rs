//! What acts: one effect a file, and no decisions. The only place where `unsafe` may stand.

pub mod arp;
pub mod atomic;
pub mod clock;
pub mod copy;
pub mod crash;
pub mod folder;
pub mod interface;
pub mod lock;
pub mod packet;
pub mod random;
pub mod service;
pub mod signals;
pub mod watch;
