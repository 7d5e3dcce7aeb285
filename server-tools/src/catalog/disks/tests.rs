//! When is the image of a disk what the client wrote?

use ghost_contract::image::Volume;
use ghost_contract::sample::disk_image;

use super::*;

const MIB: u64 = 1 << 20;

fn sum(of: u8) -> Sha256 {
    Sha256::new([of; 32])
}

/// What the store has of it: what was read back, and the two files that say what should be there.
struct Stored {
    pieces: Vec<Piece>,
    described: Described,
}

impl Stored {
    fn new() -> Self {
        let image = disk_image();
        let own = image.streams().flat_map(|stream| &stream.pieces);
        let own = own.map(|piece| (piece.file.as_str(), piece.size, piece.sha256));
        let description = image.to_json().unwrap().into_bytes();
        let described = (DISK_IMAGE, 100, crate::catalog::pieces::sum(&description));
        let mut files: Vec<_> = own.chain([(TABLE_DUMP, 100, sum(8)), described]).collect();
        let sums: String = files.iter().map(|(name, _, sum)| format!("{sum}  {name}\n")).collect();
        files.push((CHECKSUMS, 100, crate::catalog::pieces::sum(sums.as_bytes())));
        let piece = |(name, size, sha256)| Piece { path: format!("disk0/{name}"), size, sha256 };
        Self {
            described: Described { folder: "disk0".to_owned(), description, checksums: sums.into_bytes() },
            pieces: files.into_iter().map(piece).collect(),
        }
    }

    fn fault(change: impl FnOnce(&mut Self)) -> String {
        let mut stored = Self::new();
        change(&mut stored);
        // The client has left its list so.
        let list = stored.pieces.iter_mut().find(|piece| piece.path.ends_with(CHECKSUMS)).unwrap();
        list.sha256 = crate::catalog::pieces::sum(&stored.described.checksums);
        summary(&stored.described, &stored.pieces).unwrap_err().to_string()
    }
}

#[test]
fn what_is_as_it_was_written_is_summed_up() {
    let Stored { pieces, described } = Stored::new();
    let summary = summary(&described, &pieces).unwrap();
    assert_eq!(summary.disk.model.as_deref(), Some("QEMU HARDDISK"));
    assert_eq!((summary.kept, summary.stored, summary.took), (2 * MIB + 612, 27, 2_000));
    let ntfs = FileSystemSummary {
        partition: Some(1),
        volume: None,
        file_system: FileSystem::Ntfs,
        used: MIB,
        total: 8 * MIB - 512,
        stored: 9,
    };
    assert_eq!(summary.file_systems, [ntfs]);
    assert_eq!(summary.notes, ["a note"]);
    let disks = [summary.clone()];
    assert_eq!(lacks(&disks).as_deref(), Some("not in the image: 1.0 MiB of the gaps beside partitions"));
    let pace = Pace::of(&[summary], 1_000, Duration::from_secs(90));
    assert_eq!(pace, Pace { took: 2_000, disk_rate: Some(MIB + 306), store_rate: 500 });
    let of_ghost = Pace::of(&[], 1_000, Duration::from_secs(10));
    assert_eq!(of_ghost, Pace { took: 10_000, disk_rate: None, store_rate: 100 });
}

#[test]
fn what_a_logical_volume_uses_or_lacks_is_not_said_of_its_partition() {
    let mut image = disk_image();
    let used = |image: &DiskImage| summarised("disk0".to_owned(), image.clone()).used(1);
    assert_eq!(used(&image), Some(MIB));
    for index in [1, 3] {
        let volume = Volume { name: "vg/root".to_owned(), file_system: None };
        image.regions[index].volume = Some(volume);
    }
    assert_eq!(used(&image), None);
    let summary = summarised("disk0".to_owned(), image);
    assert_eq!(summary.file_systems[0].volume.as_deref(), Some("vg/root"));
    assert_eq!(lacks(&[summary]).as_deref(), Some("not in the image: 1.0 MiB of volume vg/root"));
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
    let torn = Stored::fault(|stored| stored.pieces[0].size = 8);
    assert_eq!(torn, "disk0/00-beside.raw.zst.000 has 8 bytes, and the client wrote 9");
    let missing = Stored::fault(|stored| drop(stored.pieces.remove(0)));
    assert_eq!(missing, "disk0/00-beside.raw.zst.000 is missing");
    let table = Stored::fault(|stored| stored.pieces[3].sha256 = sum(77));
    assert_eq!(table, "disk0/table.sfdisk is not what the client wrote: its checksum differs");
    let description = Stored::fault(|stored| stored.pieces[4].sha256 = sum(77));
    assert_eq!(description, "disk0/disk.json is not what the client wrote: its checksum differs");
}

