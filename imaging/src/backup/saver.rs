//! Saving the regions of a disk, one after the other; what the store has not yet of one gets there while the next is read.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};
use ghost_contract::image::{Content, DiskFacts, FileSystem, OnReadError, Range, Table};

use crate::board::Board;
use crate::plan::backup::{How, Planned};
use crate::stream::pieces::Syncing;
use crate::stream::reader;
use crate::stream::save::{self, Method, Saved};
use crate::survey::{self, Open, Unlocked};
use crate::sys::node::{Access, Node};
use crate::tool::partclone;

/// What regions are read from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) opened: &'a File,
    pub(super) facts: &'a DiskFacts,
    /// Where on the disk its first byte is.
    pub(super) base: u64,
}

/// Saves regions of one disk.
pub(super) struct Saver<'a> {
    /// The file systems that partclone reads already, by their first bytes.
    pub(super) open: BTreeMap<u64, Open>,
    /// The last pieces of regions, on their way to the disk, with the regions in words.
    pub(super) syncing: Vec<(String, Syncing)>,
    pub(super) disk: Source<'a>,
    pub(super) unlocked: &'a [Unlocked],
    pub(super) table: &'a Table,
    pub(super) method: Method<'a>,
    pub(super) board: &'a Board,
}

impl Saver<'_> {
    /// Saves one, and says what is kept of it; what cannot be read is added to `bad`.
    pub(super) fn save(&mut self, index: usize, region: &Planned, bad: &mut Vec<Range>) -> Result<Content> {
        let reason = match &region.how {
            How::Unused(reason) => return Ok(Content::Unused { reason: *reason }),
            How::Partclone(file_system, head) => {
                return self.file_system(index, region, *file_system, head, bad);
            }
            How::Raw(reason) => reason.clone(),
        };
        let subject = self.subject(region);
        self.board.region(subject.clone());
        let Source { opened, base, .. } = self.source(region);
        let stretch = Range { start: region.start - base, length: region.length };
        let saved = save::raw(self.method, &region.file_name(index), opened, stretch, self.board);
        let Saved { stream, bad: unreadable, syncing, .. } = saved.with_context(|| not_saved(&subject))?;
        bad.extend(unreadable.iter().map(|range| Range { start: base + range.start, ..*range }));
        self.syncing.push((subject, syncing));
        Ok(Content::Raw { reason, stream })
    }

    /// Waits until all of it is on the disk.
    pub(super) fn end(&mut self) -> Result<()> {
        for (subject, syncing) in &mut self.syncing {
            syncing.wait().with_context(|| not_saved(subject))?;
        }
        Ok(())
    }

    fn file_system(
        &mut self,
        index: usize,
        region: &Planned,
        file_system: FileSystem,
        head: &partclone::Head,
        bad: &mut Vec<Range>,
    ) -> Result<Content> {
        let subject = self.subject(region);
        self.board.region(subject.clone());
        let Open { reader, node } = match self.open.remove(&region.start) {
            Some(open) => open,
            None => self.open(region, file_system).with_context(|| not_saved(&subject))?,
        };
        let name = region.file_name(index);
        let from = (node.path(), reader);
        let saved = save::file_system(self.method, &name, from, (file_system, head), self.board);
        let Saved { stream, held, bad: unreadable, syncing } = saved.with_context(|| not_saved(&subject))?;
        self.require_all(region, (file_system, head.total), held).with_context(|| not_saved(&subject))?;
        self.syncing.push((subject, syncing));
        bad.extend(
            unreadable.iter().map(|range| Range { start: region.start + range.start, length: range.length }),
        );
        Ok(Content::Partclone {
            file_system,
            tool: partclone::program(file_system).to_owned(),
            version: head.version.clone(),
            used: head.used,
            total: head.total,
            stream,
        })
    }

    /// Asks the file system once more what it uses: partclone has read its map before, maybe long ago, and what it missed
    /// is in no image.
    fn require_all(
        &self,
        region: &Planned,
        (file_system, total): (FileSystem, u64),
        held: u64,
    ) -> Result<()> {
        let path = Path::new(&self.source(region).facts.path);
        let claim = survey::claim(file_system, path, region.looked_at);
        let claim = claim.context("the file system does not say any more what it uses")?;
        match claim.contradicts(total, held) {
            Some(said) => {
                bail!("{said} now that it is saved: something writes to it, or partclone misses a part")
            }
            None => Ok(()),
        }
    }

    fn open(&self, region: &Planned, file_system: FileSystem) -> Result<Open> {
        // The partition or volume, which may be longer than the file system in it.
        let Range { start, length } = region.looked_at;
        let DiskFacts { path, logical_sector, .. } = self.source(region).facts;
        let node = Node::of(Path::new(path), start, length, *logical_sector, Access::Read)?;
        Ok(Open { reader: reader::start(file_system, node.path(), OnReadError::Fail)?, node })
    }

    fn source(&self, region: &Planned) -> Source<'_> {
        let unlocked = region.container.and_then(|index| self.unlocked.get(index));
        unlocked.map_or(self.disk, |one| Source {
            opened: &one.opened,
            facts: &one.facts,
            base: one.inside.start,
        })
    }

    fn subject(&self, region: &Planned) -> String {
        crate::subject_of(self.table, region.partition, region.volume.as_ref())
    }
}

fn not_saved(subject: &str) -> String {
    format!("{subject} was not saved")
}
