//! The mail after a run: that it is sent, what it says, and what a mail that cannot be sent means.

use std::fs;

use ghost_contract::sample::effects::write_program;

use super::boot_server::{BootServer, said};
use super::client::{Behaviour, Client};

/// A sendmail that keeps what it gets, and otherwise does what these lines of a shell say.
pub(crate) fn with_sendmail(server: &BootServer, lines: &str) {
    let sendmail = server.path("sendmail");
    write_program(&sendmail, &format!("#!/bin/sh\ncat > {}\n{lines}\n", server.path("mail").display()));
    server.set("SENDMAIL", sendmail.to_str().unwrap());
    server.set("MAILTO", "'root night@example.org'");
}

#[test]
fn a_run_of_which_something_failed_is_told_by_mail() {
    let server = BootServer::with_hosts(2);
    with_sendmail(&server, "exit 0");
    let _clients =
        [Client::off(&server, 2, Behaviour::Succeeds), Client::off(&server, 3, Behaviour::SucceedsWith(0))];
    let output = server.run(&["backup", "pc2", "pc3"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let mail = fs::read_to_string(server.path("mail")).unwrap();
    assert!(mail.contains("Subject: backup of 2 hosts: 1 NOT done, 1 done\n"), "{mail}");
    assert!(mail.contains("pc3: failed: ") && mail.contains("pc2: succeeded"), "{mail}");
}

#[test]
fn a_mail_that_is_refused_is_told_and_makes_the_exit_status_1() {
    let server = BootServer::with_hosts(2);
    with_sendmail(&server, "echo 'account default not found' >&2; exit 78");
    let _client = Client::off(&server, 2, Behaviour::Succeeds);
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let words = said(&output);
    assert!(words.contains("pc2: succeeded"), "{words}");
    assert!(
        words.contains("warning: no mail was sent to root, night@example.org (MAILTO)")
            && words.contains("not found"),
        "{words}"
    );
}

#[test]
fn a_run_that_cannot_begin_is_told_by_mail_and_a_mistyped_name_is_not() {
    let server = BootServer::with_hosts(2);
    with_sendmail(&server, "exit 0");
    let mistyped = server.run(&["backup", "pc99*"]);
    assert_eq!(mistyped.status.code(), Some(2), "{}", said(&mistyped));
    assert!(!server.path("mail").exists());
    fs::write(server.configuration(), "host {").unwrap();
    let output = server.run(&["backup", "--all"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    let mail = fs::read_to_string(server.path("mail")).unwrap();
    assert!(mail.contains("Subject: backup: NOT begun\n"), "{mail}");
    assert!(mail.contains("the DHCP configuration is not usable"), "{mail}");
}
