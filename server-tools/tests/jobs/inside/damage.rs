//! Damage in a generation: is it found, named, and never written back?

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use ghost_contract::sample::effects::unmount;

use crate::boot_server::said;
use crate::saved_disk::run;

use super::Store;

#[test]
fn a_whole_generation_is_whole() {
    let store = Store::new();
    let (status, words) = store.verified();
    assert_eq!((status, words.contains("is whole")), (Some(0), true), "{words}");
    let shown = said(&store.images(&["show", "pc2"]));
    for wanted in ["disk 0: 40.0 MiB", "1  ext4 \"root\"", "2  ntfs \"Windows\""] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
}

#[test]
fn one_flipped_bit_is_found_and_its_piece_named() {
    let store = Store::new();
    let piece = store.piece();
    store.flip_a_bit(&piece);
    let (status, words) = store.verified();
    assert_eq!(status, Some(1), "{words}");
    assert!(words.contains(&format!("\"disk0/{piece}\" is not what was written")), "{words}");
    let listed = said(&store.images(&["list", "--json"]));
    assert!(listed.contains("\"state\":\"damaged\"") && listed.contains(&piece), "{listed}");
    let mounted = store.images(&["mount", "--partition", "1", "pc2", store.mount_point().to_str().unwrap()]);
    assert_ne!(mounted.status.code(), Some(0), "what is damaged is no file system: {}", said(&mounted));
}

#[test]
fn a_truncated_and_a_missing_piece_are_found_and_named() {
    let store = Store::new();
    let piece = store.folder().join(store.piece());
    File::options().write(true).open(&piece).unwrap().set_len(9).unwrap();
    let (status, words) = store.verified();
    assert_eq!((status, words.contains("has 9 bytes and should have")), (Some(1), true), "{words}");
    fs::remove_file(&piece).unwrap();
    let (status, words) = store.verified();
    assert_eq!((status, words.contains("is missing")), (Some(1), true), "{words}");
}

#[test]
fn a_manifest_or_a_description_that_is_not_as_it_was_is_found_and_nothing_is_restored_from_it() {
    let store = Store::new();
    let piece = format!("disk0/{}", store.piece());
    let manifest = store.folder().with_file_name("manifest.json");
    let description = store.folder().join("disk.json");
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    let sum = sha256(&store.folder().with_file_name(&piece));
    let wrong_sum = text(&manifest).replace(&sum, &"0".repeat(64));
    let cut_short = text(&manifest)[..1_000].to_owned();
    let other_size = text(&description).replacen("\"size\": 41943040", "\"size\": 41943552", 1);
    let cases = [
        (&manifest, wrong_sum, format!("\"{piece}\" is not what was written")),
        (&description, other_size, "\"disk0/disk.json\" is not what was written".to_owned()),
        (&manifest, cut_short, "manifest.json is of no use".to_owned()),
    ];
    for (path, changed, wanted) in cases {
        let whole = text(path);
        assert_ne!(changed, whole, "{wanted}");
        fs::write(path, changed).unwrap();
        let (status, words) = store.verified();
        assert_eq!((status, words.contains(&wanted)), (Some(1), true), "{wanted}: {words}");
        let restored = store.server.run(&["restore", "--yes", "pc2"]);
        assert_eq!(restored.status.code(), Some(2), "{wanted}: {}", said(&restored));
        assert!(said(&restored).contains("no good generation"), "{wanted}: {}", said(&restored));
        fs::write(path, whole).unwrap();
        assert_eq!(store.verified().0, Some(0), "{wanted}");
    }
}

/// A file system of its own for an image store, in which there is no room left.
struct Full(PathBuf);

impl Full {
    fn make(store: &Path) -> Self {
        let (kept, path) = (store.with_file_name("kept"), store.to_str().unwrap());
        fs::rename(store, &kept).unwrap();
        fs::create_dir(store).unwrap();
        run("mount", &["-t", "tmpfs", "-o", "size=32m", "tmpfs", path]);
        let full = Self(store.to_owned());
        run("cp", &["-a", &format!("{}/.", kept.display()), path]);
        let mut filler = File::create(store.join("filler")).unwrap();
        let error = std::io::copy(&mut std::io::repeat(7), &mut filler).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        full
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

#[test]
fn a_verdict_is_told_although_there_is_no_room_for_it() {
    let store = Store::new();
    let full = Full::make(&store.server.path("store"));
    let said_so = "the result of this check cannot be saved";
    let (status, words) = store.verified();
    assert_eq!((status, words.contains("is whole")), (Some(75), true), "{words}");
    assert!(words.contains(said_so) && words.contains("No space left on device"), "{words}");
    let piece = store.piece();
    store.flip_a_bit(&piece);
    let (status, words) = store.verified();
    assert_eq!(status, Some(1), "what is damaged is never taken for anything else: {words}");
    assert!(words.contains(&format!("\"disk0/{piece}\" is not what was written")), "{words}");
    assert!(words.contains(said_so), "{words}");
    fs::remove_file(full.0.join("filler")).unwrap();
    let (status, words) = store.verified();
    assert_eq!((status, words.contains(said_so)), (Some(1), false), "{words}");
    store.flip_a_bit(&piece);
    assert_eq!(store.verified().0, Some(0), "it is whole again, and that is written down");
}

#[test]
fn an_image_whose_checksums_are_right_and_whose_inside_is_not_is_damaged_too() {
    let store = Store::new();
    // As if the imager had written rubbish and vouched for it: description, checksums and manifest all agree.
    let piece = store.piece();
    let path = store.folder().join(&piece);
    let mut bytes = fs::read(&path).unwrap();
    let before = sha256(&path);
    bytes[1_000..1_064].fill(0);
    fs::write(&path, bytes).unwrap();
    vouch(&store.folder().join("disk.json"), &before, &sha256(&path));
    vouch(&store.folder().join("SHA256SUMS"), &before, &sha256(&path));
    let described = sha256(&store.folder().join("disk.json"));
    let sums = fs::read_to_string(store.folder().join("SHA256SUMS")).unwrap();
    let old = sums.lines().find_map(|line| line.strip_suffix("  disk.json")).unwrap().to_owned();
    vouch(&store.folder().join("SHA256SUMS"), &old, &described);
    let manifest = store.folder().with_file_name("manifest.json");
    let listed = sha256(&store.folder().join("SHA256SUMS"));
    vouch(&manifest, &before, &sha256(&path));
    vouch(&manifest, &old, &described);
    vouch(&manifest, &sha256_in(&manifest, "disk0/SHA256SUMS"), &listed);
    let (status, words) = store.verified();
    assert_eq!((status, words.contains("\"disk0\" does not hold together")), (Some(1), true), "{words}");
}

pub(crate) fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

fn sha256_in(manifest: &Path, piece: &str) -> String {
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    let pieces = manifest["pieces"].as_array().unwrap();
    let found = pieces.iter().find(|found| found["path"] == piece).unwrap();
    found["sha256"].as_str().unwrap().to_owned()
}

pub(crate) fn vouch(file: &Path, before: &str, after: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(before), "{}", file.display());
    fs::write(file, text.replace(before, after)).unwrap();
}
