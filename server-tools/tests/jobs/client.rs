//! A client that is not there: it finds its order, waits until it would be booted, and writes its report.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ghost_contract::report::{Entry, Event, Outcome};
use ghost_contract::{Mode, Order, UnixTime, layout};

use super::boot_server::{BootServer, Restarts};
use super::saved_disk::SavedDisk;

/// What a test lets happen at a moment of its choice.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<AtomicBool>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_open(&self) -> impl Fn() -> bool + Send + 'static {
        let gate = Arc::clone(&self.0);
        move || gate.load(Ordering::Relaxed)
    }
}

/// What it does once it is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Its job, and then it goes off.
    Succeeds,
    /// Its job, with an image of so many bytes.
    SucceedsWith(u64),
    /// Its job, with screenshots: one of its own, and one when it is asked for it.
    ShowsItsScreen,
    /// Its job, without an image.
    #[cfg(feature = "crash-points")]
    Fails,
    /// Its job, with the image of a disk that the Linux imager has made.
    SavesADisk,
}

pub(crate) struct Client {
    gone: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// The client at 192.168.7.`number`, which is off until it is offered the boot file.
    pub(crate) fn off(server: &BootServer, number: u8, behaviour: Behaviour) -> Self {
        Self::waiting(server, number, behaviour, Box::new(|| true))
    }

    /// As [`Self::off`], and it does not come up before something is so.
    pub(crate) fn waiting(
        server: &BootServer,
        number: u8,
        behaviour: Behaviour,
        may_come_up: Box<dyn Fn() -> bool + Send>,
    ) -> Self {
        Self::living(server, number, behaviour, may_come_up, None)
    }

    /// One that does its job without looking at what DHCP offers meanwhile, as a real one does. It comes up when the first
    /// is so, and ends when the second is so.
    pub(crate) fn working_until(
        server: &BootServer,
        number: u8,
        may_come_up: impl Fn() -> bool + Send + 'static,
        may_end: impl Fn() -> bool + Send + 'static,
    ) -> Self {
        let may_end: Box<dyn Fn() -> bool + Send> = Box::new(may_end);
        Self::living(server, number, Behaviour::Succeeds, Box::new(may_come_up), Some(may_end))
    }

    fn living(
        server: &BootServer,
        number: u8,
        behaviour: Behaviour,
        may_come_up: Box<dyn Fn() -> bool + Send>,
        may_end: Option<Box<dyn Fn() -> bool + Send>>,
    ) -> Self {
        let gone = Arc::new(AtomicBool::new(false));
        let life = Life {
            base: server.home_of_tree(number),
            store: server.written_to(),
            configuration: server.configuration(),
            restarts: server.counted(),
            restarts_before: server.restarts(),
            offered: server.offered_line(number),
            number,
            may_come_up,
            may_end,
            gone: Arc::clone(&gone),
        };
        Self { gone, thread: Some(std::thread::spawn(move || life.live(behaviour))) }
    }
}

impl Client {
    /// Waits until it has gone off.
    pub(crate) fn wait_done(mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// A test of pc2 that has swapped. Its client comes up when the gate opens, and is done with its work at once.
pub(crate) fn swapped_test(server: &BootServer, comes_up: &Gate) -> (Client, Child) {
    let client = Client::working_until(server, 2, comes_up.is_open(), || true);
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    (client, running)
}

struct Life {
    /// The folder that its tree lies in.
    base: PathBuf,
    store: PathBuf,
    configuration: PathBuf,
    restarts: Restarts,
    /// How many there were before it: an earlier offer is not for it.
    restarts_before: usize,
    /// What the configuration says when it is offered the boot file.
    offered: String,
    number: u8,
    may_come_up: Box<dyn Fn() -> bool + Send>,
    /// If there is one, it is what ends the job, and the revert is not waited for.
    may_end: Option<Box<dyn Fn() -> bool + Send>>,
    gone: Arc<AtomicBool>,
}

impl Life {
    fn live(&self, behaviour: Behaviour) {
        let is_offered = || {
            let configured = fs::read_to_string(&self.configuration).unwrap_or_default();
            configured.contains(&self.offered)
        };
        let can_boot =
            || is_offered() && self.restarts.count() > self.restarts_before && (self.may_come_up)();
        let Some(order) = self.wait(|| self.order().filter(|_| can_boot())) else { return };
        self.say(Event::Up {
            version: "0".to_owned(),
            kernel: "6".to_owned(),
            interface: "eth0".to_owned(),
            mac: order.mac,
            ip: [192, 168, 7, self.number].into(),
        });
        let is_reverted = || self.may_end.is_some() || !is_offered();
        let Some(()) = self.wait(|| is_reverted().then_some(())) else { return };
        self.say(Event::OrderClaimed { job: order.job.clone(), mode: order.mode });
        let may_end = || self.may_end.as_ref().is_none_or(|may_end| may_end());
        let Some(()) = self.wait(|| may_end().then_some(())) else { return };
        let staging = self.store.join(layout::staging(&order.host, &order.job));
        if behaviour == Behaviour::ShowsItsScreen {
            let screens = staging.join(layout::SCREENS);
            fs::create_dir(&screens).unwrap();
            let save = |name: &str, text: &str| {
                fs::write(screens.join(format!("{name}.txt")), text).unwrap();
                fs::write(screens.join(format!("{name}.png")), format!("PNG of {text}")).unwrap();
            };
            save("0001-interval", "Ghost is at work\n");
            let asked =
                || fs::read(self.etc().join(layout::SCREEN_REQUEST)).ok().filter(|word| !word.is_empty());
            let Some(_word) = self.wait(asked) else { return };
            save("0002-asked", "Ghost is at 42 %\n");
        }
        let size = match behaviour {
            Behaviour::Succeeds | Behaviour::ShowsItsScreen => 5,
            Behaviour::SucceedsWith(size) => size,
            #[cfg(feature = "crash-points")]
            Behaviour::Fails => 0,
            Behaviour::SavesADisk => {
                SavedDisk::get().save_to(&staging);
                0
            }
        };
        if order.mode == Mode::Backup && size > 0 {
            let image = staging.join("image.gho");
            let _ended_by_a_crash = fs::File::create(image).and_then(|file| file.set_len(size));
        }
        if order.needs_scratch() {
            // As an imager that was ended does.
            let _ended_by_a_crash = fs::write(staging.join("disk0.scratch"), "half a file system");
        }
        self.say(Event::Ended { outcome: Outcome::Succeeded });
        self.say(Event::PoweringOff { reboot: false });
    }

    fn order(&self) -> Option<Order> {
        Order::parse(&fs::read(self.etc().join(layout::ORDER)).ok()?).ok()
    }

    fn etc(&self) -> PathBuf {
        self.base.join(format!("192.168.7.{}etc", self.number))
    }

    fn say(&self, event: Event) {
        let line = Entry { at: UnixTime::from_millis(0), uptime: 0, event }.to_line().unwrap();
        let report = self.base.join(format!("192.168.7.{}var", self.number)).join(Path::new(layout::REPORT));
        let opened = OpenOptions::new().append(true).create(true).open(report);
        let _tree_is_gone = opened.and_then(|mut report| report.write_all(line.as_bytes()));
    }

    fn wait<T>(&self, mut wanted: impl FnMut() -> Option<T>) -> Option<T> {
        while !self.gone.load(Ordering::Relaxed) {
            if let Some(found) = wanted() {
                return Some(found);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}
