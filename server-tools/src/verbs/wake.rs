//! `ghostctl wake`: magic packets, and nothing else.

use std::time::Duration;

use ghost_contract::MacAddress;

use crate::cli::{Sleeper, WakeArgs};
use crate::dhcp::SwapError;
use crate::job::FailureKind;
use crate::output::Output;
use crate::site::{Site, SiteError};
use crate::sys::interface::{Interface, InterfaceError};
use crate::wake::{WakeError, Waker};

/// How many times each machine is sent a packet: one may be lost.
const TIMES: u32 = 3;
/// How long is waited in between, so that they are not lost together.
const PAUSE: Duration = Duration::from_millis(100);

/// Why somebody was not woken.
#[derive(Debug, thiserror::Error)]
pub enum WakeVerbError {
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    #[error(transparent)]
    Wake(#[from] WakeError),
}

impl WakeVerbError {
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Site(_) | Self::Interface(_) => FailureKind::Configuration.exit().status(),
            Self::Wake(_) => FailureKind::Permission.exit().status(),
        }
    }
}

/// Somebody who can be sent packets.
struct Target {
    name: String,
    mac: MacAddress,
    interface: Interface,
    password: Option<Vec<u8>>,
}

pub fn run(site: &Site, arguments: &WakeArgs, output: &mut Output) -> Result<u8, WakeVerbError> {
    let targets: Vec<Target> =
        arguments.sleepers.iter().map(|sleeper| target(site, sleeper)).collect::<Result<_, _>>()?;
    if arguments.dry_run {
        for Target { name, mac, interface, .. } in &targets {
            output.line(&format!("{name}: would send magic packets for {mac} out of {}", interface.name));
        }
        return Ok(0);
    }
    for time in 0..TIMES {
        if time > 0 {
            std::thread::sleep(PAUSE);
        }
        for target in &targets {
            Waker::open(&target.interface)?.wake(target.mac, target.password.as_deref())?;
        }
    }
    for Target { name, mac, interface, .. } in &targets {
        output.line(&format!("{name}: magic packets for {mac} sent out of {}", interface.name));
    }
    Ok(0)
}

fn target(site: &Site, sleeper: &Sleeper) -> Result<Target, WakeVerbError> {
    match sleeper {
        Sleeper::Host(name) => {
            let host = site.hosts()?.host(name).map_err(SwapError::from).map_err(SiteError::from)?;
            let settings = site.ghostrc.for_host(name);
            let interface = match &settings.interface {
                Some(interface) => Interface::named(interface)?,
                None => Interface::towards(host.ip)?,
            };
            let password = settings.secure_on.map(|password| password.bytes().to_vec());
            Ok(Target { name: name.to_string(), mac: host.mac, interface, password })
        }
        Sleeper::Mac(mac) => {
            let settings = site.ghostrc.settings();
            let interface = match &settings.interface {
                Some(interface) => Interface::named(interface)?,
                None => Interface::with_address(site.ghostrc.boot_server)?,
            };
            let password = settings.secure_on.as_ref().map(|password| password.bytes().to_vec());
            Ok(Target { name: mac.to_string(), mac: *mac, interface, password })
        }
    }
}
