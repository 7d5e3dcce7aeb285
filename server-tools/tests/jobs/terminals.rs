//! Given that nobody takes what a job says (a closed window, Ctrl-S, a pager, a full disk), does it go on, and is what it left undone
//! said elsewhere?

use std::fs::File;
use std::process::{Child, ExitStatus, Stdio};

use nix::pty::openpty;
use nix::sys::termios::{FlowArg, tcflow};
use rustix::process::{Pid, Signal, kill_process};

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate};
use super::faults::NO_RESTART;

/// How what a job says is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The window is closed, or ssh has ended.
    Lost,
    /// Ctrl-S.
    Stopped,
    /// `ghostctl … | less`, and nobody turns the page.
    Full,
}

pub(crate) const READERS: [Reader; 3] = [Reader::Lost, Reader::Stopped, Reader::Full];

impl Reader {
    /// Starts a test of pc2 for this reader. What is yielded keeps it as it is.
    pub(crate) fn start(self, server: &BootServer) -> (Child, Vec<File>) {
        let mut command = server.command(["test", "pc2"]);
        if self == Self::Full {
            let (taken, given) = std::io::pipe().unwrap();
            let (taken, given) =
                (File::from(std::os::fd::OwnedFd::from(taken)), std::os::fd::OwnedFd::from(given));
            rustix::fs::fcntl_setfl(&given, rustix::fs::OFlags::NONBLOCK).unwrap();
            while rustix::io::write(&given, &[b'.'; 4096]).is_ok() {}
            while rustix::io::write(&given, b".").is_ok() {}
            rustix::fs::fcntl_setfl(&given, rustix::fs::OFlags::empty()).unwrap();
            command.stderr(given.try_clone().unwrap()).stdout(given);
            return (command.spawn().unwrap(), vec![taken]);
        }
        let terminal = openpty(None, None).unwrap();
        if self == Self::Stopped {
            tcflow(&terminal.slave, FlowArg::TCOOFF).unwrap();
        }
        command.stderr(terminal.slave.try_clone().unwrap()).stdout(terminal.slave).stdin(Stdio::null());
        (command.spawn().unwrap(), vec![File::from(terminal.master)])
    }
}

/// How it ends, within the time that every wait has.
fn end_of(running: &mut Child) -> ExitStatus {
    wait_until("the job ends", || running.try_wait().unwrap().is_some());
    running.wait().unwrap()
}

#[test]
fn a_terminal_that_is_lost_or_stopped_neither_ends_nor_holds_up_a_job() {
    std::thread::scope(|scope| {
        for reader in READERS {
            scope.spawn(move || {
                let server = BootServer::with_hosts(2);
                let before = server.configured();
                let gone = Gate::default();
                let _client = Client::waiting(&server, 2, Behaviour::Succeeds, Box::new(gone.is_open()));
                let (mut running, kept) = reader.start(&server);
                server.wait_until_swapped();
                let kept = if reader == Reader::Lost { Vec::new() } else { kept };
                gone.open();
                let ended = end_of(&mut running);
                drop(kept);
                assert_eq!(ended.code(), Some(0), "{reader:?}: {ended}");
                assert_eq!(server.configured(), before, "{reader:?}");
                assert!(server.serves(&before) && server.journal().is_empty(), "{reader:?}");
            });
        }
    });
}

#[test]
fn what_is_left_undone_is_said_on_standard_error_where_standard_output_takes_nothing() {
    for words in [&["test", "pc2"][..], &["--json", "test", "pc2"]] {
        let server = BootServer::with_hosts(2);
        server.set("REVERT_DEADLINE", "0");
        let broken = Gate::default();
        let _client = Client::working_until(&server, 2, broken.is_open(), || true);
        let full = File::options().write(true).open("/dev/full").unwrap();
        let running = server.command(words).stdout(full).spawn().unwrap();
        server.wait_until_swapped();
        (NO_RESTART.begin)(&server);
        broken.open();
        let output = running.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.starts_with("ghostctl: pc2: "), "{words}");
        assert!(words.contains("left undone: ") && words.contains("ghostctl dhcp revert pc2"), "{words}");
        let full = File::options().write(true).open("/dev/full").unwrap();
        let recovered = server.command(["recover"]).stdout(full).output().unwrap();
        let words = String::from_utf8_lossy(&recovered.stderr);
        assert_ne!(recovered.status.code(), Some(0), "{words}");
        assert!(words.contains("pc2: ") && words.contains("ghostctl dhcp revert pc2"), "{words}");
    }
}

#[test]
fn what_only_prints_fails_where_standard_output_takes_nothing_and_not_where_its_reader_has_enough() {
    let server = BootServer::with_hosts(2);
    for words in [&["hosts"][..], &["--json", "hosts"], &["exports"], &["metrics"], &["status"], &["runs"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = server.command(words).stdout(full).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {error}");
        let expected =
            "ghostctl: not all that was to be printed could be written to standard output: No space left";
        assert!(error.starts_with(expected), "{words:?}: {error}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = server.command(words).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", said(&output));
    }
}

#[test]
fn lines_that_a_full_disk_did_not_take_are_counted_when_there_is_room_again() {
    let server = BootServer::with_hosts(2);
    server.mount("log");
    let emptied = Gate::default();
    let _client = Client::waiting(&server, 2, Behaviour::Succeeds, Box::new(emptied.is_open()));
    let log = File::create(server.path("log/words")).unwrap();
    server.full("log");
    let running = server.command(["test", "pc2"]).stdout(log).spawn().unwrap();
    server.wait_until_swapped();
    server.room("log");
    emptied.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let words = std::fs::read_to_string(server.path("log/words")).unwrap();
    assert!(words.contains(" lines were left out here"), "{words}");
    assert!(words.ends_with("pc2: succeeded\n"), "{words}");
}

#[test]
fn a_job_whose_terminal_is_stopped_is_stopped_by_signals_all_the_same() {
    std::thread::scope(|scope| {
        for (reader, signal) in
            [(Reader::Stopped, Signal::TERM), (Reader::Full, Signal::HUP), (Reader::Full, Signal::QUIT)]
        {
            scope.spawn(move || {
                let server = BootServer::with_hosts(2);
                let before = server.configured();
                let (mut running, kept) = reader.start(&server);
                server.wait_until_swapped();
                kill_process(Pid::from_child(&running), signal).unwrap();
                let ended = end_of(&mut running);
                drop(kept);
                assert_eq!(ended.code(), Some(1), "{reader:?}, {signal:?}: {ended}");
                assert_eq!(server.configured(), before, "{reader:?}, {signal:?}");
                assert!(server.serves(&before) && server.journal().is_empty(), "{reader:?}, {signal:?}");
            });
        }
    });
}
