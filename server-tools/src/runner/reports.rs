//! Follows the reports of clients: each new line becomes an event of its job.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use ghost_contract::report;

use crate::job::Event;
use crate::sys::watch::{Watch, Watched};
use crate::tree::Tree;

/// How much of a report is read at once, bytes.
const READ_AT_ONCE: u64 = 1 << 20;

/// A report, read up to here.
#[derive(Debug)]
struct Followed {
    tree: Tree,
    offset: u64,
}

#[derive(Debug)]
pub(crate) struct Reports {
    watch: Watch,
    /// By the place of the job in the list.
    followed: BTreeMap<usize, Followed>,
    watched: HashMap<Watched, usize>,
}

impl Reports {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { watch: Watch::new()?, followed: BTreeMap::new(), watched: HashMap::new() })
    }

    /// Follows the report in a new tree, from its first byte.
    pub(crate) fn follow(&mut self, index: usize, tree: Tree) {
        // Without a watch, look_at_all still finds what is written.
        if let Ok(watched) = self.watch.add(&tree.report_folder()) {
            self.watched.insert(watched, index);
        }
        self.followed.insert(index, Followed { tree, offset: 0 });
    }

    /// Wakes the loop when something is written to this folder as well.
    pub(crate) fn watch_also(&self, folder: &Path) -> io::Result<()> {
        self.watch.add(folder).map(|_no_report| ())
    }

    /// Reads all reports, whether or not the kernel says that they have changed.
    pub(crate) fn look_at_all(&mut self) -> Vec<(usize, Event)> {
        self.followed.iter_mut().flat_map(|(index, followed)| followed.read(*index)).collect()
    }

    /// Reads the reports that the kernel says have changed.
    pub(crate) fn written(&mut self) -> Vec<(usize, Event)> {
        let written = self.watch.take().unwrap_or_default();
        let mut events = Vec::new();
        for index in written.iter().filter_map(|watched| self.watched.get(watched)) {
            let followed = self.followed.get_mut(index);
            events.extend(followed.map(|followed| followed.read(*index)).unwrap_or_default());
        }
        events
    }

    /// Becomes readable when something is written.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }
}

impl Followed {
    /// The lines that were written since the last call.
    fn read(&mut self, index: usize) -> Vec<(usize, Event)> {
        let Ok(bytes) = self.tree.report(self.offset, READ_AT_ONCE) else { return Vec::new() };
        let read = report::read(&bytes);
        let mut used = u64::try_from(read.used).unwrap_or_default();
        let is_endless = read.used == 0 && u64::try_from(bytes.len()).unwrap_or_default() == READ_AT_ONCE;
        if is_endless {
            used = READ_AT_ONCE;
        }
        self.offset += used;
        let said = read.entries.into_iter().map(Event::Reported);
        let muttered = read.unknown.into_iter().map(Event::Muttered);
        said.chain(muttered).map(|event| (index, event)).collect()
    }
}
