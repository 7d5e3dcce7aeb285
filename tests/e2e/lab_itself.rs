//! However a lab ends, it leaves no process, name space, mount, interface or file.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ghost_lab::config::target_folder;
use ghost_lab::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::stage::LAB_PROGRAM;

/// From the death of an owner until all is gone.
const GONE: Duration = Duration::from_secs(180);
/// From `lab up` until the lab is up, a trial of KVM included.
const UP: Duration = Duration::from_secs(180);

/// Labs in a folder of their own, so that `lab down --all` ends no other scenario's.
struct Labs(tempfile::TempDir);

impl Labs {
    fn new() -> Self {
        let labs = Self(tempfile::tempdir_in(target_folder()).unwrap());
        let cache = target_folder().join("lab-accelerator");
        if cache.exists() {
            fs::copy(cache, labs.0.path().join("lab-accelerator")).unwrap();
        }
        labs
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // Who started the tests in the background may have had Ctrl-C ignored by all that they start.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT", LAB_PROGRAM]);
        let rootfs =
            |variable, below| std::env::var_os(variable).unwrap_or(target_folder().join(below).into());
        command
            .args(arguments)
            .env("LAB_BASE_ROOT", rootfs("LAB_BASE_ROOT", "rootfs/base"))
            .env("LAB_NETBOOT", rootfs("LAB_NETBOOT", "rootfs/netboot"))
            .env("CARGO_TARGET_DIR", self.0.path());
        command
    }

    fn run(&self, arguments: &[&str]) {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("lab")
    }

    /// The supervisor of the lab of this name, once there is one.
    fn supervisor(&self, name: &str) -> Pid {
        let file = self.folder().join(name).join("pid");
        wait::until("a supervisor", UP, || {
            let pid = fs::read_to_string(&file).ok()?.trim().parse().ok()?;
            Some(Pid::from_raw(pid))
        })
        .unwrap()
    }

    fn is_up(&self, name: &str) -> bool {
        self.command(&["--name", name, "status"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    }

    fn wait_up(&self, name: &str) {
        wait::until("the lab to be up", UP, || self.is_up(name).then_some(())).unwrap();
    }

    fn wait_gone(&self, trace: &Trace) {
        wait::until("the lab's processes to be gone", GONE, || trace.processes().is_empty().then_some(()))
            .unwrap();
        wait::until("the lab's folder to be gone", GONE, || {
            fs::read_dir(self.folder()).unwrap().next().is_none().then_some(())
        })
        .unwrap();
        assert!(!fs::read_to_string("/proc/mounts").unwrap().contains(&self.folder().display().to_string()));
    }
}

impl Drop for Labs {
    fn drop(&mut self) {
        if let Err(error) = self.command(&["down", "--all"]).status() {
            eprintln!("cannot end the labs in {}: {error}", self.0.path().display());
        }
    }
}

/// The name spaces by which everything of a lab can be recognised.
struct Trace(Vec<PathBuf>);

impl Trace {
    fn of(supervisor: Pid) -> Self {
        let outside = |kind: &str| fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        let inside = |kind: &str| fs::read_link(format!("/proc/{supervisor}/ns/{kind}")).unwrap();
        let all = ["net", "mnt", "pid"].map(|kind| {
            assert_ne!(inside(kind), outside(kind), "the lab has its own name space ({kind})");
            inside(kind)
        });
        Self(all.to_vec())
    }

    /// All processes in any of them.
    fn processes(&self) -> Vec<PathBuf> {
        let inside = |process: &Path| {
            ["net", "mnt", "pid"].iter().any(|kind| {
                fs::read_link(process.join("ns").join(kind)).is_ok_and(|space| self.0.contains(&space))
            })
        };
        let all = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        all.filter(|process| inside(process)).collect()
    }
}

/// The owner of a lab, in a process group of its own like a command in a terminal.
fn owner(labs: &Labs, arguments: &[&str]) -> Child {
    labs.command(arguments).process_group(0).stdout(Stdio::null()).spawn().unwrap()
}

fn end(mut owner: Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(owner.id()).unwrap()), signal).unwrap();
    wait::until("the owner to end", GONE, || owner.try_wait().unwrap()).unwrap();
}

#[test]
fn down_leaves_nothing() {
    let labs = Labs::new();
    labs.run(&["--name", "one", "up"]);
    let trace = Trace::of(labs.supervisor("one"));
    labs.run(&["--name", "one", "pc", "john", "on"]);
    let servers_and_pc = trace.processes().len();
    assert!(servers_and_pc >= 6, "supervisor, rpcbind, ganesha, tftpd, dhcpd, QEMU: {servers_and_pc}");
    labs.run(&["--name", "one", "down"]);
    labs.wait_gone(&trace);
}

#[test]
fn a_lab_ends_with_its_owner() {
    let labs = Labs::new();
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let owner = owner(&labs, &["--name", "one", "up", "--foreground"]);
        labs.wait_up("one");
        let trace = Trace::of(labs.supervisor("one"));
        labs.run(&["--name", "one", "pc", "john", "on"]);
        end(owner, signal);
        labs.wait_gone(&trace);
    }
}

#[test]
fn a_lab_that_is_not_up_yet_ends_with_its_owner() {
    let labs = Labs::new();
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let owner = owner(&labs, &["--name", "one", "up"]);
        let trace = Trace::of(labs.supervisor("one"));
        end(owner, signal);
        labs.wait_gone(&trace);
    }
}

#[test]
fn what_a_killed_supervisor_leaves_is_removed_and_two_labs_do_not_meet() {
    let labs = Labs::new();
    labs.run(&["--name", "one", "up"]);
    labs.run(&["--name", "two", "up"]);
    let traces = ["one", "two"].map(|name| Trace::of(labs.supervisor(name)));
    kill(labs.supervisor("one"), Signal::SIGKILL).unwrap();
    wait::until("its processes to be gone", GONE, || traces[0].processes().is_empty().then_some(())).unwrap();
    assert!(labs.folder().join("one").exists(), "nobody was left to remove it");
    assert!(labs.is_up("two"));
    labs.run(&["down", "--all"]);
    traces.iter().for_each(|trace| labs.wait_gone(trace));
}
