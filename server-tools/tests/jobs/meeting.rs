//! Many `ghostctl` at once.

use std::process::Child;

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate};

/// All of them are due together.
const TEN: [&str; 3] = ["test", "--parallel", "10"];

/// Starts jobs of ten hosts that meet, however fast or slow the machine is: all have swapped before the first restart begins,
/// and all are reverted before the next one does. Their clients are done when this returns.
fn meet(server: &BootServer, start: impl FnOnce(&[String]) -> Vec<Child>) -> Vec<Child> {
    let before = server.configured();
    let up = Gate::default();
    let clients: Vec<Client> = (2..12)
        .map(|number| Client::waiting(server, number, Behaviour::Succeeds, Box::new(up.is_open())))
        .collect();
    let another = server.at_a_restart();
    let running = start(&(2..12).map(|number| format!("pc{number}")).collect::<Vec<_>>());
    let swapped = || String::from_utf8(server.configured()).unwrap().matches("\"pxelinux.0\"; # pc").count();
    wait_until("all are swapped", || swapped() == 10);
    drop(another);
    server.wait_until_swapped();
    let another = server.at_a_restart();
    up.open();
    wait_until("all are reverted", || server.configured() == before);
    drop(another);
    for client in clients {
        client.wait_done();
    }
    running
}

#[test]
fn ten_hosts_started_together_cause_few_restarts() {
    let server = BootServer::with_dhcpd(10);
    let before = server.configured();
    let running = meet(&server, |hosts| hosts.iter().map(|host| server.start(&["test", host])).collect());
    for one in running {
        let output = one.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
    assert_eq!(server.configured(), before);
    assert!(server.serves(&before));
    assert!(server.restarts() <= 3, "{}", std::fs::read_to_string(server.path("restarts")).unwrap());
}

#[test]
fn ten_hosts_in_one_program_cause_two_restarts() {
    let server = BootServer::with_dhcpd(10);
    let before = server.configured();
    let running = meet(&server, |hosts| {
        let words: Vec<&str> = TEN.into_iter().chain(hosts.iter().map(String::as_str)).collect();
        vec![server.start(&words)]
    });
    let [running] = <[Child; 1]>::try_from(running).unwrap();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(server.configured(), before);
    assert!(server.serves(&before));
    assert!(server.restarts() <= 3, "{}", std::fs::read_to_string(server.path("restarts")).unwrap());
}

#[test]
#[cfg(feature = "crash-points")]
fn hosts_that_are_due_together_share_one_edit_and_one_restart_and_so_do_their_reverts() {
    let server = BootServer::with_dhcpd(10);
    let before = server.configured();
    let log = server.path("places");
    let _clients: Vec<Client> =
        (2..12).map(|number| Client::off(&server, number, Behaviour::Succeeds)).collect();
    let hosts = (2..12).map(|number| format!("pc{number}"));
    let words = TEN.map(str::to_owned).into_iter().chain(hosts);
    // ghostctl knows that all clients are up before it hears that the restart is over, so that all reverts are due at the same time.
    std::fs::write(server.path("hold"), "").unwrap();
    let told = server.path("told");
    let output = std::fs::File::create(&told).unwrap();
    let running = server.command(words).env("GHOSTCTL_CRASH_LOG", &log).stdout(output).spawn().unwrap();
    let swapped = || String::from_utf8(server.configured()).unwrap().matches("\"pxelinux.0\"; # pc").count();
    wait_until("all are swapped", || swapped() == 10);
    std::fs::write(server.path("restarts"), "the clients boot\n").unwrap();
    wait_until("all are up", || std::fs::read_to_string(&told).unwrap().matches(" is up on ").count() == 10);
    std::fs::remove_file(server.path("hold")).unwrap();
    let output = running.wait_with_output().unwrap();
    let told = std::fs::read_to_string(told).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}{}", said(&output));
    assert_eq!(server.configured(), before);
    assert!(server.serves(&before));
    let places = std::fs::read_to_string(log).unwrap();
    let count = |place: &str| places.lines().filter(|line| *line == place).count();
    for step in ["Swap", "OfferBoot", "Revert", "OfferOwn"] {
        assert_eq!(count(&format!("before-{step}")), 1, "{step}");
    }
}

#[test]
fn nobody_waits_for_a_restart_that_is_anothers() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let _first = Client::off(&server, 2, Behaviour::Succeeds);
    let configuration = server.configuration();
    let first_is_reverted = move || {
        let configured = std::fs::read_to_string(&configuration).unwrap_or_default();
        !configured.contains("\"pxelinux.0\"; # pc2")
    };
    let _second = Client::waiting(&server, 3, Behaviour::Succeeds, Box::new(first_is_reverted));
    let running = server.start(&["test", "pc2", "pc3"]);
    wait_until("both are swapped", || server.restarts() > 0);
    std::fs::write(server.path("hold"), "").unwrap();
    let journal = server.path("state/journal/192.168.7.3.jsonl");
    let is_up = || std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"phase\":\"up\""));
    wait_until("the second is heard while the first one's restart is held up", is_up);
    std::fs::remove_file(server.path("hold")).unwrap();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(server.configured(), before);
}

#[test]
fn too_few_files_that_may_be_open_are_refused_before_anything_is_touched() {
    let server = BootServer::with_hosts(1);
    let before = server.configured();
    let asked = server.command(["test", "pc2"]);
    let mut limited = std::process::Command::new("prlimit");
    let output = limited.arg("--nofile=60").arg(asked.get_program()).args(asked.get_args()).output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("only 60 are allowed"), "{}", said(&output));
    assert_eq!((server.configured(), server.restarts()), (before, 0));
    assert!(server.journal().is_empty());
}

#[test]
fn what_many_jobs_of_a_killed_program_have_left_is_put_back_by_one_edit_and_one_restart() {
    let server = BootServer::with_dhcpd(6);
    let before = server.configured();
    let mut running = server.start(&["test", "pc2", "pc3", "pc4", "pc5", "pc6", "pc7"]);
    let is_swapped = || String::from_utf8_lossy(&server.configured()).matches("pxelinux.0").count() == 7;
    wait_until("all are swapped", || is_swapped() && server.restarts() > 0);
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(server.journal().len(), 6);
    let restarts = server.restarts();
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    // One that had begun before the kill may have ended after it.
    assert!(server.restarts() <= restarts + 2, "{}", said(&recovered));
    assert!(server.configured() == before && server.serves(&before) && server.journal().is_empty());
}
