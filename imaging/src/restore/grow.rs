//! Giving a larger disk's room to the last partition and its file system.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use ghost_contract::image::{DiskFacts, FileSystem};

use super::resize;
use crate::plan::grow::Grow;
use crate::survey;
use crate::sys::disk;
use crate::sys::node::{Access, Node};
use crate::sys::program::{self, LOOKING, RESIZING, Running};

/// The file systems for which this machine has the tools; NTFS and ext are shrunk by the same.
pub(super) fn resizable() -> Vec<FileSystem> {
    let tools = [
        (FileSystem::Ntfs, "ntfsresize"),
        (FileSystem::Ext, "resize2fs"),
        (FileSystem::Btrfs, "btrfs"),
        (FileSystem::Xfs, "xfs_growfs"),
    ];
    tools
        .into_iter()
        .filter(|(_, tool)| program::is_installed(tool))
        .map(|(file_system, _)| file_system)
        .collect()
}

/// Grows it; what was done in words.
pub(super) fn grow(disk: &Path, facts: &DiskFacts, growing: &Grow) -> Result<String> {
    grow_partition(disk, growing.partition)?;
    // The kernel may refuse; then the file system is reached by a loop device.
    let _seen_at_next_boot = disk::reread_table(disk);
    let table = survey::division(facts)?.table;
    let grown = table.partitions.iter().find(|partition| partition.number == growing.partition);
    let grown =
        grown.with_context(|| format!("partition {} is not in the table any more", growing.partition))?;
    let node = Node::of(disk, grown.start, grown.length, facts.logical_sector, Access::Write)?;
    grow_file_system(node.path(), growing.file_system)?;
    let later = match growing.file_system {
        FileSystem::Ntfs => "; Windows will check it when it starts",
        _ => "",
    };
    Ok(format!(
        "partition {} has grown to {} bytes, and its file system with it{later}",
        grown.number, grown.length
    ))
}

fn grow_partition(disk: &Path, number: u32) -> Result<()> {
    let mut command = Command::new("sfdisk");
    command.args(["--no-reread", "--force", "--quiet", "-N", &number.to_string()]).arg(disk);
    let mut running = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::null()))?;
    if let Some(mut script) = running.child().stdin.take() {
        // The start as it is, the size as large as it can be (sfdisk(8), "INPUT FORMATS").
        script.write_all(b", +\n").context("sfdisk does not take its script")?;
    }
    Ok(running.succeed(LOOKING)?)
}

fn grow_file_system(node: &Path, file_system: FileSystem) -> Result<()> {
    match file_system {
        FileSystem::Ntfs => {
            let mut command = Command::new("ntfsresize");
            must(command.args(["--force", "--no-progress-bar"]).arg(node))
        }
        FileSystem::Ext => {
            resize::mend_ext(node)?;
            must(Command::new("resize2fs").arg(node))
        }
        FileSystem::Btrfs => mounted(node, "btrfs", |place| {
            must(Command::new("btrfs").args(["filesystem", "resize", "max"]).arg(place))
        }),
        FileSystem::Xfs => mounted(node, "xfs", |place| must(Command::new("xfs_growfs").arg(place))),
        // The plan does not grow them.
        FileSystem::Fat | FileSystem::Exfat | FileSystem::F2fs => Ok(()),
    }
}

fn must(command: &mut Command) -> Result<()> {
    program::must(command, RESIZING)?;
    Ok(())
}

/// Some file systems grow while they are mounted, and only then.
fn mounted(node: &Path, kind: &str, work: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let place = std::env::temp_dir().join(format!("ghost-imager-{}", std::process::id()));
    let cannot = |what: &str| format!("cannot {what} {}", place.display());
    fs::create_dir(&place).with_context(|| cannot("make"))?;
    let mount = program::must(Command::new("mount").args(["-t", kind]).arg(node).arg(&place), LOOKING);
    let worked = mount.context("the file system cannot be mounted").and_then(|_| {
        let worked = work(&place);
        let unmounted = program::must(Command::new("umount").arg(&place), LOOKING);
        both(worked, unmounted.map(drop).map_err(Into::into))
    });
    both(worked, fs::remove_dir(&place).with_context(|| cannot("remove")))
}

/// What went wrong, and what went wrong when it was cleaned up after it.
fn both(worked: Result<()>, cleaned: Result<()>) -> Result<()> {
    match (worked, cleaned) {
        (Err(error), Err(also)) => Err(error.context(format!("also, {also:#}"))),
        (worked, cleaned) => worked.and(cleaned),
    }
}
