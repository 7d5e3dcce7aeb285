//! Disks that are not as they should be when they are saved.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ghost_contract::image::{Content, Hit, Phase, Progress, Range, RawReason};
use ghost_contract::sample::effects::unmount;

use crate::bench::mounted;
use crate::disk::{self, MIB, noise, peek, poke, run};
use crate::imager::{command, description, done, failed};

/// Why the first partition is saved with every byte.
fn reason(image: &Path) -> RawReason {
    let image = description(image);
    let region = image.regions.iter().find(|region| region.partition == Some(1)).unwrap();
    match &region.content {
        Content::Raw { reason, .. } => reason.clone(),
        other => panic!("{other:?}"),
    }
}

/// A disk with one partition, which holds this.
fn with(folder: &Path, file_system: &Path, size: u64) -> PathBuf {
    let disk = folder.join("disk");
    disk::blank(&disk, size + 2 * MIB);
    disk::partition(&disk, &format!("label: gpt\nsize={}M\n", size / MIB));
    disk::put(&disk, file_system, MIB);
    disk
}

/// An NTFS that was not closed is refused with these words, or saved with every byte if that is ordered.
fn is_not_closed(ntfs: &Path, words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let disk = with(folder.path(), ntfs, 40 * MIB);
    let before = peek(&disk, 0, 42 * MIB);
    let image = folder.path().join("image");
    let (said, _) = failed("backup", &image, Some(&disk), "{}");
    assert!(
        said.contains("partition 1") && said.contains(words) && said.contains("dirty_ntfs=raw"),
        "{said}"
    );
    assert!(!image.join("disk0").exists());
    done("backup", &image, Some(&disk), "{\"dirty_ntfs\": \"raw\"}");
    assert!(matches!(reason(&image), RawReason::NotClean { .. }));
    assert!(peek(&disk, 0, 42 * MIB) == before, "the disk was written");
    let target = folder.path().join("target");
    fs::write(&target, noise(3, 42 * MIB)).unwrap();
    done("restore", &image, Some(&target), "{}");
    assert!(fs::read(target).unwrap() == before);
}

#[test]
fn a_hibernated_ntfs_is_refused_or_saved_with_every_byte_as_ordered() {
    let folder = tempfile::tempdir().unwrap();
    let ntfs = disk::file_system(folder.path(), "ntfs", 40 * MIB);
    let hibernation = folder.path().join("hiberfil");
    // A session that can be resumed begins so (ntfs-3g, `ntfs_volume_check_hiberfile`).
    fs::write(&hibernation, [b"hibr".to_vec(), vec![0; 8192]].concat()).unwrap();
    run("ntfscp", &["-q", ntfs.to_str().unwrap(), hibernation.to_str().unwrap(), "hiberfil.sys"]);
    is_not_closed(&ntfs, "hibernated");
}

#[test]
fn an_ntfs_that_chkdsk_is_to_look_at_is_refused_or_saved_with_every_byte_as_ordered() {
    let folder = tempfile::tempdir().unwrap();
    let ntfs = disk::file_system(folder.path(), "ntfs", 40 * MIB);
    // It empties the journal and sets the flag, so that Windows checks what it has repaired (ntfsfix(8)).
    run("ntfsfix", &[ntfs.to_str().unwrap()]);
    is_not_closed(&ntfs, "marked to be checked by chkdsk");
}

#[test]
fn an_ext4_with_a_journal_to_replay_is_saved_with_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    let ext = disk::file_system(folder.path(), "ext4", 40 * MIB);
    // As while it is mounted. debugfs puts the superblock's checksum right, else blkid of Debian 13 sees no ext4 in it.
    run("debugfs", &["-w", "-R", "feature needs_recovery", ext.to_str().unwrap()]);
    let disk = with(folder.path(), &ext, 40 * MIB);
    let image = folder.path().join("image");
    let notes = done("backup", &image, Some(&disk), "{}");
    assert!(
        notes[0].contains("partition 1 is saved with every byte: its journal needs recovery"),
        "{notes:?}"
    );
    assert!(matches!(reason(&image), RawReason::NotClean { .. }));
}

