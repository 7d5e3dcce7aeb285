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
    /// What is damaged, how, and whether the swap can still be read.
    type Damage = (&'static str, fn(Vec<u8>) -> Vec<u8>, bool);
    let cases: [Damage; 5] = [
        ("empty", |_| Vec::new(), false),
        ("zeros", |bytes| vec![0; bytes.len()], false),
        ("garbage", |bytes| bytes.iter().map(|byte| byte ^ 0x5a).collect(), false),
        (
            "a bit in the last line",
            |mut bytes| {
                let place = bytes.len() - 30;
                bytes[place] ^= 1;
                bytes
            },
            true,
        ),
        (
            "a bit in the first line",
            |mut bytes| {
                bytes[30] ^= 1;
                bytes
            },
            false,
        ),
    ];
    std::thread::scope(|scope| {
        for (what, damage, can_be_reverted) in cases {
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
                let order = server.path("base/192.168.7.2etc/ghost/order.json");
                assert!(!order.exists(), "{what}: a client that boots later finds no order: {recovered}");
                assert!(recovered.contains("withdr"), "{what}: {recovered}");
                assert!(bytes.starts_with(&damage(good)), "{what}: it is kept as it was");
                let doctor = said(&server.run(&["doctor"]));
                assert!(doctor.contains("jsonl.1 could not be read and was set aside"), "{what}: {doctor}");
                let later = server.run(&["recover"]);
                assert!(server.journal().is_empty(), "{what}: the job of pc3 is recovered: {}", said(&later));
                assert_eq!(
                    later.status.code(),
                    Some(i32::from(!can_be_reverted)),
                    "{what}: {}",
                    said(&later)
                );
                assert_eq!(is_told_as_swapped(&server), !can_be_reverted, "{what}");
                if !can_be_reverted {
                    assert_it_is_told_until_it_is_mended(&server, what);
                }
            });
        }
    });
}

/// Whether `recover` and `doctor` both tell where pc2 is offered the boot file, or both do not.
fn is_told_as_swapped(server: &BootServer) -> bool {
    let words =
        format!("pc2: DHCP offers it the boot file pxelinux.0 ({}:8:12)", server.configuration().display());
    let [recover, doctor] = ["recover", "doctor"].map(|verb| said(&server.run(&[verb])).contains(&words));
    assert_eq!(recover, doctor);
    recover
}

/// pc2 is swapped, and nothing tells any more what it was offered before.
fn assert_it_is_told_until_it_is_mended(server: &BootServer, what: &str) {
    let doctor = server.run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(78), "{what}: {}", said(&doctor));
    let reverted = server.run(&["dhcp", "revert", "pc2"]);
    assert_eq!(reverted.status.code(), Some(78), "{what}: {}", said(&reverted));
    assert!(
        said(&reverted).contains("nothing tells what it was offered before"),
        "{what}: {}",
        said(&reverted)
    );
    assert!(!said(&reverted).contains("fakebox"), "{what}: it was never ours: {}", said(&reverted));
    let job = server.run(&["test", "pc2"]);
    assert_eq!(job.status.code(), Some(78), "{what}: {}", said(&job));
    assert!(said(&job).contains("write its own boot file there by hand"), "{what}: {}", said(&job));
    let another = server.run(&["test", "--dry-run", "pc3"]);
    assert_eq!(another.status.code(), Some(0), "{what}: {}", said(&another));
    let mended =
        String::from_utf8(server.configured()).unwrap().replace("\"pxelinux.0\"; # pc2", "\"own\"; # pc2");
    std::fs::write(server.configuration(), mended).unwrap();
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{what}: {}", said(&recovered));
    assert!(!is_told_as_swapped(server), "{what}");
}

#[test]
fn a_swap_is_told_of_though_the_whole_state_folder_is_lost() {
    let server = BootServer::with_hosts(2);
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
    running.wait_with_output().unwrap();
    std::fs::remove_dir_all(server.path("state")).unwrap();
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(1), "{}", said(&recovered));
    assert!(is_told_as_swapped(&server));
    assert_it_is_told_until_it_is_mended(&server, "all is lost");
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
