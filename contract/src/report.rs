//! The report: what a client says of itself. One JSON event a line, appended by the client only.
//!
//! The server reads it while it grows, so a reader must bear a last line that is not whole yet, and events
//! that a newer client knows and it does not: [`read`] gives what can be read and says what was passed over.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::image::Progress;
use crate::time::seconds;
use crate::{HostName, JobId, MacAddress, Mode, UnixTime};

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it happened, by the client's clock.
    pub at: UnixTime,
    /// Milliseconds since the client's kernel started, which no clock that is set can disturb.
    pub uptime: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened on the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// PID 1 runs, has its tree and can write this: the DHCP entry is not needed any more.
    Up {
        /// Version of `ghost-init`.
        version: String,
        /// The kernel's release, as `uname -r` says it.
        kernel: String,
        /// The interface that it booted from.
        interface: String,
        /// That interface's address.
        mac: MacAddress,
        /// That interface's IP.
        ip: Ipv4Addr,
    },
    /// The host table gives the interface's address this name.
    Identified {
        /// The client's name.
        host: HostName,
    },
    /// A flag on the kernel command line that nobody knows.
    UnknownFlag {
        /// As it stands there.
        flag: String,
    },
    /// A boot step failed; whether the boot went on is said.
    StepFailed {
        /// The step's name.
        step: String,
        /// The error and its causes.
        reason: String,
        /// Whether the job went on without it.
        carried_on: bool,
    },
    /// The interface will wake the machine; read back after arming.
    Armed {
        /// Which interface.
        interface: String,
        /// The letters that `ethtool` uses, `g` for the magic packet.
        wake_on: String,
    },
    /// The interface will not wake the machine. The job goes on.
    NotArmed {
        /// Which interface.
        interface: String,
        /// What stood in the way.
        reason: NotArmed,
        /// The error in words.
        detail: String,
    },
    /// The order was claimed; the job runs.
    OrderClaimed {
        /// The job.
        job: JobId,
        /// What is done.
        mode: Mode,
    },
    /// The order was not obeyed. Nothing was done to any disk.
    OrderRefused {
        /// Why not.
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
        /// Its command line.
        command: String,
        /// The disks that it works on, `sda`.
        #[serde(default)]
        disks: Vec<String>,
    },
    /// The imaging program and all that it started are gone.
    ImagerExited {
        /// How it ended.
        how: String,
    },
    /// Keys were typed on the virtual keyboard.
    KeysTyped {
        /// Names of keys as in the order.
        keys: Vec<String>,
        /// What brought it about.
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
        /// In words.
        remark: String,
    },
    /// A restore has not come to its end, and has begun to write, or may have: these disks must not be used before
    /// another restore has succeeded.
    DiskIncomplete {
        /// Their names, `sda`.
        disks: Vec<String>,
    },
    /// A screenshot was saved.
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
    /// Somebody asked the client to stop: a signal, or Ctrl-Alt-Del.
    StopRequested {
        /// Who.
        by: String,
    },
    /// How the job ended.
    Ended {
        /// The outcome.
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// The machine cannot switch itself off; it boots its own disk instead, which is said next.
    CannotPowerOff {
        /// Why not.
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

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it was to do.
    Succeeded,
    /// It did not.
    Failed {
        /// Why.
        reason: String,
    },
    /// Nothing moved for too long, and it was ended.
    Stalled,
    /// Somebody ended it.
    Cancelled {
        /// Who, or how.
        by: String,
    },
}

impl Entry {
    /// The line that is appended, with its newline.
    ///
    /// # Errors
    /// When a value cannot be written as JSON.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self).map(|line| line + "\n")
    }
}

/// What could be read of a report.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// The events, in order.
    pub entries: Vec<Entry>,
    /// Whole lines that say something this program does not understand.
    pub unknown: Vec<String>,
    /// How many bytes were used; a last line without its end is left for the next time.
    pub used: usize,
}

/// Reads what has been appended so far; to go on later, give what comes after `used`.
#[must_use]
pub fn read(bytes: &[u8]) -> Read {
    let used = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let mut read = Read { used, ..Read::default() };
    for line in bytes[..used].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(entry) => read.entries.push(entry),
            Err(_) => read.unknown.push(String::from_utf8_lossy(line).into_owned()),
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(event: Event) -> Entry {
        Entry { at: UnixTime::from_millis(1_700_000_000_000), uptime: 20_500, event }
    }

    #[test]
    fn every_line_is_one_event_and_says_which() {
        let line = entry(Event::Ended { outcome: Outcome::Failed { reason: "disk\nfull".to_owned() } })
            .to_line()
            .unwrap();
        assert_eq!(
            line,
            "{\"at\":1700000000000,\"uptime\":20500,\"event\":\"ended\",\"outcome\":\"failed\",\"reason\":\"disk\\nfull\"}\n"
        );
    }

    #[test]
    fn what_was_appended_is_read_back() {
        let entries = vec![
            entry(Event::Identified { host: "john".parse().unwrap() }),
            entry(Event::NotArmed {
                interface: "eth0".to_owned(),
                reason: NotArmed::Refused,
                detail: "EOPNOTSUPP".to_owned(),
            }),
            entry(Event::Ended { outcome: Outcome::Succeeded }),
            entry(Event::PoweringOff { reboot: false }),
        ];
        let text: String = entries.iter().map(|entry| entry.to_line().unwrap()).collect();
        assert_eq!(read(text.as_bytes()), Read { entries, unknown: vec![], used: text.len() });
    }

    #[test]
    fn a_torn_last_line_is_left_for_the_next_time() {
        let whole = entry(Event::PoweringOff { reboot: true }).to_line().unwrap();
        let torn = format!("{whole}{}", &whole[..20]);
        let first = read(torn.as_bytes());
        assert_eq!((first.entries.len(), first.used), (1, whole.len()));
        let rest = format!("{}{}", &torn[first.used..], &whole[20..]);
        assert_eq!(read(rest.as_bytes()).entries, first.entries);
    }

    #[test]
    fn an_event_of_the_future_is_passed_over_with_a_note() {
        let line = "{\"at\":1,\"uptime\":2,\"event\":\"levitated\",\"metres\":3}\n";
        let read = read(line.as_bytes());
        assert_eq!((read.entries.len(), read.unknown.len(), read.used), (0, 1, line.len()));
    }
}
