//! `images mount`: the very files of a partition, read by a process that is confined.

use std::fs;
use std::path::Path;

use ghost_contract::bounds::PARSER_MEMORY;
use ghost_contract::sample::effects::unmount;

use crate::boot_server::said;
use crate::saved_disk::run;

use super::Store;

#[test]
fn a_mounted_partition_shows_the_very_files_and_unmounting_leaves_nothing() {
    let store = Store::new();
    let (folder, cache) = (store.mount_point(), store.server.path("cache"));
    let (at, cache) = (folder.to_str().unwrap(), cache.to_str().unwrap());
    let several = store.images(&["mount", "--cache", cache, "pc2", at]);
    assert_eq!(several.status.code(), Some(2), "{}", said(&several));
    assert!(said(&several).contains("1 (ext4 \"root\"), 2 (ntfs \"Windows\")"), "{}", said(&several));
    let mounted = store.images(&["mount", "--cache", cache, "--partition", "1", "pc2", at]);
    assert_eq!(mounted.status.code(), Some(0), "{}", said(&mounted));
    let files = store.disk.files();
    for file in ["home/john/letter", "noise"] {
        assert_eq!(fs::read(folder.join(file)).unwrap(), fs::read(files.join(file)).unwrap(), "{file}");
    }
    let listed =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let listed: std::collections::BTreeSet<String> = listed.collect();
    assert_eq!(listed, ["home", "lost+found", "noise", "way-out"].map(str::to_owned).into());
    assert_eq!(fs::read_link(folder.join("way-out")).unwrap(), Path::new("/etc/passwd"));
    assert!(fs::read(folder.join("way-out")).is_err(), "a client's link leads to no file of the boot server");
    let server = store.server_of_the_mount();
    assert_is_confined(server);
    assert_eq!(kind_of_mount(&folder), "fuse");
    assert!(fs::write(folder.join("home/john/letter"), "x").is_err(), "it is for reading only");
    let twice = store.images(&["mount", "--cache", cache, "--partition", "2", "pc2", at]);
    assert_eq!(twice.status.code(), Some(2), "{}", said(&twice));
    assert_eq!(store.server.run(&["recover"]).status.code(), Some(0));
    assert!(folder.join("noise").exists(), "recovery leaves alone what is in use");
    let unmounted = store.images(&["unmount", at]);
    assert_eq!(unmounted.status.code(), Some(0), "{}", said(&unmounted));
    store.assert_nothing_is_mounted();
    assert!(!is_running(server), "and its process has ended");
    assert_eq!(store.images(&["unmount", at]).status.code(), Some(2));
    let mounted = store.images(&["mount", "--cache", cache, "--partition", "2", "pc2", at]);
    assert_eq!(mounted.status.code(), Some(0), "NTFS: {}", said(&mounted));
    assert_eq!(fs::read(folder.join("letter")).unwrap(), b"Dear Jane");
    assert_is_confined(store.server_of_the_mount());
    let unmounted = store.images(&["unmount", at]);
    assert_eq!(unmounted.status.code(), Some(0), "{}", said(&unmounted));
    store.assert_nothing_is_mounted();
    assert_eq!(store.verified().0, Some(0), "the generation is as it was");
}

/// Whether a process runs that has this number.
pub(super) fn is_running(pid: u64) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// How a folder is mounted.
fn kind_of_mount(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = mounts.lines().find(|line| line.split(' ').nth(4) == folder.to_str()).unwrap();
    assert!(line.contains(" ro,nosuid,nodev,noexec,"), "{line}");
    line.split(" - ").nth(1).unwrap().split(' ').next().unwrap().to_owned()
}

#[track_caller]
pub(super) fn assert_is_confined(pid: u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
    let user: u32 = value("Uid:").split_whitespace().next().unwrap().parse().unwrap();
    assert!(user >= 0x7000_0000, "{status}");
    assert_eq!(
        (value("CapEff:").as_str(), value("NoNewPrivs:").as_str()),
        ("0000000000000000", "1"),
        "{status}"
    );
    assert_eq!(value("Seccomp:"), "2", "{status}");
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let limited = [
        ("Max address space", PARSER_MEMORY),
        ("Max file size", 0),
        ("Max core file size", 0),
        ("Max locked memory", 0),
    ];
    for (what, most) in limited {
        let line = limits.lines().find_map(|line| line.strip_prefix(what)).unwrap();
        let said: Vec<&str> = line.split_whitespace().take(2).collect();
        assert_eq!(said, [most.to_string(), most.to_string()], "{what}: {limits}");
    }
    let network = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    assert_ne!(network(&pid.to_string()), network("self"), "it sees no network");
}

#[test]
fn a_process_that_is_stuck_or_gone_keeps_no_mount_from_being_taken_away() {
    let store = Store::new();
    let (folder, cache) = (store.mount_point(), store.server.path("cache"));
    let (at, cache) = (folder.to_str().unwrap(), cache.to_str().unwrap());
    for signal in ["STOP", "KILL"] {
        let mounted = store.images(&["mount", "--cache", cache, "--partition", "1", "pc2", at]);
        assert_eq!(mounted.status.code(), Some(0), "{}", said(&mounted));
        let server = store.server_of_the_mount();
        run("kill", &[&format!("-{signal}"), &server.to_string()]);
        let unmounted = store.images(&["unmount", at]);
        assert_eq!(unmounted.status.code(), Some(0), "{signal}: {}", said(&unmounted));
        store.assert_nothing_is_mounted();
        assert!(!is_running(server), "{signal}");
    }
}

#[test]
fn the_kernel_reads_a_file_system_only_if_a_person_says_so() {
    let store = Store::new();
    let (folder, cache) = (store.mount_point(), store.server.path("cache"));
    let (at, cache) = (folder.to_str().unwrap(), cache.to_str().unwrap());
    let mounted = store.images(&["mount", "--kernel", "--cache", cache, "--partition", "1", "pc2", at]);
    assert_eq!(mounted.status.code(), Some(0), "{}", said(&mounted));
    assert_ne!(kind_of_mount(&folder), "fuse");
    assert_eq!(fs::read(folder.join("home/john/letter")).unwrap(), b"Dear Jane");
    let unmounted = store.images(&["unmount", at]);
    assert_eq!(unmounted.status.code(), Some(0), "{}", said(&unmounted));
    store.assert_nothing_is_mounted();
}

#[test]
fn what_a_restart_of_the_machine_leaves_of_a_mount_is_removed_by_recover() {
    let store = Store::new();
    let (folder, cache) = (store.mount_point(), store.server.path("cache"));
    let (at, cache) = (folder.to_str().unwrap(), cache.to_str().unwrap());
    let mounted = store.images(&["mount", "--cache", cache, "--partition", "1", "pc2", at]);
    assert_eq!(mounted.status.code(), Some(0), "{}", said(&mounted));
    unmount(&folder);
    let recovered = store.server.run(&["recover"]);
    assert!(said(&recovered).contains("its cache file are removed"), "{}", said(&recovered));
    store.assert_nothing_is_mounted();
}
