//! What acts: one effect a file, and no decisions. The only place where `unsafe` may stand.

pub mod arp;
pub mod atomic;
pub mod attributes;
pub mod clock;
pub mod copy;
pub mod crash;
pub mod disk_space;
pub mod folder;
pub mod icmp;
pub mod interface;
pub mod lock;
pub mod mount;
pub mod own_address;
pub mod packet;
pub mod process;
pub mod program;
pub mod random;
pub mod regular;
pub mod resolve;
pub mod rpc;
pub mod service;
pub mod signals;
pub mod terminal;
pub mod tftp;
pub mod watch;
pub mod writable;