#[test]
fn what_is_told_of_a_disk_is_what_was_checked_of_it() {
    let Stored { pieces, mut described } = Stored::new();
    described.checksums.extend(b"\n");
    let swapped = summary(&described, &pieces).unwrap_err().to_string();
    assert_eq!(swapped, "disk0/SHA256SUMS is not what the client wrote: its checksum differs");
    let swapped = Stored::fault(|stored| stored.described.description.extend(b" "));
    assert_eq!(swapped, "disk0/disk.json is not what the client wrote: its checksum differs");
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
    let found = |paths: &[&str]| folders(paths.iter().map(Path::new)).unwrap();
    assert_eq!(found(&["disk1/a", "disk0/a", "screens/1.png", "disk10/a"]), ["disk0", "disk1"]);
    assert_eq!(found(&["image.gho", "disk1/a"]), [""; 0]);
    assert_eq!(found(&["disk0"]), [""; 0], "a file of that name is no folder");
}

#[test]
fn whatever_is_not_in_an_image_is_said_of_the_disk_that_it_is_on() {
    let Stored { pieces, described } = Stored::new();
    let whole = |mut disk: DiskSummary| {
        disk.saved.iter_mut().for_each(|part| part.left_out = 0);
        disk
    };
    let made = summary(&described, &pieces).unwrap();
    let mut other = whole(made.clone());
    assert_eq!(lacks(&[whole(made.clone())]), None);
    (other.saved[0].left_out, other.saved[0].left_out_because) = (3 * MIB, Some(UnusedReason::Swap));
    other.bad_ranges = vec![Range { start: 0, length: 512 }, Range { start: 4096, length: 1024 }];
    assert_eq!(
        lacks(&[whole(made), other]).as_deref(),
        Some(
            "not in the image: disk 1: 3.0 MiB of partition 1, which is swap; disk 1: 1.5 KiB that could not be read"
        )
    );
}

#[test]
fn what_is_no_longer_encrypted_is_said_whatever_else_is() {
    let Stored { pieces, described } = Stored::new();
    let mut made = summary(&described, &pieces).unwrap();
    made.saved[0].decrypted = true;
    let open = "NOT ENCRYPTED in the image: what is in partition 1";
    let lacking = format!("not in the image: 1.0 MiB of the gaps beside partitions; {open}");
    assert_eq!(lacks(&[made.clone()]), Some(lacking));
    made.saved.iter_mut().for_each(|part| part.left_out = 0);
    assert_eq!(lacks(&[made.clone()]).as_deref(), Some(open));
    let of_two = "NOT ENCRYPTED in the image: what is in disk 0: partition 1, disk 1: partition 1";
    assert_eq!(lacks(&[made.clone(), made]).as_deref(), Some(of_two));
}

#[test]
fn there_are_as_many_disks_as_there_may_be_and_one_more_is_refused() {
    let paths = |disks: u32| (0..disks).map(|index| Path::new(&layout::disk(index)).join("disk.json"));
    let found = |disks: u32| {
        let paths: Vec<_> = paths(disks).collect();
        folders(paths.iter().map(std::path::PathBuf::as_path))
    };
    assert_eq!(found(64).unwrap().len(), STAGING_DISKS);
    assert_eq!(found(65).unwrap_err().to_string(), "there are images of more than 64 disks");
}

/// Names of one file are as many descriptions to whoever reads them, and cost a client nothing.
#[test]
fn descriptions_are_held_in_memory_up_to_a_bound_of_all_of_them_together() {
    let Stored { mut pieces, mut described } = Stored::new();
    let mut image = disk_image();
    image.notes = vec!["n".repeat(1_000); 6_000];
    described.description = image.to_json().unwrap().into_bytes();
    let changed = crate::catalog::pieces::sum(&described.description);
    let list = String::from_utf8(described.checksums).unwrap();
    let lines = list.lines().filter(|line| !line.ends_with(DISK_IMAGE)).map(|line| format!("{line}\n"));
    let list = lines.chain([format!("{changed}  {DISK_IMAGE}\n")]).collect::<String>();
    for (name, sum) in [(DISK_IMAGE, changed), (CHECKSUMS, crate::catalog::pieces::sum(list.as_bytes()))] {
        pieces.iter_mut().find(|piece| piece.path.ends_with(name)).unwrap().sha256 = sum;
    }
    let staging = tempfile::tempdir().unwrap();
    let folder = crate::sys::folder::Folder::open(staging.path()).unwrap();
    let first = staging.path().join("disk0");
    std::fs::create_dir(&first).unwrap();
    std::fs::write(first.join(DISK_IMAGE), &described.description).unwrap();
    std::fs::write(first.join(CHECKSUMS), list).unwrap();
    let of_first = pieces.clone();
    for index in 1..3 {
        let disk = staging.path().join(layout::disk(index));
        std::fs::create_dir(&disk).unwrap();
        for name in [DISK_IMAGE, CHECKSUMS] {
            std::fs::hard_link(first.join(name), disk.join(name)).unwrap();
        }
        pieces.extend(
            of_first
                .iter()
                .map(|piece| Piece { path: piece.path.replace("disk0", &layout::disk(index)), ..*piece }),
        );
        let read = crate::catalog::finish::disks_of(&folder, staging.path(), &pieces);
        match index {
            1 => assert_eq!(read.unwrap().len(), 2),
            _ => assert_eq!(
                read.unwrap_err().to_string(),
                "the descriptions of disks and their lists of checksums have more than 16777216 bytes together"
            ),
        }
    }
}
