//! The streams of an image: a disk's bytes through the compressor into pieces, and back.
//!
//! ```text
//! save:   partclone ─pipe▶ checksums of blocks ─▶ zstd ─handover▶ SHA-256, piece, piece, …   nothing is kept in between
//! unpack: piece, piece, … ─▶ SHA-256 ─handover▶ zstd ─▶ checksums of blocks ─pipe▶ partclone
//!                                                    └▶ disk | nobody
//! ```

pub mod compressor;
pub mod frames;
pub mod handover;
pub mod pieces;
pub mod raw;
pub mod reader;
pub mod save;
pub mod unpack;