#[test]
fn of_two_disks_it_is_said_which_one_is_meant_and_none_is_saved_before_both_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let ntfs = disk::file_system(folder.path(), "ntfs", 20 * MIB);
    run("ntfsfix", &[ntfs.to_str().unwrap()]);
    let clean = disk::file_system(folder.path(), "vfat", 40 * MIB);
    let backup = |image: &str, settings: &str| {
        let image = folder.path().join(image);
        let status =
            command("backup", &image, Some(&clean), settings).arg("--disk").arg(&ntfs).status().unwrap();
        (status.success(), fs::read_to_string(image.with_extension("result")).unwrap())
    };
    let (done, said) = backup("refused", "{}");
    assert!(!done && said.contains(&format!("\"{}: the disk is an NTFS", ntfs.display())), "{said}");
    let left: Vec<_> = fs::read_dir(folder.path().join("refused/disk0")).into_iter().flatten().collect();
    assert!(left.is_empty(), "the first disk was saved, and the second one is refused: {left:?}");
    let progress = fs::read(folder.path().join("refused.progress")).unwrap();
    let Progress { phase, disk, disks, .. } = serde_json::from_slice(&progress).unwrap();
    assert_eq!((phase, disk, disks), (Phase::Surveying, 1, 2));
    let (done, said) = backup("raw", "{\"dirty_ntfs\": \"raw\"}");
    assert!(
        done && said.contains(&format!("\"{}: the disk is saved with every byte", ntfs.display())),
        "{said}"
    );
}

/// A copy of a file system of this kind, taken while it was mounted and had been written to.
fn mounted_copy(folder: &Path, kind: &str, size: u64) -> PathBuf {
    let (file_system, place) = (disk::file_system(folder, kind, size), folder.join("mounted"));
    fs::create_dir(&place).unwrap();
    run("mount", &["-o", "loop", file_system.to_str().unwrap(), place.to_str().unwrap()]);
    let copy = folder.join("copy");
    let copied = std::panic::catch_unwind(|| {
        for number in 0..50 {
            fs::write(place.join(format!("file-{number}")), noise(number, 5000)).unwrap();
        }
        run("sync", &["--file-system", place.to_str().unwrap()]);
        // What is synced alone goes to the log, until the next commit.
        let mut file = File::options().append(true).open(place.join("file-1")).unwrap();
        file.write_all(b"more").unwrap();
        file.sync_all().unwrap();
        run("cp", &[file_system.to_str().unwrap(), copy.to_str().unwrap()]);
    });
    unmount(&place);
    copied.unwrap();
    copy
}

#[test]
fn an_xfs_and_a_btrfs_with_a_log_to_replay_are_saved_with_every_byte() {
    for (kind, size) in [("xfs", 310 * MIB), ("btrfs", 120 * MIB)] {
        let folder = tempfile::tempdir().unwrap();
        let copy = mounted_copy(folder.path(), kind, size);
        let disk = with(folder.path(), &copy, size);
        let image = folder.path().join("image");
        done("backup", &image, Some(&disk), "{}");
        let reason = reason(&image);
        assert!(
            matches!(&reason, RawReason::NotClean { state } if state.contains("replay")),
            "{kind}: {reason:?}"
        );
    }
}

/// A disk that cannot be read in one place: it is a file in a btrfs, whose block there does not have its checksum.
struct Failing {
    place: PathBuf,
    disk: PathBuf,
}

impl Failing {
    fn at(folder: &Path, disk: &Path, bad: u64) -> Self {
        let (host, place) = (folder.join("host"), folder.join("failing"));
        fs::create_dir(&place).unwrap();
        disk::blank(&host, 256 * MIB);
        run("mkfs.btrfs", &["-q", host.to_str().unwrap()]);
        mounted(&host, folder, |place| {
            run("cp", &["--sparse=always", disk.to_str().unwrap(), place.join("disk").to_str().unwrap()]);
        });
        let wanted = peek(disk, bad, 4096);
        let bytes = fs::read(&host).unwrap();
        let block = bytes.chunks(4096).position(|block| block == wanted).unwrap();
        poke(&host, block as u64 * 4096, b"other");
        run("mount", &["-o", "loop", host.to_str().unwrap(), place.to_str().unwrap()]);
        Self { disk: place.join("disk"), place }
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        unmount(&self.place);
    }
}

