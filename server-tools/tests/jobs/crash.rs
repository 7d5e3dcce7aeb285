//! The program is killed at every place where it changes something, and the next start must clean up after it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;

use ghostctl::job::Step;

use super::boot_server::{BootServer, said};
use super::client::{Behaviour, Client};

/// How many runs at once; they mostly wait.
const AT_ONCE: usize = 12;

/// The places that a whole job passes, each with its count.
fn places(words: &[&str], behaviour: Behaviour) -> Vec<String> {
    let server = BootServer::with_hosts(2);
    let _client = Client::off(&server, 2, behaviour);
    let log = server.path("places");
    let output = server.command(words).env("GHOSTCTL_CRASH_LOG", &log).output().unwrap();
    assert!(output.status.code().is_some(), "{}", said(&output));
    let mut counts = BTreeMap::new();
    let passed = fs::read_to_string(log).unwrap();
    let counted = passed.lines().map(|name| {
        let count = counts.entry(name.to_owned()).and_modify(|count| *count += 1).or_insert(1);
        format!("{name}:{count}")
    });
    counted.collect()
}

/// Kills a job there and looks at what `recover` makes of it; the message says what is wrong.
fn killed_at(place: &str, words: &[&str], behaviour: Behaviour) -> Result<(), String> {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let client = Client::off(&server, 2, behaviour);
    let output = server.command(words).env("GHOSTCTL_CRASH_AT", place).output().unwrap();
    drop(client);
    if output.status.code().is_some() {
        return Err(format!("{place}: was not killed: {}", said(&output)));
    }
    let recovered = server.run(&["recover"]);
    let mut wrong = Vec::new();
    if recovered.status.code() != Some(0) {
        wrong.push(format!("recover failed: {}", said(&recovered)));
    }
    if server.configured() != before {
        wrong.push("dhcpd.conf is not what it was".to_owned());
    }
    if !server.journal().is_empty() {
        wrong.push("the journal is not empty".to_owned());
    }
    if !server.nonces().is_empty() {
        wrong.push("a nonce is left".to_owned());
    }
    if server.path("base/192.168.7.2etc/ghost/order.json").exists() {
        wrong.push("an order is left".to_owned());
    }
    if fs::read_dir(server.path("store/pc2")).is_ok_and(|mut listed| {
        listed.any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with(".incoming"))
    }) {
        wrong.push("a staging folder is left".to_owned());
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{place}: {}", wrong.join("; "))) }
}

fn killed_everywhere(words: &[&str], behaviour: Behaviour) -> Vec<String> {
    let places = places(words, behaviour);
    let left = Mutex::new(places.clone());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(place) = { left.lock().unwrap().pop() } {
                    if let Err(message) = killed_at(&place, words, behaviour) {
                        wrong.lock().unwrap().push(message);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} places:\n{}", wrong.len(), places.len(), wrong.join("\n"));
    places
}

#[test]
fn whatever_step_it_is_killed_at_nothing_is_left() {
    let mut passed = killed_everywhere(&["backup", "pc2"], Behaviour::Succeeds);
    passed.extend(killed_everywhere(&["backup", "pc2"], Behaviour::Fails));
    let missed: Vec<Step> = Step::ALL
        .into_iter()
        .filter(|step| !passed.contains(&format!("before-{step:?}:1")))
        // Only a stop by hand asks the client; it changes nothing that a crash could leave behind.
        .filter(|step| *step != Step::AskToStop)
        .collect();
    assert_eq!(missed, Vec::<Step>::new(), "no run has passed these steps");
}

#[test]
fn a_recovery_that_is_killed_too_is_finished_by_the_next() {
    let places =
        ["before-Revert:1", "effect-Rename:1", "before-OfferOwn:1", "before-Withdraw:1", "before-Close:1"];
    for place in places {
        let server = BootServer::with_hosts(2);
        let before = server.configured();
        let first =
            server.command(["test", "pc2"]).env("GHOSTCTL_CRASH_AT", "after-OfferBoot").output().unwrap();
        assert_eq!(first.status.code(), None, "{}", said(&first));
        let second = server.command(["recover"]).env("GHOSTCTL_CRASH_AT", place).output().unwrap();
        assert_eq!(second.status.code(), None, "{place}: {}", said(&second));
        let third = server.run(&["recover"]);
        assert_eq!(third.status.code(), Some(0), "{place}: {}", said(&third));
        assert_eq!(server.configured(), before, "{place}");
        assert!(server.journal().is_empty() && server.nonces().is_empty(), "{place}");
    }
}
