//! Fuzz targets of Ghost4Linux; see `targets.rs`.

mod targets;

pub use targets::{disk, editor, ghostrc, lexer, manifest, order, report};
