//! Whether there is a job for this client: the order, the kernel command line and what the client knows of
//! itself → a job, or the reason why nothing is done.
//!
//! Does not read or claim the order.

use std::time::Duration;

use ghost_contract::order::{self, ClientFacts, Imager, OrderError, Refusal, TestSettings};
use ghost_contract::{DiskChoice, HostName, MacAddress, Mode, Order, UnixTime};

use crate::cmdline::RequestedMode;

/// How long mode `test` lasts when no order says so (HOWTO).
const DEFAULT_SLEEP: Duration = Duration::from_secs(3600);

/// What this client is going to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub mode: Mode,
    /// The order; a mode that touches no disk by itself needs none.
    pub order: Option<Order>,
}

/// What the client knows of itself when it looks for its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The address of the interface it booted from.
    pub mac: MacAddress,
    /// Its name, if the host table has one for that address.
    pub host: Option<HostName>,
    /// Now, by the server's clock, if that could be read.
    pub now: Option<UnixTime>,
}

#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// `ghost.mode` is a word that is no mode.
    #[error("the kernel command line asks for '{0}', which is no mode")]
    UnreadableMode(String),
    /// There is no order, and the command line asks for nothing either.
    #[error("there is no order for this client")]
    NoOrder,
    /// The mode on the command line needs an order.
    #[error("there is no order for this client, and mode {0} is not done without one")]
    NeedsOrder(Mode),
    /// The order cannot be understood.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The client's name is not known, so nobody knows whether the order is meant for it.
    #[error("there is an order, and this client does not know its own name")]
    Nameless,
    /// The server's time is not known, so nobody knows whether the order has expired.
    #[error("there is an order, and the server's time could not be read")]
    Timeless,
    /// The order is not to be obeyed.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Job {
    /// The job for this client.
    pub fn find(bytes: Option<&[u8]>, requested: &RequestedMode, client: Client) -> Result<Self, JobError> {
        let requested_mode = match requested {
            RequestedMode::None => None,
            RequestedMode::Mode(mode) => Some(*mode),
            RequestedMode::Unreadable(word) => return Err(JobError::UnreadableMode(word.clone())),
        };
        let Some(bytes) = bytes else { return Self::without_order(requested_mode) };
        let order = Order::parse(bytes)?;
        let host = client.host.ok_or(JobError::Nameless)?;
        let now = client.now.ok_or(JobError::Timeless)?;
        let mode = order::check(&order, &ClientFacts { mac: client.mac, host, now, requested_mode })?;
        Ok(Self { mode, order: Some(order) })
    }

    fn without_order(requested: Option<Mode>) -> Result<Self, JobError> {
        match requested {
            None => Err(JobError::NoOrder),
            Some(mode @ (Mode::Test | Mode::Ghost)) => Ok(Self { mode, order: None }),
            Some(mode @ (Mode::Backup | Mode::Verify | Mode::Restore)) => Err(JobError::NeedsOrder(mode)),
        }
    }

    /// The imager that the order asks for.
    pub fn imager(&self) -> Option<&Imager> {
        self.order.as_ref().and_then(|order| order.imager.as_ref())
    }

    /// The disks that it is about.
    pub fn disk(&self) -> DiskChoice {
        self.order.as_ref().map_or(DiskChoice::First, |order| order.disk.clone())
    }

    /// How mode `test` is done.
    pub fn test_settings(&self) -> TestSettings {
        let by_default = || TestSettings { sleep: DEFAULT_SLEEP, authorized_keys: Vec::new() };
        self.order.as_ref().map_or_else(by_default, |order| order.test.clone())
    }
}

#[cfg(test)]
mod tests;
