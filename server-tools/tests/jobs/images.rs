//! The image store while jobs run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate};

/// A backup of pc2; yields the name of the generation.
fn backed_up(server: &BootServer) -> String {
    let client = Client::off(server, 2, Behaviour::Succeeds);
    let before = generations(server);
    let output = server.run(&["backup", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    drop(client);
    generations(server).into_iter().find(|name| !before.contains(name)).unwrap()
}

/// A generation of pc2 that says that the Linux imager has made it.
pub(crate) fn linux_generation(server: &BootServer) -> String {
    let name = backed_up(server);
    let path = server.path("store/pc2").join(&name).join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["imager"] = serde_json::json!({ "name": "linux" });
    write_manifest(server, &path, &manifest);
    name
}

/// Has a generation of pc2 this manifest, as if the boot server had written it.
pub(crate) fn write_manifest(server: &BootServer, path: &Path, manifest: &serde_json::Value) {
    let before = sha256(path);
    fs::write(path, manifest.to_string()).unwrap();
    let vouched = server.path("state/vouched/pc2.jsonl");
    let ours = fs::read_to_string(&vouched).unwrap();
    assert!(ours.contains(&before), "{ours}");
    fs::write(vouched, ours.replace(&before, &sha256(path))).unwrap();
}

/// A file's checksum, as sha256sum(1) writes it.
pub(crate) fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn a_restore_that_may_shrink_has_room_in_the_store_and_leaves_nothing_there() {
    let server = BootServer::with_hosts(1);
    let name = linux_generation(&server);
    for (flag, has_room) in [("--shrink", true), ("--grow", false)] {
        let seen = Gate::default();
        let client = Client::working_until(&server, 2, || true, seen.is_open());
        let running = server.start(&["restore", "--yes", flag, "pc2"]);
        let journal = server.path("state/journal/192.168.7.2.jsonl");
        wait_until("the client works", || {
            fs::read_to_string(&journal).is_ok_and(|lines| lines.contains("\"phase\":\"imaging\""))
        });
        let room = generations(&server).iter().any(|name| name.starts_with(".incoming-"));
        seen.open();
        let output = running.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        drop(client);
        assert_eq!(room, has_room, "{flag}");
        assert_eq!(generations(&server), std::slice::from_ref(&name), "{flag}");
    }
}

/// What is in pc2's folder of the store.
fn generations(server: &BootServer) -> Vec<String> {
    let listed = fs::read_dir(server.path("store/pc2")).into_iter().flatten();
    let mut names: Vec<String> =
        listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Starts a restore of a generation to pc2 and waits until it is in the journal.
fn restoring(server: &BootServer, generation: &str) -> std::process::Child {
    let running = server.start(&["restore", "--yes", "--generation", generation, "pc2"]);
    wait_until("the restore has begun", || !server.journal().is_empty());
    running
}

fn kill(running: std::process::Child) -> std::process::Output {
    kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
    running.wait_with_output().unwrap()
}

#[test]
fn after_a_good_backup_older_generations_go() {
    let server = BootServer::with_hosts(1);
    server.set("GENERATIONS", "2");
    server.set("KEEP_DAYS", "0");
    let first = backed_up(&server);
    let second = backed_up(&server);
    assert_eq!(generations(&server), [first, second.clone()]);
    let third = backed_up(&server);
    assert_eq!(generations(&server), [second, third]);
}

#[test]
fn a_generation_that_a_job_reads_is_removed_by_nobody_not_even_after_a_crash_of_the_job() {
    let server = BootServer::with_hosts(1);
    let (old, new) = (backed_up(&server), backed_up(&server));
    server.set("GENERATIONS", "1");
    server.set("KEEP_DAYS", "0");
    let running = restoring(&server, &old);
    for alive in [true, false] {
        let removed = server.run(&["images", "rm", "--yes", "pc2", &old]);
        assert_eq!(removed.status.code(), Some(75), "{alive}: {}", said(&removed));
        assert!(said(&removed).contains(&format!("reads {old} now")), "{}", said(&removed));
        let pruned = server.run(&["images", "prune"]);
        assert!(said(&pruned).contains("removed no generation"), "{alive}: {}", said(&pruned));
        if alive {
            kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
            wait_until("it is dead", || said(&server.run(&["status"])).contains("its ghostctl is gone"));
        }
    }
    running.wait_with_output().unwrap();
    assert_eq!(generations(&server), [old.clone(), new.clone()]);
    assert_eq!(server.run(&["recover"]).status.code(), Some(0));
    let would = server.run(&["images", "prune", "--dry-run"]);
    assert!(said(&would).contains(&format!("would remove {old}")), "{}", said(&would));
    assert_eq!(generations(&server), [old.clone(), new.clone()]);
    let pruned = server.run(&["images", "prune"]);
    assert!(said(&pruned).contains(&format!("removed {old}")), "{}", said(&pruned));
    assert_eq!(generations(&server), [new]);
}

#[test]
fn between_the_look_at_a_generation_and_the_journal_nothing_is_removed() {
    let server = BootServer::with_hosts(1);
    let old = backed_up(&server);
    // As a job does that is just about to begin.
    let host = "pc2".parse().unwrap();
    let state = server.path("state");
    let beginning = ghostctl::catalog::pruning::keep_removals_out(&state, &host, Duration::ZERO).unwrap();
    let removed = server.run(&["--lock-timeout", "0", "images", "rm", "--yes", "pc2", &old]);
    assert_eq!(removed.status.code(), Some(75), "{}", said(&removed));
    let pruned = server.run(&["--lock-timeout", "0", "images", "prune"]);
    assert_eq!(pruned.status.code(), Some(75), "{}", said(&pruned));
    drop(beginning);
    let removed = server.run(&["images", "rm", "--yes", "pc2", &old]);
    assert_eq!(removed.status.code(), Some(0), "{}", said(&removed));
    let too_late = server.run(&["restore", "--yes", "--generation", &old, "pc2"]);
    assert_eq!(too_late.status.code(), Some(2), "{}", said(&too_late));
}

#[test]
fn a_generation_is_removed_only_when_a_person_says_so() {
    let server = BootServer::with_hosts(1);
    let only = backed_up(&server);
    let unasked = server.command(["images", "rm", "pc2", &only]);
    let unasked = { unasked }.stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(unasked.status.code(), Some(2), "{}", said(&unasked));
    let would = server.run(&["images", "rm", "--dry-run", "pc2", &only]);
    assert!(said(&would).contains("the last good generation"), "{}", said(&would));
    assert_eq!(generations(&server), std::slice::from_ref(&only));
    let removed = server.run(&["images", "rm", "--yes", "pc2", &only]);
    assert_eq!(removed.status.code(), Some(0), "{}", said(&removed));
    assert_eq!(generations(&server), [""; 0]);
    let again = server.run(&["images", "rm", "--yes", "pc2", &only]);
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
}

#[test]
fn while_one_host_waits_for_its_disks_another_is_served() {
    let server = BootServer::with_hosts(2);
    let journal = |number: u8| server.path(&format!("state/journal/192.168.7.{number}.jsonl"));
    // Until this is released the removal after pc2's backup waits.
    let host = "pc2".parse().unwrap();
    let held =
        ghostctl::catalog::pruning::keep_removals_out(&server.path("state"), &host, Duration::ZERO).unwrap();
    let pruning = journal(2);
    let is_pruning = move || fs::read_to_string(&pruning).is_ok_and(|lines| lines.contains("\"prune\""));
    let _first = Client::off(&server, 2, Behaviour::Succeeds);
    let _second = Client::waiting(&server, 3, Behaviour::Succeeds, Box::new(is_pruning));
    let running = server.start(&["backup", "pc2", "pc3"]);
    wait_until("both have begun", || journal(2).exists() && journal(3).exists());
    wait_until("pc3 is done", || !journal(3).exists());
    assert!(journal(2).exists(), "pc2 still waits");
    drop(held);
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_server_that_is_killed_while_it_reads_back_loses_no_older_generation_and_finishes_later() {
    let server = BootServer::with_hosts(1);
    let old = backed_up(&server);
    // No machine has read that before it is killed.
    let client = Client::off(&server, 2, Behaviour::SucceedsWith(1 << 40));
    let running = server.start(&["backup", "pc2"]);
    let journal = server.path("state/journal/192.168.7.2.jsonl");
    wait_until("it reads back", || {
        fs::read_to_string(&journal).is_ok_and(|lines| lines.contains("finish_generation"))
    });
    kill(running);
    drop(client);
    let left = generations(&server);
    assert!(left.contains(&old) && left.iter().any(|name| name.starts_with(".incoming-")), "{left:?}");
    assert!(said(&server.run(&["images", "list"])).lines().count() == 1, "it is no generation yet");
    // The rest would only be read for nothing.
    let image = find(&server, ".incoming-").join("image.gho");
    fs::File::options().write(true).open(image).unwrap().set_len(5).unwrap();
    assert_eq!(server.run(&["recover"]).status.code(), Some(0));
    assert_eq!(said(&server.run(&["images", "list"])).lines().count(), 2);
    assert!(generations(&server).contains(&old));
}

fn find(server: &BootServer, prefix: &str) -> PathBuf {
    let name = generations(server).into_iter().find(|name| name.starts_with(prefix)).unwrap();
    server.path("store/pc2").join(name)
}
