//! Looking at the stretches of a disk one after the other: what is found decides how each is saved.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use ghost_contract::image::{DiskFacts, LinuxSettings, Volume};

use super::cannot_be_looked_at;
use crate::plan::backup::{self as plan, How, Owner, Part, Planned, Stretch};
use crate::plan::maps::Maps;
use crate::survey::{self, Looked, Open};
use crate::tool::blkid::Found;

/// What is known so far of how a disk is saved.
pub(super) struct Planning<'a> {
    pub(super) facts: &'a DiskFacts,
    pub(super) settings: &'a LinuxSettings,
    pub(super) maps: &'a mut Maps,
    pub(super) planned: Vec<Planned>,
    /// The file systems that partclone reads already, by their first bytes.
    pub(super) open: BTreeMap<u64, Open>,
    pub(super) notes: Vec<String>,
}

impl Planning<'_> {
    /// Looks at a partition, a gap, or a disk without a table, in which this was found.
    pub(super) fn stretch(&mut self, stretch: Stretch, found: Option<Found>) -> Result<()> {
        let volumes = found.as_ref().and_then(|found| survey::volumes(self.facts, stretch, found));
        match volumes {
            None => self.look(stretch, found, None),
            Some(Ok(parts)) => parts.into_iter().try_for_each(|part| self.part(part)),
            Some(Err(why)) => {
                let why = format!("it is a physical volume of LVM, and {why}");
                if stretch.owner == Owner::Disk {
                    // What it is must stay what it is called: a restore goes by that.
                    self.notes.push(format!("the disk is saved with every byte: {why}"));
                    return self.look(stretch, found, None);
                }
                self.look(stretch, Some(Found::doubtful(why)), None)
            }
        }
    }

    fn part(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Closed(planned) => self.planned.push(planned),
            Part::Open(stretch, name) => {
                let found = survey::found(self.facts, stretch);
                let found = found.with_context(|| cannot_be_looked_at(self.facts))?;
                let volume = Volume { name, file_system: found.kind.clone() };
                self.look(stretch, Some(found), Some(volume))?;
            }
        }
        Ok(())
    }

    fn look(&mut self, stretch: Stretch, found: Option<Found>, volume: Option<Volume>) -> Result<()> {
        let looked = survey::look(self.facts, stretch, found);
        let Looked { holding, open } = looked.with_context(|| cannot_be_looked_at(self.facts))?;
        let mut regions = plan::regions(self.facts, stretch, holding.as_ref(), self.settings)?;
        if let (Some(open), Some(How::Partclone(_, head))) = (open, regions.first().map(|region| &region.how))
            && self.maps.take(head.map())
        {
            self.open.insert(stretch.start, open);
        }
        regions.iter_mut().for_each(|region| region.volume.clone_from(&volume));
        self.planned.extend(regions);
        Ok(())
    }
}
