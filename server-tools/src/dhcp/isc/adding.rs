//! New entries in dhcpd.conf. Pure: every byte that is there stays, new statements go to the end of the main file, and a host
//! that lacks only its `filename`, or that is not told where to fetch it from, gets that behind its last statement. Nothing is put in that
//! holds for others too.

use std::net::Ipv4Addr;
use std::ops::Range;

use anyhow::{Context as _, anyhow, bail, ensure};
use ghost_contract::HostName;

use super::lexer::Lexer;
use super::table::HostTable;
use super::tree::Keyword;
use super::usable::Flaw;
use crate::dhcp::adding::{
    Additions, Around, Draft, Neighbour, NewHost, NewNetwork, Written, is_declared, is_network_declared,
    new_line,
};
use crate::dhcp::text::{absolute, replaced};
use crate::dhcp::{Change, Network};

/// How far Debian's own file, and the HOWTO's, are indented.
const INDENT: &str = "        ";

/// Adds a network that is not there yet.
pub(super) fn network(
    table: &HostTable,
    boot_server: Ipv4Addr,
    wanted: &NewNetwork,
) -> anyhow::Result<Draft> {
    let mut draft = Draft::default();
    if !is_network_declared(wanted.network, &table.networks())? {
        append(&mut draft, table, vec![(None, subnet(boot_server, wanted))])?;
    }
    Ok(draft)
}

/// Only hosts that are declared are answered: there is no `range`.
fn subnet(boot_server: Ipv4Addr, wanted: &NewNetwork) -> String {
    let Network { address, netmask } = wanted.network;
    let router = wanted.router.map_or_else(String::new, |ip| format!("{INDENT}option routers {ip};\n"));
    format!(
        "# Only hosts that are declared get an address here, so that another DHCP server of this network goes on as before.\n\
         subnet {address} netmask {netmask} {{\n\
         {router}{INDENT}option subnet-mask {netmask};\n\
         {INDENT}option broadcast-address {};\n\
         {INDENT}next-server {boot_server};\n\
         }}\n",
        wanted.network.broadcast()
    )
}

