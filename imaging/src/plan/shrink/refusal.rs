//! Why nothing is shrunk, in words and numbers.

use ghost_contract::image::FileSystem;

use crate::plan::moves::Immovable;

/// Why a partition cannot be shrunk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unshrinkable {
    #[error("there is no partition")]
    NoPartition,
    /// A chain of tables would have to be changed.
    #[error("partition {0} is within an extended one, or is one itself")]
    Extended(u32),
    #[error("partition {partition} begins at byte {start}, and only {end} can be used")]
    Beyond {
        partition: u32,
        start: u64,
        /// Where a partition could end at the latest.
        end: u64,
    },
    /// It would be gone, too.
    #[error("partition {partition} has {length} bytes, and {distance} are missing")]
    Short {
        partition: u32,
        length: u64,
        /// How far those behind it have to be moved.
        distance: u64,
    },
    /// It was saved with every byte.
    #[error("partition {0} holds no file system of which only the used blocks were saved")]
    NoFileSystem(u32),
    /// No tool does it, or none that works on a file.
    #[error("partition {partition} holds {}, and only NTFS and ext2/3/4 are shrunk", name(*.file_system))]
    Kind { partition: u32, file_system: FileSystem },
    /// It is not the last one.
    #[error("partition {partition} has others behind it that would have to be moved, and {why}")]
    Immovable { partition: u32, why: Immovable },
    /// No tool on this machine.
    #[error("the tools that shrink its file system are not installed")]
    NoTool,
    #[error("partition {0} could not be read everywhere when it was backed up")]
    BadRanges(u32),
    /// Somebody keeps something at the partition's end.
    #[error("partition {partition} has {length} bytes behind its file system, which may be anything")]
    Behind { partition: u32, length: u64 },
    /// The files do not fit.
    #[error(
        "partition {partition} would have {length} bytes, and its file system uses {used} and needs at least {needs}"
    )]
    Full {
        partition: u32,
        length: u64,
        /// What its file system uses.
        used: u64,
        /// The least that this needs.
        needs: u64,
    },
}

/// Why no partition can be shrunk: what is in the way of the last one, and of the one that has the most to give, if
/// that is another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub(crate) struct NoneShrinks(pub Vec<Unshrinkable>);

/// A file system that cannot be made as small as is needed, once it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the file system of partition {partition} can be shrunk to {minimum} bytes and should have {needs} so that some of it \
     stays free, and {length} are left for it on this disk: take a larger one"
)]
pub(crate) struct TooFull {
    pub partition: u32,
    /// The least that the file system's tool says.
    pub minimum: u64,
    /// The least that is done.
    pub needs: u64,
    pub length: u64,
}

impl TooFull {
    /// Why another one was shrunk, in words.
    pub(crate) fn note(&self) -> String {
        format!(
            "partition {} was not shrunk: its file system should have {} bytes, and {} would have been left for it",
            self.partition, self.needs, self.length
        )
    }
}

/// No room for a scratch file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the image store has {free} bytes free, and {needs} are needed to shrink a file system that uses {used}"
)]
pub(crate) struct NoRoom {
    pub free: u64,
    pub needs: u64,
    /// What the file system uses.
    pub used: u64,
}

const fn name(file_system: FileSystem) -> &'static str {
    match file_system {
        FileSystem::Ntfs => "NTFS",
        FileSystem::Fat => "FAT",
        FileSystem::Exfat => "exFAT",
        FileSystem::Ext => "ext2/3/4",
        FileSystem::Btrfs => "Btrfs",
        FileSystem::Xfs => "XFS",
        FileSystem::F2fs => "f2fs",
    }
}
