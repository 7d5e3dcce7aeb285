//! `ghost-imager` with real disks in plain files and loop devices: what the client runs, without a client.
//!
//! Needs root (loop devices) and the tools that `tests/host-packages` lists. That a restored disk is the one
//! that was saved is shown by saving it once more: every piece has the same checksum then.

#![allow(clippy::unwrap_used, reason = "all of this target is tests: a panic that says where is the message")]

mod bench;
mod changing;
mod checksums;
mod damage;
mod disk;
mod encrypted;
mod fitting;
mod imager;
mod layouts;
mod leftovers;
mod moving;
mod parts;
mod round_trip;
mod shrinking;
mod source;
