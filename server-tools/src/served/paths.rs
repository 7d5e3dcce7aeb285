//! Numbers for the files of a file system whose driver knows them by their paths.

use std::collections::HashMap;
use std::io;

use super::{ROOT, missing};

/// The paths that were asked for, each with a number, which is that of its place from [`ROOT`] on.
#[derive(Debug)]
pub(super) struct Paths {
    paths: Vec<Vec<u8>>,
    numbers: HashMap<Vec<u8>, u64>,
}

impl Paths {
    /// The root alone, which is called so.
    pub(super) fn from_root(root: &[u8]) -> Self {
        Self { paths: vec![root.to_vec()], numbers: HashMap::from([(root.to_vec(), ROOT)]) }
    }

    pub(super) fn of(&self, node: u64) -> io::Result<&[u8]> {
        let index = node.checked_sub(ROOT).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.paths.get(index)).map(Vec::as_slice).ok_or_else(missing)
    }

    pub(super) fn below(&self, folder: u64, name: &[u8]) -> io::Result<Vec<u8>> {
        let folder = self.of(folder)?;
        let gap: &[u8] = if folder.is_empty() || folder.ends_with(b"/") { b"" } else { b"/" };
        Ok([folder, gap, name].concat())
    }

    pub(super) fn number(&mut self, path: Vec<u8>) -> io::Result<u64> {
        if let Some(number) = self.numbers.get(&path) {
            return Ok(*number);
        }
        let number = ROOT + u64::try_from(self.paths.len()).map_err(io::Error::other)?;
        self.paths.push(path.clone());
        self.numbers.insert(path, number);
        Ok(number)
    }
}
