//! The administrator's command on the boot server.

pub mod dhcp;
