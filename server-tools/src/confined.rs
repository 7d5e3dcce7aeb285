//! A client's image is parsed by a process of its own that can harm nobody, whatever is in the image: zstd, JSON, and the tools
//! of partclone, which it starts.
//!
//! ```text
//! ghostctl ── folder, question ──▶ the same program, as ghost4linux-confined
//!             opens the files ─▶ gives up its rights (sys::confined) ─▶ parses
//!          ◀──────────────── answer ──────────────────────────────────┘
//! ```
//! The answer is believed of this image only: who makes a parser lie spoils its own backup.

use std::env;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use ghost_contract::bounds;
use ghost_contract::checksum::Sha256;
use ghost_contract::image::DiskImage;
use ghost_imaging::board::Board;
use ghost_imaging::check::{self, Depth};
use ghost_imaging::restore::{self, Target};
use ghost_imaging::source::Opened;
use nix::unistd::{Gid, Uid, fchown, getegid, geteuid};
use rustix::io::FdFlags;
use serde::{Deserialize, Serialize};

use crate::served::{Driver, front};
use crate::sys::apart::{self, Answered, Asked};
use crate::sys::confined::{self, Life, Limits};
use crate::sys::folder::Folder;
use crate::sys::{descriptors, disk_space};

/// What the confined process is called, by which the program knows that it is one.
const NAME: &str = "ghost4linux-confined";
/// This program, also if another one has been installed in its place.
const OWN: &str = "/proc/self/exe";
/// The program of the unit tests is told which of them this is.
const ARGUMENTS: &[&str] =
    if cfg!(test) { &["--exact", "confined::tests::this_is_the_confined_process"] } else { &[] };
/// A parser that has met its deadline has so long to say so.
const GRACE: Duration = Duration::from_secs(5);
/// How long it may take to open a file system.
const OPENING: Duration = Duration::from_secs(300);
/// How much processor time it may take to serve one.
const SERVING: Duration = Duration::from_secs(24 * 3_600);
/// Users from 0x70000000 on are nobody's: systemd, containers and distributions end below.
const USERS: u32 = 0x7000_0000;
/// A process has several threads, and each may count its processor time.
const THREADS: u32 = 4;

/// Who parses: a program that begins with [`answer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parser(PathBuf);

impl Parser {
    pub fn own() -> Self {
        Self(OWN.into())
    }

    /// Another program than the running one.
    pub fn of(program: impl Into<PathBuf>) -> Self {
        Self(program.into())
    }

    /// Checks the image of a disk in this folder, which is `called` so in messages. What it says of itself is given back.
    pub(crate) fn check(
        &self,
        folder: &impl AsFd,
        called: &Path,
        until: Instant,
    ) -> anyhow::Result<DiskImage> {
        let question = Question::new(Task::Check, called, until);
        let answer = self.ask(&question, self.asked(folder, [None, None]), until)?;
        let described = answer.result.map_err(|error| anyhow!(error))?;
        DiskImage::parse(described.as_bytes()).context("a confined process gives an answer that is none")
    }

    /// Writes one partition of the image in this folder, or all of it, to an empty file, which spans so many bytes then. Its
    /// description is the one with this checksum.
    pub(crate) fn export(
        &self,
        (folder, vouched): (&Path, Sha256),
        partition: Option<u32>,
        (file, size): (File, u64),
    ) -> anyhow::Result<()> {
        let until = Instant::now() + bounds::check_deadline(size, size, None);
        let question = Question::new(Task::Export { partition, size, vouched }, folder, until);
        // It lies where clients write; `Folder` opens nothing but a folder.
        let folder = Folder::open(folder).with_context(|| format!("cannot open {}", folder.display()))?;
        let ours = file.try_clone().context("the file cannot be given to a confined process")?;
        let may_go_on = || room_is_left(&ours);
        let asked = Asked { may_go_on: &may_go_on, ..self.asked(&folder, [Some(file), None]) };
        let answered = self.ask(&question, asked, until);
        // It was given to the confined process's user.
        let back = fchown(&ours, Some(geteuid()), Some(getegid()));
        answered?.result.map_err(|error| anyhow!(error))?;
        back.context("the file cannot be taken back from a confined process")
    }

