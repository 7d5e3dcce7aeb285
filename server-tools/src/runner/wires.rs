//! The networks on which clients are asked whether they are on, and woken. One set of sockets an interface serves any number
//! of clients.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::Context as _;
use ghost_contract::MacAddress;

use crate::dhcp::{Host, Network};
use crate::ghostrc::{SecureOn, Settings};
use crate::job::Heard;
use crate::sys::arp::Arp;
use crate::sys::earshot::Earshot;
use crate::sys::icmp::Icmp;
use crate::sys::interface::Interface;
use crate::wake::{self, Waker};

use super::overheard::{Overheard, understood};

/// So much is heard in one turn of the loop, so that who talks without end does not stop it.
const AT_ONCE: usize = 256;

/// One interface that clients are reached by.
#[derive(Debug)]
struct Wire {
    interface: Interface,
    arp: Arp,
    waker: Waker,
}

/// How one client is reached.
#[derive(Debug)]
struct Way {
    ip: Ipv4Addr,
    mac: MacAddress,
    wire: usize,
    /// Whether it is on the wire itself, and not behind a gateway.
    is_neighbour: bool,
    /// Where magic packets go besides the wire.
    beyond: Option<Ipv4Addr>,
    password: Option<SecureOn>,
}

#[derive(Debug, Default)]
pub(crate) struct Wires {
    wires: Vec<Wire>,
    /// One for each host, in the order in which they were added.
    ways: Vec<Way>,
    /// Asks operating systems for an echo. Clients behind gateways answer nothing else.
    icmp: Option<Icmp>,
    /// Hears clients that have no report yet.
    earshot: Option<Earshot>,
}

impl Wires {
    /// Opens what it takes to reach a host's client; yields the host's place.
    pub(crate) fn add(
        &mut self,
        host: &Host,
        settings: &Settings,
        network: Option<Network>,
    ) -> anyhow::Result<usize> {
        let Host { ip, mac, .. } = *host;
        let interface = match &settings.interface {
            Some(name) => Interface::named(name)?,
            None => Interface::towards(ip)?,
        };
        interface.require_link()?;
        let ask = || format!("cannot ask on {} who is on; this needs root's rights", interface.name);
        let is_neighbour = interface.is_neighbour(ip);
        if self.icmp.is_none() {
            self.icmp = Some(Icmp::open().with_context(ask)?);
        }
        if self.earshot.is_none() {
            self.earshot = Some(Earshot::open().with_context(ask)?);
        }
        let beyond = wake::beyond(settings.wake_relay, is_neighbour, network);
        let wire = match self.wires.iter().position(|wire| wire.interface == interface) {
            Some(wire) => wire,
            None => {
                let arp = Arp::open(&interface).with_context(ask)?;
                let waker = Waker::open(&interface)?;
                self.wires.push(Wire { interface, arp, waker });
                self.wires.len() - 1
            }
        };
        let password = settings.secure_on.clone();
        self.ways.push(Way { ip, mac, wire, is_neighbour, beyond, password });
        Ok(self.ways.len() - 1)
    }

    pub(crate) fn wake(&self, index: usize) -> anyhow::Result<()> {
        let Some(way) = self.ways.get(index) else { return Ok(()) };
        let Some(wire) = self.wires.get(way.wire) else { return Ok(()) };
        let password = way.password.as_ref().map(|password| password.bytes());
        wire.interface.require_link()?;
        wire.waker.wake(way.mac, password, way.beyond)
    }

    /// Asks whether a client is on. A question that cannot be sent is not answered, and then the job's deadlines decide.
    pub(crate) fn probe(&self, index: usize) {
        let Some(way) = self.ways.get(index) else { return };
        let _unasked = match (self.wires.get(way.wire), &self.icmp) {
            (_, Some(icmp)) if !way.is_neighbour => icmp.ask(way.ip),
            (Some(wire), _) => wire.arp.ask(way.ip),
            (None, _) => Ok(()),
        };
    }

    /// Asks for an echo. Behind a gateway [`Self::probe`] has done so.
    pub(crate) fn echo(&self, index: usize) {
        let way = self.ways.get(index).filter(|way| way.is_neighbour);
        if let (Some(way), Some(icmp)) = (way, &self.icmp) {
            let _unasked = icmp.ask(way.ip);
        }
    }

    /// Which machines have answered for the addresses of which clients since the last call.
    pub(crate) fn answers(&self) -> Vec<(usize, MacAddress)> {
        let mut answers = Vec::new();
        for (number, wire) in self.wires.iter().enumerate() {
            // An interface that has gone away answers nothing; then the job's deadlines decide.
            while let Ok(Some(answer)) = wire.arp.answer() {
                let asked = self.ways.iter().enumerate();
                let asked = asked.filter(|(_, way)| way.wire == number && way.ip == answer.ip);
                answers.extend(asked.map(|(index, _)| (index, answer.mac)));
            }
        }
        answers
    }

    /// What clients were heard to say before they had reports since the last call.
    pub(crate) fn overheard(&self) -> Vec<(usize, Heard)> {
        let next = |_| self.earshot.as_ref()?.next(understood).ok().flatten();
        let mut all = Vec::new();
        for Overheard { mac, ip, heard } in (0..AT_ONCE).map_while(next).flatten() {
            let is_its = |way: &Way| way.mac == mac || !way.is_neighbour && way.ip == ip;
            let its = self.ways.iter().enumerate().filter(|(_, way)| is_its(way));
            all.extend(its.map(|(index, _)| (index, heard.clone())));
        }
        all
    }

    /// The clients whose operating systems have answered since the last call.
    pub(crate) fn echoes(&self) -> Vec<usize> {
        let mut echoes = Vec::new();
        while let Some(Ok(Some(from))) = self.icmp.as_ref().map(Icmp::answer) {
            let asked = self.ways.iter().enumerate().filter(|(_, way)| way.ip == from);
            echoes.extend(asked.map(|(index, _)| index));
        }
        echoes
    }

    /// What becomes readable when there is an answer.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let arps = self.wires.iter().map(|wire| wire.arp.socket.as_fd());
        let others = [self.icmp.as_ref().map(Icmp::as_fd), self.earshot.as_ref().map(Earshot::as_fd)];
        arps.chain(others.into_iter().flatten())
    }
}
