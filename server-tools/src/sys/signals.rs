//! Signals that ask the program to stop, as something that can be polled beside sockets and files.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// The signals that ask for a stop, and what people call them.
const STOPS: [(i32, &str); 4] =
    [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP"), (SIGQUIT, "SIGQUIT")];

/// Becomes readable when a signal has come.
#[derive(Debug)]
pub(crate) struct Stops {
    pipes: Vec<(UnixStream, &'static str)>,
}

impl Stops {
    /// From now on these signals no longer end the program, but are told here.
    pub(crate) fn watch() -> io::Result<Self> {
        let mut pipes = Vec::new();
        for (signal, name) in STOPS {
            let (read, write) = UnixStream::pair()?;
            read.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(signal, write)?;
            pipes.push((read, name));
        }
        Ok(Self { pipes })
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.pipes.iter().map(|(pipe, _)| pipe.as_fd())
    }

    /// The name of a signal that has come since the last call, if any.
    pub(crate) fn take(&mut self) -> Option<&'static str> {
        let mut bytes = [0; 64];
        self.pipes
            .iter_mut()
            .find_map(|(pipe, name)| matches!(pipe.read(&mut bytes), Ok(1..)).then_some(*name))
    }
}
