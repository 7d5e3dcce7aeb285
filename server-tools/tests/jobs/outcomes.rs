//! Given how the client and the DHCP server behave, how does the job end, and what is left of it?

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate};

fn is_untouched(server: &BootServer, before: &[u8]) {
    assert_eq!(server.configured(), before, "dhcpd.conf is byte-identical");
    assert_eq!(server.journal(), Vec::<std::path::PathBuf>::new(), "the journal is empty");
    assert_eq!(server.nonces(), Vec::<std::path::PathBuf>::new(), "no nonce is left");
    assert!(!server.path("base/192.168.7.2etc/ghost/order.json").exists(), "the order is withdrawn");
}

#[test]
fn a_test_that_succeeds() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let _client = Client::off(&server, 2, Behaviour::Succeeds);
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    is_untouched(&server, &before);
    assert_eq!(server.restarts(), 2);
}

#[test]
fn limits_beyond_all_time_are_as_good_as_none() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    for key in ["UP_DEADLINE", "JOB_DEADLINE", "OFF_DEADLINE", "REVERT_DEADLINE"] {
        server.set(key, &u64::MAX.to_string());
    }
    let _client = Client::off(&server, 2, Behaviour::Succeeds);
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    is_untouched(&server, &before);
}

#[test]
fn a_client_that_never_comes_up() {
    let server = BootServer::with_hosts(2);
    server.set("UP_DEADLINE", "3");
    let before = server.configured();
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    assert!(said(&output).contains("nothing was seen of it on the network"), "{}", said(&output));
    is_untouched(&server, &before);
}

#[test]
fn a_stop_before_the_client_is_up() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    let pid = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("cancelled by SIGTERM"), "{}", said(&output));
    is_untouched(&server, &before);
}

#[test]
fn a_host_that_always_boots_from_the_network_is_not_ours() {
    let server = BootServer::with_hosts(1);
    let before = server.configured();
    let output = server.run(&["test", "fakebox"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    is_untouched(&server, &before);
    assert_eq!(server.restarts(), 0);
}

#[test]
fn a_dhcp_server_that_does_not_come_back() {
    let server = BootServer::with_hosts(1);
    // The job need not try again: nothing mends the server meanwhile.
    server.set("REVERT_DEADLINE", "0");
    let before = server.configured();
    std::fs::write(server.path("broken"), "").unwrap();
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("saying: no such luck"), "{}", said(&output));
    assert_eq!(server.configured(), before, "the bytes are back all the same");
    std::fs::remove_file(server.path("broken")).unwrap();
    let output = server.run(&["recover"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(server.restarts(), 1, "the server has now taken up what is written");
    is_untouched(&server, &before);
}

#[test]
fn the_same_host_twice_is_told_who_has_it() {
    let server = BootServer::with_hosts(1);
    let before = server.configured();
    let told = Gate::default();
    let _client = Client::waiting(&server, 2, Behaviour::Succeeds, Box::new(told.is_open()));
    let first = server.start(&["test", "pc2"]);
    wait_until("the first has claimed the host", || !server.journal().is_empty());
    let second = server.run(&["test", "pc2"]);
    assert_eq!(second.status.code(), Some(75), "{}", said(&second));
    assert!(said(&second).contains(&format!("(pid {})", first.id())), "{}", said(&second));
    told.open();
    assert_eq!(first.wait_with_output().unwrap().status.code(), Some(0));
    is_untouched(&server, &before);
}

#[test]
fn an_entry_that_somebody_else_changes_meanwhile_is_left_alone_and_the_job_ends() {
    let server = BootServer::with_hosts(2);
    // It is long enough for the change, and the job's end waits for it.
    server.set("UP_DEADLINE", "10");
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    let swapped = String::from_utf8(server.configured()).unwrap();
    let theirs = swapped.replace("\"pxelinux.0\"; # pc2", "\"theirs\"; # pc2");
    assert_ne!(theirs, swapped);
    std::fs::write(server.configuration(), &theirs).unwrap();
    let output = running.wait_with_output().unwrap();
    assert!(said(&output).contains("so it was left alone"), "{}", said(&output));
    is_untouched(&server, theirs.as_bytes());
}

#[test]
fn a_client_behind_a_gateway_that_is_on_already_is_left_alone() {
    let server = BootServer::with_hosts(1);
    let configuration = String::from_utf8(server.configured()).unwrap().replace("7.2;\n", "9.2;\n");
    std::fs::write(server.configuration(), &configuration).unwrap();
    let _client = server.network().with_a_client_behind_a_gateway();
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    assert!(said(&output).contains("the client is already on"), "{}", said(&output));
    is_untouched(&server, configuration.as_bytes());
    assert_eq!(server.restarts(), 0);
}

#[test]
fn a_client_behind_a_gateway_that_is_off_is_woken() {
    let server = BootServer::with_hosts(1);
    let configuration = String::from_utf8(server.configured()).unwrap().replace("7.2;\n", "9.3;\n");
    std::fs::write(server.configuration(), &configuration).unwrap();
    let _other_client = server.network().with_a_client_behind_a_gateway();
    server.set("UP_DEADLINE", "3");
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    assert!(said(&output).contains("nothing was seen of it on the network"), "{}", said(&output));
    assert_eq!(server.restarts(), 2);
}
