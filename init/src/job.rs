//! Decides whether there is a job for this client: from the order, the kernel command line, and what the client knows
//! of itself. The answer is a job, or the reason why nothing is done.
//!
//! Does not read or claim the order.

use std::time::Duration;

use anyhow::{Context as _, bail};
use ghost_contract::order::{self, ClientFacts, Imager, TestSettings};
use ghost_contract::{DiskChoice, HostName, MacAddress, Mode, Order, UnixTime};

use crate::cmdline::RequestedMode;

/// How long mode `test` lasts when no order says so (HOWTO).
const DEFAULT_SLEEP: Duration = Duration::from_secs(3600);

/// What this client is going to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub mode: Mode,
    /// The order; a mode that touches no disk by itself needs none.
    pub order: Option<Order>,
}

/// What the client knows of itself when it looks for its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// The address of the interface it booted from.
    pub mac: MacAddress,
    /// Its name, if the host table has one for that address.
    pub host: Option<HostName>,
    /// Now, by the server's clock, if that could be read.
    pub now: Option<UnixTime>,
}

impl Job {
    /// The job for this client.
    pub(crate) fn find(
        bytes: Option<&[u8]>,
        requested: &RequestedMode,
        client: Client,
    ) -> anyhow::Result<Self> {
        let requested_mode = match requested {
            RequestedMode::None => None,
            RequestedMode::Mode(mode) => Some(*mode),
            RequestedMode::Unreadable(word) => {
                bail!("the kernel command line asks for '{word}', which is no mode")
            }
        };
        let Some(bytes) = bytes else { return Self::without_order(requested_mode) };
        let order = Order::parse(bytes)?;
        let host =
            client.host.context("there is an order, but the host table has no name for this client")?;
        let now = client.now.context("there is an order, but the boot server's time could not be read")?;
        let mode = order::check(&order, &ClientFacts { mac: client.mac, host, now, requested_mode })?;
        Ok(Self { mode, order: Some(order) })
    }

    fn without_order(requested: Option<Mode>) -> anyhow::Result<Self> {
        match requested {
            None => bail!("there is no order for this client"),
            Some(mode @ (Mode::Test | Mode::Ghost)) => Ok(Self { mode, order: None }),
            Some(mode @ (Mode::Backup | Mode::Verify | Mode::Restore)) => {
                bail!("there is no order for this client, and mode {mode} needs one")
            }
        }
    }

    /// The imager that the order asks for.
    pub(crate) fn imager(&self) -> Option<&Imager> {
        self.order.as_ref().and_then(|order| order.imager.as_ref())
    }

    /// Whether a key of encrypted partitions came with the order.
    pub(crate) fn has_luks_key(&self) -> bool {
        self.order.as_ref().is_some_and(|order| order.luks_key)
    }

    /// The disks that it is about.
    pub(crate) fn disk(&self) -> DiskChoice {
        self.order.as_ref().map_or(DiskChoice::First, |order| order.disk.clone())
    }

    /// How mode `test` is done.
    pub(crate) fn test_settings(&self) -> TestSettings {
        let by_default = || TestSettings { sleep: DEFAULT_SLEEP, authorized_keys: Vec::new() };
        self.order.as_ref().map_or_else(by_default, |order| order.test.clone())
    }
}

#[cfg(test)]
mod tests;
