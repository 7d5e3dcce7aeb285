//! One PC of a lab that is up.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use super::{Lab, SWITCHED_ON};
use crate::config::{Nic, PcConfig};
use crate::control::{PcStatus, Request};
use crate::pc::{CONSOLE, DISK};
use crate::qmp::Monitor;
use crate::wait;

/// How long a PC may take to be off once its power is cut.
const CUT: Duration = Duration::from_secs(30);
/// How many lines of a console are enough to see what went wrong.
const LAST_LINES: usize = 20;

/// Where a VGA in text mode shows its memory, and how many cells that is.
const TEXT_MEMORY: u64 = 0xb_8000;
const ROWS: usize = 25;
const COLUMNS: usize = 80;

/// A PC, on or off.
#[derive(Debug, Clone, Copy)]
pub struct Pc<'lab> {
    lab: &'lab Lab,
    config: &'lab PcConfig,
}

impl<'lab> Pc<'lab> {
    pub(super) const fn new(lab: &'lab Lab, config: &'lab PcConfig) -> Self {
        Self { lab, config }
    }

    pub const fn config(&self) -> &'lab PcConfig {
        self.config
    }

    pub fn status(&self) -> anyhow::Result<PcStatus> {
        let mut all = self.lab.status()?.into_iter();
        let own = all.find(|pc| pc.name == self.config.name);
        own.with_context(|| format!("the lab does not know {}", self.config.name))
    }

    /// Presses its power button while it is off.
    pub fn switch_on(&self) -> anyhow::Result<()> {
        self.lab.ask(&Request::SwitchOn(self.config.name.clone())).map(drop)
    }

    /// Presses its power button while it is on, which asks its system to power off.
    pub fn press_power_button(&self) -> anyhow::Result<()> {
        self.monitor()?.power_button()
    }

    /// Whether it has come to its end and did not go off: `-action shutdown=pause`.
    pub fn stands_still(&self) -> anyhow::Result<bool> {
        self.monitor()?.stands_still()
    }

    /// Resets it.
    pub fn reset(&self) -> anyhow::Result<()> {
        self.monitor()?.reset()
    }

    /// Pulls its network cable out while it is on.
    pub fn unplug(&self) -> anyhow::Result<()> {
        self.monitor()?.set_link(false)
    }

    /// Plugs its network cable in again.
    pub fn plug_in(&self) -> anyhow::Result<()> {
        self.monitor()?.set_link(true)
    }

    /// Lets its disk be as fast as it can, whatever its `disk_rate` is. It is on.
    pub fn unthrottle_disk(&self) -> anyhow::Result<()> {
        self.monitor()?.unthrottle_disk()
    }

    /// Has its disk show itself, if it does so late. It is on.
    pub fn show_disk(&self) -> anyhow::Result<()> {
        self.monitor()?.show_disk()
    }

    /// Presses keys together on its keyboard, by QEMU's names for them.
    pub fn press_keys(&self, keys: &[&str]) -> anyhow::Result<()> {
        self.monitor()?.press_keys(keys)
    }

    /// Takes its power away, and waits until it is off.
    pub fn cut_power(&self) -> anyhow::Result<()> {
        self.lab.ask(&Request::CutPower(self.config.name.clone()))?;
        self.wait_off(CUT)
    }

    /// Puts this card into it; the address stays.
    pub fn insert(&self, nic: Nic) -> anyhow::Result<()> {
        self.lab.ask(&Request::Insert(self.config.name.clone(), nic)).map(drop)
    }

    pub fn is_off(&self) -> anyhow::Result<bool> {
        Ok(!self.status()?.on)
    }

    /// Waits until it is off.
    pub fn wait_off(&self, deadline: Duration) -> anyhow::Result<()> {
        let what = format!("{} to be off", self.config.name);
        wait::until(&what, deadline, || self.is_off().map(|off| off.then_some(())).transpose())?
    }

    /// Waits until it is on, and its monitor answers.
    pub fn wait_on(&self, deadline: Duration) -> anyhow::Result<()> {
        let what = format!("{} to be on", self.config.name);
        let is_on = || Ok(!self.is_off()? && self.monitor().is_ok());
        wait::until(&what, deadline, || is_on().map(|on| on.then_some(())).transpose())?
    }

    /// What it wrote to its serial line since it was last switched on, with what switched it on as first line.
    pub fn console(&self) -> anyhow::Result<String> {
        let whole = self.whole_console()?;
        let begin = whole.rfind(SWITCHED_ON).unwrap_or(0);
        Ok(whole[begin..].to_owned())
    }

    /// What it wrote to its serial line since the lab is up; nothing if it has not been on.
    pub fn whole_console(&self) -> anyhow::Result<String> {
        let path = self.folder().join(CONSOLE);
        match fs::read(&path) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Waits until its serial line has shown `text` since it was last switched on.
    pub fn wait_console(&self, text: &str, deadline: Duration) -> anyhow::Result<()> {
        let what = format!("'{text}' on the console of {}", self.config.name);
        wait::until(&what, deadline, || self.look_for(text).transpose())?
    }

    fn look_for(&self, text: &str) -> anyhow::Result<Option<()>> {
        // First how it is and then what it said, so that no last words are missed.
        let off = self.is_off()?;
        let console = self.console()?;
        if console.contains(text) {
            return Ok(Some(()));
        }
        if !off {
            return Ok(None);
        }
        let lines: Vec<&str> = console.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
        bail!("{} went off without '{text}' on its console; the last lines were:\n{last}", self.config.name)
    }

    /// The checksum of its disk.
    pub fn disk_sha256(&self) -> anyhow::Result<[u8; 32]> {
        let path = self.folder().join(DISK);
        checksum(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Saves a picture of its screen as PNG.
    pub fn screendump(&self, path: &Path) -> anyhow::Result<()> {
        self.monitor()?.screendump(path)
    }

    /// The text on its screen, a line a row, if the screen is a VGA's in text mode.
    pub fn screen_text(&self) -> anyhow::Result<String> {
        let path = self.folder().join("screen.text");
        self.monitor()?.save_memory(&path, TEXT_MEMORY, ROWS * COLUMNS * 2)?;
        let cells = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(text_of(&cells))
    }

    fn monitor(&self) -> anyhow::Result<Monitor> {
        Monitor::open(&self.folder())
            .with_context(|| format!("cannot use the monitor of {}", self.config.name))
    }

    pub(super) fn folder(&self) -> std::path::PathBuf {
        self.lab.folder.pc(&self.config.name)
    }
}

/// Cells of a VGA's text mode, a character and an attribute each, as lines.
fn text_of(cells: &[u8]) -> String {
    let row = |cells: &[u8]| {
        let printable = |cell: &[u8]| if cell[0].is_ascii_graphic() { char::from(cell[0]) } else { ' ' };
        cells.chunks_exact(2).map(printable).collect::<String>().trim_end().to_owned()
    };
    cells.chunks_exact(COLUMNS * 2).map(row).collect::<Vec<_>>().join("\n")
}

fn checksum(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut block)?;
        if length == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&block[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_without_its_colours_and_what_is_no_letter_is_a_space() {
        let mut cells = [b' ', 7].repeat(COLUMNS * 2);
        for (cell, byte) in cells.chunks_exact_mut(2).zip(*b"not\xfe64") {
            cell[0] = byte;
        }
        cells[COLUMNS * 2] = b'!';
        assert_eq!(text_of(&cells), "not 64\n!");
    }
}
