//! The streams of an image: a disk's bytes through the compressor into pieces, and back.
//!
//! ```text
//! save:   partclone ─pipe▶ relay ─pipe▶ zstd ─pipe▶ SHA-256, piece, piece, …      nothing is kept in between
//! unpack: piece, piece, … ─▶ SHA-256 ─pipe▶ zstd -d ─pipe▶ partclone | disk | nobody
//! ```

pub mod pieces;
pub mod raw;
pub mod reader;
pub mod save;
pub mod unpack;
