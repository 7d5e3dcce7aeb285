//! The walls, and that the parser is behind them.

use super::*;

/// Not a test when all are run: the parser of the others is this very program, which is told to run only this one.
#[test]
fn this_is_the_confined_process() {
    let is_ordinary = answer().is_none();
    assert!(is_ordinary || std::env::args().next().unwrap() == NAME);
}

#[test]
fn this_machine_lacks_nothing_or_says_what() {
    let lacks = Parser::own().lacks().unwrap();
    assert!(lacks.iter().all(|lack| lack.contains(": ") || lack.contains("run by root")), "{lacks:?}");
}

#[test]
fn no_two_questions_have_the_same_user() {
    let users: std::collections::BTreeSet<u32> = (0..64).map(|_| user()).collect();
    assert_eq!(users.len(), 64);
    assert!(users.iter().all(|user| (USERS..0x8000_0000).contains(user)), "{users:?}");
}

/// The head of an image of partclone, whose file system has 2³⁴ blocks: its map of used blocks takes 2 GiB.
fn head_that_wants_2_gib() -> Vec<u8> {
    let mut head = b"partclone-image\x000.3.23\0\0\0\0\0\0\0\x000002\xde\xc0EXTFS".to_vec();
    head.resize(52, 0);
    head.extend((1_u64 << 46).to_le_bytes());
    head.extend([1_u64 << 34, 1, 1].iter().flat_map(|blocks| blocks.to_le_bytes()));
    head.extend(4_096_u32.to_le_bytes());
    head.extend(18_u32.to_le_bytes());
    // Version and width, checksums, each of 1,024 blocks and anew, a bit a block.
    head.extend(b"\x02\0\x40\0\x20\0\x04\0\0\x04\0\0\x01\x01");
    let sum = crc32(&head);
    head.extend(sum.to_le_bytes());
    head
}

/// That of IEEE 802.3, without the inversion at its end.
fn crc32(bytes: &[u8]) -> u32 {
    let bits = |sum: u32| (0..8).fold(sum, |sum, _| (sum >> 1) ^ (0xedb8_8320 * (sum & 1)));
    bytes.iter().fold(u32::MAX, |sum, byte| bits(sum ^ u32::from(*byte)))
}

/// Bytes as zstd keeps what it cannot make smaller.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap();
    let block = u32::from(length) << 3 | 1;
    [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, length][..], &block.to_le_bytes()[..3], bytes].concat()
}

/// An image of a disk of 64 TiB without a table, as its client describes it, with this as its only piece.
fn staged(piece: &[u8]) -> tempfile::TempDir {
    use sha2::Digest as _;
    let folder = tempfile::tempdir().unwrap();
    let sum =
        |bytes: &[u8]| ghost_contract::checksum::Sha256::new(sha2::Sha256::digest(bytes).into()).to_string();
    let size = 1_u64 << 46;
    let kept = serde_json::json!({ "file": "a.000", "size": piece.len(), "sha256": sum(piece) });
    let content = serde_json::json!({ "kind": "partclone", "file_system": "ext", "tool": "partclone.ext4", "version": "0.3.23",
        "used": 4_096, "total": size, "stream": { "length": 1_u64 << 31, "pieces": [kept] } });
    let disk = serde_json::json!({ "version": 1, "disk": { "path": "/dev/sda", "model": null, "serial": null, "size": size,
        "logical_sector": 512, "physical_sector": 512 }, "table": { "kind": "none", "id": null, "partitions": [] },
        "regions": [{ "start": 0, "length": size, "partition": null, "content": content }],
        "compression": { "method": "zstd", "level": 3 }, "bad_ranges": [], "notes": [], "tools": [], "started": 1, "ended": 2 });
    let disk = disk.to_string();
    let sums = [(sum(piece), "a.000"), (sum(b""), "table.sfdisk"), (sum(disk.as_bytes()), "disk.json")];
    let sums: String = sums.iter().map(|(sum, name)| format!("{sum}  {name}\n")).collect();
    for (name, content) in [
        ("a.000", piece),
        ("table.sfdisk", b""),
        ("disk.json", disk.as_bytes()),
        ("SHA256SUMS", sums.as_bytes()),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

#[test]
fn a_head_of_partclones_that_wants_2_gib_for_its_map_is_damage() {
    let image = staged(&stored(&head_that_wants_2_gib()));
    let folder = File::open(image.path()).unwrap();
    let until = Instant::now() + Duration::from_secs(300);
    let error = Parser::own().check(&folder, Path::new("/store/john"), until).unwrap_err();
    let said = format!("{error:#}");
    assert!(said.ends_with("ends too early, at least 2147483652 bytes are missing"), "{said}");
}
