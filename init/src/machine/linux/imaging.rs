//! The imager of this machine: made ready, started, looked at and judged. Each function is one task.
//!
//! What is decided here is only which part of [`crate::sys`] and of [`crate::imager`] comes next.

mod planning;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evdev::KeyCode;
use ghost_contract::{Mode, report::Outcome};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::failure::Failure;
use crate::imager::evidence::Evidence;
use crate::imager::{CAPTURES, Emulator, IMAGES, LOG, Launch, MARKS, Terminal, dosbox_x};
use crate::job::Job;
use crate::screen::Screen;
use crate::sys::child::{Children, Departure};
use crate::sys::keyboard::Keyboard;
use crate::sys::terminal::Modes;
use crate::sys::{counters, file, imager, modules, terminal, vga};
use crate::task::{Farewell, Finding};

/// How long dosbox-x may take to write a picture.
const PICTURE_LIMIT: Duration = Duration::from_secs(6);
/// How long the imager may take to end.
const END_LIMIT: Duration = Duration::from_secs(4);
/// So many lines of what DOS programs have written stand for the screen.
const SCREEN_LINES: usize = 25;

/// The imager that was made ready last.
#[derive(Clone, Default)]
pub(super) struct Bench(Arc<Mutex<Option<Arc<Ready>>>>);

/// An imager that can be started, or was.
struct Ready {
    mode: Mode,
    emulator: Emulator,
    launch: Launch,
    disk: String,
    screens: PathBuf,
    keyboard: Mutex<Keyboard>,
    session: Mutex<Option<Pid>>,
    /// The modes of the terminal that it has, as they were before.
    modes: Option<Modes>,
}

/// A value that no thread leaves half changed: one that broke while it held it has not harmed it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ready {
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
        locked(&self.0).clone().ok_or_else(|| Failure::new("no imager has been made ready"))
    }

    /// Loads drivers, finds the disk, makes folders and files, and plugs the keyboard in.
    pub(super) fn prepare(&self, job: &Job, children: &Children) -> Result<Finding, Failure> {
        modules::load(children, &["sd_mod", "uinput", "evdev"])?;
        modules::load_if_useful(children, vga::MODULE)?;
        let disk = planning::find_disk(children)?;
        imager::make_folders()?;
        let screens = planning::bind_images(job)?;
        file::make_folder(&screens)?;
        let (emulator, launch) = planning::plan(job, &disk)?;
        imager::write_files(&launch)?;
        let keyboard = Mutex::new(Keyboard::plug_in()?);
        let name = launch.program.display().to_string();
        let command = format!("{name} {}", launch.arguments.join(" "));
        let modes = match launch.terminal {
            Terminal::FirstVt => Some(terminal::modes()?),
            Terminal::None => None,
        };
        let session = Mutex::new(None);
        let disk = disk.name;
        let ready = Ready { mode: job.mode, emulator, launch, disk, screens, keyboard, session, modes };
        *locked(&self.0) = Some(Arc::new(ready));
        Ok(Finding::ImagerReady { imager: name, command })
    }

    /// Starts it.
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

    /// Reads counters and screen.
    pub(super) fn look(&self, interface: &str) -> Result<Finding, Failure> {
        let ready = self.ready()?;
        let counters = counters::read(&ready.disk, interface)?;
        let text = match ready.emulator {
            Emulator::DosboxX => dos_screen()?,
            Emulator::Dosemu => Some(terminal::screen()?.text()),
        };
        Ok(Finding::Seen { counters, text })
    }

    /// Types.
    pub(super) fn type_keys(&self, keys: &[KeyCode]) -> Result<Finding, Failure> {
        locked(&self.ready()?.keyboard).type_keys(keys)?;
        Ok(Finding::Done)
    }

    /// Saves what is on the screen: the imager's own picture, or else what the monitor shows.
    pub(super) fn capture(&self, name: String) -> Result<Finding, Failure> {
        let ready = self.ready()?;
        let (screen, text, source) = match own_picture(&ready)? {
            Some(picture) => (Screen::Png(picture), dos_screen()?, "dosbox-x"),
            None => {
                let (screen, source) = monitor()?;
                let text = screen.text();
                (screen, text, source)
            }
        };
        file::write(&ready.screens.join(format!("{name}.png")), &screen.png()?)?;
        if let Some(text) = text {
            file::write(&ready.screens.join(format!("{name}.txt")), text.as_bytes())?;
        }
        Ok(Finding::Captured { name, source: source.to_owned() })
    }

    /// Removes a screenshot.
    pub(super) fn remove(&self, name: &str) -> Result<Finding, Failure> {
        let ready = self.ready()?;
        for ending in ["png", "txt"] {
            file::remove(&ready.screens.join(format!("{name}.{ending}")))?;
        }
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
            return Ok(Finding::Judged(Outcome::Succeeded));
        }
        let marks = imager::files(Path::new(MARKS))?;
        let evidence = Evidence {
            error_text: imager::error_text(&marks)?,
            marks,
            images: imager::files(Path::new(IMAGES))?,
            complaint: ready.emulator.complaint(&log()?),
        };
        Ok(Finding::Judged(evidence.judge(ready.mode)))
    }
}

/// What a person at the machine sees, and where that was read: the VGA itself, graphics included, or the cells of
/// the console.
fn monitor() -> Result<(Screen, &'static str), Failure> {
    match vga::picture()? {
        Some(picture) => Ok((Screen::Picture(picture), vga::DEVICE)),
        None => Ok((Screen::Text(terminal::screen()?), terminal::CELLS)),
    }
}

/// The picture that the imager makes of its own screen, if it does and still runs.
fn own_picture(ready: &Ready) -> Result<Option<Vec<u8>>, Failure> {
    let runs = locked(&ready.session).is_some_and(imager::is_there);
    if !runs || ready.emulator != Emulator::DosboxX {
        return Ok(None);
    }
    let folder = Path::new(CAPTURES);
    let before = imager::files(folder)?;
    locked(&ready.keyboard).press(&dosbox_x::PICTURE_KEYS)?;
    match imager::wait_for_new_file(folder, &before, PICTURE_LIMIT)? {
        Some(path) => {
            let picture = file::bytes(&path)?;
            file::remove(&path)?;
            Ok(Some(picture))
        }
        None => Ok(None),
    }
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
