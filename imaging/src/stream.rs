//! The streams of an image: a disk's bytes through the compressor into pieces, and back.
//!
//! ```text
//! save:   partclone ─pipe▶ checksums of blocks ─▶ zstd ─handover▶ SHA-256, piece, piece, …   nothing is kept in between
//! unpack: piece, piece, … ─▶ SHA-256 ─handover▶ zstd ─▶ checksums of blocks ─pipe▶ partclone
//!                                                    └▶ disk | nobody
//! ```

pub(crate) mod compressor;
pub(crate) mod frames;
pub(crate) mod handover;
pub(crate) mod pieces;
pub(crate) mod raw;
pub(crate) mod reader;
pub(crate) mod save;
pub(crate) mod unpack;
