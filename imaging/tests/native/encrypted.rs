//! LUKS with the administrator's key. `cryptsetup` makes the containers and tries the keys. Where it would have the kernel
//! decrypt, QEMU's own LUKS does it, which reads LUKS1: so this needs no device mapper, and what was encrypted by one program is
//! decrypted by another. What the kernel maps is not seen here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ghost_contract::image::{Content, DiskImage, Ending, RawReason, TargetDisk, VERSION_OF_DECRYPTED};

use crate::disk::{self, MIB, blank, instead_of, noise, partition, peek, poke, put, run};
use crate::imager::{command, description, done, failed};
use crate::layouts::{Layout, group};

/// In the place of `cryptsetup open DEVICE NAME`: a loop device over a file of which QEMU makes the decrypted bytes. A wrong
/// key is `cryptsetup`'s to find. As the kernel's, this refuses to discard, which QEMU would only pretend to do.
const BY_QEMU: &str = r#"
state=$(dirname "$0")/open
mkdir -p "$state" /dev/mapper
case $1 in
open)
    case " $* " in *" --test-passphrase "*) exec $real "$@" ;; esac
    only=off
    while [ $# -gt 2 ]; do
        case $1 in --key-file) key=$2; shift ;; --readonly) only=on ;; esac
        shift
    done
    $real open --test-passphrase --type luks --batch-mode --key-file "$key" "$1" || exit
    : >"$state/$2"
    qemu-storage-daemon --daemonize --pidfile "$state/$2.pid" --object secret,id=key,file="$key" \
        --blockdev host_device,node-name=disk,filename="$1",read-only=$only \
        --blockdev luks,node-name=plain,file=disk,key-secret=key,read-only=$only \
        --blockdev '{"driver": "blkdebug", "node-name": "seen", "image": "plain", "discard": "unmap",
            "inject-error": [{"event": "none", "iotype": "discard", "errno": 5}]}' \
        --export fuse,id=plain,node-name=seen,mountpoint="$state/$2",writable=$([ $only = on ] && echo off || echo on)
    options=; [ $only = on ] && options=--read-only
    ln -s "$(losetup --find --show $options "$state/$2")" "/dev/mapper/$2"
    ;;
close)
    losetup --detach "$(readlink "/dev/mapper/$2")"
    rm "/dev/mapper/$2"
    pid=$(cat "$state/$2.pid")
    kill "$pid"
    for _ in $(seq 500); do [ -e "/proc/$pid" ] || exit 0; sleep 0.01; done
    exit 5
    ;;
*) exec $real "$@" ;;
esac
"#;

/// Cheap to try; how expensive it is, is not ours.
const FORMAT: &[&str] =
    &["luksFormat", "-q", "--pbkdf-force-iterations", "1000", "--pbkdf", "pbkdf2", "--type"];

/// A disk with an ext4 in the first partition and this LUKS in the second.
struct Encrypted {
    folder: tempfile::TempDir,
    /// With the stand-in in front.
    paths: String,
    /// Where the container is.
    container: (u64, u64),
}

