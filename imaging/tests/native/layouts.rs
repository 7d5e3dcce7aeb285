//! A corpus of disks: each is backed up, checked, and restored onto zeros, onto 0xFF, and most of them onto a larger disk and a smaller one.
//!
//! An entry says how a disk is made ([`Layout`], one call a step) and ends in what must be so, as a rule [`Layout::survives`].
//! To add one, write a function of a few lines beside those of its kind, and its name into the table at the end of the file.
//! `LAYOUT=part_of_a_name cargo test -p ghost-imaging --test native layouts` runs those only.
//! With a folder of another version's `partclone.*` in front of `PATH` that version is tested.
//!
//! What must be equal needs no list: a disk is made in a sparse file, so that what is free in it is zeros, and a restore onto
//! zeros must give the same disk byte for byte. Onto 0xFF only whole sectors may differ that the restore has left alone, in a
//! file system of which used blocks are saved or in what `disk.json` says is left out; and the files must be the same.

mod behind;
mod corpus;
mod features;
mod files;
pub(crate) mod group;
mod layout;
mod members;
mod odd;
mod opinions;
mod signatures;
mod tables;
mod volumes;
mod zfs;

pub(crate) use layout::Layout;
