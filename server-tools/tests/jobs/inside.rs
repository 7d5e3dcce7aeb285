//! Generations with real images of a disk: is damage found and named, and can one look into them?

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ghost_contract::order::Imager;
use ghost_contract::sample::effects::unmount;
use ghost_contract::{JobId, MacAddress, Mode, UnixTime};
use ghostctl::catalog::Facts;

use super::boot_server::{BootServer, said};
use super::client::{Behaviour, Client};
use super::saved_disk::{MEBIBYTE, SIZE, SavedDisk, run};

const GENERATION: &str = "20260123-142501-4f3a";

/// A boot server whose store has a generation of pc2.
struct Store {
    server: BootServer,
    disk: Arc<SavedDisk>,
}

impl Store {
    fn new() -> Self {
        let (server, disk) = (BootServer::with_hosts(1), SavedDisk::get());
        disk.put_generation(&server, GENERATION);
        Self { server, disk }
    }

    fn images(&self, words: &[&str]) -> std::process::Output {
        self.server.run(&[&["images"], words].concat())
    }

    /// What `images verify` says, and its exit status.
    fn verified(&self) -> (Option<i32>, String) {
        let output = self.images(&["verify", "pc2", GENERATION]);
        (output.status.code(), said(&output))
    }

    fn folder(&self) -> PathBuf {
        self.server.path("store/pc2").join(GENERATION).join("disk0")
    }

    /// A piece in the middle of the image of the ext4, by its name.
    fn piece(&self) -> String {
        let mut names: Vec<String> = fs::read_dir(self.folder())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("ext"))
            .collect();
        names.sort();
        names.swap_remove(names.len() / 2)
    }

    fn flip_a_bit(&self, piece: &str) {
        let file = File::options().read(true).write(true).open(self.folder().join(piece)).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, 1_000).unwrap();
        file.write_all_at(&[byte[0] ^ 0x10], 1_000).unwrap();
    }

    fn mount_point(&self) -> PathBuf {
        let folder = self.server.path("mnt");
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The process that serves what is mounted, by the record of the mount.
    fn server_of_the_mount(&self) -> u64 {
        let record = fs::read_dir(self.server.path("state/mounts")).unwrap().next().unwrap().unwrap();
        let record: serde_json::Value = serde_json::from_slice(&fs::read(record.path()).unwrap()).unwrap();
        record["server"]["pid"].as_u64().unwrap()
    }

    /// Nothing is left of a mount: no cache file, no record, and nothing is mounted.
    #[track_caller]
    fn assert_nothing_is_mounted(&self) {
        for folder in ["cache", "state/mounts"] {
            let left: Vec<_> = fs::read_dir(self.server.path(folder)).into_iter().flatten().collect();
            assert!(left.is_empty(), "{folder}: {left:?}");
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.mount_point().to_str().unwrap()), "{mounts}");
    }
}

#[test]
fn a_generation_of_some_partitions_says_so_and_is_never_taken_for_a_whole_one() {
    const PART: &str = "20260223-142501-4f3a";
    let store = Store::new();
    store.disk.put_generation_of_a_part(&store.server, PART);
    store.server.set("GENERATIONS", "1");
    store.server.set("KEEP_DAYS", "0");
    let lacks = "not in the image: all but partition 1, as chosen";
    let listed = said(&store.images(&["list"]));
    assert!(listed.lines().nth(1).unwrap().ends_with(lacks), "{listed}");
    let verified = said(&store.images(&["verify", "pc2", PART]));
    assert!(verified.trim_end().ends_with(&format!("has its checksum; {lacks}")), "{verified}");
    let pruned = said(&store.images(&["prune"]));
    assert!(pruned.contains("removed no generation"), "{pruned}");
    let removed = said(&store.images(&["rm", "--dry-run", "pc2", GENERATION]));
    assert!(removed.contains("the last good generation"), "{removed}");
    let removed = said(&store.images(&["rm", "--dry-run", "pc2", PART]));
    assert!(removed.contains("a good generation of some partitions"), "{removed}");
    for (flags, taken) in [
        (&[][..], GENERATION),
        (&["--partition", "1"], PART),
        (&["--partition", "2"], GENERATION),
        (&["--partition", "1,2"], GENERATION),
    ] {
        let would = store.server.run(&[&["restore", "--dry-run"], flags, &["pc2"]].concat());
        assert!(said(&would).contains(&format!("run restore of {taken}")), "{flags:?}: {}", said(&would));
    }
    let exported = store.server.path("exported");
    let words = ["export", "--generation", PART, "--format", "raw", "pc2", exported.to_str().unwrap()];
    let refused = store.images(&words);
    assert!(said(&refused).contains("holds only partition 1 of the disk"), "{}", said(&refused));
    assert!(!exported.exists());
}

