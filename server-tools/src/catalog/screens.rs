//! Finds the screenshots of a job. Those of a backup are beside its images, in the staging folder or in the generation;
//! those of other jobs are in the client's tree, until its next job.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use anyhow::Context as _;
use ghost_contract::bounds::{SCREENSHOT_NAME, SCREENSHOTS, STAGING_FILES};
use ghost_contract::{HostName, JobId, Mode, layout};

use super::{Catalog, FAILED, Staged, cannot, incoming, is_planted};
use crate::ghostrc::Ghostrc;
use crate::job::Identity;
use crate::sys::folder::{Entry, Folder};
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

    /// Removes all but the last screenshots of a job from its staging folder. Says in words how many files that were.
    pub(crate) fn remove_older_screens(
        &self,
        host: &HostName,
        job: &JobId,
    ) -> anyhow::Result<Option<String>> {
        let Some(Staged { above, path }) = self.staged(host, job)? else { return Ok(None) };
        let folder = match above.folder(incoming(job)).and_then(|staging| staging.folder(layout::SCREENS)) {
            Ok(folder) => folder,
            // What else may be there is no part of a generation, which is found when it is read back.
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_planted(&error) => return Ok(None),
            Err(error) => return Err(error).with_context(|| cannot("open", &path.join(layout::SCREENS))),
        };
        let removed = last_names(&folder, usize::MAX).and_then(|Names { names: kept, .. }| {
            let is_older = |name: &str| kept.binary_search_by(|kept| kept.as_str().cmp(name)).is_err();
            folder.remove_wanted(|entry| screenshot(entry).is_some_and(|(name, _)| is_older(name)))
        });
        let removed =
            removed.with_context(|| cannot("remove older screenshots from", &path.join(layout::SCREENS)))?;
        let words = || {
            format!(
                "it took too many screenshots: the last {SCREENSHOTS} are kept, {removed} files of older ones were removed"
            )
        };
        Ok((removed > 0).then(words))
    }
}

/// The folder of the screenshots of a job; nothing if it has taken none.
pub(crate) fn of(ghostrc: &Ghostrc, identity: &Identity) -> io::Result<Option<(PathBuf, Folder)>> {
    match identity.mode {
        Mode::Backup => Catalog::of(ghostrc).screens(&identity.host, &identity.job),
        _ => Tree::at(ghostrc, identity.ip).screens(),
    }
}

/// The last screenshots in a folder.
#[derive(Debug, Default)]
pub struct Names {
    /// Without ending, the oldest first.
    pub names: Vec<String>,
    /// How many older ones there are.
    pub left_out: usize,
}

/// The names of the last screenshots in a folder, which may be a client's.
pub(crate) fn names(folder: &Folder) -> io::Result<Names> {
    last_names(folder, STAGING_FILES)
}

/// The same. An error if there are more than `most` names of any kind in it.
fn last_names(folder: &Folder, most: usize) -> io::Result<Names> {
    let (mut last, mut left_out, mut looked_at) = (BTreeSet::new(), 0, 0);
    let one_too_many = folder.wanted_entries(1, |entry| {
        looked_at += 1;
        if let Some((name, "png")) = screenshot(entry) {
            last.insert(name.to_owned());
        }
        if last.len() > SCREENSHOTS {
            last.pop_first();
            left_out += 1;
        }
        looked_at > most
    })?;
    if one_too_many.is_empty() {
        return Ok(Names { names: last.into_iter().collect(), left_out });
    }
    Err(io::Error::other(format!("there are more than {most} names in it")))
}

/// The name of a screenshot that this is a file of, and its ending.
fn screenshot(entry: &Entry) -> Option<(&str, &str)> {
    entry.path.to_str()?.split_once('.').filter(|(name, _)| is_numbered(name))
}

/// The name of a job's last screenshot; none if it has taken none.
pub(crate) fn last(ghostrc: &Ghostrc, identity: &Identity) -> io::Result<Option<String>> {
    let Some((_, folder)) = of(ghostrc, identity)? else { return Ok(None) };
    Ok(names(&folder)?.names.pop())
}

/// `0001-interval`, which is a moment's, and not `latest`. Any other name is none that an imager's screenshots have.
pub(crate) fn is_numbered(name: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    name.len() <= SCREENSHOT_NAME
        && name.split_once('-').is_some_and(|(number, what_for)| {
            !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) && is_word(what_for)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn screens(count: usize) -> (tempfile::TempDir, Folder) {
        let inside = tempfile::tempdir().unwrap();
        for number in 0..count {
            fs::write(inside.path().join(format!("{number:05}-interval.png")), "").unwrap();
        }
        let folder = Folder::open(inside.path()).unwrap();
        (inside, folder)
    }

    #[test]
    fn however_many_screenshots_a_client_has_made_the_last_ones_are_held_in_memory_and_the_others_counted() {
        let (inside, folder) = screens(SCREENSHOTS + 500);
        let long = format!("99999-{}.png", "x".repeat(SCREENSHOT_NAME));
        fs::write(inside.path().join(long), "").unwrap();
        let Names { names, left_out } = names(&folder).unwrap();
        assert_eq!((names.len(), left_out), (SCREENSHOTS, 500));
        assert_eq!(names[0], "00500-interval");
        assert_eq!(names.last().unwrap(), "01499-interval");
        let refused = last_names(&folder, 1_000).unwrap_err().to_string();
        assert_eq!(refused, "there are more than 1000 names in it");
    }
}
