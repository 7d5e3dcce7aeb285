//! The files that clients boot with, on their way into the TFTP server's folder. That folder may have other files of an
//! administrator's; none of them is ever written over.
//!
//! ```text
//! netboot/FILE ─▶ TFTPBASE/FILE     missing, or as it was copied the last time: written
//!              ├─ the same          left as it is; ours only if it was copied
//!              └─ something else    nothing at all is copied, and it is said which file is in the way
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use ghost_contract::checksum::Sha256;

use crate::catalog::manifest;
use crate::exit::{Exit, WithExit as _};
use crate::state::boot_files as record;
use crate::sys::atomic::{self, Real};
use crate::sys::regular;

/// What boot loaders read whoever set the server up. Nobody else has the same in them.
const CONFIGURATIONS: [&str; 2] = ["pxelinux.cfg/default", "grub/grub.cfg"];

/// What there is to do with one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Keep,
    Write,
    /// Somebody else's file is there.
    Refuse,
}

fn step(made: Sha256, there: Option<Sha256>, copied: &[Sha256]) -> Step {
    match there {
        Some(there) if there == made => Step::Keep,
        Some(there) if !copied.contains(&there) => Step::Refuse,
        _ => Step::Write,
    }
}

/// Copies what was made into the TFTP server's folder. Gives the names of the files that were written.
pub(crate) fn copy(made: &Path, tftp: &Path, state_folder: &Path) -> anyhow::Result<Vec<String>> {
    if is_served_from(made, tftp) {
        return Ok(Vec::new());
    }
    let mut copied = record::read(state_folder)?;
    let (mut written, mut others) = (Vec::new(), Vec::new());
    for (name, sum) in sums(made)? {
        let known = copied.get(&name).map_or(&[][..], Vec::as_slice);
        match step(sum, there(&tftp.join(&name))?, known) {
            // One that was never copied is an administrator's, who has it from the same package.
            Step::Keep => copied.get_mut(&name).into_iter().for_each(|known| *known = vec![sum]),
            Step::Refuse => others.push(name),
            Step::Write => {
                // Until it is written, the former one is ours as well.
                copied.entry(name.clone()).or_default().push(sum);
                written.push(name);
            }
        }
    }
    if !others.is_empty() {
        return Err(in_the_way(made, tftp, &others));
    }
    record::write(state_folder, &copied)?;
    for name in &written {
        write(&made.join(name), &tftp.join(name))?;
    }
    copied.values_mut().for_each(|known| drop(known.drain(..known.len().saturating_sub(1))));
    record::write(state_folder, &copied)?;
    Ok(written)
}

/// Removes the files that are as they were copied, with folders that are empty then. Gives the names of those that are not.
pub(crate) fn take_away(tftp: &Path, state_folder: &Path) -> anyhow::Result<Vec<String>> {
    let (mut copied, mut left) = (record::read(state_folder)?, Vec::new());
    for (name, sums) in std::mem::take(&mut copied) {
        let path = tftp.join(&name);
        match there(&path)? {
            None => {}
            Some(sum) if sums.contains(&sum) => {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
                // One that others have files in stays.
                let above = path.ancestors().skip(1).take_while(|above| *above != tftp);
                let _not_empty = above.into_iter().try_for_each(fs::remove_dir);
            }
            Some(_) => left.push(name),
        }
    }
    record::write(state_folder, &copied)?;
    Ok(left)
}

fn in_the_way(made: &Path, tftp: &Path, others: &[String]) -> anyhow::Error {
    anyhow!(
        "{} has files of these names that are not ours: {}. Nothing was copied. If no PC boots with them any more, move them away and call \
         this again. If some do, leave them there, and let a TFTP server at another address of this machine serve {}: PXEADDR and \
         TFTPBASE in ghostrc (setup --address, --tftp)",
        tftp.display(),
        others.join(", "),
        made.display()
    )
    .exit(Exit::Configuration)
}

/// Fails where it is seen before anything is made that it could not be copied.
pub(crate) fn require_room(made: &Path, tftp: &Path, state_folder: &Path) -> anyhow::Result<()> {
    let copied = record::read(state_folder)?;
    let is_others = |name: &&str| {
        let file = tftp.join(name);
        let is_ours = |sum: Sha256| {
            copied.get(*name).is_some_and(|known| known.contains(&sum))
                || checksum(&made.join(name)).is_ok_and(|made| made == sum)
        };
        file.symlink_metadata().is_ok() && !checksum(&file).is_ok_and(is_ours)
    };
    let others: Vec<String> =
        CONFIGURATIONS.iter().filter(|name| is_others(name)).map(|name| (*name).to_owned()).collect();
    if others.is_empty() || is_served_from(made, tftp) {
        Ok(())
    } else {
        Err(in_the_way(made, tftp, &others))
    }
}

