//! Files that are kept beside the DHCP configuration because other programs were writing to it when it was edited, and what people
//! are told of them. The clones of a [`Site`](crate::site::Site) share one list.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::sys::atomic::{Earlier, Looked};

/// What people are told of the kept files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A person may have to put something right.
    Warning(String),
    /// A person has to.
    Trouble(String),
}

#[derive(Debug, Clone, Default)]
pub struct KeptFiles(Arc<Mutex<Vec<Kept>>>);

#[derive(Debug)]
enum Kept {
    Earlier { earlier: Earlier, is_told: bool },
    Saved { words: String },
}

impl KeptFiles {
    /// Another program had the file open for writing when it was replaced.
    pub(super) fn earlier(&self, earlier: Earlier) {
        self.push(Kept::Earlier { earlier, is_told: false });
    }

    /// A file was saved several times at once, and what one program has saved is not in place.
    pub(super) fn saved(&self, file: &Path, kept: &Path) {
        let words = format!(
            "{} was saved several times by other programs at the moment of an edit, and what one of them has saved is not in it; that is in \
             {}: compare the two, write what is missing into {0} again, then remove that file",
            file.display(),
            kept.display()
        );
        self.push(Kept::Saved { words });
    }

    /// What is new since the last look.
    pub fn look(&self) -> Vec<Told> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = Vec::new();
        all.retain_mut(|kept| match kept {
            Kept::Saved { words } => {
                told.push(Told::Trouble(std::mem::take(words)));
                false
            }
            Kept::Earlier { earlier, is_told } => match became(earlier) {
                Some(Told::Warning(words)) => {
                    if !std::mem::replace(is_told, true) {
                        told.push(Told::Warning(words));
                    }
                    true
                }
                other => {
                    told.extend(other);
                    false
                }
            },
        });
        told
    }

    fn push(&self, kept: Kept) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
    }
}

/// What is to be told of such a file; nothing once it is gone.
fn became(earlier: &Earlier) -> Option<Told> {
    let (file, kept) = (earlier.file.display(), earlier.kept.display());
    match earlier.look() {
        Ok(Looked::Gone) => None,
        Ok(Looked::StillOpen) => Some(Told::Warning(format!(
            "another program had {file} open for writing when it was edited; what it writes from now on is not in {file} but in {kept}"
        ))),
        Ok(Looked::Written) => Some(Told::Trouble(format!(
            "another program had {file} open when it was edited and has written to it since; what it has written is not in {file} but in \
             {kept}: write it into {file} again, then remove that file"
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Told::Trouble(format!(
            "another program had {file} open when it was edited, and whether it has written to it since is not known, because {kept} cannot \
             be looked at: {error}"
        ))),
    }
}
