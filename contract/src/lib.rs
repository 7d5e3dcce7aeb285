//! What the client (`ghost-init`) and the boot server (`ghostctl`) agree on.
//!
//! Words, file names and formats that both sides read or write. Nothing here does I/O, knows the time or
//! touches the environment: bytes and values in, values out. Each file that is described here has exactly
//! one writer; the module that describes it says which.

// Both sides build on what is here, so each item says its unit, shape or source.
#![deny(missing_docs)]

pub mod arp;
pub mod bootdisk;
pub mod bounds;
pub mod checksum;
pub mod disk;
pub mod early;
pub mod ethers;
pub mod generation;
pub mod host;
pub mod image;
pub mod imager;
pub mod job;
pub mod layout;
pub mod mac;
pub mod mode;
pub mod nfs;
pub mod order;
pub mod report;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
mod text;
pub mod time;

pub use disk::DiskChoice;
pub use generation::Generation;
pub use host::HostName;
pub use imager::ImagerName;
pub use job::{JobId, Nonce};
pub use mac::MacAddress;
pub use mode::Mode;
pub use nfs::NfsVersion;
pub use order::Order;
pub use time::UnixTime;
