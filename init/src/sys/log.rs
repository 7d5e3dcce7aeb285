//! Keeps the beginning and the end of what a program logs, with a bound: the log is a named pipe that a thread reads.
//!
//! An emulator may write a line for each 32 KiB that it reads. The imager's folder is in memory, where the log of a
//! large disk would take hundreds of megabytes.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Context as _;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::{STACK, file};

/// How many bytes of the beginning are kept: settings, and what was wrong with them.
const HEAD: usize = 64 << 10;
/// And of the end: what went wrong, and the screen of an emulator that logs what DOS programs write.
const TAIL: usize = 192 << 10;

/// The beginning and the end of some text.
#[derive(Debug, Default)]
struct Excerpt {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: u64,
}

impl Excerpt {
    fn push(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend(first);
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
        self.left_out = self.left_out.saturating_add(u64::try_from(excess).unwrap_or(u64::MAX));
    }

    fn content(&self) -> Vec<u8> {
        let gap = format!("\n[{} bytes are left out here]\n", self.left_out);
        let gap = if self.left_out == 0 { &[] } else { gap.as_bytes() };
        self.head.iter().chain(gap).chain(&self.tail).copied().collect()
    }
}

/// The log of a program that runs.
#[derive(Debug, Clone)]
pub(crate) struct Log(Arc<Mutex<Excerpt>>);

impl Log {
    /// Makes the named pipe, in place of what was there.
    pub(crate) fn listen(path: &Path) -> anyhow::Result<Self> {
        let fails = || format!("cannot make the named pipe {}", path.display());
        file::remove(path)?;
        mkfifo(path, Mode::from_bits_truncate(0o600)).with_context(fails)?;
        // Open for writing too, it never comes to an end: programs may open and close it as they like (fifo(7)).
        let pipe = OpenOptions::new().read(true).write(true).open(path).with_context(fails)?;
        let log = Self(Arc::default());
        let keeper = log.clone();
        thread::Builder::new()
            .name("log".to_owned())
            .stack_size(STACK)
            .spawn(move || keeper.keep(pipe))
            .with_context(fails)?;
        Ok(log)
    }

    fn keep(&self, mut pipe: File) {
        let mut buffer = [0; 4096];
        while let Ok(length) = pipe.read(&mut buffer) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..length]);
        }
    }

    /// What is kept of it so far.
    pub(crate) fn content(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).content()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_short_text_is_kept_whole() {
        let mut excerpt = Excerpt::default();
        [&b"one\n"[..], b"two\n"].iter().for_each(|text| excerpt.push(text));
        assert_eq!(excerpt.content(), b"one\ntwo\n");
        excerpt.push(&vec![b'x'; HEAD + TAIL - 8]);
        assert_eq!(excerpt.content().len(), HEAD + TAIL);
        assert!(!excerpt.content().contains(&b'['));
    }

    #[test]
    fn of_a_long_one_the_beginning_and_the_end() {
        let mut excerpt = Excerpt::default();
        excerpt.push(b"first");
        for _ in 0..100 {
            excerpt.push(&[b'x'; 50_000]);
        }
        excerpt.push(b"last");
        let content = excerpt.content();
        assert!(content.starts_with(b"first") && content.ends_with(b"last"));
        assert!(content.len() < HEAD + TAIL + 100, "{}", content.len());
        let left_out = 5 + 4 + 100 * 50_000 - HEAD - TAIL;
        let gap = format!("\n[{left_out} bytes are left out here]\n");
        assert!(content.windows(gap.len()).any(|part| part == gap.as_bytes()));
    }

    #[test]
    fn a_program_takes_the_pipe_for_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "of an earlier one").unwrap();
        let log = Log::listen(&path).unwrap();
        let script = ": >log; echo begin >>log; head -c 3000000 /dev/zero >>log; echo end >>log";
        let ended = Command::new("sh").args(["-c", script]).current_dir(folder.path()).status().unwrap();
        assert!(ended.success());
        let started = Instant::now();
        while !log.content().ends_with(b"end\n") {
            assert!(started.elapsed() < Duration::from_secs(20), "the last words do not come");
            thread::yield_now();
        }
        assert!(log.content().starts_with(b"begin\n"));
        assert!(log.content().len() < 300_000);
    }
}
