//! What partclone cannot save, by its version: the one list. What is in it is saved with every byte.

use ghost_contract::image::FileSystem;

/// Something that a file system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// A FAT's entries have 12 bits.
    Fat12,
    /// Another table of a FAT32 is the one that counts.
    OtherTable,
    /// An ext4 whose bitmaps count clusters.
    Bigalloc,
    /// An XFS of 2³² blocks or more.
    ManyBlocks,
    /// A btrfs on several devices.
    Devices,
    /// A btrfs that has some of its bytes twice on the device.
    Dup,
    /// A btrfs with subvolumes, of which some may be snapshots.
    Subvolumes,
}

/// A version, `0.3.36`.
type Version = (u32, u32, u32);

struct Cannot {
    file_system: FileSystem,
    feature: Feature,
    /// The first version that can; none known.
    until: Option<Version>,
    /// In words.
    because: &'static str,
}

const TABLE: [Cannot; 7] = [
    // https://github.com/Thomas-Tsai/partclone/issues/268; seen in 0.3.23 and 0.3.36.
    Cannot {
        file_system: FileSystem::Fat,
        feature: Feature::Fat12,
        until: None,
        because: "partclone misses files in a FAT with 12 bits",
    },
    // `src/fatclone.c` reads the first table; seen in 0.3.23 and 0.3.36.
    Cannot {
        file_system: FileSystem::Fat,
        feature: Feature::OtherTable,
        until: None,
        because: "partclone reads the first table of a FAT, and another one counts in this",
    },
    // `src/extfsclone.c` takes a bit of the bitmap for a block; seen in 0.3.23.
    Cannot {
        file_system: FileSystem::Ext,
        feature: Feature::Bigalloc,
        until: None,
        because: "partclone cannot save an ext4 with clusters (bigalloc)",
    },
    // Mended after 0.3.36, in November 2025.
    Cannot {
        file_system: FileSystem::Xfs,
        feature: Feature::ManyBlocks,
        until: None,
        because: "partclone cuts off an XFS of 2^32 blocks or more",
    },
    // A chunk may be on another device, of which nothing is seen here.
    Cannot {
        file_system: FileSystem::Btrfs,
        feature: Feature::Devices,
        until: None,
        because: "it is a part of a btrfs on several devices",
    },
    // The first copy only; seen in 0.3.23 and 0.3.36.
    Cannot {
        file_system: FileSystem::Btrfs,
        feature: Feature::Dup,
        until: None,
        because: "partclone leaves out the second copies that this btrfs keeps (DUP)",
    },
    // Snapshots are unreadable after a restore by 0.3.23, and are not by 0.3.36.
    Cannot {
        file_system: FileSystem::Btrfs,
        feature: Feature::Subvolumes,
        until: Some((0, 3, 36)),
        because: "this version of partclone loses snapshots of a btrfs",
    },
];

/// Why this version of partclone, or any if none is given, cannot save a file system with these features, if so.
pub(crate) fn cannot(
    file_system: FileSystem,
    features: &[Feature],
    version: Option<&str>,
) -> Option<&'static str> {
    let applies = |entry: &&Cannot| {
        let is_mended = match (entry.until, version) {
            (Some(_), None) => true,
            (Some(until), Some(version)) => parse(version).is_some_and(|version| version >= until),
            (None, _) => false,
        };
        entry.file_system == file_system && features.contains(&entry.feature) && !is_mended
    };
    TABLE.iter().find(applies).map(|entry| entry.because)
}

/// File systems that are saved with every byte whatever they have, as blkid calls them, and why.
const OTHERS: [(&str, &str); 8] = [
    // No `partclone.jfs` and so on in Debian's packages 0.3.23 and 0.3.36.
    ("jfs", "Debian's partclone has no program for it"),
    ("reiserfs", "Debian's partclone has no program for it"),
    ("nilfs2", "Debian's partclone has no program for it"),
    ("hfs", "Debian's partclone has no program for it"),
    // In 0.3.23 only.
    ("reiser4", "partclone in Debian 13 has no program for it"),
    // Nothing in Debian 12 and 13 makes one with files in it, with which a restore could be compared.
    ("hfsplus", "what partclone saves of it cannot be compared with anything"),
    ("apfs", "what partclone saves of it cannot be compared with anything"),
    // `mkfs.minix` makes it empty, and no program in Debian puts files into it.
    ("minix", "what partclone saves of it cannot be compared with anything"),
];

/// Why a file system that blkid calls so is never saved by used blocks, if it is known.
pub(crate) fn never(blkid: &str) -> Option<&'static str> {
    OTHERS.iter().find(|(name, _)| *name == blkid).map(|(_, because)| *because)
}

/// One that cannot be read is older than all.
fn parse(version: &str) -> Option<Version> {
    let mut numbers = version.split('.').map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_saved_by_used_blocks_is_not_also_saved_so() {
        for (name, _) in OTHERS {
            assert_eq!(super::super::file_system(name), None, "{name}");
        }
        assert!(never("jfs").is_some());
        assert_eq!(never("ext4"), None);
    }

    #[test]
    fn what_a_version_cannot_a_later_one_may() {
        let subvolumes = |version| cannot(FileSystem::Btrfs, &[Feature::Subvolumes], Some(version));
        assert!(subvolumes("0.3.23").unwrap().contains("snapshots"));
        assert!(subvolumes("unknown").is_some());
        assert_eq!(subvolumes("0.3.36"), None);
        assert_eq!(subvolumes("0.4.0"), None);
        assert_eq!(cannot(FileSystem::Btrfs, &[Feature::Subvolumes], None), None, "some can");
        assert!(cannot(FileSystem::Btrfs, &[Feature::Dup], Some("0.3.36")).is_some());
        assert!(cannot(FileSystem::Btrfs, &[Feature::Dup], None).is_some(), "none can");
        assert_eq!(cannot(FileSystem::Xfs, &[], Some("0.3.23")), None);
    }
}
