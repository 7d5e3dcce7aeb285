//! The order: what the server asks of the client. One JSON file, written by the server only.
//!
//! A client reads it in three steps, and each can refuse it: the version first, because a newer server may write fields of
//! another shape; then the whole; then [`check`] compares it with what the client knows of itself.
//!
//! ```text
//! bytes ──parse──▶ Order ──check(facts)──▶ obey, or the reason why not
//! ```

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

pub use crate::imager::{DosProgram, Graphics, Imager};
use crate::time::seconds;
use crate::{DiskChoice, Generation, HostName, JobId, MacAddress, Mode, NfsVersion, Nonce, UnixTime, layout};

/// The version of the format in orders about whole disks.
pub const VERSION: u32 = 1;
/// The version of the format in orders about some partitions only. A client that does not know such orders would write the
/// whole disk, so it must refuse them: it refuses a version that it does not know.
pub const VERSION_OF_PARTS: u32 = 2;
/// The version of the format in orders that come with a key. A client that does not know of keys would save encrypted
/// partitions otherwise than it was ordered.
pub const VERSION_OF_KEYS: u32 = 3;

/// What the server asks of one client, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The version of the format, [`version`] when written.
    pub version: u32,
    /// Which job this order belongs to.
    pub job: JobId,
    /// The client that it is for, by name …
    pub host: HostName,
    /// … and by hardware address.
    pub mac: MacAddress,
    /// What is to be done.
    pub mode: Mode,
    /// When it was written, by the server's clock.
    pub issued: UnixTime,
    /// When it becomes invalid, by the server's clock.
    pub expires: UnixTime,
    /// Where images are kept; the client must find the nonce there.
    pub store: Option<ImageStore>,
    /// Proves that a mounted image store is the one that the server means.
    pub nonce: Nonce,
    /// The imaging program and its settings; absent in mode `test`.
    pub imager: Option<Imager>,
    /// Whether [`crate::layout::LUKS_KEY`] is there, for the imager to open encrypted partitions with. The key itself is not
    /// in the order, which is copied and shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub luks_key: bool,
    /// The disks that are written to images, or back.
    #[serde(default)]
    pub disk: DiskChoice,
    /// The generation to check or to write back; absent in the other modes.
    pub generation: Option<Generation>,
    /// The keys that answer the imager's questions, each typed at most once.
    pub prompts: Vec<Prompt>,
    /// When a job counts as stalled.
    pub watch: Watch,
    /// How long things may take.
    pub deadlines: Deadlines,
    /// How mode `test` is done.
    pub test: TestSettings,
    /// What the machine does at the end.
    pub at_end: AtEnd,
}

/// An NFS export that images are written to, as the client sees it (`GHSTNFS`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageStore {
    /// The server's address; numeric, since the client has no resolver.
    pub server: IpAddr,
    /// The exported folder, as an absolute path on that server.
    pub path: PathBuf,
    /// The host whose folder in it is all that is exported to the client; if there is none, the whole store is. A client that
    /// does not know of this mounts the whole store, which its server then refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<HostName>,
    /// The generation that the client reads, as an absolute path on that server, if it is in no folder that the client writes
    /// to. It is mounted by itself, for reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<PathBuf>,
    /// The version in which the client mounts both. A client that does not know of this mounts the generation with version 3.
    #[serde(default, skip_serializing_if = "NfsVersion::is_usual")]
    pub nfs: NfsVersion,
    /// The port of the server's mountd, with which the client need not ask its portmapper (version 3). A client that does not know
    /// of this asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mountd_port: Option<NonZeroU16>,
}

impl ImageStore {
    /// What the client mounts it with.
    pub fn mount_options(&self) -> String {
        self.nfs.mount_options(self.mountd_port)
    }

    /// What the client mounts, as a path on the server.
    pub fn exported(&self) -> PathBuf {
        self.only.as_ref().map_or_else(|| self.path.clone(), |host| self.path.join(host.as_str()))
    }

    /// Where the client mounts that, so that everything in the store has the same name in both cases.
    pub fn mount_point(&self) -> PathBuf {
        let store = Path::new(layout::STORE_MOUNT_POINT);
        self.only.as_ref().map_or_else(|| store.to_owned(), |host| store.join(host.as_str()))
    }
}

/// Keys to type once, when something is on the screen or after a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// What must happen before the keys are typed.
    pub when: PromptTrigger,
    /// Key names as in linux/input-event-codes.h without `KEY_`, in the order in which they are typed.
    pub keys: Vec<String>,
    /// How long the trigger may take, whole seconds: from when the imager's work begins, for a DOS program when DOS calls it.
    #[serde(with = "seconds")]
    pub deadline: Duration,
    /// What is done when the trigger has not come by then.
    pub on_deadline: OnDeadline,
}

/// What must happen before keys are typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptTrigger {
    /// This text stands on the screen.
    Text(String),
    /// So much time has passed since the imager's work began, whole seconds.
    After(#[serde(with = "seconds")] Duration),
}

