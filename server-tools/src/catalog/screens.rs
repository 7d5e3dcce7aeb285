//! Finds the screenshots of a job. Those of a backup are beside its images, in the staging folder or in the generation;
//! those of other jobs are in the client's tree, until its next job.

use std::io;
use std::path::PathBuf;

use ghost_contract::{HostName, JobId, Mode, layout};

use super::{Catalog, FAILED, incoming};
use crate::ghostrc::Ghostrc;
use crate::job::Identity;
use crate::sys::folder::Folder;
use crate::tree::Tree;

/// No file of a screenshot is larger.
pub(crate) const LARGEST: u64 = 64 << 20;

impl Catalog {
    /// The folder of a job's screenshots, whether the job runs, has failed or has become a generation; nothing if it has
    /// taken none.
    pub fn screens(&self, host: &HostName, job: &JobId) -> io::Result<Option<(PathBuf, Folder)>> {
        let of_host = PathBuf::from(host.as_str());
        let kept = [incoming(job), format!("{FAILED}{job}"), job.as_str().to_owned()];
        let kept = kept.into_iter().map(|name| of_host.join(name));
        for folder in [self.written_to(host).join(incoming(job))].into_iter().chain(kept) {
            let below = folder.join(layout::SCREENS);
            match Folder::open(&self.store).and_then(|store| store.folder(&below)) {
                Ok(folder) => return Ok(Some((self.store.join(below), folder))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// The folder of the screenshots of a job; nothing if it has taken none.
pub(crate) fn of(ghostrc: &Ghostrc, identity: &Identity) -> io::Result<Option<(PathBuf, Folder)>> {
    match identity.mode {
        Mode::Backup => Catalog::of(ghostrc).screens(&identity.host, &identity.job),
        _ => Tree::at(ghostrc, identity.ip).screens(),
    }
}

/// The names of the screenshots in a folder without ending, the oldest first.
pub(crate) fn names(folder: &Folder) -> io::Result<Vec<String>> {
    let entries = folder.entries()?;
    let files = entries.iter().filter_map(|entry| entry.path.to_str()?.strip_suffix(".png"));
    let mut names: Vec<String> = files.filter(|name| is_numbered(name)).map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

/// The name of a job's last screenshot; none if it has taken none.
pub(crate) fn last(ghostrc: &Ghostrc, identity: &Identity) -> io::Result<Option<String>> {
    let Some((_, folder)) = of(ghostrc, identity)? else { return Ok(None) };
    Ok(names(&folder)?.pop())
}

/// `0001-interval`, which is a moment's, and not `latest`. Any other name is none that an imager's screenshots have.
pub(crate) fn is_numbered(name: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    name.split_once('-').is_some_and(|(number, what_for)| {
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) && is_word(what_for)
    })
}
