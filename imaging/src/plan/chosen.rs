//! Some partitions of a disk, chosen by their numbers: whether a disk has them, and whether what an image holds of them
//! fits into the table of another disk. That table stays, with everything else on the disk.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use ghost_contract::image::{DiskFacts, DiskImage, LinuxSettings, Partition, Range, Table, TableKind};

use super::extent::Part;
use super::restore::{Fit, OtherDisk, Plan, TableStep, same_kind};
use crate::tool::sfdisk::is_extended;

/// The partitions that a restore of this image is about; none if it is about the whole disk.
pub(crate) fn wanted(image: &DiskImage, settings: &LinuxSettings) -> Option<BTreeSet<u32>> {
    if settings.partitions.is_empty() { image.chosen() } else { Some(settings.partitions.clone()) }
}

/// Partitions in words: `partitions 2 and 3`.
pub(crate) fn in_words(numbers: &BTreeSet<u32>) -> String {
    let names: Vec<String> = numbers.iter().map(u32::to_string).collect();
    match names.split_last() {
        Some((last, [])) => format!("partition {last}"),
        Some((last, others)) => format!("partitions {} and {last}", others.join(", ")),
        None => "no partition".to_owned(),
    }
}

/// What an image that holds only these partitions says of itself.
pub(crate) fn note(numbers: &BTreeSet<u32>) -> String {
    format!("the image holds only {} of the disk", in_words(numbers))
}

/// Makes sure that a table, which `of` names, has these partitions, and that each holds something by itself.
pub(crate) fn require<'t>(table: &'t Table, numbers: &BTreeSet<u32>, of: &str) -> Result<Vec<&'t Partition>> {
    ensure!(
        table.kind != TableKind::None,
        "{of} has no partition table that counts, so no partitions can be chosen: leave --partition out"
    );
    let chosen = numbers.iter().map(|&number| {
        let found = table.partitions.iter().find(|partition| partition.number == number);
        let Some(partition) = found else {
            let there = table.partitions.iter().map(|partition| partition.number).collect();
            bail!("{of} has no partition {number}: it has {}", in_words(&there));
        };
        ensure!(
            !is_extended(table.kind, partition),
            "partition {number} of {of} is an extended one: choose the partitions that are in it"
        );
        Ok(partition)
    });
    chosen.collect()
}

/// Makes sure that these partitions of the disk are in its image.
pub(crate) fn require_held(image: &DiskImage, numbers: &BTreeSet<u32>) -> Result<()> {
    if let Some(held) = image.chosen()
        && let Some(number) = numbers.iter().find(|number| !held.contains(number))
    {
        bail!("{}, and not partition {number}", note(&held));
    }
    Ok(())
}

/// How these partitions of an image are written to a disk with this table.
pub(crate) fn plan(
    image: &DiskImage,
    target: &DiskFacts,
    others: &[OtherDisk],
    there: &Table,
    numbers: &BTreeSet<u32>,
) -> Result<Plan> {
    same_kind(image, target, others)?;
    let path = target.path.as_str();
    let wanted = require(&image.table, numbers, "the image")?;
    require_held(image, numbers)?;
    let found = require(there, numbers, path)?;
    for (wanted, found) in wanted.iter().zip(found) {
        ensure!(
            is_same_place(wanted, found) && there.kind == image.table.kind,
            "partition {} of {path} is not that of the image, and a part is only written to the same place: {} there, {} in \
             the image. Restore the whole disk, or partition it first by the image's table.sfdisk",
            wanted.number,
            place_in_words(found),
            place_in_words(wanted)
        );
    }
    let is_written = |partition: Option<u32>| partition.is_some_and(|number| numbers.contains(&number));
    let regions = (0..).zip(&image.regions);
    let regions = regions.filter(|(_, region)| is_written(region.partition) && region.stream().is_some());
    let places = wanted.iter().map(|found| Range { start: found.start, length: found.length }).collect();
    Ok(Plan {
        regions: regions.map(|(index, _)| index).collect(),
        end: target.size,
        table: TableStep::Keep,
        fit: Fit::Part(Part { table: there.clone(), places }),
        otherwise: None,
        notes: vec![format!(
            "only {} {} chosen: everything else on the disk stays as it is",
            in_words(numbers),
            if numbers.len() == 1 { "was" } else { "were" }
        )],
    })
}