#[test]
fn the_files_that_could_not_be_read_are_shown_without_what_speaks_to_a_terminal() {
    let store = Store::new();
    let path = store.server.path("store/pc2").join(GENERATION).join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["disks"][0]["hits"] = serde_json::json!([
        { "partition": 1, "files": ["/letter\u{1b}[31m"], "unknown": null },
        { "partition": 2, "files": [], "unknown": "no tool tells it" },
    ]);
    fs::write(path, manifest.to_string()).unwrap();
    assert!(said(&store.images(&["show", "pc2"])).contains("can be believed"), "it is not ours any more");
    let adopted = store.images(&["adopt", "pc2", GENERATION]);
    assert_eq!(adopted.status.code(), Some(0), "{}", said(&adopted));
    let shown = said(&store.images(&["show", "pc2"]));
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    for line in [
        r"    not all of this file of partition 1 could be read: /letter\u{1b}[31m",
        "    which files of partition 2 could not be read is unknown: no tool tells it",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{shown}");
    }
}

#[test]
fn chosen_partitions_are_in_the_order_whose_version_older_clients_refuse() {
    let server = BootServer::with_hosts(1);
    server.set("IMAGER", "linux");
    let (order, seen) = (server.path("base/192.168.7.2etc/ghost/order.json"), server.path("seen"));
    let keep = {
        let seen = seen.clone();
        move || fs::copy(&order, &seen).is_ok()
    };
    let client = Client::waiting(&server, 2, Behaviour::SavesADisk, Box::new(keep));
    let backup = server.run(&["backup", "--partition", "2,3", "pc2"]);
    assert_eq!(backup.status.code(), Some(0), "{}", said(&backup));
    drop(client);
    let order: serde_json::Value = serde_json::from_slice(&fs::read(seen).unwrap()).unwrap();
    assert_eq!((&order["version"], &order["imager"]["partitions"]), (&2.into(), &serde_json::json!([2, 3])));
    let both = server.run(&["backup", "--partition", "2", "--all-disks", "pc2"]);
    assert_eq!(both.status.code(), Some(2), "{}", said(&both));
    let zero = server.run(&["restore", "--partition", "0", "pc2"]);
    assert!(said(&zero).contains("partitions have numbers from 1 on"), "{}", said(&zero));
}

#[test]
fn an_order_to_restore_has_the_checksum_of_the_description_that_the_boot_server_has_checked() {
    let store = Store::new();
    let server = &store.server;
    server.set("IMAGER", "linux");
    let (order, seen) = (server.path("base/192.168.7.2etc/ghost/order.json"), server.path("seen"));
    let keep = {
        let seen = seen.clone();
        move || fs::copy(&order, &seen).is_ok()
    };
    let client = Client::waiting(server, 2, Behaviour::Succeeds, Box::new(keep));
    let restored = server.run(&["restore", "--yes", "pc2"]);
    drop(client);
    assert_eq!(restored.status.code(), Some(0), "{}", said(&restored));
    let order: serde_json::Value = serde_json::from_slice(&fs::read(seen).unwrap()).unwrap();
    let sums = fs::read_to_string(store.folder().join("SHA256SUMS")).unwrap();
    let own = sums.lines().find_map(|line| line.strip_suffix("  disk.json")).unwrap();
    assert_eq!(order["imager"]["vouched"], serde_json::json!([own]));
}

