//! What the other verbs show and change.

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client};

#[test]
fn a_job_is_seen_in_the_status_cancelled_and_remembered() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let running = server.start(&["test", "pc2"]);
    wait_until("it is swapped", || server.restarts() > 0);
    let status = server.run(&["status"]);
    assert!(said(&status).contains(&format!("(pid {})", running.id())), "{}", said(&status));
    let cancelled = server.run(&["cancel", "pc2"]);
    assert_eq!(cancelled.status.code(), Some(0), "{}", said(&cancelled));
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(server.configured(), before);
    let last = server.run(&["status", "--last", "pc2"]);
    assert!(said(&last).contains("cancelled by ghostctl cancel"), "{}", said(&last));
    let status = server.run(&["status"]);
    assert_eq!(said(&status), "no job is running\n");
}

#[test]
fn a_cancel_without_a_job_says_so() {
    let server = BootServer::with_hosts(1);
    let output = server.run(&["cancel", "pc2"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said(&output), "ghostctl: pc2 has no job\n");
}

#[test]
fn an_entry_swapped_by_hand_stays_so_until_it_is_reverted_by_hand() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let swapped = server.run(&["dhcp", "swap", "pc3"]);
    assert_eq!(swapped.status.code(), Some(0), "{}", said(&swapped));
    let changed = server.configured();
    assert_ne!(changed, before);
    assert_eq!(server.run(&["recover"]).status.code(), Some(0));
    assert_eq!(server.configured(), changed, "recovery leaves it alone");
    assert_eq!(server.run(&["test", "pc3"]).status.code(), Some(78), "a job does not touch it");
    let reverted = server.run(&["dhcp", "revert", "pc3"]);
    assert_eq!(reverted.status.code(), Some(0), "{}", said(&reverted));
    assert_eq!(server.configured(), before);
    assert_eq!(server.run(&["dhcp", "revert", "pc3"]).status.code(), Some(1));
}

#[test]
fn a_backup_is_listed_shown_and_can_be_restored_only_when_asked_for() {
    let server = BootServer::with_hosts(1);
    let client = Client::off(&server, 2, Behaviour::Succeeds);
    let output = server.run(&["backup", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    drop(client);
    let hosts = server.run(&["hosts", "--json"]);
    assert!(!said(&hosts).contains("\"host\":\"pc2\",\"mac\":\"02:00:00:00:00:02\",\"ip\":\"192.168.7.2\",\"offered\":\"nobackup\",\"last_good_backup\":null"), "{}", said(&hosts));
    let listed = server.run(&["images", "list"]);
    assert!(said(&listed).contains("good"), "{}", said(&listed));
    let before = server.configured();
    let restarts = server.restarts();
    let unasked = server.command(["restore", "pc2"]).stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(unasked.status.code(), Some(2), "{}", said(&unasked));
    assert_eq!((server.configured(), server.restarts()), (before, restarts));
    let would = server.run(&["restore", "--yes", "--dry-run", "pc2"]);
    assert!(said(&would).contains("have it do a restore of 2"), "{}", said(&would));
}

#[test]
fn packets_go_to_hosts_and_to_any_address() {
    let server = BootServer::with_hosts(1);
    let output = server.run(&["wake", "pc2", "00:0a:eb:12:34:5f"]);
    assert_eq!(
        said(&output),
        "pc2: magic packets for 02:00:00:00:00:02 sent out of br0\n\
         00:0a:eb:12:34:5f: magic packets for 00:0a:eb:12:34:5f sent out of br0\n"
    );
}
