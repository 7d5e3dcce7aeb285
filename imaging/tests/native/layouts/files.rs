//! File systems with a small tree of files in them, and reading that back, by programs that know the file system: no driver of
//! the kernel's is needed but FUSE for exFAT.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::disk::{MIB, blank, copy_part, noise};

/// An exFAT, which FUSE reads from block devices only.
const MOUNTED: &str = "mkdir -p mounted; device=$(losetup --find --show $fs); mount.exfat-fuse $device mounted >/dev/null 2>&1;";

/// What a reader finds: name and checksum.
pub(crate) type Files = BTreeMap<String, String>;

/// The files: small ones, one of 2 MiB, and what is in a folder.
fn tree(folder: &Path) -> PathBuf {
    let tree = folder.join("tree");
    if !tree.exists() {
        fs::create_dir_all(tree.join("folder")).unwrap();
        fs::write(tree.join("NOISE.BIN"), noise(7, 2 * MIB)).unwrap();
        for index in 0..20 {
            let name = format!("FILE{index}.BIN");
            fs::write(tree.join("folder").join(name), noise(100 + index, 100 + index * 1777)).unwrap();
        }
    }
    tree
}

/// Makes a file system with these options of its mkfs in `KIND.made`.
pub(crate) fn make(folder: &Path, kind: &str, size: u64, options: &str) -> PathBuf {
    let (tree, path) = (tree(folder), folder.join(format!("{kind}.made")));
    blank(&path, size);
    let script = match kind {
        "ext" => format!("mke2fs -q -F -d tree {options} $fs"),
        "fat" => {
            format!("mkfs.vfat {options} $fs; mcopy -s -Q -i $fs tree/NOISE.BIN tree/folder ::")
        }
        "ntfs" => format!(
            "mkntfs -q -Q -F {options} $fs; ntfscp -q $fs tree/NOISE.BIN NOISE.BIN
             for f in tree/folder/*; do ntfscp -q $fs $f $(basename $f); done"
        ),
        "btrfs" => format!("mkfs.btrfs -q --rootdir tree {options} $fs"),
        "xfs" => {
            let names =
                (0..20).map(|index| format!("FILE{index}.BIN ---644 0 0 tree/folder/FILE{index}.BIN\n"));
            let folder_of = format!("folder d--755 0 0\n{}$\n", names.collect::<String>());
            let lines =
                format!("/dev/null\n0 0\nd--755 0 0\nNOISE.BIN ---644 0 0 tree/NOISE.BIN\n{folder_of}$\n");
            fs::write(folder.join("prototype"), lines).unwrap();
            format!("mkfs.xfs -q -f -p prototype {options} $fs")
        }
        "exfat" => format!(
            "mkfs.exfat {options} $fs >/dev/null; {MOUNTED} cp -r tree/. mounted; umount mounted; losetup -d $device"
        ),
        "f2fs" => format!("mkfs.f2fs -q {options} $fs; sload.f2fs -f tree $fs >/dev/null"),
        other => panic!("no {other} here"),
    };
    assert!(tree.is_dir());
    shell(folder, &path, &script);
    path
}

/// The files of a file system on a disk, which must be sound.
pub(crate) fn read(folder: &Path, kind: &str, disk: &Path, (at, size): (u64, u64)) -> Files {
    let (part, out) = (folder.join("part"), folder.join("out"));
    copy_part(disk, (at, size), &part);
    let _earlier = fs::remove_dir_all(&out);
    fs::create_dir(&out).unwrap();
    let script = match kind {
        "ext" => "e2fsck -f -n $fs >&2; debugfs -R 'rdump / out' $fs",
        "fat" => "fsck.fat -n $fs >&2; mcopy -s -Q -n -i $fs '::*' out",
        "ntfs" => {
            "ntfsresize --info --force --no-progress-bar $fs >&2; ntfsfix -n $fs >&2
             for f in NOISE.BIN FILE{0..19}.BIN; do ntfscat --force $fs $f >out/$f; done"
        }
        "btrfs" => "btrfs check --check-data-csum $fs >&2; btrfs restore -S $fs out >/dev/null",
        "xfs" => "xfs_repair -n -f $fs >&2",
        "exfat" => &format!(
            "fsck.exfat -n $fs >&2; {MOUNTED} cp -r mounted/. out; umount mounted; losetup -d $device"
        ),
        "f2fs" => "fsck.f2fs --dry-run $fs >&2",
        other => panic!("no {other} here"),
    };
    shell(folder, &part, script);
    if matches!(kind, "xfs" | "f2fs") {
        return by_content(&part);
    }
    let mut files = Files::new();
    walk(&out, &out, &mut files);
    files
}

/// There is no program that reads the files of these without the kernel. In a new one each is in one piece.
fn by_content(part: &Path) -> Files {
    let content = fs::read(part).unwrap();
    let begins = |sector: &[u8]| <[u8; 16]>::try_from(&sector[..16]).unwrap();
    // Most of it is what the disk had everywhere.
    let is_empty = |sector: &[u8]| [[0; 16], [0xFF; 16]].contains(&begins(sector));
    let sectors = content.chunks_exact(512).enumerate().filter(|(_, sector)| !is_empty(sector));
    let places: HashMap<[u8; 16], usize> =
        sectors.map(|(index, sector)| (begins(sector), index * 512)).collect();
    let tree = part.with_file_name("tree");
    let mut expected = Files::new();
    walk(&tree, &tree, &mut expected);
    let mut found = Files::new();
    for (name, sum) in expected {
        let file = fs::read(tree.join(&name)).unwrap();
        let place = places.get(&begins(&file));
        let bytes = place.and_then(|place| content.get(*place..place + file.len()));
        if bytes.is_some_and(|bytes| sum_of(bytes) == sum) {
            found.insert(name, sum);
        }
    }
    found
}

fn sum_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn walk(root: &Path, folder: &Path, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(root, &path, files);
        } else if path.is_file() {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.insert(name, sum_of(&fs::read(&path).unwrap()));
        }
    }
}

fn shell(folder: &Path, file_system: &Path, script: &str) {
    let output = Command::new("bash")
        .args(["-ec", script])
        .env("fs", file_system)
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
}