#[test]
fn what_an_image_lacks_is_said_in_the_last_line_the_list_and_the_manifest() {
    let server = BootServer::with_hosts(1);
    server.set("IMAGER", "linux");
    server.set("GAPS", "leave_out");
    let client = Client::off(&server, 2, Behaviour::SavesADisk);
    let backup = server.run(&["backup", "pc2"]);
    drop(client);
    assert_eq!(backup.status.code(), Some(0), "{}", said(&backup));
    let lacks = "not in the image: 1.0 MiB of the gaps beside partitions";
    let lines = said(&backup);
    assert!(lines.trim_end().ends_with(&format!("succeeded; {lacks}")), "{lines}");
    let listed = said(&server.run(&["images", "list"]));
    assert!(listed.trim_end().ends_with(&format!("; {lacks}")), "{listed}");
    let shown = server.run(&["--json", "images", "show", "pc2"]);
    let documents = serde_json::Deserializer::from_slice(&shown.stdout).into_iter::<serde_json::Value>();
    let [line, manifest] = &documents.map(Result::unwrap).collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(line["lacks"], lacks);
    assert_eq!(manifest["imager"]["gaps"], "leave_out");
    let beside = manifest["disks"][0]["saved"].as_array().unwrap().last().unwrap();
    assert_eq!((&beside["left_out"], &beside["left_out_because"]), (&MEBIBYTE.into(), &"unallocated".into()));
}

#[test]
fn a_whole_generation_is_whole() {
    let store = Store::new();
    let (status, words) = store.verified();
    assert_eq!((status, words.contains("is whole")), (Some(0), true), "{words}");
    let shown = said(&store.images(&["show", "pc2"]));
    for wanted in ["disk 0: 40.0 MiB", "1  ext4 \"root\"", "2  ntfs \"Windows\""] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
}

#[test]
fn one_flipped_bit_is_found_and_its_piece_named() {
    let store = Store::new();
    let piece = store.piece();
    store.flip_a_bit(&piece);
    let (status, words) = store.verified();
    assert_eq!(status, Some(1), "{words}");
    assert!(words.contains(&format!("\"disk0/{piece}\" is not what was written")), "{words}");
    let listed = said(&store.images(&["list", "--json"]));
    assert!(listed.contains("\"state\":\"damaged\"") && listed.contains(&piece), "{listed}");
    let mounted = store.images(&["mount", "--partition", "1", "pc2", store.mount_point().to_str().unwrap()]);
    assert_ne!(mounted.status.code(), Some(0), "what is damaged is no file system: {}", said(&mounted));
}

#[test]
fn a_truncated_and_a_missing_piece_are_found_and_named() {
    let store = Store::new();
    let piece = store.folder().join(store.piece());
    File::options().write(true).open(&piece).unwrap().set_len(9).unwrap();
    let (status, words) = store.verified();
    assert_eq!((status, words.contains("has 9 bytes and should have")), (Some(1), true), "{words}");
    fs::remove_file(&piece).unwrap();
    let (status, words) = store.verified();
    assert_eq!((status, words.contains("is missing")), (Some(1), true), "{words}");
}

