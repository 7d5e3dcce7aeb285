//! The configuration as it would be, for dhcpd's checker: private copies of the files that would change and of those that
//! include them. The copies include each other; everything else is included from where it is.
//!
//! Checked alone, an included file would be refused for using what the main file defines.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::HostTable;
use super::edit::{Replacement, absolute, replaced};
use super::lexer::quote;
use super::table::range;
use super::tree::sole_text;
use crate::dhcp::Change;
use crate::sys::attributes;

/// The beginning of all copies' names.
const PREFIX: &str = ".ghostctl-check-";
/// The only folder in which Debian's AppArmor profile lets dhcpd read files of any name.
const DEBIANS: &str = "/etc/dhcp";

/// Copies that are removed when this is dropped.
#[derive(Debug, Default)]
pub(super) struct PrivateCopy {
    /// The files and their copies, the main file first.
    copies: Vec<(PathBuf, PathBuf)>,
}

impl PrivateCopy {
    /// Of the configuration that was read with these changes. Only one may be made at a time: the edit lock sees to that.
    pub(super) fn of(table: &HostTable, changes: &[Change]) -> anyhow::Result<Self> {
        let Some(main) = table.sources.first() else { return Ok(Self::default()) };
        let folder = folder(&absolute(&main.path));
        remove_left_over(&folder);
        let copies: BTreeMap<usize, PathBuf> = concerned(table, changes)
            .into_iter()
            .map(|source| (source, folder.join(name(table, source))))
            .collect();
        let mut copy = Self::default();
        for (source, path) in &copies {
            let original = absolute(&table.sources[*source].path);
            copy.copies.push((original.clone(), path.clone()));
            write(path, &original, &contents(table, *source, &copies))
                .with_context(|| format!("cannot write {} for the checker to read", path.display()))?;
        }
        Ok(copy)
    }

    /// The copy that includes all others.
    pub(super) fn main(&self) -> Option<&Path> {
        self.copies.first().map(|(_, copy)| copy.as_path())
    }

    /// What the checker says of the copies, as said of the files themselves.
    pub(super) fn in_words_of_the_files(&self, words: &str) -> String {
        let said = |words: String, (original, copy): &(PathBuf, PathBuf)| {
            words.replace(&*copy.to_string_lossy(), &original.to_string_lossy())
        };
        self.copies.iter().fold(words.to_owned(), said)
    }
}

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        for (_, copy) in &self.copies {
            // The next check removes what is left.
            let _already_gone = fs::remove_file(copy);
        }
    }
}

/// The main file, those that change, and those through which they are included. Places in the table's list.
fn concerned(table: &HostTable, changes: &[Change]) -> Vec<usize> {
    let is_changed = |path: &Path| changes.iter().any(|change| change.file == absolute(path));
    let mut concerned: Vec<bool> = table.sources.iter().map(|source| is_changed(&source.path)).collect();
    // An included file comes after the one that includes it.
    for source in (0..table.sources.len()).rev().filter(|source| *source > 0) {
        if let Some((includer, _)) = table.sources[source].included_by.filter(|_| concerned[source]) {
            concerned[includer] = true;
        }
    }
    concerned
        .iter()
        .enumerate()
        .filter(|(source, concerned)| **concerned || *source == 0)
        .map(|(source, _)| source)
        .collect()
}

/// With the copies in the places of the files that it includes.
fn contents(table: &HostTable, source: usize, copies: &BTreeMap<usize, PathBuf>) -> Vec<u8> {
    let bytes = &table.sources[source].bytes;
    let replacement = |(included, copy): (&usize, &PathBuf)| -> Option<Replacement> {
        let (includer, statement) = table.sources[*included].included_by?;
        let statement =
            table.sources[source].tree.statements.get(statement).filter(|_| includer == source)?;
        Some((range(&sole_text(bytes, statement)?), quote(copy.as_os_str().as_encoded_bytes())))
    };
    replaced(bytes, copies.iter().filter_map(replacement).collect())
}

fn name(table: &HostTable, source: usize) -> String {
    let name = table.sources[source].path.file_name().unwrap_or_default();
    format!("{PREFIX}{source}-{}", name.to_string_lossy())
}

fn folder(main: &Path) -> PathBuf {
    let own = main.parent().unwrap_or(Path::new("/"));
    let is_debians_too = own == Path::new("/etc") && Path::new(DEBIANS).is_dir();
    if is_debians_too { PathBuf::from(DEBIANS) } else { own.to_owned() }
}

fn remove_left_over(folder: &Path) {
    let Ok(listed) = fs::read_dir(folder) else { return };
    let is_ours = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(PREFIX);
    for entry in listed.filter_map(Result::ok).filter(is_ours) {
        let _already_gone = fs::remove_file(entry.path());
    }
}

/// As secret as the file itself, and as readable for the checker.
fn write(path: &Path, original: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    attributes::copy_owner(original, &file)?;
    attributes::copy_mode(original, &file)?;
    attributes::copy_extended(original, &file)
}
