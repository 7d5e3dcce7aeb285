//! The report: what a client says of itself. One JSON event a line, appended by the client only.
//!
//! The server reads it while it grows, so a reader must bear a last line that is not whole yet, and events
//! that a newer client knows and it does not: [`Reader`] gives what can be read and says what was passed over.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::image::Progress;
use crate::time::seconds;
use crate::{HostName, JobId, MacAddress, Mode, UnixTime, bounds};

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it happened, by the client's clock.
    pub at: UnixTime,
    /// Milliseconds since the client's kernel started, which no clock that is set can disturb.
    pub uptime: u64,
    /// What happened, its fields beside the two above.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened on the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// PID 1 runs, has its tree and can write this: the DHCP entry is not needed any more.
    Up {
        /// The version of `ghost-init`, as in its `--version`.
        version: String,
        /// The kernel's release, as `uname -r` says it.
        kernel: String,
        /// The interface that it booted from.
        interface: String,
        /// The hardware address of that interface.
        mac: MacAddress,
        /// The address that DHCP gave that interface.
        ip: Ipv4Addr,
    },
    /// The host table gives the interface's address this name.
    Identified {
        /// The client's name in the host table.
        host: HostName,
    },
    /// An unknown flag on the kernel command line.
    UnknownFlag {
        /// The flag as it stands on the command line.
        flag: String,
    },
    /// A boot step failed; whether the boot went on is said.
    StepFailed {
        /// The boot step in words: `take the name john`.
        step: String,
        /// The error and its causes.
        reason: String,
        /// Whether the job went on without it.
        carried_on: bool,
    },
    /// The interface will wake the machine; read back after arming.
    Armed {
        /// The kernel's name of the interface: `eth0`.
        interface: String,
        /// The letters that `ethtool` uses, `g` for the magic packet.
        wake_on: String,
    },
    /// The interface will not wake the machine. The job goes on.
    NotArmed {
        /// The kernel's name of the interface: `eth0`.
        interface: String,
        /// What stood in the way.
        reason: NotArmed,
        /// The error in words, with its causes.
        detail: String,
    },
    /// The order was claimed; the job runs.
    OrderClaimed {
        /// The job that the order belongs to.
        job: JobId,
        /// The mode that is really done, which the command line may have changed.
        mode: Mode,
    },
    /// The order was not obeyed. Nothing was done to any disk.
    OrderRefused {
        /// Why the client does not obey, in words.
        reason: String,
    },
    /// Mode `test`: one can log in, and the `sleep` runs.
    TestStarted {
        /// How long the `sleep` lasts, whole seconds.
        #[serde(with = "seconds")]
        sleep: Duration,
        /// The TCP port of the shell server; none if it could not be started.
        ssh_port: Option<u16>,
    },
    /// Mode `test`: the `sleep` has ended.
    TestEnded {
        /// `ran out`, `killed by SIGTERM`, …
        how: String,
    },
    /// The imaging program was started.
    ImagerStarted {
        /// Its name, and what is known of its version.
        imager: String,
        /// The command line that it was started with.
        command: String,
        /// The disks that it works on, `sda`.
        #[serde(default)]
        disks: Vec<String>,
    },
    /// The imaging program and all that it started are gone.
    ImagerExited {
        /// `by itself, with status 0`, `killed by SIGKILL`, …
        how: String,
    },
    /// Keys were typed on the virtual keyboard.
    KeysTyped {
        /// Names of keys as in the order.
        keys: Vec<String>,
        /// The text or the time that the keys answer, in words.
        because: String,
    },
    /// A reading of the traffic counters.
    Sampled {
        /// Bytes read from the disk since the imager's start.
        disk_read: u64,
        /// Bytes written to the disk since the imager's start.
        disk_written: u64,
        /// Bytes received since the imager's start.
        received: u64,
        /// Bytes sent since the imager's start.
        sent: u64,
    },
    /// How far the imaging program says it is.
    Progressed(Progress),
    /// What the administrator should know of what the imaging program did, though it is no failure.
    ImagerRemarked {
        /// What the imaging program said, in words.
        remark: String,
    },
    /// A restore has not come to its end, and has begun to write, or may have: these disks must not be used before
    /// another restore has succeeded.
    DiskIncomplete {
        /// The kernel's names of the disks: `sda`.
        disks: Vec<String>,
    },
    /// A screenshot was taken and saved.
    ScreenshotTaken {
        /// Its name without ending, below `screens/`.
        name: String,
        /// Where it was read from.
        source: String,
        /// Which sources were asked before and why they could not say, if that was not told before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        passed_over: Vec<String>,
    },
    /// A screenshot could not be taken, or not in time. The job goes on.
    ScreenshotFailed {
        /// The error and its causes.
        reason: String,
        /// How many could not be taken so far, this one included.
        #[serde(default)]
        missed: u32,
    },
    /// Nothing moved for too long.
    Stalled {
        /// How long nothing moved, whole seconds.
        #[serde(with = "seconds")]
        idle: Duration,
    },
    /// The client was asked to stop: by a signal, Ctrl-Alt-Del, or `ghostctl cancel`.
    StopRequested {
        /// The signal's name, `Ctrl-Alt-Del`, `the power button`, or a command as `poweroff`.
        by: String,
    },
    /// The job is over, and this is how it ended.
    Ended {
        /// The outcome, its fields beside the event's name.
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// The machine cannot switch itself off; it boots its own disk instead, which is said next.
    CannotPowerOff {
        /// Why it cannot, in words.
        reason: String,
    },
    /// The last thing that is written: the machine goes off now.
    PoweringOff {
        /// Whether it boots again instead.
        reboot: bool,
    },
}

