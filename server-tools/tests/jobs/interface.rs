//! What holds for every verb: JSON where it is asked for, errors for names that do not exist, and the way out in words.

use std::process::Output;

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client};

/// The lines of standard output, each of which must be one JSON object.
fn objects(output: &Output) -> Vec<serde_json::Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    text.lines().map(parse).collect()
}

#[test]
fn every_verb_says_json_when_asked_to_and_with_dry_run_too() {
    let server = BootServer::with_hosts(2);
    let client = Client::off(&server, 2, Behaviour::Succeeds);
    let backup = server.run(&["backup", "--json", "pc2"]);
    assert_eq!(backup.status.code(), Some(0), "{}", said(&backup));
    drop(client);
    for words in [
        &["backup", "--dry-run", "pc2"][..],
        &["test", "--dry-run", "pc2", "pc3"],
        &["ghost", "--dry-run", "pc2"],
        &["verify", "--dry-run", "pc2"],
        &["restore", "--dry-run", "--yes", "pc2"],
        &["wake", "--dry-run", "pc2"],
        &["wake", "pc2", "00:0a:eb:12:34:5f"],
        &["hosts"],
        &["status", "--last"],
        &["dhcp", "swap", "--dry-run", "pc3"],
        &["dhcp", "swap", "pc3"],
        &["dhcp", "revert", "--dry-run", "pc3"],
        &["dhcp", "revert", "pc3"],
        &["images", "list"],
        &["images", "show", "pc2"],
        &["images", "verify", "pc2"],
        &["images", "prune", "--dry-run"],
        &["doctor"],
    ] {
        let output = server.run(&[&["--json"], words].concat());
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", said(&output));
        assert!(!objects(&output).is_empty(), "{words:?} says something");
        assert!(objects(&output).iter().all(serde_json::Value::is_object), "{words:?}");
    }
    for words in [&["status"][..], &["recover"], &["recover", "--dry-run"]] {
        let output = server.run(&[&["--json"], words].concat());
        assert_eq!((output.status.code(), objects(&output).len()), (Some(0), 0), "{words:?}");
    }
    let running = server.start(&["--json", "test", "pc3"]);
    wait_until("it has a job", || !server.journal().is_empty());
    for words in [&["status"][..], &["cancel", "--dry-run", "pc3"], &["cancel", "pc3"]] {
        let output = server.run(&[&["--json"], words].concat());
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", said(&output));
        assert!(!objects(&output).is_empty(), "{words:?} says something");
    }
    let stopped = running.wait_with_output().unwrap();
    assert!(!objects(&stopped).is_empty() && stopped.status.code() == Some(1), "{}", said(&stopped));
    // A warning comes first: nobody could log in.
    let said = objects(&server.run(&["--json", "test", "--dry-run", "pc3"]));
    let [warning, would] = said.as_slice() else { panic!("{said:?}") };
    assert!(warning["text"].as_str().unwrap().contains("SSHKEYS"), "{warning}");
    let fields = ["host", "mode", "mac", "offered", "boot_file"].map(|field| would[field].clone());
    assert_eq!(fields, ["pc3", "test", "02:00:00:00:00:03", "nobackup", "pxelinux.0"]);
    assert_eq!(would["changed"], false);
}

#[test]
fn a_name_that_nobody_has_is_an_error_everywhere() {
    let server = BootServer::with_hosts(1);
    for words in [
        &["status", "nosuch"][..],
        &["status", "--last", "nosuch"],
        &["images", "list", "nosuch"],
        &["images", "prune", "nosuch"],
    ] {
        let output = server.run(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", said(&output));
        assert!(said(&output).contains("no host is called nosuch"), "{words:?}: {}", said(&output));
    }
    for words in [&["status", "pc2"][..], &["status", "--last", "pc2"], &["images", "list", "pc2"]] {
        assert_eq!(server.run(words).status.code(), Some(0), "{words:?}");
    }
}

#[test]
fn the_newest_generation_can_be_called_latest() {
    let server = BootServer::with_hosts(1);
    let client = Client::off(&server, 2, Behaviour::Succeeds);
    assert_eq!(server.run(&["backup", "pc2"]).status.code(), Some(0));
    drop(client);
    let newest = said(&server.run(&["images", "show", "pc2"]));
    assert!(newest.contains("made from 02:00:00:00:00:02"), "{newest}");
    assert_eq!(said(&server.run(&["images", "show", "pc2", "latest"])), newest);
    let verified = server.run(&["images", "verify", "pc2", "latest"]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    let would = server.run(&["restore", "--dry-run", "--generation", "latest", "pc2"]);
    assert_eq!(would.status.code(), Some(0), "{}", said(&would));
    let removed = server.run(&["images", "rm", "--yes", "pc2", "latest"]);
    assert_eq!(removed.status.code(), Some(2), "what is removed is named in full: {}", said(&removed));
}

#[test]
fn after_a_swap_by_hand_a_job_says_how_to_end_it() {
    let server = BootServer::with_hosts(1);
    assert_eq!(server.run(&["dhcp", "swap", "pc2"]).status.code(), Some(0));
    for words in [&["test", "pc2"][..], &["test", "--dry-run", "pc2"], &["dhcp", "swap", "pc2"]] {
        let output = server.run(words);
        assert_eq!(output.status.code(), Some(78), "{words:?}: {}", said(&output));
        let way_out = "'ghostctl dhcp revert pc2' puts its entry back";
        assert!(said(&output).contains(way_out), "{words:?}: {}", said(&output));
    }
    assert_eq!(server.run(&["dhcp", "revert", "pc2"]).status.code(), Some(0));
    assert_eq!(server.run(&["test", "--dry-run", "pc2"]).status.code(), Some(0));
}
