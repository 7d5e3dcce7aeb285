//! What reads bytes that come from clients, from the network or from our own files, as plain functions of bytes: for the fuzz
//! targets (`fuzz/`), and for nothing else.

use std::net::Ipv4Addr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::catalog::check::Check;
use crate::doctor::exports;
use crate::doctor::netboot::grub_cfg;
use crate::output::picture::{self, Graphics};
use crate::output::plain;
use crate::state::journal::{State, line};
use crate::state::record::Record;
use crate::state::vouched;
use crate::sys::{icmp, rpc, tftp};

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
    rpc::result(reply).flatten().map(<[u8]>::len)
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
