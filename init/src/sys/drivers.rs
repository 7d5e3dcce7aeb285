//! Loads the drivers of a machine's devices, by one modprobe(8) each. Waits for none of them: one that hangs in the kernel
//! cannot be killed.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use super::child::{Children, Departure};
use super::{clock, file, modprobe, modules};
use crate::kernel_modules::loads::{Load, Loads};

/// Where things are on this machine.
#[derive(Debug, Clone)]
pub struct Places {
    pub modprobe: PathBuf,
    /// Where the kernel lists the devices of each bus.
    pub buses: PathBuf,
    /// `modules.alias`, as depmod(8) writes it. The kernel's own if none.
    pub table: Option<PathBuf>,
}

/// The drivers that were asked for.
#[derive(Debug)]
pub struct Drivers {
    places: Places,
    loads: Loads,
    tell: Sender<(String, Departure)>,
    ended: Receiver<(String, Departure)>,
}

impl Default for Drivers {
    fn default() -> Self {
        let modprobe = PathBuf::from(modprobe::NAME);
        Self::of(Places { modprobe, buses: PathBuf::from(modules::BUSES), table: None })
    }
}

impl Drivers {
    pub fn of(places: Places) -> Self {
        let (tell, ended) = mpsc::channel();
        Self { places, loads: Loads::default(), tell, ended }
    }

    /// Begins to load the drivers of devices that have shown themselves since the last time, all but the display's: that would
    /// take the text console away, and with it the screenshots.
    pub fn load_new(&mut self, children: &Children) -> anyhow::Result<()> {
        while let Ok(ended) = self.ended.try_recv() {
            self.note(&ended);
        }
        let known =
            if self.loads.is_queue_empty() { modules::aliases(&self.places.buses)? } else { Vec::new() };
        let new = self.loads.new_of(known);
        if !new.is_empty() {
            let table = match &self.places.table {
                Some(table) => file::text(table)?,
                None => modules::table_of_aliases()?,
            };
            self.loads.want(new, &table);
        }
        while let Some(driver) = self.loads.next(clock::uptime()) {
            let mut modprobe = Command::new(&self.places.modprobe);
            modprobe.args(["-b", "-q", &driver]).stdin(Stdio::null()).stdout(Stdio::null());
            let (tell, name) = (self.tell.clone(), driver.clone());
            // When the look for devices is over, nobody hears of it any more.
            let started = children.spawn(&mut modprobe, move |departure| drop(tell.send((name, departure))));
            started.inspect_err(|_| self.loads.failed(&driver))?;
        }
        Ok(())
    }

    /// Waits until a driver has been loaded, but not longer than this.
    pub fn wait(&mut self, limit: Duration) {
        if let Ok(ended) = self.ended.recv_timeout(limit) {
            self.note(&ended);
        }
    }

    /// Whether another driver may be there soon, besides those that last.
    pub fn is_busy(&self) -> bool {
        self.loads.is_busy(clock::uptime())
    }

    /// The driver that the others wait for, once it lasts.
    pub fn lasting(&self) -> Option<&str> {
        self.loads.lasting(clock::uptime())
    }

    /// What is not loaded yet.
    pub(crate) fn left(&self) -> impl Iterator<Item = &Load> {
        self.loads.left()
    }

    /// That a driver does not take its device, modprobe tells by its status, and the kernel's log says more.
    fn note(&mut self, (driver, departure): &(String, Departure)) {
        match departure {
            Departure::Exited(_) => self.loads.ended(driver),
            Departure::Killed(_) => self.loads.failed(driver),
        }
    }
}
