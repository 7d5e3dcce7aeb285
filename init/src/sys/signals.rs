//! Passes signals on as they come.

use std::thread;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use signal_hook::iterator::Signals;

use super::{STACK, power_command};

/// A child has ended, or the machine is to stop (SIGINT is Ctrl-Alt-Del here). With them go those of poweroff(8) and others.
const WATCHED: [Signal; 4] = [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGPWR];

const FAILS: &str = "cannot watch for signals";

/// Gives each of them to `tell`, from a thread of its own.
pub(crate) fn watch(tell: impl Fn(Signal) + Send + 'static) -> anyhow::Result<()> {
    let watched = WATCHED.into_iter().chain(power_command::signals());
    let mut signals = Signals::new(watched.map(|signal| signal as i32)).context(FAILS)?;
    let forward = move || signals.forever().filter_map(|signal| Signal::try_from(signal).ok()).for_each(tell);
    thread::Builder::new().name("signals".to_owned()).stack_size(STACK).spawn(forward).context(FAILS)?;
    Ok(())
}
