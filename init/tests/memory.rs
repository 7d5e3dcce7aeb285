//! How much memory PID 1 locks, and which process the kernel ends when memory runs out. Needs root, and a process of
//! its own.
#![allow(clippy::unwrap_used, reason = "all of this target is tests: a panic that says where is the message")]

use std::fs;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ghost_init::sys::child::{self, Children};
use ghost_init::sys::power;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;

const MIB: u64 = 1 << 20;

/// A line of `/proc/self/status`, bytes.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn what_is_locked_is_what_is_used() {
    power::lock_in_memory().unwrap();
    let before = status("VmLck");
    assert!(before > MIB, "the program itself is locked: {before}");
    let (tell, told) = mpsc::channel();
    // Each thread ends when its sender is dropped, also when this test fails.
    let mut holders = Vec::new();
    for _ in 0..16 {
        let (hold, held) = mpsc::channel::<()>();
        holders.push(hold);
        let tell = tell.clone();
        let use_memory = move || {
            // As much as a screenshot takes, in each thread.
            let used = vec![1_u8; 300_000];
            tell.send(used.len()).unwrap();
            held.recv().unwrap_err();
        };
        thread::Builder::new().stack_size(256 * 1024).spawn(use_memory).unwrap();
    }
    assert!((0..16).all(|_| told.recv_timeout(Duration::from_secs(20)).is_ok()));
    let more = status("VmLck") - before;
    assert!(more < 16 * MIB, "{} MiB more are locked", more / MIB);
}

#[test]
fn a_program_does_not_inherit_how_readily_pid_1_is_ended_and_the_imager_is_ended_first() {
    // Less than it had needs a right that tests may not have; that PID 1 has -1000 is seen in the lab.
    fs::write("/proc/self/oom_score_adj", "500").unwrap();
    let children = Children::new(|| {});
    let mut sleep = Command::new("sleep");
    sleep.arg("600").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let pid = children.spawn(&mut sleep, |_| {}).unwrap();
    let score = || fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
    let at_first = score();
    child::end_first_for_memory(pid);
    let then = score();
    kill(pid, Signal::SIGKILL).unwrap();
    waitpid(pid, None).unwrap();
    assert_eq!((at_first.as_str(), then.as_str()), ("0\n", "1000\n"));
}
