//! Onto a disk on which the partitions do not fit, with the last one shrunk.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ghost_contract::image::{Ending, TargetDisk};
use ghost_contract::sample::effects::unmount;

use crate::bench::{Bench, files, fill, mounted, ntfs_facts, ntfs_file, table, used_ntfs, with_ext};
use crate::disk::{self, Loop, MIB, noise, peek, run};
use crate::imager::done;

/// Where the root is on the disk of [`linux`], in the image.
const ROOT: (u64, u64) = (41 * MIB, 158 * MIB);
const LINUX: u64 = 200 * MIB;

/// A Linux machine's disk: EFI system partition and an ext4 to the end, with files all over it.
fn linux(folder: &Path) -> PathBuf {
    let disk = folder.join("linux.disk");
    disk::blank(&disk, LINUX);
    disk::partition(
        &disk,
        "label: gpt\nsize=40M, type=U, name=\"EFI system\", attrs=RequiredPartition\n\
        size=158M, type=L, name=root, attrs=\"LegacyBIOSBootable GUID:60\"\n",
    );
    disk::poke(&disk, 0, &noise(1, 440));
    disk::poke(&disk, 60 * 512, &noise(2, 50_000));
    disk::put(&disk, &disk::file_system(folder, "vfat", 40 * MIB), MIB);
    let root = folder.join("root.fs");
    disk::blank(&root, ROOT.1);
    run("mke2fs", &["-q", "-F", "-t", "ext4", "-L", "root", root.to_str().unwrap()]);
    mounted(&root, folder, |place| fill(place, 20, 70 * MIB));
    disk::put(&disk, &root, ROOT.0);
    disk
}

#[test]
fn an_ext4_behind_an_efi_partition() {
    let bench = Bench::of(linux);
    let original = bench.path("linux.disk");
    let target = bench.target(100 * MIB);
    let notes = bench.done(&target);
    let length = 100 * MIB - MIB - ROOT.0;
    assert_eq!(
        notes,
        [format!("partition 2 was shrunk from {} to {length} bytes, and its file system with it", ROOT.1)]
    );
    let expected = table(&original).replace("last-lba: 409566", "last-lba: 204766").replace(
        &format!("size= {:>11}, type=0FC", ROOT.1 / 512),
        &format!("size= {:>11}, type=0FC", length / 512),
    );
    assert_ne!(expected, table(&original));
    assert_eq!(table(&target), expected, "identifiers, names, attributes, places");
    let said = run("sgdisk", &["-v", target.to_str().unwrap()]);
    assert!(said.contains("No problems found"), "{said}");
    for (at, length, what) in [(0, 440, "boot code"), (60 * 512, 50_000, "the gap"), (MIB, 40 * MIB, "FAT")] {
        if what != "FAT" {
            assert!(peek(&target, at, length) == peek(&original, at, length), "{what}");
        }
    }
    let noise_in = |disk: &Path| disk::noise_in(disk, "vfat", MIB, 40 * MIB, bench.folder.path());
    assert!(noise_in(&target) == noise_in(&original));
    let before = with_ext(&original, ROOT, bench.folder.path(), files);
    assert!(before.len() > 15);
    let after = with_ext(&target, (ROOT.0, length), bench.folder.path(), files);
    assert_eq!(after.len(), before.len());
    for (after, before) in after.iter().zip(&before) {
        assert!(after == before, "{}", before.0.display());
    }
    // The disk is as good a source as the first one.
    done("backup", &bench.path("again"), Some(&target), "{}");
}

/// What reads the shrunk file system may take its time to end, and what writes it is gone by then.
#[test]
fn a_pipe_that_is_closed_long_after_its_last_byte() {
    let bench = Bench::of(linux);
    let target = bench.target(100 * MIB);
    // partclone.restore ends within a second or two of the last byte.
    let paths = disk::instead_of("partclone.extfs", "$real \"$@\" && sleep 5", &bench.path("."));
    let mut command = bench.command(&target, Some(&bench.path("scratch")));
    command.env("PATH", paths);
    let ending = bench.end(command);
    assert!(matches!(ending, Ending::Done { .. }), "{ending:?}");
}

/// Where the NTFS of [`windows`] is, and the size of the disk.
const C: (u64, u64) = (21 * MIB, 99 * MIB);
const WINDOWS: u64 = 121 * MIB;

/// A BIOS machine's disk: a small NTFS and a large one behind it.
fn windows(folder: &Path) -> PathBuf {
    let disk = folder.join("windows.disk");
    disk::blank(&disk, WINDOWS);
    disk::partition(
        &disk,
        "label: dos\nlabel-id: 0xCAFE0001\nstart=2048, size=20M, type=7, bootable\nsize=99M, type=7\n",
    );
    disk::poke(&disk, 0, &noise(3, 440));
    disk::put(&disk, &disk::file_system(folder, "ntfs", 20 * MIB), MIB);
    let large = used_ntfs(folder, C.1, C.0 / 512);
    disk::put(&disk, &large, C.0);
    disk
}

