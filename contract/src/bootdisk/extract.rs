//! Files out of a boot floppy, for an imager that has a DOS of its own and mounts a folder instead.

use std::io::Read as _;

use anyhow::{Context as _, ensure};

use super::volume::{Files, Volume};
use super::{UNREADABLE, unusable};

/// How deep folders may be nested. MS-DOS itself reads paths of at most 66 characters.
const DEEPEST: usize = 16;
/// How many entries all folders may have: more than FAT16 has clusters can only be chains that run in a circle.
const MOST_ENTRIES: usize = 65_536;

/// One file of a floppy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootFile {
    /// Where it stands: folders and its own name in DOS's short form, `UTIL/GHOST.EXE`, safe to be joined to
    /// a folder.
    pub path: String,
    /// The file's bytes, unchanged whatever the code page.
    pub content: Vec<u8>,
}

/// The content of one file, by its path with `/` between folders; letter case is ignored.
pub fn read(image: Vec<u8>, path: &str) -> anyhow::Result<Vec<u8>> {
    Volume::open(image)?.read(path)
}

/// All files, folder by folder.
pub fn extract(image: Vec<u8>) -> anyhow::Result<Vec<BootFile>> {
    let volume = Volume::open(image)?;
    volume.look(|files| read_all(files, volume.length()))
}

/// All files of a volume that is open and has so many bytes.
pub(super) fn read_all(files: &Files<'_>, length: u64) -> anyhow::Result<Vec<BootFile>> {
    let mut reading = Reading { found: Vec::new(), entries: 0, left: length };
    collect(&files.root_dir(), "", 0, &mut reading)?;
    Ok(reading.found)
}

type Folder<'a, 'image> = fatfs::Dir<'a, std::io::Cursor<&'image mut [u8]>>;

/// What has been read so far.
struct Reading {
    found: Vec<BootFile>,
    /// How many entries the folders had.
    entries: usize,
    /// So many bytes can the other files have: no cluster belongs to two files.
    left: u64,
}

fn collect(folder: &Folder<'_, '_>, above: &str, depth: usize, reading: &mut Reading) -> anyhow::Result<()> {
    for entry in folder.iter() {
        reading.entries += 1;
        let has_end = depth <= DEEPEST && reading.entries <= MOST_ENTRIES;
        ensure!(has_end, "the folders of the boot floppy image run in a circle at {above:?}");
        let entry = entry.context(UNREADABLE)?;
        let name = entry.short_file_name();
        if matches!(name.as_str(), "." | "..") {
            continue;
        }
        let path = format!("{above}{}", safe(name)?);
        if entry.is_dir() {
            collect(&entry.to_dir(), &format!("{path}/"), depth + 1, reading)?;
            continue;
        }
        let content = read_whole(entry.to_file(), reading.left, &path)?;
        reading.left -= content.len() as u64;
        reading.found.push(BootFile { path, content });
    }
    Ok(())
}

/// All bytes of a file, which cannot be more than this. A damaged file says any size, and its clusters may run in a circle.
pub(super) fn read_whole(file: impl std::io::Read, most: u64, path: &str) -> anyhow::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut content).with_context(|| unusable(path))?;
    ensure!(content.len() as u64 <= most, "{}: it is larger than the image", unusable(path));
    Ok(content)
}

/// The name, if it is one component of a path and nothing else.
fn safe(name: String) -> anyhow::Result<String> {
    let usable = !name.is_empty()
        && name.chars().all(|letter| !letter.is_control() && !matches!(letter, '/' | '\\' | ':'))
        && !matches!(name.as_str(), "." | "..");
    ensure!(usable, "the boot floppy image has a file with the unusable name {name:?}");
    Ok(name)
}
