//! Stretches of a configuration's files, whatever its grammar: what replaces them, and where the files are.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// What takes the place of which stretch of a file.
pub(super) type Replacement = (Range<usize>, Vec<u8>);

/// The bytes with these stretches replaced; one that begins inside another is passed over.
pub(super) fn replaced(bytes: &[u8], mut replacements: Vec<Replacement>) -> Vec<u8> {
    replacements.sort_by_key(|(range, _)| range.start);
    let more: usize = replacements.iter().map(|(_, new)| new.len()).sum();
    let mut contents = Vec::with_capacity(bytes.len() + more);
    let mut copied = 0;
    for (range, new) in replacements {
        if range.start < copied {
            continue;
        }
        contents.extend_from_slice(bytes.get(copied..range.start).unwrap_or_default());
        contents.extend_from_slice(&new);
        copied = range.end;
    }
    contents.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    contents
}

/// A relative path in a configuration is relative to the server's working folder, the root for a service.
pub(super) fn absolute(path: &Path) -> PathBuf {
    Path::new("/").join(path)
}

/// Whether two paths lead to one file.
pub(super) fn same(one: &Path, other: &Path) -> bool {
    one == other
        || std::fs::canonicalize(one)
            .ok()
            .is_some_and(|one| std::fs::canonicalize(other).is_ok_and(|other| one == other))
}
