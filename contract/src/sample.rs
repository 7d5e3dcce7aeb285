//! An order and an image's description for the tests of all crates. Each test changes only what it is about. And effects that
//! need care where many tests run in one process.
//!
//! Compiled with the feature `sample`, which only dev-dependencies ask for.

#![allow(clippy::unwrap_used, reason = "for tests only, where a panic that says where is the message")]

use std::time::Duration;

pub mod effects;

use crate::checksum::Sha256;
use crate::image::{
    self, Compression, Content, DiskFacts, DiskImage, FileSystem, Partition, Piece, RawReason, Region,
    Stream, Table, TableKind, UnusedReason,
};
use crate::order::{
    self, AtEnd, Deadlines, DosProgram, Graphics, ImageStore, Imager, Order, TestSettings, Watch,
};
use crate::{DiskChoice, Mode, NfsVersion, Nonce, UnixTime};

const MIB: u64 = 1 << 20;

/// John's order in this mode, with an image store, issued at 1000 s and expiring at 2000 s of the server's clock.
pub fn order(mode: Mode) -> Order {
    Order {
        version: order::VERSION,
        job: "20260123-142501-4f3a".parse().unwrap(),
        host: "john".parse().unwrap(),
        mac: "00:0a:eb:01:02:03".parse().unwrap(),
        mode,
        issued: UnixTime::from_millis(1_000_000),
        expires: UnixTime::from_millis(2_000_000),
        store: Some(ImageStore {
            server: [192, 168, 7, 1].into(),
            path: "/home/ghost".into(),
            only: None,
            generation: None,
            nfs: NfsVersion::default(),
            mountd_port: None,
        }),
        nonce: Nonce::new([7; 16]),
        imager: Some(Imager::DosboxX(DosProgram {
            command: "ghost.exe -fx".to_owned(),
            graphics: Graphics::default(),
        })),
        luks_key: false,
        disk: DiskChoice::First,
        generation: Some("20260101-000000-aaaa".parse().unwrap()),
        prompts: Vec::new(),
        watch: Watch {
            minimum_rate: 1024,
            window: Duration::from_secs(300),
            grace: Duration::from_secs(120),
            sample_every: Duration::from_secs(5),
            screenshot_every: Duration::from_secs(60),
            screenshots_kept: 10,
        },
        deadlines: Deadlines { job: Duration::from_secs(7200), ending: Duration::from_secs(60) },
        test: TestSettings {
            sleep: Duration::from_secs(60),
            authorized_keys: vec!["ssh-ed25519 A".to_owned()],
        },
        at_end: AtEnd::PowerOff,
    }
}

/// A stream of this length, in one piece of nine bytes whose checksum repeats this byte.
pub fn stream(file: &str, sum: u8, length: u64) -> Stream {
    Stream { length, pieces: vec![Piece { file: file.to_owned(), size: 9, sha256: Sha256::new([sum; 32]) }] }
}

/// A disk of 10 MiB: table, an NTFS with its second boot sector, the end.
pub fn disk_image() -> DiskImage {
    let ntfs = Content::Partclone {
        file_system: FileSystem::Ntfs,
        tool: "partclone.ntfs".to_owned(),
        version: "0.3.36".to_owned(),
        used: MIB,
        total: 8 * MIB - 512,
        stream: stream("01-ntfs.partclone.zst.000", 1, MIB + 100),
    };
    let raw = |reason, file, sum, length| Content::Raw { reason, stream: stream(file, sum, length) };
    let region =
        |start, length, partition, content| Region { start, length, partition, volume: None, content };
    DiskImage {
        version: image::VERSION,
        disk: DiskFacts {
            path: "/dev/sda".to_owned(),
            model: Some("QEMU HARDDISK".to_owned()),
            serial: Some("S1".to_owned()),
            size: 10 * MIB,
            logical_sector: 512,
            physical_sector: 4096,
        },
        table: Table {
            kind: TableKind::Dos,
            id: Some("0x12345678".to_owned()),
            partitions: vec![Partition {
                number: 1,
                start: MIB,
                length: 8 * MIB,
                kind: "7".to_owned(),
                name: None,
                uuid: None,
                file_system: Some("ntfs".to_owned()),
                label: None,
            }],
        },
        regions: vec![
            region(0, MIB, None, raw(RawReason::BesidePartitions, "00-beside.raw.zst.000", 0, MIB)),
            region(MIB, 8 * MIB - 512, Some(1), ntfs),
            region(
                9 * MIB - 512,
                512,
                Some(1),
                raw(RawReason::BehindFileSystem, "02-behind.raw.zst.000", 2, 512),
            ),
            region(9 * MIB, MIB, None, Content::Unused { reason: UnusedReason::Unallocated }),
        ],
        decrypted: Vec::new(),
        compression: Compression::Zstd { level: 3 },
        bad_ranges: vec![],
        hits: vec![],
        notes: vec!["a note".to_owned()],
        tools: vec![],
        started: UnixTime::from_millis(1_000),
        ended: UnixTime::from_millis(3_000),
    }
}
