//! Keeps the logs and screens of a lab in which something went wrong. The lab itself leaves nothing when it ends.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use ghost_contract::layout;

use super::Lab;
use crate::folder::LabFolder;

/// What of a lab's folder says what happened, besides what its PCs have.
const LOGS: [&str; 4] = ["log", "supervisor.log", "etc", "tftpboot/pxelinux.cfg"];
/// What of a PC's folder does.
const PC_LOGS: [&str; 2] = ["console.log", "qemu.log"];

/// Keeps logs, configurations, consoles and reports, and a picture of the screen of each PC that is on, below
/// `lab-failures` beside the labs. What was kept of an earlier failure of this lab is replaced.
pub fn keep_failure(lab: &Lab) -> anyhow::Result<PathBuf> {
    let kept = keep_logs(lab.folder())?;
    for pc in lab.status()?.into_iter().filter(|pc| pc.on) {
        let picture = kept.join(format!("{}.png", pc.name));
        lab.pc(pc.name.as_str())?.screendump(&picture)?;
    }
    Ok(kept)
}

/// Keeps what can be read without the supervisor's help.
pub(super) fn keep_logs(folder: &LabFolder) -> anyhow::Result<PathBuf> {
    let kept = place(folder);
    keep(folder, &kept)
        .with_context(|| format!("cannot keep the lab's logs and screens in {}", kept.display()))?;
    Ok(kept)
}

fn place(folder: &LabFolder) -> PathBuf {
    let (labs, name) = (folder.path().parent(), folder.path().file_name());
    let beside = labs.and_then(Path::parent).unwrap_or(Path::new("."));
    beside.join("lab-failures").join(name.unwrap_or_default())
}

fn keep(folder: &LabFolder, kept: &Path) -> io::Result<()> {
    if kept.exists() {
        fs::remove_dir_all(kept)?;
    }
    fs::create_dir_all(kept)?;
    for log in LOGS {
        copy(&folder.join(log), &kept.join(log))?;
    }
    for pc in entries(&folder.join("pc"))? {
        let to = kept.join(pc.file_name().unwrap_or_default());
        for log in PC_LOGS {
            copy(&pc.join(log), &to.join(log))?;
        }
    }
    let mut trees = entries(&folder.base_root())?;
    for own in entries(&layout::trees(&folder.base_root()))? {
        trees.extend(entries(&own)?);
    }
    for tree in trees {
        for part in ["ghost/order.json", "ghost/report.jsonl"] {
            copy(&tree.join(part), &kept.join(tree.file_name().unwrap_or_default()).join(part))?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

/// Copies a file, or a folder with all that is in it, if it is there.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        for entry in entries(from)? {
            copy(&entry, &to.join(entry.file_name().unwrap_or_default()))?;
        }
        return Ok(());
    }
    if !from.is_file() {
        return Ok(());
    }
    if let Some(above) = to.parent() {
        fs::create_dir_all(above)?;
    }
    fs::copy(from, to).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_what_happened_is_kept_beside_the_labs() {
        let target = tempfile::tempdir().unwrap();
        let folder = LabFolder::new(&target.path().join("lab"), &"one".parse().unwrap());
        for (file, text) in [
            ("log/dhcpd.log", "offered"),
            ("pc/john/console.log", "panic"),
            ("root/192.168.7.2var/ghost/report.jsonl", "{}"),
            ("root/192.168.7.2var/lib/other", ""),
        ] {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let kept = keep_logs(&folder).unwrap();
        assert_eq!(kept, target.path().join("lab-failures/one"));
        assert_eq!(fs::read_to_string(kept.join("log/dhcpd.log")).unwrap(), "offered");
        assert_eq!(fs::read_to_string(kept.join("john/console.log")).unwrap(), "panic");
        assert!(kept.join("192.168.7.2var/ghost/report.jsonl").exists());
        assert!(!kept.join("192.168.7.2var/lib").exists());
    }
}
