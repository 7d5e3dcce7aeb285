//! Given that something stands in the way of a revert, is it told, and is it done as soon as it can be?

use std::fs::File;
use std::process::Output;

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate, swapped_test};
use super::each_server::EACH;
use rustix::process::{Pid, Signal, kill_process};

/// A folder in which nothing can be written while a client is at work.
pub(crate) struct Fault {
    what: &'static str,
    pub(crate) begin: fn(&BootServer),
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
pub(crate) const NO_RESTART: Fault = Fault {
    what: "the DHCP server cannot be made to take anything up",
    begin: BootServer::never_take_up,
    end: BootServer::take_up_again,
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

/// Each with each DHCP server.
fn with_each_server(faults: &[Fault], check: fn(&Fault, BootServer)) {
    std::thread::scope(|scope| {
        for fault in faults {
            for (_, start) in EACH {
                scope.spawn(move || check(fault, start(2)));
            }
        }
    });
}

#[test]
fn a_swap_that_cannot_be_reverted_is_no_success_and_recovery_reverts_it_later() {
    with_each_server(&[READ_ONLY_DHCP, FULL_DHCP, NO_RESTART], |fault, server| {
        server.set("REVERT_DEADLINE", "6");
        server.mount("dhcp");
        let before = server.configured();
        let faulty = Gate::default();
        let (_client, running) = swapped_test(&server, &faulty);
        (fault.begin)(&server);
        faulty.open();
        let output = running.wait_with_output().unwrap();
        assert_ne!(output.status.code(), Some(0), "{}: {}", fault.what, said(&output));
        let last = last_line(&output);
        assert!(last.contains("ghostctl dhcp revert pc2"), "{}: {last}", fault.what);
        let insists = "ghostctl tries again for 6 s (REVERT_DEADLINE)";
        assert!(said(&output).contains(insists), "{}: {}", fault.what, said(&output));
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
    with_each_server(&[READ_ONLY_DHCP, FULL_DHCP, NO_RESTART], |fault, server| {
        server.mount("dhcp");
        let before = server.configured();
        let (faulty, reverted) = (Gate::default(), Gate::default());
        let _client = Client::working_until(&server, 2, faulty.is_open(), reverted.is_open());
        let running = server.start(&["test", "pc2"]);
        server.wait_until_swapped();
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

const READ_ONLY_STATE: Fault = Fault {
    what: "STATEDIR is read-only, and the journal that is open in it cannot be written either",
    begin: |server| {
        server.full("state");
        server.read_only("state");
    },
    end: |server| {
        server.writable("state");
        server.room("state");
    },
};
const FULL_STATE: Fault = Fault {
    what: "STATEDIR is full",
    begin: |server| server.full("state"),
    end: |server| server.room("state"),
};

#[test]
fn a_journal_that_cannot_be_written_keeps_nothing_from_being_reverted_and_is_no_success() {
    for_each(&[READ_ONLY_STATE, FULL_STATE], |fault| {
        let server = BootServer::with_hosts(2);
        server.mount("state");
        let before = server.configured();
        let faulty = Gate::default();
        let _client = Client::waiting(&server, 2, Behaviour::Succeeds, Box::new(faulty.is_open()));
        let running = server.start(&["test", "pc2"]);
        server.wait_until_swapped();
        (fault.begin)(&server);
        faulty.open();
        let output = running.wait_with_output().unwrap();
        assert_eq!(server.configured(), before, "{}: {}", fault.what, said(&output));
        assert!(server.serves(&before), "{}: {}", fault.what, said(&output));
        assert_ne!(output.status.code(), Some(0), "{}: {}", fault.what, said(&output));
        assert!(last_line(&output).contains("left undone"), "{}: {}", fault.what, said(&output));
        (fault.end)(&server);
        let recovered = server.run(&["recover"]);
        assert_eq!(recovered.status.code(), Some(0), "{}: {}", fault.what, said(&recovered));
        assert_eq!(server.configured(), before, "{}", fault.what);
        assert!(server.journal().is_empty() && server.nonces().is_empty(), "{}", fault.what);
    });
}

#[test]
fn a_host_that_is_swapped_and_nobodys_is_told_of_and_put_back_by_hand() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let client = Client::off(&server, 2, Behaviour::Succeeds);
    let first = server.run(&["test", "pc2"]);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    drop(client);
    let swapped = String::from_utf8(before.clone()).unwrap();
    let swapped = swapped.replace("\"nobackup\"; # pc2", "\"pxelinux.0\"; # pc2");
    std::fs::write(server.configuration(), &swapped).unwrap();
    let told = server.run(&["recover"]);
    assert_eq!(told.status.code(), Some(1), "{}", said(&told));
    assert!(said(&told).contains("pc2: DHCP offers it the boot file pxelinux.0"), "{}", said(&told));
    assert!(!said(&told).contains("fakebox"), "it boots from the network always: {}", said(&told));
    let doctor = server.run(&["doctor"]);
    assert!(said(&doctor).contains("left over: pc2: DHCP offers it the boot file"), "{}", said(&doctor));
    assert_eq!(doctor.status.code(), Some(78), "{}", said(&doctor));
    assert_eq!(server.configured(), swapped.as_bytes(), "nothing is changed unasked");
    let reverted = server.run(&["dhcp", "revert", "pc2"]);
    assert_eq!(reverted.status.code(), Some(0), "{}", said(&reverted));
    assert_eq!(server.configured(), before);
    assert!(server.serves(&before));
}

#[test]
fn an_orphan_is_recovered_while_its_screen_is_looked_at() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
    running.wait_with_output().unwrap();
    let entry = File::open(server.journal().remove(0)).unwrap();
    rustix::fs::flock(&entry, rustix::fs::FlockOperation::LockShared).unwrap();
    let looker = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(entry);
    });
    let recovered = server.run(&["recover"]);
    looker.join().unwrap();
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert!(said(&recovered).contains("pc2: job "), "{}", said(&recovered));
    assert_eq!(server.configured(), before);
}

#[test]
fn an_entry_that_cannot_be_read_any_more_is_not_taken_for_reverted() {
    let server = BootServer::with_dhcpd(2);
    server.set("REVERT_DEADLINE", "0");
    let before = server.configured();
    let broken = Gate::default();
    let (_client, running) = swapped_test(&server, &broken);
    let swapped = server.configured();
    std::fs::write(server.configuration(), [b"group { \"\n".as_slice(), &swapped].concat()).unwrap();
    broken.open();
    let output = running.wait_with_output().unwrap();
    assert_ne!(output.status.code(), Some(0), "{}", said(&output));
    assert!(last_line(&output).contains("ghostctl dhcp revert pc2"), "{}", said(&output));
    assert_eq!(server.journal().len(), 1);
    std::fs::write(server.configuration(), &swapped).unwrap();
    let reverted = server.run(&["dhcp", "revert", "pc2"]);
    assert_eq!(reverted.status.code(), Some(0), "{}", said(&reverted));
    assert_eq!(server.configured(), before);
}

#[test]
fn a_dhcpd_that_runs_is_left_alone_over_another_persons_half_edit_and_the_own_bytes_are_back() {
    let server = BootServer::with_dhcpd(2);
    server.set("REVERT_DEADLINE", "0");
    let before = server.configured();
    let edited = Gate::default();
    let (_client, running) = swapped_test(&server, &edited);
    let process = std::fs::read_to_string(server.path("dhcpd.pid")).unwrap();
    let half = b"\nhost half { hardware ethernet";
    std::fs::write(server.configuration(), [&server.configured()[..], half].concat()).unwrap();
    edited.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("its own checker refuses the configuration"), "{}", said(&output));
    assert!(last_line(&output).contains("the DHCP server has not taken it up"), "{}", said(&output));
    assert_eq!(server.configured(), [&before[..], half].concat(), "the swap is undone, and the edit stays");
    assert_eq!(std::fs::read_to_string(server.path("dhcpd.pid")).unwrap(), process);
    assert!(std::path::Path::new("/proc").join(process.trim()).exists(), "dhcpd runs on");
    std::fs::write(server.configuration(), &before).unwrap();
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert!(server.serves(&before) && server.journal().is_empty());
}
