//! Backs up, checks and restores disks, each to and from a folder of its own in an image store.
//!
//! ```text
//! survey ─▶ plan ─▶ per region: disk ─▶ partclone ─▶ zstd ─▶ SHA-256 ─▶ pieces                    backup
//! pieces ─▶ SHA-256 ─▶ zstd ─▶ partclone.chkimg                                                   check
//! pieces ─▶ SHA-256 ─▶ zstd ─▶ partclone.restore ─▶ disk      (only what `plan::restore` allows)  restore
//! ```
//!
//! What is to be read and written is decided by pure functions in [`plan`]; [`backup`], [`check`] and
//! [`restore`] carry it out. The work itself is done by libzstd and by Debian's tools (sfdisk, sgdisk, blkid, partclone,
//! ntfsresize, resize2fs, …), which are started in [`sys`].
//!
//! `ghost-imager` does this on a client, as a child of PID 1; `ghostctl` uses [`check`] and [`restore::export`]
//! on the boot server. Both work with plain image files too.

pub mod backup;
pub mod board;
pub mod check;
pub mod cli;
pub mod command;
pub mod folder;
pub(crate) mod hits;
pub mod plan;
pub mod restore;
pub mod screen;
pub mod source;
pub(crate) mod stream;
pub mod survey;
pub mod sys;
pub(crate) mod tool;

#[doc(hidden)]
pub use tool::parsers;

use ghost_contract::image::{Table, TableKind, Volume};

/// A region in words: `partition 2: ntfs "Windows"`, `partition 3, volume debian-vg/root: ext4`.
fn subject_of(table: &Table, partition: Option<u32>, volume: Option<&Volume>) -> String {
    let Some(Volume { name, file_system }) = volume else { return subject(table, partition) };
    let kind = file_system.as_deref().map(|kind| format!(": {kind}")).unwrap_or_default();
    let partition = partition.map(|number| format!("partition {number}, ")).unwrap_or_default();
    format!("{partition}volume {name}{kind}")
}

/// All of a partition in words.
fn subject(table: &Table, partition: Option<u32>) -> String {
    let Some(number) = partition else {
        let is_all = table.kind == TableKind::None;
        return if is_all { "the whole disk" } else { "beside the partitions" }.to_owned();
    };
    let Some(partition) = table.partitions.iter().find(|partition| partition.number == number) else {
        return format!("partition {number}");
    };
    let kind = partition.file_system.as_deref().map(|kind| format!(": {kind}")).unwrap_or_default();
    let label = partition.label.as_deref().or(partition.name.as_deref());
    let label = label.map(|label| format!(" \"{label}\"")).unwrap_or_default();
    format!("partition {number}{kind}{label}")
}
