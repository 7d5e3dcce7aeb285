//! Making a disk, and what must be so of its image.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ghost_contract::image::{Content, DiskImage, Ending, TableKind, TargetDisk};

use super::files;
use super::group::{self, Places};
use super::zfs;
use crate::disk::{MIB, blank, next_data, noise, partition, peek, poke, put, run};
use crate::imager::{description, done, imager};

/// What a restore leaves alone is seen by it.
const UNTOUCHED: u8 = 0xFF;
const SECTOR: usize = 512;

/// A disk that is being made, in a file.
pub(crate) struct Layout {
    folder: tempfile::TempDir,
    size: u64,
    settings: &'static str,
    /// Bytes of these places are free, and no zeros.
    free: Vec<(u64, u64)>,
    /// File systems whose files are compared: the kind and the place.
    files: Vec<(&'static str, u64, u64)>,
    /// The physical volumes of the group that LVM finds.
    group: Places,
}

impl Layout {
    /// An empty disk of so many MiB.
    pub(crate) fn new(size: u64) -> Self {
        // In memory where that is possible: the imager syncs what it writes.
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        blank(&folder.path().join("disk"), size * MIB);
        Self {
            folder,
            size: size * MIB,
            settings: "{}",
            free: Vec::new(),
            files: Vec::new(),
            group: Vec::new(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn disk(&self) -> PathBuf {
        self.folder().join("disk")
    }

    /// The settings of the backup.
    pub(crate) fn settings(mut self, settings: &'static str) -> Self {
        self.settings = settings;
        self
    }

    /// A table by sfdisk, which leaves old signatures alone.
    pub(crate) fn table(self, script: &str) -> Self {
        partition(&self.disk(), script);
        self
    }

    /// Runs a shell script in the folder in which the file `disk` is.
    pub(crate) fn shell(self, script: &str) -> Self {
        let output = Command::new("bash").args(["-ec", script]).current_dir(self.folder()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {said}");
        self
    }

    /// A shell script in which `fs` is a sparse file of so many MiB, which is copied to a place of the disk.
    pub(crate) fn made(self, (at, size): (u64, u64), script: &str) -> Self {
        blank(&self.folder().join("fs"), size * MIB);
        let layout = self.shell(script);
        put(&layout.disk(), &layout.folder().join("fs"), at * MIB);
        layout
    }

    /// A file system with files in it, as [`files::make`] makes it; they are compared after each restore.
    pub(crate) fn file_system(mut self, kind: &'static str, (at, size): (u64, u64), options: &str) -> Self {
        let made = files::make(self.folder(), kind, size * MIB, options);
        put(&self.disk(), &made, at * MIB);
        self.files.push((kind, at * MIB, size * MIB));
        self
    }

    /// The same, over which something else is written then.
    pub(crate) fn file_system_that_is_left_over(
        self,
        kind: &'static str,
        place: (u64, u64),
        options: &str,
    ) -> Self {
        let mut layout = self.file_system(kind, place, options);
        layout.files.pop();
        layout
    }

    /// A physical volume of LVM at this place, MiB, with a group `vg`, and what these commands make in it ([`group`]). What
    /// LVM says of it is compared after each restore.
    pub(crate) fn lvm(self, place: (u64, u64), commands: &str) -> Self {
        self.lvm_on(&[place], "", commands)
    }

    /// The same on several, with options of `vgcreate`.
    pub(crate) fn lvm_on(mut self, places: &[(u64, u64)], options: &str, commands: &str) -> Self {
        self.group = places.to_vec();
        let script = group::made("disk", &self.group, options, commands);
        self.shell(&script)
    }

    /// It is overwritten then.
    pub(crate) fn forgets_group(mut self) -> Self {
        self.group.clear();
        self
    }

    /// The label of ZFS, four times in these bytes.
    pub(crate) fn zfs(self, at: u64, length: u64) -> Self {
        let label = zfs::label();
        let own = label.len() as u64;
        let places = [at, at + own, at + length - 2 * own, at + length - own];
        places.into_iter().fold(self, |layout, place| layout.bytes(place, &label))
    }

    /// Bytes that do not compress, at a place in bytes.
    pub(crate) fn noise(self, at: u64, length: u64) -> Self {
        poke(&self.disk(), at, &noise(at ^ length, length));
        self
    }

    pub(crate) fn bytes(self, at: u64, bytes: &[u8]) -> Self {
        poke(&self.disk(), at, bytes);
        self
    }

    /// What was there before is still in the free space of what is there now.
    pub(crate) fn leftovers(mut self, at: u64, length: u64) -> Self {
        self.free.push((at, length));
        self
    }

    /// The same as noise, in a place that is known to be free.
    pub(crate) fn free_noise(mut self, at: u64, length: u64) -> Self {
        self.free.push((at, length));
        self.noise(at, length)
    }

    /// All of it, and that the disk is described as having no table.
    pub(crate) fn survives_as_a_whole(self) {
        let image = self.backup();
        assert_eq!(image.table.kind, TableKind::None, "a table is believed");
        assert!(image.regions.iter().all(|region| matches!(region.content, Content::Raw { .. })));
        self.restores(&image);
    }

    /// All of it, and that so many partitions are saved by used blocks.
    pub(crate) fn survives_with(self, by_used_blocks: usize) {
        let image = self.backup_with(by_used_blocks);
        self.restores(&image);
    }

    /// The same, only onto disks of its size.
    pub(crate) fn survives_at_its_size_with(self, by_used_blocks: usize) {
        let image = self.backup_with(by_used_blocks);
        self.restores_at_its_size(&image);
    }

    /// Backs it up, checks that, and restores it onto all kinds of disks.
    pub(crate) fn survives(self) {
        let image = self.backup();
        self.restores(&image);
    }

    /// Only onto disks of its size: what is damaged in it is put right on another.
    pub(crate) fn survives_at_its_size(self) {
        let image = self.backup();
        self.restores_at_its_size(&image);
    }

    /// The same, and what the notes of the backup say.
    pub(crate) fn survives_and_says(self, note: &str) {
        self.survives_and_says_one_of(&[note]);
    }

    /// The same, where the tools of one Debian say something else than those of the other.
    pub(crate) fn survives_and_says_one_of(self, notes: &[&str]) {
        let image = self.backup();
        let is_one = |found: &String| notes.iter().any(|note| found.contains(note));
        assert!(image.notes.iter().any(is_one), "{notes:?}: {:?}", image.notes);
        self.restores(&image);
    }

    fn image(&self) -> PathBuf {
        self.folder().join("image")
    }

    fn backup(&self) -> DiskImage {
        done("backup", &self.image(), Some(&self.disk()), self.settings);
        done("check", &self.image(), None, "{}");
        description(&self.image())
    }

    fn backup_with(&self, by_used_blocks: usize) -> DiskImage {
        let image = self.backup();
        let used = image.regions.iter().filter(|region| matches!(region.content, Content::Partclone { .. }));
        assert_eq!(used.count(), by_used_blocks, "{:?} {:?}", image.notes, image.regions);
        image
    }

    fn restores_at_its_size(&self, image: &DiskImage) {
        self.onto_zeros(image);
        self.onto_what_is_not_zero(image);
    }

    fn restores(&self, image: &DiskImage) {
        self.restores_at_its_size(image);
        self.onto_a_larger_disk(image);
        self.onto_a_smaller_disk(image);
    }

    fn target(&self, name: &str, size: u64) -> PathBuf {
        let target = self.folder().join(name);
        blank(&target, size);
        target
    }

    fn onto_zeros(&self, image: &DiskImage) {
        let target = self.target("zeros", self.size);
        done("restore", &self.image(), Some(&target), "{}");
        self.differs_only(&target, self.size, |at| {
            self.is_free(image, at) || self.is_left_of_mkfs(image, &target, at)
        });
        self.has_its_group(&target);
        fs::remove_file(target).unwrap();
    }

    fn onto_what_is_not_zero(&self, image: &DiskImage) {
        let target = self.folder().join("full");
        fs::write(&target, vec![UNTOUCHED; usize::try_from(self.size).unwrap()]).unwrap();
        done("restore", &self.image(), Some(&target), "{\"discard\": \"never\"}");
        let opened = File::open(&target).unwrap();
        self.differs_only(&target, self.size, |at| {
            let mut sector = [0; SECTOR];
            opened.read_exact_at(&mut sector, at).unwrap();
            // Places are emptied in which a signature of what was there would be found.
            may_be_free(image, at) && (sector == [UNTOUCHED; SECTOR] || sector == [0; SECTOR])
        });
        for &(kind, at, size) in &self.files {
            let [was, is] =
                [&self.disk(), &target].map(|disk| files::read(self.folder(), kind, disk, (at, size)));
            assert!(!was.is_empty() && was == is, "the files of the {kind} at {at}: {was:#?} {is:#?}");
        }
        self.has_its_group(&target);
        fs::remove_file(target).unwrap();
    }

    /// All of it is there, and a GPT's copy at its end; or it is refused, and the disk left alone.
    fn onto_a_larger_disk(&self, image: &DiskImage) {
        let size = self.size + 16 * MIB + 7 * SECTOR as u64;
        let target = self.target("larger", size);
        match imager("restore", &self.image(), Some(&target), "{}") {
            Ending::Done { .. } => {
                self.is_like(image, &target, self.size);
                self.has_its_group(&target);
            }
            Ending::Failed { reason, target: state } => {
                assert_eq!(state, TargetDisk::Untouched, "{reason}");
                assert!(reason.contains("another size"), "{reason}");
                assert!(first_difference(&self.target("blank", size), &target, size, |_| false).is_none());
            }
        }
        fs::remove_file(target).unwrap();
    }

    /// Where something is behind the last partition, or there is none, it is refused; else it is all there.
    fn onto_a_smaller_disk(&self, image: &DiskImage) {
        let last = image.table.partitions.iter().map(|partition| partition.end()).max();
        let end = last.map_or(self.size - MIB, |end| (end + MIB).min(self.size - SECTOR as u64));
        let target = self.target("smaller", end);
        match imager("restore", &self.image(), Some(&target), "{}") {
            Ending::Done { .. } => self.is_like(image, &target, end),
            Ending::Failed { reason, target: state } => {
                assert_eq!(state, TargetDisk::Untouched, "{reason}");
                assert!(first_difference(&self.target("blank", end), &target, end, |_| false).is_none());
            }
        }
        fs::remove_file(target).unwrap();
    }

    /// Up to `end` it is the same disk, but for what a GPT says of the disk's size.
    fn is_like(&self, image: &DiskImage, target: &Path, end: u64) {
        let gpt = image.table.kind == TableKind::Gpt;
        let copy = 64 * SECTOR as u64;
        let last = image.table.partitions.iter().map(|partition| partition.end()).max().unwrap_or(0);
        // On a smaller disk the copy may stand anywhere behind the last partition.
        let room = if end < self.size { last } else { self.size - copy };
        let is_copy = |at: u64| gpt && (at < 2 * SECTOR as u64 || at >= room);
        let is_free = |at: u64| self.is_free(image, at) || self.is_left_of_mkfs(image, target, at);
        self.differs_only(target, end, |at| is_copy(at) || is_free(at));
        if gpt {
            assert_eq!(peek(target, 0, 440), peek(&self.disk(), 0, 440), "boot code");
            let said = run("sgdisk", &["-v", target.to_str().unwrap()]);
            assert!(said.contains("No problems found"), "{said}");
        }
    }

    fn has_its_group(&self, target: &Path) {
        if !self.group.is_empty() {
            let [was, is] = [&self.disk(), target].map(|disk| group::found(self.folder(), disk, &self.group));
            assert_eq!(was, is, "{}", target.display());
        }
    }

    fn is_free(&self, image: &DiskImage, at: u64) -> bool {
        may_be_free(image, at)
            && self.free.iter().any(|&(start, length)| (start..start + length).contains(&at))
    }

    /// mkfs.btrfs leaves blocks that it has used for a while, so that free is not zeros.
    fn is_left_of_mkfs(&self, image: &DiskImage, target: &Path, at: u64) -> bool {
        let is_btrfs = |&(kind, start, length): &(&str, u64, u64)| {
            kind == "btrfs" && (start..start + length).contains(&at)
        };
        self.files.iter().any(is_btrfs)
            && may_be_free(image, at)
            && peek(target, at, SECTOR as u64).iter().all(|&byte| byte == 0)
    }

    fn differs_only(&self, target: &Path, end: u64, but: impl Fn(u64) -> bool) {
        if let Some(at) = first_difference(&self.disk(), target, end, but) {
            let [was, is] = [&self.disk(), target].map(|disk| peek(disk, at, 32));
            panic!("{} differs at {at} ({} sectors): {was:x?} {is:x?}", target.display(), at / 512);
        }
    }
}

/// Whether the description says that free bytes may be here.
fn may_be_free(image: &DiskImage, at: u64) -> bool {
    let here = |region: &&ghost_contract::image::Region| region.start <= at && at < region.end();
    let region = image.regions.iter().find(here).unwrap();
    matches!(region.content, Content::Partclone { .. } | Content::Unused { .. })
}

/// The first sector before `end` that differs and may not.
fn first_difference(one: &Path, other: &Path, end: u64, may: impl Fn(u64) -> bool) -> Option<u64> {
    let [one, other] = [one, other].map(|path| File::open(path).unwrap());
    let mut buffers = [vec![0; 1 << 20], vec![0; 1 << 20]];
    let mut at = 0;
    loop {
        // Where both have a hole they have the same zeros.
        let data = next_data(&one, at).min(next_data(&other, at));
        at = at.max(data / SECTOR as u64 * SECTOR as u64);
        if at >= end {
            return None;
        }
        let length = usize::try_from((end - at).min(1 << 20)).unwrap();
        let [one_buffer, other_buffer] = &mut buffers;
        one.read_exact_at(&mut one_buffer[..length], at).unwrap();
        other.read_exact_at(&mut other_buffer[..length], at).unwrap();
        if one_buffer[..length] != other_buffer[..length] {
            let sectors = one_buffer[..length].chunks(SECTOR).zip(other_buffer[..length].chunks(SECTOR));
            let places = (at..).step_by(SECTOR);
            let mut differing = places.zip(sectors).filter(|(_, (one, other))| one != other);
            if let Some((at, _)) = differing.find(|(at, _)| !may(*at)) {
                return Some(at);
            }
        }
        at += length as u64;
    }
}
