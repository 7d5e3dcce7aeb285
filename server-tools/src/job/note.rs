//! What people are told while a job runs.

use std::fmt;

use ghost_contract::MacAddress;
use ghost_contract::image::Progress;
use ghost_contract::report::Event as Reported;
use serde::Serialize;

use super::bytes::bytes;
use super::ending::words;
use super::{Ending, Failure, Phase, Step, pace};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// The job has come to this phase.
    Phase {
        phase: Phase,
    },
    /// The first magic packet is sent.
    Waking,
    /// The client answers on the network.
    Answers,
    /// Something answers for its address, and it is no operating system.
    OnlyArp,
    /// Another machine has the client's address.
    Stranger {
        mac: MacAddress,
    },
    /// Another machine runs from the client's tree.
    OtherUp {
        mac: MacAddress,
    },
    Reported {
        #[serde(flatten)]
        event: Reported,
    },
    /// The imager does something else now.
    Doing {
        progress: Progress,
    },
    /// Nobody knows how far a restore came whose client has told no outcome.
    DiskAtStake,
    /// The client wrote what nobody understands.
    Muttered {
        line: String,
    },
    /// A clean-up step could not be done.
    Trouble {
        step: Step,
        failure: Failure,
    },
    /// The journal could not be told of what was done.
    Unwritten {
        reason: String,
    },
    /// A revert that had failed is done now, and the DHCP server knows.
    RevertedLate,
    /// The job is over, and only the revert is left, which is tried again for so many seconds.
    Insists {
        seconds: u64,
    },
    Warning {
        text: String,
    },
    Ended {
        #[serde(flatten)]
        ending: Ending,
        /// What remains of the job, and how it is put right.
        #[serde(skip_serializing_if = "Option::is_none")]
        left: Option<String>,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phase { phase } => f.write_str(phase.words()),
            Self::Waking => f.write_str("sending magic packets"),
            Self::Answers => f.write_str("answers on the network"),
            Self::OnlyArp => f.write_str(
                "something still answers ARP for it and no ping, as management controllers do: it is taken for off",
            ),
            Self::Stranger { mac } => write!(f, "warning: {mac} has the client's IP address"),
            Self::OtherUp { mac } => {
                write!(f, "warning: {mac}, another machine, has booted with the client's tree")
            }
            Self::Reported { event } => report_words(event, f),
            Self::Doing { progress } => f.write_str(&pace::doing(progress)),
            Self::DiskAtStake => write!(f, "error: {AT_STAKE}"),
            Self::Muttered { line } => write!(f, "the client wrote something unknown: {line}"),
            Self::Trouble { step, failure } => {
                write!(f, "error: could not {}: {}", step.as_str(), failure.reason)
            }
            Self::Unwritten { reason } => write!(f, "error: {reason}"),
            Self::RevertedLate => f.write_str("reverted after all: DHCP offers what it did before"),
            Self::Insists { seconds } => write!(
                f,
                "error: it is not reverted yet; trying again for {seconds} s (REVERT_DEADLINE), unless this is stopped; mend what stands in the way"
            ),
            Self::Warning { text } => write!(f, "warning: {text}"),
            Self::Ended { ending, left: None } => write!(f, "{ending}"),
            Self::Ended { ending, left: Some(left) } => write!(f, "{ending}; error, left undone: {left}"),
        }
    }
}

impl Note {
    /// Whether it is one of many of its kind, which only those want who want everything.
    pub const fn is_reading(&self) -> bool {
        matches!(self, Self::Reported { event: Reported::Sampled { .. } | Reported::Progressed(_) })
    }
}

/// What is said of a restore whose end nobody knows.
pub const AT_STAKE: &str = "the restore did not come to its end: the disk is incomplete, or may be, and must not be used \
                            before another restore has succeeded";

fn report_words(event: &Reported, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match event {
        Reported::Up { version, kernel, interface, mac, ip } => {
            write!(f, "ghost-init {version} is up on {interface} ({mac}, {ip}), kernel {kernel}")
        }
        Reported::Identified { host } => write!(f, "it knows itself as {host}"),
        Reported::UnknownFlag { flag } => write!(f, "unknown kernel flag {flag}"),
        Reported::StepFailed { step, reason, carried_on } => {
            let then = if *carried_on { "it carries on" } else { "it gives up" };
            write!(f, "boot step '{step}' failed, {then}: {reason}")
        }
        Reported::Armed { interface, wake_on } => write!(f, "{interface} is armed, Wake-on: {wake_on}"),
        Reported::NotArmed { interface, reason, detail } => {
            write!(f, "warning: {interface} is not armed ({reason:?}): {detail}")
        }
        Reported::OrderClaimed { job, mode } => write!(f, "order {job} claimed: {mode}"),
        Reported::OrderRefused { reason } => write!(f, "order refused: {reason}"),
        Reported::TestStarted { sleep, ssh_port } => match ssh_port {
            Some(port) => write!(f, "sleeps for {} s; ssh answers on port {port}", sleep.as_secs()),
            None => write!(f, "sleeps for {} s; no ssh server", sleep.as_secs()),
        },
        Reported::TestEnded { how } => write!(f, "the sleep has ended: {how}"),
        Reported::ImagerStarted { imager, command, .. } => write!(f, "{imager} started: {command}"),
        Reported::ImagerExited { how } => write!(f, "the imager ended: {how}"),
        Reported::KeysTyped { keys, because } => write!(f, "typed {} because {because}", keys.join(" ")),
        Reported::Sampled { disk_read, disk_written, received, sent } => write!(
            f,
            "disk {} read, {} written; network {} received, {} sent",
            bytes(*disk_read),
            bytes(*disk_written),
            bytes(*received),
            bytes(*sent)
        ),
        Reported::Progressed(progress) => f.write_str(&pace::progress(progress)),
        Reported::ImagerRemarked { remark } => write!(f, "note: {remark}"),
        Reported::DiskIncomplete { disks } => write!(f, "error: {}: {AT_STAKE}", disks.join(", ")),
        Reported::ScreenshotTaken { name, source, passed_over } => {
            write!(f, "screenshot {name} from {source}")?;
            if passed_over.is_empty() { Ok(()) } else { write!(f, " ({})", passed_over.join("; ")) }
        }
        Reported::ScreenshotFailed { reason, missed } => {
            write!(f, "no screenshot ({missed} so far): {reason}")
        }
        Reported::Stalled { idle } => write!(f, "nothing has moved for {} s", idle.as_secs()),
        Reported::StopRequested { by } => write!(f, "asked to stop by {by}"),
        Reported::Ended { outcome } => write!(f, "the client says: {}", words(outcome)),
        Reported::CannotPowerOff { reason } => {
            write!(f, "warning: {reason}; it boots its own disk instead, and is on then")
        }
        Reported::PoweringOff { reboot: false } => f.write_str("powering off"),
        Reported::PoweringOff { reboot: true } => f.write_str("booting again"),
    }
}
