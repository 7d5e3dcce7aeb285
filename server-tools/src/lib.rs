//! The administrator's command on the boot server.
//!
//! [`cli`] says what can be asked for, [`verbs`] does it. A job is decided in [`job`], driven and performed in
//! [`machine`]; what touches the system is in [`sys`].

pub mod calendar;
pub mod cancel;
pub mod catalog;
pub mod cli;
pub mod dhcp;
pub mod doctor;
pub mod exporting;
pub mod job;
pub mod machine;
pub mod manual;
pub mod mounting;
pub mod offer;
pub mod output;
pub mod picture;
pub mod pruning;
pub mod recovery;
pub mod restart;
pub mod site;
pub mod sys;
pub mod tree;
pub mod verbs;
pub mod wake;
