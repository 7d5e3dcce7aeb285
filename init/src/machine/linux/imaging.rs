//! Runs the imager on this machine. Each function is one task: make it ready, start it, look at it, judge it.
//!
//! Only decides which part of [`crate::sys`] and of [`crate::imager`] comes next.

mod capture;
mod planning;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use evdev::KeyCode;
use ghost_contract::Mode;
use ghost_contract::report::{Entry, Outcome};
use nix::unistd::Pid;

use crate::disk::Writes;
use crate::imager::{self, Imager, Input, Judgement, Launch, Terminal};
use crate::job::Job;
use crate::screen::album::Album;
use crate::sys::child::{Children, Departure};
use crate::sys::imager::{self as processes, MachineFiles};
use crate::sys::keyboard::Keyboard;
use crate::sys::read_only::ReadOnly;
use crate::sys::terminal::Modes;
use crate::sys::vga_mode::VgaMode;
use crate::sys::{counters, file, modules, terminal, vga};
use crate::task::{Farewell, Finding, Glance};

/// How long an imager that was killed may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(4);
/// How many events are kept until the page of screenshots is written.
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
    imager: Box<dyn Imager>,
    files: MachineFiles,
    launch: Launch,
    disks: Vec<String>,
    screens: PathBuf,
    album: Mutex<Album>,
    /// The keyboard that answers its questions, if it asks any.
    keyboard: Option<Mutex<Keyboard>>,
    /// The disks that are read-only while the imager may run.
    read_only: Mutex<Vec<ReadOnly>>,
    session: Mutex<Option<Pid>>,
    /// The modes of the terminal that it has, as they were before.
    modes: Option<Modes>,
    /// What the VGA behind it showed, if the imager has that too.
    vga: Option<VgaMode>,
}

/// Locks a value. A panic in another thread does not matter, because no thread leaves these values half changed.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ready {
    fn keyboard(&self) -> anyhow::Result<MutexGuard<'_, Keyboard>> {
        self.keyboard.as_ref().map(locked).context("this imager has no keyboard")
    }

    fn end(&self, farewell: Farewell) -> anyhow::Result<()> {
        let Some(session) = *locked(&self.session) else { return Ok(()) };
        match farewell {
            Farewell::Ask => processes::ask_to_end(session, self.imager.patience()),
            Farewell::Force => processes::kill_session(session, KILL_LIMIT),
        }
    }
}

impl Bench {
    fn ready(&self) -> anyhow::Result<Arc<Ready>> {
        locked(&self.ready).clone().context("no imager has been made ready")
    }

    /// Takes note of what is reported, for the page of screenshots. Never waits.
    pub(super) fn hear(&self, entry: Entry) {
        let mut heard = locked(&self.heard);
        if heard.len() == MOST_HEARD {
            heard.pop_front();
        }
        heard.push_back(entry);
    }

    /// Loads drivers, finds the disks, makes folders and files, and plugs the keyboard in.
    pub(super) fn prepare(&self, job: &Job, children: &Children) -> anyhow::Result<Finding> {
        modules::load(children, &["sd_mod", "uinput", "evdev"])?;
        modules::load_if_useful(children, &[vga::MODULE])?;
        let imager = imager::of(job.imager(), job.has_luks_key());
        let writes = if imager::writes_to_the_disk(job.mode) { Writes::Yes } else { Writes::No };
        let (disks, undone) = match imager.works_on_a_disk(job.mode) {
            true => planning::find_disks(job.disk(), writes, children)?,
            false => (Vec::new(), Vec::new()),
        };
        let needs = imager.needs();
        modules::load_if_useful(children, needs.useful_drivers)?;
        processes::make_folders(needs.folders)?;
        let screens = planning::bind_images(job, &needs)?;
        file::make_folder(&screens)?;
        let launch = imager.prepare(job.mode, &disks, &MachineFiles::WITHOUT_LOGS)?;
        launch.mounts.iter().try_for_each(planning::mount)?;
        processes::write_files(&launch)?;
        let files = MachineFiles::with_logs_of(&launch)?;
        launch.preparations.iter().try_for_each(|words| planning::run(words, children))?;
        let keyboard = match needs.input {
            Input::Keyboard => Some(Mutex::new(Keyboard::plug_in()?)),
            Input::Nothing => None,
        };
        let name = launch.program.display().to_string();
        let command = format!("{name} {}", launch.arguments.join(" "));
        let modes = match launch.terminal {
            Terminal::FirstVt | Terminal::FirstVga => Some(terminal::modes()?),
            Terminal::None => None,
        };
        let vga = match launch.terminal {
            Terminal::FirstVga => Some(VgaMode::save()?),
            Terminal::FirstVt | Terminal::None => None,
        };
        let session = Mutex::new(None);
        let read_only = match imager::writes_to_the_disk(job.mode) {
            true => Vec::new(),
            false => {
                disks.iter().map(|disk| ReadOnly::make(&disk.device())).collect::<anyhow::Result<_>>()?
            }
        };
        let read_only = Mutex::new(read_only);
        let disks: Vec<String> = disks.into_iter().map(|disk| disk.name).collect();
        let terminal = launch.terminal;
        let finding = Finding::ImagerReady { imager: name, command, disks: disks.clone(), terminal, undone };
        let album = Mutex::new(Album::new(title(job)));
        let ready = Ready {
            mode: job.mode,
            imager,
            files,
            launch,
            disks,
            screens,
            album,
            keyboard,
            read_only,
            session,
            modes,
            vga,
        };
        *locked(&self.ready) = Some(Arc::new(ready));
        Ok(finding)
    }

