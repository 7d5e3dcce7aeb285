//! An image of a disk and smaller disks for it, and what is found on a disk by tools that know its file systems.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use ghost_contract::image::{Ending, TargetDisk};
use ghost_contract::sample::effects::unmount;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::disk::{Loop, MIB, blank, noise, peek, run};
use crate::imager::{command, done};

const SHRINK: &str = "{\"smaller_disk\": \"shrink\"}";

/// A disk that is backed up, an image of it, and a folder for scratch files.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn of(make: impl FnOnce(&Path) -> PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = make(folder.path());
        done("backup", &folder.path().join("image"), Some(&disk), "{}");
        fs::create_dir(folder.path().join("scratch")).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A disk of this size with something on it.
    pub(crate) fn target(&self, size: u64) -> PathBuf {
        fs::write(self.path("target"), noise(8, size)).unwrap();
        self.path("target")
    }

    pub(crate) fn command(&self, target: &Path, scratch: Option<&Path>) -> Command {
        let mut command = command("restore", &self.path("image"), Some(target), SHRINK);
        command.args(scratch.iter().flat_map(|folder| [OsStr::new("--scratch"), folder.as_os_str()]));
        command
    }

    pub(crate) fn end(&self, mut command: Command) -> Ending {
        let status = command.status().unwrap();
        let ending = self.ending();
        assert_eq!(status.success(), matches!(ending, Ending::Done { .. }), "{status}, {ending:?}");
        assert_eq!(fs::read_dir(self.path("scratch")).unwrap().count(), 0, "a scratch file is left");
        ending
    }

    pub(crate) fn ending(&self) -> Ending {
        serde_json::from_slice(&fs::read(self.path("image.result")).unwrap()).unwrap()
    }

    pub(crate) fn done(&self, target: &Path) -> Vec<String> {
        match self.end(self.command(target, Some(&self.path("scratch")))) {
            Ending::Done { notes, .. } => notes,
            Ending::Failed { reason, .. } => panic!("{reason}"),
        }
    }

    /// Why it fails, after which the disk must be what it was.
    pub(crate) fn refused(&self, target: &Path, scratch: Option<&Path>) -> String {
        let before = fs::read(target).unwrap();
        let Ending::Failed { reason, target: became } = self.end(self.command(target, scratch)) else {
            panic!("it was done")
        };
        assert_eq!(became, TargetDisk::Untouched, "{reason}");
        assert!(fs::read(target).unwrap() == before, "the disk was written: {reason}");
        reason
    }
}

/// As sfdisk dumps it, without the names of the disk and its nodes.
pub(crate) fn table(disk: &Path) -> String {
    run("sfdisk", &["--verify", disk.to_str().unwrap()]);
    run("sfdisk", &["--dump", disk.to_str().unwrap()]).replace(disk.to_str().unwrap(), "DISK")
}

/// Makes files that are not where one file system alone would put them: what is written late lies behind what was
/// written first, which is gone.
pub(crate) fn fill(place: &Path, seed: u64, largest: u64) {
    fs::write(place.join("gone"), noise(seed, largest)).unwrap();
    run("sync", &["--file-system", place.to_str().unwrap()]);
    for number in 0..12_u64 {
        let folder = place.join(format!("folder {}", number % 3));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("file-{number}"));
        fs::write(&file, noise(seed + number, 50_000 * number + 1)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600 + u32::try_from(number % 8).unwrap()))
            .unwrap();
        std::os::unix::fs::chown(&file, Some(1000 + u32::try_from(number).unwrap()), Some(7)).unwrap();
        run("touch", &["-d", &format!("@{}", 1_600_000_000 + number * 86_400), file.to_str().unwrap()]);
    }
    std::os::unix::fs::symlink("folder 1/file-1", place.join("link")).unwrap();
    fs::remove_file(place.join("gone")).unwrap();
}

