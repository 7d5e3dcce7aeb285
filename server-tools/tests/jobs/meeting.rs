//! Many `ghostctl` at once.

use std::process::Child;

use super::boot_server::{BootServer, said};
use super::client::{Behaviour, Client};

#[test]
fn ten_hosts_started_together_cause_few_restarts() {
    let server = BootServer::with_hosts(10);
    let before = server.configured();
    let _clients: Vec<Client> =
        (2..12).map(|number| Client::off(&server, number, Behaviour::Succeeds)).collect();
    let running: Vec<Child> = (2..12).map(|number| server.start(&["test", &format!("pc{number}")])).collect();
    for one in running {
        let output = one.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
    assert_eq!(server.configured(), before);
    assert!(server.restarts() <= 3, "{}", std::fs::read_to_string(server.path("restarts")).unwrap());
}

#[test]
fn ten_hosts_in_one_program_cause_two_restarts() {
    let server = BootServer::with_hosts(10);
    let before = server.configured();
    let _clients: Vec<Client> =
        (2..12).map(|number| Client::off(&server, number, Behaviour::Succeeds)).collect();
    let hosts: Vec<String> = (2..12).map(|number| format!("pc{number}")).collect();
    let words: Vec<&str> = std::iter::once("test").chain(hosts.iter().map(String::as_str)).collect();
    let output = server.run(&words);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(server.configured(), before);
    assert!(server.restarts() <= 3, "{}", std::fs::read_to_string(server.path("restarts")).unwrap());
}
