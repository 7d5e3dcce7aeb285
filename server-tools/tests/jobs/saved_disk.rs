//! A disk with an ext4 and an NTFS partition, and the image of it that the imager itself has made.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Weak};

use ghost_contract::image::{Gaps, LinuxSettings};
use ghost_contract::order::Imager;
use ghost_contract::{HostName, JobId, MacAddress, Mode, UnixTime};
use ghost_imaging::backup;
use ghost_imaging::board::Board;
use ghost_imaging::plan::maps::Maps;
use ghostctl::catalog::{Catalog, Facts};

use super::boot_server::{BootServer, said};

pub(crate) const MEBIBYTE: u64 = 1 << 20;
/// Where the two partitions begin and how long they are, in mebibytes.
const EXT4: (u64, u64) = (1, 24);
const NTFS: (u64, u64) = (25, 12);
/// The disk's size in mebibytes.
pub(crate) const SIZE: u64 = 40;

/// The disk and its image, made once for all tests that have it at the same time.
pub(crate) struct SavedDisk {
    folder: tempfile::TempDir,
}

static MADE: Mutex<Weak<SavedDisk>> = Mutex::new(Weak::new());

impl SavedDisk {
    pub(crate) fn get() -> Arc<Self> {
        let mut made = MADE.lock().unwrap();
        made.upgrade().unwrap_or_else(|| {
            let disk = Arc::new(Self::with(&|_| {}));
            *made = Arc::downgrade(&disk);
            disk
        })
    }

    /// One whose ext4 was changed in this way before it was saved.
    pub(crate) fn with(change: &dyn Fn(&Path)) -> Self {
        let disk = Self { folder: tempfile::tempdir().unwrap() };
        make_disk(&disk.path("disk.img"), &disk.files(), change);
        let settings = Self::settings();
        let image = disk.path("disk0");
        let (board, mut maps) = (Board::default(), Maps::default());
        let ready =
            backup::prepare(&image, &disk.path("disk.img"), (&settings, None), &mut maps, &board).unwrap();
        backup::save(ready, &board).unwrap();
        disk
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// What is in the ext4.
    pub(crate) fn files(&self) -> PathBuf {
        self.path("files")
    }

    /// How the image was made: in several pieces, and without the middle of the gap behind the partitions.
    pub(crate) fn settings() -> LinuxSettings {
        LinuxSettings { piece_size: MEBIBYTE, gaps: Gaps::LeaveOut, ..LinuxSettings::default() }
    }

    /// Puts an image of the first partition alone into a folder, as a client writes it.
    pub(crate) fn save_part_to(&self, folder: &Path) {
        let settings = LinuxSettings { partitions: [1].into(), ..Self::settings() };
        let (board, mut maps) = (Board::default(), Maps::default());
        let (image, disk) = (folder.join("disk0"), self.path("disk.img"));
        let ready = backup::prepare(&image, &disk, (&settings, None), &mut maps, &board).unwrap();
        backup::save(ready, &board).unwrap();
    }

    /// Puts the image into a folder, as a client writes it.
    pub(crate) fn save_to(&self, folder: &Path) {
        run("cp", &["-a", self.path("disk0").to_str().unwrap(), folder.to_str().unwrap()]);
    }

    /// Makes a generation of pc2 with this image.
    pub(crate) fn put_generation(&self, server: &BootServer, job: &str) {
        let catalog = server.catalog();
        let (host, job): (_, JobId) = ("pc2".parse().unwrap(), job.parse().unwrap());
        self.save_to(&catalog.stage(&host, &job).unwrap());
        Self::finish(&catalog, &host, &job);
    }

    /// Makes a generation of pc2 with the image of the first partition alone.
    pub(crate) fn put_generation_of_a_part(&self, server: &BootServer, job: &str) {
        let catalog = server.catalog();
        let (host, job): (_, JobId) = ("pc2".parse().unwrap(), job.parse().unwrap());
        self.save_part_to(&catalog.stage(&host, &job).unwrap());
        Self::finish(&catalog, &host, &job);
    }

    fn finish(catalog: &Catalog, host: &HostName, job: &JobId) {
        let facts = Facts {
            mac: MacAddress::new([2, 0, 0, 0, 0, 2]),
            mode: Mode::Backup,
            imager: Imager::Linux(Self::settings()),
            started: UnixTime::from_millis(1_000),
            ended: UnixTime::from_millis(2_000),
            checked: UnixTime::from_millis(3_000),
        };
        catalog.finish(host, job, &facts).unwrap();
    }

    /// Whether another disk has the same table, the same bytes beside the partitions, and a sound ext4.
    pub(crate) fn is(&self, other: &Path) -> bool {
        let (ours, theirs) = (File::open(self.path("disk.img")).unwrap(), File::open(other).unwrap());
        let end = NTFS.0 + NTFS.1;
        let same = [(0, EXT4.0), (end, SIZE - end)]
            .into_iter()
            .all(|place| read(&ours, place) == read(&theirs, place));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), read(&theirs, EXT4)).unwrap();
        same && Command::new("e2fsck").args(["-n", "-f"]).arg(file.path()).output().unwrap().status.success()
    }
}

/// What is on a disk from here on, so long, in mebibytes.
fn read(disk: &File, (start, length): (u64, u64)) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(length * MEBIBYTE).unwrap()];
    disk.read_exact_at(&mut bytes, start * MEBIBYTE).unwrap();
    bytes
}

/// Runs a program that must succeed.
#[track_caller]
pub(crate) fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", said(&output));
}

fn make_disk(disk: &Path, files: &Path, change_ext4: &dyn Fn(&Path)) {
    File::create(disk).unwrap().set_len(SIZE * MEBIBYTE).unwrap();
    let script = format!(
        "label: dos\nlabel-id: 0x4f3a4f3a\n{}MiB,{}MiB,83\n{}MiB,{}MiB,7\n",
        EXT4.0, EXT4.1, NTFS.0, NTFS.1
    );
    let path = disk.to_str().unwrap();
    run("sh", &["-c", "printf '%b' \"$1\" | sfdisk --quiet \"$2\"", "sh", &script, path]);
    fs::create_dir_all(files.join("home/john")).unwrap();
    fs::write(files.join("home/john/letter"), "Dear Jane").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", files.join("way-out")).unwrap();
    // Not compressible, so that there are several pieces.
    let mut noise = vec![0; 3_000_000];
    File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    fs::write(files.join("noise"), noise).unwrap();
    let filled = |kib: (u64, u64)| disk.with_file_name(format!("part{}", kib.0));
    for (place, kind) in [(EXT4, "ext4"), (NTFS, "ntfs")] {
        let part = filled(place);
        File::create(&part).unwrap().set_len(place.1 * MEBIBYTE).unwrap();
        let part = part.to_str().unwrap();
        match kind {
            "ext4" => {
                run("mkfs.ext4", &["-q", "-F", "-L", "root", "-d", files.to_str().unwrap(), part]);
                change_ext4(Path::new(part));
            }
            _ => {
                run(
                    "mkfs.ntfs",
                    &["-q", "-F", "-f", "-L", "Windows", "-p", "2048", "-H", "16", "-S", "63", part],
                );
                run("ntfscp", &["-q", part, files.join("home/john/letter").to_str().unwrap(), "/letter"]);
            }
        }
        let mut target = File::options().write(true).open(disk).unwrap();
        target.seek(SeekFrom::Start(place.0 * MEBIBYTE)).unwrap();
        target.write_all(&fs::read(part).unwrap()).unwrap();
    }
}
