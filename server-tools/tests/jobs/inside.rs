//! Generations with real images of a disk: is damage found and named, and can one look into them?

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ghost_contract::order::Imager;
use ghost_contract::{JobId, MacAddress, Mode, UnixTime};
use ghostctl::catalog::Facts;

use super::boot_server::{BootServer, said};
use super::client::{Behaviour, Client};
use super::images::{sha256, write_manifest};
use super::saved_disk::{MEBIBYTE, SIZE, SavedDisk, run};

pub(crate) mod damage;
mod hostile;
mod mounts;
mod parts;

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
fn the_files_that_could_not_be_read_are_shown_without_what_speaks_to_a_terminal() {
    let store = Store::new();
    let path = store.server.path("store/pc2").join(GENERATION).join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["disks"][0]["hits"] = serde_json::json!([
        { "partition": 1, "files": ["/letter\u{1b}[31m"], "unknown": null },
        { "partition": 2, "files": [], "unknown": "no tool tells it" },
    ]);
    let ours = fs::read(&path).unwrap();
    fs::write(&path, manifest.to_string()).unwrap();
    assert!(said(&store.images(&["show", "pc2"])).contains("can be believed"), "it is not ours any more");
    let adopted = store.images(&["adopt", "pc2", GENERATION]);
    assert_eq!(adopted.status.code(), Some(1), "its image says another thing: {}", said(&adopted));
    fs::write(&path, ours).unwrap();
    write_manifest(&store.server, &path, &manifest);
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

/// Another image, which holds together as well, in the place of the one that was checked.
#[test]
fn an_image_that_nobody_vouches_for_is_neither_exported_nor_mounted() {
    let store = Store::new();
    let description = store.folder().join("disk.json");
    let (ours, sums) = (fs::read_to_string(&description).unwrap(), store.folder().join("SHA256SUMS"));
    let sum = || sha256(&description);
    let before = sum();
    fs::write(&description, format!("{ours}\n")).unwrap();
    let listed = fs::read_to_string(&sums).unwrap();
    fs::write(&sums, listed.replace(&before, &sum())).unwrap();
    let (at, file) = (store.mount_point(), store.server.path("exported"));
    for words in [
        &["mount", "pc2", at.to_str().unwrap()][..],
        &["export", "--format", "raw", "pc2", file.to_str().unwrap()],
    ] {
        let refused = store.images(words);
        assert_ne!(refused.status.code(), Some(0), "{}", said(&refused));
        assert!(
            said(&refused).contains("is not the one that the boot server vouches for"),
            "{}",
            said(&refused)
        );
    }
    assert!(!file.exists());
}

/// More pieces than a program may have open by default: of a terabyte, at 1 GiB each.
#[test]
fn an_image_of_many_pieces_is_not_damaged() {
    let server = BootServer::with_hosts(1);
    let noise = |ext4: &Path| {
        let file = server.path("noise");
        let mut random = File::open("/dev/urandom").unwrap().take(12 * MEBIBYTE);
        io::copy(&mut random, &mut File::create(&file).unwrap()).unwrap();
        run("debugfs", &["-w", "-R", &format!("write {} noise", file.display()), ext4.to_str().unwrap()]);
    };
    SavedDisk::with(&noise).put_generation(&server, GENERATION);
    let command = server.command(["images", "verify", "pc2"]);
    let mut few = Command::new("prlimit");
    few.arg("--nofile=16:4096").arg(command.get_program()).args(command.get_args());
    let checked = few.output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", said(&checked));
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
