//! Which descriptions are believed?

use super::*;
use crate::sample::{disk_image, stream};

const MIB: u64 = 1 << 20;

fn refusal(change: impl FnOnce(&mut DiskImage)) -> String {
    let mut image = disk_image();
    change(&mut image);
    DiskImage::parse(image.to_json().unwrap().as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_description_survives_the_file() {
    let written = disk_image().to_json().unwrap();
    assert_eq!(DiskImage::parse(written.as_bytes()).unwrap(), disk_image());
}

#[test]
fn another_version_is_told_apart_from_rubbish() {
    let error = |bytes: &[u8]| DiskImage::parse(bytes).unwrap_err().to_string();
    assert_eq!(
        error(b"{\"version\": 3}"),
        "the image has format version 3, this program understands version 2"
    );
    assert_eq!(error(b"{\"version\": 1}"), "the description of the image cannot be read");
}

#[test]
fn regions_follow_one_another_from_the_first_byte_to_the_last() {
    assert_eq!(
        refusal(|i| i.regions[1].start += 512),
        "region 1 begins at byte 1049088, the one before it ends at 1048576"
    );
    assert_eq!(refusal(|i| i.regions.truncate(3)), "the regions end at byte 9437184, the disk at 10485760");
    assert_eq!(refusal(|i| i.disk.size += 512), "the regions end at byte 10485760, the disk at 10486272");
    assert_eq!(refusal(|i| i.regions[0].length = 1_000_000), "region 0 is not made of whole sectors");
    assert_eq!(refusal(|i| i.disk.logical_sector = 500), "a disk has no sectors of 500 bytes");
}

#[test]
fn what_is_kept_is_what_the_region_holds() {
    let longer = |i: &mut DiskImage| {
        if let Content::Raw { stream, .. } = &mut i.regions[0].content {
            stream.length += 512;
        }
    };
    assert_eq!(refusal(longer), "region 0 has 1048576 bytes, what is kept of it 1049088");
    let larger = |i: &mut DiskImage| {
        if let Content::Partclone { total, .. } = &mut i.regions[1].content {
            *total += 512;
        }
    };
    assert_eq!(refusal(larger), "region 1 has 8388096 bytes, what is kept of it 8388608");
}

#[test]
fn a_partition_s_region_is_within_it() {
    assert_eq!(refusal(|i| i.regions[1].partition = Some(2)), "region 1 is not within partition 2");
    assert_eq!(refusal(|i| i.regions[3].partition = Some(1)), "region 3 is not within partition 1");
}

#[test]
fn a_piece_is_a_file_of_this_folder_and_no_other_s() {
    let named = |name: &str| {
        let name = name.to_owned();
        refusal(move |i| {
            i.regions[0].content =
                Content::Raw { reason: RawReason::SwapHeader, stream: stream(&name, 0, MIB) }
        })
    };
    for name in ["../disk1/a", "/etc/passwd", "", ".hidden", "a b", "02-behind.raw.zst.000"] {
        assert_eq!(named(name), format!("'{name}' cannot be the name of a piece"));
    }
}

#[test]
fn settings_that_are_left_out_have_their_defaults() {
    let settings: LinuxSettings = serde_json::from_str("{\"dirty_ntfs\": \"raw\"}").unwrap();
    assert_eq!(settings, LinuxSettings { dirty_ntfs: DirtyNtfs::Raw, ..LinuxSettings::default() });
    assert!(settings.piece_size < 1 << 31);
}

#[test]
fn a_disk_is_incomplete_once_it_is_being_written() {
    assert_eq!(Phase::Checking.target_disk(), TargetDisk::Untouched);
    assert_eq!(Phase::Shrinking.target_disk(), TargetDisk::Untouched);
    assert_eq!(Phase::Writing.target_disk(), TargetDisk::Incomplete);
    assert_eq!(Phase::Resizing.target_disk(), TargetDisk::Incomplete);
}
