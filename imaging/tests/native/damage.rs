//! An image that is not whole: is it noticed, named, and the disk left alone?

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ghost_contract::image::{Phase, Progress, TargetDisk};

use crate::disk::{self, MIB, noise, run};
use crate::imager::{command, description, done, failed};

/// A whole image in a folder of its own, made once and then copied.
fn image(folder: &Path) -> PathBuf {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let disk = disk::small(folder.path());
        done("backup", &folder.path().join("image"), Some(&disk), "{\"piece_size\": 1048576}");
        folder
    });
    let copy = folder.join("image");
    run("cp", &["-a", made.path().join("image").to_str().unwrap(), copy.to_str().unwrap()]);
    copy
}

/// The path of a piece of the ext4.
fn piece(image: &Path, number: usize) -> PathBuf {
    let name = format!("001-p1-ext.partclone.zst.{number:03}");
    let path = image.join("disk0").join(name);
    assert!(path.is_file(), "{}", path.display());
    path
}

/// What `check` and `restore` say of it; the disk must be as it was.
fn refused(folder: &Path, image: &Path) -> String {
    let (said, _) = failed("check", image, None, "{}");
    let target = folder.join("target");
    let before = noise(4, 64 * MIB);
    fs::write(&target, &before).unwrap();
    let (reason, disk) = failed("restore", image, Some(&target), "{}");
    assert_eq!(disk, TargetDisk::Untouched, "{reason}");
    assert!(fs::read(&target).unwrap() == before, "the disk was written: {reason}");
    said
}

#[test]
fn one_flipped_bit() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path());
    let path = piece(&image, 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 4;
    fs::write(&path, bytes).unwrap();
    let said = refused(folder.path(), &image);
    assert!(said.contains(path.to_str().unwrap()) && said.contains("damaged"), "{said}");
}

#[test]
fn a_truncated_piece() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path());
    let path = piece(&image, 0);
    fs::File::options().write(true).open(&path).unwrap().set_len(1000).unwrap();
    let said = refused(folder.path(), &image);
    assert!(said.contains(path.to_str().unwrap()) && said.contains("1000 bytes, not 1048576"), "{said}");
}

#[test]
fn a_missing_piece() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path());
    let path = piece(&image, 1);
    fs::remove_file(&path).unwrap();
    let said = refused(folder.path(), &image);
    assert!(said.contains(&format!("cannot read {}", path.display())), "{said}");
}

#[test]
fn a_description_that_is_not_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path());
    let path = image.join("disk0/disk.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("67108864", "67109376")).unwrap();
    let said = refused(folder.path(), &image);
    assert!(said.contains("disk.json is not as it was written"), "{said}");
    fs::remove_file(&path).unwrap();
    let said = refused(folder.path(), &image);
    assert!(said.contains("cannot read") && said.contains("disk.json"), "{said}");
}

/// Whoever changes it and its checksum too.
fn rewrite(image: &Path, change: impl FnOnce(&mut ghost_contract::image::DiskImage)) {
    let mut described = description(image);
    change(&mut described);
    fs::write(image.join("disk0/disk.json"), described.to_json().unwrap()).unwrap();
    let folder = image.join("disk0");
    let sums = format!("cd {} && sha256sum -- disk.json table.sfdisk > SHA256SUMS", folder.display());
    run("sh", &["-c", &sums]);
}

#[test]
fn a_description_that_contradicts_itself_or_its_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path());
    rewrite(&image, |image| image.regions[0].length += 512);
    let said = refused(folder.path(), &image);
    assert!(said.contains("what is kept of it"), "{said}");

    let other = tempfile::tempdir().unwrap();
    let image = self::image(other.path());
    rewrite(&image, |image| {
        let ghost_contract::image::Content::Partclone { used, .. } = &mut image.regions[1].content else {
            panic!()
        };
        *used += 4096;
    });
    let (said, _) = failed("check", &image, None, "{}");
    assert!(said.contains("does not hold together"), "{said}");
}

