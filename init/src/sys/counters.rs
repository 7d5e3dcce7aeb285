//! The kernel's traffic counters: `/proc/diskstats` and `/proc/net/dev`. Never waits for a server.

use procfs::ProcError;

use crate::stall::Counters;

/// The kernel counts in sectors of this many bytes, whatever the disk's own are (Linux,
/// Documentation/admin-guide/iostats.rst).
const SECTOR: u64 = 512;

/// Why the counters are not known.
#[derive(Debug, thiserror::Error)]
pub enum CountersError {
    /// A list of the kernel's.
    #[error("cannot read {list}")]
    Read { list: &'static str, source: ProcError },
    /// A device that is not in it.
    #[error("{list} has no line for {device}")]
    NoSuchDevice { list: &'static str, device: String },
}

/// What has gone through these disks and this interface since the kernel's start.
pub fn read(disks: &[String], interface: &str) -> Result<Counters, CountersError> {
    let missing = |list, device: &str| CountersError::NoSuchDevice { list, device: device.to_owned() };
    let list = "/proc/diskstats";
    let lines = procfs::diskstats().map_err(|source| CountersError::Read { list, source })?;
    let (mut read, mut written) = (0_u64, 0_u64);
    for disk in disks {
        let line = lines.iter().find(|line| line.name == *disk).ok_or_else(|| missing(list, disk))?;
        read = read.saturating_add(line.sectors_read);
        written = written.saturating_add(line.sectors_written);
    }
    let list = "/proc/net/dev";
    let network = procfs::net::dev_status().map_err(|source| CountersError::Read { list, source })?;
    let network = network.get(interface).ok_or_else(|| missing(list, interface))?;
    Ok(Counters {
        disk_read: read.saturating_mul(SECTOR),
        disk_written: written.saturating_mul(SECTOR),
        received: network.recv_bytes,
        sent: network.sent_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_named() {
        let error = read(&["no-such-disk".to_owned()], "lo").unwrap_err();
        assert_eq!(error.to_string(), "/proc/diskstats has no line for no-such-disk");
    }
}