    /// Has a process of its own answer on `device` for the file system in `file`, until that is unmounted. Its number is given back.
    pub(crate) fn serve(&self, driver: Driver, file: File, device: File) -> anyhow::Result<u32> {
        let until = Instant::now() + OPENING;
        let question = Question::new(Task::Serve { driver }, Path::new("/"), until);
        let folder = File::open("/").context("cannot open /")?;
        let (answer, process) = self.start(&question, &folder, [Some(file), Some(device)], until)?;
        answer.result.map_err(|error| anyhow!(error))?;
        Ok(process)
    }

    /// What this machine lacks to confine a process, in words.
    pub(crate) fn lacks(&self) -> anyhow::Result<Vec<String>> {
        let until = Instant::now() + Duration::from_secs(300);
        let folder = File::open("/").context("cannot open /")?;
        let question = Question::new(Task::Nothing, Path::new("/"), until);
        let answer = self.ask(&question, self.asked(&folder, [None, None]), until)?;
        answer.result.map_err(|error| anyhow!(error))?;
        Ok(answer.lacks)
    }

    fn ask(&self, question: &Question, asked: Asked<'_>, until: Instant) -> anyhow::Result<Answer> {
        let question = serde_json::to_vec(question).context("a confined process cannot be asked")?;
        let answered = apart::ask(asked, &question, until + GRACE);
        understood(answered.context(FAILED)?)
    }

    fn start(
        &self,
        question: &Question,
        folder: &impl AsFd,
        output: [Option<File>; 2],
        until: Instant,
    ) -> anyhow::Result<(Answer, u32)> {
        let question = serde_json::to_vec(question).context("a confined process cannot be asked")?;
        let started = apart::start(self.asked(folder, output), &question, until + GRACE);
        let (answered, process) = started.context(FAILED)?;
        Ok((understood(answered)?, process))
    }

    fn asked<'a>(&'a self, folder: &'a impl AsFd, output: [Option<File>; 2]) -> Asked<'a> {
        let folder = folder.as_fd();
        Asked { program: &self.0, name: NAME, arguments: ARGUMENTS, folder, output, may_go_on: &|| Ok(()) }
    }
}

/// An error when little is left of the file system that a file is on.
fn room_is_left(file: &File) -> io::Result<()> {
    let space = disk_space::of_file(file)?;
    let least = bounds::LEFT_FREE.min(space.total / 8);
    match space.free < least {
        true => Err(io::Error::new(
            io::ErrorKind::StorageFull,
            format!("less than {least} bytes are left on the file system that it is unpacked to"),
        )),
        false => Ok(()),
    }
}

const FAILED: &str = "the confined process that reads the image has failed";

