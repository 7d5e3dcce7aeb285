//! New entries for dnsmasq. Pure: every byte that is there stays, and new lines go to the end of a file.
//!
//! ```text
//! dhcp-host=MAC,set:john,ADDRESS,john             to the main file, which dnsmasq reads when it starts
//! tag:john,option:bootfile-name,nobackup          to a file in the folder that dhcp-optsdir names, which it reads again
//! ```

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::boots::tags;
use super::hosts::Host;
use super::lines::quote;
use super::sources::{Role, Source};
use super::table::HostTable;
use super::usable::Flaw;
use crate::dhcp::adding::{
    Additions, Around, Draft, Neighbour, NewHost, NewNetwork, is_declared, is_network_declared,
    require_usable,
};
use crate::dhcp::text::absolute;
use crate::dhcp::{Change, Network};

/// The file of boot files, in a folder where there is none yet.
const BOOT_FILES: &str = "ghost4linux";
/// Which machines are told the router of a network: this, and the network's address.
const TAG: &str = "ghost4linux";

/// What the additions come to behind a draft, and how it is read then. `table` reads the configuration with changes.
pub(crate) fn added(
    mut draft: Draft,
    asked: &Additions,
    options: &Path,
    table: &dyn Fn(&[Change]) -> anyhow::Result<HostTable>,
) -> anyhow::Result<(Draft, HostTable)> {
    let before = table(&draft.changes)?;
    draft = draft.then(network(&before, asked)?);
    let with_network = table(&draft.changes)?;
    draft = draft.then(hosts(&with_network, asked, options)?);
    let after = table(&draft.changes)?;
    require_usable(&after, &asked.hosts)?;
    Ok((draft, after))
}

/// Adds the network, if it is not there yet.
fn network(table: &HostTable, asked: &Additions) -> anyhow::Result<Draft> {
    let mut draft = Draft::default();
    let Some(wanted) = &asked.network else { return Ok(draft) };
    if !is_network_declared(wanted.network, &table.networks())? {
        let main = main(table)?;
        draft.append(absolute(&main.path), &main.bytes, &range(wanted));
    }
    Ok(draft)
}

fn network_of(table: &HostTable, ip: Ipv4Addr) -> Option<Network> {
    table.networks().into_iter().find(|network| network.contains(ip))
}

/// Only hosts that are declared are answered: `static`. Without a router dnsmasq would say that it is one itself.
fn range(wanted: &NewNetwork) -> String {
    let Network { address, netmask } = wanted.network;
    let router = wanted.router.map_or_else(String::new, |ip| format!(",{ip}"));
    format!(
        "# Only hosts that are declared get an address here, so that another DHCP server of this network goes on as before.\n\
         dhcp-range=set:{TAG}-{address},{address},static,{netmask}\n\
         dhcp-option=tag:{TAG}-{address},option:router{router}\n"
    )
}

/// Adds hosts that are not there yet, and says of all that cannot be added why.
fn hosts(table: &HostTable, asked: &Additions, options: &Path) -> anyhow::Result<Draft> {
    let mut draft = Draft::default();
    let (mut lines, mut boot_files, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for host in &asked.hosts {
        match judged(table, asked.boot_server, host) {
            Ok(Judged::New) => {
                let NewHost { name, mac, ip, .. } = host;
                lines.push((Some(name.clone()), format!("dhcp-host={mac},set:{name},{ip},{name}\n")));
                boot_files.push((Some(name.clone()), boot_file(host)));
            }
            Ok(Judged::WithoutFile) => boot_files.push((Some(host.name.clone()), boot_file(host))),
            Ok(Judged::Known) => draft.known.push(host.name.clone()),
            Err(fault) => faults.push(format!("{fault:#}")),
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    let main = main(table)?;
    let (file, folder) = place(table, options);
    if let Some(folder) = folder.filter(|_| !boot_files.is_empty()) {
        let folder = quote(folder.as_os_str().as_encoded_bytes());
        let text = format!(
            "# What is in the files of this folder dnsmasq reads again without a restart.\ndhcp-optsdir={}\n",
            String::from_utf8_lossy(&folder)
        );
        lines.insert(0, (None, text));
    }
    if !lines.is_empty() {
        draft.append_each(absolute(&main.path), &main.bytes, lines);
    }
    if !boot_files.is_empty() {
        let there = table.sources.files.iter().find(|source| absolute(&source.path) == file);
        draft.append_each(file, there.map_or(&[], |source| &source.bytes), boot_files);
    }
    Ok(draft)
}

fn boot_file(host: &NewHost) -> String {
    let file = quote(host.no_boot_file.as_bytes());
    format!("tag:{},option:bootfile-name,{}\n", host.name, String::from_utf8_lossy(&file))
}

/// The file that boot files go to, and its folder if nothing names it yet.
fn place(table: &HostTable, options: &Path) -> (PathBuf, Option<PathBuf>) {
    let of_options = |source: &&Source| source.role == Role::Options;
    let there = table.sources.files.iter().filter(of_options).max_by_key(|source| source.is_watched);
    if let Some(there) = there {
        return (absolute(&there.path), None);
    }
    let is_folder = |option: &str| option == "dhcp-optsdir";
    let mut entries = table.sources.entries.iter().enumerate();
    let named = entries.find(|(_, entry)| is_folder(&entry.option));
    let named = named.and_then(|(place, _)| table.sources.named(place).into_iter().next());
    match named {
        Some(folder) => (absolute(Path::new(&folder)).join(BOOT_FILES), None),
        None => (options.join(BOOT_FILES), Some(options.to_owned())),
    }
}

/// What there is to do for a host.
enum Judged {
    New,
    Known,
    /// All of it is there but the boot file.
    WithoutFile,
}

fn judged(table: &HostTable, boot_server: Ipv4Addr, host: &NewHost) -> anyhow::Result<Judged> {
    let neighbour = |other: &Host| Neighbour {
        name: table.shown(other),
        mac: other.macs.first().copied(),
        ip: other.address,
        place: *table.place_of(other),
    };
    let of_name = table.hosts.iter().find(|other| other.name.eq_ignore_ascii_case(host.name.as_str()));
    let around = Around {
        of_name: of_name.map(neighbour),
        of_mac: table.by_mac(host.mac).next().map(neighbour),
        of_address: table.by_address(host.ip).next().map(neighbour),
        network: network_of(table, host.ip),
    };
    if !is_declared(host, boot_server, &around)? {
        return Ok(Judged::New);
    }
    let there = of_name.context("a host that was there is gone")?;
    match table.flaw(there) {
        None => Ok(Judged::Known),
        Some(Flaw::NoBootFile(_)) if tags(there).contains(&host.name.as_str()) => Ok(Judged::WithoutFile),
        Some(_) => Err(table.usable(&host.name).err().context("a host that was wrong is not")?.into()),
    }
}

fn main(table: &HostTable) -> anyhow::Result<&Source> {
    table.sources.files.first().context("a configuration without a file")
}

#[cfg(test)]
mod tests;
