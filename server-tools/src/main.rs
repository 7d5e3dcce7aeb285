//! `ghostctl`: reads the command line, does what it asks for, and prints what stood in the way once.

use std::process::ExitCode;

use clap::Parser;
use ghostctl::cli::Cli;
use ghostctl::{job, verbs};

fn main() -> ExitCode {
    match verbs::run(&Cli::parse()) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("ghostctl: {}", job::ending::chain(&error));
            ExitCode::from(error.exit_status())
        }
    }
}