fn understood(answered: Answered) -> anyhow::Result<Answer> {
    let answer = serde_json::from_slice(&answered.answer);
    let mut answer: Answer = answer.context("a confined process gives an answer that is none")?;
    answer.lacks.splice(0..0, answered.lacks);
    Ok(answer)
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Question {
    task: Task,
    /// What the folder is called in messages.
    called: PathBuf,
    user: u32,
    seconds: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Task {
    Check,
    /// To the standard output.
    Export {
        partition: Option<u32>,
        size: u64,
        vouched: Sha256,
    },
    /// The file system in the standard output, to the FUSE device in the place of the standard error.
    Serve {
        driver: Driver,
    },
    Nothing,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    lacks: Vec<String>,
    /// The description of an image that was checked, or what is wrong with it.
    result: Result<String, String>,
}

impl Question {
    fn new(task: Task, called: &Path, until: Instant) -> Self {
        let seconds = until.saturating_duration_since(Instant::now()).as_secs();
        Self { task, called: called.to_owned(), user: user(), seconds }
    }

    fn limits(&self) -> Limits {
        let file = match self.task {
            Task::Export { size, .. } => size,
            Task::Check | Task::Serve { .. } | Task::Nothing => 0,
        };
        let (processor, life) = match self.task {
            Task::Serve { .. } => (SERVING, Life::Own),
            _ => (Duration::from_secs(self.seconds).saturating_add(GRACE) * THREADS, Life::OfItsParent),
        };
        Limits { user: self.user, memory: bounds::PARSER_MEMORY, processor, file, life }
    }
}

/// A user that no other process has: this process's number, and which of its questions it is.
fn user() -> u32 {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let which = ASKED.fetch_add(1, Ordering::Relaxed) % 64;
    USERS | (std::process::id() & 0x003f_ffff) << 6 | which
}

/// Answers a question, if this process is the confined one. None: this is an ordinary call.
pub fn answer() -> Option<ExitCode> {
    if env::args_os().next().is_none_or(|name| name != NAME) {
        return None;
    }
    // Without an answer the one who asks says so.
    Some(if reply().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn reply() -> anyhow::Result<()> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut question = Vec::new();
    (&socket).read_to_end(&mut question)?;
    let question: Question = serde_json::from_slice(&question)?;
    let mut lacks = Vec::new();
    if let Task::Serve { driver } = question.task {
        return serve(&question, driver, &socket);
    }
    let result = done(&question, &mut lacks).map_err(|error| format!("{error:#}"));
    (&socket).write_all(&serde_json::to_vec(&Answer { lacks, result })?)?;
    Ok(())
}

/// Opens what is needed, and does the rest without any rights.
fn done(question: &Question, lacks: &mut Vec<String>) -> anyhow::Result<String> {
    let limits = question.limits();
    let until = Instant::now() + Duration::from_secs(question.seconds);
    // An image may have thousands of pieces, each of which is opened before its parser is confined.
    descriptors::allow_all();
    match question.task {
        Task::Nothing | Task::Serve { .. } => {
            *lacks = confined::enter(&limits, None)?;
            Ok(String::new())
        }
        Task::Check => {
            let files = Opened::all(Path::new("."), &question.called)?;
            *lacks = confined::enter(&limits, None)?;
            let image = check::check(&files, Depth::Inside, &Board::until(until))?;
            image.to_json().context("the description cannot be written as JSON")
        }
        Task::Export { partition, vouched, .. } => {
            let files = Opened::all(Path::new("."), &question.called)?;
            let file = File::from(given(question.user)?);
            *lacks = confined::enter(&limits, Some(file.as_fd()))?;
            let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
            let (target, board) = (Target { file: &file, path: &path }, Board::default());
            let vouched = Some(vouched);
            match partition {
                Some(number) => restore::export_partition((&files, vouched), number, target, &board)?,
                None => restore::export(&files, vouched, target, &board)?,
            }
            Ok(String::new())
        }
    }
}

/// Says that the file system can be looked into, or why not, and goes on until it is unmounted.
fn serve(question: &Question, driver: Driver, socket: &UnixStream) -> anyhow::Result<()> {
    let file = File::from(rustix::stdio::stdout().try_clone_to_owned()?);
    let device = File::from(rustix::stdio::stderr().try_clone_to_owned()?);
    // Nothing else may keep the device open, and no panic may write into it.
    let null = File::open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    let lacks = confined::enter(&question.limits(), None)?;
    let say = |result: Result<String, String>, lacks: Vec<String>| -> anyhow::Result<()> {
        let mut socket = socket;
        socket.write_all(&serde_json::to_vec(&Answer { lacks, result })?)?;
        Ok(socket.shutdown(Shutdown::Both)?)
    };
    let mut is_up = false;
    let up = || {
        is_up = true;
        // Who has asked is told by the end of the process too.
        let _told = say(Ok(String::new()), lacks.clone());
    };
    match front::serve(driver, file, device, up) {
        Err(error) if !is_up => say(Err(error.to_string()), lacks),
        ended => Ok(ended?),
    }
}

/// The file on the standard output, for this user, and open in the programs that are started.
fn given(user: u32) -> anyhow::Result<OwnedFd> {
    let file = rustix::stdio::stdout().try_clone_to_owned()?;
    if geteuid().is_root() {
        let given = fchown(&file, Some(Uid::from_raw(user)), Some(Gid::from_raw(user)));
        given.context("the file cannot be given to a confined process")?;
    }
    rustix::io::fcntl_setfd(&file, FdFlags::empty())?;
    Ok(file)
}

#[cfg(test)]
mod tests;