impl Encrypted {
    /// The container has a header of two MiB and then this, or is an empty one of another version.
    fn with(version: &str, plain: Option<&Path>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let length = plain.map_or(40 * MIB, |plain| fs::metadata(plain).unwrap().len() + 2 * MIB);
        let container = (11 * MIB, length);
        fs::write(folder.path().join("key"), "secret").unwrap();
        fs::write(folder.path().join("wrong"), "another").unwrap();
        let made = Self { paths: instead_of("cryptsetup", BY_QEMU, folder.path()), folder, container };
        let [disk, part, key] = ["disk", "part", "key"].map(|name| made.path(name));
        blank(&disk, 20 * MIB + length);
        let (first, second) = ("start=2048, size=10M", format!("size={}M", length / MIB));
        partition(
            &disk,
            &format!("label: gpt\n{first}\n{second}, type=CA7D7CCB-63ED-4C53-861C-1742536059CC\n"),
        );
        put(&disk, &disk::file_system(made.folder.path(), "ext4", 10 * MIB), MIB);
        blank(&part, length);
        let (part, key) = (part.to_str().unwrap(), key.to_str().unwrap());
        run("cryptsetup", &[FORMAT, &[version, part, key]].concat());
        if let Some(plain) = plain {
            made.encrypt(plain, part);
        }
        put(&disk, Path::new(part), container.0);
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn secret(&self) -> String {
        format!("secret,id=key,file={}", self.path("key").display())
    }

    fn encrypt(&self, plain: &Path, part: &str) {
        let container = format!("driver=luks,key-secret=key,file.driver=file,file.filename={part}");
        let secret = self.secret();
        let options = ["convert", "-n", "-f", "raw", "--object", &secret, "--target-image-opts"];
        run("qemu-img", &[&options[..], &[plain.to_str().unwrap(), &container]].concat());
    }

    /// What is in the container of a disk.
    fn decrypted(&self, disk: &Path) -> Vec<u8> {
        let (part, plain) = (self.path("part"), self.path("plain"));
        fs::write(&part, peek(disk, self.container.0, self.container.1)).unwrap();
        let container =
            format!("driver=luks,key-secret=key,file.driver=file,file.filename={}", part.display());
        let secret = self.secret();
        let options = ["convert", "-O", "raw", "--object", &secret, "--image-opts"];
        run("qemu-img", &[&options[..], &[&container, plain.to_str().unwrap()]].concat());
        fs::read(plain).unwrap()
    }

    fn ending(&self, verb: &str, target: Option<&Path>, settings: &str, key: Option<&str>) -> Ending {
        let image = self.path("image");
        let mut command = command(verb, &image, target, settings);
        if let Some(key) = key {
            command.arg("--luks-key").arg(self.path(key));
        }
        command.env("PATH", &self.paths).status().unwrap();
        serde_json::from_slice(&fs::read(image.with_extension("result")).unwrap()).unwrap()
    }

    fn does(&self, verb: &str, target: &Path, settings: &str) -> Vec<String> {
        match self.ending(verb, Some(target), settings, Some("key")) {
            Ending::Done { notes, .. } => notes,
            Ending::Failed { reason, .. } => panic!("{verb}: {reason}"),
        }
    }

    fn refuses(&self, verb: &str, target: &Path, key: Option<&str>) -> String {
        match self.ending(verb, Some(target), "{}", key) {
            Ending::Failed { reason, target: TargetDisk::Untouched } => reason,
            other => panic!("{other:?}"),
        }
    }

    /// Saves it with the key; nothing is open then, and the disk is what it was.
    fn saved(&self) -> DiskImage {
        let before = fs::read(self.path("disk")).unwrap();
        let notes = self.does("backup", &self.path("disk"), "{}");
        assert!(
            notes
                .iter()
                .any(|note| note.starts_with("partition 2 was opened") && note.contains("NOT ENCRYPTED")),
            "{notes:?}"
        );
        assert!(fs::read(self.path("disk")).unwrap() == before, "the disk was written");
        done("check", &self.path("image"), None, "{}");
        let image = description(&self.path("image"));
        assert_eq!((image.version, image.decrypted.len()), (VERSION_OF_DECRYPTED, 1));
        image
    }

    /// Restores it onto a disk that has something else everywhere, and yields what is in the container then.
    fn restored(&self, settings: &str) -> Vec<u8> {
        let before = noise(9, fs::metadata(self.path("disk")).unwrap().len());
        self.restored_onto(&before, settings)
    }

    fn restored_onto(&self, before: &[u8], settings: &str) -> Vec<u8> {
        let target = self.path("target");
        fs::write(&target, before).unwrap();
        self.does("restore", &target, settings);
        // All that is not encrypted, and the header of what is, stands there byte for byte.
        for (at, length) in [(0, MIB), self.container, (self.container.0 + self.container.1, 9 * MIB)] {
            let length = length.min(2 * MIB);
            assert!(peek(&target, at, length) == peek(&self.path("disk"), at, length), "at {at}");
        }
        self.decrypted(&target)
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        let open = fs::read_dir(self.path("tools/open")).into_iter().flatten().flatten();
        for pid in
            open.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "pid"))
        {
            // Of a test that has failed.
            let _closed = Command::new(self.path("tools/cryptsetup"))
                .arg("close")
                .arg(pid.file_stem().unwrap())
                .status();
        }
    }
}

/// How many regions are saved by used blocks.
fn by_used_blocks(image: &DiskImage) -> usize {
    image.regions.iter().filter(|region| matches!(region.content, Content::Partclone { .. })).count()
}

#[test]
fn a_file_system_in_luks_is_saved_by_used_blocks_and_encrypted_again() {
    let folder = tempfile::tempdir().unwrap();
    let plain = disk::file_system(folder.path(), "ext4", 40 * MIB);
    let encrypted = Encrypted::with("luks1", Some(&plain));
    let image = encrypted.saved();
    assert_eq!(by_used_blocks(&image), 2);
    let saved = image.saved();
    let row = saved.iter().find(|row| row.partition == Some(2)).unwrap();
    assert!(row.decrypted && row.saved < 20 * MIB, "{row:?}");
    assert!(row.how.starts_with("LUKS's header; decrypted: used blocks, by partclone.extfs"), "{}", row.how);
    for settings in ["{}", "{\"discard\": \"never\"}"] {
        let inside = folder.path().join("inside");
        fs::write(&inside, encrypted.restored(settings)).unwrap();
        assert!(disk::noise_in(&inside, "ext4", 0, 40 * MIB, folder.path()) == noise(7, 2 * MIB));
        fs::remove_file(folder.path().join("copy")).unwrap();
    }
}