fn is_same_place(one: &Partition, other: &Partition) -> bool {
    let kind = |partition: &Partition| partition.kind.trim_start_matches("0x").to_ascii_uppercase();
    (one.start, one.length, kind(one)) == (other.start, other.length, kind(other))
}

fn place_in_words(partition: &Partition) -> String {
    format!("{} bytes at byte {}, of type {}", partition.length, partition.start, partition.kind)
}

#[cfg(test)]
mod tests {
    use ghost_contract::image::{Content, FileSystem, UnusedReason};

    use super::super::restore::tests::{MIB, facts, image};
    use super::*;

    fn planned(
        image: &DiskImage,
        target: &DiskFacts,
        numbers: &[u32],
        change: impl FnOnce(&mut Table),
    ) -> Result<Plan, String> {
        let mut there = image.table.clone();
        change(&mut there);
        let numbers = numbers.iter().copied().collect();
        plan(image, target, &[], &there, &numbers).map_err(|error| error.to_string())
    }

    fn whole() -> DiskImage {
        image(TableKind::Gpt, FileSystem::Ext)
    }

    #[test]
    fn only_the_regions_of_the_chosen_partitions_are_written_and_only_their_places_emptied() {
        let target = facts(300 * MIB, None);
        let plan = planned(&whole(), &target, &[2], |_| {}).unwrap();
        assert_eq!((plan.regions, plan.table), (vec![2], TableStep::Keep));
        let Fit::Part(part) = plan.fit else { panic!() };
        assert_eq!(part.places, [Range { start: 21 * MIB, length: 60 * MIB }]);
    }

    #[test]
    fn another_place_length_or_type_is_refused_with_the_numbers() {
        let target = facts(300 * MIB, None);
        let refused = |change: fn(&mut Table)| planned(&whole(), &target, &[2], change).unwrap_err();
        let elsewhere = refused(|there| there.partitions[1].start += 512);
        assert!(elsewhere.contains("62914560 bytes at byte 22020608, of type 83 there"), "{elsewhere}");
        assert!(
            elsewhere.contains("62914560 bytes at byte 22020096, of type 83 in the image"),
            "{elsewhere}"
        );
        refused(|there| there.partitions[1].length -= 512);
        refused(|there| there.kind = TableKind::Dos);
        assert!(refused(|there| there.partitions[1].kind = "7".to_owned()).contains("of type 7 there"));
        let gone = refused(|there| drop(there.partitions.pop()));
        assert_eq!(gone, "/dev/sda has no partition 2: it has partition 1");
        let none = refused(|there| *there = crate::tool::sfdisk::none());
        assert!(none.starts_with("/dev/sda has no partition table that counts"), "{none}");
    }

    #[test]
    fn what_is_not_in_the_image_is_refused() {
        let target = facts(100 * MIB, None);
        let said = planned(&whole(), &target, &[2, 5], |_| {}).unwrap_err();
        assert_eq!(said, "the image has no partition 5: it has partitions 1 and 2");
        let mut part = whole();
        for index in [0, 2, 3, 4, 5] {
            part.regions[index].content = Content::Unused { reason: UnusedReason::NotChosen };
        }
        let said = planned(&part, &target, &[1, 2], |_| {}).unwrap_err();
        assert_eq!(said, "the image holds only partition 1 of the disk, and not partition 2");
        assert_eq!(wanted(&part, &LinuxSettings::default()), Some([1].into()));
        assert_eq!(planned(&part, &target, &[1], |_| {}).unwrap().regions, [1]);
    }

    #[test]
    fn an_extended_partition_is_no_choice() {
        let mut image = image(TableKind::Dos, FileSystem::Ext);
        image.table.partitions[1].kind = "5".to_owned();
        let said = planned(&image, &facts(100 * MIB, None), &[2], |_| {}).unwrap_err();
        assert_eq!(said, "partition 2 of the image is an extended one: choose the partitions that are in it");
    }
}
