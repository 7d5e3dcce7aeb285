//! A restore that is only planned: whether what was saved of a disk can be written to one of the same size.
//!
//! Made at the end of every backup, from what its description says: an image that no restore takes is no backup.

use anyhow::{Context, Result, ensure};
use ghost_contract::image::{DiskImage, LinuxSettings};

use super::chosen;
use super::restore::{Fit, TableStep, plan};

/// Plans it, and yields what stands in its way.
pub(crate) fn rehearse(image: &DiskImage) -> Result<()> {
    let written = image.to_json().context("its description cannot be written as JSON")?;
    let described = DiskImage::parse(written.as_bytes()).context("its description contradicts itself")?;
    ensure!(described == *image, "its description does not say what was saved");
    for partition in &described.table.partitions {
        let (number, end, size) = (partition.number, partition.end(), described.disk.size);
        ensure!(end <= size, "partition {number} ends at byte {end}, and the disk at {size}");
    }
    let plan = match described.chosen() {
        None => plan(&described, &described.disk, &[], &[], &LinuxSettings::default())?,
        Some(numbers) => chosen::plan(&described, &described.disk, &[], &described.table, &numbers)?,
    };
    ensure!(
        matches!(plan.fit, Fit::Same | Fit::Part(_)) && plan.table == TableStep::Keep,
        "its partitions would not stay what they are"
    );
    let mut planned = plan.regions;
    planned.sort_unstable();
    let saved = (0..).zip(&described.regions).filter(|(_, region)| region.stream().is_some());
    ensure!(
        planned == saved.map(|(index, _)| index).collect::<Vec<_>>(),
        "not all that was saved would be written"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use ghost_contract::image::{FileSystem, TableKind};

    use super::super::restore::tests::{MIB, image};
    use super::*;

    fn said(change: impl FnOnce(&mut DiskImage)) -> String {
        let mut image = image(TableKind::Gpt, FileSystem::Ext);
        change(&mut image);
        format!("{:#}", rehearse(&image).unwrap_err())
    }

    #[test]
    fn what_was_saved_can_be_written_to_a_disk_of_the_same_size() {
        for kind in [TableKind::Gpt, TableKind::Dos] {
            rehearse(&image(kind, FileSystem::Ext)).unwrap();
        }
    }

    #[test]
    fn what_no_restore_would_take_is_said() {
        assert!(
            said(|image| image.regions[1].start += 512).contains("contradicts itself: region 1 begins at")
        );
        assert!(said(|image| image.disk.logical_sector = 100).contains("no sectors of 100 bytes"));
        let beyond = said(|image| image.table.partitions[1].length = 200 * MIB);
        assert_eq!(beyond, "partition 2 ends at byte 231735296, and the disk at 104857600");
    }
}
