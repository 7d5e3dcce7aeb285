//! Given that something stands in the way of a revert, is it told, and is it done as soon as it can be?

use std::fs::File;
use std::process::{Child, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client};
use nix::pty::openpty;
use nix::sys::termios::{FlowArg, tcflow};
use rustix::process::{Pid, Signal, kill_process};

/// What a test lets happen at a moment of its choice.
#[derive(Clone, Default)]
struct Gate(Arc<AtomicBool>);

impl Gate {
    fn open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_open(&self) -> impl Fn() -> bool + Send + 'static {
        let gate = Arc::clone(&self.0);
        move || gate.load(Ordering::Relaxed)
    }
}

/// A folder in which nothing can be written while a client is at work.
struct Fault {
    what: &'static str,
    begin: fn(&BootServer),
    end: fn(&BootServer),
}

const READ_ONLY_DHCP: Fault = Fault {
    what: "the folder of dhcpd.conf is read-only",
    begin: |server| server.read_only("dhcp"),
    end: |server| server.writable("dhcp"),
};
const FULL_DHCP: Fault = Fault {
    what: "the file system of dhcpd.conf is full",
    begin: |server| server.full("dhcp"),
    end: |server| server.room("dhcp"),
};
const NO_RESTART: Fault = Fault {
    what: "the DHCP server cannot be restarted",
    begin: |server| std::fs::write(server.path("broken"), "").unwrap(),
    end: |server| std::fs::remove_file(server.path("broken")).unwrap(),
};

fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned()
}

/// Each at the same time, since each of them waits for long.
fn for_each(faults: &[Fault], check: fn(&Fault)) {
    std::thread::scope(|scope| {
        for fault in faults {
            scope.spawn(move || check(fault));
        }
    });
}

#[test]
fn a_swap_that_cannot_be_reverted_is_no_success_and_recovery_reverts_it_later() {
    for_each(&[READ_ONLY_DHCP, FULL_DHCP, NO_RESTART], |fault| {
        let server = BootServer::with_hosts(2);
        server.mount("dhcp");
        let before = server.configured();
        let faulty = Gate::default();
        let _client = Client::working_until(&server, 2, faulty.is_open(), || true);
        let running = server.start(&["test", "pc2"]);
        wait_until("it is swapped", || server.restarts() > 0);
        (fault.begin)(&server);
        faulty.open();
        let output = running.wait_with_output().unwrap();
        assert_ne!(output.status.code(), Some(0), "{}: {}", fault.what, said(&output));
        let last = last_line(&output);
        assert!(last.contains("ghostctl dhcp revert pc2"), "{}: {last}", fault.what);
        assert!(!said(&output).contains("pc2: reverted"), "{}: {}", fault.what, said(&output));
        assert_eq!(server.journal().len(), 1, "{}: recovery goes by the journal", fault.what);

        let too_early = server.run(&["recover"]);
        assert_ne!(too_early.status.code(), Some(0), "{}: {}", fault.what, said(&too_early));
        assert_eq!(server.journal().len(), 1, "{}: nothing closes the entry before the revert", fault.what);

        (fault.end)(&server);
        let reverted = server.run(&["dhcp", "revert", "pc2"]);
        assert_eq!(reverted.status.code(), Some(0), "{}: {}", fault.what, said(&reverted));
        assert_eq!(server.configured(), before, "{}", fault.what);
        assert!(server.serves(&before), "{}", fault.what);
        assert!(server.journal().is_empty(), "{}", fault.what);
    });
}

#[test]
fn what_stands_in_the_way_for_a_while_only_delays_the_revert() {
    for_each(&[READ_ONLY_DHCP, FULL_DHCP, NO_RESTART], |fault| {
        let server = BootServer::with_hosts(2);
        server.mount("dhcp");
        let before = server.configured();
        let (faulty, reverted) = (Gate::default(), Gate::default());
        let _client = Client::working_until(&server, 2, faulty.is_open(), reverted.is_open());
        let running = server.start(&["test", "pc2"]);
        wait_until("it is swapped", || server.restarts() > 0);
        (fault.begin)(&server);
        faulty.open();
        let journal = server.journal().remove(0);
        let tried = || std::fs::read_to_string(&journal).unwrap().contains("\"phase\":\"imaging\"");
        wait_until("the revert has failed and the client works", tried);
        (fault.end)(&server);
        wait_until("it is reverted all the same", || server.serves(&before));
        reverted.open();
        let output = running.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}: {}", fault.what, said(&output));
        assert!(said(&output).contains("pc2: reverted after all"), "{}: {}", fault.what, said(&output));
        assert_eq!(server.configured(), before, "{}", fault.what);
        assert!(server.journal().is_empty(), "{}", fault.what);
    });
}

/// How what a job says is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// The window is closed, or ssh has ended.
    Lost,
    /// Ctrl-S.
    Stopped,
    /// `ghostctl … | less`, and nobody turns the page.
    Full,
}

const READERS: [Reader; 3] = [Reader::Lost, Reader::Stopped, Reader::Full];

impl Reader {
    /// Starts a test of pc2 for this reader. What is yielded keeps it as it is.
    fn start(self, server: &BootServer) -> (Child, Vec<File>) {
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
                wait_until("it is swapped", || server.restarts() > 0);
                let kept = if reader == Reader::Lost { Vec::new() } else { kept };
                gone.open();
                let ended = running.wait().unwrap();
                drop(kept);
                assert_eq!(ended.code(), Some(0), "{reader:?}: {ended}");
                assert_eq!(server.configured(), before, "{reader:?}");
                assert!(server.serves(&before) && server.journal().is_empty(), "{reader:?}");
            });
        }
    });
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
                wait_until("it is swapped", || server.restarts() > 0);
                kill_process(Pid::from_child(&running), signal).unwrap();
                let ended = running.wait().unwrap();
                drop(kept);
                assert_eq!(ended.code(), Some(1), "{reader:?}, {signal:?}: {ended}");
                assert_eq!(server.configured(), before, "{reader:?}, {signal:?}");
                assert!(server.serves(&before) && server.journal().is_empty(), "{reader:?}, {signal:?}");
            });
        }
    });
}

#[test]
#[cfg(feature = "crash-points")]
fn an_error_in_the_program_itself_leaves_nothing_swapped() {
    for place in
        ["after-Swap", "after-OfferBoot", "before-Revert", "after-OfferOwn", "before-FinishGeneration"]
    {
        let server = BootServer::with_hosts(2);
        let before = server.configured();
        let _client = Client::off(&server, 2, Behaviour::Succeeds);
        let output = server.command(["backup", "pc2"]).env("GHOSTCTL_PANIC_AT", place).output().unwrap();
        assert!(matches!(output.status.code(), Some(1 | 70)), "{place}: {}", said(&output));
        assert!(said(&output).contains("error in the program: "), "{place}: {}", said(&output));
        let recovered = server.run(&["recover"]);
        assert_eq!(recovered.status.code(), Some(0), "{place}: {}", said(&recovered));
        assert_eq!(server.configured(), before, "{place}: {}", said(&output));
        assert!(server.serves(&before) && server.journal().is_empty(), "{place}");
    }
}
