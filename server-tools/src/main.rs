//! `ghostctl`: reads the command line, does what it asks for, and says once what went wrong.

use std::process::ExitCode;

use clap::Parser;
use ghostctl::cli::Cli;
use ghostctl::exit::Exit;
use ghostctl::sys::{environment, memory, signals};
use ghostctl::{completion, confined, verbs};

fn main() -> ExitCode {
    if let Some(exit) = confined::answer() {
        return exit;
    }
    environment::settle();
    memory::share_arena();
    signals::settle();
    if let Some(exit) = completion::answer() {
        return exit.into();
    }
    match verbs::run(&Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            ghostctl::complain(&error);
            Exit::of(&error).into()
        }
    }
}
