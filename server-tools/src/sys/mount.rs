//! Mounts a file that holds a file system, read-only, and unmounts it. Its programs cannot be run, its devices cannot be
//! opened, and its set-user-id bits have no effect.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, bail};

use crate::octal::unescaped;

/// What holds for every mount.
const OPTIONS: &str = "ro,nodev,nosuid,noexec";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The kernel, over a loop device that goes when it is unmounted.
    Kernel {
        /// The file system's name there.
        kind: &'static str,
        /// What it needs so that it writes nothing, such as a journal, and takes what was not closed.
        options: &'static str,
    },
    /// A program in user space, which takes the file itself.
    Fuse(&'static str),
}

/// Mounts the file system in a file.
pub(crate) fn mount(way: Way, file: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut command = match way {
        Way::Kernel { kind, options } => {
            let mut command = Command::new("mount");
            command.args(["-t", kind, "-o", &format!("{OPTIONS},loop{options}"), "--"]);
            command
        }
        Way::Fuse(program) => {
            let mut command = Command::new(program);
            command.args(["-o", OPTIONS]);
            command
        }
    };
    run(command.arg(file).arg(folder))
}

/// Unmounts what is mounted there.
pub(crate) fn unmount(folder: &Path) -> anyhow::Result<()> {
    run(Command::new("umount").arg("--").arg(folder))
}

/// Whether something is mounted there.
pub(crate) fn is_mounted(folder: &Path) -> anyhow::Result<bool> {
    let mounts = fs::read("/proc/self/mountinfo").context("cannot read the list of mounts")?;
    Ok(mount_points(&mounts).any(|point| point == folder))
}

/// What is mounted on a folder or anywhere in it.
pub(crate) fn mounted_in(folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let mounts = seen_by_this_thread()?;
    Ok(mount_points(&mounts).find(|point| point.starts_with(folder)))
}

/// A file system, and where it is mounted (proc_pid_mountinfo(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mounted {
    /// The folder of the file system that is to be seen there.
    pub root: PathBuf,
    pub point: PathBuf,
    pub kind: String,
    /// What was mounted, as whoever did it has named it.
    pub source: String,
    /// The file system's own options.
    pub options: String,
}

/// What a folder lies on. It is a path without links.
pub(crate) fn below(folder: &Path) -> anyhow::Result<Option<Mounted>> {
    Ok(deepest(&seen_by_this_thread()?, folder))
}

fn seen_by_this_thread() -> anyhow::Result<Vec<u8>> {
    fs::read("/proc/thread-self/mountinfo").context("cannot read the list of mounts")
}

/// The one with the longest path, and the last of those: it hides what was there before. Pure.
pub(crate) fn deepest(mounts: &[u8], folder: &Path) -> Option<Mounted> {
    let all = mounts.split(|byte| *byte == b'\n').filter_map(of_line);
    all.filter(|mounted| folder.starts_with(&mounted.point))
        .max_by_key(|mounted| mounted.point.as_os_str().len())
}

/// There may be any number of words before the dash.
fn of_line(line: &[u8]) -> Option<Mounted> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let dash = words.iter().position(|word| *word == b"-")?;
    let text = |at: usize| Some(unescaped(words.get(at)?).to_string_lossy().into_owned());
    Some(Mounted {
        root: unescaped(words.get(3)?),
        point: unescaped(words.get(4)?),
        kind: text(dash + 1)?,
        source: text(dash + 2)?,
        options: text(dash + 3)?,
    })
}

/// The fifth word of each line, in which blanks and their like are octal (proc(5)).
fn mount_points(mounts: &[u8]) -> impl Iterator<Item = PathBuf> {
    let lines = mounts.split(|byte| *byte == b'\n');
    lines.filter_map(|line| Some(unescaped(line.split(|byte| *byte == b' ').nth(4)?)))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let ended = command.env("LC_ALL", "C").output();
    let Output { status, stdout, stderr } = ended.with_context(|| format!("cannot start {program}"))?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(if stderr.is_empty() { &stdout } else { &stderr });
    bail!("{program} refuses: {}", said.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn mount_points_with_blanks_are_found() {
        let mounts =
            b"36 35 98:0 / /mnt/a\\040b\\134c rw - ext4 /dev/loop0 rw\n37 35 0:1 / /proc rw - proc proc rw\n";
        let found: Vec<PathBuf> = mount_points(mounts).collect();
        assert_eq!(found, [Path::new("/mnt/a b\\c"), Path::new("/proc")]);
        assert_eq!(found[0].as_os_str().as_bytes(), b"/mnt/a b\\c");
    }

    #[test]
    fn the_root_is_mounted_and_a_new_folder_is_not() {
        assert!(is_mounted(Path::new("/")).unwrap());
        assert!(!is_mounted(tempfile::tempdir().unwrap().path()).unwrap());
        assert_eq!(mounted_in(Path::new("/proc")).unwrap().as_deref(), Some(Path::new("/proc")));
        assert_eq!(mounted_in(Path::new("/nonexistent")).unwrap(), None);
    }
}
