//! An image that is not whole: is it noticed, named, and the disk left alone?

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use ghost_contract::image::{Content, DiskImage, Phase, Progress, TargetDisk};
use ghost_contract::sample::effects::unmount;

use crate::disk::{self, MIB, noise, run};
use crate::imager::{command, description, done, failed};

#[test]
fn an_image_that_the_boot_server_does_not_vouch_for_is_refused_and_the_disk_left_alone() {
    let sample = Sample::new();
    let sums = fs::read_to_string(sample.image.join("disk0/SHA256SUMS")).unwrap();
    let line = sums.lines().find(|line| line.ends_with("  disk.json")).unwrap();
    let own = line.split_once("  ").unwrap().0;
    let settings = |vouched: &[&str]| serde_json::json!({ "vouched": vouched }).to_string();
    let (target, other) = (sample.target(), "0".repeat(64));
    let before = fs::read(&target).unwrap();
    for (vouched, words) in [
        (&[other.as_str()][..], "disk.json is not the one that the boot server vouches for"),
        (&[own, own], "images of 1 disks, and the boot server vouches for 2"),
    ] {
        let (checked, _) = failed("check", &sample.image, None, &settings(vouched));
        let (restored, disk) = failed("restore", &sample.image, Some(&target), &settings(vouched));
        assert_eq!(disk, TargetDisk::Untouched, "{restored}");
        assert!(checked.contains(words) && restored.contains(words), "{checked} {restored}");
    }
    assert!(fs::read(&target).unwrap() == before, "the disk was written");
    done("check", &sample.image, None, &settings(&[own]));
    done("restore", &sample.image, Some(&target), &settings(&[own]));
}

/// A copy of an image that is whole, in a folder of its own.
struct Sample {
    folder: tempfile::TempDir,
    image: PathBuf,
    _made: Arc<tempfile::TempDir>,
}

impl Sample {
    /// The image itself is made once for all tests that run at the same time.
    fn new() -> Self {
        static MADE: Mutex<Weak<tempfile::TempDir>> = Mutex::new(Weak::new());
        let mut known = MADE.lock().unwrap();
        let made = known.upgrade().unwrap_or_else(|| {
            let folder = tempfile::tempdir().unwrap();
            let disk = disk::small(folder.path());
            done("backup", &folder.path().join("image"), Some(&disk), "{\"piece_size\": 1048576}");
            Arc::new(folder)
        });
        *known = Arc::downgrade(&made);
        drop(known);
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        run("cp", &["-a", made.path().join("image").to_str().unwrap(), image.to_str().unwrap()]);
        Self { folder, image, _made: made }
    }

    /// The path of a piece of the ext4.
    fn piece(&self, number: usize) -> PathBuf {
        let name = format!("001-p1-ext.partclone.zst.{number:03}");
        let path = self.image.join("disk0").join(name);
        assert!(path.is_file(), "{}", path.display());
        path
    }

    /// A disk with something on it.
    fn target(&self) -> PathBuf {
        let target = self.folder.path().join("target");
        fs::write(&target, noise(4, 64 * MIB)).unwrap();
        target
    }

    /// What `check` says of it, and `restore` too; the disk must be as it was.
    #[track_caller]
    fn is_refused(&self, words: &[&str]) {
        let (said, _) = failed("check", &self.image, None, "{}");
        let target = self.target();
        let before = fs::read(&target).unwrap();
        let (reason, disk) = failed("restore", &self.image, Some(&target), "{}");
        assert_eq!(disk, TargetDisk::Untouched, "{reason}");
        assert!(fs::read(&target).unwrap() == before, "the disk was written: {reason}");
        for words in words {
            assert!(said.contains(words), "{words}: {said}");
        }
    }

    /// Whoever changes the description and its checksum too.
    fn rewrite(&self, change: impl FnOnce(&mut DiskImage)) {
        let mut described = description(&self.image);
        change(&mut described);
        let folder = self.image.join("disk0");
        fs::write(folder.join("disk.json"), described.to_json().unwrap()).unwrap();
        let own = format!("cd {} && sha256sum -- table.sfdisk disk.json", folder.display());
        let pieces = described.streams().flat_map(|stream| &stream.pieces);
        let pieces: String = pieces.map(|piece| format!("{}  {}\n", piece.sha256, piece.file)).collect();
        fs::write(folder.join("SHA256SUMS"), pieces + &run("sh", &["-c", &own])).unwrap();
    }
}

/// Changes one bit; called again, the file is as it was.
fn flip_a_bit(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[1000] ^= 4;
    fs::write(path, bytes).unwrap();
}

