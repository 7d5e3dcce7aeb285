//! What `doctor` looks at is looked at before every job: a job that would fail does not begin.

use std::fs;
use std::time::{Duration, Instant};

use super::boot_server::{BootServer, said};

/// A job is refused as a matter of configuration; nothing was touched, and these words are said.
fn refuses(server: &BootServer, words: &[&str]) {
    let before = server.configured();
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    for wanted in words {
        assert!(said(&output).contains(wanted), "{wanted}: {}", said(&output));
    }
    assert_eq!(server.configured(), before);
    assert_eq!(server.restarts(), 0);
    assert!(server.journal().is_empty() && server.nonces().is_empty());
}

#[test]
fn a_base_root_that_no_tree_can_be_made_from() {
    let server = BootServer::with_hosts(2);
    fs::remove_dir_all(server.path("base/var")).unwrap();
    refuses(&server, &["has no var", "mend: build the base root"]);
}

#[test]
fn a_boot_file_that_lies_there_and_does_not_come_over_tftp() {
    let server = BootServer::with_hosts(2);
    server.set("TFTPBASE", server.path("base").to_str().unwrap());
    fs::rename(server.path("tftp/pxelinux.0"), server.path("base/pxelinux.0")).unwrap();
    refuses(
        &server,
        &[
            "does not come over TFTP: the TFTP server at 192.168.7.1:69 refuses: File not found",
            "mend: start the TFTP server on the address of PXEADDR with the folder of TFTPBASE",
        ],
    );
}

#[test]
fn a_boot_file_of_the_hosts_own_is_the_one_that_is_asked_for() {
    let server = BootServer::with_hosts(2);
    server.set("BOOTFILE_pc2", "efi/ghost.efi");
    refuses(&server, &["efi/ghost.efi cannot be read"]);
    server.set("BOOTFILE_pc2", "pxelinux.0");
    server.set("BOOTFILE_pc3", "efi/ghost.efi");
    let output = server.run(&["test", "--dry-run", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "another host's is not: {}", said(&output));
}

#[test]
fn an_image_store_that_is_not_exported() {
    let server = BootServer::with_hosts(2);
    fs::write(server.path("exports"), server.path("base").to_str().unwrap()).unwrap();
    let text = format!("{} (GHSTNFS) is not exported", server.path("store").display());
    refuses(&server, &[&text, "to /etc/exports there"]);
}

#[test]
fn an_image_store_that_clients_see_elsewhere() {
    let server = BootServer::with_hosts(2);
    server.set("GHSTNFS", &format!("$PXEADDR:{}", server.path("base").display()));
    refuses(&server, &["GHSTNFS exports another folder of this machine", "to the same folder"]);
}

#[test]
fn servers_that_do_not_answer_are_waited_for_once_for_all_hosts() {
    let server = BootServer::with_hosts(40);
    // Nobody has the address, so that not even a refusal comes.
    server.set("GHSTNFS", &format!("192.168.7.99:{}", server.path("store").display()));
    let hosts: Vec<String> = (2..42).map(|number| format!("pc{number}")).collect();
    let words: Vec<&str> = std::iter::once("test").chain(hosts.iter().map(String::as_str)).collect();
    let started = Instant::now();
    let output = server.run(&words);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("the portmapper does not answer"), "{}", said(&output));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
