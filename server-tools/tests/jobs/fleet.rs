//! Many hosts by one word: a group, a pattern, all.

use super::boot_server::{BootServer, said};
use super::client::{Behaviour, Client};

#[test]
fn a_host_of_a_group_that_cannot_have_a_job_fails_alone_and_the_others_have_theirs() {
    let server = BootServer::with_hosts(3);
    server.set("GROUP_room", "'pc[23] gone fakebox'");
    let before = server.configured();
    let _clients = [2, 3].map(|number| Client::off(&server, number, Behaviour::Succeeds));
    let output = server.run(&["test", "--group", "room"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "not all had a job: {said}");
    for host in ["pc2", "pc3"] {
        assert!(said.contains(&format!("{host}: succeeded")), "{host}: {said}");
    }
    for host in ["gone", "fakebox"] {
        assert!(said.contains(&format!("{host}: error: its job is not begun: ")), "{host}: {said}");
    }
    assert!(!said.contains("pc4"), "{said}");
    assert_eq!(server.configured(), before);
}

#[test]
fn nothing_begins_if_a_host_that_is_named_cannot_have_a_job() {
    let server = BootServer::with_hosts(3);
    let before = server.configured();
    let output = server.run(&["test", "pc*", "gone"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert_eq!((server.configured(), server.restarts()), (before, 0));
    for words in [&["test", "--group", "room"][..], &["test", "x*"], &["test"], &["test", "--all", "pc2"]] {
        let output = server.run(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", said(&output));
    }
}

/// Its key file is missing, which is found out only where all of the boot server is looked at.
#[test]
fn a_host_with_settings_that_do_not_work_fails_alone_as_well() {
    let server = BootServer::with_hosts(3);
    server.set("SSHKEYS_pc3", "/nowhere/keys");
    let output = server.run(&["test", "--dry-run", "--all"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("pc3: error: its job is not begun: ") && said.contains("/nowhere/keys"), "{said}");
    for host in ["pc2", "pc4"] {
        assert!(said.contains(&format!("{host}: would offer")), "{said}");
    }
}
