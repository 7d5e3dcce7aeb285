//! New clients in a proxy's configuration, and a whole one where there is none. Pure: every byte that is there stays, and new lines go
//! to its end.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{anyhow, bail};

use super::table::{self, ClientTable, ignore_line, service_line, systems};
use crate::dhcp::Network;
use crate::dhcp::adding::{
    Additions, Around, Draft, Neighbour, NewHost, NewNetwork, is_declared, is_network_declared,
    require_usable,
};
use crate::dhcp::dnsmasq::hosts::Host;
use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::Ghostrc;

/// What every proxy has.
const HEAD: &str = "\
# dnsmasq beside a DHCP server that is not ours: it gives no addresses, and names the boot file to clients that are swapped; it is silent
# to everybody else. ghostctl replaces the word behind set: in a client's line for the time of a job, and restarts
# ghost4linux-proxy. The address in a line is the one that the other DHCP server gives the client.
port=0
leasefile-ro
";

/// What these additions come to in a configuration that is `there`, or is none yet, and how it is read then.
pub(crate) fn added(
    file: &Path,
    there: Option<&[u8]>,
    asked: &Additions,
    around: &table::Around,
) -> anyhow::Result<(Draft, ClientTable)> {
    let mut draft = Draft::default();
    let before = there.unwrap_or_default();
    let read = |draft: &Draft| {
        let contents = draft.changes.first().map_or(before, |change| &change.contents);
        ClientTable::read(file, contents.to_vec(), around)
    };
    match (&asked.network, there) {
        (None, None) if !asked.hosts.is_empty() => {
            let words = "there is no configuration of the proxy yet; give the network that it shall answer in, with 'ghostctl setup --subnet'";
            return Err(anyhow!("{}: {words}", file.display()).exit(Exit::Configuration));
        }
        (Some(network), None) => {
            let text = whole(network, asked.boot_server, around.settings.as_ref());
            draft.append(file.to_owned(), before, &text);
        }
        (Some(NewNetwork { network, interface, .. }), Some(_)) => {
            let table = read(&draft);
            if !is_network_declared(*network, &table.lines.networks())? {
                let interface = interface.as_ref().filter(|name| listens_on_others(&table, name));
                draft.append(file.to_owned(), before, &(interface_line(interface) + &range(*network)));
            }
        }
        (None, _) => {}
    }
    let with_network = read(&draft);
    let (mut new, mut faults) = (Vec::new(), Vec::new());
    for host in &asked.hosts {
        match is_declared(host, asked.boot_server, &around_of(&with_network, host)) {
            Ok(true) => draft.known.push(host.name.clone()),
            Ok(false) => new.push((Some(host.name.clone()), line(host))),
            Err(fault) => faults.push(format!("{fault:#}")),
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    if !new.is_empty() {
        draft.append_each(file.to_owned(), before, new);
    }
    let table = read(&draft);
    require_usable(&table, &asked.hosts)?;
    Ok((draft, table))
}

fn whole(wanted: &NewNetwork, boot_server: Ipv4Addr, settings: Option<&Ghostrc>) -> String {
    let files = settings.map(Ghostrc::boot_files).unwrap_or_default();
    let ignore = ignore_line(files.iter().map(|(file, _)| file.clone()).collect());
    let of = |(file, firmware): &(String, _)| {
        let lines = systems(*firmware).iter().map(|system| service_line(file, system, boot_server) + "\n");
        lines.collect::<String>()
    };
    let services: String = files.iter().map(of).collect();
    let interface = interface_line(wanted.interface.as_ref());
    format!("{HEAD}{interface}{}{ignore}\n{services}", range(wanted.network))
}

fn interface_line(name: Option<&String>) -> String {
    name.map_or_else(String::new, |name| format!("interface={name}\n"))
}

/// Whether interfaces are named, and this one is not among them.
fn listens_on_others(table: &ClientTable, name: &str) -> bool {
    let named = table.lines.sources.interfaces();
    !named.is_empty() && named.iter().all(|named| named != name)
}

fn range(network: Network) -> String {
    format!("dhcp-range={},proxy,{}\n", network.address, network.netmask)
}

fn line(host: &NewHost) -> String {
    let NewHost { name, mac, ip, no_boot_file } = host;
    // It is a word that no pxe-service asks for, so that any will do.
    let word = if no_boot_file.contains([',', '"']) { "nobackup" } else { no_boot_file };
    format!("dhcp-host={mac},set:{word},{ip},{name}\n")
}

fn network_of(table: &ClientTable, ip: Ipv4Addr) -> Option<Network> {
    table.lines.networks.iter().map(|(network, _)| *network).find(|network| network.contains(ip))
}

fn around_of(table: &ClientTable, host: &NewHost) -> Around {
    let lines = &table.lines;
    let neighbour = |other: &Host| Neighbour {
        name: lines.shown(other),
        mac: other.macs.first().copied(),
        ip: other.address,
        place: *lines.place_of(other),
    };
    let of_name = lines.hosts.iter().find(|other| other.name.eq_ignore_ascii_case(host.name.as_str()));
    Around {
        of_name: of_name.map(neighbour),
        of_mac: lines.by_mac(host.mac).next().map(neighbour),
        of_address: lines.by_address(host.ip).next().map(neighbour),
        network: network_of(table, host.ip),
    }
}
