//! `ghostctl wake`: sends magic packets, and nothing else.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Context as _;
use ghost_contract::MacAddress;
use serde::Serialize;

use crate::cli::{Sleeper, WakeArgs};
use crate::exit::{Exit, WithExit};
use crate::output::{Form, Output};
use crate::site::Site;
use crate::sys::interface::Interface;
use crate::wake::{self, Waker};

/// How many times each machine is sent a packet: one may be lost.
const TIMES: u32 = 3;
/// The wait in between, so that they are not lost together.
const PAUSE: Duration = Duration::from_millis(100);

/// A machine that packets can be sent to.
struct Target {
    name: String,
    mac: MacAddress,
    interface: Interface,
    password: Option<Vec<u8>>,
    /// Where packets go besides the own network.
    beyond: Option<Ipv4Addr>,
}

/// What was sent, for programs.
#[derive(Serialize)]
struct Sent<'a> {
    target: &'a str,
    mac: MacAddress,
    interface: &'a str,
    beyond: Option<Ipv4Addr>,
    sent: bool,
}

pub(super) fn run(site: &Site, arguments: &WakeArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let targets = arguments.sleepers.iter().map(|sleeper| target(site, sleeper));
    let targets = targets.collect::<anyhow::Result<Vec<_>>>().exit_by_default(Exit::Configuration)?;
    if !arguments.dry_run {
        send(&targets).exit_by_default(Exit::Configuration)?;
    }
    targets.iter().for_each(|target| tell(target, !arguments.dry_run, output));
    Ok(Exit::Done)
}

fn send(targets: &[Target]) -> anyhow::Result<()> {
    for time in 0..TIMES {
        if time > 0 {
            std::thread::sleep(PAUSE);
        }
        for target in targets {
            target.interface.require_link()?;
            Waker::open(&target.interface)?.wake(target.mac, target.password.as_deref(), target.beyond)?;
        }
    }
    Ok(())
}

fn tell(target: &Target, sent: bool, output: &mut Output) {
    let Target { name, mac, interface, beyond, .. } = target;
    let interface = &interface.name;
    let and = beyond.map(|beyond| format!(" and to {beyond}")).unwrap_or_default();
    match output.form() {
        Form::Json => output.json(&Sent { target: name, mac: *mac, interface, beyond: *beyond, sent }),
        Form::Plain if sent => {
            output.line(&format!("{name}: magic packets for {mac} sent out of {interface}{and}"));
        }
        Form::Plain => {
            output.line(&format!("{name}: would send magic packets for {mac} out of {interface}{and}"));
        }
    }
}

fn target(site: &Site, sleeper: &Sleeper) -> anyhow::Result<Target> {
    match sleeper {
        Sleeper::Host(name) => {
            let hosts = site.hosts()?;
            let host = hosts.host(name).context("nothing was touched").exit(Exit::Configuration)?;
            let network = hosts.reaches(&[(host.name, host.ip)]).pop().and_then(|reach| reach.network);
            let settings = site.ghostrc.for_host(name);
            let interface = match &settings.interface {
                Some(interface) => Interface::named(interface)?,
                None => Interface::towards(host.ip)?,
            };
            let password = settings.secure_on.map(|password| password.bytes().to_vec());
            let beyond = wake::beyond(settings.wake_relay, interface.is_neighbour(host.ip), network);
            Ok(Target { name: name.to_string(), mac: host.mac, interface, password, beyond })
        }
        Sleeper::Mac(mac) => {
            let settings = site.ghostrc.settings();
            let interface = match &settings.interface {
                Some(interface) => Interface::named(interface)?,
                None => Interface::with_address(site.ghostrc.boot_server)?,
            };
            let password = settings.secure_on.as_ref().map(|password| password.bytes().to_vec());
            let beyond = settings.wake_relay;
            Ok(Target { name: mac.to_string(), mac: *mac, interface, password, beyond })
        }
    }
}
