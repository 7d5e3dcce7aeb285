//! Without root's rights nothing is begun, and the exit status says that it is for want of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use ghost_contract::sample::effects::copy_program;

use super::boot_server::{BootServer, said};

/// Runs it as the user nobody.
fn as_nobody(server: &BootServer, words: &[&str]) -> Output {
    let program = server.path("ghostctl");
    if !program.exists() {
        copy_program(Path::new(env!("CARGO_BIN_EXE_ghostctl")), &program);
        fs::set_permissions(server.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = server.network().command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command.arg("--config").arg(server.path("ghostrc")).args(words).output().unwrap()
}

/// Every verb that needs more than to read what all may read.
const VERBS: [&[&str]; 16] = [
    &["test", "pc2"],
    &["backup", "pc2"],
    &["verify", "pc2"],
    &["restore", "--yes", "pc2"],
    &["ghost", "pc2"],
    &["test", "--dry-run", "pc2"],
    &["wake", "pc2"],
    &["cancel", "pc2"],
    &["dhcp", "swap", "pc2"],
    &["dhcp", "revert", "pc2"],
    &["recover"],
    &["root", "build"],
    &["root", "status"],
    &["recover", "--dry-run"],
    &["doctor"],
    &["doctor", "pc2"],
];

fn all_are_refused(server: &BootServer, when: &str) {
    for words in VERBS {
        let output = as_nobody(server, words);
        assert_eq!(output.status.code(), Some(77), "{words:?} {when}: {}", said(&output));
        assert!(said(&output).contains("root"), "{words:?} {when}: {}", said(&output));
    }
}

#[test]
fn who_is_not_root_is_told_so_with_and_without_a_journal() {
    let server = BootServer::with_hosts(1);
    let before = server.configured();
    all_are_refused(&server, "without a journal");
    assert_eq!(as_nobody(&server, &["hosts"]).status.code(), Some(0), "all may read what it shows");

    // Long enough for all that is tried meanwhile.
    server.set("UP_DEADLINE", "600");
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    all_are_refused(&server, "while a job runs");
    let status = as_nobody(&server, &["status"]);
    assert_eq!(status.status.code(), Some(77), "{}", said(&status));
    rustix::process::kill_process(rustix::process::Pid::from_child(&running), rustix::process::Signal::KILL)
        .unwrap();
    running.wait_with_output().unwrap();
    all_are_refused(&server, "after a crash");
    assert_eq!(server.run(&["recover"]).status.code(), Some(0));
    assert_eq!(server.configured(), before);
}
