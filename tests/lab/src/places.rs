//! Places for so many labs at the same time. Those who wait get one in the order in which they came.
//!
//! ```text
//! queue: 4 5 6 ──the lowest──▶ is a place free? ──▶ 0 1 2
//! ```
//! Numbers and places are locked files, so the kernel frees those of a process that has ended, however it ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// The folder below which those who wait have their numbers.
const QUEUE: &str = "queue";

/// So many places, which all processes that name the same folder share.
#[derive(Debug)]
pub struct Places {
    folder: PathBuf,
    count: u32,
}

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "it holds the lock")] Flock<File>);

/// One who waits for a place, until it is dropped.
#[derive(Debug)]
pub struct Waiting<'a> {
    places: &'a Places,
    number: u64,
    _held: Flock<File>,
}

impl Places {
    pub fn new(folder: PathBuf, count: u32) -> anyhow::Result<Self> {
        let queue = folder.join(QUEUE);
        fs::create_dir_all(&queue).with_context(|| format!("cannot make {}", queue.display()))?;
        Ok(Self { folder, count })
    }

    /// Waits behind all who are waiting.
    pub fn wait(&self) -> anyhow::Result<Waiting<'_>> {
        let _alone = self.alone()?;
        let number = self.waiting()?.last().map_or(0, |last| last + 1);
        let held = locked(&self.number(number))?.context("a number was given to two who wait")?;
        Ok(Waiting { places: self, number, _held: held })
    }

    /// The numbers of all who wait, in order. Those of processes that have ended are removed.
    fn waiting(&self) -> anyhow::Result<Vec<u64>> {
        let queue = self.folder.join(QUEUE);
        let listed = fs::read_dir(&queue).with_context(|| format!("cannot read {}", queue.display()))?;
        let mut waiting = Vec::new();
        for entry in listed {
            let entry = entry.with_context(|| format!("cannot read {}", queue.display()))?;
            let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            match locked(&entry.path())? {
                // One that has left meanwhile has removed its own already.
                Some(_of_an_ended_process) => drop(fs::remove_file(entry.path())),
                None => waiting.push(number),
            }
        }
        waiting.sort_unstable();
        Ok(waiting)
    }

    /// One at a time looks at the queue, and only for a moment.
    fn alone(&self) -> anyhow::Result<Flock<File>> {
        let file = open(&self.folder.join("door"))?;
        Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, error)| anyhow!(error).context("cannot lock the queue for places"))
    }

    fn number(&self, number: u64) -> PathBuf {
        self.folder.join(QUEUE).join(number.to_string())
    }

    fn free(&self) -> anyhow::Result<Option<Place>> {
        for place in 0..self.count {
            if let Some(free) = locked(&self.folder.join(place.to_string()))? {
                return Ok(Some(Place(free)));
            }
        }
        Ok(None)
    }
}

impl Waiting<'_> {
    /// A place. None while none is free, or while others came before.
    pub fn place(&self) -> anyhow::Result<Option<Place>> {
        let _alone = self.places.alone()?;
        if self.places.waiting()?.first() != Some(&self.number) {
            return Ok(None);
        }
        self.places.free()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // Where it cannot be removed, the next one who looks does.
        let _removed = fs::remove_file(self.places.number(self.number));
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("cannot open {}", path.display()))
}

/// The file with a lock. None if another one has it.
fn locked(path: &Path) -> anyhow::Result<Option<Flock<File>>> {
    match Flock::lock(open(path)?, FlockArg::LockExclusiveNonblock) {
        Ok(locked) => Ok(Some(locked)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(anyhow!(error).context(format!("cannot lock {}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(folder: &tempfile::TempDir) -> Places {
        Places::new(folder.path().join("places"), 2).unwrap()
    }

    #[test]
    fn who_came_first_gets_the_next_free_place_though_another_asks_before() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(&folder);
        let take = || places.wait().unwrap().place().unwrap();
        let (one, other) = (take().unwrap(), take().unwrap());
        let first = places.wait().unwrap();
        assert!(first.place().unwrap().is_none(), "both are taken");
        let second = places.wait().unwrap();
        drop(one);
        assert!(second.place().unwrap().is_none() && take().is_none(), "the first one waits for longer");
        let third = first.place().unwrap().unwrap();
        drop(first);
        assert!(second.place().unwrap().is_none(), "both are taken again");
        drop(other);
        assert!(second.place().unwrap().is_some());
        drop(third);
    }

    #[test]
    fn those_of_a_process_that_was_killed_are_free_again() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(&folder);
        let _taken = places.wait().unwrap().place().unwrap().unwrap();
        // A process that has a place and a number, and is killed, has left its files without a lock.
        fs::write(folder.path().join("places/1"), "").unwrap();
        fs::write(places.number(0), "").unwrap();
        let waiting = places.wait().unwrap();
        assert!(waiting.place().unwrap().is_some());
        drop(waiting);
        assert_eq!(places.waiting().unwrap(), Vec::<u64>::new());
        assert_eq!(fs::read_dir(folder.path().join("places/queue")).unwrap().count(), 0);
    }
}
