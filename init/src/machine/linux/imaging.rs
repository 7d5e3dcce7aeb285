//! The imager of this machine: made ready, started, looked at and judged. Each function is one task.
//!
//! What is decided here is only which part of [`crate::sys`] and of [`crate::imager`] comes next.

mod capture;
mod planning;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evdev::KeyCode;
use ghost_contract::Mode;
use ghost_contract::report::{Entry, Outcome};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::failure::Failure;
use crate::imager::dos::{IMAGES, LOG, MARKS};
use crate::imager::evidence::Evidence;
use crate::imager::{Judgement, Launch, Program, Terminal, dosbox_x, dosemu, partclone};
use crate::job::Job;
use crate::screen::album::Album;
use crate::sys::child::{Children, Departure};
use crate::sys::keyboard::Keyboard;
use crate::sys::terminal::Modes;
use crate::sys::{counters, file, imager, modules, terminal, vga};
use crate::task::{Farewell, Finding, Glance};

/// How long the imager may take to end.
const END_LIMIT: Duration = Duration::from_secs(4);
/// So many lines of what DOS programs have written stand for the screen.
const SCREEN_LINES: usize = 25;

/// So many events wait for the page of screenshots to be written.
const MOST_HEARD: usize = 1000;

/// The imager that was made ready last.
#[derive(Clone, Default)]
pub(super) struct Bench {
    ready: Arc<Mutex<Option<Arc<Ready>>>>,
    /// What was reported since the last screenshot.
    heard: Arc<Mutex<VecDeque<Entry>>>,
}

/// An imager that can be started, or was.
struct Ready {
    mode: Mode,
    program: Program,
    launch: Launch,
    disks: Vec<String>,
    screens: PathBuf,
    album: Mutex<Album>,
    /// What its questions are answered with, if it asks any.
    keyboard: Option<Mutex<Keyboard>>,
    session: Mutex<Option<Pid>>,
    /// The modes of the terminal that it has, as they were before.
    modes: Option<Modes>,
}

/// A value that no thread leaves half changed: one that broke while it held it has not harmed it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ready {
    fn keyboard(&self) -> Result<MutexGuard<'_, Keyboard>, Failure> {
        self.keyboard.as_ref().map(locked).ok_or_else(|| Failure::new("this imager has no keyboard"))
    }

    fn end(&self, farewell: Farewell) -> Result<(), Failure> {
        let Some(session) = *locked(&self.session) else { return Ok(()) };
        let signal = match farewell {
            Farewell::Ask => Signal::SIGTERM,
            Farewell::Force => Signal::SIGKILL,
        };
        Ok(imager::end_session(session, signal, END_LIMIT)?)
    }
}

impl Bench {
    fn ready(&self) -> Result<Arc<Ready>, Failure> {
        locked(&self.ready).clone().ok_or_else(|| Failure::new("no imager has been made ready"))
    }

    /// Takes note of what is reported, for the page of screenshots. Never waits.
    pub(super) fn hear(&self, entry: Entry) {
        let mut heard = locked(&self.heard);
        if heard.len() == MOST_HEARD {
            heard.pop_front();
        }
        heard.push_back(entry);
    }

    /// Loads drivers, finds the disk, makes folders and files, and plugs the keyboard in.
    pub(super) fn prepare(&self, job: &Job, children: &Children) -> Result<Finding, Failure> {
        modules::load(children, &["sd_mod", "uinput", "evdev"])?;
        modules::load_if_useful(children, &[vga::MODULE])?;
        let disks = planning::find_disks(job, children)?;
        let program = Program::of(job.imager());
        if program == Program::Partclone {
            // By it the tools reach a stretch of a disk where the kernel knows of no partition.
            modules::load_if_useful(children, &["loop"])?;
        }
        imager::make_folders(program.folders())?;
        let screens = planning::bind_images(job, program.images())?;
        file::make_folder(&screens)?;
        let launch = planning::plan(job, &disks)?;
        imager::write_files(&launch)?;
        let keyboard = match program {
            Program::Dosemu | Program::DosboxX => Some(Mutex::new(Keyboard::plug_in()?)),
            Program::Partclone => None,
        };
        let name = launch.program.display().to_string();
        let command = format!("{name} {}", launch.arguments.join(" "));
        let modes = match launch.terminal {
            Terminal::FirstVt => Some(terminal::modes()?),
            Terminal::None => None,
        };
        let session = Mutex::new(None);
        let disks: Vec<String> = disks.into_iter().map(|disk| disk.name).collect();
        let finding = Finding::ImagerReady { imager: name, command, disks: disks.clone() };
        let album = Mutex::new(Album::new(title(job)));
        let ready =
            Ready { mode: job.mode, program, launch, disks, screens, album, keyboard, session, modes };
        *locked(&self.ready) = Some(Arc::new(ready));
        Ok(finding)
    }