    pub(super) fn start(
        &self,
        children: &Children,
        at_end: impl FnOnce(Departure) + Send + 'static,
    ) -> anyhow::Result<Finding> {
        let ready = self.ready()?;
        let session = processes::start(&ready.launch, children, at_end)?;
        *locked(&ready.session) = Some(session);
        Ok(Finding::Done)
    }

    /// Reads counters, screen and progress.
    pub(super) fn look(&self, interface: &str, glance: Glance) -> anyhow::Result<Finding> {
        let ready = self.ready()?;
        let counters = counters::read(&ready.disks, interface)?;
        let progress = ready.imager.progress(&ready.files)?;
        let has_begun = ready.imager.has_begun(&ready.files)?;
        Ok(Finding::Seen { counters, text: capture::text(&ready, glance)?, has_begun, progress })
    }

    pub(super) fn type_keys(&self, keys: &[KeyCode]) -> anyhow::Result<Finding> {
        self.ready()?.keyboard()?.type_keys(keys)?;
        Ok(Finding::Done)
    }

    /// Ends it and all that it has started, and restores the terminal that it had: a person at the machine
    /// must be able to type and read, whatever became of the imager.
    pub(super) fn end(&self, farewell: Farewell) -> anyhow::Result<Finding> {
        let ready = self.ready()?;
        let ended = ready.end(farewell);
        // If it still runs after it was asked to end, it still has the terminal and the disk.
        if farewell == Farewell::Ask && ended.is_err() {
            return ended.map(|()| Finding::Done);
        }
        // Before the kernel draws its console anew.
        let vga = ready.vga.as_ref().map_or(Ok(()), VgaMode::put_back);
        let terminal = ready.modes.as_ref().map_or(Ok(()), terminal::put_back);
        let disks = match farewell {
            Farewell::Ask => Ok(()),
            Farewell::Force => locked(&ready.read_only).drain(..).try_for_each(ReadOnly::put_back),
        };
        all_of([ended, vga, terminal, disks])?;
        Ok(Finding::Done)
    }

    /// Finds out what it has done.
    pub(super) fn judge(&self) -> anyhow::Result<Finding> {
        let ready = self.ready()?;
        ready.end(Farewell::Force)?;
        if ready.mode == Mode::Ghost {
            // What a person did there is for that person to judge.
            return Ok(Finding::Judged(Judgement::of(Outcome::Succeeded)));
        }
        Ok(Finding::Judged(ready.imager.judge(ready.mode, ready.disks.len(), &ready.files)?))
    }
}

/// Success, or all errors, so that a failed clean-up does not hide why it was needed.
fn all_of(results: [anyhow::Result<()>; 4]) -> anyhow::Result<()> {
    let errors: Vec<String> =
        results.into_iter().filter_map(Result::err).map(|error| format!("{error:#}")).collect();
    ensure!(errors.is_empty(), errors.join("; "));
    Ok(())
}

/// What the page of screenshots is about.
fn title(job: &Job) -> String {
    match &job.order {
        Some(order) => format!("{}: {} {}", order.host, job.mode, order.job),
        None => format!("{} without an order", job.mode),
    }
}
