//! The files of a machine, for tests of what an imager makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Files, FoundFile};

/// Contents by paths. A folder has what is directly below it; whatever is a folder there counts as empty.
#[derive(Default)]
pub(super) struct Kept(BTreeMap<PathBuf, String>);

impl Kept {
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }
}

impl FromIterator<(String, String)> for Kept {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(files: T) -> Self {
        Self(files.into_iter().map(|(path, text)| (path.into(), text)).collect())
    }
}

impl Files for Kept {
    fn read(&self, path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).map(|text| text.clone().into_bytes()))
    }

    fn list(&self, folder: &Path) -> anyhow::Result<Vec<FoundFile>> {
        let below = self.0.keys().filter_map(|path| path.strip_prefix(folder).ok()?.iter().next()?.to_str());
        let names: BTreeSet<&str> = below.collect();
        let size = |name| self.0.get(&folder.join(name)).map_or(0, |text| u64::try_from(text.len()).unwrap());
        Ok(names.into_iter().map(|name| FoundFile { name: name.to_owned(), size: size(name) }).collect())
    }

    fn free_space(&self, _folder: &Path) -> anyhow::Result<u64> {
        Ok(1 << 30)
    }
}
