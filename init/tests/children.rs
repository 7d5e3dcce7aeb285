//! Starts, hears of and reaps children. A test program of its own, because it reaps every child of its process.

mod reaped;

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ghost_init::sys::child::{ChildError, Departure, Left};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use reaped::CHILDREN;

const LONG: Duration = Duration::from_secs(60);

/// Whether there comes a moment in which no child is left.
fn all_go() -> bool {
    let started = Instant::now();
    while CHILDREN.reap() != Left::None {
        if started.elapsed() > LONG {
            return false;
        }
        thread::park_timeout(Duration::from_millis(5));
    }
    true
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command
}

#[test]
fn a_program_that_ends_well_is_done() {
    CHILDREN.run(&mut shell("exit 0"), LONG).unwrap();
}

#[test]
fn a_program_that_ends_badly_is_an_error_that_says_how() {
    let failed = CHILDREN.run(&mut shell("exit 3"), LONG).unwrap_err();
    assert_eq!(failed.to_string(), "sh ended with status 3");
    let killed = CHILDREN.run(&mut shell("kill -9 $$"), LONG).unwrap_err();
    assert_eq!(killed.to_string(), "sh killed by SIGKILL");
}

#[test]
fn a_program_that_takes_too_long_is_killed() {
    let error = CHILDREN.run(&mut shell("exec sleep 1000"), Duration::from_millis(50)).unwrap_err();
    assert!(matches!(error, ChildError::TooLong { .. }), "{error}");
    assert!(all_go());
}

#[test]
fn a_program_that_is_not_there_is_an_error_that_names_it() {
    let error = CHILDREN.run(&mut Command::new("no-such-program"), LONG).unwrap_err();
    assert_eq!(error.to_string(), "cannot start no-such-program");
}

#[test]
fn whoever_waits_for_a_child_hears_how_it_ended() {
    let (tell, told) = mpsc::channel();
    let pid = CHILDREN.spawn(&mut shell("exec sleep 1000"), move |how| tell.send(how).unwrap()).unwrap();
    kill(pid, Signal::SIGTERM).unwrap();
    assert_eq!(told.recv_timeout(LONG), Ok(Departure::Killed(Signal::SIGTERM)));
}

#[test]
fn an_orphan_is_reaped_too() {
    set_child_subreaper(true).unwrap();
    CHILDREN.run(&mut shell("sleep 0.1 & exit 0"), LONG).unwrap();
    assert!(all_go());
}
