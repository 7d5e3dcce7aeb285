//! The program is killed at every place where it changes something, and the next start must clean up after it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Mutex;

use ghostctl::job::Step;

use super::boot_server::{BootServer, said};
use super::client::{Behaviour, Client};
use super::each_server::{EACH, at_once};
use super::exported;
use super::hostile::assert_plain;
use super::images::linux_generation;
use super::inside::damage::{sha256, vouch};
use super::saved_disk::SavedDisk;

/// How many runs at once; they mostly wait.
const AT_ONCE: usize = 32;
/// One campaign after the other: each ghostctl and each dnsmasq has an instance of inotify, of which root gets 128.
static TURN: Mutex<()> = Mutex::new(());

/// A generation of pc2 that is there before the job that is killed.
const OLD: &str = "20260123-142501-4f3a";
/// A restore that may shrink what it restores.
const RESTORE: [&str; 4] = ["restore", "--yes", "--shrink", "pc2"];

/// How often a job is begun whose check finds that the servers beside it do not answer in time: they are a busy test's own.
const MOST_BEGINNINGS: usize = 20;
/// What it says then.
const NOT_READY: &str = "the boot server is not ready, and nothing was touched";

/// What is asked for, of a client that behaves so, with these exports, at such a boot server.
#[derive(Debug, Clone, Copy)]
struct Case {
    start: fn(u8) -> BootServer,
    words: &'static [&'static str],
    behaviour: Behaviour,
    exports: &'static str,
}

/// A backup with exports that stay.
const fn backup(behaviour: Behaviour) -> Case {
    Case { start: BootServer::with_hosts, words: &["backup", "pc2"], behaviour, exports: "common" }
}

/// A boot server at which this can be asked for: for a restore there is a generation.
fn server_for(case: Case) -> BootServer {
    let server = (case.start)(2);
    if case.behaviour == Behaviour::SavesADisk {
        server.set("IMAGER", "linux");
        SavedDisk::get().put_generation(&server, OLD);
    }
    if case.words == RESTORE {
        linux_generation(&server);
    }
    if case.exports == "job" {
        exported::for_jobs(&server);
    }
    server
}

/// The places that a whole job passes, each with its count.
fn places(case: Case) -> Vec<String> {
    let server = server_for(case);
    let _client = Client::off(&server, 2, case.behaviour);
    let log = server.path("places");
    let output = server.command(case.words).env("GHOSTCTL_CRASH_LOG", &log).output().unwrap();
    assert!(output.status.code().is_some(), "{}", said(&output));
    let mut counts = BTreeMap::new();
    let passed = fs::read_to_string(log).unwrap();
    let counted = passed.lines().map(|name| {
        let count = counts.entry(name.to_owned()).and_modify(|count| *count += 1).or_insert(1);
        format!("{name}:{count}")
    });
    counted.collect()
}

/// Kills a job there; what is wrong if it was not killed.
fn kill_at(server: &BootServer, place: &str, case: Case) -> Result<(), String> {
    let client = Client::off(server, 2, case.behaviour);
    let begin = || server.command(case.words).env("GHOSTCTL_CRASH_AT", place).output().unwrap();
    let begun = |output: &Output| output.status.code().is_none() || !said(output).contains(NOT_READY);
    let output = (1..MOST_BEGINNINGS).map(|_| begin()).find(begun).unwrap_or_else(begin);
    drop(client);
    match output.status.code() {
        None => Ok(()),
        Some(_) => Err(format!("{place}: was not killed: {}", said(&output))),
    }
}

