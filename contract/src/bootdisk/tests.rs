//! Floppies are made here with the same FAT library, in memory.

use std::io::Cursor;

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use proptest::prelude::*;

use super::*;

pub(super) const KIB: usize = 1024;
const TEMPLATE: &[u8] = b"@ECHO OFF\r\nECHO BackUpName\r\nGHOST.EXE BackUpCommand\r\nEXITEMU\r\n";
const DUMP: &str = r"-clone,mode=dump,src=1,dst=z:\image.gho -z1 -split=2000 -auto -sure -fx";

/// An empty FAT volume of that size.
pub(super) fn formatted(size: usize) -> Vec<u8> {
    let mut image = vec![0; size];
    let options = FormatVolumeOptions::new().bytes_per_cluster(512);
    fatfs::format_volume(Cursor::new(&mut image[..]), options).unwrap();
    image
}

/// Why the image is not taken. (Without the image, which would fill the screen.)
fn refusal(image: Vec<u8>, command: &str) -> String {
    fill(image, command).map(drop).unwrap_err().to_string()
}

pub(super) fn put(image: &mut [u8], path: &str, content: &[u8]) {
    let files = FileSystem::new(Cursor::new(image), FsOptions::new()).unwrap();
    if let Some((folder, _)) = path.rsplit_once('/') {
        files.root_dir().create_dir(folder).unwrap();
    }
    let mut file = files.root_dir().create_file(path).unwrap();
    file.truncate().unwrap();
    file.write_all(content).unwrap();
}

fn floppy(size: usize, autoexec: &[u8]) -> Vec<u8> {
    let mut image = formatted(size);
    put(&mut image, "GHOST.EXE", b"MZ not really");
    put(&mut image, "AUTOEXEC.BAT", autoexec);
    image
}

/// Puts a volume behind an MBR whose second entry points to it.
fn partitioned(volume: &[u8], partition_type: u8) -> Vec<u8> {
    let start: u32 = 63;
    let mut disk = vec![0; 63 * 512];
    disk[446 + 16 + 4] = partition_type;
    disk[446 + 16 + 8..][..4].copy_from_slice(&start.to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xAA]);
    disk.extend_from_slice(volume);
    disk
}

/// Fills the volume until this many bytes are free.
fn fill_up(image: &mut [u8], free: u32) {
    let files = FileSystem::new(Cursor::new(&mut *image), FsOptions::new()).unwrap();
    let space = files.stats().unwrap();
    let length = space.free_clusters() * space.cluster_size() - free;
    drop(files);
    put(image, "FULL.BIN", &vec![0; usize::try_from(length).unwrap()]);
}

#[test]
fn placeholders_are_filled_in_and_everything_else_is_kept() {
    for size in [360 * KIB, 720 * KIB, 1440 * KIB, 2880 * KIB, 8192 * KIB] {
        let filled = fill(floppy(size, TEMPLATE), DUMP).unwrap();
        assert_eq!(filled.len(), size);
        let expected = format!("@ECHO OFF\r\nECHO image\r\nGHOST.EXE {DUMP}\r\nEXITEMU\r\n");
        assert_eq!(read(filled.clone(), AUTOEXEC).unwrap(), expected.as_bytes());
        assert_eq!(read(filled, "ghost.exe").unwrap(), b"MZ not really");
    }
}

#[test]
fn the_same_template_and_command_give_the_same_bytes() {
    let template = floppy(1440 * KIB, TEMPLATE);
    assert_eq!(fill(template.clone(), DUMP).unwrap(), fill(template, DUMP).unwrap());
}

#[test]
fn a_shorter_file_leaves_nothing_of_the_template_behind() {
    let filled = fill(floppy(1440 * KIB, TEMPLATE), "").unwrap();
    assert_eq!(read(filled, AUTOEXEC).unwrap(), b"@ECHO OFF\r\nECHO image\r\nGHOST.EXE \r\nEXITEMU\r\n");
}

