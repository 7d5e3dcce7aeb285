//! A physical volume of LVM and its group → its parts: one a logical volume, and what is between them.
//!
//! ```text
//! ├ label, metadata ┼ volume ┼ volume ┼ extents that no volume has ┼ volume ┼ behind the last extent ┤
//! ```
//! A volume that stands for itself and is in one place is looked at as a partition is. Of all others, and of what no volume
//! has, every byte is saved: that LVM's map calls extents free says nothing of what they hold.

use ghost_contract::image::{RawReason, Volume};

use super::{How, Owner, Planned, Stretch, all_of};
use crate::tool::lvm::{Group, Run};

/// A part of a physical volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// What it holds is looked at.
    Open(Stretch, String),
    /// It is known how it is saved.
    Closed(Planned),
}

/// What makes the physical volume that is this stretch, of a disk with sectors of this size; none if its extents are no
/// whole sectors.
pub fn parts(stretch: Stretch, group: &Group, sector: u64) -> Option<Vec<Part>> {
    let inner = Stretch { owner: Owner::Volume(stretch.partition()), ..stretch };
    let mut runs: Vec<(Run, &crate::tool::lvm::Volume)> =
        group.volumes.iter().flat_map(|volume| volume.runs.iter().map(move |run| (*run, volume))).collect();
    runs.sort_by_key(|(run, _)| run.start);
    let first = group.first;
    let is_whole = |at: u64| at.is_multiple_of(sector);
    if !is_whole(first) || !runs.iter().all(|(run, _)| is_whole(run.start) && is_whole(run.length)) {
        return None;
    }
    let place = |from: u64, to: u64| Stretch { start: stretch.start + from, length: to - from, ..inner };
    let raw = |from: u64, to: u64, reason| Part::Closed(all_of(place(from, to), How::Raw(reason)));
    let (mut parts, mut at) = (vec![raw(0, first, RawReason::VolumeGroup)], first);
    for (run, volume) in runs {
        if run.start > at {
            parts.push(raw(at, run.start, RawReason::BesideVolumes));
        }
        at = run.start + run.length;
        let (place, name) = (place(run.start, at), format!("{}/{}", group.name, volume.name));
        parts.push(match &volume.opaque {
            None => Part::Open(place, name),
            Some(why) => {
                let how = How::Raw(RawReason::ToolRefused { said: why.clone() });
                let volume = Some(Volume { name, file_system: None });
                Part::Closed(Planned { volume, ..all_of(place, how) })
            }
        });
    }
    if stretch.length > at {
        parts.push(raw(at, stretch.length, RawReason::BesideVolumes));
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::lvm;

    const MIB: u64 = 1 << 20;

    /// Its name, where it is (MiB), and why it does not stand for itself.
    type Told<'a> = (&'a str, &'a [(u64, u64)], Option<&'a str>);

    fn group(volumes: &[Told<'_>]) -> Group {
        let run = |&(start, length): &(u64, u64)| Run { start: start * MIB, length: length * MIB };
        let volumes = volumes.iter().map(|(name, runs, why)| lvm::Volume {
            name: (*name).to_owned(),
            runs: runs.iter().map(run).collect(),
            opaque: why.map(str::to_owned),
        });
        Group { name: "vg".to_owned(), first: MIB, volumes: volumes.collect() }
    }

    /// From where to where, MiB, and what.
    fn told(stretch: Stretch, group: &Group) -> Vec<(u64, u64, String)> {
        let part = |part: Part| match part {
            Part::Open(stretch, name) => (stretch.start, stretch.length, stretch.owner, name),
            Part::Closed(planned) => {
                let owner = Owner::Volume(planned.partition);
                let How::Raw(reason) = planned.how else { panic!("{:?}", planned.how) };
                let name = planned.volume.map(|volume| volume.name + " ").unwrap_or_default();
                (planned.start, planned.length, owner, format!("{name}{reason:?}"))
            }
        };
        let told = parts(stretch, group, 512).unwrap().into_iter().map(part);
        let told = told.map(|(start, length, owner, what)| {
            assert_eq!(owner, Owner::Volume(stretch.partition()));
            (start / MIB, (start + length) / MIB, what)
        });
        told.collect()
    }

    #[test]
    fn its_parts_are_all_of_it() {
        let group = group(&[("b", &[(41, 8)], None), ("a", &[(1, 20)], None)]);
        let stretch = Stretch { start: 10 * MIB, length: 60 * MIB, owner: Owner::Partition(3) };
        let expected = [
            (10, 11, "VolumeGroup"),
            (11, 31, "vg/a"),
            (31, 51, "BesideVolumes"),
            (51, 59, "vg/b"),
            (59, 70, "BesideVolumes"),
        ];
        assert_eq!(told(stretch, &group), expected.map(|(from, to, what)| (from, to, what.to_owned())));
    }

    #[test]
    fn of_what_does_not_stand_for_itself_every_byte_is_saved() {
        let group = group(&[("a", &[(1, 4), (9, 1)], Some("why")), ("b", &[(5, 4)], None)]);
        let stretch = Stretch { start: 0, length: 10 * MIB, owner: Owner::Disk };
        let raw = "vg/a ToolRefused { said: \"why\" }";
        let expected = [(0, 1, "VolumeGroup"), (1, 5, raw), (5, 9, "vg/b"), (9, 10, raw)];
        assert_eq!(told(stretch, &group), expected.map(|(from, to, what)| (from, to, what.to_owned())));
    }

    #[test]
    fn extents_are_made_of_whole_sectors() {
        let stretch = Stretch { start: 0, length: 10 * MIB, owner: Owner::Disk };
        let mut odd = group(&[("a", &[(1, 4)], None)]);
        odd.volumes[0].runs[0].length += 512;
        assert!(parts(stretch, &odd, 512).is_some());
        assert_eq!(parts(stretch, &odd, 4096), None);
    }
}
