//! The administrator's command on the boot server.

pub mod catalog;
pub mod dhcp;
pub mod sys;
