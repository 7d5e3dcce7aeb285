//! What `sfdisk --json` says of a disk's partition table.

use ghost_contract::image::{Partition, Table, TableKind};
use serde::Deserialize;

/// Why its output is not a table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SfdiskError {
    /// Not what it has always written.
    #[error("sfdisk's description of the partition table cannot be read")]
    Syntax(#[source] serde_json::Error),
    /// A place that no disk has.
    #[error("partition {0} lies beyond any disk")]
    Place(u32),
    /// A name without a number at its end.
    #[error("'{0}' is not the name of a partition")]
    Node(String),
}

#[derive(Deserialize)]
struct Output {
    partitiontable: Described,
}

#[derive(Deserialize)]
struct Described {
    label: String,
    id: Option<String>,
    #[serde(default = "smallest_sector")]
    sectorsize: u64,
    #[serde(default)]
    partitions: Vec<Entry>,
}

/// util-linux before 2.35 does not say it.
const fn smallest_sector() -> u64 {
    512
}

#[derive(Deserialize)]
struct Entry {
    node: String,
    start: u64,
    size: u64,
    #[serde(rename = "type")]
    kind: String,
    uuid: Option<String>,
    name: Option<String>,
}

/// The types of extended partitions, which hold partitions and no file system (Linux's `fs/…/msdos.c`).
const EXTENDED: [&str; 3] = ["5", "f", "85"];

/// Reads its output for the disk of this name.
pub(crate) fn parse(json: &[u8], disk: &str) -> Result<Table, SfdiskError> {
    // A GPT's name may be no text, such as half of a surrogate pair: sfdisk writes what UTF-8 forbids then.
    let json = String::from_utf8_lossy(json);
    let Output { partitiontable: described } = serde_json::from_str(&json).map_err(SfdiskError::Syntax)?;
    let kind = match described.label.as_str() {
        "gpt" => TableKind::Gpt,
        "dos" => TableKind::Dos,
        _ => return Ok(none()),
    };
    let mut partitions = Vec::with_capacity(described.partitions.len());
    for entry in described.partitions {
        partitions.push(partition(entry, disk, described.sectorsize)?);
    }
    partitions.retain(|partition| partition.length > 0);
    // The signature alone is that of any boot sector; whoever makes a table gives it an identifier.
    if kind == TableKind::Dos && partitions.is_empty() && described.id.as_deref() == Some("0x00000000") {
        return Ok(none());
    }
    partitions.sort_by_key(|partition| (partition.start, !is_extended(kind, partition)));
    Ok(Table { kind, id: described.id, partitions })
}

pub(crate) const fn none() -> Table {
    Table { kind: TableKind::None, id: None, partitions: Vec::new() }
}

/// Whether it holds other partitions.
pub(crate) fn is_extended(table: TableKind, partition: &Partition) -> bool {
    table == TableKind::Dos
        && EXTENDED.contains(&partition.kind.to_ascii_lowercase().trim_start_matches("0x"))
}

fn partition(entry: Entry, disk: &str, sector: u64) -> Result<Partition, SfdiskError> {
    let digits = entry.node.strip_prefix(disk).map(|rest| rest.trim_start_matches('p'));
    let number = digits.and_then(|digits| digits.parse().ok()).ok_or(SfdiskError::Node(entry.node))?;
    let bytes = |sectors: u64| sectors.checked_mul(sector).ok_or(SfdiskError::Place(number));
    let (start, length) = (bytes(entry.start)?, bytes(entry.size)?);
    start.checked_add(length).ok_or(SfdiskError::Place(number))?;
    Ok(Partition {
        number,
        start,
        length,
        kind: entry.kind,
        name: entry.name.filter(|name| !name.is_empty()),
        uuid: entry.uuid,
        file_system: None,
        label: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(label: &str, node: &str) -> String {
        format!(
            r#"{{"partitiontable": {{"label": "{label}", "id": "0x1", "unit": "sectors", "sectorsize": 512,
            "partitions": [{{"node": "{node}2", "start": 4096, "size": 8, "type": "83", "bootable": true}},
            {{"node": "{node}1", "start": 2048, "size": 2048, "type": "7", "name": ""}}]}}}}"#
        )
    }

    #[test]
    fn partitions_are_in_the_order_of_their_places() {
        let table = parse(described("dos", "/dev/sda").as_bytes(), "/dev/sda").unwrap();
        assert_eq!(table.kind, TableKind::Dos);
        let places: Vec<_> = table.partitions.iter().map(|p| (p.number, p.start, p.length)).collect();
        assert_eq!(places, [(1, 1 << 20, 1 << 20), (2, 2 << 20, 4096)]);
        assert_eq!(table.partitions[0].name, None);
    }

    #[test]
    fn names_of_nvme_emmc_and_files_have_a_p_or_none() {
        for (disk, node) in
            [("/dev/nvme0n1", "/dev/nvme0n1p"), ("/dev/mmcblk0", "/dev/mmcblk0p"), ("a.img", "a.img")]
        {
            let table = parse(described("gpt", node).as_bytes(), disk).unwrap();
            assert_eq!(table.partitions.len(), 2, "{disk}");
        }
        let error = parse(described("gpt", "/dev/sdb").as_bytes(), "/dev/sda").unwrap_err();
        assert_eq!(error.to_string(), "'/dev/sdb2' is not the name of a partition");
    }

    #[test]
    fn a_table_that_is_not_understood_is_none() {
        assert_eq!(parse(described("sun", "a").as_bytes(), "a").unwrap(), none());
    }

    #[test]
    fn a_boot_sector_without_entries_and_identifier_is_no_table() {
        let json = r#"{"partitiontable": {"label": "dos", "id": "0x00000000", "sectorsize": 512}}"#;
        assert_eq!(parse(json.as_bytes(), "a").unwrap(), none());
        let made = json.replace("0x00000000", "0x12345678");
        assert_eq!(parse(made.as_bytes(), "a").unwrap().kind, TableKind::Dos);
    }

    #[test]
    fn a_place_beyond_any_disk_is_an_error() {
        let far = described("gpt", "a").replace("4096", "36028797018963968");
        assert!(matches!(parse(far.as_bytes(), "a"), Err(SfdiskError::Place(2))));
    }
}
