//! What `ghost-imager` writes while it works, and when it ends: two JSON files.
//!
//! Only `ghost-imager` writes them. It replaces them by rename, so that a reader always sees a whole file.

use serde::{Deserialize, Serialize};

/// How far it is. Written every second or two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The part of the work that runs now.
    pub phase: Phase,
    /// Which disk of how many: its index, from 0 …
    pub disk: u32,
    /// … and how many there are.
    pub disks: u32,
    /// Which region of the disk, from 1; 0 before the first.
    pub region: u32,
    /// How many regions have content.
    pub regions: u32,
    /// The region in words: `partition 2: ntfs "Windows"`.
    pub subject: String,
    /// Bytes of this phase that are done, before compression.
    pub done: u64,
    /// Bytes that this phase has to do in all, before compression.
    pub total: u64,
    /// Bytes a second, over the last samples.
    pub rate: u64,
    /// Whole seconds until the phase is done; none while that is unknown.
    pub eta: Option<u64>,
}

/// A part of the imager's work. A job has some of these, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Looking at the disk: its table and what its partitions hold.
    Surveying,
    /// Reading the image, to compare it with its checksums.
    Checking,
    /// Reading the disk into the image.
    Reading,
    /// Making a file system smaller for a smaller disk, beside the disk.
    Shrinking,
    /// Writing the disk. From here on it is incomplete, until the end.
    Writing,
    /// Giving a larger disk's room to the last partition.
    Resizing,
}

/// How it ended. Written last: without it, it did not end by itself, and was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ending", rename_all = "snake_case")]
pub enum Ending {
    /// Everything that was asked for.
    Done {
        /// Bytes of disk, over all disks.
        disk_bytes: u64,
        /// Bytes of the image's pieces, over all disks.
        image_bytes: u64,
        /// What the administrator should know, in words.
        notes: Vec<String>,
    },
    /// It ended without having done everything.
    Failed {
        /// The error and its causes.
        reason: String,
        /// What this means for the disk.
        target: TargetDisk,
    },
}

/// What has become of the disk of a job that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetDisk {
    /// Not one byte of it was written.
    Untouched,
    /// A restore had begun: it must not be used before another restore has succeeded.
    Incomplete,
}

impl Phase {
    /// What a disk is whose job ends in this phase without an [`Ending`].
    pub const fn target_disk(self) -> TargetDisk {
        match self {
            Self::Surveying | Self::Checking | Self::Reading | Self::Shrinking => TargetDisk::Untouched,
            Self::Writing | Self::Resizing => TargetDisk::Incomplete,
        }
    }

    /// The word for it on screens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Surveying => "surveying",
            Self::Checking => "checking",
            Self::Reading => "reading",
            Self::Shrinking => "shrinking",
            Self::Writing => "writing",
            Self::Resizing => "resizing",
        }
    }
}
