//! Two boot servers with one image store: they never work on the same host, and what one leaves behind when it dies is free for
//! the other in time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate};
use super::network::run_in;

/// A second boot server, whose store is the first one's. Its clients are others' machines with the same names.
fn beside(first: &BootServer) -> BootServer {
    let second = BootServer::with_hosts(3);
    let store = first.path("store");
    second.set("GHSTBASE", store.to_str().unwrap());
    let exported = fs::read_to_string(second.path("exports")).unwrap();
    fs::write(second.path("exports"), format!("{exported}\n{}", store.display())).unwrap();
    second.set("GHSTNFS", &format!("192.168.7.1:{}", store.display()));
    second
}

fn leases(server: &BootServer) -> Vec<PathBuf> {
    let hosts = fs::read_dir(server.path("store/.leases")).into_iter().flatten();
    hosts
        .flat_map(|host| fs::read_dir(host.unwrap().path()).unwrap())
        .map(|lease| lease.unwrap().path())
        .collect()
}

/// A job of pc2 that goes on until the gate is open.
fn at_work(server: &BootServer, until: &Gate) -> (Client, Child) {
    let client = Client::working_until(server, 2, || true, until.is_open());
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    wait_until("it has its lease", || leases(server).len() == 1);
    (client, running)
}

#[test]
fn a_host_on_which_another_boot_server_works_is_refused_with_its_name_and_job() {
    let first = BootServer::with_hosts(3);
    let second = beside(&first);
    let before = second.configured();
    let done = Gate::default();
    let (_client, running) = at_work(&first, &done);
    assert_eq!(leases(&first).len(), 1);
    let refused = second.run(&["test", "pc2"]);
    assert_eq!(refused.status.code(), Some(75), "{}", said(&refused));
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let words = said(&refused);
    assert!(
        words.contains("pc2 has the job ") && words.contains(&format!(" of the boot server {name} since ")),
        "{words}"
    );
    assert_eq!(second.configured(), before);
    assert!(second.restarts() == 0 && second.journal().is_empty(), "nothing was touched");
    // Another host is free.
    let client = Client::off(&second, 3, Behaviour::Succeeds);
    let other = second.run(&["test", "pc3"]);
    assert_eq!(other.status.code(), Some(0), "{}", said(&other));
    client.wait_done();
    done.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(leases(&first), Vec::<PathBuf>::new(), "a job that is over gives its host free");
}

#[test]
fn a_host_whose_server_was_killed_is_free_when_that_recovers_or_when_the_lease_expires() {
    let first = BootServer::with_hosts(3);
    let second = beside(&first);
    for recovers in [true, false] {
        let (_client, mut running) = at_work(&first, &Gate::default());
        // The program itself, and not what has started it.
        let program = leases(&first).pop().unwrap();
        kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
        running.wait().unwrap();
        drop(_client);
        let refused = second.run(&["test", "pc2"]);
        assert_eq!(refused.status.code(), Some(75), "{}", said(&refused));
        if recovers {
            let recovered = first.run(&["recover"]);
            assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
            assert!(!program.exists(), "{}", said(&recovered));
        } else {
            expire(&program);
        }
        let client = Client::off(&second, 2, Behaviour::Succeeds);
        let taken = second.run(&["test", "pc2"]);
        assert_eq!(taken.status.code(), Some(0), "recovers: {recovers}: {}", said(&taken));
        client.wait_done();
    }
}

/// As time goes by in the store.
fn expire(lease: &Path) {
    let file = fs::File::options().write(true).open(lease).unwrap();
    let long_ago = file.metadata().unwrap().modified().unwrap() - Duration::from_secs(301);
    file.set_modified(long_ago).unwrap();
}

