//! What a job is to do, and on which client. None of it changes while the job runs.

use std::net::Ipv4Addr;
use std::time::Duration;

use ghost_contract::order::AtEnd;
use ghost_contract::{HostName, JobId, MacAddress, Mode};
use serde::{Deserialize, Serialize};

/// Which job this is: one mode on one client. The plan, the journal's entry and the record all hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub job: JobId,
    pub host: HostName,
    pub mac: MacAddress,
    pub ip: Ipv4Addr,
    pub mode: Mode,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub identity: Identity,
    pub limits: Limits,
    pub already_on: AlreadyOn,
    pub at_end: AtEnd,
    /// Whether its client's folders are exported for the time of the job.
    pub exported_for_job: bool,
}

/// What to do if the client is on before the job begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlreadyOn {
    /// Refuse the job: a person may be working at the client.
    Refuse,
    /// Go ahead: a person will reboot the client by hand.
    Accept,
}

/// How long each phase may take, and how often something is done in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long to listen for a client that is on already.
    pub probing: Duration,
    /// From the first magic packet to the report that the client is up.
    pub up: Duration,
    /// From up to the claim of the order.
    pub claim: Duration,
    /// From the claim to the last line of the report.
    pub imaging: Duration,
    /// From that line until the client no longer answers.
    pub off: Duration,
    /// A client that has not answered for this long is off.
    pub quiet: Duration,
    /// How long a client that is off is listened for, beside the rest of the job: one that booted again instead comes back.
    pub listen: Duration,
    /// A running client that has neither reported nor answered for this long is lost.
    pub lost: Duration,
    /// How often a magic packet is sent.
    pub wake_every: Duration,
    /// How long a job that is over tries again to revert, before it leaves that to a person.
    pub revert: Duration,
}

impl Limits {
    /// Longer than a client's watchdogs wait (`docs/adr/0003-watchdogs-reset.md`), and some for the boot after that.
    pub const LISTEN: Duration = Duration::from_secs(150);

    /// Four that the administrator sets, and what the others are unless something else is said.
    pub const fn new(up: Duration, job: Duration, off: Duration, revert: Duration) -> Self {
        Self {
            probing: Duration::from_millis(1_500),
            up,
            claim: Duration::from_secs(120),
            imaging: job,
            off,
            quiet: Duration::from_secs(5),
            listen: Self::LISTEN,
            lost: Duration::from_secs(300),
            wake_every: Duration::from_secs(5),
            revert,
        }
    }
}