/// The place of a byte of the file, and 4096 bytes around it that are nowhere else.
fn place_of_noise(disk: &Path) -> u64 {
    let (bytes, wanted) = (fs::read(disk).unwrap(), noise(7, 2 * MIB));
    let block = wanted.chunks(4096).nth(100).unwrap();
    bytes.chunks(4096).position(|found| found == block).unwrap() as u64 * 4096
}

#[test]
fn where_a_disk_cannot_be_read_is_said_and_a_rescue_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let ext = disk::file_system(folder.path(), "ext4", 40 * MIB);
    let disk = with(folder.path(), &ext, 40 * MIB);
    let bad = place_of_noise(&disk);
    let failing = Failing::at(folder.path(), &disk, bad);
    let image = folder.path().join("image");
    let (said, _) = failed("backup", &image, Some(&failing.disk), "{}");
    // The kernel loses as much around the place as it reads at once.
    let around = |start: u64| (bad - 64 * 1024..=bad).contains(&start);
    let place = said.split("at byte ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(said.contains("partition 1") && around(place.parse::<u64>().unwrap() + MIB), "{said}, {bad}");
    assert!(!image.join("disk0/disk.json").exists());

    let rescued = folder.path().join("rescued");
    let notes = done("backup", &rescued, Some(&failing.disk), "{\"on_read_error\": \"rescue\"}");
    assert!(notes[0].contains("1 places of the disk could not be read"), "{notes:?}");
    let ranges = description(&rescued).bad_ranges;
    let [Range { start, length }] = ranges[..] else { panic!("{ranges:?}") };
    assert!(around(start) && (bad + 4096..bad + 64 * 1024).contains(&(start + length)), "{ranges:?}, {bad}");
    let hit = Hit { partition: Some(1), volume: None, files: vec!["/NOISE.BIN".to_owned()], unknown: None };
    assert_eq!(description(&rescued).hits, [hit]);
    done("check", &rescued, None, "{}");
    let target = folder.path().join("target");
    disk::blank(&target, 42 * MIB);
    done("restore", &rescued, Some(&target), "{}");
    let is = |from: u64, length: u64| peek(&target, from, length) == peek(&disk, from, length);
    assert!(is(start - 4096, 4096) && is(start + length, 4096) && !is(bad, 4096));
    assert!(peek(&target, start, 9) == b"BADSECTOR", "what partclone leaves there");
}

#[test]
fn which_file_was_hit_is_said_or_that_no_tool_can_tell() {
    for (kind, size, name) in [("ntfs", 40, "/NOISE.BIN"), ("xfs", 320, "NOISE.BIN"), ("btrfs", 120, "")] {
        let folder = tempfile::tempdir().unwrap();
        let made = disk::file_system(folder.path(), kind, size * MIB);
        let disk = with(folder.path(), &made, size * MIB);
        let failing = Failing::at(folder.path(), &disk, place_of_noise(&disk));
        let image = folder.path().join("image");
        done("backup", &image, Some(&failing.disk), "{\"on_read_error\": \"rescue\"}");
        let hits = description(&image).hits;
        let [Hit { partition: Some(1), files, unknown, .. }] = &hits[..] else { panic!("{kind}: {hits:?}") };
        match name {
            "" => {
                assert!(unknown.as_ref().unwrap().contains("no tool tells it of btrfs"), "{unknown:?}");
                assert!(files.is_empty(), "{files:?}");
            }
            name => assert_eq!((&files[..], unknown), (&[name.to_owned()][..], &None), "{kind}"),
        }
    }
}

#[test]
fn a_raw_region_that_cannot_be_read_is_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let unknown = folder.path().join("unknown");
    fs::write(&unknown, noise(7, 8 * MIB)).unwrap();
    let disk = with(folder.path(), &unknown, 8 * MIB);
    let bad = MIB + 100 * 4096;
    let failing = Failing::at(folder.path(), &disk, bad);
    let image = folder.path().join("image");
    let (said, _) = failed("backup", &image, Some(&failing.disk), "{}");
    assert!(said.contains(&format!("the disk cannot be read at byte {bad}")), "{said}");
    let rescued = folder.path().join("rescued");
    done("backup", &rescued, Some(&failing.disk), "{\"on_read_error\": \"rescue\"}");
    assert_eq!(description(&rescued).bad_ranges, [Range { start: bad, length: 4096 }]);
}