/// Kills a job there and looks at what `recover` makes of it; the message says what is wrong.
fn killed_at(place: &str, case: Case) -> Result<(), String> {
    let server = server_for(case);
    let before = server.configured();
    kill_at(&server, place, case)?;
    let recovered = server.run(&["recover"]);
    let mut wrong = Vec::new();
    // A backup of which nothing is there cannot be finished, and that is told.
    let is_failed = said(&recovered).contains("error: could not finish the generation");
    if recovered.status.code() != Some(i32::from(is_failed)) {
        wrong.push(format!("recover failed: {}", said(&recovered)));
    }
    if server.configured() != before {
        wrong.push("the DHCP configuration is not what it was".to_owned());
    } else if server.restarts() > 0 && !server.serves(&before) {
        wrong.push("the DHCP server does not serve what it did".to_owned());
    }
    if !server.journal().is_empty() {
        wrong.push("the journal is not empty".to_owned());
    }
    if !server.nonces().is_empty() {
        wrong.push("a nonce is left".to_owned());
    }
    if server.home_of_tree(2).join("192.168.7.2etc/ghost/order.json").exists() {
        wrong.push("an order is left".to_owned());
    }
    let is_left = |folder: PathBuf| {
        fs::read_dir(folder).is_ok_and(|mut listed| {
            let is_left = |name: &str| name.starts_with(".incoming") || name.starts_with(".removing");
            listed.any(|entry| is_left(&entry.unwrap().file_name().to_string_lossy()))
        })
    };
    if is_left(server.path("store/pc2")) || is_left(server.written_to().join("pc2")) {
        wrong.push("a staging folder is left".to_owned());
    }
    if case.exports == "job" {
        wrong.extend(exported::left(&server).map(|left| format!("exports are left: {left}")));
    }
    if case.behaviour == Behaviour::SavesADisk {
        wrong.extend(wrong_with_generations(&server, &said(&recovered), place));
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{place}: {}", wrong.join("; "))) }
}

/// The old generation and the new one must both be whole, and restore the disk.
fn wrong_with_generations(server: &BootServer, recovered: &str, place: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !recovered.contains("was left by a crash") {
        wrong.push(format!("recover does not say what it did: {recovered}"));
    }
    let is_finished = recovered.contains("finish the generation");
    if is_finished == place.starts_with("after-") {
        wrong.push(format!("what recover says of the generation is not so: {recovered}"));
    }
    let generations = generations(server);
    if generations.len() != 2 || !generations.contains(&OLD.to_owned()) {
        wrong.push(format!("the generations are {generations:?}"));
    }
    for generation in &generations {
        let verified = server.run(&["images", "verify", "pc2", generation]);
        if verified.status.code() != Some(0) {
            wrong.push(format!("{generation}: {}", said(&verified)));
        }
        let file = server.path(&format!("{generation}.raw"));
        let words = ["images", "export", "--format", "raw", "--generation", generation, "pc2"];
        let exported = server.command(words).arg(&file).output().unwrap();
        if exported.status.code() != Some(0) || !SavedDisk::get().is(&file) {
            wrong.push(format!("{generation} does not restore the disk: {}", said(&exported)));
        }
    }
    wrong
}

/// What `images list` shows of pc2.
fn generations(server: &BootServer) -> Vec<String> {
    let listed = server.run(&["images", "list", "pc2"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed.lines().map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect()
}

fn killed_everywhere(case: Case) -> Vec<String> {
    let places = places(case);
    killed_at_each(&places, case);
    places
}

fn killed_at_each(places: &[String], case: Case) {
    let left = Mutex::new(places.to_vec());
    let wrong = Mutex::new(Vec::new());
    let turn = TURN.lock().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(place) = { left.lock().unwrap().pop() } {
                    if let Err(message) = killed_at(&place, case) {
                        wrong.lock().unwrap().push(message);
                    }
                }
            });
        }
    });
    drop(turn);
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} places:\n{}", wrong.len(), places.len(), wrong.join("\n"));
}

#[test]
fn whatever_step_it_is_killed_at_nothing_is_left() {
    let mut passed = killed_everywhere(backup(Behaviour::Succeeds));
    passed.extend(killed_everywhere(Case { exports: "job", ..backup(Behaviour::Fails) }));
    passed.extend(killed_everywhere(Case { words: &RESTORE, ..backup(Behaviour::Succeeds) }));
    let missed: Vec<Step> = Step::ALL
        .into_iter()
        .filter(|step| !passed.contains(&format!("before-{step:?}:1")))
        // Only a stop by hand asks the client; it changes nothing that a crash could leave behind.
        .filter(|step| *step != Step::AskToStop)
        .collect();
    assert_eq!(missed, Vec::<Step>::new(), "no run has passed these steps");
}