#[test]
fn a_manifest_or_a_description_that_is_not_as_it_was_is_found_and_nothing_is_restored_from_it() {
    let store = Store::new();
    let piece = format!("disk0/{}", store.piece());
    let manifest = store.folder().with_file_name("manifest.json");
    let description = store.folder().join("disk.json");
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    let sum = sha256(&store.folder().with_file_name(&piece));
    let wrong_sum = text(&manifest).replace(&sum, &"0".repeat(64));
    let cut_short = text(&manifest)[..1_000].to_owned();
    let other_size = text(&description).replacen("\"size\": 41943040", "\"size\": 41943552", 1);
    let cases = [
        (&manifest, wrong_sum, format!("\"{piece}\" is not what was written")),
        (&description, other_size, "\"disk0/disk.json\" is not what was written".to_owned()),
        (&manifest, cut_short, "manifest.json is of no use".to_owned()),
    ];
    for (path, changed, wanted) in cases {
        let whole = text(path);
        assert_ne!(changed, whole, "{wanted}");
        fs::write(path, changed).unwrap();
        let (status, words) = store.verified();
        assert_eq!((status, words.contains(&wanted)), (Some(1), true), "{wanted}: {words}");
        let restored = store.server.run(&["restore", "--yes", "pc2"]);
        assert_eq!(restored.status.code(), Some(2), "{wanted}: {}", said(&restored));
        assert!(said(&restored).contains("no good generation"), "{wanted}: {}", said(&restored));
        fs::write(path, whole).unwrap();
        assert_eq!(store.verified().0, Some(0), "{wanted}");
    }
}