#[test]
fn a_file_may_grow_into_another_cluster() {
    let mut autoexec = vec![b'\n'; 450];
    autoexec.extend_from_slice(TEMPLATE);
    let filled = fill(floppy(1440 * KIB, &autoexec), DUMP).unwrap();
    assert_eq!(read(filled, AUTOEXEC).unwrap().len(), autoexec.len() + DUMP.len() - 13 - 5);
}

#[test]
fn bytes_of_any_code_page_and_bare_line_feeds_are_kept() {
    let template = b"REM \x81\x84\x94\x1a\nBackUpName BackUpName\nBackUpCommand";
    let filled = fill(floppy(1440 * KIB, template), "x").unwrap();
    assert_eq!(read(filled, AUTOEXEC).unwrap(), b"REM \x81\x84\x94\x1a\nimage image\nx");
}

#[test]
fn a_disk_image_with_a_partition_table_will_do() {
    for partition_type in [0x01, 0x04, 0x06, 0x0E] {
        let disk = partitioned(&floppy(20 * 1024 * KIB, TEMPLATE), partition_type);
        let filled = fill(disk.clone(), DUMP).unwrap();
        assert_eq!(filled[..63 * 512], disk[..63 * 512]);
        assert!(read(filled, AUTOEXEC).unwrap().ends_with(b"-fx\r\nEXITEMU\r\n"));
    }
}

#[test]
fn what_is_no_fat_image_is_refused() {
    let ntfs = partitioned(&floppy(1440 * KIB, TEMPLATE), 0x07);
    let mut no_signature = floppy(1440 * KIB, TEMPLATE);
    no_signature[510] = 0;
    for image in [vec![], vec![0; 100], vec![0; 1440 * KIB], ntfs, no_signature] {
        let expected = "the boot floppy image holds no FAT file system that DOS can read";
        assert_eq!(refusal(image, DUMP), expected);
    }
}

#[test]
fn a_truncated_image_is_refused_with_both_sizes() {
    let mut image = floppy(1440 * KIB, TEMPLATE);
    image.truncate(720 * KIB);
    assert_eq!(
        refusal(image, DUMP),
        "the boot floppy image is cut off: its file system has 1474560 bytes, the file has 737280"
    );
    let mut disk = partitioned(&floppy(1440 * KIB, TEMPLATE), 0x01);
    disk.truncate(1024);
    let error = refusal(disk, DUMP);
    assert!(error.starts_with("the boot floppy image is cut off: "), "{error}");
}

/// The library reads nothing else there, and it must not write to another file's place.
#[test]
fn a_file_in_a_place_that_no_floppy_has_is_damage() {
    let size = 360 * KIB;
    let sound = floppy(size, &[TEMPLATE, &[b' '; 2_000][..], b"\r\n"].concat());
    let first_fat = 512;
    // FAT12: the entries of clusters 2 and 3 are three bytes. The chain of clusters goes on at cluster 1 then.
    let chain = |image: &mut Vec<u8>| {
        let second_fat = first_fat + 512 * usize::from(u16::from_le_bytes([image[22], image[23]]));
        for fat in [first_fat, second_fat] {
            image[fat + 3..][..600].fill(0);
            (image[fat + 3..][..600].chunks_exact_mut(3))
                .for_each(|two| two.copy_from_slice(&[0x01, 0x10, 0x00]));
        }
    };
    let root = |image: &Vec<u8>| image.windows(11).position(|name| name == b"AUTOEXECBAT").unwrap();
    let entry = |image: &mut Vec<u8>| {
        let at = root(image) + 26;
        image[at..][..2].copy_from_slice(&1_u16.to_le_bytes());
    };
    for damage in [&chain as &dyn Fn(&mut Vec<u8>), &entry] {
        let mut image = sound.clone();
        damage(&mut image);
        for error in [refusal(image.clone(), DUMP), extract(image).map(drop).unwrap_err().to_string()] {
            assert_eq!(error, DAMAGED);
        }
    }
}

