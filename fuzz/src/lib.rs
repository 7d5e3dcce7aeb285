//! Fuzz targets of Ghost4Linux; see `targets.rs`.

mod targets;

pub use targets::*;
