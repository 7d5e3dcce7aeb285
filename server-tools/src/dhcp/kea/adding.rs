//! New entries in kea-dhcp4.conf. Pure: every byte that is there stays. A reservation goes behind the last one of its subnet, in the file
//! in which that one stands; a subnet behind the last one, and so on.
//!
//! ```text
//! interface ─▶ subnet ─▶ lists of reservations ─▶ reservations ─▶ next-server
//! ```
//! Each of them is an edit of what the one before has made.

mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use anyhow::{Context as _, bail};
use ghost_contract::HostName;

use super::lexer::quote;
use super::table::{Host, HostTable};
use super::tree::NodeKind;
use super::usable::Flaw;
use crate::dhcp::Change;
use crate::dhcp::adding::{
    Additions, Around, Draft, Neighbour, NewHost, NewNetwork, is_declared, is_network_declared,
    require_usable,
};
use places::{Insertion, behind_last, drafted, each_behind_last, whole};

/// A configuration with nothing in it that a network needs.
pub(super) const EMPTY: &str = r#"// Kea's DHCP server for IPv4. 'ghostctl setup' has made this file.
{
"Dhcp4": {
    "interfaces-config": { "interfaces": [ ] },
    "control-socket": { "socket-type": "unix", "socket-name": "/run/kea/kea4-ctrl-socket" },
    "lease-database": { "type": "memfile", "lfc-interval": 3600 },
    "subnet4": [
    ]
}
}
"#;

/// What the additions come to behind a draft, and how it is read then. `table` reads the configuration with changes.
pub(crate) fn added(
    mut draft: Draft,
    asked: &Additions,
    table: &dyn Fn(&[Change]) -> anyhow::Result<HostTable>,
) -> anyhow::Result<(Draft, HostTable)> {
    for edit in [interface, network, lists, hosts, next_server] {
        let before = table(&draft.changes)?;
        draft = draft.then(edit(&before, asked)?);
    }
    let after = table(&draft.changes)?;
    require_usable(&after, &asked.hosts)?;
    Ok((draft, after))
}

/// Has Kea listen on the new network's interface, if it listens on none.
fn interface(table: &HostTable, asked: &Additions) -> anyhow::Result<Draft> {
    let Some(interface) = asked.network.as_ref().and_then(|network| network.interface.as_ref()) else {
        return Ok(Draft::default());
    };
    let values = &table.values;
    let name = text(interface);
    let Some(config) = values.member(table.all, "interfaces-config") else {
        let config = format!("\"interfaces-config\": {{ \"interfaces\": [ {name} ] }}");
        return drafted(values, vec![behind_last(values, table.all, &config)?]);
    };
    let Some(list) = values.member(config, "interfaces") else {
        return drafted(values, vec![behind_last(values, config, &format!("\"interfaces\": [ {name} ]"))?]);
    };
    let named: Vec<Vec<u8>> =
        values.node(list).children.iter().filter_map(|node| values.text(*node)).collect();
    if named.is_empty() && values.node(list).kind == NodeKind::List {
        return drafted(values, vec![behind_last(values, list, &name)?]);
    }
    let listens = named.iter().any(|named| {
        let of_it = named.strip_prefix(interface.as_bytes());
        named == b"*" || of_it.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    });
    let mut draft = Draft::default();
    if !listens {
        draft.remarks.push(format!(
            "{}: Kea listens on other interfaces than {interface}; add that one to them",
            values.place(list)
        ));
    }
    Ok(draft)
}

/// Adds the network, if it is not there yet.
fn network(table: &HostTable, asked: &Additions) -> anyhow::Result<Draft> {
    let Some(wanted) = &asked.network else { return Ok(Draft::default()) };
    if is_network_declared(wanted.network, &table.networks())? {
        return Ok(Draft::default());
    }
    let values = &table.values;
    let subnet = subnet(free_id(table), asked.boot_server, wanted);
    let insertion = match values.member(table.all, "subnet4") {
        Some(list) => behind_last(values, list, &subnet)?,
        None => behind_last(
            values,
            table.all,
            &format!("\"subnet4\": [\n    {}\n]", subnet.replace('\n', "\n    ")),
        )?,
    };
    drafted(values, vec![insertion])
}

