//! A table and a disk → the stretches between the edges of partitions.

use ghost_contract::image::{DiskFacts, Table, TableKind};

use super::{Owner, Stretch};
use crate::tool::sfdisk::is_extended;

/// The disk from its first byte to its last, cut where its table says; one stretch without a table.
pub fn stretches(disk: &DiskFacts, table: &Table) -> Vec<Stretch> {
    cut(disk, table).unwrap_or_else(|| vec![Stretch { start: 0, length: disk.size, owner: Owner::Disk }])
}

pub(super) fn cut(disk: &DiskFacts, table: &Table) -> Option<Vec<Stretch>> {
    if table.kind == TableKind::None {
        return None;
    }
    let (containers, partitions): (Vec<_>, Vec<_>) =
        table.partitions.iter().partition(|partition| is_extended(table.kind, partition));
    // The edges of gaps: those of partitions, and those of extended ones.
    let mut stretches = Vec::new();
    let mut at = 0;
    let gap = |stretches: &mut Vec<Stretch>, from: u64, to: u64| {
        let mut edges: Vec<u64> = containers.iter().flat_map(|c| [c.start, c.end()]).collect();
        edges.retain(|&edge| from < edge && edge < to);
        edges.push(to);
        edges.sort_unstable();
        edges.dedup();
        let mut start = from;
        for end in edges.into_iter().filter(|&end| end > from) {
            let within = containers.iter().any(|c| c.start <= start && end <= c.end());
            let owner = if within { Owner::Extended } else { Owner::Nobody };
            stretches.push(Stretch { start, length: end - start, owner });
            start = end;
        }
    };
    for partition in partitions {
        let end = partition.start.checked_add(partition.length)?;
        if partition.start < at || end > disk.size {
            return None;
        }
        gap(&mut stretches, at, partition.start);
        let owner = Owner::Partition(partition.number);
        stretches.push(Stretch { start: partition.start, length: partition.length, owner });
        at = end;
    }
    gap(&mut stretches, at, disk.size);
    Some(stretches)
}
