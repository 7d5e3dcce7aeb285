//! Prints what this machine's monitor shows, as `ghost-init` sees it: to try the sources of a screen by hand.
//!
//! usage: `monitor [SOURCE] [PICTURE.png]`
//!
//! SOURCE is one of `/dev/ghostvga`, `/dev/mem`, `/dev/vcsa1`, `/dev/dri`, `/dev/fb0`; without one they are tried in
//! that order. Prints the source, the sources that were passed over and why, the picture's size and the text.

use std::process::ExitCode;

use ghost_init::machine::linux::monitor;
use ghost_init::screen::Screen;
use ghost_init::screen::source::{Found, Source};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = Source::ALL.into_iter().find(|source| arguments.iter().any(|word| word == source.as_str()));
    let found = match asked {
        Some(source) => Found { screen: monitor::look_at(source)?, source, passed_over: Vec::new() },
        None => monitor::look()?,
    };
    println!("source: {}", found.source);
    found.passed_over.iter().for_each(|passed| println!("passed over: {passed}"));
    let picture = found.screen.png()?;
    println!("picture: {}", size(&found.screen, &picture));
    if let Some(path) = arguments.iter().find(|word| word.ends_with(".png")) {
        std::fs::write(path, &picture)?;
    }
    found.screen.text().unwrap_or_default().lines().for_each(|line| println!("text: {line}"));
    Ok(())
}

/// Width, height and what is known of colours. A PNG begins with a signature and its size (PNG specification, 5.2, 11.2.1).
fn size(screen: &Screen, picture: &[u8]) -> String {
    let number =
        |at: usize| picture[at..at + 4].iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    let colours = match screen {
        Screen::Text(_) => "text of 16 colours".to_owned(),
        Screen::Picture(picture) => {
            let used: std::collections::BTreeSet<_> = picture.dots.iter().collect();
            format!("{} colours", used.len())
        }
        Screen::TrueColour(_) => "many colours".to_owned(),
        Screen::Png(_) => "its own".to_owned(),
    };
    format!("{}x{}, {colours}", number(16), number(20))
}
