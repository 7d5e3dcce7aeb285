//! Runs steps that take as long as disks do on other threads, so that the loop goes on serving the other hosts.
//!
//! There are as many threads as processors, however many hosts there are; further tasks wait for their turn. Does not know
//! what the tasks do.

use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// Something that takes long, with a result.
pub(crate) type Task<T> = Box<dyn FnOnce() -> T + Send>;
/// A task has panicked instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;
/// What a task has yielded.
pub(crate) type Ended<T> = Result<T, Panicked>;
/// A task, or its result, with the place in the list of the job that it is for.
type Of<T> = (usize, T);
type Tasks<T> = Receiver<Of<Task<T>>>;

/// The threads, and how what they have done gets back to the loop.
#[derive(Debug)]
pub(crate) struct Lengthy<T> {
    /// Where the threads take tasks from. `None` after the last task.
    tasks: Option<Sender<Of<Task<T>>>>,
    results: Receiver<Of<Ended<T>>>,
    /// Becomes readable when there is a result.
    bell: UnixStream,
    threads: Vec<JoinHandle<()>>,
}

impl<T: Send + 'static> Lengthy<T> {
    /// With as many threads as there are processors.
    pub(crate) fn new() -> io::Result<Self> {
        Self::with(thread::available_parallelism().map_or(1, NonZeroUsize::get))
    }

    /// One task is done after the other.
    pub(crate) fn on_one_thread() -> io::Result<Self> {
        Self::with(1)
    }

    /// Starts all threads now: where there are none to be had, nothing was touched yet.
    pub(crate) fn with(count: usize) -> io::Result<Self> {
        let (bell, rope) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        rope.set_nonblocking(true)?;
        let (finished, results) = channel();
        let (tasks, taken) = channel();
        let (taken, rope) = (Arc::new(Mutex::new(taken)), Arc::new(rope));
        let start = |_| start(Arc::clone(&taken), finished.clone(), Arc::clone(&rope));
        // Those that are there end if one cannot be had.
        let threads = (0..count).map(start).collect::<io::Result<_>>()?;
        Ok(Self { tasks: Some(tasks), results, bell, threads })
    }

    /// Has a task done for the job at this place in the list.
    pub(crate) fn begin(&mut self, index: usize, task: Task<T>) {
        if let Some(tasks) = &self.tasks {
            // The threads end when the sender is dropped, and not before.
            let _taken = tasks.send((index, task));
        }
    }

    /// Waits until all that was begun is done. Nothing can be begun any more.
    pub(crate) fn join(&mut self) {
        self.tasks = None;
        self.threads.drain(..).for_each(|thread| {
            // It panics nowhere but in tasks, which are caught.
            let _ended = thread.join();
        });
    }

    /// What has been done since the last call.
    pub(crate) fn take(&self) -> Vec<Of<Ended<T>>> {
        let mut rung = [0; 64];
        while matches!((&self.bell).read(&mut rung), Ok(1..)) {}
        self.results.try_iter().collect()
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

/// A thread that does one task after the other until no more can come.
fn start<T: Send + 'static>(
    tasks: Arc<Mutex<Tasks<T>>>,
    finished: Sender<Of<Ended<T>>>,
    rope: Arc<UnixStream>,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().spawn(move || {
        loop {
            let next = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((index, task)) = next else { return };
            // The job waits for a result, so it must get one even after a panic.
            let done = panic::catch_unwind(AssertUnwindSafe(task)).map_err(|_told_by_the_hook| Panicked);
            if finished.send((index, done)).is_err() {
                return;
            }
            // If it is full, the bell rings already.
            let _rings = (&*rope).write(&[1]);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn the_threads_are_there_before_the_first_task() {
        let mut lengthy: Lengthy<u8> = Lengthy::with(3).unwrap();
        assert_eq!(lengthy.threads.len(), 3);
        lengthy.join();
    }

    #[test]
    fn the_bell_rings_when_something_is_done_and_not_before() {
        let mut lengthy = Lengthy::new().unwrap();
        let gate = Arc::new(Barrier::new(2));
        let opened = Arc::clone(&gate);
        lengthy.begin(
            7,
            Box::new(move || {
                opened.wait();
                42
            }),
        );
        assert_eq!(lengthy.take(), []);
        gate.wait();
        wait_for_the_bell(&lengthy);
        assert_eq!(lengthy.take(), [(7, Ok(42))]);
        assert_eq!(lengthy.take(), []);
    }

    #[test]
    fn more_tasks_than_threads_are_all_done() {
        let mut lengthy = Lengthy::new().unwrap();
        (0..100).for_each(|index| lengthy.begin(index, Box::new(move || index * 2)));
        let mut done = Vec::new();
        while done.len() < 100 {
            wait_for_the_bell(&lengthy);
            done.extend(lengthy.take());
        }
        done.sort_unstable_by_key(|(index, _)| *index);
        assert!(done.iter().all(|(index, result)| *result == Ok(index * 2)));
    }

    #[test]
    fn a_task_that_panics_is_heard_of_and_the_next_one_is_done() {
        let mut lengthy: Lengthy<u8> = Lengthy::new().unwrap();
        lengthy.begin(1, Box::new(|| panic!("made to")));
        wait_for_the_bell(&lengthy);
        assert_eq!(lengthy.take(), [(1, Err(Panicked))]);
        lengthy.begin(2, Box::new(|| 3));
        wait_for_the_bell(&lengthy);
        assert_eq!(lengthy.take(), [(2, Ok(3))]);
    }

    fn wait_for_the_bell<T: Send + 'static>(lengthy: &Lengthy<T>) {
        let mut polled =
            [rustix::event::PollFd::from_borrowed_fd(lengthy.as_fd(), rustix::event::PollFlags::IN)];
        let minute = rustix::event::Timespec { tv_sec: 60, tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut polled, Some(&minute)).unwrap(), 1);
    }
}
