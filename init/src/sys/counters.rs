//! The kernel's traffic counters: `/proc/diskstats` and `/proc/net/dev`. Never waits for a server.

use anyhow::Context as _;

use crate::stall::Counters;

/// The kernel counts in sectors of this many bytes, whatever the disk's own are (Linux,
/// Documentation/admin-guide/iostats.rst).
const SECTOR: u64 = 512;

/// What has gone through these disks and this interface since the kernel's start.
pub(crate) fn read(disks: &[String], interface: &str) -> anyhow::Result<Counters> {
    let missing = |list: &str, device: &str| format!("{list} has no line for {device}");
    let list = "/proc/diskstats";
    let lines = procfs::diskstats().with_context(|| format!("cannot read {list}"))?;
    let (mut read, mut written) = (0_u64, 0_u64);
    for disk in disks {
        let line = lines.iter().find(|line| line.name == *disk).with_context(|| missing(list, disk))?;
        read = read.saturating_add(line.sectors_read);
        written = written.saturating_add(line.sectors_written);
    }
    let list = "/proc/net/dev";
    let network = procfs::net::dev_status().with_context(|| format!("cannot read {list}"))?;
    let network = network.get(interface).with_context(|| missing(list, interface))?;
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