#[test]
fn with_the_check_skipped_the_damage_is_noticed_while_the_disk_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path());
    let path = piece(&image, 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 4;
    fs::write(&path, bytes).unwrap();
    let target = folder.path().join("target");
    fs::write(&target, noise(4, 64 * MIB)).unwrap();
    let (reason, disk) = failed("restore", &image, Some(&target), "{\"restore_check\": \"skip\"}");
    assert_eq!(disk, TargetDisk::Incomplete);
    assert!(reason.contains(path.to_str().unwrap()), "{reason}");
    // It does not look like a disk that can be used.
    assert!(disk::peek(&target, 0, MIB).iter().all(|&byte| byte == 0));
    // A second restore makes it whole.
    bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 4;
    fs::write(&path, bytes).unwrap();
    let notes = done("restore", &image, Some(&target), "{\"restore_check\": \"skip\"}");
    assert_eq!(notes, ["the image was not checked before the disk was written, as ordered"]);
    run("sgdisk", &["-v", target.to_str().unwrap()]);
}

#[test]
fn a_full_store() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk::small(folder.path());
    let store = folder.path().join("store");
    fs::create_dir(&store).unwrap();
    let place = store.to_str().unwrap();
    run("mount", &["-t", "tmpfs", "-o", "size=1m", "tmpfs", place]);
    let image = folder.path().join("image");
    std::os::unix::fs::symlink(&store, &image).unwrap();
    let ended = std::panic::catch_unwind(|| failed("backup", &image, Some(&disk), "{}"));
    let left = store.join("disk0/disk.json").exists();
    run("umount", &[place]);
    let (reason, _) = ended.unwrap();
    assert!(
        reason.contains("001-p1-ext.partclone.zst.000") && reason.contains("No space left on device"),
        "{reason}"
    );
    assert!(!left, "an image was left that looks whole");
}

#[test]
fn an_image_never_overwrites_another() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path());
    let disk = disk::small(folder.path());
    let (reason, _) = failed("backup", &image, Some(&disk), "{}");
    assert!(reason.contains("is not empty"), "{reason}");
    done("check", &image, None, "{}");
}

/// Starts it and kills it once it is in this phase.
fn killed_while(phase: Phase, verb: &str, image: &Path, disk: &Path) -> Progress {
    let progress = image.with_extension("progress");
    let _none_yet = fs::remove_file(&progress);
    let mut child = command(verb, image, Some(disk), "{}").spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let seen = loop {
        let read = fs::read(&progress).ok().and_then(|json| serde_json::from_slice::<Progress>(&json).ok());
        match read {
            Some(progress) if progress.phase == phase => break progress,
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "it was never {phase:?}");
    };
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    seen
}

#[test]
fn killed_in_the_middle_of_a_backup_there_is_neither_an_image_nor_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (disk::small(folder.path()), folder.path().join("image"));
    let progress = killed_while(Phase::Reading, "backup", &image, &disk);
    assert_eq!(progress.phase.target_disk(), TargetDisk::Untouched);
    assert!(!image.with_extension("result").exists());
    assert!(!image.join("disk0/disk.json").exists());
    failed("check", &image, None, "{}");
}

#[test]
fn killed_in_the_middle_of_a_restore_the_disk_has_no_table() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path());
    let target = folder.path().join("target");
    fs::write(&target, noise(4, 64 * MIB)).unwrap();
    let progress = killed_while(Phase::Writing, "restore", &image, &target);
    assert_eq!(progress.phase.target_disk(), TargetDisk::Incomplete);
    assert!(!image.with_extension("result").exists());
    assert!(disk::peek(&target, 0, MIB).iter().all(|&byte| byte == 0));
    done("restore", &image, Some(&target), "{}");
}

#[test]
fn of_two_disks_neither_is_written_when_the_image_of_the_second_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path());
    let path = |below: &str| image.join(below).to_str().unwrap().to_owned();
    run("cp", &["-a", &path("disk0"), &path("disk1")]);
    let damaged = image.join("disk1").join(piece(&image, 1).file_name().unwrap());
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[1000] ^= 4;
    fs::write(&damaged, bytes).unwrap();
    let before = noise(4, 64 * MIB);
    let targets = ["first", "second"].map(|name| folder.path().join(name));
    targets.iter().for_each(|target| fs::write(target, &before).unwrap());
    let mut restore = command("restore", &image, Some(&targets[0]), "{}");
    assert!(!restore.arg("--disk").arg(&targets[1]).status().unwrap().success());
    for target in &targets {
        assert!(fs::read(target).unwrap() == before, "{} was written", target.display());
    }
}
