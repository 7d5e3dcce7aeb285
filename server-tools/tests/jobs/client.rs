//! A client that is not there: it finds its order, waits until it would be booted, and writes its report.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ghost_contract::report::{Entry, Event, Outcome};
use ghost_contract::{Mode, Order, UnixTime, layout};

use super::boot_server::BootServer;

/// What it does once it is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Its job, and then it goes off.
    Succeeds,
    /// Its job, without an image.
    #[cfg(feature = "crash-points")]
    Fails,
}

pub(crate) struct Client {
    gone: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// The client at 192.168.7.`number`, which is off until it is offered the boot file.
    pub(crate) fn off(server: &BootServer, number: u8, behaviour: Behaviour) -> Self {
        let gone = Arc::new(AtomicBool::new(false));
        let life = Life {
            base: server.path("base"),
            store: server.path("store"),
            configuration: server.configuration(),
            restarts: server.path("restarts"),
            number,
            gone: Arc::clone(&gone),
        };
        Self { gone, thread: Some(std::thread::spawn(move || life.live(behaviour))) }
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

struct Life {
    base: PathBuf,
    store: PathBuf,
    configuration: PathBuf,
    restarts: PathBuf,
    number: u8,
    gone: Arc<AtomicBool>,
}

impl Life {
    fn live(&self, behaviour: Behaviour) {
        let is_offered = || {
            let configured = fs::read_to_string(&self.configuration).unwrap_or_default();
            configured.contains(&format!("filename \"pxelinux.0\"; # pc{}\n", self.number))
        };
        let restarts_before = self.restarts();
        let can_boot = || is_offered() && self.restarts() > restarts_before;
        let Some(order) = self.wait(|| self.order().filter(|_| can_boot())) else { return };
        self.say(Event::Up {
            version: "0".to_owned(),
            kernel: "6".to_owned(),
            interface: "eth0".to_owned(),
            mac: order.mac,
            ip: [192, 168, 7, self.number].into(),
        });
        let Some(()) = self.wait(|| (!is_offered()).then_some(())) else { return };
        self.say(Event::OrderClaimed { job: order.job.clone(), mode: order.mode });
        if order.mode == Mode::Backup && behaviour == Behaviour::Succeeds {
            let _ended_by_a_crash = fs::write(
                self.store.join(layout::staging(&order.host, &order.job)).join("image.gho"),
                "image",
            );
        }
        self.say(Event::Ended { outcome: Outcome::Succeeded });
        self.say(Event::PoweringOff { reboot: false });
    }

    fn restarts(&self) -> usize {
        fs::read_to_string(&self.restarts).unwrap_or_default().lines().count()
    }

    fn order(&self) -> Option<Order> {
        let path = self.base.join(format!("192.168.7.{}etc", self.number)).join(layout::ORDER);
        Order::parse(&fs::read(path).ok()?).ok()
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
