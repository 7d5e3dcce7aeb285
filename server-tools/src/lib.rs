//! The administrator's command on the boot server.
//!
//! [`cli`] says what can be asked for, [`verbs`] does it. A job is decided in [`job`], driven and performed in
//! [`runner`]; what touches the system is in [`sys`].

pub mod calendar;
pub mod catalog;
pub mod cli;
pub mod completion;
pub mod dhcp;
pub mod doctor;
pub mod exit;
pub mod ghostrc;
pub mod job;
pub mod manual;
pub mod output;
pub mod place;
pub mod recovery;
pub mod runner;
pub mod site;
pub mod state;
pub mod sys;
pub mod tree;
pub mod verbs;
pub mod wake;
