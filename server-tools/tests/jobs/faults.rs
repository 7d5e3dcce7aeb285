//! Given that something stands in the way of a revert, is it told, and is it done as soon as it can be?

use std::fs::File;
use std::process::{Child, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client};
use nix::pty::openpty;
use nix::sys::termios::{FlowArg, tcflow};
use rustix::process::{Pid, Signal, kill_process};

/// What a test lets happen at a moment of its choice.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<AtomicBool>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_open(&self) -> impl Fn() -> bool + Send + 'static {
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
        let server = BootServer::with_dhcpd(2);
        server.set("REVERT_DEADLINE", "6");
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
    for_each(&[READ_ONLY_DHCP, FULL_DHCP, NO_RESTART], |fault| {
        let server = BootServer::with_dhcpd(2);
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
                wait_until("it is swapped", || server.restarts() > 0);
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
        wait_until("it is swapped", || server.restarts() > 0);
        (NO_RESTART.begin)(&server);
        broken.open();
        let output = running.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.starts_with("ghostctl: pc2: "), "{words}");
        assert!(words.contains("left undone: ") && words.contains("ghostctl dhcp revert pc2"), "{words}");
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
    wait_until("it is swapped", || server.restarts() > 0);
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
                wait_until("it is swapped", || server.restarts() > 0);
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
        wait_until("it is swapped", || server.restarts() > 0);
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

/// A boot server on which a job of pc2 was killed when it had swapped.
#[cfg(feature = "crash-points")]
fn killed_when_swapped() -> BootServer {
    let server = BootServer::with_hosts(3);
    let killed =
        server.command(["test", "pc2"]).env("GHOSTCTL_CRASH_AT", "after-OfferBoot").output().unwrap();
    assert_eq!(killed.status.code(), None, "{}", said(&killed));
    server
}

#[test]
#[cfg(feature = "crash-points")]
fn a_damaged_journal_is_kept_and_told_and_the_others_are_recovered() {
    type Damage = (&'static str, fn(Vec<u8>) -> Vec<u8>);
    let cases: [Damage; 5] = [
        ("empty", |_| Vec::new()),
        ("zeros", |bytes| vec![0; bytes.len()]),
        ("garbage", |bytes| bytes.iter().map(|byte| byte ^ 0x5a).collect()),
        ("a bit in the last line", |mut bytes| {
            let place = bytes.len() - 30;
            bytes[place] ^= 1;
            bytes
        }),
        ("a bit in the first line", |mut bytes| {
            bytes[30] ^= 1;
            bytes
        }),
    ];
    std::thread::scope(|scope| {
        for (what, damage) in cases {
            scope.spawn(move || {
                let server = killed_when_swapped();
                let entry = server.journal().remove(0);
                let good = std::fs::read(&entry).unwrap();
                std::fs::write(&entry, damage(good.clone())).unwrap();
                let other =
                    server.command(["test", "pc3"]).env("GHOSTCTL_CRASH_AT", "after-MakeTree").output();
                let recovered = said(&other.unwrap());
                assert!(recovered.contains("cannot be used"), "{what}: {recovered}");
                assert!(recovered.contains("/damaged/192.168.7.2.jsonl.1"), "{what}: {recovered}");
                let kept = server.path("state/damaged/192.168.7.2.jsonl.1");
                let bytes = std::fs::read(kept).unwrap();
                assert!(bytes.starts_with(&damage(good)), "{what}: it is kept as it was");
                let doctor = said(&server.run(&["doctor"]));
                assert!(doctor.contains("jsonl.1 could not be read and was set aside"), "{what}: {doctor}");
                let later = server.run(&["recover"]);
                assert_eq!(
                    later.status.code(),
                    Some(0),
                    "{what}: the job of pc3 is recovered: {}",
                    said(&later)
                );
                assert!(server.journal().is_empty(), "{what}");
            });
        }
    });
}

#[test]
#[cfg(feature = "crash-points")]
fn what_is_no_entry_of_ours_stops_no_recovery() {
    let server = killed_when_swapped();
    let folder = server.path("state/journal");
    std::fs::create_dir(folder.join("192.168.7.1.jsonl")).unwrap();
    std::os::unix::fs::symlink("/dev/null", folder.join("192.168.7.9.jsonl")).unwrap();
    run_mkfifo(&folder.join("192.168.7.8.jsonl"));
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(1), "{}", said(&recovered));
    assert!(said(&recovered).contains("pc2: job "), "{}", said(&recovered));
    assert_eq!(said(&recovered).matches("it is not a regular file").count(), 3, "{}", said(&recovered));
    assert!(!String::from_utf8(server.configured()).unwrap().contains("pxelinux.0\"; # pc2"));
    let again = server.run(&["recover"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
}

#[cfg(feature = "crash-points")]
fn run_mkfifo(path: &std::path::Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_damaged_journal_on_a_file_system_of_its_own_is_set_aside_as_well() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    server.mount("state/journal");
    let running = server.start(&["test", "pc2"]);
    wait_until("it is swapped", || server.restarts() > 0);
    kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
    running.wait_with_output().unwrap();
    let entry = server.journal().remove(0);
    let mut bytes = std::fs::read(&entry).unwrap();
    let place = bytes.len() - 30;
    bytes[place] ^= 1;
    std::fs::write(&entry, &bytes).unwrap();
    let told = server.run(&["recover"]);
    assert_eq!(told.status.code(), Some(1), "{}", said(&told));
    assert_eq!(server.configured(), before, "{}", said(&told));
    let kept = std::fs::read(server.path("state/damaged/192.168.7.2.jsonl.1"));
    assert!(kept.is_ok_and(|kept| kept.starts_with(&bytes)), "it is kept as it was: {}", said(&told));
    assert!(server.journal().is_empty(), "{}", said(&told));
    let again = server.run(&["recover"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
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
    wait_until("it is swapped", || server.restarts() > 0);
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
    let _client = Client::working_until(&server, 2, broken.is_open(), || true);
    let running = server.start(&["test", "pc2"]);
    wait_until("it is swapped", || server.restarts() > 0);
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
    let _client = Client::working_until(&server, 2, edited.is_open(), || true);
    let running = server.start(&["test", "pc2"]);
    wait_until("it is swapped", || server.restarts() > 0);
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

#[test]
fn a_record_that_cannot_be_read_is_set_aside_and_told_of_once() {
    let server = BootServer::with_hosts(2);
    let client = Client::off(&server, 2, Behaviour::Succeeds);
    let job = server.run(&["test", "pc2"]);
    assert_eq!(job.status.code(), Some(0), "{}", said(&job));
    drop(client);
    let record = server.path("state/jobs/20260101-000000-0000/record.json");
    std::fs::create_dir(record.parent().unwrap()).unwrap();
    std::fs::write(&record, "{\"job\": half").unwrap();
    std::fs::write(server.path("state/jobs/a file"), "no job").unwrap();
    let last = server.run(&["status", "--last"]);
    assert!(last.status.success() && said(&last).contains("pc2: test"), "{}", said(&last));
    let told = server.run(&["recover"]);
    assert_eq!(told.status.code(), Some(1), "{}", said(&told));
    let kept = server.path("state/damaged/20260101-000000-0000.record.json.1");
    assert!(said(&told).contains(&format!("it was moved to {}", kept.display())), "{}", said(&told));
    assert_eq!(std::fs::read(kept).unwrap(), b"{\"job\": half");
    let again = server.run(&["recover"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    let doctor = server.run(&["doctor"]);
    assert!(said(&doctor).contains("record.json.1 could not be read and was set aside"), "{}", said(&doctor));
}
