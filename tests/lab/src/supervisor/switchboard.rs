//! Decides what a lab does when something happens to its PCs. Pure; knows neither processes nor sockets.
//!
//! ```text
//!            button, correct magic packet
//!      ┌───┐ ───────────────────────────▶ ┌────┐
//!      │off│                              │ on │ magic packets and the button do nothing
//!      └───┘ ◀─────────────────────────── └────┘
//!            the guest powers off, power cut
//! ```

use std::collections::BTreeMap;

use ghost_contract::{HostName, MacAddress};

use crate::config::{Nic, PcConfig};
use crate::control::{PcStatus, Reply, Request, Wake};
use crate::magic::{Kind, MagicPacket};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A magic packet was on the bridge.
    PacketSeen(MagicPacket),
    /// A PC's process has ended.
    PcEnded(HostName),
    Requested(Request),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start the PC's process with this card.
    Start {
        pc: HostName,
        nic: Nic,
        /// What switched it on, for its console log.
        because: &'static str,
    },
    /// End the PC's process at once.
    Kill(HostName),
    Answer(Reply),
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Power {
    Off,
    On,
}

#[derive(Debug, Clone)]
struct Pc {
    mac: MacAddress,
    nic: Nic,
    power: Power,
    boots: u32,
    wakes: Vec<Wake>,
}

/// All PCs of a lab.
#[derive(Debug, Clone)]
pub struct Switchboard(BTreeMap<HostName, Pc>);

impl Switchboard {
    pub fn new(pcs: &[PcConfig]) -> Self {
        let off = |pc: &PcConfig| Pc { mac: pc.mac, nic: pc.nic, power: Power::Off, boots: 0, wakes: vec![] };
        Self(pcs.iter().map(|pc| (pc.name.clone(), off(pc))).collect())
    }

    /// What is to be done about it.
    pub fn decide(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::PacketSeen(packet) => self.packet(packet),
            Event::PcEnded(name) => {
                if let Some(pc) = self.0.get_mut(&name) {
                    pc.power = Power::Off;
                }
                Vec::new()
            }
            Event::Requested(request) => self.request(request),
        }
    }

    fn packet(&mut self, packet: MagicPacket) -> Vec<Action> {
        let Some((name, pc)) = self.0.iter_mut().find(|(_, pc)| pc.mac == packet.target) else {
            return Vec::new();
        };
        let switched_on = pc.power == Power::Off;
        pc.wakes.push(Wake { kind: packet.kind, switched_on });
        if !switched_on {
            return Vec::new();
        }
        let because = match packet.kind {
            Kind::Raw => "a raw magic packet",
            Kind::Udp => "a magic packet in UDP",
        };
        vec![pc.switch_on(name, because)]
    }

    fn request(&mut self, request: Request) -> Vec<Action> {
        match self.obey(request) {
            Ok(mut actions) => {
                actions.push(Action::Answer(Reply::Done(self.status())));
                actions
            }
            Err(why) => vec![Action::Answer(Reply::Refused(why))],
        }
    }

    fn obey(&mut self, request: Request) -> Result<Vec<Action>, String> {
        match request {
            Request::Status => Ok(Vec::new()),
            Request::Down => Ok(vec![Action::End]),
            Request::SwitchOn(name) => Ok(vec![self.pc_that_is_off(&name)?.switch_on(&name, "its button")]),
            Request::CutPower(name) => match self.pc(&name)?.power {
                Power::On => Ok(vec![Action::Kill(name)]),
                Power::Off => Ok(Vec::new()),
            },
            Request::Insert(name, nic) => {
                self.pc_that_is_off(&name)?.nic = nic;
                Ok(Vec::new())
            }
        }
    }

    fn pc(&mut self, name: &HostName) -> Result<&mut Pc, String> {
        self.0.get_mut(name).ok_or_else(|| format!("there is no PC {name}"))
    }

    fn pc_that_is_off(&mut self, name: &HostName) -> Result<&mut Pc, String> {
        let pc = self.pc(name)?;
        if pc.power == Power::On { Err(format!("{name} is on")) } else { Ok(pc) }
    }

    pub fn status(&self) -> Vec<PcStatus> {
        let status = |(name, pc): (&HostName, &Pc)| PcStatus {
            name: name.clone(),
            on: pc.power == Power::On,
            nic: pc.nic,
            boots: pc.boots,
            wakes: pc.wakes.clone(),
        };
        self.0.iter().map(status).collect()
    }
}