    pub(super) fn start(
        &self,
        children: &Children,
        at_end: impl FnOnce(Departure) + Send + 'static,
    ) -> Result<Finding, Failure> {
        let ready = self.ready()?;
        let session = imager::start(&ready.launch, children, at_end)?;
        *locked(&ready.session) = Some(session);
        Ok(Finding::Done)
    }

    /// Reads counters, screen and progress.
    pub(super) fn look(&self, interface: &str, glance: Glance) -> Result<Finding, Failure> {
        let ready = self.ready()?;
        let counters = counters::read(&ready.disks, interface)?;
        let progress = match ready.program {
            Program::DosboxX | Program::Dosemu => None,
            Program::Partclone => partclone::progress(file::read(Path::new(partclone::PROGRESS))?.as_deref()),
        };
        Ok(Finding::Seen { counters, text: capture::text(&ready, glance)?, progress })
    }

    pub(super) fn type_keys(&self, keys: &[KeyCode]) -> Result<Finding, Failure> {
        self.ready()?.keyboard()?.type_keys(keys)?;
        Ok(Finding::Done)
    }

    /// Ends it and all that it has started, and puts the terminal right that it had: a person at the machine
    /// must be able to type and read, whatever became of the imager.
    pub(super) fn end(&self, farewell: Farewell) -> Result<Finding, Failure> {
        let ready = self.ready()?;
        let ended = ready.end(farewell);
        ready.modes.as_ref().map_or(Ok(()), terminal::put_back)?;
        ended?;
        Ok(Finding::Done)
    }

    /// Finds out what it has done.
    pub(super) fn judge(&self) -> Result<Finding, Failure> {
        let ready = self.ready()?;
        ready.end(Farewell::Force)?;
        if ready.mode == Mode::Ghost {
            // What a person did there is for that person to judge.
            return Ok(Finding::Judged(Judgement::of(Outcome::Succeeded)));
        }
        Ok(Finding::Judged(match ready.program {
            Program::Dosemu => dos_evidence(dosemu::complaint)?.judge(ready.mode),
            Program::DosboxX => dos_evidence(dosbox_x::complaint)?.judge(ready.mode),
            Program::Partclone => partclone_evidence(ready.disks.len())?.judge(ready.mode),
        }))
    }
}

/// What the page of screenshots is about.
fn title(job: &Job) -> String {
    match &job.order {
        Some(order) => format!("{}: {} {}", order.host, job.mode, order.job),
        None => format!("{} without an order", job.mode),
    }
}

/// What a DOS program and its emulator have left; the emulator's log is asked for what it complains of.
fn dos_evidence(complaint: fn(&str) -> Option<String>) -> Result<Evidence, Failure> {
    let marks = imager::files(Path::new(MARKS))?;
    Ok(Evidence {
        error_text: imager::error_text(&marks)?,
        marks,
        images: imager::files(Path::new(IMAGES))?,
        free: imager::free_space(Path::new(IMAGES))?,
        complaint: complaint(&log()?),
    })
}

/// What `ghost-imager` has left of a job on so many disks.
fn partclone_evidence(disks: usize) -> Result<partclone::Evidence, Failure> {
    let descriptions = (0..).take(disks).map(|index| file::read(&partclone::description(index)));
    Ok(partclone::Evidence {
        result: file::read(Path::new(partclone::RESULT))?,
        progress: file::read(Path::new(partclone::PROGRESS))?,
        descriptions: descriptions.collect::<Result<_, _>>()?,
    })
}

fn log() -> Result<String, Failure> {
    let bytes = file::read(Path::new(LOG))?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What DOS programs have written last, if anything.
fn dos_screen() -> Result<Option<String>, Failure> {
    let text = dosbox_x::screen_text(&log()?);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.split_at(lines.len().saturating_sub(SCREEN_LINES)).1;
    Ok((!last.is_empty()).then(|| last.join("\n")))
}