/// Why an interface was not armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotArmed {
    /// It cannot wake on a magic packet, and says so.
    Unsupported,
    /// It says that it can, and the driver refused.
    Refused,
    /// The driver took it, and reading back showed otherwise.
    NotKept,
}

/// How a job ended, by what the client itself knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it was to do.
    Succeeded,
    /// It did not do all that it was to do.
    Failed {
        /// The reason in words, with its causes.
        reason: String,
    },
    /// Nothing moved for too long, and it was ended.
    Stalled,
    /// The job was asked to end before it was done.
    Cancelled {
        /// The signal, the key or the server's request that ended it.
        by: String,
    },
}

impl Event {
    /// Whether how the job goes on, or how it ended, depends on it. These are heard even of a client that says too much.
    pub const fn decides(&self) -> bool {
        matches!(
            self,
            Self::Up { .. }
                | Self::OrderClaimed { .. }
                | Self::OrderRefused { .. }
                | Self::DiskIncomplete { .. }
                | Self::Ended { .. }
                | Self::CannotPowerOff { .. }
                | Self::PoweringOff { .. }
        )
    }
}

impl Entry {
    /// The line that is appended, with its newline.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self).map(|line| line + "\n")
    }
}

/// What could be read of a report.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// The events, in the order of the lines.
    pub entries: Vec<Entry>,
    /// Whole lines that say something this program does not understand.
    pub unknown: Vec<String>,
    /// How many bytes were used; a last line without its end is left for the next time.
    pub used: usize,
    /// Lines that were left out because the report is beyond its bounds ([`crate::bounds`]).
    pub left_out: u64,
}

/// Reads a report while it grows, within its bounds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reader {
    /// Lines that were read so far.
    lines: u64,
    /// What comes now is the rest of a line that is left out.
    within_left_out: bool,
}

impl Reader {
    /// Reads what was appended since the last call, from the first byte that was not used then.
    pub fn read(&mut self, bytes: &[u8]) -> Read {
        let mut read = Read::default();
        while let Some(line) = next_line(bytes, read.used) {
            read.used += line.len() + 1;
            if std::mem::take(&mut self.within_left_out) || line.is_empty() {
                continue;
            }
            if line.len() > bounds::REPORT_LINE {
                read.left_out += 1;
                continue;
            }
            self.line(line, &mut read);
        }
        let torn = bytes.len() - read.used;
        if self.within_left_out || torn > bounds::REPORT_LINE {
            read.left_out += u64::from(!self.within_left_out);
            self.within_left_out = true;
            read.used = bytes.len();
        }
        read
    }

    /// Some of the report is passed over. What comes next may be the rest of a line.
    pub fn pass_over(&mut self) {
        self.within_left_out = true;
    }

    fn line(&mut self, line: &[u8], read: &mut Read) {
        self.lines = self.lines.saturating_add(1);
        let is_beyond = self.lines > bounds::REPORT_LINES;
        match serde_json::from_slice::<Entry>(line) {
            Ok(entry) if !is_beyond || entry.event.decides() => read.entries.push(entry),
            Err(_) if !is_beyond => read.unknown.push(String::from_utf8_lossy(line).into_owned()),
            _ => read.left_out += 1,
        }
    }
}

/// The line that begins at this byte, if its end is there.
fn next_line(bytes: &[u8], from: usize) -> Option<&[u8]> {
    let rest = bytes.get(from..)?;
    rest.iter().position(|byte| *byte == b'\n').and_then(|end| rest.get(..end))
}

/// Reads a report from its beginning.
pub fn read(bytes: &[u8]) -> Read {
    Reader::default().read(bytes)
}

#[cfg(test)]
mod tests;
