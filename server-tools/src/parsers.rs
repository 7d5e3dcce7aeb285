//! What reads bytes that come from clients, from the network or from our own files, as plain functions of bytes: for the fuzz
//! targets (`fuzz/`), and for nothing else.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use ghost_contract::report::Reader;
use ghost_contract::{JobId, MacAddress, Mode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::catalog::check::Check;
use crate::catalog::signing;
use crate::dhcp::adding::{Additions, NewHost};
use crate::dhcp::kea;
use crate::dhcp::probe::packet;
use crate::doctor::exports;
use crate::doctor::netboot::{grub_cfg, loaded_after};
use crate::exports::ganesha;
use crate::job::Said;
use crate::job::pace::{self, Expected};
use crate::job::said::Words;
use crate::output::picture::{self, Graphics};
use crate::output::plain;
use crate::runner::overheard::understood;
use crate::served::look;
use crate::setup::lists;
use crate::state::journal::{State, line};
use crate::state::record::Record;
use crate::state::{by_hand, runs, vouched};
use crate::sys::udp_frame::Datagram;
use crate::sys::{icmp, rpc, tftp};

mod listed;

/// An entry of the journal: what is understood of it, written and read again, is the same.
pub fn journal(bytes: &[u8]) -> bool {
    let contents = line::read(bytes);
    let _left = State::of(&contents.lines);
    let again: String = contents.lines.iter().filter_map(|line| line.to_text().ok()).collect();
    line::read(again.as_bytes()).lines == contents.lines
}

pub fn record(bytes: &[u8]) -> bool {
    is_read_again::<Record>(bytes)
}

pub fn check(bytes: &[u8]) -> bool {
    is_read_again::<Check>(bytes)
}

/// What this boot server vouches for.
pub fn vouched(bytes: &[u8]) -> bool {
    lines_are_read_again::<vouched::Vouched>(bytes) && lines_are_read_again::<vouched::Verdict>(bytes)
}

/// A run's lines, and what is kept of a swap by hand.
pub fn runs(bytes: &[u8]) -> bool {
    lines_are_read_again::<runs::Line>(bytes)
}

pub fn by_hand(bytes: &[u8]) -> bool {
    is_read_again::<by_hand::Record>(bytes)
}

fn lines_are_read_again<T: Serialize + DeserializeOwned + PartialEq>(bytes: &[u8]) -> bool {
    let again = |line: &T| vouched::parse::<T>(&serde_json::to_vec(line).unwrap_or_default()).next();
    vouched::parse::<T>(bytes).all(|line| again(&line).as_ref() == Some(&line))
}

/// Whether what is understood is written in a way that is understood as the same.
fn is_read_again<T: Serialize + DeserializeOwned + PartialEq>(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else { return true };
    let again = serde_json::to_vec(&value).ok().and_then(|json| serde_json::from_slice::<T>(&json).ok());
    again == Some(value)
}

/// Whose address a frame of ARP tells.
pub fn arp(frame: &[u8]) -> Option<Ipv4Addr> {
    ghost_contract::arp::spoken(frame).map(|answer| answer.ip)
}

/// Who answers a ping.
pub fn icmp(packet: &[u8]) -> Option<Ipv4Addr> {
    icmp::echoed(packet, [0x12, 0x34])
}

/// How long the result of an RPC reply is.
pub fn rpc(reply: &[u8]) -> Option<usize> {
    match rpc::understood(reply)? {
        rpc::Reply::Done(result) => Some(result.len()),
        rpc::Reply::NotForUs | rpc::Reply::NotServed => None,
    }
}

/// How long the block or the message of a TFTP server is.
pub fn tftp(packet: &[u8]) -> Option<usize> {
    tftp::read(packet).map(|answer| answer.map_or_else(|words| words.len(), |block| block.len()))
}

/// How many folders an NFS server exports, by its reply and by a table of the kernel's.
pub fn exports(bytes: &[u8]) -> usize {
    let listed = exports::listed(bytes).unwrap_or_default().len();
    listed + exports::grants(&String::from_utf8_lossy(bytes)).len()
}

/// The files that a configuration of GRUB names on the TFTP server.
pub fn grub(bytes: &[u8]) -> Vec<String> {
    let named = grub_cfg::files(&String::from_utf8_lossy(bytes));
    [named.loaded, named.configurations].concat()
}

/// What a boot file leads to on a TFTP server whose files are these bytes: the boot file is the first part, and all others have
/// the rest.
pub fn netboot(bytes: &[u8]) -> BTreeSet<String> {
    let cut = bytes.iter().position(|byte| *byte == 0xff).unwrap_or(bytes.len());
    let (boot_file, rest) = bytes.split_at(cut);
    loaded_after("efi/boot", &mut |name| match name {
        "efi/boot" => Some(boot_file.to_vec()),
        _ => (name.len() < 40).then(|| rest.to_vec()),
    })
}

/// What is heard in a frame of the network: of whom, and in words for people.
pub fn overheard(frame: &[u8]) -> Option<(MacAddress, String)> {
    let said = Datagram::of(frame)?;
    assert!(said.payload.len() + 42 <= frame.len());
    let heard = understood(said)?;
    Some((heard.mac, format!("{}; {}", heard.heard, heard.heard.in_the_end(heard.ip))))
}

/// What a DHCP server offers, in words; and whether some boot ROM may load its boot file.
pub fn offer(message: &[u8]) -> Option<(String, bool)> {
    assert!(packet::offer(message).is_none() || packet::asked(message).is_none());
    let (_, _, offer) = packet::offer(message)?;
    assert!(offer.boot_file().len() <= message.len());
    Some((offer.words(), offer.may_boot(offer.boot_file())))
}

/// A list of machines whose file has this name: put into the configuration of each DHCP server nothing of it is lost, and taken out
/// again nothing of it stays.
pub fn list(name: &str, bytes: &[u8]) {
    let (machines, remarks) = match lists::read(Path::new(name), bytes) {
        Ok(read) => read,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(!machines.is_empty() && remarks.iter().all(|remark| !remark.is_empty()));
    let new = |(place, machine): (u32, lists::Machine)| NewHost {
        ip: machine.ip.unwrap_or_else(|| Ipv4Addr::from(0x0a01_0000 + place)),
        no_boot_file: "nobackup".to_owned(),
        name: machine.name,
        mac: machine.mac,
    };
    let hosts: Vec<NewHost> = (0..).zip(machines).map(new).collect();
    let asked = Additions {
        boot_server: [10, 0, 0, 5].into(),
        network: None,
        hosts,
        no_boot_file: "nobackup".to_owned(),
    };
    listed::come_and_go(&asked);
}

/// What NFS-Ganesha says of its exports: how many there are.
pub fn ganesha(reply: &[u8]) -> Option<usize> {
    ganesha::listed(&String::from_utf8_lossy(reply)).map(|exports| exports.len())
}

/// What Kea's control socket answers, and how it differs from a configuration.
pub fn kea_answer(answer: &[u8]) -> Option<String> {
    const FILE: &[u8] = br#"{"Dhcp4": {"reservations": [{"hw-address": "02:00:00:00:00:02", "hostname": "john", "ip-address": "192.168.7.2", "boot-file-name": "nobackup"}]}}"#;
    let mut nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let table = kea::HostTable::read(Path::new("/kea-dhcp4.conf"), FILE.to_vec(), &mut nothing).ok()?;
    kea::control::difference(&table, &kea::control::granted(answer).ok()?)
}

/// A report as `status` and the console follow it: what it comes to, in words and numbers.
pub fn followed(report: &[u8]) -> Vec<String> {
    let job = "20260123-142501-4f3a".parse::<JobId>();
    let job = job.unwrap_or_else(|error| panic!("{error}"));
    let read = Reader::default().read(report);
    let said = Said::of(&read.entries, &job);
    for mode in Mode::ALL {
        for total in [0, 1, 1 << 30, u64::MAX] {
            let expected = [Some(Expected::Exactly(total)), Some(Expected::About(total)), None];
            for expected in expected {
                let percent = said.readings.and_then(|readings| readings.percent(mode, expected));
                assert!(percent.is_none_or(|percent| percent <= 100));
                let left = said.readings.and_then(|readings| readings.left(mode, expected));
                let _words = pace::words(said.readings.and_then(|readings| readings.rate()), left);
            }
        }
    }
    let progress = said.progress.as_ref().map(pace::progress);
    read.entries.iter().map(|entry| Words(&entry.event).to_string()).chain(progress).collect()
}

/// The file system in a file, as `images mount` shows it.
pub fn looked_into(file_system: &str, file: File) {
    look::into(file_system, file);
}

/// Whether this is believed as the signature of a manifest, `manifest`, by one who trusts a key.
pub fn signature(bytes: &[u8]) -> bool {
    const KEY: &str = "RWQ/56GMq7EItLMHORDv0fA1jq7V2uqHtRxXHF0n/X7kXC24hU8zO5rT";
    signing::is_believed(KEY, b"manifest", bytes).unwrap_or_else(|error| panic!("{error}"))
}

/// What a terminal is sent for a screenshot; nothing for what is none.
pub fn picture(png: &[u8]) -> Option<String> {
    picture::sequence(png, Graphics::Sixel).ok()
}

/// What people and programs read if a client has said this.
pub fn shown(said: &str) -> [String; 4] {
    let json = serde_json::to_string(said).unwrap_or_default();
    let lines = plain::lines(&format!("ghostctl: {said}")).into_owned();
    [plain::FromClient(said).to_string(), lines, plain::screen(said), plain::json(&json).into_owned()]
}
