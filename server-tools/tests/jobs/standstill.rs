//! A file system that does not answer any more.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ghost_contract::UnixTime;
use ghost_contract::report::{Entry, Event, Outcome};
use nix::mount::{MntFlags, umount2};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Client, Gate};
use super::exported::for_jobs;

/// A file system over a folder, of a server that never answers: whoever looks into it waits until this is dropped.
pub(super) struct Dead {
    folder: PathBuf,
    server: Child,
}

impl Dead {
    pub(super) fn over(folder: &Path) -> Self {
        let script = "exec 3<>/dev/fuse
            mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 dead \"$1\"
            exec sleep 600";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
        let dead = Self { folder: folder.to_owned(), server: command.spawn().unwrap() };
        let is_mounted =
            || std::fs::read_to_string("/proc/self/mounts").unwrap().contains(&folder.display().to_string());
        wait_until("it is mounted", is_mounted);
        dead
    }
}

impl Drop for Dead {
    fn drop(&mut self) {
        // First, as those who wait may rename what it is in as soon as they go on.
        let _unmounted = umount2(&self.folder, MntFlags::MNT_DETACH);
        // Without its server the kernel tells those who wait that it is not connected.
        let _gone = self.server.kill();
        let _status = self.server.wait();
    }
}

#[test]
fn an_entry_is_put_back_though_the_base_root_does_not_answer_any_more() {
    let server = BootServer::with_hosts(2);
    server.set("UP_DEADLINE", "15");
    let before = server.configured();
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    let dead = Dead::over(&server.path("base"));
    wait_until("its own file is offered", || server.configured() == before && server.serves(&before));
    drop(dead);
    let output = running.wait_with_output().unwrap();
    assert!(said(&output).contains("ghostctl stands still"), "{}", said(&output));
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    assert!(server.configured() == before && server.serves(&before) && server.journal().is_empty());
}

/// Starts it on one processor only: it has as many threads for what takes long as processors.
fn start_on_one_processor(server: &BootServer, words: &[&str]) -> Child {
    let ours = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let mut first = CpuSet::new();
    first.set((0..CpuSet::count()).find(|number| ours.is_set(*number).unwrap()).unwrap()).unwrap();
    sched_setaffinity(Pid::from_raw(0), &first).unwrap();
    let running = server.start(words);
    sched_setaffinity(Pid::from_raw(0), &ours).unwrap();
    running
}

#[test]
fn a_check_that_hangs_keeps_no_other_client_from_being_woken_cancelled_or_heard() {
    let server = BootServer::with_hosts(3);
    for_jobs(&server);
    let before = server.configured();
    let report =
        |number: u8| server.home_of_tree(number).join(format!("192.168.7.{number}var/ghost/report.jsonl"));
    let is_at_work =
        |number: u8| fs::read_to_string(report(number)).is_ok_and(|text| text.contains("order_claimed"));
    let (written, never) = (Gate::default(), Gate::default());
    let _checked = Client::working_until(&server, 2, || true, written.is_open());
    let _stalls = Client::working_until(&server, 4, || true, never.is_open());
    // pc3 never comes up, until it is cancelled.
    server.set("UP_DEADLINE_pc3", "3000");
    let words = ["backup", "--parallel", "2", "--retries", "0", "pc2", "pc3", "pc4"];
    let running = start_on_one_processor(&server, &words);
    wait_until("pc2 is at work", || is_at_work(2));
    let staging =
        || fs::read_dir(server.written_to().join("pc2")).unwrap().map(|entry| entry.unwrap().path());
    let staging = staging().find(|path| path.to_string_lossy().contains(".incoming-")).unwrap();
    fs::create_dir(staging.join("part")).unwrap();
    let hangs = Dead::over(&staging.join("part"));
    written.open();
    wait_until("pc4 is at work in pc2's place", || is_at_work(4));
    let cancelled = server.run(&["cancel", "pc3"]);
    assert_eq!(cancelled.status.code(), Some(0), "{}", said(&cancelled));
    wait_until("pc3's job is over", || server.journal().len() == 2 && server.configured() == before);
    let mut file = fs::OpenOptions::new().append(true).open(report(4)).unwrap();
    for event in [
        Event::Stalled { idle: Duration::from_secs(900) },
        Event::Ended { outcome: Outcome::Stalled },
        Event::PoweringOff { reboot: false },
    ] {
        let line = Entry { at: UnixTime::from_millis(0), uptime: 0, event }.to_line().unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
    wait_until("pc4's job is over", || server.journal().len() == 1);
    assert!(staging.exists(), "pc2's image is still being checked");
    drop(hangs);
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for words in ["pc3: cancelled by ghostctl cancel", "pc4: stalled"] {
        assert!(said(&output).contains(words), "{words}: {}", said(&output));
    }
    assert!(server.configured() == before && server.journal().is_empty());
}

/// As one does who fills it with files by the hundred thousand.
#[test]
fn a_client_that_holds_up_the_request_to_stop_keeps_no_other_client_waiting() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let (never, leaves) = (Gate::default(), Gate::default());
    let _holds_up = Client::working_until(&server, 2, || true, never.is_open());
    let _other = Client::working_until(&server, 3, || true, leaves.is_open());
    let running = server.start(&["test", "--parallel", "2", "pc2", "pc3"]);
    let report =
        |number: u8| server.home_of_tree(number).join(format!("192.168.7.{number}var/ghost/report.jsonl"));
    let is_at_work =
        |number: u8| fs::read_to_string(report(number)).is_ok_and(|text| text.contains("order_claimed"));
    wait_until("both are at work", || is_at_work(2) && is_at_work(3));
    let held_up = Dead::over(&server.home_of_tree(2).join("192.168.7.2etc/ghost"));
    let cancelling = server.start(&["cancel", "pc2"]);
    wait_until("pc2's entry is put back", || server.configured() == before);
    leaves.open();
    wait_until("pc3's job is over", || server.journal().len() == 1);
    drop(held_up);
    let cancelled = cancelling.wait_with_output().unwrap();
    assert_eq!(cancelled.status.code(), Some(0), "{}", said(&cancelled));
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for words in ["pc2: cancelled by ghostctl cancel", "pc3: succeeded"] {
        assert!(said(&output).contains(words), "{words}: {}", said(&output));
    }
    assert!(!said(&output).contains("ghostctl stands still"), "{}", said(&output));
    assert!(server.configured() == before && server.journal().is_empty());
}
