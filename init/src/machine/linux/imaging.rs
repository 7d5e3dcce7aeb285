//! The imager of this machine: made ready, started, looked at and judged. Each function is one task.
//!
//! What is decided here is only which part of [`crate::sys`] and of [`crate::imager`] comes next.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use evdev::KeyCode;
use ghost_contract::layout;
use ghost_contract::order::{Imager, Order};
use ghost_contract::{Mode, report::Outcome};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::bootdisk;
use crate::disk::{self, Settling};
use crate::failure::Failure;
use crate::imager::evidence::Evidence;
use crate::imager::{CAPTURES, Commission, IMAGES, LOG, Launch, MARKS, TEMPLATE, dosbox_x};
use crate::job::Job;
use crate::screen::Screen;
use crate::sys::child::{Children, Departure};
use crate::sys::keyboard::Keyboard;
use crate::sys::{counters, disks, file, imager, modules, mount, terminal};
use crate::task::{Farewell, Finding};

/// How long the drivers may take until they show a disk.
const DISK_LIMIT: Duration = Duration::from_secs(20);
/// Between two looks at whether a disk is there.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long dosbox-x may take to write a picture.
const PICTURE_LIMIT: Duration = Duration::from_secs(6);
/// How long the imager may take to end.
const END_LIMIT: Duration = Duration::from_secs(4);
/// So many lines of what DOS programs have written stand for the screen.
const SCREEN_LINES: usize = 25;
/// Where screenshots are kept when a job writes no generation, below the client's `/var`.
const OWN_SCREENS: &str = "/var/ghost/screens";

/// The imager that was made ready last.
#[derive(Clone, Default)]
pub(super) struct Bench(Arc<Mutex<Option<Arc<Ready>>>>);

/// An imager that can be started, or was.
struct Ready {
    mode: Mode,
    launch: Launch,
    disk: String,
    screens: PathBuf,
    keyboard: Mutex<Keyboard>,
    session: Mutex<Option<Pid>>,
}

/// A value that no thread leaves half changed: one that broke while it held it has not harmed it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bench {
    fn ready(&self) -> Result<Arc<Ready>, Failure> {
        locked(&self.0).clone().ok_or_else(|| Failure::new("no imager has been made ready"))
    }

    /// Loads drivers, finds the disk, makes folders and files, and plugs the keyboard in.
    pub(super) fn prepare(&self, job: &Job, children: &Children) -> Result<Finding, Failure> {
        modules::load(children, &["sd_mod", "uinput", "evdev"])?;
        let disk = find_disk(children)?;
        imager::make_folders()?;
        let screens = bind_images(job)?;
        file::make_folder(&screens)?;
        let launch = plan(job, &Path::new("/dev").join(&disk))?;
        imager::write_files(&launch)?;
        let keyboard = Mutex::new(Keyboard::plug_in()?);
        let name = launch.program.display().to_string();
        let command = format!("{name} {}", launch.arguments.join(" "));
        let ready = Ready { mode: job.mode, launch, disk, screens, keyboard, session: Mutex::new(None) };
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
        Ok(Finding::Seen { counters, text: dos_screen()? })
    }

    /// Types.
    pub(super) fn type_keys(&self, keys: &[KeyCode]) -> Result<Finding, Failure> {
        locked(&self.ready()?.keyboard).type_keys(keys)?;
        Ok(Finding::Done)
    }

    /// Saves what is on the screen: the imager's own picture, or else the console's text.
    pub(super) fn capture(&self, name: String) -> Result<Finding, Failure> {
        let ready = self.ready()?;
        let (screen, text, source) = match own_picture(&ready)? {
            Some(picture) => (Screen::Png(picture), dos_screen()?, "dosbox-x"),
            None => {
                let screen = Screen::Text(terminal::screen()?);
                let text = screen.text();
                (screen, text, terminal::CELLS)
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

    /// Ends it and all that it has started.
    pub(super) fn end(&self, farewell: Farewell) -> Result<Finding, Failure> {
        let ready = self.ready()?;
        let session = *locked(&ready.session);
        let signal = match farewell {
            Farewell::Ask => Signal::SIGTERM,
            Farewell::Force => Signal::SIGKILL,
        };
        session.map_or(Ok(()), |session| imager::end_session(session, signal, END_LIMIT))?;
        Ok(Finding::Done)
    }

    /// Finds out what it has done.
    pub(super) fn judge(&self) -> Result<Finding, Failure> {
        let ready = self.ready()?;
        self.end(Farewell::Force)?;
        if ready.mode == Mode::Ghost {
            // What a person did there is for that person to judge.
            return Ok(Finding::Judged(Outcome::Succeeded));
        }
        let marks = imager::files(Path::new(MARKS))?;
        let evidence = Evidence {
            error_text: imager::error_text(&marks)?,
            marks,
            images: imager::files(Path::new(IMAGES))?,
            complaint: dosbox_x::complaint(&log()?),
        };
        Ok(Finding::Judged(evidence.judge(ready.mode)))
    }
}

/// The first disk's name. Drivers show their disks some time after they were loaded, and a controller's
/// driver may bring devices that want further ones.
fn find_disk(children: &Children) -> Result<String, Failure> {
    let started = Instant::now();
    let mut settling = Settling::default();
    loop {
        modules::load_for_devices(children)?;
        let devices = disks::all()?;
        if let Some(disk) = settling.observe(&devices, started.elapsed()) {
            return Ok(disk.name);
        }
        if started.elapsed() >= DISK_LIMIT {
            disk::first(&devices)?;
            return Err(Failure::new("it cannot be said which disk is the first: they come and go"));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Makes the folder of the images seen at its fixed place, so that DOS never sees a name that changes. Gives
/// the folder of the screenshots.
fn bind_images(job: &Job) -> Result<PathBuf, Failure> {
    let images = Path::new(IMAGES);
    let Some(folder) = job.order.as_ref().and_then(|order| image_folder(job.mode, order)) else {
        return Ok(PathBuf::from(OWN_SCREENS));
    };
    let folder = Path::new(layout::STORE_MOUNT_POINT).join(folder);
    if !folder.is_dir() {
        return Err(Failure::new(format!("the image store has no folder {}", folder.display())));
    }
    mount::bind(&folder, images)?;
    if job.mode == Mode::Backup {
        return Ok(images.join(layout::SCREENS));
    }
    mount::protect(images)?;
    Ok(PathBuf::from(OWN_SCREENS))
}

/// What DOS has as Z:, below the image store.
fn image_folder(mode: Mode, order: &Order) -> Option<PathBuf> {
    match mode {
        Mode::Backup => Some(layout::staging(&order.host, &order.job)),
        Mode::Verify | Mode::Restore => {
            order.generation.as_ref().map(|generation| layout::generation(&order.host, generation))
        }
        Mode::Test | Mode::Ghost => None,
    }
}

fn plan(job: &Job, disk: &Path) -> Result<Launch, Failure> {
    let Some(Imager::DosboxX(program)) = job.order.as_ref().and_then(|order| order.imager.as_ref()) else {
        return Err(Failure::new("this release runs no imager but dosbox-x"));
    };
    let commission = Commission { mode: job.mode, command: &program.command, disk };
    let template = file::bytes(Path::new(TEMPLATE))?;
    Ok(dosbox_x::prepare(&commission, bootdisk::extract(template)?)?)
}

/// The picture that the imager makes of its own screen, if it still runs.
fn own_picture(ready: &Ready) -> Result<Option<Vec<u8>>, Failure> {
    let runs = locked(&ready.session).is_some_and(imager::is_there);
    if !runs {
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