#[test]
fn that_there_are_generations_of_single_partitions_is_said_with_how_to_write_one_back() {
    const PART: &str = "20260223-142501-4f3a";
    let (server, disk) = (BootServer::with_hosts(1), SavedDisk::get());
    disk.put_generation_of_a_part(&server, PART);
    let refused = server.run(&["restore", "--yes", "pc2"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    let words = format!(
        "pc2 has no good generation of a whole disk: there are only generations of some partitions, {PART} (partition 1); \
         'ghostctl restore --partition 1 pc2' writes those of the newest one back"
    );
    assert!(said(&refused).contains(&words), "{}", said(&refused));
    let other = server.run(&["restore", "--yes", "--partition", "2", "pc2"]);
    assert!(said(&other).contains("no good generation that holds these partitions"), "{}", said(&other));
    assert!(said(&other).contains(&format!("{PART} (partition 1)")), "{}", said(&other));
}

/// A file system of its own for an image store, in which there is no room left.
struct Full(PathBuf);

impl Full {
    fn make(store: &Path) -> Self {
        let (kept, path) = (store.with_file_name("kept"), store.to_str().unwrap());
        fs::rename(store, &kept).unwrap();
        fs::create_dir(store).unwrap();
        run("mount", &["-t", "tmpfs", "-o", "size=32m", "tmpfs", path]);
        let full = Self(store.to_owned());
        run("cp", &["-a", &format!("{}/.", kept.display()), path]);
        let mut filler = File::create(store.join("filler")).unwrap();
        let error = std::io::copy(&mut std::io::repeat(7), &mut filler).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        full
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

#[test]
fn a_verdict_is_told_although_there_is_no_room_for_it() {
    let store = Store::new();
    let full = Full::make(&store.server.path("store"));
    let said_so = "the result of this check cannot be saved";
    let (status, words) = store.verified();
    assert_eq!((status, words.contains("is whole")), (Some(75), true), "{words}");
    assert!(words.contains(said_so) && words.contains("No space left on device"), "{words}");
    let piece = store.piece();
    store.flip_a_bit(&piece);
    let (status, words) = store.verified();
    assert_eq!(status, Some(1), "what is damaged is never taken for anything else: {words}");
    assert!(words.contains(&format!("\"disk0/{piece}\" is not what was written")), "{words}");
    assert!(words.contains(said_so), "{words}");
    fs::remove_file(full.0.join("filler")).unwrap();
    let (status, words) = store.verified();
    assert_eq!((status, words.contains(said_so)), (Some(1), false), "{words}");
    store.flip_a_bit(&piece);
    assert_eq!(store.verified().0, Some(0), "it is whole again, and that is written down");
}

#[test]
fn an_image_whose_checksums_are_right_and_whose_inside_is_not_is_damaged_too() {
    let store = Store::new();
    // As if the imager had written rubbish and vouched for it: description, checksums and manifest all agree.
    let piece = store.piece();
    let path = store.folder().join(&piece);
    let mut bytes = fs::read(&path).unwrap();
    let before = sha256(&path);
    bytes[1_000..1_064].fill(0);
    fs::write(&path, bytes).unwrap();
    vouch(&store.folder().join("disk.json"), &before, &sha256(&path));
    vouch(&store.folder().join("SHA256SUMS"), &before, &sha256(&path));
    let described = sha256(&store.folder().join("disk.json"));
    let sums = fs::read_to_string(store.folder().join("SHA256SUMS")).unwrap();
    let old = sums.lines().find_map(|line| line.strip_suffix("  disk.json")).unwrap().to_owned();
    vouch(&store.folder().join("SHA256SUMS"), &old, &described);
    let manifest = store.folder().with_file_name("manifest.json");
    let listed = sha256(&store.folder().join("SHA256SUMS"));
    vouch(&manifest, &before, &sha256(&path));
    vouch(&manifest, &old, &described);
    vouch(&manifest, &sha256_in(&manifest, "disk0/SHA256SUMS"), &listed);
    let (status, words) = store.verified();
    assert_eq!((status, words.contains("\"disk0\" does not hold together")), (Some(1), true), "{words}");
}

fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

fn sha256_in(manifest: &Path, piece: &str) -> String {
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    let pieces = manifest["pieces"].as_array().unwrap();
    let found = pieces.iter().find(|found| found["path"] == piece).unwrap();
    found["sha256"].as_str().unwrap().to_owned()
}

fn vouch(file: &Path, before: &str, after: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(before), "{}", file.display());
    fs::write(file, text.replace(before, after)).unwrap();
}

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
fn is_running(pid: u64) -> bool {
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
fn assert_is_confined(pid: u64) {
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

#[test]
fn an_exported_disk_is_the_disk_in_both_formats() {
    let store = Store::new();
    for format in ["raw", "qcow2"] {
        let file = store.server.path(&format!("exported.{format}"));
        let words = ["export", "--format", format, "pc2", file.to_str().unwrap()];
        let exported = store.images(&words);
        assert_eq!(exported.status.code(), Some(0), "{}", said(&exported));
        assert_eq!(store.images(&words).status.code(), Some(2), "nothing is overwritten");
        let raw = if format == "raw" { file.clone() } else { store.server.path("converted") };
        if format == "qcow2" {
            run("qemu-img", &["check", "-q", file.to_str().unwrap()]);
            let to = raw.to_str().unwrap();
            run("qemu-img", &["convert", "-f", "qcow2", "-O", "raw", file.to_str().unwrap(), to]);
        }
        let metadata = fs::metadata(&raw).unwrap();
        assert_eq!(metadata.len(), SIZE * MEBIBYTE);
        assert!(metadata.blocks() * 512 < metadata.len() / 2, "it has holes");
        assert!(store.disk.is(&raw), "{format}");
    }
    let left: Vec<_> = fs::read_dir(store.server.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".exported"))
        .collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn what_ghost_made_is_whole_and_opaque() {
    let store = Store::new();
    let (host, job): (_, JobId) = ("pc2".parse().unwrap(), "20260124-142501-4f3a".parse().unwrap());
    let catalog = store.server.catalog();
    fs::write(catalog.stage(&host, &job).unwrap().join("image.gho"), "Ghost's").unwrap();
    let program = ghost_contract::order::DosProgram {
        command: "ghost.exe".to_owned(),
        graphics: ghost_contract::order::Graphics::Vga,
    };
    let facts = Facts {
        mac: MacAddress::new([2, 0, 0, 0, 0, 2]),
        mode: Mode::Backup,
        imager: Imager::DosboxX(program),
        started: UnixTime::from_millis(1_000),
        ended: UnixTime::from_millis(4_000),
        checked: UnixTime::from_millis(5_000),
    };
    catalog.finish(&host, &job, &facts).unwrap();
    assert_eq!(store.verified().0, Some(0));
    let at = store.mount_point();
    let file = store.server.path("exported");
    for words in [
        &["mount", "pc2", at.to_str().unwrap()][..],
        &["export", "--format", "raw", "pc2", file.to_str().unwrap()],
    ] {
        let refused = store.images(words);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains("was made by Norton Ghost, run by DOSBox-X"), "{}", said(&refused));
    }
}