/// The names of the files that the TFTP server's folder does not have as they were made.
pub(crate) fn behind(made: &Path, tftp: &Path) -> anyhow::Result<Vec<String>> {
    if is_served_from(made, tftp) {
        return Ok(Vec::new());
    }
    let mut behind = Vec::new();
    for (name, sum) in sums(made)? {
        if there(&tftp.join(&name))? != Some(sum) {
            behind.push(name);
        }
    }
    Ok(behind)
}

/// Whether the TFTP server's folder has files that were not copied there, or were changed since.
pub(crate) fn has_others(made: &Path, tftp: &Path, state_folder: &Path) -> anyhow::Result<bool> {
    if !tftp.exists() || is_served_from(made, tftp) {
        return Ok(false);
    }
    let (copied, there_are) = (record::read(state_folder)?, names(tftp)?);
    // No file of others is read: there may be images among them.
    if there_are.iter().any(|name| !copied.contains_key(name)) {
        return Ok(true);
    }
    for name in &there_are {
        let sum = there(&tftp.join(name))?;
        if !sum.is_none_or(|sum| copied.get(name).is_some_and(|sums| sums.contains(&sum))) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_served_from(made: &Path, tftp: &Path) -> bool {
    fs::canonicalize(made).is_ok_and(|made| fs::canonicalize(tftp).is_ok_and(|tftp| tftp == made))
}

/// All files below a folder.
fn sums(folder: &Path) -> anyhow::Result<Vec<(String, Sha256)>> {
    let names = names(folder)?.into_iter();
    names.map(|name| checksum(&folder.join(&name)).map(|sum| (name, sum))).collect()
}

/// The names of all files below a folder, in order.
fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let (mut names, mut waiting) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(below) = waiting.pop() {
        let place = folder.join(&below);
        let reading = || format!("cannot read {}", place.display());
        for entry in fs::read_dir(&place).with_context(reading)? {
            let entry = entry.with_context(reading)?;
            let name = below.join(entry.file_name());
            if entry.file_type().with_context(reading)?.is_dir() {
                waiting.push(name);
            } else {
                names.push(name.to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

/// None if there is nothing of that name.
fn there(file: &Path) -> anyhow::Result<Option<Sha256>> {
    match file.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        _ => checksum(file).map(Some),
    }
}

fn checksum(file: &Path) -> anyhow::Result<Sha256> {
    let bytes = regular::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(manifest::sum(&bytes))
}

fn write(from: &Path, to: &Path) -> anyhow::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let bytes = regular::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    atomic::replace(to, &bytes, &mut Real)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folders(tempfile::TempDir);

    impl Folders {
        fn new() -> Self {
            let folders = Self(tempfile::tempdir().unwrap());
            folders.make("vmlinuz", "the first kernel");
            folders.make("pxelinux.cfg/default", "boots it");
            fs::create_dir(folders.path("tftp")).unwrap();
            folders
        }

        fn path(&self, below: &str) -> PathBuf {
            self.0.path().join(below)
        }

        fn make(&self, name: &str, text: &str) {
            self.put(&format!("netboot/{name}"), text);
        }

        fn put(&self, below: &str, text: &str) {
            fs::create_dir_all(self.path(below).parent().unwrap()).unwrap();
            fs::write(self.path(below), text).unwrap();
        }

        fn copy(&self) -> anyhow::Result<Vec<String>> {
            copy(&self.path("netboot"), &self.path("tftp"), &self.path("state"))
        }

        fn behind(&self) -> Vec<String> {
            behind(&self.path("netboot"), &self.path("tftp")).unwrap()
        }

        fn served(&self, name: &str) -> String {
            fs::read_to_string(self.path("tftp").join(name)).unwrap()
        }
    }

    #[test]
    fn a_configuration_of_others_is_seen_before_anything_is_made() {
        let folders = Folders::new();
        let room = || {
            require_room(&folders.path("netboot"), &folders.path("tftp"), &folders.path("state"))
                .map_err(|error| error.to_string())
        };
        assert_eq!(room(), Ok(()));
        folders.put("tftp/grub/grub.cfg", "boots switches");
        let error = room().unwrap_err();
        assert!(error.contains("not ours: grub/grub.cfg. Nothing was copied."), "{error}");
        fs::remove_file(folders.path("tftp/grub/grub.cfg")).unwrap();
        folders.copy().unwrap();
        folders.make("pxelinux.cfg/default", "made anew");
        assert_eq!(room(), Ok(()), "it was copied");
        folders.put("tftp/pxelinux.cfg/default", "changed by hand");
        assert!(room().unwrap_err().contains("not ours: pxelinux.cfg/default."));
        folders.put("tftp/pxelinux.cfg/default", "made anew");
        assert_eq!(room(), Ok(()), "it is the same");
    }

    #[test]
    fn what_was_made_is_served_and_made_anew_is_served_anew() {
        let folders = Folders::new();
        assert_eq!(folders.behind(), ["pxelinux.cfg/default", "vmlinuz"]);
        assert_eq!(folders.copy().unwrap(), ["pxelinux.cfg/default", "vmlinuz"]);
        assert!(folders.behind().is_empty() && folders.copy().unwrap().is_empty());
        folders.make("vmlinuz", "the second kernel");
        assert_eq!(folders.behind(), ["vmlinuz"]);
        assert_eq!(folders.copy().unwrap(), ["vmlinuz"]);
        assert_eq!(folders.served("vmlinuz"), "the second kernel");
    }

    #[test]
    fn an_administrator_s_own_file_is_never_written_over() {
        let folders = Folders::new();
        folders.put("tftp/pxelinux.cfg/default", "a menu of an administrator");
        let error = folders.copy().unwrap_err();
        assert!(error.to_string().contains("not ours: pxelinux.cfg/default. Nothing was copied"), "{error}");
        assert_eq!(Exit::of(&error), Exit::Configuration);
        assert!(!folders.path("tftp/vmlinuz").exists());
        fs::remove_file(folders.path("tftp/pxelinux.cfg/default")).unwrap();
        folders.copy().unwrap();
        // What is changed there afterwards is the administrator's as well.
        folders.put("tftp/pxelinux.cfg/default", "boots it, after a menu");
        folders.make("pxelinux.cfg/default", "boots it with another flag");
        assert!(folders.copy().is_err());
        assert_eq!(folders.served("pxelinux.cfg/default"), "boots it, after a menu");
    }

    #[test]
    fn an_administrator_s_file_that_is_the_same_by_chance_is_not_ours() {
        let folders = Folders::new();
        folders.put("tftp/vmlinuz", "the first kernel");
        assert_eq!(folders.copy().unwrap(), ["pxelinux.cfg/default"]);
        folders.make("vmlinuz", "the second kernel");
        let error = folders.copy().unwrap_err();
        assert!(error.to_string().contains("not ours: vmlinuz. Nothing was copied"), "{error}");
        assert!(take_away(&folders.path("tftp"), &folders.path("state")).unwrap().is_empty());
        assert_eq!(folders.served("vmlinuz"), "the first kernel");
        assert!(!folders.path("tftp/pxelinux.cfg").exists());
    }

    #[test]
    fn a_copy_that_was_broken_off_is_finished() {
        let folders = Folders::new();
        folders.copy().unwrap();
        folders.make("pxelinux.cfg/default", "boots the second kernel");
        folders.make("vmlinuz", "the second kernel");
        // The second file cannot be written.
        fs::remove_file(folders.path("tftp/vmlinuz")).unwrap();
        let blocked = folders.path("tftp/.vmlinuz.ghostctl-new");
        fs::create_dir(&blocked).unwrap();
        assert!(folders.copy().is_err());
        assert_eq!(folders.served("pxelinux.cfg/default"), "boots the second kernel");
        fs::remove_dir(&blocked).unwrap();
        folders.make("pxelinux.cfg/default", "boots the third");
        assert_eq!(folders.copy().unwrap(), ["pxelinux.cfg/default", "vmlinuz"]);
        assert!(folders.behind().is_empty());
    }

    #[test]
    fn what_was_copied_is_taken_away_and_nothing_else() {
        let folders = Folders::new();
        folders.copy().unwrap();
        folders.put("tftp/vmlinuz", "somebody's");
        folders.put("tftp/menu", "somebody's");
        assert_eq!(take_away(&folders.path("tftp"), &folders.path("state")).unwrap(), ["vmlinuz"]);
        assert!(!folders.path("tftp/pxelinux.cfg").exists() && folders.path("tftp/menu").exists());
        assert_eq!(folders.served("vmlinuz"), "somebody's");
        assert!(take_away(&folders.path("tftp"), &folders.path("state")).unwrap().is_empty(), "once");
    }

    #[test]
    fn served_from_where_it_is_made_there_is_nothing_to_copy() {
        let folders = Folders::new();
        fs::remove_dir(folders.path("tftp")).unwrap();
        std::os::unix::fs::symlink("netboot", folders.path("tftp")).unwrap();
        assert!(folders.copy().unwrap().is_empty() && folders.behind().is_empty());
    }
}
