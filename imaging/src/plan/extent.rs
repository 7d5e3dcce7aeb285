//! Where the partitions of a disk end, and what has to fit behind them.

use ghost_contract::image::{DiskFacts, DiskImage, Partition, Range, Table};

use crate::tool::sfdisk::is_extended;

/// Partitions have begun and ended at multiples of this since Windows Vista. A last one that is shrunk ends at one, and
/// what is moved keeps its alignment.
pub(super) const ALIGNMENT: u64 = 1 << 20;
/// The entries of a GPT take at least so many bytes (UEFI 2.10, 5.3.1), and its header one sector.
const GPT_ENTRIES: u64 = 16 << 10;

/// The places of the chosen partitions, and the table that they are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The table of the disk that is written to.
    pub table: Table,
    pub places: Vec<Range>,
}

/// The partition that ends last.
pub(super) fn last_partition(image: &DiskImage) -> Option<&Partition> {
    let order = |partition: &&Partition| (partition.end(), !is_extended(image.table.kind, partition));
    image.table.partitions.iter().max_by_key(order)
}

/// What the copy of a GPT takes at the end of such a disk, bytes.
pub(super) fn copy_of_gpt(disk: &DiskFacts) -> u64 {
    let sector = u64::from(disk.logical_sector);
    GPT_ENTRIES.div_ceil(sector).saturating_add(1).saturating_mul(sector)
}
