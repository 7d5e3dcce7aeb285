//! `ghostctl`: reads the command line, does what it asks for, and prints what stood in the way once.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use ghostctl::cli::Cli;
use ghostctl::{job, verbs};

fn main() -> ExitCode {
    match verbs::run(&Cli::parse()) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            // Nobody may be there to read it.
            let _unread = writeln!(io::stderr(), "ghostctl: {}", job::ending::chain(&error));
            ExitCode::from(error.exit_status())
        }
    }
}
