//! Has an interface get its address by DHCP: ipconfig(8) of klibc, which is small enough for an initramfs.

use std::process::{Command, Stdio};

use super::child::Children;
use crate::task::DHCP_LIMIT;

/// Brings the interface up, asks, and sets what was answered.
pub(crate) fn ask(children: &Children, interface: &str) -> anyhow::Result<()> {
    let limit = DHCP_LIMIT.as_secs().to_string();
    let mut ipconfig = Command::new("ipconfig");
    ipconfig.args(["-t", &limit, "-c", "dhcp", "-d", interface]).stdin(Stdio::null()).stdout(Stdio::null());
    Ok(children.run(&mut ipconfig, DHCP_LIMIT.saturating_add(std::time::Duration::from_secs(5)))?)
}
