//! Given a journal or a record that cannot be read, is it kept and told of, and is all else recovered?

use super::boot_server::{BootServer, said};
use super::client::{Behaviour, Client};
use rustix::process::{Pid, Signal, kill_process};

/// A boot server on which a job of pc2 was killed when it had swapped.
#[cfg(feature = "crash-points")]
fn killed_when_swapped() -> BootServer {
    let server = BootServer::with_hosts(3);
    let killed =
        server.command(["test", "pc2"]).env("GHOSTCTL_CRASH_AT", "after-OfferBoot").output().unwrap();
    assert_eq!(killed.status.code(), None, "{}", said(&killed));
    server
}

#[test]
#[cfg(feature = "crash-points")]
fn a_damaged_journal_is_kept_and_told_and_the_others_are_recovered() {
    type Damage = (&'static str, fn(Vec<u8>) -> Vec<u8>);
    let cases: [Damage; 5] = [
        ("empty", |_| Vec::new()),
        ("zeros", |bytes| vec![0; bytes.len()]),
        ("garbage", |bytes| bytes.iter().map(|byte| byte ^ 0x5a).collect()),
        ("a bit in the last line", |mut bytes| {
            let place = bytes.len() - 30;
            bytes[place] ^= 1;
            bytes
        }),
        ("a bit in the first line", |mut bytes| {
            bytes[30] ^= 1;
            bytes
        }),
    ];
    std::thread::scope(|scope| {
        for (what, damage) in cases {
            scope.spawn(move || {
                let server = killed_when_swapped();
                let entry = server.journal().remove(0);
                let good = std::fs::read(&entry).unwrap();
                std::fs::write(&entry, damage(good.clone())).unwrap();
                let other =
                    server.command(["test", "pc3"]).env("GHOSTCTL_CRASH_AT", "after-MakeTree").output();
                let recovered = said(&other.unwrap());
                assert!(recovered.contains("cannot be used"), "{what}: {recovered}");
                assert!(recovered.contains("/damaged/192.168.7.2.jsonl.1"), "{what}: {recovered}");
                let kept = server.path("state/damaged/192.168.7.2.jsonl.1");
                let bytes = std::fs::read(kept).unwrap();
                assert!(bytes.starts_with(&damage(good)), "{what}: it is kept as it was");
                let doctor = said(&server.run(&["doctor"]));
                assert!(doctor.contains("jsonl.1 could not be read and was set aside"), "{what}: {doctor}");
                let later = server.run(&["recover"]);
                assert_eq!(
                    later.status.code(),
                    Some(0),
                    "{what}: the job of pc3 is recovered: {}",
                    said(&later)
                );
                assert!(server.journal().is_empty(), "{what}");
            });
        }
    });
}

#[test]
#[cfg(feature = "crash-points")]
fn what_is_no_entry_of_ours_stops_no_recovery() {
    let server = killed_when_swapped();
    let folder = server.path("state/journal");
    std::fs::create_dir(folder.join("192.168.7.1.jsonl")).unwrap();
    std::os::unix::fs::symlink("/dev/null", folder.join("192.168.7.9.jsonl")).unwrap();
    run_mkfifo(&folder.join("192.168.7.8.jsonl"));
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(1), "{}", said(&recovered));
    assert!(said(&recovered).contains("pc2: job "), "{}", said(&recovered));
    assert_eq!(said(&recovered).matches("it is not a regular file").count(), 3, "{}", said(&recovered));
    assert!(!String::from_utf8(server.configured()).unwrap().contains("pxelinux.0\"; # pc2"));
    let again = server.run(&["recover"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
}

#[cfg(feature = "crash-points")]
fn run_mkfifo(path: &std::path::Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_damaged_journal_on_a_file_system_of_its_own_is_set_aside_as_well() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    server.mount("state/journal");
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
    running.wait_with_output().unwrap();
    let entry = server.journal().remove(0);
    let mut bytes = std::fs::read(&entry).unwrap();
    let place = bytes.len() - 30;
    bytes[place] ^= 1;
    std::fs::write(&entry, &bytes).unwrap();
    let told = server.run(&["recover"]);
    assert_eq!(told.status.code(), Some(1), "{}", said(&told));
    assert_eq!(server.configured(), before, "{}", said(&told));
    let kept = std::fs::read(server.path("state/damaged/192.168.7.2.jsonl.1"));
    assert!(kept.is_ok_and(|kept| kept.starts_with(&bytes)), "it is kept as it was: {}", said(&told));
    assert!(server.journal().is_empty(), "{}", said(&told));
    let again = server.run(&["recover"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
}

#[test]
fn a_record_that_cannot_be_read_is_set_aside_and_told_of_once() {
    let server = BootServer::with_hosts(2);
    let client = Client::off(&server, 2, Behaviour::Succeeds);
    let job = server.run(&["test", "pc2"]);
    assert_eq!(job.status.code(), Some(0), "{}", said(&job));
    drop(client);
    let record = server.path("state/jobs/20260101-000000-0000/record.json");
    std::fs::create_dir(record.parent().unwrap()).unwrap();
    std::fs::write(&record, "{\"job\": half").unwrap();
    std::fs::write(server.path("state/jobs/a file"), "no job").unwrap();
    let last = server.run(&["status", "--last"]);
    assert!(last.status.success() && said(&last).contains("pc2: test"), "{}", said(&last));
    let told = server.run(&["recover"]);
    assert_eq!(told.status.code(), Some(1), "{}", said(&told));
    let kept = server.path("state/damaged/20260101-000000-0000.record.json.1");
    assert!(said(&told).contains(&format!("it was moved to {}", kept.display())), "{}", said(&told));
    assert_eq!(std::fs::read(kept).unwrap(), b"{\"job\": half");
    let again = server.run(&["recover"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    let doctor = server.run(&["doctor"]);
    assert!(said(&doctor).contains("record.json.1 could not be read and was set aside"), "{}", said(&doctor));
}
