//! Whether a partition table counts, by what else the disk shows.
//!
//! Where a table has partitions that do not contradict each other, it counts, also behind the signature of a file system
//! that had the whole disk before: mkfs destroys a table that is there, and tools that make one leave old signatures alone.
//! Nothing else is believed of a disk of two minds. It is one stretch then, and saved with every byte.

use ghost_contract::image::{DiskFacts, Partition, Table, TableKind};

use super::cut::cut;
use crate::tool::blkid::Found;

/// What logical disks (LDM, Windows' dynamic disks) are in a dos table and in a GPT: its volumes are not the partitions, and
/// its database is at the end of the disk.
const LDM: [&str; 3] = ["42", "5808C8AA-7E8F-42E0-85D2-E1E90434CFB3", "AF9B60A0-1431-4F62-BC68-3311714A69AD"];
/// Types of partitions that belong to something larger: Linux RAID, LVM, Storage Spaces, ZFS, Ceph, VMFS, Apple's Core
/// Storage, bcache. A file system's signature in one is left over, or only a part of it.
const MEMBERS: [&str; 15] = [
    "fd",
    "8e",
    "fb",
    "A19D880F-05FC-4D3B-A006-743F0F84911E",
    "E6D6D379-F507-44C2-A23C-238F2A3DF928",
    "E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D",
    "6A898CC3-1DD2-11B2-99A6-080020736631",
    "516E7CBA-6ECF-11D6-8FF8-00022D09712B",
    "4FBD7E29-9D25-41B8-AFD0-062C0CEFF05D",
    "45B0969E-9B03-4F30-B4C6-5EC00CEFF106",
    "AA31E02A-400F-11DB-9590-000C2911D1B8",
    "53746F72-6167-11AA-AA11-00306543ECAC",
    "52414944-0000-11AA-AA11-00306543ECAC",
    "52414944-5F4F-11AA-AA11-00306543ECAC",
    "7C3457EF-0000-11AA-AA11-00306543ECAC",
];
/// What blkid calls neither a RAID nor encrypted, and is a part of something larger all the same.
const PARTS: [&str; 6] =
    ["bcache", "ceph_bluestore", "stratis", "vdo", "drbdproxy_datalog", "DM_snapshot_cow"];
/// File systems whose mkfs leaves a table in front of them alone, so that both may be valid.
const LEAVE_A_TABLE: [&str; 9] =
    ["f2fs", "jfs", "reiserfs", "reiser4", "nilfs2", "hfs", "hfsplus", "minix", "ufs"];

/// What protects a GPT in the master boot record.
const PROTECTIVE: &str = "ee";

/// What blkid would call them, which does not know them.
const LDM_WORD: &str = "LDM";

/// Why a table does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Disbelief {
    #[error("the partition table has no partitions, and something else may be on the disk")]
    Empty,
    #[error("the master boot record protects a GPT, and there is none that can be read")]
    Lost,
    #[error("the partition table contradicts itself")]
    Contradiction,
    /// What blkid calls it.
    #[error("the disk as a whole is {0}, and its partition table may be left over")]
    Member(String),
    /// Why it is not known what the disk is.
    #[error("the disk has a partition table, and {0}")]
    Ambiguous(String),
    #[error("the disk is a dynamic one (LDM), whose volumes are not its partitions")]
    Ldm,
}

/// Whether this table counts, where blkid finds `whole` on the disk.
pub fn believe(disk: &DiskFacts, table: &Table, whole: &Found) -> Result<(), Disbelief> {
    if table.kind == TableKind::None {
        return Ok(());
    }
    let kind = || whole.kind.clone().unwrap_or_default();
    if is_member(whole) {
        return Err(Disbelief::Member(kind()));
    }
    if LEAVE_A_TABLE.contains(&kind().as_str()) {
        return Err(Disbelief::both(whole));
    }
    if let Some(doubt) = &whole.doubt {
        return Err(Disbelief::Ambiguous(doubt.clone()));
    }
    if table.partitions.is_empty() {
        return Err(Disbelief::Empty);
    }
    if table.partitions.iter().any(|partition| is_one_of(&LDM, partition)) {
        return Err(Disbelief::Ldm);
    }
    if table.kind == TableKind::Dos
        && table.partitions.iter().all(|partition| is_one_of(&[PROTECTIVE], partition))
    {
        return Err(Disbelief::Lost);
    }
    // A partition that has the table in it is no partition of it.
    let sector = u64::from(disk.logical_sector);
    let holds_table = |partition: &Partition| partition.start < sector;
    if table.partitions.iter().any(holds_table) || cut(disk, table).is_none() {
        return Err(Disbelief::Contradiction);
    }
    Ok(())
}

/// Whether what blkid found is a part of something larger, or encrypted.
pub fn is_member(found: &Found) -> bool {
    let kind = found.kind.as_deref().unwrap_or_default();
    matches!(found.usage.as_deref(), Some("raid" | "crypto"))
        || kind.contains("_member")
        || kind == "BitLocker"
        || PARTS.contains(&kind)
}

