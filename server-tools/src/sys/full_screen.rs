//! A terminal that one program has for itself: every key at once and unseen, and a screen beside the usual one. Whatever ends
//! that, the terminal is as it was.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

/// How long a terminal that takes nothing (Ctrl-S) is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// The terminal at standard output, until this is dropped.
#[derive(Debug)]
pub(crate) struct FullScreen {
    shared: Arc<Shared>,
    resized: UnixStream,
    /// What the terminal has not taken yet.
    unsent: Vec<u8>,
    begin: &'static [u8],
}

#[derive(Debug)]
struct Shared {
    terminal: File,
    before: Termios,
    end: &'static [u8],
    /// Whether the terminal is ours now.
    is_taken: AtomicBool,
}

impl FullScreen {
    /// Takes the terminal. `begin` prepares the screen, and `end` undoes that.
    pub(crate) fn take(begin: &'static [u8], end: &'static [u8]) -> io::Result<Self> {
        Self::on(open(rustix::stdio::stdout())?, begin, end)
    }

    fn on(terminal: File, begin: &'static [u8], end: &'static [u8]) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let (resized, bell) = UnixStream::pair()?;
        resized.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(libc::SIGWINCH, bell)?;
        let shared = Arc::new(Shared { terminal, before, end, is_taken: AtomicBool::new(false) });
        put_back_on_panic(&shared);
        let mut taken = Self { shared, resized, unsent: Vec::new(), begin };
        taken.again()?;
        Ok(taken)
    }

    /// Gives the terminal back for a while, such as for Ctrl-Z.
    pub(crate) fn give_back(&mut self) {
        self.unsent.clear();
        self.shared.put_back();
    }

    /// Takes it again. All of the screen is to be drawn anew.
    pub(crate) fn again(&mut self) -> io::Result<()> {
        let mut own = self.shared.before.clone();
        // Ctrl-C and Ctrl-Z go on sending their signals.
        own.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        own.special_codes[SpecialCodeIndex::VMIN] = 1;
        own.special_codes[SpecialCodeIndex::VTIME] = 0;
        self.shared.is_taken.store(true, Ordering::SeqCst);
        tcsetattr(&self.shared.terminal, OptionalActions::Now, &own)?;
        self.unsent.extend_from_slice(self.begin);
        self.send(&[])
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> (u16, u16) {
        let size = tcgetwinsize(&self.shared.terminal).ok().filter(|size| size.ws_row > 0 && size.ws_col > 0);
        size.map_or((80, 24), |size| (size.ws_col, size.ws_row))
    }

    /// What was typed since the last call. An error, or the end of the input, if the terminal is gone.
    pub(crate) fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = [0; 256];
        match rustix::io::read(&self.shared.terminal, &mut bytes) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => Ok(bytes[..read].to_vec()),
            Err(Errno::AGAIN | Errno::INTR) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends this after what is still to be sent, as far as the terminal takes it now.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unsent.extend_from_slice(bytes);
        while !self.unsent.is_empty() {
            match rustix::io::write(&self.shared.terminal, &self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Whether the terminal has taken all that was sent. Frames that it has no time for are not drawn.
    pub(crate) const fn is_ready(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Waits until something was typed, the size has changed, one of these is readable, or so much time is over.
    pub(crate) fn wait(&self, others: &[BorrowedFd<'_>], timeout: Duration) {
        let wanted = if self.is_ready() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
        let terminal = PollFd::from_borrowed_fd(self.shared.terminal.as_fd(), wanted);
        let rest = others.iter().copied().chain([self.resized.as_fd()]);
        let rest = rest.map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN));
        let mut polled: Vec<PollFd<'_>> = std::iter::once(terminal).chain(rest).collect();
        // Whatever poll says, all is looked at afterwards.
        let _ready = poll(&mut polled, timeout.try_into().ok().as_ref());
        while matches!(rustix::io::read(&self.resized, &mut [0; 64]), Ok(1..)) {}
    }
}

impl Drop for FullScreen {
    fn drop(&mut self) {
        self.shared.put_back();
    }
}

impl Shared {
    /// Does nothing if the terminal was given back already. What a terminal that is gone does not take is lost with it.
    fn put_back(&self) {
        if !self.is_taken.swap(false, Ordering::SeqCst) {
            return;
        }
        let deadline = Instant::now() + PATIENCE;
        let mut left = self.end;
        while !left.is_empty() && Instant::now() < deadline {
            match rustix::io::write(&self.terminal, left) {
                Ok(written) => left = &left[written..],
                Err(Errno::AGAIN) => {
                    let mut polled = [PollFd::new(&self.terminal, PollFlags::OUT)];
                    let _ready = poll(&mut polled, (deadline - Instant::now()).try_into().ok().as_ref());
                }
                Err(Errno::INTR) => {}
                Err(_gone) => break,
            }
        }
        let _gone = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// The terminal behind a descriptor, opened anew: who else has it open goes on waiting for it.
fn open(terminal: BorrowedFd<'_>) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", terminal.as_raw_fd());
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)
}

/// A panic is told on the usual screen.
fn put_back_on_panic(shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        shared.put_back();
        before(panicked);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use nix::pty::{OpenptyResult, openpty};
    use nix::sys::termios::{FlowArg, tcflow};

    const BEGIN: &[u8] = b"begin";
    const END: &[u8] = b"end";

    fn taken() -> (FullScreen, OpenptyResult, Termios) {
        let terminal = openpty(None, None).unwrap();
        let before = tcgetattr(&terminal.slave).unwrap();
        let taken = FullScreen::on(open(terminal.slave.as_fd()).unwrap(), BEGIN, END).unwrap();
        (taken, terminal, before)
    }

    fn modes(terminal: &OpenptyResult) -> LocalModes {
        tcgetattr(&terminal.slave).unwrap().local_modes
    }

    fn seen(terminal: &OpenptyResult, count: usize) -> String {
        let mut bytes = vec![0; count];
        File::from(terminal.master.try_clone().unwrap()).read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_terminal_is_as_before_when_it_is_given_back_dropped_or_left_by_a_panic() {
        let (mut screen, terminal, before) = taken();
        assert!(!modes(&terminal).intersects(LocalModes::ICANON | LocalModes::ECHO));
        screen.give_back();
        assert_eq!(modes(&terminal), before.local_modes);
        screen.again().unwrap();
        assert!(!modes(&terminal).contains(LocalModes::ICANON));
        drop(screen);
        assert_eq!(modes(&terminal), before.local_modes);
        assert_eq!(
            seen(&terminal, 16),
            "beginendbeginend",
            "once each, the drop after a return does nothing"
        );

        let (screen, terminal, before) = taken();
        let theirs = terminal.slave.try_clone().unwrap();
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        put_back_on_panic(&screen.shared);
        let put_back = catch_unwind(AssertUnwindSafe(|| panic!("made to")));
        panic::set_hook(hook);
        assert!(put_back.is_err());
        assert_eq!(tcgetattr(theirs).unwrap().local_modes, before.local_modes, "before anything is dropped");
        assert_eq!(seen(&terminal, 8), "beginend");
    }

    #[test]
    fn a_terminal_that_takes_nothing_holds_nothing_up_and_one_that_is_gone_is_an_error() {
        let (mut screen, terminal, before) = taken();
        tcflow(&terminal.slave, FlowArg::TCOOFF).unwrap();
        screen.send(&[b'x'; 100_000]).unwrap();
        assert!(!screen.is_ready());
        drop(screen);
        assert_eq!(modes(&terminal), before.local_modes);

        let (mut screen, terminal, _) = taken();
        assert_eq!(screen.read().unwrap(), b"", "nothing was typed");
        drop(terminal);
        assert!(screen.send(b"x").is_err() && screen.read().is_err());
    }
}
