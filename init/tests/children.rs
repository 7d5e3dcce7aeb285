//! Children are started, heard of and reaped. A program of its own, since it waits for every child there is.

use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ghost_init::sys::child::{ChildError, Children, Departure, Left};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};

const LONG: Duration = Duration::from_secs(60);

/// The tests share this process's children: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Children that are reaped whenever one of them ends, as PID 1 does it.
fn children() -> (Arc<Children>, Receiver<Left>, MutexGuard<'static, ()>) {
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (wake, woken) = mpsc::channel();
    let children = Arc::new(Children::new(move || {
        // The one who listens goes with the test.
        let _ = wake.send(());
    }));
    let (tell, left) = mpsc::channel();
    let reaper = Arc::downgrade(&children);
    thread::spawn(move || {
        loop {
            // There is no SIGCHLD here: look often instead.
            let stop =
                matches!(woken.recv_timeout(Duration::from_millis(5)), Err(RecvTimeoutError::Disconnected));
            let Some(children) = reaper.upgrade().filter(|_| !stop) else { return };
            if tell.send(children.reap()).is_err() {
                return;
            }
        }
    });
    (children, left, guard)
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command
}

#[test]
fn a_program_that_ends_well_is_done() {
    let (children, _left, _alone) = children();
    children.run(&mut shell("exit 0"), LONG).unwrap();
}

#[test]
fn a_program_that_ends_badly_is_an_error_that_says_how() {
    let (children, _left, _alone) = children();
    let failed = children.run(&mut shell("exit 3"), LONG).unwrap_err();
    assert_eq!(failed.to_string(), "sh ended with status 3");
    let killed = children.run(&mut shell("kill -9 $$"), LONG).unwrap_err();
    assert_eq!(killed.to_string(), "sh killed by SIGKILL");
}

#[test]
fn a_program_that_takes_too_long_is_killed() {
    let (children, left, _alone) = children();
    let error = children.run(&mut shell("exec sleep 1000"), Duration::from_millis(50)).unwrap_err();
    assert!(matches!(error, ChildError::TooLong { .. }), "{error}");
    left.iter().find(|left| *left == Left::None).unwrap();
}

#[test]
fn a_program_that_is_not_there_is_an_error_that_names_it() {
    let (children, _left, _alone) = children();
    let error = children.run(&mut Command::new("no-such-program"), LONG).unwrap_err();
    assert_eq!(error.to_string(), "cannot start no-such-program");
}

#[test]
fn whoever_waits_for_a_child_hears_how_it_ended() {
    let (children, _left, _alone) = children();
    let (tell, told) = mpsc::channel();
    let pid = children.spawn(&mut shell("exec sleep 1000"), move |how| tell.send(how).unwrap()).unwrap();
    kill(pid, Signal::SIGTERM).unwrap();
    assert_eq!(told.recv_timeout(LONG), Ok(Departure::Killed(Signal::SIGTERM)));
}

#[test]
fn an_orphan_is_reaped_too() {
    let (children, left, _alone) = children();
    set_child_subreaper(true).unwrap();
    children.run(&mut shell("sleep 0.1 & exit 0"), LONG).unwrap();
    left.iter().find(|left| *left == Left::None).unwrap();
}
