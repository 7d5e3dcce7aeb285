//! The lab: a virtual network with real servers and PCs that can be woken.
//!
//! One lab is one folder and one set of kernel name spaces (network, mounts, processes), held by one
//! supervisor process. The supervisor is the first process in its process name space, so when it ends,
//! however it ends, the kernel ends everything that ran in the lab, and the network with it.
//!
//! ```text
//! Lab (a test, or the program `lab`)        supervisor (first process of the lab's name spaces)
//!   up ──────────── starts ───────────────▶ network, servers, disks
//!   pc("john").…  ── control socket ──────▶ PCs (QEMU), watches br0 for magic packets
//!   run("ghostctl …") ── enters the name spaces
//! ```
//!
//! The only thing in it that is simulated is the power button.

pub(crate) mod accelerator;
pub mod config;
pub mod control;
pub mod demo;
pub mod dhcp;
pub(crate) mod firmware;
pub mod folder;
pub mod handles;
pub mod lab;
pub mod magic;
pub(crate) mod network;
pub(crate) mod pc;
pub mod places;
pub(crate) mod qmp;
pub mod running;
pub(crate) mod servers;
pub mod shell;
pub mod stand_in;
pub mod supervisor;
pub(crate) mod sys;
pub mod wait;

pub use config::{LabConfig, Nic};
pub use dhcp::DhcpServer;
pub use firmware::Firmware;
pub use lab::Lab;
pub use servers::MOUNTD_PORT;