#[test]
fn an_ntfs_in_a_dos_table() {
    let bench = Bench::of(windows);
    let original = bench.path("windows.disk");
    let target = bench.target(60 * MIB + 512);
    let notes = bench.done(&target);
    let length = 39 * MIB;
    assert_eq!(
        notes,
        [format!(
            "partition 2 was shrunk from {} to {length} bytes, and its file system with it; Windows will check it when it \
             starts",
            C.1
        )]
    );
    let size = |bytes: u64| format!("{:>11}", bytes / 512);
    let expected = table(&original).replace(&size(C.1), &size(length));
    assert_ne!(expected, table(&original));
    assert_eq!(table(&target), expected);
    // Boot code and everything else in front of the first partition; only the entry's size and its end by cylinder,
    // head and sector are others.
    let (was, is) = (peek(&original, 0, MIB), peek(&target, 0, MIB));
    let changed: Vec<usize> = (0..was.len()).filter(|&at| was[at] != is[at]).collect();
    assert!(changed.iter().all(|at| matches!(at, 467..=469 | 474..=477)), "{changed:?}");

    let part = bench.path("part");
    fs::write(&part, peek(&target, C.0, length)).unwrap();
    let said = run("ntfsresize", &["--info", "--force", "--no-progress-bar", part.to_str().unwrap()]);
    assert!(said.contains("Current volume size: 4089"), "{said}");
    run("ntfsfix", &["-n", part.to_str().unwrap()]);
    let boot = peek(&target, C.0, 512);
    assert_eq!(peek(&target, C.0 + length - 512, 512), boot, "the second boot sector");
    let (mut was, mut is) = (peek(&original, C.0, 512), boot);
    for sector in [&mut was, &mut is] {
        // The volume's length, and where the copy of the first files' records is, which stood in its middle.
        sector[40..48].fill(0);
        sector[56..64].fill(0);
    }
    assert!(was == is, "where the partition starts, in the boot sector, is what Windows boots by");
    for (file, size) in [("A.BIN", 10), ("B.BIN", 9)] {
        let content = ntfs_file(&target, (C.0, length), bench.folder.path(), file);
        assert!(content == noise(size, size * MIB), "{file}");
        let was = ntfs_facts(&original, C, bench.folder.path(), file);
        assert!(was.contains("File Altered Time:") && was.contains("Owner SID:"), "{was}");
        assert_eq!(ntfs_facts(&target, (C.0, length), bench.folder.path(), file), was);
    }
    let small = disk::noise_in(&target, "ntfs", MIB, 20 * MIB, bench.folder.path());
    assert!(small == noise(7, 2 * MIB), "what stands in front of it");
}

#[test]
fn on_a_block_device_the_partition_is_checked_where_it_stands() {
    let bench = Bench::of(windows);
    let file = bench.target(60 * MIB);
    let target = Loop::of(&file, "512");
    let notes = bench.done(&target.0);
    assert!(notes.iter().any(|note| note.starts_with("partition 2 was shrunk")), "{notes:?}");
    assert!(ntfs_file(&file, (C.0, 39 * MIB), bench.folder.path(), "B.BIN") == noise(9, 9 * MIB));
}

#[test]
fn sectors_of_4096_bytes() {
    let mut source = None;
    let bench = Bench::of(|folder| {
        let file = folder.join("4k.disk");
        disk::blank(&file, 64 * MIB);
        let device = Loop::of(&file, "4096");
        disk::partition(&device.0, "label: gpt\nsize=60M, type=L\n");
        disk::put(&file, &disk::file_system(folder, "ext4", 60 * MIB), MIB);
        run("blockdev", &["--flushbufs", device.0.to_str().unwrap()]);
        source.insert(device).0.clone()
    });
    let file = bench.target(40 * MIB);
    let target = Loop::of(&file, "4096");
    bench.done(&target.0);
    let said = run("sgdisk", &["-v", target.0.to_str().unwrap()]);
    assert!(said.contains("No problems found"), "{said}");
    assert_eq!(disk::noise_in(&file, "ext4", MIB, 38 * MIB, bench.folder.path()), noise(7, 2 * MIB));
}

#[test]
fn without_the_order_it_is_refused_with_the_way_to_do_it() {
    let bench = Bench::of(windows);
    let target = bench.target(60 * MIB);
    let (reason, became) = crate::imager::failed("restore", &bench.path("image"), Some(&target), "{}");
    assert_eq!(became, TargetDisk::Untouched);
    for part in
        ["has 62914560 bytes", "needs 125829120", "--shrink", "partition 2 from 103809024 to 40894464 bytes"]
    {
        assert!(reason.contains(part), "{part}: {reason}");
    }
}

#[test]
fn files_that_do_not_fit_are_refused_with_the_numbers() {
    let bench = Bench::of(windows);
    // What is used alone is too much.
    let said = bench.refused(&bench.target(38 * MIB), Some(&bench.path("scratch")));
    assert!(said.contains("partition 2 would have 17825792 bytes, and its file system uses "), "{said}");
}

