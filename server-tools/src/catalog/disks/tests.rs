//! When is the image of a disk what the client wrote?

use ghost_contract::UnixTime;
use ghost_contract::image::{Compression, RawReason, Region, Stream, TableKind, UnusedReason, VERSION};

use super::*;

const MIB: u64 = 1 << 20;
const PIECES: [&str; 2] = ["00-beside.raw.zst.000", "01-ntfs.partclone.zst.000"];

fn sum(of: u8) -> Sha256 {
    Sha256::new([of; 32])
}

fn stream(length: u64, index: u8) -> Stream {
    let file = PIECES[usize::from(index)].to_owned();
    Stream { length, pieces: vec![Written { file, size: 100, sha256: sum(index) }] }
}

/// A disk of 10 MiB with an NTFS of 8.
fn image() -> DiskImage {
    let ntfs = Content::Partclone {
        file_system: FileSystem::Ntfs,
        tool: "partclone.ntfs".to_owned(),
        version: "0.3.36".to_owned(),
        used: 3 * MIB,
        total: 8 * MIB,
        stream: stream(3 * MIB, 1),
    };
    let beside = Content::Raw { reason: RawReason::BesidePartitions, stream: stream(MIB, 0) };
    let unused = Content::Unused { reason: UnusedReason::Unallocated };
    let region = |start, length, partition, content| Region { start, length, partition, content };
    DiskImage {
        version: VERSION,
        disk: DiskFacts {
            path: "/dev/sda".to_owned(),
            model: Some("QEMU HARDDISK".to_owned()),
            serial: Some("QM00001".to_owned()),
            size: 10 * MIB,
            logical_sector: 512,
            physical_sector: 512,
        },
        table: Table {
            kind: TableKind::Dos,
            id: None,
            partitions: vec![ghost_contract::image::Partition {
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
            region(0, MIB, None, beside),
            region(MIB, 8 * MIB, Some(1), ntfs),
            region(9 * MIB, MIB, None, unused),
        ],
        compression: Compression::Zstd { level: 3 },
        bad_ranges: vec![],
        notes: vec!["a note".to_owned()],
        tools: vec![],
        started: UnixTime::from_millis(1_000),
        ended: UnixTime::from_millis(3_000),
    }
}

/// What the store has of it: what was read back, and the two files that say what should be there.
struct Stored {
    pieces: Vec<Piece>,
    described: Described,
}

impl Stored {
    fn new() -> Self {
        let files = [(PIECES[0], 0), (PIECES[1], 1), (TABLE_DUMP, 8), (DISK_IMAGE, 9)];
        let sums = files.map(|(name, of)| format!("{}  {name}\n", sum(of))).concat();
        let piece = |(name, of)| Piece { path: format!("disk0/{name}"), size: 100, sha256: sum(of) };
        Self {
            pieces: files.map(piece).to_vec(),
            described: Described {
                folder: "disk0".to_owned(),
                description: image().to_json().unwrap().into_bytes(),
                checksums: sums.into_bytes(),
            },
        }
    }

    fn fault(change: impl FnOnce(&mut Self)) -> String {
        let mut stored = Self::new();
        change(&mut stored);
        summary(&stored.described, &stored.pieces).unwrap_err().to_string()
    }
}

#[test]
fn what_is_as_it_was_written_is_summed_up() {
    let Stored { pieces, described } = Stored::new();
    let summary = summary(&described, &pieces).unwrap();
    assert_eq!(summary.disk.model.as_deref(), Some("QEMU HARDDISK"));
    assert_eq!((summary.kept, summary.stored, summary.took), (4 * MIB, 200, 2_000));
    let ntfs = FileSystemSummary {
        partition: Some(1),
        file_system: FileSystem::Ntfs,
        used: 3 * MIB,
        total: 8 * MIB,
        stored: 100,
    };
    assert_eq!(summary.file_systems, [ntfs]);
    assert_eq!(summary.notes, ["a note"]);
    let pace = Pace::of(&[summary], 1_000, Duration::from_secs(90));
    assert_eq!(pace, Pace { took: 2_000, disk_rate: Some(2 * MIB), store_rate: 500 });
    let of_ghost = Pace::of(&[], 1_000, Duration::from_secs(10));
    assert_eq!(of_ghost, Pace { took: 10_000, disk_rate: None, store_rate: 100 });
}

#[test]
fn what_differs_from_what_the_client_wrote_is_named() {
    let flipped = Stored::fault(|stored| stored.pieces[1].sha256 = sum(77));
    assert_eq!(flipped, "disk0/01-ntfs.partclone.zst.000 is not what the client wrote: its checksum differs");
    let with_its_checksum = Stored::fault(|stored| {
        stored.pieces[1].sha256 = sum(77);
        let listed = String::from_utf8(stored.described.checksums.clone()).unwrap();
        stored.described.checksums = listed.replace(&sum(1).to_string(), &sum(77).to_string()).into_bytes();
    });
    assert_eq!(with_its_checksum, flipped, "the description is believed, and not the list alone");
    let torn = Stored::fault(|stored| stored.pieces[0].size = 99);
    assert_eq!(torn, "disk0/00-beside.raw.zst.000 has 99 bytes, and the client wrote 100");
    let missing = Stored::fault(|stored| drop(stored.pieces.remove(0)));
    assert_eq!(missing, "disk0/00-beside.raw.zst.000 is missing");
    let table = Stored::fault(|stored| stored.pieces[2].sha256 = sum(77));
    assert_eq!(table, "disk0/table.sfdisk is not what the client wrote: its checksum differs");
    let description = Stored::fault(|stored| stored.pieces[3].sha256 = sum(77));
    assert_eq!(description, "disk0/disk.json is not what the client wrote: its checksum differs");
}

#[test]
fn what_says_what_should_be_there_must_be_whole() {
    let torn = Stored::fault(|stored| stored.described.description.truncate(100));
    assert_eq!(torn, "disk0/disk.json cannot be believed");
    let none = Stored::fault(|stored| stored.described.checksums.clear());
    assert_eq!(none, "the checksum of disk0/disk.json is missing");
    let rubbish = Stored::fault(|stored| stored.described.checksums = b"hello".to_vec());
    assert_eq!(rubbish, "'hello' in disk0/SHA256SUMS is no checksum and name");
}

#[test]
fn every_folder_of_an_image_is_found() {
    let piece = |path: &str| Piece { path: path.to_owned(), size: 1, sha256: sum(0) };
    let two = [piece("disk1/a"), piece("disk0/a"), piece("screens/1.png"), piece("disk10/a")];
    assert_eq!(folders(&two).unwrap(), ["disk0", "disk1"]);
    assert_eq!(folders(&[piece("image.gho")]).unwrap_err().to_string(), "there is no image of a disk");
}
