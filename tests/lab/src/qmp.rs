//! Talking to a running PC's monitor (QEMU Machine Protocol: one JSON value a line).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::control::connect;
use crate::pc::{ADAPTER, MONITOR, WIRE};

/// An open monitor. It talks to one at a time.
#[derive(Debug)]
pub(crate) struct Monitor(BufReader<UnixStream>);

impl Monitor {
    /// Opens the monitor of the PC in this folder.
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        let mut monitor = Self(BufReader::new(
            connect(folder, MONITOR).context("cannot talk to the PC's monitor: is it on?")?,
        ));
        let _greeting = monitor.read()?;
        monitor.command("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    /// Saves a picture of the screen as PNG.
    pub(crate) fn screendump(&mut self, path: &Path) -> anyhow::Result<()> {
        self.command("screendump", &json!({ "filename": path, "format": "png" })).map(drop)
    }

    /// Writes a piece of the PC's memory to a file.
    pub(crate) fn save_memory(&mut self, path: &Path, address: u64, size: usize) -> anyhow::Result<()> {
        self.command("pmemsave", &json!({ "val": address, "size": size, "filename": path })).map(drop)
    }

    /// Presses the power button of a PC that is on.
    pub(crate) fn power_button(&mut self) -> anyhow::Result<()> {
        self.command("system_powerdown", &json!({})).map(drop)
    }

    /// Plugs the network cable in or out. Both ends see it.
    pub(crate) fn set_link(&mut self, is_plugged_in: bool) -> anyhow::Result<()> {
        self.command("set_link", &json!({ "name": WIRE, "up": is_plugged_in })).map(drop)
    }

    /// Lets the PC's disk be as fast as it can.
    pub(crate) fn unthrottle_disk(&mut self) -> anyhow::Result<()> {
        let none = json!({ "device": "disk", "bps": 0, "bps_rd": 0, "bps_wr": 0, "iops": 0, "iops_rd": 0, "iops_wr": 0 });
        self.command("block_set_io_throttle", &none).map(drop)
    }

    /// Has the PC's disk show itself, where its configuration has it do so late.
    pub(crate) fn show_disk(&mut self) -> anyhow::Result<()> {
        let disk = json!({ "driver": "scsi-hd", "drive": "disk", "bus": format!("{ADAPTER}.0") });
        self.command("device_add", &disk).map(drop)
    }

    /// Presses keys together, by QEMU's names for them (`QKeyCode`).
    pub(crate) fn press_keys(&mut self, keys: &[&str]) -> anyhow::Result<()> {
        let keys: Vec<Value> = keys.iter().map(|key| json!({ "type": "qcode", "data": key })).collect();
        self.command("send-key", &json!({ "keys": keys })).map(drop)
    }

    /// Whether the PC has come to its end and stands still, as `-action shutdown=pause` has it.
    pub(crate) fn stands_still(&mut self) -> anyhow::Result<bool> {
        let status = self.command("query-status", &json!({}))?;
        Ok(status["status"] == "shutdown")
    }

    /// Resets the PC, and has it run if it stood still.
    pub(crate) fn reset(&mut self) -> anyhow::Result<()> {
        self.command("system_reset", &json!({}))?;
        self.command("cont", &json!({})).map(drop)
    }

    /// What the monitor returns for a command.
    fn command(&mut self, command: &str, arguments: &Value) -> anyhow::Result<Value> {
        let line = json!({ "execute": command, "arguments": arguments }).to_string() + "\n";
        self.0
            .get_mut()
            .write_all(line.as_bytes())
            .with_context(|| format!("cannot ask the PC's monitor for {command}"))?;
        loop {
            let mut answer = self.read()?;
            if let Some(returned) = answer.get_mut("return") {
                return Ok(returned.take());
            }
            if let Some(error) = answer.get("error") {
                bail!("the PC's monitor refused {command}: {error}");
            }
            // Anything else is an event; nothing here waits for events.
        }
    }

    fn read(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        if self.0.read_line(&mut line).context("cannot hear the PC's monitor")? == 0 {
            bail!("the PC's monitor went away: the PC is off");
        }
        serde_json::from_str(&line).context("the PC's monitor does not speak QMP")
    }
}
