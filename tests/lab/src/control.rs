//! Requests to a lab's supervisor and its replies: one JSON line each way, on a socket in the lab's folder.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use ghost_contract::HostName;
use serde::{Deserialize, Serialize};

use crate::config::Nic;
use crate::magic::Kind;

/// The socket, below the lab's folder.
pub const SOCKET: &str = "control";
/// How long the other side may take for one line.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Press the power button of a PC that is off.
    SwitchOn(HostName),
    CutPower(HostName),
    /// Put another card into a PC that is off; its address stays.
    Insert(HostName, Nic),
    /// Say how all PCs are.
    Status,
    Down,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It is done, and so are the PCs now.
    Done(Vec<PcStatus>),
    /// It is not done, and why.
    Refused(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PcStatus {
    pub name: HostName,
    pub on: bool,
    pub nic: Nic,
    /// How often it was switched on, by the button or by a packet.
    pub boots: u32,
    /// The magic packets for it, and whether each found it off and so switched it on.
    pub wakes: Vec<Wake>,
}

/// A magic packet for a PC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    pub kind: Kind,
    /// Whether the PC was off and is on by it.
    pub switched_on: bool,
}

/// Asks the supervisor of the lab in this folder.
pub fn ask(folder: &Path, request: &Request) -> anyhow::Result<Vec<PcStatus>> {
    let reply = exchange(folder, request);
    match reply.with_context(|| format!("cannot talk to the lab in {}", folder.display()))? {
        Reply::Done(pcs) => Ok(pcs),
        Reply::Refused(why) => bail!("the lab refused: {why}"),
    }
}

fn exchange(folder: &Path, request: &Request) -> io::Result<Reply> {
    let mut stream = connect(folder, SOCKET)?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}

/// Connects to a socket in a folder, however long the folder's path is: `sun_path` (unix(7)) holds 108 bytes,
/// the way through /proc needs few of them.
pub fn connect(folder: &Path, name: &str) -> io::Result<UnixStream> {
    let open = File::open(folder)?;
    let stream = UnixStream::connect(format!("/proc/self/fd/{}/{name}", open.as_raw_fd()))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}
