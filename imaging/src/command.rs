//! One run of `ghost-imager`: the work in one thread, what is told of it in another, the ending last.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail, ensure};
use ghost_contract::checksum::Sha256;
use ghost_contract::image::{DiskImage, Ending, LinuxSettings, Progress, Stream, TargetDisk};
use ghost_contract::layout;

use crate::backup;
use crate::board::{Board, Pace};
use crate::check::{self, Depth};
use crate::cli::{ToRestore, Verb, WithDisks};
use crate::folder;
use crate::plan::chosen;
use crate::plan::maps::Maps;
use crate::restore;
use crate::screen;
use crate::sys::file;

/// How often it is told how far it is.
const TELL: Duration = Duration::from_secs(1);
/// How often in a log.
const LOG: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct Done {
    disk_bytes: u64,
    image_bytes: u64,
    notes: Vec<String>,
    /// What of the disks was saved and how, for people.
    saved: Vec<String>,
}

/// Does it, tells of it, and writes how it ended.
pub fn run(verb: &Verb) -> Result<Ending> {
    let files = verb.files();
    let board = Board::default();
    if let Some(result) = &files.result
        && let Err(error) = fs::remove_file(result)
        && error.kind() != io::ErrorKind::NotFound
    {
        bail!("cannot remove {}: {error}", result.display());
    }
    let ended = thread::scope(|scope| {
        let (end, ends) = mpsc::channel::<()>();
        let board = &board;
        scope.spawn(move || tell(board, &ends, verb.as_str(), files.progress.as_deref()));
        let ended = work(verb, board);
        drop(end);
        ended
    });
    let ending = match ended {
        Ok(done) => {
            let Done { disk_bytes, image_bytes, notes, saved } = done;
            saved.iter().for_each(|line| print(format!("{line}\n").as_bytes()));
            Ending::Done { disk_bytes, image_bytes, notes }
        }
        Err(error) => Ending::Failed { reason: format!("{error:#}"), target: target(verb, &board) },
    };
    if let Some(result) = &files.result {
        let json = serde_json::to_vec_pretty(&ending)?;
        file::replace(result, &json).with_context(|| format!("cannot write {}", result.display()))?;
    }
    Ok(ending)
}

fn work(verb: &Verb, board: &Board) -> Result<Done> {
    let settings = settings(verb.files().settings.as_deref())?;
    let disks = verb.disks();
    ensure!(
        settings.partitions.is_empty() || disks < 2,
        "partitions can only be chosen on one disk, and {disks} were named"
    );
    let folder = &verb.files().image;
    let mut done = Done::default();
    match verb {
        Verb::Backup(with) => {
            let disks = u32::try_from(with.disks.len()).unwrap_or(u32::MAX);
            // Not one disk is saved before it is known that all can be: that would be time for nothing.
            let (mut ready, mut maps) = (Vec::new(), Maps::default());
            for (index, disk) in (0_u32..).zip(&with.disks) {
                board.disk(index, disks);
                let folder = folder.join(layout::disk(index));
                let prepared =
                    backup::prepare(&folder, disk, (&settings, with.luks_key.as_deref()), &mut maps, board);
                ready.push(prepared.map_err(|error| with.error_of(disk, error))?);
            }
            for (index, (ready, disk)) in (0_u32..).zip(ready.into_iter().zip(&with.disks)) {
                board.disk(index, disks);
                let saved = backup::save(ready, board);
                let image = saved.map_err(|error| with.error_of(disk, error))?;
                done.add(&image, with.notes_of(disk, &image.notes));
                done.saved.push(format!("{}:", disk.display()));
                done.saved.extend(screen::saved(&image.saved()));
            }
        }
        Verb::Check(_) => {
            let images = images(folder)?;
            for (index, path) in (0_u32..).zip(&images) {
                board.disk(index, u32::try_from(images.len()).unwrap_or(u32::MAX));
                let vouched = folder::vouched(path, vouched_for(&settings, &images, index)?)?;
                let image = check::check(path, Depth::Inside, board)?;
                ensure!(image == vouched, "{} was changed while it was checked", path.display());
                done.add(&image, image.chosen().iter().map(chosen::note).collect());
            }
        }
        Verb::Restore(ToRestore { with, scratch }) => {
            let images = images(folder)?;
            ensure!(
                images.len() == with.disks.len(),
                "{} has images of {} disks, and {} were named",
                folder.display(),
                images.len(),
                with.disks.len()
            );
            let disks = u32::try_from(images.len()).unwrap_or(u32::MAX);
            // Not one disk is written before everything is known to be good.
            let mut ready = Vec::new();
            for (index, (path, disk)) in (0_u32..).zip(images.iter().zip(&with.disks)) {
                board.disk(index, disks);
                let ordered = (&settings, with.luks_key.as_deref());
                let image = (path.as_path(), vouched_for(&settings, &images, index)?);
                let prepared = restore::prepare(image, disk, ordered, scratch.as_deref(), board);
                ready.push(prepared.map_err(|error| with.error_of(disk, error))?);
            }
            for (index, (ready, disk)) in (0_u32..).zip(ready.into_iter().zip(&with.disks)) {
                board.disk(index, disks);
                let written = restore::write(ready, board);
                let restored = written.map_err(|error| with.error_of(disk, error))?;
                done.add(&restored.image, with.notes_of(disk, &restored.notes));
            }
        }
    }
    Ok(done)
}

