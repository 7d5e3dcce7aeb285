//! Entry of `ghost-imager`. Its exit status is for people; who starts it believes the result file.

use std::process::ExitCode;

use clap::Parser;
use ghost_contract::image::{Ending, TargetDisk};
use ghost_imaging::cli::Cli;
use ghost_imaging::{command, screen};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match command::run(&cli.verb) {
        Ok(Ending::Done { disk_bytes, image_bytes, notes }) => {
            for note in notes {
                println!("note: {note}");
            }
            println!(
                "done: a disk of {}, an image of {}",
                screen::size(disk_bytes),
                screen::size(image_bytes)
            );
            ExitCode::SUCCESS
        }
        Ok(Ending::Failed { reason, target }) => {
            eprintln!("ghost-imager: {reason}");
            if target == TargetDisk::Incomplete {
                eprintln!(
                    "ghost-imager: THE DISK IS INCOMPLETE: do not use it before a restore has succeeded"
                );
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("ghost-imager: how it ended cannot be written: {error:#}");
            ExitCode::FAILURE
        }
    }
}