/// Whether what has a whole disk, in blkid's words, finds itself by what is at the disk's end. md has its superblock at the
/// beginning from version 1.1 on.
pub fn has_its_end(kind: &str) -> bool {
    let at_the_beginning = ["linux_raid_member 1.1", "linux_raid_member 1.2", "LVM2_member", "LVM1_member"];
    kind == LDM_WORD || (kind.contains("_member") && !at_the_beginning.contains(&kind))
}

/// Whether the table says that this partition is a part of something larger.
pub fn is_member_type(partition: &Partition) -> bool {
    is_one_of(&MEMBERS, partition)
}

fn is_one_of(types: &[&str], partition: &Partition) -> bool {
    let kind = partition.kind.trim_start_matches("0x");
    types.iter().any(|known| known.eq_ignore_ascii_case(kind))
}

impl Disbelief {
    /// The table and what blkid finds may both be valid.
    pub fn both(whole: &Found) -> Self {
        let kind = whole.kind.as_deref().unwrap_or("something else");
        Self::Ambiguous(format!("blkid finds {kind} on the disk as a whole"))
    }

    /// What is on the disk as a whole then.
    pub fn found(self) -> Found {
        match self {
            Self::Member(kind) => Found { kind: Some(kind), ..Found::default() },
            Self::Ldm => Found { kind: Some(LDM_WORD.to_owned()), ..Found::default() },
            Self::Empty | Self::Lost | Self::Contradiction | Self::Ambiguous(_) => {
                Found::doubtful(self.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn disk() -> DiskFacts {
        let path = "/dev/sda".to_owned();
        DiskFacts {
            path,
            model: None,
            serial: None,
            size: 64 * MIB,
            logical_sector: 512,
            physical_sector: 512,
        }
    }

    fn table(kind: TableKind, start: u64, partition: &str) -> Table {
        let (number, length, kind_of) = (1, 20 * MIB, partition.to_owned());
        let (name, uuid, file_system, label) = (None, None, None, None);
        let partition = Partition { number, start, length, kind: kind_of, name, uuid, file_system, label };
        Table { kind, id: None, partitions: vec![partition] }
    }

    fn whole(kind: &str, usage: &str) -> Found {
        Found { kind: Some(kind.to_owned()), usage: Some(usage.to_owned()), ..Found::default() }
    }

    #[test]
    fn a_table_counts_behind_the_signature_of_a_file_system_whose_mkfs_destroys_tables() {
        for found in [whole("btrfs", "filesystem"), whole("ext4", "filesystem"), Found::default()] {
            assert_eq!(believe(&disk(), &table(TableKind::Dos, MIB, "83"), &found), Ok(()), "{found:?}");
        }
    }

    #[test]
    fn nothing_counts_on_a_disk_of_two_minds() {
        let dos = table(TableKind::Dos, MIB, "83");
        let raid = whole("linux_raid_member 1.2", "raid");
        assert_eq!(believe(&disk(), &dos, &raid), Err(Disbelief::Member("linux_raid_member 1.2".to_owned())));
        for found in [whole("f2fs", "filesystem"), Found::doubtful("two".to_owned())] {
            assert!(matches!(believe(&disk(), &dos, &found), Err(Disbelief::Ambiguous(_))), "{found:?}");
        }
        for kind in ["zfs_member", "crypto_LUKS", "bcache"] {
            let usage = if kind == "crypto_LUKS" { "crypto" } else { "other" };
            assert!(believe(&disk(), &dos, &whole(kind, usage)).is_err(), "{kind}");
        }
    }

    #[test]
    fn tables_that_say_nothing_or_too_much_do_not_count() {
        let nothing = Found::default();
        let empty = Table { partitions: Vec::new(), ..table(TableKind::Gpt, MIB, "83") };
        assert_eq!(believe(&disk(), &empty, &nothing), Err(Disbelief::Empty));
        assert_eq!(believe(&disk(), &table(TableKind::Dos, MIB, "ee"), &nothing), Err(Disbelief::Lost));
        for (start, kind) in [(0, "17"), (60 * MIB, "83")] {
            let found = believe(&disk(), &table(TableKind::Dos, start, kind), &nothing);
            assert_eq!(found, Err(Disbelief::Contradiction));
        }
        for (table_kind, kind) in [(TableKind::Dos, "42"), (TableKind::Gpt, LDM[1]), (TableKind::Gpt, LDM[2])]
        {
            assert_eq!(believe(&disk(), &table(table_kind, MIB, kind), &nothing), Err(Disbelief::Ldm));
        }
    }

    #[test]
    fn what_is_found_at_the_end_of_the_disk_is_told_apart() {
        for kind in
            ["LDM", "linux_raid_member 1.0", "linux_raid_member 0.90.0", "isw_raid_member", "zfs_member"]
        {
            assert!(has_its_end(kind), "{kind}");
        }
        for kind in ["linux_raid_member 1.2", "LVM2_member", "crypto_LUKS", "bcache"] {
            assert!(!has_its_end(kind), "{kind}");
        }
    }
}