/// Only hosts that are declared are answered: there is no pool.
fn subnet(id: u64, boot_server: Ipv4Addr, wanted: &NewNetwork) -> String {
    let router = wanted.router.map_or_else(String::new, |ip| {
        format!("    \"option-data\": [ {{ \"name\": \"routers\", \"data\": \"{ip}\" }} ],\n")
    });
    format!(
        "{{\n    // Only hosts that are declared get an address here, so that another DHCP server of this network goes on as before.\n    \
         \"id\": {id},\n    \"subnet\": \"{}\",\n    \"next-server\": \"{boot_server}\",\n{router}    \"reservations\": [\n    ]\n}}",
        wanted.network
    )
}

/// The number behind the largest one that a subnet has; Kea gives those that have none theirs from 1 on.
fn free_id(table: &HostTable) -> u64 {
    let values = &table.values;
    let of = |around: &Vec<usize>| {
        let id = values.member(*around.first()?, "id")?;
        std::str::from_utf8(values.sources.bytes_of(values.node(id).first)).ok()?.parse::<u64>().ok()
    };
    let largest = table.subnets.iter().filter_map(|(_, around)| of(around)).max().unwrap_or_default();
    largest.max(table.subnets.len() as u64) + 1
}

/// Gives the subnets of new hosts lists for them, so that each host can be taken out for itself.
fn lists(table: &HostTable, asked: &Additions) -> anyhow::Result<Draft> {
    let values = &table.values;
    let subnet_of = |host| match judged(table, asked.boot_server, host) {
        Ok(Judged::New(subnet)) => Some(subnet),
        // Why one cannot be added is said with all others.
        _ => None,
    };
    let subnets: BTreeSet<usize> = asked.hosts.iter().filter_map(subnet_of).collect();
    let lacking = subnets.into_iter().filter(|subnet| values.member(*subnet, "reservations").is_none());
    let with_list = |subnet| {
        let insertion = behind_last(values, subnet, "\"reservations\": [\n]")?;
        whole(values, subnet, insertion)
    };
    // One that stands in several files gets its list with the hosts in it.
    drafted(values, lacking.filter_map(|subnet| with_list(subnet).ok()).collect())
}

