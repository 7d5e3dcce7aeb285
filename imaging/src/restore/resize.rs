//! The tools that check file systems and say how small they can be, in a node or a plain file.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use ghost_contract::image::FileSystem;

use crate::sys::program::{self, ProgramError, RESIZING};
use crate::tool::{resizing, superblock};

/// `e2fsck` has mended what it should (e2fsck(8), "EXIT CODE"), which is no failure.
const MENDED: i32 = 1;

/// The plan resizes no others.
const NO_TOOL: &str = "there is no tool that shrinks it";

fn unsaid(tool: &str) -> String {
    format!("{tool} does not say how small the file system can be")
}

/// Mends what an ext may have, so that it can be resized.
pub(super) fn mend_ext(node: &Path) -> Result<()> {
    run(Command::new("e2fsck").args(["-f", "-p"]).arg(node), &[0, MENDED])?;
    Ok(())
}

/// The least that a file system in a file can be shrunk to, bytes.
pub(super) fn minimum(file_system: FileSystem, file: &Path) -> Result<u64> {
    match file_system {
        FileSystem::Ntfs => {
            let said = run(&mut ntfs_info(file), &[0])?;
            resizing::ntfs_minimum(&said).with_context(|| unsaid("ntfsresize"))
        }
        FileSystem::Ext => {
            mend_ext(file)?;
            let said = run(Command::new("resize2fs").arg("-P").arg(file), &[0])?;
            let blocks = resizing::ext_minimum(&said).with_context(|| unsaid("resize2fs"))?;
            Ok(blocks.saturating_mul(ext_block(file)?))
        }
        _ => bail!(NO_TOOL),
    }
}

/// Shrinks a file system in a file for a partition of this length.
pub(super) fn shrink(file_system: FileSystem, file: &Path, length: u64) -> Result<()> {
    match file_system {
        FileSystem::Ntfs => {
            let mut command = Command::new("ntfsresize");
            command.args(["--force", "--no-progress-bar", "--size", &length.to_string()]);
            run(command.arg(file), &[0])?;
        }
        FileSystem::Ext => {
            let blocks = length / ext_block(file)?.max(1);
            run(Command::new("resize2fs").arg(file).arg(blocks.to_string()), &[0])?;
        }
        _ => bail!(NO_TOOL),
    }
    Ok(())
}

/// Checks a file system and changes nothing.
pub(super) fn check(file_system: FileSystem, node: &Path) -> Result<()> {
    match file_system {
        FileSystem::Ntfs => {
            run(&mut ntfs_info(node), &[0])?;
            // Also the second boot sector, at the partition's end.
            run(Command::new("ntfsfix").arg("-n").arg(node), &[0])?;
        }
        FileSystem::Ext => drop(run(Command::new("e2fsck").args(["-f", "-n"]).arg(node), &[0])?),
        _ => bail!(NO_TOOL),
    }
    Ok(())
}

/// It also compares what the files use with the map of what is used.
fn ntfs_info(node: &Path) -> Command {
    let mut command = Command::new("ntfsresize");
    command.args(["--info", "--force", "--no-progress-bar"]).arg(node);
    command
}

fn ext_block(file: &Path) -> Result<u64> {
    let mut beginning = vec![0; superblock::NEEDED];
    let read = File::open(file).and_then(|file| file.read_exact_at(&mut beginning, 0));
    read.with_context(|| format!("cannot read {}", file.display()))?;
    superblock::ext_block(&beginning).with_context(|| unsaid("its superblock"))
}

/// Runs a tool that says on both of its outputs what is wrong; what it says on the first.
fn run(command: &mut Command, good: &[i32]) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let said = program::run(command, RESIZING)?;
    let output = String::from_utf8_lossy(&said.output).into_owned();
    if said.status.code().is_some_and(|code| good.contains(&code)) {
        return Ok(output);
    }
    let words = [program::last_lines(&output), said.errors];
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|words| !words.is_empty()).collect();
    Err(ProgramError::Failed { program, status: said.status, said: words.join("; ") }.into())
}