#[test]
fn a_missing_autoexec_is_named() {
    let error = refusal(formatted(1440 * KIB), DUMP);
    assert_eq!(error, "the boot floppy image has no file AUTOEXEC.BAT");
}

#[test]
fn each_placeholder_must_be_there() {
    for (autoexec, missing) in [
        ("GHOST BackUpCommand\r\n", NAME_PLACEHOLDER),
        ("ECHO BackUpName\r\n", COMMAND_PLACEHOLDER),
        ("BACKUPNAME backupcommand", NAME_PLACEHOLDER),
    ] {
        let error = refusal(floppy(1440 * KIB, autoexec.as_bytes()), DUMP);
        assert!(error.contains(&format!("does not contain the word {missing},")), "{autoexec}: {error}");
    }
}

#[test]
fn a_full_floppy_is_refused_with_what_is_missing() {
    let mut autoexec = vec![b'\n'; 512 - TEMPLATE.len()];
    autoexec.extend_from_slice(TEMPLATE);
    let mut full = floppy(1440 * KIB, &autoexec);
    fill_up(&mut full, 0);
    assert_eq!(
        refusal(full, DUMP),
        "the boot floppy image is full: AUTOEXEC.BAT needs 512 more bytes, 0 are free"
    );
    let mut nearly = floppy(1440 * KIB, &autoexec);
    fill_up(&mut nearly, 512);
    assert!(fill(nearly, DUMP).is_ok());
}

#[test]
fn a_full_floppy_will_do_when_the_file_stays_in_its_clusters() {
    let mut full = floppy(1440 * KIB, TEMPLATE);
    fill_up(&mut full, 0);
    assert!(fill(full, DUMP).is_ok());
}

#[test]
fn a_command_that_dos_cannot_read_is_refused() {
    for command in ["-fx\r\nformat c:", "-dst=z:\\bild-\u{e4}", "\t"] {
        let error = refusal(floppy(1440 * KIB, TEMPLATE), command);
        assert!(error.ends_with("has a character that cannot stand in a DOS batch file"), "{error}");
    }
}

#[test]
fn a_line_that_dos_would_cut_is_refused() {
    let room = LONGEST_LINE - "GHOST.EXE ".len();
    assert!(fill(floppy(1440 * KIB, TEMPLATE), &"x".repeat(room)).is_ok());
    assert_eq!(
        refusal(floppy(1440 * KIB, TEMPLATE), &"x".repeat(room + 1)),
        "line 3 of the batch file is 127 characters long with the command filled in; DOS reads only 126"
    );
}

#[test]
fn files_are_listed_with_their_folders_and_short_names() {
    let mut image = floppy(1440 * KIB, TEMPLATE);
    put(&mut image, "util/A long name.txt", b"hello");
    let files = extract(image).unwrap();
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["GHOST.EXE", "AUTOEXEC.BAT", "UTIL/ALONGN~1.TXT"]);
    assert_eq!(files[2].content, b"hello");
}

#[test]
fn a_missing_file_is_named() {
    let image = floppy(1440 * KIB, TEMPLATE);
    assert_eq!(
        read(image, "UTIL/GHOST.EXE").unwrap_err().to_string(),
        "the boot floppy image has no file UTIL/GHOST.EXE"
    );
}

#[test]
fn a_name_that_leads_out_of_its_folder_is_refused() {
    let mut image = floppy(1440 * KIB, TEMPLATE);
    let entry = image.windows(11).position(|name| name == b"GHOST   EXE").unwrap();
    image[entry..entry + 11].copy_from_slice(b"/ETC/A  SH ");
    let error = extract(image).unwrap_err().to_string();
    assert!(error.starts_with("the boot floppy image has a file with the unusable name "), "{error}");
}

