//! `ghostctl`: reads the command line, does what it asks for, and says once what went wrong.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use ghostctl::cli::Cli;
use ghostctl::exit::Exit;
use ghostctl::sys::{memory, signals};
use ghostctl::{completion, verbs};

fn main() -> ExitCode {
    memory::share_arena();
    signals::settle();
    if let Some(exit) = completion::answer() {
        return exit.into();
    }
    match verbs::run(&Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            // Nobody may be there to read it.
            let _unread = writeln!(io::stderr(), "ghostctl: {error:#}");
            Exit::of(&error).into()
        }
    }
}