impl Pc {
    fn switch_on(&mut self, name: &HostName, because: &'static str) -> Action {
        self.power = Power::On;
        self.boots += 1;
        Action::Start { pc: name.clone(), nic: self.nic, because }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LabConfig;

    fn john() -> HostName {
        "john".parse().unwrap()
    }

    fn board() -> Switchboard {
        Switchboard::new(&LabConfig::new("x".parse().unwrap()).pcs)
    }

    fn packet(mac: &str) -> Event {
        Event::PacketSeen(MagicPacket { target: mac.parse().unwrap(), kind: Kind::Raw })
    }

    fn johns_packet() -> Event {
        packet("00:e0:7d:c9:1a:2b")
    }

    fn john_in(board: &Switchboard) -> PcStatus {
        board.status().into_iter().find(|pc| pc.name == john()).unwrap()
    }

    #[test]
    fn a_packet_switches_on_the_pc_that_it_is_for_and_no_other() {
        let mut board = board();
        let start = Action::Start { pc: john(), nic: Nic::Rtl8139, because: "a raw magic packet" };
        assert_eq!(board.decide(johns_packet()), [start]);
        let on: Vec<_> = board.status().into_iter().filter(|pc| pc.on).map(|pc| pc.name).collect();
        assert_eq!(on, [john()]);
    }

    #[test]
    fn a_packet_for_nobody_does_nothing() {
        let mut board = board();
        assert_eq!(board.decide(packet("00:e0:7d:c9:1a:2f")), []);
        assert!(board.status().iter().all(|pc| !pc.on && pc.wakes.is_empty()));
    }

    #[test]
    fn a_packet_for_a_pc_that_is_on_is_noted_and_does_nothing() {
        let mut board = board();
        let _started = board.decide(johns_packet());
        assert_eq!(board.decide(johns_packet()), []);
        let wake = |switched_on| Wake { kind: Kind::Raw, switched_on };
        assert_eq!(john_in(&board).wakes, [wake(true), wake(false)]);
        assert_eq!(john_in(&board).boots, 1);
    }

    #[test]
    fn a_pc_that_powered_off_can_be_woken_again() {
        let mut board = board();
        let _started = board.decide(johns_packet());
        assert_eq!(board.decide(Event::PcEnded(john())), []);
        assert!(!john_in(&board).on);
        assert_eq!(board.decide(johns_packet()).len(), 1);
    }

    #[test]
    fn a_card_is_changed_only_while_the_pc_is_off() {
        let mut board = board();
        let insert = || Event::Requested(Request::Insert(john(), Nic::E1000));
        assert!(matches!(board.decide(insert())[..], [Action::Answer(Reply::Done(_))]));
        let started = board.decide(johns_packet());
        assert!(matches!(started[..], [Action::Start { nic: Nic::E1000, .. }]));
        assert_eq!(board.decide(insert()), [Action::Answer(Reply::Refused("john is on".to_owned()))]);
    }

    #[test]
    fn the_power_of_a_pc_that_is_off_is_cut_without_effect() {
        let mut board = board();
        let cut = || Event::Requested(Request::CutPower(john()));
        assert!(matches!(board.decide(cut())[..], [Action::Answer(Reply::Done(_))]));
        let _started = board.decide(johns_packet());
        assert_eq!(board.decide(cut())[0], Action::Kill(john()));
    }

    #[test]
    fn the_end_is_answered() {
        let actions = board().decide(Event::Requested(Request::Down));
        assert!(matches!(actions[..], [Action::End, Action::Answer(Reply::Done(_))]));
    }

    #[test]
    fn nobody_else_is_a_pc() {
        let stranger = "jack".parse().unwrap();
        let actions = board().decide(Event::Requested(Request::SwitchOn(stranger)));
        assert_eq!(actions, [Action::Answer(Reply::Refused("there is no PC jack".to_owned()))]);
    }
}