#[test]
fn logical_volumes_in_luks_are_what_they_were() {
    let layout = Layout::new(65).lvm((0, 65), "volume root 40M; volume swap 12M");
    let layout =
        layout.file_system("ext", (1, 40), "-t ext4").made((41, 12), "mkswap -q fs").noise(58 * MIB, MIB);
    // By used blocks, swap's header, and of what nobody has every byte, zeros among it.
    let encrypted = Encrypted::with("luks1", Some(&layout.disk()));
    let image = encrypted.saved();
    assert_eq!(by_used_blocks(&image), 2);
    let volumes: Vec<String> =
        image.saved().iter().filter(|row| row.decrypted).map(|row| row.place()).collect();
    assert_eq!(volumes, ["2", "2 vg/root", "2 vg/swap"]);
    // What the disk has in what is free of it is encrypted with the same key, and would be found again.
    let signature = 65_600 + (41 << 20);
    let (other, part) = (encrypted.path("other"), encrypted.path("part"));
    fs::copy(layout.disk(), &other).unwrap();
    poke(&other, signature as u64, b"_BHRfS_M");
    encrypted.encrypt(&other, part.to_str().unwrap());
    fs::copy(encrypted.path("disk"), &other).unwrap();
    put(&other, &part, encrypted.container.0);
    assert!(encrypted.decrypted(&other)[signature..].starts_with(b"_BHRfS_M"));
    let over_itself = encrypted.restored_onto(&fs::read(other).unwrap(), "{\"discard\": \"never\"}");
    assert_eq!(over_itself[signature..signature + 8], [0; 8]);
    let inside = encrypted.restored("{}");
    let was = fs::read(layout.disk()).unwrap();
    let same = |from: u64, to: u64| {
        let range = usize::try_from(from).unwrap()..usize::try_from(to).unwrap();
        inside[range.clone()] == was[range]
    };
    assert!(same(0, MIB), "LVM's metadata");
    assert!(same(41 * MIB, 41 * MIB + 4096), "swap's header");
    assert!(same(53 * MIB, 65 * MIB), "what no volume has");
    let path = encrypted.path("inside");
    fs::write(&path, &inside).unwrap();
    let found = |disk: &Path| group::found(encrypted.folder.path(), disk, &vec![(0, 65)]);
    assert_eq!(found(&path), found(&layout.disk()));
    let root = encrypted.path("root");
    fs::write(&root, peek(&path, MIB, 40 * MIB)).unwrap();
    run("e2fsck", &["-f", "-n", root.to_str().unwrap()]);
}

#[test]
fn without_the_key_it_is_saved_encrypted_and_with_a_wrong_one_not_at_all() {
    let encrypted = Encrypted::with("luks2", None);
    let disk = encrypted.path("disk");
    let said = encrypted.refuses("backup", &disk, Some("wrong"));
    assert_eq!(said, "partition 2 is encrypted (LUKS): the key that was given does not open it");
    assert!(!encrypted.path("image/disk0").exists());
    let Ending::Done { notes, .. } = encrypted.ending("backup", Some(&disk), "{}", None) else { panic!() };
    assert!(
        notes.contains(&"partition 2 is encrypted (crypto_LUKS) and saved with every byte".to_owned()),
        "{notes:?}"
    );
    let image = description(&encrypted.path("image"));
    assert!(image.decrypted.is_empty() && image.version == 1);
    let is_whole = image.regions.iter().any(|region| {
        region.length == encrypted.container.1
            && matches!(&region.content, Content::Raw { reason: RawReason::Encrypted { .. }, .. })
    });
    assert!(is_whole, "{:?}", image.regions);
}

#[test]
fn a_restore_without_the_key_or_with_a_wrong_one_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plain = disk::file_system(folder.path(), "ext4", 10 * MIB);
    let encrypted = Encrypted::with("luks1", Some(&plain));
    encrypted.saved();
    let target = encrypted.path("target");
    let before = noise(3, fs::metadata(encrypted.path("disk")).unwrap().len());
    fs::write(&target, &before).unwrap();
    let said = encrypted.refuses("restore", &target, None);
    assert!(
        said.starts_with("partition 2: crypto_LUKS was saved decrypted") && said.contains("--luks-key FILE"),
        "{said}"
    );
    let said = encrypted.refuses("restore", &target, Some("wrong"));
    assert!(said.contains("does not open the LUKS header that is in the image"), "{said}");
    assert!(fs::read(&target).unwrap() == before, "it was written");
}

#[test]
fn what_the_kernel_does_not_map_byte_for_byte_is_saved_encrypted_and_said() {
    let encrypted = Encrypted::with("luks2", None);
    // One bit of the text that its checksum covers.
    poke(&encrypted.path("disk"), encrypted.container.0 + 9000, &[1]);
    let notes = encrypted.does("backup", &encrypted.path("disk"), "{}");
    let said = "partition 2 is not opened, and saved encrypted: its header is damaged";
    assert!(notes.contains(&said.to_owned()), "{notes:?}");
    let (said, _) = failed("backup", &encrypted.path("image"), Some(&encrypted.path("disk")), "{}");
    assert!(said.contains("image"), "it is there already: {said}");
}

#[test]
fn a_key_for_nothing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (disk::small(folder.path()), folder.path().join("image"));
    fs::write(folder.path().join("key"), "secret").unwrap();
    let mut command = command("backup", &image, Some(&disk), "{}");
    assert!(command.arg("--luks-key").arg(folder.path().join("key")).status().unwrap().success());
    let said = fs::read_to_string(image.with_extension("result")).unwrap();
    assert!(
        said.contains("a key was given, and nothing that was looked at is a LUKS that it opens"),
        "{said}"
    );
}
