//! Signals, as they come.

use std::io;
use std::thread;

use nix::sys::signal::Signal;
use signal_hook::iterator::Signals;

/// A child has ended; or somebody wants the machine to stop, SIGINT being Ctrl-Alt-Del here.
const WATCHED: [Signal; 4] = [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGPWR];

/// The signals cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch for signals")]
pub struct SignalsError(#[source] io::Error);

/// Gives each of them to `tell`, from a thread of its own.
pub fn watch(tell: impl Fn(Signal) + Send + 'static) -> Result<(), SignalsError> {
    let mut signals = Signals::new(WATCHED.map(|signal| signal as i32)).map_err(SignalsError)?;
    let forward = move || signals.forever().filter_map(|signal| Signal::try_from(signal).ok()).for_each(tell);
    thread::Builder::new().name("signals".to_owned()).spawn(forward).map_err(SignalsError)?;
    Ok(())
}
