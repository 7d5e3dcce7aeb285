//! Given that something stands in the way of a revert, is it told, and is it done as soon as it can be?

use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::boot_server::{BootServer, said, wait_until};
use super::client::Client;

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
