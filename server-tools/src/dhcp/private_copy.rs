//! The configuration as it would be, for a server's checker: private copies of the files that would change and of those that
//! include them. The copies include each other; everything else is included from where it is.
//!
//! Checked alone, an included file would be refused for using what the main file defines.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Change;
use super::text::{absolute, replaced};
use crate::sys::attributes;

/// The beginning of all copies' names.
const PREFIX: &str = ".ghostctl-check-";

/// A file of a configuration, as it would be.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) path: &'a Path,
    pub(super) bytes: &'a [u8],
    /// The file that includes it, by its place in the list, which is before its own, and the stretch there that says its path.
    pub(super) included_by: Option<(usize, Range<usize>)>,
}

/// Copies that are removed when this is dropped.
#[derive(Debug, Default)]
pub struct PrivateCopy {
    /// The files and their copies, the main file first.
    copies: Vec<(PathBuf, PathBuf)>,
}

impl PrivateCopy {
    /// Of these files, the main one first, with the changes in them. `quote` writes a path as an include has it. Only one may be
    /// made at a time in a folder: the edit lock sees to that.
    pub(super) fn of(
        parts: &[Part<'_>],
        changes: &[Change],
        folder: &Path,
        quote: fn(&[u8]) -> Vec<u8>,
    ) -> anyhow::Result<Self> {
        remove_left_over(folder);
        let concerned = concerned(parts, changes);
        let copies: BTreeMap<usize, PathBuf> =
            concerned.into_iter().map(|part| (part, folder.join(name(part, parts[part].path)))).collect();
        let mut copy = Self::default();
        for (part, path) in &copies {
            let original = absolute(parts[*part].path);
            copy.copies.push((original.clone(), path.clone()));
            write(path, &original, &contents(parts, *part, &copies, quote))
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

/// The main file, those that change, and those through which they are included.
fn concerned(parts: &[Part<'_>], changes: &[Change]) -> Vec<usize> {
    let is_changed = |part: &Part<'_>| changes.iter().any(|change| change.file == absolute(part.path));
    let mut concerned: Vec<bool> = parts.iter().map(is_changed).collect();
    // An included file comes after the one that includes it.
    for (part, of) in parts.iter().enumerate().rev() {
        if let Some((includer, _)) = of.included_by.as_ref().filter(|_| concerned[part]) {
            concerned[*includer] = true;
        }
    }
    (0..parts.len()).filter(|part| concerned[*part] || *part == 0).collect()
}

/// With the copies in the places of the files that it includes.
fn contents<'a>(
    parts: &[Part<'a>],
    part: usize,
    copies: &BTreeMap<usize, PathBuf>,
    quote: fn(&[u8]) -> Vec<u8>,
) -> Cow<'a, [u8]> {
    let replacement = |(included, copy): (&usize, &PathBuf)| {
        let (_, stretch) = parts[*included].included_by.as_ref().filter(|(includer, _)| *includer == part)?;
        Some((stretch.clone(), quote(copy.as_os_str().as_encoded_bytes())))
    };
    let replacements: Vec<_> = copies.iter().filter_map(replacement).collect();
    // Most configurations are one large file.
    if replacements.is_empty() {
        return Cow::Borrowed(parts[part].bytes);
    }
    Cow::Owned(replaced(parts[part].bytes, replacements))
}

fn name(part: usize, path: &Path) -> String {
    format!("{PREFIX}{part}-{}", path.file_name().unwrap_or_default().to_string_lossy())
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