#[test]
fn one_flipped_bit() {
    let sample = Sample::new();
    let piece = sample.piece(1);
    flip_a_bit(&piece);
    sample.is_refused(&[piece.to_str().unwrap(), "damaged"]);
}

#[test]
fn a_truncated_piece() {
    let sample = Sample::new();
    let piece = sample.piece(0);
    fs::File::options().write(true).open(&piece).unwrap().set_len(1000).unwrap();
    sample.is_refused(&[piece.to_str().unwrap(), "1000 bytes, not 1048576"]);
}

#[test]
fn a_missing_piece() {
    let sample = Sample::new();
    let piece = sample.piece(1);
    fs::remove_file(&piece).unwrap();
    sample.is_refused(&[&format!("cannot read {}", piece.display())]);
}

#[test]
fn a_description_that_is_not_as_it_was() {
    let sample = Sample::new();
    let path = sample.image.join("disk0/disk.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("67108864", "67109376")).unwrap();
    sample.is_refused(&["disk.json is not as it was written"]);
    fs::remove_file(&path).unwrap();
    sample.is_refused(&["cannot read", "disk.json"]);
}

#[test]
fn a_description_that_contradicts_itself_or_its_pieces() {
    let sample = Sample::new();
    sample.rewrite(|image| image.regions[0].length += 512);
    sample.is_refused(&["what is kept of it"]);

    let sample = Sample::new();
    sample.rewrite(|image| {
        let Content::Partclone { used, .. } = &mut image.regions[1].content else { panic!() };
        *used += 4096;
    });
    let (said, _) = failed("check", &sample.image, None, "{}");
    assert!(said.contains("does not hold together"), "{said}");
}

#[test]
fn what_was_damaged_before_it_was_compressed_is_noticed_by_partclone_s_checksums() {
    let sample = Sample::new();
    let (folder, first) = (sample.image.join("disk0"), sample.piece(0));
    let unpacked = sample.folder.path().join("unpacked");
    let shell = |script: String| drop(run("bash", &["-euo", "pipefail", "-c", &script]));
    let pieces = format!("{}/001-p1-ext.partclone.zst.*", folder.display());
    shell(format!("cat {pieces} | zstd -qdc > {}; rm {pieces}", unpacked.display()));
    let middle = fs::metadata(&unpacked).unwrap().len() / 2;
    let byte = disk::peek(&unpacked, middle, 1)[0];
    disk::poke(&unpacked, middle, &[byte ^ 1]);
    shell(format!("zstd -qc {} > {}", unpacked.display(), first.display()));
    sample.rewrite(|image| {
        let Content::Partclone { stream, .. } = &mut image.regions[1].content else { panic!() };
        stream.pieces.truncate(1);
        stream.pieces[0].size = fs::metadata(&first).unwrap().len();
        let sum = run("sha256sum", &[first.to_str().unwrap()]);
        stream.pieces[0].sha256 = sum[..64].to_owned().try_into().unwrap();
    });
    let damaged = "partclone's checksum of the used blocks";
    let (said, _) = failed("check", &sample.image, None, "{}");
    assert!(said.contains("partition 1") && said.contains(damaged), "{said}");
    let (said, disk) = failed("restore", &sample.image, Some(&sample.target()), "{}");
    assert!(said.contains(damaged), "{said}");
    assert_eq!(disk, TargetDisk::Incomplete);
}

#[test]
fn with_the_check_skipped_the_damage_is_noticed_while_the_disk_is_written() {
    let sample = Sample::new();
    let (piece, target) = (sample.piece(1), sample.target());
    flip_a_bit(&piece);
    let skip = "{\"restore_check\": \"skip\"}";
    let (reason, disk) = failed("restore", &sample.image, Some(&target), skip);
    assert_eq!(disk, TargetDisk::Incomplete);
    assert!(reason.contains(piece.to_str().unwrap()), "{reason}");
    // It does not look like a disk that can be used.
    assert!(disk::peek(&target, 0, MIB).iter().all(|&byte| byte == 0));
    // A second restore makes it whole.
    flip_a_bit(&piece);
    let notes = done("restore", &sample.image, Some(&target), skip);
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
    unmount(&store);
    let (reason, _) = ended.unwrap();
    assert!(
        reason.contains("001-p1-ext.partclone.zst.000") && reason.contains("No space left on device"),
        "{reason}"
    );
    assert!(!left, "an image was left that looks whole");
}

#[test]
fn an_image_never_overwrites_another() {
    let sample = Sample::new();
    let disk = disk::small(sample.folder.path());
    let (reason, _) = failed("backup", &sample.image, Some(&disk), "{}");
    assert!(reason.contains("is not empty"), "{reason}");
    done("check", &sample.image, None, "{}");
}

/// Starts it with a tool that does half of its work and then waits for its own imager's end; kills it there, in this
/// phase. So it is in this phase when it is looked at, however fast or slow the machine is.
fn killed_while(phase: Phase, tool: &str, half: &str, mut imager: Command, image: &Path) {
    let held = tempfile::tempdir().unwrap();
    let half_done = held.path().join("half done");
    let script = format!("{half}\ntouch '{}'\nwhile kill -0 $PPID; do sleep 0.1; done", half_done.display());
    imager.env("PATH", disk::instead_of(tool, &script, held.path()));
    let is_in_phase = || {
        let progress = fs::read(image.with_extension("progress")).ok();
        progress
            .and_then(|json| serde_json::from_slice::<Progress>(&json).ok())
            .is_some_and(|now| now.phase == phase)
    };
    let mut child = imager.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !(half_done.exists() && is_in_phase()) {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "it was never {phase:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

#[test]
fn killed_in_the_middle_of_a_backup_there_is_neither_an_image_nor_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (disk::small(folder.path()), folder.path().join("image"));
    let imager = command("backup", &image, Some(&disk), "{}");
    killed_while(Phase::Reading, "partclone.extfs", "$real \"$@\" | head -c 1000000", imager, &image);
    assert_eq!(Phase::Reading.target_disk(), TargetDisk::Untouched);
    assert!(!image.with_extension("result").exists());
    assert!(!image.join("disk0/disk.json").exists());
    failed("check", &image, None, "{}");
}

#[test]
fn killed_in_the_middle_of_a_restore_the_disk_has_no_table() {
    let sample = Sample::new();
    let target = sample.target();
    let imager = command("restore", &sample.image, Some(&target), "{}");
    killed_while(
        Phase::Writing,
        "partclone.restore",
        "head -c 1000000 | $real \"$@\"",
        imager,
        &sample.image,
    );
    assert_eq!(Phase::Writing.target_disk(), TargetDisk::Incomplete);
    assert!(!sample.image.with_extension("result").exists());
    assert!(disk::peek(&target, 0, MIB).iter().all(|&byte| byte == 0));
    done("restore", &sample.image, Some(&target), "{}");
}

#[test]
fn of_two_disks_neither_is_written_when_the_image_of_the_second_is_damaged() {
    let sample = Sample::new();
    let path = |below: &str| sample.image.join(below).to_str().unwrap().to_owned();
    run("cp", &["-a", &path("disk0"), &path("disk1")]);
    flip_a_bit(&sample.image.join("disk1").join(sample.piece(1).file_name().unwrap()));
    let (first, second) = (sample.target(), sample.folder.path().join("second"));
    fs::copy(&first, &second).unwrap();
    let before = fs::read(&first).unwrap();
    let mut restore = command("restore", &sample.image, Some(&first), "{}");
    assert!(!restore.arg("--disk").arg(&second).status().unwrap().success());
    for target in [&first, &second] {
        assert!(fs::read(target).unwrap() == before, "{} was written", target.display());
    }
}

/// So many flips are tried at the same time: partclone sleeps for seconds before it says that an image is damaged.
const AT_ONCE: usize = 8;

#[test]
fn a_flipped_bit_anywhere_is_found_before_anything_is_written() {
    let places = noise(13, 16 * 200);
    let flips: Vec<(usize, &[u8])> = places.chunks(16).enumerate().collect();
    std::thread::scope(|scope| {
        for flips in flips.chunks(flips.len().div_ceil(AT_ONCE)) {
            scope.spawn(|| each_is_found(flips));
        }
    });
}

/// The number of each flip chooses the file, and its noise the bit.
fn each_is_found(flips: &[(usize, &[u8])]) {
    let sample = Sample::new();
    let folder = sample.image.join("disk0");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 6, "{files:?}");
    let target = sample.target();
    let before = fs::read(&target).unwrap();
    for (index, random) in flips {
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
        let path = &files[index % files.len()];
        let mut bytes = fs::read(path).unwrap();
        let at = usize::try_from(number(&random[..8]) % bytes.len() as u64).unwrap();
        let bit = 1 << (random[8] % 8);
        bytes[at] ^= bit;
        fs::write(path, &bytes).unwrap();
        let flip = format!("bit {bit} of byte {at} of {}", path.display());
        let check = command("check", &sample.image, None, "{}").status().unwrap();
        assert!(!check.success(), "check: {flip}");
        let (reason, became) = failed("restore", &sample.image, Some(&target), "{}");
        assert_eq!(became, TargetDisk::Untouched, "{flip}: {reason}");
        bytes[at] ^= bit;
        fs::write(path, &bytes).unwrap();
    }
    assert!(fs::read(&target).unwrap() == before, "the disk was written");
    done("check", &sample.image, None, "{}");
}