/// Adds hosts that are not there yet, and says of all that cannot be added why.
pub(crate) fn hosts(table: &HostTable, asked: &Additions) -> anyhow::Result<Draft> {
    let mut draft = Draft::default();
    let (mut new, mut faults) = (Vec::new(), Vec::new());
    let mut known = clients(table, asked);
    for host in &asked.hosts {
        match judged(table, asked.boot_server, host) {
            Ok(Judged::New) => {
                new.push((Some(host.name.clone()), entry(table, asked.boot_server, host)));
            }
            Ok(Judged::Known) => draft.known.push(host.name.clone()),
            Ok(Judged::WithoutFile) => {
                let filename = Some(format!("filename \"{}\";", host.no_boot_file));
                known.push(Client { name: host.name.clone(), ip: host.ip, filename });
            }
            Err(fault) => faults.push(format!("{fault:#}")),
        }
        draft.remarks.extend(in_a_range(table, host));
    }
    let mut completed: Vec<Completed> = Vec::new();
    for (statements, client) in lacking(table, asked.boot_server, known) {
        match with_statements(table, &client.name, &statements) {
            Ok(one) => completed.push(one),
            Err(fault) if client.filename.is_some() => faults.push(format!("{fault:#}")),
            // Nobody has asked for it.
            Err(fault) => draft.remarks.push(format!("{fault:#}")),
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    completed.sort_by_key(|(file, stretch, _)| (*file, stretch.start));
    for of_file in completed.chunk_by(|(one, ..), (other, ..)| one == other) {
        complete(&mut draft, table, of_file);
    }
    if !new.is_empty() {
        append(&mut draft, table, new)?;
    }
    Ok(draft)
}

/// What there is to do for a host.
enum Judged {
    New,
    Known,
    /// All of it is there but the boot file.
    WithoutFile,
}

/// A client whose entry is there.
struct Client {
    name: HostName,
    ip: Ipv4Addr,
    /// The statement that it lacks.
    filename: Option<String>,
}

/// An entry by its file and its stretch there, and what it becomes.
type Completed = (usize, Range<usize>, String);

fn judged(table: &HostTable, boot_server: Ipv4Addr, host: &NewHost) -> anyhow::Result<Judged> {
    let neighbour = |other: &super::Host| Neighbour {
        name: other.name.clone(),
        mac: other.mac,
        ip: other.address,
        place: table.place_of(other),
    };
    let of_name = table.hosts().iter().find(|other| other.name.eq_ignore_ascii_case(host.name.as_str()));
    let around = Around {
        of_name: of_name.map(neighbour),
        of_mac: table.by_mac(host.mac).next().map(neighbour),
        of_address: table.by_address(host.ip).next().map(neighbour),
        network: table.network_of(host.ip),
    };
    if !is_declared(host, boot_server, &around)? {
        ensure!(
            !host.name.as_str().contains("._"),
            "{}: dhcpd reads no name in which '_' follows a dot; give it another one",
            host.name
        );
        return Ok(Judged::New);
    }
    match table.usable(&host.name) {
        Ok(_) => Ok(Judged::Known),
        Err(problem) if problem.flaw == Flaw::NoFilename => Ok(Judged::WithoutFile),
        Err(problem) => Err(anyhow!(problem)),
    }
}

fn entry(table: &HostTable, boot_server: Ipv4Addr, host: &NewHost) -> String {
    let NewHost { name, mac, ip, no_boot_file } = host;
    let said = table.next_server_of(name, *ip);
    let next_server = match said.as_deref() == Some(&*boot_server.to_string()) {
        true => String::new(),
        false => format!("{INDENT}next-server {boot_server};\n"),
    };
    format!(
        "host {name} {{\n{INDENT}hardware ethernet {mac};\n{INDENT}fixed-address {ip};\n{INDENT}filename \"{no_boot_file}\";\n{next_server}}}\n"
    )
}

/// The clients that can have jobs already.
fn clients(table: &HostTable, asked: &Additions) -> Vec<Client> {
    let able = table.clients().filter_map(|(name, _)| table.usable(&name).ok());
    let able =
        able.filter(|host| host.ip != asked.boot_server && asked.is_client(&host.name, &host.filename));
    able.map(|host| Client { name: host.name, ip: host.ip, filename: None }).collect()
}

/// The statements that these clients' entries lack. ISC offers 0.0.0.0 to a host that is told no machine at all to fetch from, and it boots
/// its own disk.
fn lacking(table: &HostTable, boot_server: Ipv4Addr, clients: Vec<Client>) -> Vec<(Vec<String>, Client)> {
    let hosts: Vec<(HostName, Ipv4Addr)> =
        clients.iter().map(|client| (client.name.clone(), client.ip)).collect();
    let lacked = |(client, reach): (Client, crate::dhcp::Reach)| {
        let is_told_none = reach.next_server.is_none() && reach.network.is_some();
        let next_server = is_told_none.then(|| format!("next-server {boot_server};"));
        (client.filename.clone().into_iter().chain(next_server).collect::<Vec<String>>(), client)
    };
    let all = clients.into_iter().zip(table.reaches(&hosts)).map(lacked);
    all.filter(|(statements, _)| !statements.is_empty()).collect()
}

/// The entry with more statements behind its last one, indented as that is.
fn with_statements(table: &HostTable, name: &HostName, statements: &[String]) -> anyhow::Result<Completed> {
    let there = table.by_name(name.as_str()).next().context("a host that was there is gone")?;
    let (bytes, tree) = (table.bytes_of(there), table.tree_of(there));
    let statement = tree.statements.get(there.statement).context("an entry without a place")?;
    let (_, last) = tree.children(there.statement).last().context("an entry without statements")?;
    let line = bytes[..last.start].rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let before = match line.iter().all(u8::is_ascii_whitespace) {
        true => format!("{}{}", new_line(bytes), String::from_utf8_lossy(line)),
        false => " ".to_owned(),
    };
    let more: String = statements.iter().map(|statement| format!("{before}{statement}")).collect();
    let text = [&bytes[statement.start..last.end], more.as_bytes(), &bytes[last.end..statement.end]].concat();
    let text = String::from_utf8(text).with_context(|| {
        format!("{name}: its entry is not UTF-8; write into it by hand: {}", statements.join(" "))
    })?;
    Ok((there.file, statement.start..statement.end, text))
}

/// dhcpd may give a machine's address to another one if it may also choose it.
fn in_a_range(table: &HostTable, host: &NewHost) -> Option<String> {
    let (first, last) =
        table.ranges().into_iter().find(|(first, last)| (*first..=*last).contains(&host.ip))?;
    Some(format!(
        "{}: {} is among those that dhcpd gives to any machine (range {first} {last}); take it out of the range, so that no other machine gets it",
        host.name, host.ip
    ))
}

impl HostTable {
    fn network_of(&self, ip: Ipv4Addr) -> Option<Network> {
        self.reach_of(None, ip).network
    }

    fn next_server_of(&self, name: &HostName, ip: Ipv4Addr) -> Option<String> {
        self.reach_of(Some(name), ip).next_server.filter(|said| said.is_certain).map(|said| said.value)
    }

    fn reach_of(&self, name: Option<&HostName>, ip: Ipv4Addr) -> crate::dhcp::Reach {
        // A name that no host has: what is asked is what holds for the address.
        let name = name.cloned().or_else(|| "0".parse().ok());
        name.map(|name| self.reaches(&[(name, ip)])).and_then(|mut all| all.pop()).unwrap_or_default()
    }

    /// The addresses that dhcpd chooses from.
    fn ranges(&self) -> Vec<(Ipv4Addr, Ipv4Addr)> {
        let of = |bytes: &[u8], head: Range<usize>| {
            let mut tokens = Lexer::meaningful(bytes, head.clone());
            tokens.next().filter(|token| token.is_word("range"))?;
            let text = String::from_utf8_lossy(bytes.get(head)?).into_owned();
            let ips: Vec<Ipv4Addr> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            Some((*ips.first()?, *ips.last()?))
        };
        let all = self
            .sources
            .iter()
            .flat_map(|source| source.tree.statements.iter().map(|one| (&source.bytes, one)));
        all.filter(|(_, one)| one.keyword == Keyword::Other)
            .filter_map(|(bytes, one)| of(bytes, one.head()))
            .collect()
    }
}

/// Puts texts behind all that is in the main file.
fn append(
    draft: &mut Draft,
    table: &HostTable,
    texts: Vec<(Option<HostName>, String)>,
) -> anyhow::Result<()> {
    let main = table.sources.first().context("a configuration without a file")?;
    draft.append_each(absolute(&main.path), &main.bytes, texts);
    Ok(())
}

/// Replaces entries of one file by fuller ones.
fn complete(draft: &mut Draft, table: &HostTable, entries: &[Completed]) {
    let Some(source) = entries.first().and_then(|(file, ..)| table.sources.get(*file)) else { return };
    let file = absolute(&source.path);
    let replacements = entries.iter().map(|(_, stretch, text)| (stretch.clone(), text.clone().into_bytes()));
    let contents = replaced(&source.bytes, replacements.collect());
    for (_, stretch, text) in entries {
        let was = source.bytes.get(stretch.clone()).unwrap_or_default();
        let was = String::from_utf8_lossy(was).into_owned();
        draft.written.push(Written { file: file.clone(), text: text.clone(), was, host: None });
    }
    draft.changes.push(Change { file, read: source.bytes.clone(), contents });
}

#[cfg(test)]
mod tests;
