//! `ghostctl top` on a terminal of its own: what a person sees, what keys do, and how the terminal is left.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use ghost_contract::UnixTime;
use ghost_contract::image::{Phase, Progress};
use ghost_contract::report::{Entry, Event};
use nix::pty::{Winsize, openpty};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Signal, kill_process, kill_process_group};
use rustix::termios::{LocalModes, tcgetattr, tcgetpgrp, tcsetwinsize};

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate};

/// What stands on a terminal that was sent this: a cell is only sent if it has changed.
fn shown(sent: &str) -> Vec<String> {
    let blank = || vec![vec![' '; 80]; 24];
    let (mut cells, mut row, mut column) = (blank(), 0, 0);
    let mut rest = sent.chars();
    while let Some(character) = rest.next() {
        if character != '\x1b' {
            if let Some(cell) = cells.get_mut(row).and_then(|row: &mut Vec<char>| row.get_mut(column)) {
                *cell = character;
            }
            column += 1;
            continue;
        }
        let mut sequence = String::new();
        // After the bracket come numbers, and a letter ends it. Half of one may have come so far.
        for next in rest.by_ref() {
            sequence.push(next);
            if next.is_ascii_alphabetic() {
                break;
            }
        }
        let Some(end) = sequence.pop() else { break };
        let numbers = sequence.trim_start_matches('[');
        match end {
            'H' => {
                let mut places = numbers.split(';').map(|number| number.parse::<usize>().unwrap() - 1);
                (row, column) = (places.next().unwrap(), places.next().unwrap());
            }
            'J' | 'l' if numbers == "2" || numbers == "?1049" => cells = blank(),
            _ => {}
        }
    }
    cells.into_iter().map(String::from_iter).collect()
}

/// One who sits at a terminal of 80 columns and 24 rows.
struct Person {
    keyboard: File,
    /// Keeps what the terminal is set to.
    terminal: OwnedFd,
    before: LocalModes,
    seen: Arc<Mutex<String>>,
    running: Child,
}

impl Person {
    fn watches(server: &BootServer, environment: (&str, &str)) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).unwrap();
        // A program that has its own keyboard open never hears that it is gone, and outlives a test that fails.
        for end in [&pair.master, &pair.slave] {
            fcntl_setfd(end, FdFlags::CLOEXEC).unwrap();
        }
        let top = server.command(["top"]);
        let mut command = std::process::Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(top.get_program()).args(top.get_args());
        command.env("TERM", "xterm").env_remove("NO_COLOR").env(environment.0, environment.1);
        command.stdout(pair.slave.try_clone().unwrap()).stderr(pair.slave.try_clone().unwrap());
        let before = tcgetattr(&pair.slave).unwrap().local_modes;
        let running = command.stdin(pair.slave.try_clone().unwrap()).spawn().unwrap();
        let seen = Arc::new(Mutex::new(String::new()));
        let (mut screen, sees) = (File::from(pair.master.try_clone().unwrap()), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut some) {
                sees.lock().unwrap().push_str(&String::from_utf8_lossy(&some[..read]));
            }
        });
        Self { keyboard: File::from(pair.master), terminal: pair.slave, before, seen, running }
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn sees(&self, words: &str) {
        let is_seen = || shown(&self.seen.lock().unwrap()).iter().any(|row| row.contains(words));
        wait_until(&format!("{words:?} is seen"), is_seen);
    }

    /// How often the usual screen came back.
    fn left(&self) -> usize {
        self.seen.lock().unwrap().matches("\x1b[?1049l").count()
    }

    fn modes(&self) -> LocalModes {
        tcgetattr(&self.terminal).unwrap().local_modes
    }

    /// Waits until it has ended, and the terminal is as it was.
    fn has_the_terminal_back(&mut self) {
        wait_until("it has ended", || self.running.try_wait().unwrap().is_some());
        wait_until("the usual screen is back", || self.left() > 0);
        assert_eq!(self.modes(), self.before);
        let status = self.running.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{status}: {}", self.seen.lock().unwrap());
    }
}

#[test]
fn a_person_watches_a_job_reads_its_screen_and_stops_it_after_a_yes() {
    let server = BootServer::with_hosts(3);
    let stopped = Gate::default();
    let _client = Client::working_until(&server, 2, || true, stopped.is_open());
    let running = server.start(&["backup", "pc2"]);
    server.wait_until_swapped();
    let mut person = Person::watches(&server, ("TERM", "xterm"));
    person.sees("Up Down: choose  Enter: the screen  c: cancel  q: quit");
    person.sees("pc2 ");
    person.sees("imaging");
    assert!(!person.modes().intersects(LocalModes::ICANON | LocalModes::ECHO));
    person.types("\r");
    person.sees("there is no screenshot of this job");
    person.types("\x1b");
    person.sees("VERB");
    person.types("c");
    person.sees("stop the backup of pc2");
    person.types("n");
    person.sees("the job of pc2 goes on");
    person.types("cy");
    person.sees("to stop");
    stopped.open();
    let output = running.wait_with_output().unwrap();
    assert!(said(&output).contains("cancelled by ghostctl cancel"), "{}", said(&output));
    person.sees("1 failed");
    person.types("q");
    person.has_the_terminal_back();
    assert!(person.seen.lock().unwrap().contains(";31m"), "trouble is red");
}

