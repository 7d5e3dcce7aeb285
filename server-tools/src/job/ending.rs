//! How a job ends, and what the program's exit status makes of it.

use std::fmt;

use ghost_contract::MacAddress;
use ghost_contract::report::Outcome;
use serde::{Deserialize, Serialize};

use super::Step;
use crate::exit::Exit;
use crate::output::plain::FromClient;

/// What kind of obstacle it was; it decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    Failed,
    /// Another program is at it, or it took too long: trying again may help.
    Busy,
    Permission,
    /// The configuration, or the DHCP server's service, must be mended.
    Configuration,
    /// The same: the DHCP configuration offers the boot file again after the revert.
    OfferedAgain,
    /// The same: the DHCP configuration has no entry of the host any more.
    EntryGone,
    /// The same: the DHCP configuration is right, and the DHCP server serves another one, or none.
    NotServed,
}

impl FailureKind {
    /// What it ends the program with.
    pub const fn exit(self) -> Exit {
        match self {
            Self::Failed => Exit::Failed,
            Self::Busy => Exit::Busy,
            Self::Permission => Exit::NotPermitted,
            Self::Configuration | Self::OfferedAgain | Self::EntryGone | Self::NotServed => {
                Exit::Configuration
            }
        }
    }

    /// The obstacle that an error with this exit status is to a job.
    pub const fn of(exit: Exit) -> Self {
        match exit {
            Exit::Done | Exit::Failed | Exit::Usage | Exit::Bug => Self::Failed,
            Exit::Busy => Self::Busy,
            Exit::NotPermitted => Self::Permission,
            Exit::Configuration => Self::Configuration,
        }
    }
}

/// Why a step could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of obstacle it was.
    pub kind: FailureKind,
    /// The error and its causes.
    pub reason: String,
}

impl Failure {
    /// An error and all its causes in one line.
    pub fn new(kind: FailureKind, error: impl Into<anyhow::Error>) -> Self {
        Self { kind, reason: format!("{:#}", error.into()) }
    }

    /// What a part of this program that has panicked could not do.
    pub fn of_the_program() -> Self {
        Self { kind: FailureKind::Failed, reason: "ghostctl has a bug; its message is above".to_owned() }
    }

    /// An error with all its causes, and the kind that [`Exit::of`] sees in it.
    pub fn from_error(error: &anyhow::Error) -> Self {
        Self { kind: FailureKind::of(Exit::of(error)), reason: format!("{error:#}") }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::from_error(&error)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ending", rename_all = "snake_case")]
pub enum Ending {
    /// The client did its work, and this is what it says of it.
    Done {
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// The client refused the order.
    Refused { reason: String },
    /// The client was on before the job began.
    AlreadyOn,
    /// Another machine has the client's address.
    AddressTaken { by: MacAddress },
    /// The client was never heard of.
    NeverUp { last_seen: String },
    /// The client was up, and then neither spoke nor answered.
    Lost {
        /// How long it was silent, seconds.
        silent: u64,
    },
    /// The client was at work, and boots its own disk.
    Reset {
        /// What shows that.
        because: String,
    },
    /// The client did not say an outcome, or took too long over it.
    Overdue { waiting_for: String },
    /// The outcome is known, but the machine is still on.
    StillOn { outcome: Option<Outcome> },
    /// A step could not be done.
    StepFailed { step: Step, failure: Failure },
    /// A person or a signal stopped the job on the boot server.
    Stopped {
        by: String,
        /// Whether the client had its order already.
        client_runs: bool,
    },
}

impl Ending {
    /// Whether the job did what it was to do.
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Done { outcome: Outcome::Succeeded })
    }

    pub const fn exit(&self) -> Exit {
        match self {
            Self::Done { outcome: Outcome::Succeeded } => Exit::Done,
            Self::StepFailed { failure, .. } => failure.kind.exit(),
            Self::AlreadyOn | Self::AddressTaken { .. } | Self::NeverUp { .. } | Self::Overdue { .. } => {
                Exit::Busy
            }
            Self::Done { .. }
            | Self::Refused { .. }
            | Self::Lost { .. }
            | Self::Reset { .. }
            | Self::StillOn { .. }
            | Self::Stopped { .. } => Exit::Failed,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { outcome } => f.write_str(&words(outcome)),
            Self::Refused { reason } => write!(f, "failed: the client refused the order: {}", FromClient(reason)),
            Self::AlreadyOn => f.write_str(
                "refused: the client is already on, and a person may be using it, or its management controller (Intel AMT, a BMC) \
                 answers for it; --already-on goes ahead all the same",
            ),
            Self::AddressTaken { by } => write!(f, "refused: {by} has the client's IP address now"),
            Self::NeverUp { last_seen } => write!(f, "failed: the client did not come up; {last_seen}"),
            Self::Lost { silent } => {
                write!(f, "failed: the client has been silent for {silent} s and does not answer")
            }
            Self::Reset { because } => {
                write!(f, "failed: the client was reset before its job had ended: {because}")
            }
            Self::Overdue { waiting_for } => write!(f, "failed: gave up waiting for {waiting_for}"),
            Self::StillOn { outcome } => {
                let outcome = outcome.as_ref().map_or_else(|| "no outcome".to_owned(), words);
                write!(f, "failed: the machine is still on ({outcome})")
            }
            Self::StepFailed { step, failure } => {
                write!(f, "failed: could not {}: {}", step.as_str(), failure.reason)
            }
            Self::Stopped { by, client_runs: false } => write!(f, "cancelled by {by}"),
            Self::Stopped { by, client_runs: true } => {
                write!(f, "cancelled by {by}; the client was asked to stop and to power off")
            }
        }
    }
}

/// The client's word on the outcome, for people.
pub(crate) fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Succeeded => "succeeded".to_owned(),
        Outcome::Failed { reason } => format!("failed: {}", FromClient(reason)),
        Outcome::Stalled => "stalled".to_owned(),
        Outcome::Cancelled { by } => format!("cancelled by {}", FromClient(by)),
    }
}
