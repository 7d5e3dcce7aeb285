//! Talking to a running PC's monitor (QEMU Machine Protocol: one JSON value a line).

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::control::connect;
use crate::pc::MONITOR;

/// Why the monitor did not do it.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// The PC is off, or the talk broke off.
    #[error("cannot talk to the PC's monitor")]
    Talk(#[from] io::Error),
    #[error("the PC's monitor refused {command}: {answer}")]
    Refused { command: String, answer: String },
}

/// An open monitor. It talks to one at a time.
#[derive(Debug)]
pub struct Monitor(BufReader<UnixStream>);

impl Monitor {
    /// Opens the monitor of the PC in this folder.
    pub fn open(folder: &Path) -> Result<Self, QmpError> {
        let mut monitor = Self(BufReader::new(connect(folder, MONITOR)?));
        let _greeting = monitor.read()?;
        monitor.command("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    /// Saves a picture of the screen as PNG.
    pub fn screendump(&mut self, path: &Path) -> Result<(), QmpError> {
        self.command("screendump", &json!({ "filename": path, "format": "png" }))
    }

    /// Writes a piece of the PC's memory to a file.
    pub fn save_memory(&mut self, path: &Path, address: u64, size: usize) -> Result<(), QmpError> {
        self.command("pmemsave", &json!({ "val": address, "size": size, "filename": path }))
    }

    /// Presses the power button of a PC that is on.
    pub fn power_button(&mut self) -> Result<(), QmpError> {
        self.command("system_powerdown", &json!({}))
    }

    /// Presses keys together, by QEMU's names for them (`QKeyCode`).
    pub fn press_keys(&mut self, keys: &[&str]) -> Result<(), QmpError> {
        let keys: Vec<Value> = keys.iter().map(|key| json!({ "type": "qcode", "data": key })).collect();
        self.command("send-key", &json!({ "keys": keys }))
    }

    fn command(&mut self, command: &str, arguments: &Value) -> Result<(), QmpError> {
        let line = json!({ "execute": command, "arguments": arguments }).to_string() + "\n";
        self.0.get_mut().write_all(line.as_bytes())?;
        loop {
            let answer = self.read()?;
            if answer.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = answer.get("error") {
                return Err(QmpError::Refused { command: command.to_owned(), answer: error.to_string() });
            }
            // Anything else is an event, which nobody waits for here.
        }
    }

    fn read(&mut self) -> Result<Value, QmpError> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(QmpError::Talk(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(serde_json::from_str(&line).map_err(io::Error::from)?)
    }
}
