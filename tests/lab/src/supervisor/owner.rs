//! Tells a supervisor when its lab must end: the owner has gone, or a signal has come.
//!
//! The owner is the process that holds the other end of a socket. The kernel closes that end when the owner ends, in
//! whatever way, and the lab ends with it. After the owner has sent [`DETACH`], only a request or a signal ends the lab.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// What an owner sends who wants the lab to live on without one.
pub const DETACH: u8 = b'd';
/// The first byte that the owner receives when the lab is up; after any other it reads the reason why not.
pub const READY: u8 = b'!';

/// What could not be done, with owner and with signals.
const OWNER: &str = "cannot talk to the lab's owner";
const SIGNALS: &str = "cannot watch for signals";

/// How long the lab is to live.
#[derive(Debug)]
pub(super) struct Life {
    owner: Option<UnixStream>,
    /// A byte for each signal, so that a wait for other things ends.
    signals: UnixStream,
    terminated: Arc<AtomicBool>,
}

impl Life {
    pub(super) fn new(owner: UnixStream) -> anyhow::Result<Self> {
        owner.set_nonblocking(true).context(OWNER)?;
        let terminated = Arc::new(AtomicBool::new(false));
        let signals = watch_signals(&terminated).context(SIGNALS)?;
        Ok(Self { owner: Some(owner), signals, terminated })
    }

    pub(super) fn sources(&self) -> Vec<PollFd<'_>> {
        let streams = self.owner.iter().chain(std::iter::once(&self.signals));
        streams.map(|stream| PollFd::new(stream.as_fd(), PollFlags::POLLIN)).collect()
    }

    /// Whether the lab is to end.
    pub(super) fn is_over(&mut self) -> anyhow::Result<bool> {
        drain(&self.signals).context(SIGNALS)?;
        if self.terminated.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let Some(owner) = &mut self.owner else { return Ok(false) };
        let mut byte = [0];
        match owner.read(&mut byte) {
            Ok(0) => Ok(true),
            Ok(_) => {
                if byte == [DETACH] {
                    self.owner = None;
                }
                Ok(false)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(true),
            Err(error) => Err(error).context(OWNER),
        }
    }

    /// Tells the owner that the lab is up, or why it is not.
    pub(super) fn report(&mut self, made: &Result<(), String>) -> anyhow::Result<()> {
        let Some(owner) = &mut self.owner else { return Ok(()) };
        let told = match made {
            Ok(()) => owner.write_all(&[READY]),
            Err(why) => owner.write_all(why.as_bytes()).and_then(|()| owner.shutdown(Shutdown::Write)),
        };
        told.context(OWNER)
    }

    /// Waits until the lab is to end.
    pub(super) fn wait_for_end(&mut self) -> anyhow::Result<()> {
        while !self.is_over()? {
            match poll(&mut self.sources(), PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno).context(OWNER),
            }
        }
        Ok(())
    }
}

fn watch_signals(terminated: &Arc<AtomicBool>) -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        flag::register(signal, Arc::clone(terminated))?;
    }
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGCHLD] {
        low_level::pipe::register(signal, write.try_clone()?)?;
    }
    read.set_nonblocking(true)?;
    Ok(read)
}

fn drain(mut stream: &UnixStream) -> io::Result<()> {
    let mut bytes = [0; 64];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_lives_as_long_as_its_owner() {
        let (owner, end) = UnixStream::pair().unwrap();
        let mut life = Life::new(end).unwrap();
        assert!(!life.is_over().unwrap());
        drop(owner);
        assert!(life.is_over().unwrap());
    }

    #[test]
    fn a_detached_lab_outlives_its_owner() {
        let (mut owner, end) = UnixStream::pair().unwrap();
        let mut life = Life::new(end).unwrap();
        owner.write_all(&[DETACH]).unwrap();
        drop(owner);
        assert!(!life.is_over().unwrap());
        assert!(!life.is_over().unwrap());
    }

    #[test]
    fn the_owner_hears_how_it_went() {
        for (made, news) in [(Ok(()), "!"), (Err("no disk".to_owned()), "no disk")] {
            let (mut owner, end) = UnixStream::pair().unwrap();
            let mut life = Life::new(end).unwrap();
            life.report(&made).unwrap();
            drop(life);
            let mut heard = String::new();
            owner.read_to_string(&mut heard).unwrap();
            assert_eq!(heard, news);
        }
    }
}
