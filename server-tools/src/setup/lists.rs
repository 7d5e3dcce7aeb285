//! Lists of machines that are at hand in other programs' forms: CSV, ethers(5), the leases of ISC dhcpd. Pure.
//!
//! All that is wrong in a list is told at once, each with its place, and then none of it is used.

mod csv;
mod ethers;
mod leases;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::bail;
use ghost_contract::{HostName, MacAddress};

use crate::dhcp::adding::NewHost;
use crate::place::Place;

/// A machine that was read. ethers(5) has no addresses: they are looked up later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) name: HostName,
    pub(crate) mac: MacAddress,
    pub(crate) ip: Option<Ipv4Addr>,
}

/// What was read, and what is wrong at which offset.
#[derive(Debug, Default)]
struct Read {
    machines: Vec<(usize, Machine)>,
    faults: Vec<(usize, String)>,
    /// What was passed over.
    remarks: Vec<String>,
}

impl Read {
    /// Takes three fields as they are written; an address may be missing.
    fn take(&mut self, at: usize, name: &str, mac: &str, ip: Option<&str>) {
        let parsed = || -> Result<Machine, String> {
            let name = name.parse().map_err(|error| format!("{error}"))?;
            let mac: MacAddress = hardware_address(mac)
                .ok_or_else(|| format!("'{mac}' is not a hardware address such as 00:11:22:33:44:55"))?;
            if !is_of_a_machine(mac) {
                return Err(format!("{mac} is no single machine's hardware address"));
            }
            let address =
                |ip: &str| ip.parse().map_err(|_| format!("'{ip}' is not an IPv4 address such as 10.0.0.12"));
            Ok(Machine { name, mac, ip: ip.map(address).transpose()? })
        };
        match parsed() {
            Ok(machine) => self.machines.push((at, machine)),
            Err(fault) => self.faults.push((at, fault)),
        }
    }

    /// No two machines may have the same of anything.
    fn find_doubles(&mut self) {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for (at, machine) in &self.machines {
            let name = machine.name.as_str();
            let keys = [
                Some(name.to_ascii_lowercase()),
                Some(machine.mac.to_string()),
                machine.ip.map(|ip| ip.to_string()),
            ];
            for key in keys.into_iter().flatten() {
                if let Some(other) = seen.insert(key.clone(), name.to_owned()) {
                    self.faults.push((*at, format!("{name} has what {other} has already: {key}")));
                }
            }
        }
    }
}

/// Not a group of machines, and not none.
fn is_of_a_machine(mac: MacAddress) -> bool {
    let bytes = mac.bytes();
    bytes[0] & 1 == 0 && bytes != [0; 6]
}

/// Refuses machines of several lists that have the same of anything.
pub(crate) fn require_different(hosts: &[NewHost]) -> anyhow::Result<()> {
    let machine = |host: &NewHost| (0, Machine { name: host.name.clone(), mac: host.mac, ip: Some(host.ip) });
    let mut all = Read { machines: hosts.iter().map(machine).collect(), ..Read::default() };
    all.find_doubles();
    let told: Vec<&str> = all.faults.iter().map(|(_, fault)| fault.as_str()).collect();
    if told.is_empty() { Ok(()) } else { bail!("{}", told.join("\n")) }
}

/// Reads a list of any of the forms; with what people should know of it.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> anyhow::Result<(Vec<Machine>, Vec<String>)> {
    let mut read = match form(path, bytes) {
        Form::Leases => leases::read(bytes),
        Form::Ethers => ethers::read(bytes),
        Form::Csv => csv::read(bytes),
    };
    read.find_doubles();
    if !read.faults.is_empty() {
        read.faults.sort();
        let told = read.faults.iter().map(|(at, fault)| {
            let place = Place::at(path, bytes, *at);
            format!("{place}: {fault}\n{}", place.excerpt())
        });
        bail!("{}", told.collect::<Vec<_>>().join("\n"));
    }
    if read.machines.is_empty() {
        read.remarks.insert(0, format!("{} has no machine in it", path.display()));
        bail!("{}", read.remarks.join("\n"));
    }
    Ok((read.machines.into_iter().map(|(_, machine)| machine).collect(), read.remarks))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Ethers,
    Leases,
}

/// By the name, and by what is in it where that says nothing.
fn form(path: &Path, bytes: &[u8]) -> Form {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match ending.as_str() {
        "csv" => return Form::Csv,
        "leases" => return Form::Leases,
        _ if name == "ethers" => return Form::Ethers,
        _ => {}
    }
    let text = String::from_utf8_lossy(bytes);
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let first = first.unwrap_or_default();
    let mut words = first.split_whitespace();
    let word = words.next().unwrap_or_default();
    match first {
        _ if hardware_address(word).is_some() && words.next().is_some() => Form::Ethers,
        _ if first.ends_with('{') || first.ends_with(';') && !first.contains(',') => Form::Leases,
        _ => Form::Csv,
    }
}

/// Colons, dashes, dots in fours (as switches write them), or nothing between the digits.
fn hardware_address(text: &str) -> Option<MacAddress> {
    if let Ok(mac) = text.parse() {
        return Some(mac);
    }
    let digits: String = text.chars().filter(|c| *c != '.').collect();
    let has_its_length =
        digits.len() == 12 && (text.len() == 12 || text.split('.').all(|part| part.len() == 4));
    if !has_its_length || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 6];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(MacAddress::new(bytes))
}

#[cfg(test)]
mod tests;