/// Adds hosts that are not there yet, and says of all that cannot be added why.
fn hosts(table: &HostTable, asked: &Additions) -> anyhow::Result<Draft> {
    let mut new: BTreeMap<usize, Vec<(HostName, String)>> = BTreeMap::new();
    let (mut known, mut faults, mut insertions) = (Vec::new(), Vec::new(), Vec::new());
    for host in &asked.hosts {
        match judged(table, asked.boot_server, host) {
            Ok(Judged::New(subnet)) => {
                let item = reservation(table, asked.boot_server, host);
                new.entry(subnet).or_default().push((host.name.clone(), item));
            }
            Ok(Judged::Known) => known.push(host.name.clone()),
            Ok(Judged::WithoutFile(insertion)) => insertions.push(insertion),
            Err(fault) => faults.push(format!("{fault:#}")),
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    let values = &table.values;
    for (subnet, reservations) in new {
        match values.member(subnet, "reservations") {
            Some(list) => insertions.extend(each_behind_last(values, list, &reservations)?),
            // Its subnet stands in several files.
            None => {
                let items: Vec<String> =
                    reservations.iter().map(|(_, item)| item.replace('\n', "\n    ")).collect();
                let list = format!("\"reservations\": [\n    {}\n]", items.join(",\n    "));
                insertions.push(behind_last(values, subnet, &list)?);
            }
        }
    }
    let draft = drafted(values, insertions)?;
    Ok(Draft { known, ..draft })
}

/// What there is to do for a host.
enum Judged {
    /// It goes into this subnet.
    New(usize),
    Known,
    /// All of it is there but the boot file.
    WithoutFile(Insertion),
}

fn judged(table: &HostTable, boot_server: Ipv4Addr, host: &NewHost) -> anyhow::Result<Judged> {
    let neighbour = |other: &Host| Neighbour {
        name: table.shown(other),
        mac: other.mac,
        ip: other.address,
        place: *table.place_of(other),
    };
    let of_name = table.hosts().iter().find(|other| other.name.eq_ignore_ascii_case(host.name.as_str()));
    let subnet = table.subnets.iter().find(|(network, _)| network.contains(host.ip));
    let around = Around {
        of_name: of_name.map(neighbour),
        of_mac: table.by_mac(host.mac).next().map(neighbour),
        of_address: table.by_address(host.ip).next().map(neighbour),
        network: subnet.map(|(network, _)| *network),
    };
    if !is_declared(host, boot_server, &around)? {
        let subnet = subnet.and_then(|(_, around)| around.first()).context("a network without a subnet")?;
        return Ok(Judged::New(*subnet));
    }
    let there = of_name.context("a host that was there is gone")?;
    match table.flaw(there) {
        None => Ok(Judged::Known),
        Some(Flaw::NoBootFile) if table.values.member(there.node, "boot-file-name").is_none() => {
            let file = format!("\"boot-file-name\": {}", text(&host.no_boot_file));
            let values = &table.values;
            Ok(Judged::WithoutFile(whole(values, there.node, behind_last(values, there.node, &file)?)?))
        }
        Some(_) => Err(table.usable(&host.name).err().context("a host that was wrong is not")?.into()),
    }
}

fn reservation(table: &HostTable, boot_server: Ipv4Addr, host: &NewHost) -> String {
    let NewHost { name, mac, ip, no_boot_file } = host;
    let next_server = match serves(table, name, *ip, boot_server) {
        true => String::new(),
        false => format!(", \"next-server\": \"{boot_server}\""),
    };
    format!(
        "{{ \"hostname\": \"{name}\", \"hw-address\": \"{mac}\", \"ip-address\": \"{ip}\", \"boot-file-name\": {}{next_server} }}",
        text(no_boot_file)
    )
}

/// Whether a host is told in any case to fetch from the boot server.
fn serves(table: &HostTable, name: &HostName, ip: Ipv4Addr, boot_server: Ipv4Addr) -> bool {
    let reach = table.reaches(&[(name.clone(), ip)]).pop();
    let said = reach.and_then(|reach| reach.next_server).filter(|said| said.is_certain);
    said.is_some_and(|said| said.value == boot_server.to_string())
}

/// Names the machine to fetch from in the reservations of clients that are told none. Kea then offers 0.0.0.0, and they boot their own
/// disks. Nothing is put in that holds for others too.
fn next_server(table: &HostTable, asked: &Additions) -> anyhow::Result<Draft> {
    let is_client = |name: &HostName| {
        let host = table.usable(name).ok().filter(|host| host.ip != asked.boot_server)?;
        asked.is_client(name, &host.boot_file).then(|| (name.clone(), host.ip))
    };
    let clients: Vec<(HostName, Ipv4Addr)> =
        table.clients().filter_map(|(name, _)| is_client(&name)).collect();
    let values = &table.values;
    let said = format!("\"next-server\": \"{}\"", asked.boot_server);
    let (mut insertions, mut remarks) = (Vec::new(), Vec::new());
    for ((name, _), reach) in clients.iter().zip(table.reaches(&clients)) {
        let is_told_none = reach.next_server.is_none() && reach.network.is_some();
        let there = table.by_name(name.as_str()).next().map(|host| host.node);
        let lacks_one = |node: &usize| is_told_none && values.member(*node, "next-server").is_none();
        if let Some(node) = there.filter(lacks_one) {
            match behind_last(values, node, &said).and_then(|insertion| whole(values, node, insertion)) {
                Ok(insertion) => insertions.push(insertion),
                Err(error) => remarks.push(format!("{error:#}")),
            }
        }
    }
    let draft = drafted(values, insertions)?;
    Ok(Draft { remarks, ..draft })
}

fn text(meant: &str) -> String {
    String::from_utf8_lossy(&quote(meant.as_bytes())).into_owned()
}

#[cfg(test)]
mod tests;
