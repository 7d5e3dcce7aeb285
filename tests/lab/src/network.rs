//! The lab's network: a bridge with the boot server's address, and a socket in the wall for each PC.
//!
//! All of it is made in the network name space of the calling process. So labs can use the same names, and the kernel
//! removes everything with the name space.

use std::net::Ipv4Addr;
use std::process::Command;

use crate::config::{LabConfig, PREFIX, SERVER};
use crate::shell::run;

/// The bridge, which is also the boot server's interface.
pub(crate) const BRIDGE: &str = "br0";

/// The tap that a PC is plugged into. `position` is the PC's place in the lab's list: an interface's name has
/// 15 characters at most (IFNAMSIZ), a PC's may have more.
pub(crate) fn tap(position: usize) -> String {
    format!("tap{position}")
}

/// The name space of [`add_router`]'s machine, and its end of the cable.
pub(crate) const ROUTER: &str = "/run/netns/router";
pub(crate) const ROUTERS_INTERFACE: &str = "uplink-end";
/// Its address.
const ROUTERS_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 126);

/// Puts another machine on the switch, at the end of its uplink.
pub(crate) fn add_router() -> anyhow::Result<()> {
    ip("netns add router")?;
    ip(&format!("link set {ROUTERS_INTERFACE} netns router"))?;
    ip(&format!("-n router address add {ROUTERS_ADDRESS}/{PREFIX} broadcast + dev {ROUTERS_INTERFACE}"))?;
    ["lo", ROUTERS_INTERFACE].into_iter().try_for_each(|name| ip(&format!("-n router link set {name} up")))
}

pub(crate) fn make(config: &LabConfig) -> anyhow::Result<()> {
    ip("link set lo up")?;
    ip(&format!("link add {BRIDGE} type bridge forward_delay 0 stp_state 0 mcast_snooping 0"))?;
    // A switch has a link even when all PCs are off; a bridge has one only when something on it does.
    ip("link add uplink type veth peer name uplink-end")?;
    ip(&format!("link set uplink master {BRIDGE}"))?;
    for interface in ["uplink", "uplink-end", BRIDGE] {
        ip(&format!("link set {interface} up"))?;
    }
    match config.servers_elsewhere {
        false => ip(&format!("address add {SERVER}/{PREFIX} broadcast + dev {BRIDGE}"))?,
        // Here nothing but the PCs' ears is on the bridge: they hear what is for any address.
        true => ip(&format!("link set {BRIDGE} promisc on"))?,
    }
    for position in 0..config.pcs.len() {
        let tap = tap(position);
        ip(&format!("tuntap add {tap} mode tap"))?;
        ip(&format!("link set {tap} master {BRIDGE} up"))?;
    }
    Ok(())
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    run(Command::new("ip").args(arguments.split(' '))).map(drop)
}