/// The reason of a backup whose tool of this name is a script instead; `$real` is the tool.
fn with_tool(folder: &Path, tool: &str, script: &str) -> String {
    let disk = disk::small(folder);
    let image = folder.join("image");
    let paths = disk::instead_of(tool, script, folder);
    let start = Instant::now();
    let status = command("backup", &image, Some(&disk), "{}").env("PATH", paths).status().unwrap();
    assert!(!status.success() && !image.join("disk0/disk.json").exists());
    assert!(start.elapsed() < Duration::from_secs(50), "it waited for something that does not come");
    fs::read_to_string(image.with_extension("result")).unwrap()
}

#[test]
fn a_partclone_that_breaks_off_is_noticed_whatever_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let said = with_tool(folder.path(), "partclone.extfs", "$real \"$@\" | head -c 1000000; exit 3");
    assert!(said.contains("partclone.extfs failed (exit status: 3)"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let said = with_tool(folder.path(), "partclone.extfs", "$real \"$@\" | head -c 1000000; exit 0");
    assert!(said.contains("partclone's image ends too early, at least"), "{said}");
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (folder.path().join("disk"), folder.path().join("image"));
    disk::blank(&disk, MIB);
    let (said, _) = failed("backup", &image, Some(&disk), "{\"compression_level\": 30}");
    assert!(said.contains("1 to 19"), "{said}");
    let (said, _) = failed("backup", &image, Some(&disk), "{\"rescue\"");
    assert!(said.contains("no settings that can be understood"), "{said}");
}

#[test]
fn an_image_that_no_restore_would_take_is_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    // The first partition would begin within a sector.
    let script = "$real \"$@\" | sed 's/\"sectorsize\": *512/\"sectorsize\": 100/; s/\"start\": *2048/\"start\": 2049/'";
    let said = with_tool(folder.path(), "sfdisk", script);
    assert!(said.contains("what was saved of the disk could not be restored"), "{said}");
    assert!(said.contains("region 0 is not made of whole sectors"), "{said}");
}

#[test]
fn a_name_of_a_partition_that_is_no_text_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (disk::small(folder.path()), folder.path().join("image"));
    // Half of a surrogate pair, in the name of the first entry of both copies; then their checksums are made anew.
    run("sgdisk", &["--change-name=1:A", disk.to_str().unwrap()]);
    for entries in [1024, 64 * MIB - 33 * 512] {
        poke(&disk, entries + 56, &[0x00, 0xD8]);
    }
    for (header, entries) in [(512, 1024), (64 * MIB - 512, 64 * MIB - 33 * 512)] {
        let sum = crc32fast::hash(&peek(&disk, entries, 128 * 128));
        poke(&disk, header + 88, &sum.to_le_bytes());
        poke(&disk, header + 16, &[0; 4]);
        let sum = crc32fast::hash(&peek(&disk, header, 92));
        poke(&disk, header + 16, &sum.to_le_bytes());
    }
    done("backup", &image, Some(&disk), "{}");
    let target = folder.path().join("target");
    fs::write(&target, noise(3, 64 * MIB)).unwrap();
    done("restore", &image, Some(&target), "{}");
    assert!(peek(&target, 0, MIB) == peek(&disk, 0, MIB));
}

#[test]
fn a_gap_of_zeros_takes_next_to_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image, target) =
        (folder.path().join("disk"), folder.path().join("image"), folder.path().join("target"));
    // On a disk without a table every byte is saved.
    disk::blank(&disk, 2 << 30);
    poke(&disk, 0, &noise(1, MIB));
    poke(&disk, (2 << 30) - MIB, &noise(2, MIB));
    done("backup", &image, Some(&disk), "{}");
    let stored: u64 = description(&image).streams().map(|stream| stream.stored()).sum();
    assert!(stored < 4 * MIB, "{stored}");
    disk::blank(&target, 2 << 30);
    done("restore", &image, Some(&target), "{}");
    for at in [0, 1 << 30, (2 << 30) - MIB] {
        assert!(peek(&target, at, MIB) == peek(&disk, at, MIB), "{at}");
    }
    let blocks = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&target).unwrap());
    assert!(blocks * 512 < 8 * MIB, "{blocks} blocks of zeros were written");
}