#[test]
fn a_boot_server_that_comes_back_leaves_the_host_to_the_one_that_has_taken_it_over() {
    let first = BootServer::with_hosts(3);
    let second = beside(&first);
    let before = first.configured();
    let (client, mut running) = at_work(&first, &Gate::default());
    kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
    running.wait().unwrap();
    drop(client);
    expire(&leases(&first)[0]);
    let done = Gate::default();
    let _client = Client::working_until(&second, 2, || true, done.is_open());
    let taken_over = second.start(&["test", "pc2"]);
    second.wait_until_swapped();
    let theirs = leases(&first);
    assert!(theirs.len() == 1 && theirs[0].ends_with("pc2/2"), "{theirs:?}");

    let recovered = first.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert_eq!((first.configured(), leases(&first)), (before, theirs), "{}", said(&recovered));
    let refused = first.run(&["test", "pc2"]);
    assert_eq!(refused.status.code(), Some(75), "{}", said(&refused));
    assert!(said(&refused).contains("pc2 has the job "), "{}", said(&refused));

    done.open();
    let output = taken_over.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "it was not disturbed: {}", said(&output));
    assert_eq!(leases(&first), Vec::<PathBuf>::new());
}

#[test]
fn a_host_whose_client_works_on_without_its_boot_server_is_nobody_elses_after_a_recovery() {
    let first = BootServer::with_hosts(3);
    let second = beside(&first);
    let (client, mut running) = at_work(&first, &Gate::default());
    let report = first.path("base/192.168.7.2var/ghost/report.jsonl");
    wait_until("it is at work", || {
        fs::read_to_string(&report).is_ok_and(|report| report.contains("order_claimed"))
    });
    kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
    running.wait().unwrap();
    let machine = first.network().with_the_client_on(2);
    let recovered = first.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(1), "{}", said(&recovered));
    assert!(said(&recovered).contains("the client is still at work"), "{}", said(&recovered));

    // Long after a lease that nobody renews would have expired.
    expire(&leases(&first)[0]);
    let refused = second.run(&["test", "--already-on", "pc2"]);
    assert_eq!(refused.status.code(), Some(75), "{}", said(&refused));
    assert!(said(&refused).contains("whose ghostctl is gone while pc2 may be at work"), "{}", said(&refused));

    drop(client);
    run_in(&machine, "ip link set switch down");
    let recovered = first.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert_eq!(leases(&first), Vec::<PathBuf>::new(), "{}", said(&recovered));
}

#[test]
fn a_job_whose_lease_another_server_has_taken_stops_and_reverts() {
    let first = BootServer::with_hosts(3);
    first.set("LEASE", "10");
    let before = first.configured();
    let (_client, running) = at_work(&first, &Gate::default());
    let lease = leases(&first).pop().unwrap();
    // Another server has found it expired.
    let theirs = fs::read_to_string(&lease).unwrap().replace("\"job\":\"", "\"job\":\"x");
    fs::write(lease.with_file_name("2"), theirs).unwrap();
    fs::remove_file(&lease).unwrap();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("cancelled by the loss of its lease in the image store"),
        "{}",
        said(&output)
    );
    assert_eq!(first.configured(), before);
    wait_until("it is served", || first.serves(&before));
    assert_eq!(leases(&first).len(), 1, "the other's stays");
}

#[test]
fn a_client_that_is_kept_apart_can_mount_no_lease() {
    for exports in ["own", "job"] {
        let server = BootServer::with_hosts(3);
        server.set("EXPORTS", exports);
        // A store on another machine, whose exports are the administrator's.
        server.set("GHSTNFS", "192.168.9.1:/store");
        let output = server.run(&["exports", "--for", "nfsd"]);
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let paths: Vec<&str> = lines.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(paths.iter().any(|path| path.starts_with("/store/")), "{lines}");
        let reaches = |path: &&str| {
            "/store/.leases".starts_with(path.trim_end_matches('/')) || path.starts_with("/store/.leases")
        };
        assert!(!paths.iter().any(reaches), "{exports}: {lines}");
    }
}