#[test]
fn folders_that_run_in_a_circle_are_refused() {
    let mut image = floppy(1440 * KIB, TEMPLATE);
    put(&mut image, "LOOP/X", b"");
    let parent = image.windows(11).position(|name| name == b"LOOP       ").unwrap();
    let own = image[parent + 26..parent + 28].to_vec();
    let child = image.windows(11).rposition(|name| name == b"X          ").unwrap();
    image[child + 11] = 0x10;
    image[child + 26..child + 28].copy_from_slice(&own);
    let error = extract(image).unwrap_err().to_string();
    assert!(error.starts_with("the folders of the boot floppy image run in a circle at "), "{error}");
}

/// Where the first entry of this name is, as it stands in a folder.
fn entry_at(image: &[u8], name: &[u8; 11]) -> usize {
    image.windows(name.len()).position(|window| window == name).unwrap()
}

#[test]
fn folders_that_lead_to_the_same_folder_again_and_again_are_refused() {
    const FOLDERS: usize = 12;
    let mut image = floppy(1440 * KIB, TEMPLATE);
    (0..FOLDERS).for_each(|number| put(&mut image, &format!("D{number:02}/X{number:02}"), b""));
    let entries = |kind: char| -> Vec<usize> {
        (0..FOLDERS)
            .map(|number| format!("{kind}{number:02}        "))
            .map(|name| entry_at(&image, name.as_bytes().try_into().unwrap()))
            .collect()
    };
    let (folders, children) = (entries('D'), entries('X'));
    for (child, next) in children.iter().zip(folders.iter().skip(1)) {
        let cluster = image[next + 26..next + 28].to_vec();
        for place in 0..4_u8 {
            let entry = &mut image[child + 32 * usize::from(place)..][..32];
            entry.fill(0);
            entry[..11].copy_from_slice(b"Y          ");
            (entry[1], entry[11]) = (b'0' + place, 0x10);
            entry[26..28].copy_from_slice(&cluster);
        }
    }
    let error = extract(image).unwrap_err().to_string();
    assert!(error.starts_with("the folders of the boot floppy image run in a circle at "), "{error}");
}

#[test]
fn a_file_whose_clusters_run_in_a_circle_takes_no_more_memory_than_the_image() {
    let mut image = floppy(1440 * KIB, TEMPLATE);
    put(&mut image, "LONG.BIN", b"one cluster");
    let entry = entry_at(&image, b"LONG    BIN");
    let cluster = usize::from(u16::from_le_bytes([image[entry + 26], image[entry + 27]]));
    image[entry + 28..entry + 32].copy_from_slice(&(64_u32 << 20).to_le_bytes());
    // In its table, which begins with the second sector, each cluster has 12 bits.
    let at = 512 + cluster * 3 / 2;
    let [low, high] = u16::try_from(cluster).unwrap().to_le_bytes();
    if cluster % 2 == 0 {
        (image[at], image[at + 1]) = (low, image[at + 1] & 0xF0 | high);
    } else {
        (image[at], image[at + 1]) = (image[at] & 0x0F | low << 4, low >> 4 | high << 4);
    }
    let words = "cannot use the file LONG.BIN of the boot floppy image: it is larger than the image";
    assert_eq!(extract(image.clone()).map(drop).unwrap_err().to_string(), words);
    assert_eq!(read(image, "LONG.BIN").unwrap_err().to_string(), words);
}

proptest! {
    /// PID 1 must bear any template: an error is fine, a panic or an endless loop is not.
    #[test]
    fn a_damaged_image_never_breaks_the_reader(
        damage in proptest::collection::vec((0..40 * KIB, any::<u8>()), 1..8),
        head in proptest::collection::vec((11..62_usize, any::<u8>()), 0..3),
    ) {
        let mut image = floppy(720 * KIB, TEMPLATE);
        for (at, byte) in damage.into_iter().chain(head) {
            image[at] = byte;
        }
        let _ = extract(image.clone());
        let _ = fill(image, DUMP);
    }
}
