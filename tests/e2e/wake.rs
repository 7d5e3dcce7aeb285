//! The power button of the lab: correct magic packets switch a PC on, and nothing else does.

use ghost_contract::MacAddress;
use ghost_lab::Lab;
use ghost_lab::control::Wake;
use ghost_lab::magic::{ETHERTYPE_IPV4, ETHERTYPE_WAKE_ON_LAN, Kind, PROTOCOL_UDP};
use ghost_lab::wait;

use crate::stage::{OWN_DISK, SOON, Stage};

fn pattern(mac: MacAddress, repetitions: usize) -> Vec<u8> {
    [vec![0xff; 6], mac.bytes().repeat(repetitions)].concat()
}

fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&[0xff; 6], &[2, 0, 0, 0, 0, 1], &ethertype.to_be_bytes()[..], payload].concat()
}

fn raw(payload: &[u8]) -> Vec<u8> {
    ethernet(ETHERTYPE_WAKE_ON_LAN, payload)
}

/// A datagram to port 9 of everybody; nobody on this network looks at its checksums.
fn udp(payload: &[u8]) -> Vec<u8> {
    let length = |extra: usize| u16::try_from(payload.len() + extra).unwrap().to_be_bytes();
    let mut packet = vec![0x45, 0];
    packet.extend(length(28));
    packet.extend([0, 0, 0, 0, 64, PROTOCOL_UDP, 0, 0, 192, 168, 7, 1, 192, 168, 7, 127]);
    packet.extend([0x12, 0x34, 0, 9]);
    packet.extend(length(8));
    packet.extend([0, 0]);
    packet.extend(payload);
    ethernet(ETHERTYPE_IPV4, &packet)
}

fn wakes(lab: &Lab, pc: &str) -> Vec<Wake> {
    lab.pc(pc).unwrap().status().unwrap().wakes
}

fn wait_for_wakes(lab: &Lab, pc: &str, count: usize) -> Vec<Wake> {
    wait::until("a magic packet to be seen", SOON, || {
        Some(wakes(lab, pc)).filter(|wakes| wakes.len() >= count)
    })
    .unwrap()
}

#[test]
fn only_a_correct_magic_packet_switches_a_pc_on() {
    let stage = Stage::new("wake");
    let [john, joe] = ["john", "joe"].map(|name| stage.pc(name).unwrap());
    let mac = john.config().mac;
    let nobody = MacAddress::new([0x00, 0xe0, 0x7d, 0xc9, 0x1a, 0xff]);
    for payload in [pattern(mac, 15), pattern(nobody, 16), pattern(mac, 16)[1..].to_vec()] {
        stage.send_frame(&raw(&payload)).unwrap();
        stage.send_frame(&udp(&payload)).unwrap();
    }
    stage.send_frame(&ethernet(0x88b5, &pattern(mac, 16))).unwrap();
    // Frames are seen in the order in which they are sent: when joe's has been seen, john's wrong ones have.
    stage.send_frame(&raw(&pattern(joe.config().mac, 16))).unwrap();
    assert_eq!(wait_for_wakes(&stage, "joe", 1), [Wake { kind: Kind::Raw, switched_on: true }]);
    assert!(john.is_off().unwrap());
    assert!(wakes(&stage, "john").is_empty());
    joe.cut_power().unwrap();

    for (frame, kind) in [(udp(&pattern(mac, 16)), Kind::Udp), (raw(&pattern(mac, 16)), Kind::Raw)] {
        let before = wakes(&stage, "john").len();
        stage.send_frame(&frame).unwrap();
        stage.send_frame(&frame).unwrap();
        let seen = wait_for_wakes(&stage, "john", before + 2).split_off(before);
        assert_eq!(seen, [Wake { kind, switched_on: true }, Wake { kind, switched_on: false }]);
        john.wait_console(&john.config().own_disk_message(), OWN_DISK).unwrap();
        john.cut_power().unwrap();
    }
    assert_eq!(john.status().unwrap().boots, 2);
}
