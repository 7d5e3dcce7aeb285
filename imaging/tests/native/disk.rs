//! Disks in files, made without mounting anything.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ghost_contract::sample::effects::write_program;

pub(crate) const MIB: u64 = 1 << 20;

/// Runs a tool that must succeed; what it says.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Bytes that do not compress, always the same for the same seed.
pub(crate) fn noise(seed: u64, length: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(usize::try_from(length).unwrap());
    bytes
}

/// An empty file of this size.
pub(crate) fn blank(path: &Path, size: u64) {
    File::create(path).unwrap().set_len(size).unwrap();
}

/// Partitions a disk as this script of sfdisk says.
pub(crate) fn partition(disk: &Path, script: &str) {
    let mut command = Command::new("sfdisk");
    command.args(["--quiet", "--no-reread", "--wipe=never"]).arg(disk).stdin(Stdio::piped());
    let mut sfdisk = command.spawn().unwrap();
    sfdisk.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(sfdisk.wait().unwrap().success(), "sfdisk: {script}");
}

/// Copies a file system into a disk, at this place.
pub(crate) fn put(disk: &Path, file_system: &Path, at: u64) {
    let seek = format!("seek={at}");
    let (from, to) = (format!("if={}", file_system.display()), format!("of={}", disk.display()));
    run("dd", &[&from, &to, &seek, "bs=1M", "oflag=seek_bytes", "conv=notrunc,sparse", "status=none"]);
}

/// Writes bytes at a place.
pub(crate) fn poke(disk: &Path, at: u64, bytes: &[u8]) {
    File::options().write(true).open(disk).unwrap().write_all_at(bytes, at).unwrap();
}

/// The first byte from here on that is not in a hole; the end of the file if there is none.
pub(crate) fn next_data(file: &File, at: u64) -> u64 {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)) {
        Ok(data) => data,
        Err(rustix::io::Errno::NXIO) => file.metadata().unwrap().len().max(at),
        Err(error) => panic!("{error}"),
    }
}

/// Copies a part of a disk into a file, and its holes as holes.
pub(crate) fn copy_part(disk: &Path, (start, length): (u64, u64), to: &Path) {
    let disk = File::open(disk).unwrap();
    let part = File::create(to).unwrap();
    part.set_len(length).unwrap();
    let (mut at, end, mut buffer) = (start, start + length, vec![0; 1 << 20]);
    loop {
        at = next_data(&disk, at);
        if at >= end {
            return;
        }
        let piece = &mut buffer[..usize::try_from((end - at).min(MIB)).unwrap()];
        disk.read_exact_at(piece, at).unwrap();
        part.write_all_at(piece, at - start).unwrap();
        at += piece.len() as u64;
    }
}

/// Reads bytes from a place.
pub(crate) fn peek(disk: &Path, at: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(length).unwrap()];
    File::open(disk).unwrap().read_exact_at(&mut bytes, at).unwrap();
    bytes
}

/// File systems with a file `NOISE.BIN` of 2 MiB in them.
pub(crate) fn file_system(folder: &Path, kind: &str, size: u64) -> PathBuf {
    let (path, file) = (folder.join(format!("{kind}.fs")), folder.join("NOISE.BIN"));
    fs::write(&file, noise(7, 2 * MIB)).unwrap();
    blank(&path, size);
    let (name, file) = (path.to_str().unwrap(), file.to_str().unwrap());
    match kind {
        "ntfs" => {
            run("mkntfs", &["-Q", "-F", "-q", "-L", "Windows", name]);
            run("ntfscp", &["-q", name, file, "NOISE.BIN"]);
        }
        "vfat" => {
            run("mkfs.vfat", &["-n", "EFI", name]);
            run("mcopy", &["-i", name, file, "::NOISE.BIN"]);
        }
        "ext4" => {
            let options = ["-q", "-F", "-t", "ext4", "-b", "4096", "-L", "root", "-d"];
            run("mke2fs", &[&options[..], &[&tree(folder, file), name]].concat());
        }
        "swap" => drop(run("mkswap", &["-q", "-L", "swap", name])),
        "exfat" => drop(run("mkfs.exfat", &[name])),
        // Of one with second copies every byte is saved.
        "btrfs" => drop(run("mkfs.btrfs", &["-q", "-m", "single", "--rootdir", &tree(folder, file), name])),
        "xfs" => {
            // mkfs.xfs(8), "prototype": nothing to boot, no matter how large, the root, a file in it, the end.
            let prototype = folder.join("prototype");
            let lines = format!("/dev/null\n0 0\nd--755 0 0\nNOISE.BIN ---644 0 0 {file}\n$\n");
            fs::write(&prototype, lines).unwrap();
            run("mkfs.xfs", &["-q", "-f", "-p", prototype.to_str().unwrap(), name]);
        }
        other => panic!("no {other} here"),
    }
    path
}