/// Name, mode, owner, group, time and content of every file.
pub(crate) fn files(place: &Path) -> Vec<(PathBuf, u32, u32, u32, i64, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![place.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            let (path, meta) = (entry.path(), entry.path().symlink_metadata().unwrap());
            let content = match (meta.is_dir(), meta.is_symlink()) {
                (true, _) => Vec::new(),
                (_, true) => fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
                _ => fs::read(&path).unwrap(),
            };
            if meta.is_dir() {
                folders.push(path.clone());
            }
            let name = path.strip_prefix(place).unwrap().to_owned();
            all.push((name, meta.mode(), meta.uid(), meta.gid(), meta.mtime(), content));
        }
    }
    all.sort();
    all
}

/// What is found in the ext4 at this place of a disk.
pub(crate) fn with_ext<T>(
    disk: &Path,
    (start, length): (u64, u64),
    scratch: &Path,
    look: impl FnOnce(&Path) -> T + Send,
) -> T
where
    T: Send,
{
    let part = scratch.join("mounted.fs");
    fs::write(&part, peek(disk, start, length)).unwrap();
    run("e2fsck", &["-f", "-n", part.to_str().unwrap()]);
    mounted(&part, scratch, look)
}

/// Mounts a file system for this work, which has a thread of its own; afterwards nobody has it mounted. It is mounted for that
/// thread only: whoever makes a name space of its own on this machine meanwhile gets a copy of every mount that it sees, and
/// keeps it.
pub(crate) fn mounted<T: Send>(
    file_system: &Path,
    scratch: &Path,
    work: impl FnOnce(&Path) -> T + Send,
) -> T {
    let place = scratch.join("place");
    fs::create_dir_all(&place).unwrap();
    let apart = || {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        let device = Loop::of(file_system, "512");
        run("mount", &[device.0.to_str().unwrap(), place.to_str().unwrap()]);
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&place)));
        unmount(&place);
        worked.unwrap()
    };
    std::thread::scope(|scope| scope.spawn(apart).join().unwrap())
}

/// An NTFS for a partition that begins at this sector, with `A.BIN` of 10 MiB at its front and `B.BIN` of 9 MiB at its
/// end, behind room that is free.
pub(crate) fn used_ntfs(folder: &Path, size: u64, start: u64) -> PathBuf {
    let file_system = folder.join("c.fs");
    blank(&file_system, size);
    let name = file_system.to_str().unwrap();
    // As Windows formats it: the partition's first sector and the geometry are in the boot sector.
    run(
        "mkntfs",
        &["-Q", "-F", "-q", "-L", "Windows", "-p", &start.to_string(), "-H", "255", "-S", "63", name],
    );
    for (file, size) in [("A.BIN", 10), ("GONE.BIN", 60), ("B.BIN", 9)] {
        let from = folder.join(file);
        fs::write(&from, noise(size, size * MIB)).unwrap();
        run("ntfscp", &["-q", "-t", name, from.to_str().unwrap(), file]);
    }
    // The second file is the first but one behind the file system's own 64 (ntfstruncate(8) wants its number).
    run("ntfstruncate", &[name, "65", "0"]);
    file_system
}

/// The content of a file in an NTFS at this place.
pub(crate) fn ntfs_file(disk: &Path, (start, length): (u64, u64), scratch: &Path, name: &str) -> Vec<u8> {
    let part = scratch.join("c.part");
    fs::write(&part, peek(disk, start, length)).unwrap();
    let output = Command::new("ntfscat").arg("--force").arg(&part).arg(name).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Times, owner, rights and size of a file in the NTFS that [`ntfs_file`] has looked at, but not where it is.
pub(crate) fn ntfs_facts(disk: &Path, (start, length): (u64, u64), scratch: &Path, name: &str) -> String {
    let part = scratch.join("c.part");
    fs::write(&part, peek(disk, start, length)).unwrap();
    let said = run("ntfsinfo", &["-f", "-F", name, part.to_str().unwrap()]);
    let facts = ["Time:", "SID:", "ACE:", "File attributes:", "Data Size:", "Filename:"];
    said.lines().filter(|line| facts.iter().any(|fact| line.contains(fact))).collect::<Vec<_>>().join("\n")
}