/// Where what is offered changes. All else is the same whichever the DHCP server is, and is tried with each of them by a campaign.
const OF_DHCP: [&str; 5] = ["Swap:", "OfferBoot:", "Revert:", "OfferOwn:", "effect-Rename:"];

/// `make faults` asks for all.
fn is_campaign() -> bool {
    std::env::var("FAULTS").is_ok_and(|wanted| wanted == "all")
}

/// Kills jobs with a real DHCP server.
fn killed_with(start: fn(u8) -> BootServer) {
    for words in [&["backup", "pc2"], &RESTORE[..]] {
        let case = Case { start, words, ..backup(Behaviour::Succeeds) };
        let mut places = places(case);
        let passed = |name: &str| places.iter().any(|place| place.contains(name));
        assert!(OF_DHCP.into_iter().all(passed), "{places:?}");
        let is_of_dhcp = |place: &String| OF_DHCP.iter().any(|name| place.contains(name));
        // What a restore does with DHCP is what a backup does, so that each of its steps is enough.
        let is_enough = |place: &String| words != RESTORE || place.starts_with("after-");
        places.retain(|place| is_campaign() || (is_of_dhcp(place) && is_enough(place)));
        killed_at_each(&places, case);
    }
}

#[test]
fn with_dhcpd_nothing_is_left_of_a_job_killed_where_what_is_offered_changes() {
    killed_with(BootServer::with_dhcpd);
}

#[test]
fn with_kea_nothing_is_left_of_a_job_killed_where_what_is_offered_changes() {
    killed_with(BootServer::with_kea);
}

#[test]
fn with_dnsmasq_nothing_is_left_of_a_job_killed_where_what_is_offered_changes() {
    killed_with(BootServer::with_dnsmasq);
}

#[test]
fn with_a_proxy_nothing_is_left_of_a_job_killed_where_what_is_offered_changes() {
    killed_with(BootServer::with_proxy);
}

#[test]
fn killed_while_it_makes_a_generation_of_a_disk_it_loses_none_and_finishes_later() {
    let _kept = SavedDisk::get();
    let case = Case { exports: "job", ..backup(Behaviour::SavesADisk) };
    let mut places = places(case);
    // What comes before and after is the same for all imagers.
    places.retain(|place| place.starts_with("finish-") || place.contains("-FinishGeneration:"));
    assert_eq!(places.len(), 8, "{places:?}");
    killed_at_each(&places, case);
}