/// A folder with this file, to make a file system of.
fn tree(folder: &Path, file: &str) -> String {
    let tree = folder.join("tree");
    fs::create_dir_all(&tree).unwrap();
    fs::copy(file, tree.join("NOISE.BIN")).unwrap();
    tree.to_str().unwrap().to_owned()
}

/// The `NOISE.BIN` in a partition of a disk, by tools that know its file system.
pub(crate) fn noise_in(disk: &Path, kind: &str, at: u64, length: u64, scratch: &Path) -> Vec<u8> {
    let part = scratch.join("part");
    let copy = scratch.join("copy");
    fs::write(&part, peek(disk, at, length)).unwrap();
    let (name, to) = (part.to_str().unwrap(), copy.to_str().unwrap());
    match kind {
        "ntfs" => {
            let output = Command::new("ntfscat").args(["--force", name, "NOISE.BIN"]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            return output.stdout;
        }
        "vfat" => drop(run("mcopy", &["-n", "-i", name, "::NOISE.BIN", to])),
        "ext4" => {
            run("e2fsck", &["-f", "-n", name]);
            run("debugfs", &["-R", &format!("dump NOISE.BIN {to}"), name]);
        }
        "btrfs" => {
            run("btrfs", &["check", "--check-data-csum", name]);
            fs::create_dir(&copy).unwrap();
            run("btrfs", &["restore", name, to]);
            return fs::read(copy.join("NOISE.BIN")).unwrap();
        }
        "xfs" => {
            run("xfs_repair", &["-n", "-f", name]);
            // There is no program that reads a file of it without the kernel; in a new one it is in one piece.
            let (part, beginning) = (fs::read(part).unwrap(), noise(7, 4096));
            let place = part.chunks(4096).position(|block| block == beginning).unwrap() * 4096;
            return part.get(place..place + (2 << 20)).unwrap().to_vec();
        }
        other => panic!("no {other} here"),
    }
    fs::read(copy).unwrap()
}

/// An empty file for a file system, and one for it to hold.
pub(crate) fn blank_and_file(folder: &Path, size: u64) -> (String, String) {
    let (file_system, file) = (folder.join("behind.fs"), folder.join("NOISE.BIN"));
    fs::write(&file, noise(7, 2 * MIB)).unwrap();
    blank(&file_system, size);
    (file_system.to_str().unwrap().to_owned(), file.to_str().unwrap().to_owned())
}

/// An NTFS with a file in it whose boot sector says where its partition begins, in sectors of this size.
pub(crate) fn ntfs_at(folder: &Path, (start, size): (u64, u64), sector: u64) -> PathBuf {
    let (name, file) = blank_and_file(folder, size);
    let (sectors, sector) = ((start / sector).to_string(), sector.to_string());
    run("mkntfs", &["-Q", "-F", "-q", "-s", &sector, "-p", &sectors, "-H", "255", "-S", "63", &name]);
    run("ntfscp", &["-q", &name, &file, "NOISE.BIN"]);
    name.into()
}

/// The same with a FAT, of 16 or 32 bits.
pub(crate) fn fat_at(folder: &Path, (start, size): (u64, u64), bits: &str) -> PathBuf {
    let (name, file) = blank_and_file(folder, size);
    run("mkfs.vfat", &["-F", bits, "-h", &(start / 512).to_string(), &name]);
    run("mcopy", &["-i", &name, &file, "::NOISE.BIN"]);
    name.into()
}

/// A partition is sound, by the tool that knows its file system, and its file is what it was.
pub(crate) fn is_sound(target: &Path, kind: &str, (start, length): (u64, u64), scratch: &Path) {
    assert!(noise_in(target, kind, start, length, scratch) == noise(7, 2 * MIB), "{kind}");
    let part = scratch.join("part");
    let name = part.to_str().unwrap();
    match kind {
        "ntfs" => {
            run("ntfsresize", &["--info", "--force", "--no-progress-bar", name]);
            run("ntfsfix", &["-n", name]);
        }
        "vfat" => drop(run("fsck.fat", &["-n", name])),
        _ => drop(run("e2fsck", &["-f", "-n", name])),
    }
}

/// Where things are on the disk of [`gpt`].
pub(crate) const FAT: (u64, u64) = (MIB, 40 * MIB);
pub(crate) const NTFS: (u64, u64) = (41 * MIB, 60 * MIB);
pub(crate) const SWAP: (u64, u64) = (101 * MIB, 20 * MIB);
pub(crate) const EXT: (u64, u64) = (121 * MIB, 40 * MIB);
pub(crate) const GPT_SIZE: u64 = 200 * MIB;

/// A UEFI machine's disk: ESP, Windows, swap, Linux, and 39 MiB that nobody has; boot code, and something in the gap.
pub(crate) fn gpt(folder: &Path) -> PathBuf {
    let disk = folder.join("gpt.disk");
    blank(&disk, GPT_SIZE);
    let script = "label: gpt\nsize=40M, type=U, name=\"EFI system\"\n\
        size=60M, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\nsize=20M, type=S\nsize=40M, type=L, name=root\n";
    partition(&disk, script);
    poke(&disk, 0, &noise(1, 440));
    poke(&disk, 60 * 512, &noise(2, 50_000));
    for (kind, (at, size)) in [("vfat", FAT), ("ntfs", NTFS), ("swap", SWAP), ("ext4", EXT)] {
        put(&disk, &file_system(folder, kind, size), at);
    }
    disk
}

/// A BIOS machine's disk: boot code, NTFS, an extended partition with an ext4 and room in it.
pub(crate) fn dos(folder: &Path) -> PathBuf {
    let disk = folder.join("dos.disk");
    blank(&disk, 120 * MIB);
    let script = "label: dos\nstart=2048, size=40M, type=7, bootable\nsize=60M, type=f\nstart=104448, size=30M, type=83\n";
    partition(&disk, script);
    poke(&disk, 0, &noise(3, 440));
    put(&disk, &file_system(folder, "ntfs", 40 * MIB), MIB);
    put(&disk, &file_system(folder, "ext4", 30 * MIB), 51 * MIB);
    disk
}

/// A small disk with one ext4, for what is about anything else.
pub(crate) fn small(folder: &Path) -> PathBuf {
    let disk = folder.join("small.disk");
    blank(&disk, 64 * MIB);
    partition(&disk, "label: gpt\nsize=40M, type=L\n");
    put(&disk, &file_system(folder, "ext4", 40 * MIB), MIB);
    disk
}

/// Puts a script in the place of a tool, `$real` in it; what PATH has to be for that.
pub(crate) fn instead_of(tool: &str, script: &str, folder: &Path) -> String {
    let tools = folder.join("tools");
    fs::create_dir(&tools).unwrap();
    let real = run("sh", &["-c", &format!("command -v {tool}")]);
    let path = tools.join(tool);
    write_program(&path, &format!("#!/bin/bash\nreal={}\n{script}\n", real.trim()));
    format!("{}:{}", tools.display(), std::env::var("PATH").unwrap())
}

/// A loop device; gone when dropped.
pub(crate) struct Loop(pub(crate) PathBuf);

impl Loop {
    pub(crate) fn of(file: &Path, sector: &str) -> Self {
        let said = run("losetup", &["--find", "--show", "--sector-size", sector, file.to_str().unwrap()]);
        Self(PathBuf::from(said.trim()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _gone = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}
