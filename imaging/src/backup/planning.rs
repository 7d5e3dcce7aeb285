//! Looking at the stretches of a disk one after the other: what is found decides how each is saved.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use ghost_contract::image::{DiskFacts, LinuxSettings, Volume};

use super::cannot_be_looked_at;
use crate::plan::backup::{self as plan, How, Owner, Part, Planned, Stretch};
use crate::plan::maps::Maps;
use crate::survey::{self, Looked, Open, Unlocked};
use crate::tool::blkid::Found;

/// What is known so far of how a disk is saved.
pub(super) struct Planning<'a> {
    pub(super) facts: &'a DiskFacts,
    pub(super) settings: &'a LinuxSettings,
    /// The file of the key that opens LUKS, if the administrator gave one.
    pub(super) key: Option<&'a Path>,
    pub(super) maps: &'a mut Maps,
    pub(super) found: Plans,
}

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct Plans {
    pub(super) planned: Vec<Planned>,
    /// The file systems that partclone reads already, by their first bytes.
    pub(super) open: BTreeMap<u64, Open>,
    pub(super) unlocked: Vec<Unlocked>,
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
                    self.found.notes.push(format!("the disk is saved with every byte: {why}"));
                    return self.look(stretch, found, None);
                }
                self.look(stretch, Some(Found::doubtful(why)), None)
            }
        }
    }

    fn part(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Closed(planned) => self.found.planned.push(planned),
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
        if let (Some(key), true) = (self.key, found.as_ref().is_some_and(survey::is_locked)) {
            let place = stretch.place(volume.as_ref());
            let unlocked = survey::unlock(self.facts, stretch, key);
            match unlocked.with_context(|| format!("{place} is encrypted (LUKS)"))? {
                Ok(unlocked) => return self.inside(stretch, unlocked, volume.as_ref()),
                Err(why) => {
                    self.found.notes.push(format!("{place} is not opened, and saved encrypted: {why}"))
                }
            }
        }
        let looked = survey::look(self.facts, stretch, found);
        let Looked { holding, open } = looked.with_context(|| cannot_be_looked_at(self.facts))?;
        let mut regions = plan::regions(self.facts, stretch, holding.as_ref(), self.settings)?;
        if let (Some(open), Some(How::Partclone(_, head))) = (open, regions.first().map(|region| &region.how))
            && self.maps.take(head.map())
        {
            self.found.open.insert(stretch.start, open);
        }
        regions.iter_mut().for_each(|region| region.volume.clone_from(&volume));
        self.found.planned.extend(regions);
        Ok(())
    }

    /// Looks at what is in a container that this stretch is. What is encrypted within it once more is not opened.
    fn inside(&mut self, stretch: Stretch, unlocked: Unlocked, volume: Option<&Volume>) -> Result<()> {
        let place = stretch.place(volume);
        let facts = &unlocked.facts;
        let whole = Stretch { start: 0, length: facts.size, owner: Owner::Inside(stretch.partition()) };
        let found = survey::found(facts, whole).with_context(|| cannot_be_looked_at(facts))?;
        let (settings, maps) = (self.settings, &mut *self.maps);
        let mut planning = Planning { facts, settings, key: None, maps, found: Plans::default() };
        planning
            .stretch(whole, Some(found))
            .with_context(|| format!("what is in {place} cannot be saved"))?;
        let Plans { planned, open, notes, .. } = planning.found;
        let (base, index) = (unlocked.inside.start, self.found.unlocked.len());
        let header = stretch.header(base - stretch.start);
        self.found.planned.push(Planned { volume: volume.cloned(), ..header });
        self.found.planned.extend(planned.into_iter().map(|region| {
            let volume = region.volume.clone().or_else(|| volume.cloned());
            Planned { start: base + region.start, container: Some(index), volume, ..region }
        }));
        self.found.open.extend(open.into_iter().map(|(start, open)| (base + start, open)));
        self.found.notes.push(format!(
            "{place} was opened with the key that was given: the image holds what is in it NOT ENCRYPTED, so keep the image store \
             as safe as the key"
        ));
        self.found.notes.extend(notes);
        self.found.unlocked.push(unlocked);
        Ok(())
    }
}
