//! What people are told while a job runs.

use std::fmt;

use ghost_contract::MacAddress;
use ghost_contract::image::Progress;
use ghost_contract::report::Event as Reported;
use serde::Serialize;

use super::said::{self, AT_STAKE};
use super::{Ending, Failure, Heard, Phase, Step, pace};
use crate::output::plain::FromClient;

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
    /// It was overheard on its way to its root.
    Heard {
        #[serde(flatten)]
        heard: Heard,
    },
    /// Something answers ARP for its address, but no operating system does.
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
    /// The imager has begun another part of its work.
    Doing {
        progress: Progress,
    },
    /// The client of a restore has not said how it ended, so its disk may be incomplete.
    DiskAtStake,
    /// A line of the report cannot be read.
    Muttered {
        line: String,
    },
    /// A clean-up step could not be done.
    Trouble {
        step: Step,
        failure: Failure,
    },
    /// A line could not be written to the journal.
    Unwritten {
        reason: String,
    },
    /// Nothing else is left to do than to listen for the client, for so many seconds.
    Listens {
        seconds: u64,
    },
    /// It was given up, and nothing else is left to do than to see whether it goes off, for so many seconds.
    AwaitsSilence {
        seconds: u64,
    },
    /// It was asked to stop, and has so many seconds to say that it does before its exports are taken away.
    Leaves {
        seconds: u64,
    },
    /// It has not come back.
    Off,
    /// It has not come back, and it had never answered either.
    NeverAnswered,
    /// A revert that had failed is done now, and the DHCP server knows.
    RevertedLate,
    /// The job is over, and only the revert is left, which is tried again for so many seconds.
    Insists {
        seconds: u64,
    },
    Warning {
        text: String,
    },
    /// One of several hosts cannot have a job; the others go on.
    NotBegun {
        reason: String,
    },
    Ended {
        #[serde(flatten)]
        ending: Ending,
        /// What remains of the job, and how it is put right.
        #[serde(skip_serializing_if = "Option::is_none")]
        left: Option<String>,
        /// What is not in the image though nothing says that it is free. Whoever performs the job knows, and adds it.
        #[serde(skip_serializing_if = "Option::is_none")]
        lacks: Option<String>,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phase { phase } => f.write_str(phase.words()),
            Self::Waking => f.write_str("sending magic packets"),
            Self::Answers => f.write_str("answers on the network"),
            Self::Heard { heard } => write!(f, "{heard}"),
            Self::OnlyArp => f.write_str(
                "something still answers ARP for it but not ping, as management controllers do, so it counts as off",
            ),
            Self::Stranger { mac } => write!(f, "warning: {mac} has the client's IP address"),
            Self::OtherUp { mac } => {
                write!(f, "warning: {mac}, another machine, has booted with the client's tree")
            }
            Self::Reported { event } => write!(f, "{}", FromClient(said::Words(event))),
            Self::Doing { progress } => write!(f, "{}", FromClient(pace::doing(progress))),
            Self::DiskAtStake => write!(f, "error: {AT_STAKE}"),
            Self::Muttered { line } => write!(f, "its report has a line that this ghostctl does not understand: {}", FromClient(line)),
            Self::Trouble { step, failure } => {
                write!(f, "error: could not {}: {}", step.as_str(), failure.reason)
            }
            Self::Unwritten { reason } => write!(f, "error: {reason}"),
            Self::Listens { seconds } => write!(
                f,
                "silent, as a machine that is off; listening for {seconds} s more whether it comes back (OFF_LISTEN; a stop ends that)"
            ),
            Self::AwaitsSilence { seconds } => {
                write!(f, "given up; listening for up to {seconds} s whether it goes off (OFF_DEADLINE; a stop ends that)")
            }
            Self::Leaves { seconds } => {
                write!(f, "asked to stop; it has {seconds} s to say that it powers off (a stop ends that)")
            }
            Self::Off => f.write_str("off, as far as can be seen: it does not answer, and has not come back"),
            Self::NeverAnswered => f.write_str(
                "warning: it does not answer, but it never did on this network, so whether it is off cannot be seen",
            ),
            Self::RevertedLate => f.write_str("reverted after all: DHCP offers what it did before"),
            Self::Insists { seconds } => write!(
                f,
                "error: the DHCP entry is not reverted yet; correct the cause above, ghostctl tries again for {seconds} s (REVERT_DEADLINE), counted from the end of \
                 the job, and waits for a try that has begun"
            ),
            Self::Warning { text } => write!(f, "warning: {text}"),
            Self::NotBegun { reason } => write!(f, "error: its job is not begun: {reason}"),
            Self::Ended { ending, left, lacks } => {
                write!(f, "{ending}")?;
                lacks.iter().try_for_each(|lacks| write!(f, "; {lacks}"))?;
                left.iter().try_for_each(|left| write!(f, "; error, left undone: {left}"))
            }
        }
    }
}

impl Note {
    /// Whether a person has to put something right.
    pub const fn leaves_something(&self) -> bool {
        matches!(self, Self::Ended { left: Some(_), .. } | Self::NotBegun { .. })
    }

    /// Whether it is a reading of a counter, which is shown with `--verbose` only.
    pub const fn is_reading(&self) -> bool {
        matches!(self, Self::Reported { event: Reported::Sampled { .. } | Reported::Progressed(_) })
    }
}

#[cfg(test)]
mod shown;
