//! Signals: which ones ask the program to stop, as something that can be polled beside sockets and files, and which ones must not
//! end it or let it stand still.
#![allow(unsafe_code, reason = "no crate tells which signals are ignored")]

use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::Arc;

use nix::sys::signal::{SigSet, Signal};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

/// The signals that ask for a stop, and what people call them. Nobody sends the later ones to ask for one, but they would end
/// the program.
const STOPS: [(i32, &str); 13] = [
    (libc::SIGINT, "SIGINT"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGUSR2, "SIGUSR2"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGXCPU, "SIGXCPU"),
    (libc::SIGVTALRM, "SIGVTALRM"),
    (libc::SIGPROF, "SIGPROF"),
    (libc::SIGPWR, "SIGPWR"),
    (libc::SIGIO, "SIGIO"),
    (libc::SIGSTKFLT, "SIGSTKFLT"),
];

/// To be called before anything else: what a limit or a terminal does is an error that is told, and not the program's end or
/// standstill, and what is to stop it gets through.
pub fn settle() {
    if !is_ignored(libc::SIGXFSZ) {
        // Caught and not ignored: what is started must not inherit it. The call that was too much fails all the same.
        let _stays = signal_hook::flag::register(libc::SIGXFSZ, Arc::default());
    }
    // Whoever started this may have blocked for itself what shall stop it.
    let _stays = SigSet::all().thread_unblock();
    // Blocked and not caught: only then may a program in the background write to a terminal that stops those who do.
    let _stays = SigSet::from_iter([Signal::SIGTTOU]).thread_block();
}

/// What a signal asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To stop; by its name.
    Stop(String),
    /// To stand still until it is told to go on, as Ctrl-Z does.
    Pause,
}

/// Becomes readable when a signal has come.
#[derive(Debug)]
pub(crate) struct Stops(SignalDelivery<UnixStream, SignalOnly>);

impl Stops {
    /// From now on these signals no longer end the program, but are told here. One that was ignored when the program began, as
    /// nohup(1) has it, stays so.
    pub(crate) fn watch() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        let signals = stops().chain([libc::SIGTSTP]);
        let watched = signals.filter(|signal| !is_ignored(*signal));
        Ok(Self(SignalDelivery::with_pipe(read, write, SignalOnly, watched)?))
    }

    /// What has been asked for since the last call.
    pub(crate) fn take(&mut self) -> Vec<Asked> {
        self.0.pending().map(asked).collect()
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_read().as_fd()
    }
}

/// All that ask for a stop. The real-time signals would end the program too.
fn stops() -> impl Iterator<Item = i32> {
    STOPS.into_iter().map(|(signal, _)| signal).chain(libc::SIGRTMIN()..=libc::SIGRTMAX())
}

fn asked(signal: i32) -> Asked {
    if signal == libc::SIGTSTP {
        return Asked::Pause;
    }
    let name = STOPS.into_iter().find(|(stop, _)| *stop == signal).map(|(_, name)| name.to_owned());
    Asked::Stop(name.unwrap_or_else(|| format!("SIGRTMIN+{}", signal - libc::SIGRTMIN())))
}

/// Does what Ctrl-Z asks for, until the shell has the program go on.
pub(crate) fn pause() {
    let _goes_on = nix::sys::signal::raise(Signal::SIGSTOP);
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: all bytes zero are a value of this plain C structure.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: without a new action nothing is changed, and the old one is written to a structure of ours.
    let asked = unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}