#[test]
fn whatever_ends_it_the_terminal_is_as_it_was() {
    let server = BootServer::with_hosts(2);
    for signal in [Signal::TERM, Signal::HUP, Signal::QUIT, Signal::INT] {
        let mut person = Person::watches(&server, ("NO_COLOR", "1"));
        person.sees("no job has run yet");
        let group = tcgetpgrp(&person.keyboard).unwrap();
        kill_process_group(group, signal).unwrap();
        person.has_the_terminal_back();
        assert!(!person.seen.lock().unwrap().contains("\x1b[0;3"), "no colours");
    }
    // Ctrl-Z, with a shell that has it go on.
    let mut person = Person::watches(&server, ("TERM", "xterm"));
    person.sees("no job has run yet");
    let group = tcgetpgrp(&person.keyboard).unwrap();
    kill_process(group, Signal::TSTP).unwrap();
    wait_until("the usual screen is back", || person.left() == 1);
    wait_until("the terminal is given back", || person.modes() == person.before);
    kill_process(group, Signal::CONT).unwrap();
    person.sees("no job has run yet");
    // A window that has become smaller.
    let mut size = rustix::termios::tcgetwinsize(&person.terminal).unwrap();
    (size.ws_row, size.ws_col) = (10, 40);
    tcsetwinsize(&person.terminal, size).unwrap();
    wait_until("the keys stand in the tenth line", || {
        shown(&person.seen.lock().unwrap())[9].contains("Up Down: choose")
    });
    person.types("q");
    person.has_the_terminal_back();
}

#[test]
fn what_a_client_writes_is_text_on_the_terminal_however_small_that_is() {
    const HOSTILE: &str = "x\x1b[2J\x1b]0;owned\x07\x1b[6n\u{202e}y";
    let server = BootServer::with_hosts(2);
    let stopped = Gate::default();
    let _client = Client::working_until(&server, 2, || true, stopped.is_open());
    let running = server.start(&["backup", "pc2"]);
    let report = server.path("base/192.168.7.2var/ghost/report.jsonl");
    wait_until("it is at work", || {
        fs::read_to_string(&report).is_ok_and(|report| report.contains("order_claimed"))
    });
    let progress = Progress {
        phase: Phase::Reading,
        disk: 0,
        disks: 1,
        region: 1,
        regions: 1,
        subject: HOSTILE.to_owned(),
        done: 1,
        total: 2,
        rate: 1,
        eta: None,
    };
    let entry = Entry { at: UnixTime::from_millis(0), uptime: 1, event: Event::Progressed(progress) };
    let line = entry.to_line().unwrap();
    File::options().append(true).open(&report).unwrap().write_all(line.as_bytes()).unwrap();
    let staging = fs::read_dir(server.path("store/pc2")).unwrap().next().unwrap().unwrap().path();
    fs::create_dir(staging.join("screens")).unwrap();
    fs::write(staging.join("screens/0001-interval.png"), "no picture").unwrap();
    fs::write(staging.join("screens/0001-interval.txt"), format!("Ghost at work {HOSTILE}")).unwrap();

    let mut person = Person::watches(&server, ("NO_COLOR", "1"));
    // There is room for so much of it.
    person.sees("reading");
    person.types("\r");
    person.sees("Ghost at work x");
    let mut small = rustix::termios::tcgetwinsize(&person.terminal).unwrap();
    (small.ws_row, small.ws_col) = (5, 20);
    tcsetwinsize(&person.terminal, small).unwrap();
    wait_until("the keys stand in the fifth line", || {
        shown(&person.seen.lock().unwrap())[4].starts_with("Up Down Page Up Page")
    });
    person.types("\x1b");
    wait_until("the table is back", || shown(&person.seen.lock().unwrap())[4].starts_with("Up Down: choose"));
    person.types("q");
    person.has_the_terminal_back();
    let seen = person.seen.lock().unwrap().clone();
    for spoken in ["\x1b]", "\x07", "\x1b[6n", "\u{202e}"] {
        assert!(!seen.contains(spoken), "{spoken:?}: {seen:?}");
    }
    stopped.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_lost_terminal_ends_it_quietly() {
    let server = BootServer::with_hosts(2);
    let Person { keyboard, terminal, seen, mut running, .. } = Person::watches(&server, ("TERM", "xterm"));
    wait_until("it is seen", || seen.lock().unwrap().contains("no job has run yet"));
    let program = tcgetpgrp(&keyboard).unwrap();
    // No thread of ours may keep the terminal either, so the program is told as the kernel tells it.
    drop((keyboard, terminal));
    kill_process(program, Signal::HUP).unwrap();
    wait_until("it has ended", || running.try_wait().unwrap().is_some());
    assert_eq!(running.wait().unwrap().code(), Some(0));
}

#[test]
fn without_a_terminal_the_table_is_printed_once() {
    let server = BootServer::with_hosts(2);
    let output = server.run(&["top"]);
    assert_eq!((output.status.code(), said(&output)), (Some(0), "no job has run yet\n".to_owned()));
    let client = Client::off(&server, 2, Behaviour::Succeeds);
    assert_eq!(server.run(&["test", "pc2"]).status.code(), Some(0));
    client.wait_done();
    let output = server.command(["top"]).stdin(Stdio::null()).output().unwrap();
    let expected = "HOST  VERB  STATE  DONE  RATE  TIME LEFT  PHASE\npc2   test  done   -     -     -          succeeded\n";
    assert_eq!((output.status.code(), said(&output)), (Some(0), expected.to_owned()));
    let output = server.run(&["--json", "top"]);
    let tile: serde_json::Value = serde_json::from_str(said(&output).trim()).unwrap();
    assert_eq!((tile["host"].as_str(), tile["state"].as_str()), (Some("pc2"), Some("done")));
}
