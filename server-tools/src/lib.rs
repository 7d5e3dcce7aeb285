//! The administrator's command on the boot server.
//!
//! [`cli`] has the verbs and flags, [`verbs`] does what they ask for. A job is decided in [`job`], and driven and performed in
//! `runner`. System calls are made in [`sys`]; plain reads and
//! writes of files by `std::fs` stand where they are needed.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub(crate) mod base_root;
mod calendar;
pub mod catalog;
pub mod cli;
pub mod completion;
pub mod confined;
pub mod dhcp;
pub(crate) mod doctor;
pub mod exit;
pub(crate) mod exports;
pub mod fleet;
pub mod ghostrc;
pub(crate) mod hooks;
pub mod job;
pub(crate) mod lease;
pub(crate) mod mail;
pub(crate) mod manual;
pub(crate) mod octal;
pub(crate) mod output;
pub mod overview;
#[doc(hidden)]
pub mod parsers;
pub(crate) mod place;
pub(crate) mod recovery;
pub mod run;
pub(crate) mod runner;
#[cfg(feature = "sample")]
pub mod sample;
pub(crate) mod served;
pub(crate) mod setup;
pub mod site;
pub(crate) mod state;
pub mod sys;
pub(crate) mod top;
pub mod tree;
pub mod verbs;
pub mod wake;

pub use output::complain;