#[test]
fn a_generation_is_finished_by_what_the_journal_says_and_not_by_the_clients_order() {
    let _kept = SavedDisk::get();
    let case = backup(Behaviour::SavesADisk);
    let server = server_for(case);
    kill_at(&server, "before-FinishGeneration:1", case).unwrap();
    // What is in the client's tree is the client's to change.
    fs::write(server.path("base/192.168.7.2etc/ghost/order.json"), "{}").unwrap();
    let recovered = server.run(&["recover"]);
    assert!(said(&recovered).contains("finish the generation"), "{}", said(&recovered));
    let all = generations(&server);
    let new = all.iter().find(|generation| *generation != OLD).unwrap();
    let verified = server.run(&["images", "verify", "pc2", new]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    let shown = said(&server.run(&["images", "show", "pc2", new]));
    assert!(shown.contains("by partclone.extfs"), "it is finished as the Linux imager left it: {shown}");
}

#[test]
fn what_is_damaged_between_the_crash_and_the_recovery_is_no_generation() {
    let _kept = SavedDisk::get();
    for place in ["finish-WriteManifest", "finish-Rename"] {
        let case = backup(Behaviour::SavesADisk);
        let server = server_for(case);
        kill_at(&server, place, case).unwrap();
        let piece = staging(&server).join("disk0/001-p1-ext.partclone.zst.001");
        fs::File::options().write(true).open(&piece).unwrap().set_len(1_000).unwrap();
        let recovered = server.run(&["recover"]);
        assert_eq!(recovered.status.code(), Some(1), "{place}: a backup is lost: {}", said(&recovered));
        let recovered = said(&recovered);
        assert!(recovered.contains("could not finish the generation"), "{place}: {recovered}");
        assert!(recovered.contains("001-p1-ext.partclone.zst.001 has 1000 bytes"), "{place}: {recovered}");
        assert!(recovered.contains("set the unfinished generation aside"), "{place}: {recovered}");
        assert_eq!(generations(&server), [OLD], "{place}");
        let verified = server.run(&["images", "verify", "pc2", OLD]);
        assert_eq!(verified.status.code(), Some(0), "{place}: {}", said(&verified));
        let again = server.run(&["recover"]);
        assert_eq!(again.status.code(), Some(0), "{place}: nothing is left: {}", said(&again));
    }
}

/// What the client of a job that was killed has written of its generation.
fn staging(server: &BootServer) -> PathBuf {
    let mut listed = fs::read_dir(server.path("store/pc2")).unwrap().map(|entry| entry.unwrap());
    let is_staging = |name: &str| name.starts_with(".incoming");
    listed.find(|entry| is_staging(&entry.file_name().to_string_lossy())).unwrap().path()
}

#[test]
fn what_a_client_has_written_is_plain_text_where_a_recovery_leaves_something_undone() {
    let _kept = SavedDisk::get();
    for words in [&["recover"][..], &["recover", "--json"]] {
        let case = backup(Behaviour::SavesADisk);
        let server = server_for(case);
        kill_at(&server, "before-FinishGeneration:1", case).unwrap();
        let description = staging(&server).join("disk0/disk.json");
        let mut image: serde_json::Value = serde_json::from_slice(&fs::read(&description).unwrap()).unwrap();
        image["table"]["kind"] = "\x1b[2J\x1b]0;owned\x07\u{202e}\npc3: succeeded".into();
        let before = sha256(&description);
        fs::write(&description, image.to_string()).unwrap();
        vouch(&staging(&server).join("disk0/SHA256SUMS"), &before, &sha256(&description));
        fs::write(server.path("state/jobs"), "in the way").unwrap();
        let recovered = server.run(words);
        assert_eq!(recovered.status.code(), Some(1), "{}", said(&recovered));
        let told = String::from_utf8(recovered.stdout).unwrap();
        assert!(told.contains("could not") || told.contains("failed"), "{told}");
        assert!(told.contains("owned"), "it is told all the same: {told}");
        assert_plain(&told, &["pc2: ", "{", "error: "]);
    }
}

#[test]
fn a_recovery_that_is_killed_too_is_finished_by_the_next() {
    let places =
        ["before-Revert:1", "effect-Rename:1", "before-OfferOwn:1", "before-Withdraw:1", "before-Close:1"];
    at_once(places.into_iter().flat_map(|place| EACH.map(|(_, start)| (place, start))), |(place, start)| {
        let server = start(2);
        let before = server.configured();
        let first =
            server.command(["test", "pc2"]).env("GHOSTCTL_CRASH_AT", "after-OfferBoot").output().unwrap();
        assert_eq!(first.status.code(), None, "{}", said(&first));
        let second = server.command(["recover"]).env("GHOSTCTL_CRASH_AT", place).output().unwrap();
        assert_eq!(second.status.code(), None, "{place}: {}", said(&second));
        let third = server.run(&["recover"]);
        assert_eq!(third.status.code(), Some(0), "{place}: {}", said(&third));
        assert_eq!(server.configured(), before, "{place}");
        assert!(server.serves(&before), "{place}");
        assert!(server.journal().is_empty() && server.nonces().is_empty(), "{place}");
    });
}
