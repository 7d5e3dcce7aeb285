//! Appends lines to the report in this client's tree, from a thread of its own.
//!
//! Handing a line over never waits. The file is on the boot server, so writing may wait; [`ReportFile::flush`] waits
//! for it. Lines that come before the file is open are kept and written first.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use ghost_contract::{UnixTime, layout};

use super::{STACK, file};

enum Request {
    Open(Sender<anyhow::Result<()>>),
    Append(String),
    Flush(Sender<anyhow::Result<Option<UnixTime>>>),
}

/// A handle to the thread that writes the report.
#[derive(Debug, Clone)]
pub(crate) struct ReportFile {
    requests: Sender<Request>,
}

impl ReportFile {
    /// Starts the thread that writes; the file is not touched yet.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let (requests, queue) = mpsc::channel();
        let path = Path::new("/var").join(layout::REPORT);
        let write = move || {
            Writer { path, file: None, waiting: String::new(), trouble: None, time: None }.run(&queue)
        };
        thread::Builder::new()
            .name("report".to_owned())
            .stack_size(STACK)
            .spawn(write)
            .context("cannot start the writer of the report")?;
        Ok(Self { requests })
    }

    /// Opens the file and writes what has been kept.
    pub(crate) fn open(&self) -> anyhow::Result<()> {
        self.ask(Request::Open)
    }

    /// Hands a line over. Never waits.
    pub(crate) fn append(&self, line: String) {
        // Without a writer the line is lost; `flush` reports that.
        let _ = self.requests.send(Request::Append(line));
    }

    /// Waits until all lines are on the server; returns the server's time of the last one.
    pub(crate) fn flush(&self) -> anyhow::Result<Option<UnixTime>> {
        self.ask(Request::Flush)
    }

    fn ask<T>(&self, request: impl FnOnce(Sender<anyhow::Result<T>>) -> Request) -> anyhow::Result<T> {
        let (tell, told) = mpsc::channel();
        let gone = || anyhow!("the writer of the report is gone");
        self.requests.send(request(tell)).map_err(|_| gone())?;
        told.recv().map_err(|_| gone())?
    }
}

struct Writer {
    path: PathBuf,
    file: Option<File>,
    /// Lines from before the file was open.
    waiting: String,
    /// What went wrong since the last flush.
    trouble: Option<io::Error>,
    /// The file's time after the last line, which the server gave it.
    time: Option<UnixTime>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Request>) {
        for request in queue {
            // The receiver may have timed out; ignore the failed send.
            match request {
                Request::Open(tell) => drop(tell.send(self.open())),
                Request::Append(line) => self.append(&line),
                Request::Flush(tell) => drop(tell.send(self.flushed())),
            }
        }
    }

    fn open(&mut self) -> anyhow::Result<()> {
        if let Some(folder) = self.path.parent() {
            file::make_folder(folder)?;
        }
        let opened = OpenOptions::new().append(true).create(true).open(&self.path);
        let opened = opened.with_context(|| format!("cannot write {}", self.path.display()))?;
        self.file = Some(opened);
        let waiting = std::mem::take(&mut self.waiting);
        self.append(&waiting);
        Ok(())
    }

    fn append(&mut self, lines: &str) {
        let Some(file) = &mut self.file else {
            self.waiting.push_str(lines);
            return;
        };
        match write(file, lines) {
            Ok(time) => self.time = Some(time),
            Err(error) => self.trouble = Some(error),
        }
    }

    fn flushed(&mut self) -> anyhow::Result<Option<UnixTime>> {
        match self.trouble.take() {
            Some(error) => Err(error).context("cannot append to the report"),
            None => Ok(self.time),
        }
    }
}

/// Appends, waits until the server has it, and returns the time that the server put on the file.
fn write(file: &mut File, lines: &str) -> io::Result<UnixTime> {
    file.write_all(lines.as_bytes())?;
    file.sync_all()?;
    let about = file.metadata()?;
    let seconds = Duration::from_secs(u64::try_from(about.mtime()).unwrap_or(0));
    let rest = Duration::from_nanos(u64::try_from(about.mtime_nsec()).unwrap_or(0));
    Ok(UnixTime::from_millis(0).plus(seconds.saturating_add(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(path: PathBuf) -> Writer {
        Writer { path, file: None, waiting: String::new(), trouble: None, time: None }
    }

    #[test]
    fn lines_from_before_the_file_was_open_are_written_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ghost/report.jsonl");
        let mut writer = writer(path.clone());
        writer.append("first\n");
        assert!(!path.exists());
        writer.open().unwrap();
        writer.append("second\n");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "first\nsecond\n");
    }

    #[test]
    fn what_others_wrote_before_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.jsonl");
        std::fs::write(&path, "an earlier job\n").unwrap();
        let mut writer = writer(path.clone());
        writer.open().unwrap();
        writer.append("this one\n");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "an earlier job\nthis one\n");
    }

    #[test]
    fn a_flush_gives_the_time_that_the_file_got() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.jsonl");
        let mut writer = writer(path.clone());
        writer.open().unwrap();
        writer.append("a line\n");
        let modified = std::fs::metadata(path).unwrap().modified().unwrap();
        let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(writer.flushed().unwrap(), Some(UnixTime::from_millis(0).plus(since)));
    }

    #[test]
    fn a_line_that_was_lost_is_told_of_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.jsonl");
        let mut writer = writer(path.clone());
        std::fs::write(&path, "").unwrap();
        writer.file = Some(File::open(path).unwrap());
        writer.append("a line\n");
        assert_eq!(writer.flushed().unwrap_err().to_string(), "cannot append to the report");
        assert!(writer.flushed().is_ok());
    }
}
