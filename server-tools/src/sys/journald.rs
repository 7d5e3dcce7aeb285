//! Messages to systemd-journald with fields, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).
//!
//! Not by a crate: those that there are wait for a journald that takes nothing, and jobs must not.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::fstat;

/// Where journald listens.
pub(crate) const SOCKET: &str = "/run/systemd/journal/socket";

#[derive(Debug)]
pub(crate) struct Journald(UnixDatagram);

impl Journald {
    /// None where no journald listens.
    pub(crate) fn connect(socket: &Path) -> Option<Self> {
        let connected = UnixDatagram::unbound().and_then(|own| {
            own.connect(socket)?;
            own.set_nonblocking(true)?;
            Ok(own)
        });
        connected.ok().map(Self)
    }

    /// Sends a message, if there is room for it now.
    pub(crate) fn send(&self, message: &[u8]) -> io::Result<()> {
        self.0.send(message).map(drop)
    }

    pub(crate) fn wait_for_room(&self, most: Duration) {
        // Whatever poll says, the next try tells.
        let _ready = poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], most.try_into().ok().as_ref());
    }
}

/// Whether standard output is journald's, as in a unit of systemd: what is written there stands in the journal too.
pub(crate) fn has_standard_output() -> bool {
    let named = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let own = fstat(rustix::stdio::stdout()).map(|stat| format!("{}:{}", stat.st_dev, stat.st_ino));
    own.is_ok_and(|own| own == named)
}

/// A message of these fields, in their order: a value with a line end is preceded by its length.
pub(crate) fn datagram(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            bytes.push(b'\n');
            bytes.extend_from_slice(&u64::try_from(value.len()).unwrap_or_default().to_le_bytes());
        } else {
            bytes.push(b'=');
        }
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(b'\n');
    }
    bytes
}