/// What is done when a prompt has not come by its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDeadline {
    /// The program did not ask this time; go on.
    Ignore,
    /// Type the keys all the same.
    Type,
    /// End the imager; the job has failed.
    Fail,
}

/// When a job counts as stalled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Below this many bytes a second nothing moves.
    pub minimum_rate: u64,
    /// How long nothing may move, whole seconds.
    #[serde(with = "seconds")]
    pub window: Duration,
    /// How long after the imager's work began nothing needs to move, whole seconds.
    #[serde(with = "seconds")]
    pub grace: Duration,
    /// How often the counters are read, whole seconds.
    #[serde(with = "seconds")]
    pub sample_every: Duration,
    /// How often a screenshot is taken, whole seconds.
    #[serde(with = "seconds")]
    pub screenshot_every: Duration,
    /// How many of the latest screenshots are kept besides the first and those that belong to an event.
    pub screenshots_kept: u32,
}

/// How long things may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// The whole job on the client, from the claim to power off, whole seconds.
    #[serde(with = "seconds")]
    pub job: Duration,
    /// From the imager's end to power off, whole seconds.
    #[serde(with = "seconds")]
    pub ending: Duration,
}

/// How mode `test` is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestSettings {
    /// How long the `sleep` lasts whose end is the job's end, whole seconds. 3600 in the HOWTO.
    #[serde(with = "seconds")]
    pub sleep: Duration,
    /// Public keys, one line each in OpenSSH's form, that may log in as root.
    pub authorized_keys: Vec<String>,
}

/// What the machine does at the end of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtEnd {
    /// The machine switches itself off.
    PowerOff,
    /// It boots again, which is its own disk's turn since the swap has been reverted.
    Reboot,
}

const UNREADABLE: &str = "the order cannot be read";

/// Only what every version of the format has.
#[derive(Deserialize)]
struct AnyVersion {
    version: u64,
}

/// The version of an order with this imager, and with a key or without one.
pub fn version(imager: Option<&Imager>, luks_key: bool) -> u32 {
    if luks_key {
        return VERSION_OF_KEYS;
    }
    if imager.is_some_and(Imager::is_partial) { VERSION_OF_PARTS } else { VERSION }
}

impl Order {
    /// Reads an order. Fields that are not known are passed over.
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let AnyVersion { version } = serde_json::from_slice(bytes).context(UNREADABLE)?;
        ensure!(
            [VERSION, VERSION_OF_PARTS, VERSION_OF_KEYS].map(u64::from).contains(&version),
            "the order has format version {version}, this client understands version {VERSION_OF_KEYS}; use the same release on both sides"
        );
        serde_json::from_slice(bytes).context(UNREADABLE)
    }

    /// Whether the client may need room in its staging folder to write a generation back.
    pub fn needs_scratch(&self) -> bool {
        self.mode == Mode::Restore && self.imager.as_ref().is_some_and(Imager::needs_scratch)
    }

    /// The content of the order's file. Fails where a path is not UTF-8.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

/// What the client knows of itself when it reads an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFacts {
    /// The address of the interface it booted from.
    pub mac: MacAddress,
    /// The name that the host table gives to that address.
    pub host: HostName,
    /// Now, by the boot server's clock (a file's time on its export), since a PC's own may be years off.
    pub now: UnixTime,
    /// The mode that the kernel command line asks for, if it does.
    pub requested_mode: Option<Mode>,
}

/// The mode in which this client is to obey this order, or the first reason why it must not. Whether it has been claimed
/// already is not known here: the exclusive creation of the claim is the check.
pub fn check(order: &Order, client: &ClientFacts) -> anyhow::Result<Mode> {
    let Order { host: ordered_host, mac: ordered_mac, mode: ordered_mode, .. } = order;
    let ClientFacts { host, mac, now, requested_mode } = client;
    // Two machines may share an IP address, and so a tree.
    ensure!(
        ordered_mac == mac,
        "the order is for {ordered_host} with the hardware address {ordered_mac}, this machine has {mac}"
    );
    ensure!(
        ordered_host == host,
        "the order is for {ordered_host}, the DHCP configuration calls this machine {host}"
    );
    ensure!(*now < order.expires, "the order expired {} s ago", now.since(order.expires).as_secs());
    let mode = requested_mode.unwrap_or(*ordered_mode);
    ensure!(
        mode != Mode::Restore || *ordered_mode == Mode::Restore,
        "a restore is never started by the kernel command line alone: the order is for {ordered_mode}"
    );
    match missing(order, mode) {
        Some(missing) => bail!("the order for mode {mode} has no {missing}"),
        None => Ok(mode),
    }
}

/// The first thing that this mode needs and the order does not hold.
fn missing(order: &Order, mode: Mode) -> Option<&'static str> {
    if mode != Mode::Test && order.imager.is_none() {
        return Some("imager");
    }
    if mode.needs_image_store() && order.store.is_none() {
        return Some("image store");
    }
    let needs_generation = matches!(mode, Mode::Verify | Mode::Restore);
    (needs_generation && order.generation.is_none()).then_some("generation")
}

#[cfg(test)]
mod tests;