impl Done {
    fn add(&mut self, image: &DiskImage, notes: Vec<String>) {
        self.disk_bytes += image.disk.size;
        self.image_bytes += image.streams().map(Stream::stored).sum::<u64>();
        self.notes.extend(notes);
    }
}

/// Where there are several disks it is said which one is meant.
impl WithDisks {
    fn error_of(&self, disk: &Path, error: Error) -> Error {
        if self.disks.len() < 2 { error } else { error.context(disk.display().to_string()) }
    }

    fn notes_of(&self, disk: &Path, notes: &[String]) -> Vec<String> {
        let named = |note: &String| format!("{}: {note}", disk.display());
        if self.disks.len() < 2 { notes.to_vec() } else { notes.iter().map(named).collect() }
    }
}

fn settings(path: Option<&Path>) -> Result<LinuxSettings> {
    let Some(path) = path else { return Ok(LinuxSettings::default()) };
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parsed = serde_json::from_slice(&bytes);
    parsed.with_context(|| format!("{} has no settings that can be understood", path.display()))
}

/// The checksum that this disk's description must have.
fn vouched_for(settings: &LinuxSettings, images: &[PathBuf], index: u32) -> Result<Option<Sha256>> {
    let vouched = &settings.vouched;
    ensure!(
        vouched.is_empty() || vouched.len() == images.len(),
        "there are images of {} disks, and the boot server vouches for {}",
        images.len(),
        vouched.len()
    );
    Ok(vouched.get(usize::try_from(index)?).copied())
}

/// The folders of the images below this one: disk0, disk1, … as far as they go.
fn images(folder: &Path) -> Result<Vec<PathBuf>> {
    let folders = (0..).map(|index| folder.join(layout::disk(index)));
    let images: Vec<PathBuf> = folders.take_while(|folder| folder.is_dir()).collect();
    ensure!(!images.is_empty(), "{} has no image of a disk: there is no disk0 in it", folder.display());
    Ok(images)
}

/// What has become of the disk when the work broke off here.
fn target(verb: &Verb, board: &Board) -> TargetDisk {
    match verb {
        Verb::Restore(_) => board.current_phase().map_or(TargetDisk::Untouched, |phase| phase.target_disk()),
        Verb::Backup(_) | Verb::Check(_) => TargetDisk::Untouched,
    }
}

/// Tells every second how far it is, until the work drops its end of the channel.
fn tell(board: &Board, ends: &Receiver<()>, title: &str, progress_file: Option<&Path>) {
    let (start, mut pace) = (Instant::now(), Pace::default());
    let large = io::stdout().is_terminal();
    let mut logged: Option<Duration> = None;
    if large {
        print(b"\x1b[2J");
    }
    loop {
        let ended = ends.recv_timeout(TELL) != Err(RecvTimeoutError::Timeout);
        let now = start.elapsed();
        if let Some(progress) = board.read(&mut pace, now) {
            if large {
                print(screen::large(&progress, title).as_bytes());
            } else if ended || logged.is_none_or(|at| now.saturating_sub(at) >= LOG) {
                logged = Some(now);
                print(format!("{}\n", screen::line(&progress)).as_bytes());
            }
            publish(progress_file, &progress);
        }
        if ended {
            return;
        }
    }
}

fn publish(path: Option<&Path>, progress: &Progress) {
    if let (Some(path), Ok(json)) = (path, serde_json::to_vec(progress)) {
        // Nobody's backup fails since nobody can be told how far it is.
        let _untold = file::publish(path, &json);
    }
}

fn print(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    // A terminal that is gone is no reason to stop.
    let _unseen = out.write_all(bytes).and_then(|()| out.flush());
}
