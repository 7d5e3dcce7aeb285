//! Fuzz targets of Ghost4Linux; see `targets.rs`.

mod targets;

pub use targets::{
    arp, check, disk, editor, exports, file_systems, fstab, ghostrc, icmp, journal, lexer, lvm, manifest,
    order, partclone, picture, record, report, rpc, shown, sums, tables, tftp, volumes, vouched,
};