#[test]
fn what_only_the_file_system_s_tool_knows_is_refused_too() {
    let bench = Bench::of(linux);
    // The used blocks would fit if many of them were tables of inodes, which could go; they are not.
    let said = bench.refused(&bench.target(57 * MIB), Some(&bench.path("scratch")));
    assert!(said.contains("can be shrunk to ") && said.contains("15728640 are left for it"), "{said}");
}

/// A folder for scratch files with so much room.
fn with_store<T>(bench: &Bench, size: &str, work: impl FnOnce(&Path) -> T) -> T {
    let store = bench.path("store");
    fs::create_dir(&store).unwrap();
    let place = store.to_str().unwrap();
    run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", place]);
    let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&store)));
    unmount(&store);
    worked.unwrap()
}

#[test]
fn no_room_for_a_scratch_file() {
    let bench = Bench::of(windows);
    let target = bench.target(60 * MIB);
    let said = bench.refused(&target, None);
    assert!(said.contains("--scratch"), "{said}");
    let said = with_store(&bench, "8m", |store| {
        let said = bench.refused(&target, Some(store));
        assert_eq!(fs::read_dir(store).unwrap().count(), 0);
        said
    });
    assert!(said.contains("the image store has 8388608 bytes free, and "), "{said}");
}

#[test]
fn no_way_to_check_it_where_it_will_stand() {
    let bench = Bench::of(windows);
    let target = bench.target(60 * MIB);
    // All the tools that there are, but not the one that makes loop devices.
    let tools = bench.path("tools");
    fs::create_dir(&tools).unwrap();
    for folder in ["/usr/sbin", "/usr/bin", "/sbin", "/bin"] {
        for tool in fs::read_dir(folder).unwrap().map(|tool| tool.unwrap()) {
            if tool.file_name() != "losetup" {
                let _in_both = std::os::unix::fs::symlink(tool.path(), tools.join(tool.file_name()));
            }
        }
    }
    let before = fs::read(&target).unwrap();
    let mut command = bench.command(&target, Some(&bench.path("scratch")));
    command.env("PATH", &tools);
    let Ending::Failed { reason, target: became } = bench.end(command) else { panic!("it was done") };
    assert_eq!(became, TargetDisk::Untouched, "{reason}");
    assert!(reason.contains("cannot make a loop device"), "{reason}");
    assert!(fs::read(&target).unwrap() == before);
}

#[test]
fn a_store_that_fills_up_meanwhile_leaves_the_disk_alone() {
    let bench = Bench::of(windows);
    let target = bench.target(60 * MIB);
    // More than the store holds, so that there is no room for all of it whatever the imager does.
    let (before, filling) = (fs::read(&target).unwrap(), noise(1, 66 * MIB));
    let (held, go_on) = (bench.path("held"), bench.path("go on"));
    let waits = format!(
        "touch '{}'; while kill -0 $PPID && [ ! -e '{}' ]; do sleep 0.05; done; $real \"$@\"",
        held.display(),
        go_on.display()
    );
    let paths = disk::instead_of("partclone.restore", &waits, &bench.path("."));
    let ended = with_store(&bench, "64m", |store| {
        let mut child = bench.command(&target, Some(store)).env("PATH", &paths).spawn().unwrap();
        let scratch = store.join("disk0.scratch");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !held.exists() {
            assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "it is never written");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(scratch.exists(), "there was room for it");
        // Somebody else has a backup written, before the tool that fills the scratch file does so.
        let filled = fs::write(store.join("else"), &filling);
        assert_eq!(filled.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
        fs::write(&go_on, "").unwrap();
        child.wait().unwrap();
        assert!(!scratch.exists(), "a scratch file is left");
        bench.ending()
    });
    let Ending::Failed { reason, target: became } = ended else { panic!("it was done") };
    assert_eq!(became, TargetDisk::Untouched, "{reason}");
    assert!(reason.contains("the scratch file cannot be written"), "{reason}");
    assert!(fs::read(&target).unwrap() == before);
}

#[test]
fn a_failure_in_the_middle_leaves_no_scratch_file_and_no_table() {
    let bench = Bench::of(windows);
    let target = bench.target(60 * MIB);
    // What stands in front is damaged, which is not looked for beforehand: it fails once the other is shrunk.
    let piece = bench.path("image/disk0/001-p1-ntfs.partclone.zst.000");
    let mut bytes = fs::read(&piece).unwrap();
    bytes[1000] ^= 4;
    fs::write(&piece, bytes).unwrap();
    let command = bench.command(&target, Some(&bench.path("scratch")));
    let unchecked = "{\"smaller_disk\": \"shrink\", \"restore_check\": \"skip\"}";
    fs::write(bench.path("image.settings"), unchecked).unwrap();
    let Ending::Failed { reason, target: became } = bench.end(command) else { panic!("it was done") };
    assert_eq!(became, TargetDisk::Incomplete);
    assert!(reason.contains(piece.to_str().unwrap()), "{reason}");
    for at in [0, 59 * MIB] {
        assert!(peek(&target, at, MIB).iter().all(|&byte| byte == 0));
    }
}
