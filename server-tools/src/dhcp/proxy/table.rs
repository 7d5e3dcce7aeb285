//! The clients of a proxy's configuration, and what each is offered by its tag. Pure.
//!
//! The configuration is refused unless it is silent to everybody who is not swapped: that is the promise to the other server's
//! administrator.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::Path;

use ghost_contract::{HostName, MacAddress};

use crate::dhcp::dnsmasq::HostTable;
use crate::dhcp::dnsmasq::hosts::{Host, conditions};
use crate::dhcp::dnsmasq::lines;
use crate::dhcp::dnsmasq::sources::Sources;
use crate::dhcp::{Fault, Network};
use crate::ghostrc::{Firmware, Ghostrc};

/// Set for every machine that has a line.
const KNOWN: &str = "known";
/// What would have dnsmasq read more than the one file.
const MORE_FILES: [&str; 6] =
    ["conf-file", "conf-dir", "dhcp-hostsfile", "dhcp-hostsdir", "dhcp-optsfile", "dhcp-optsdir"];

/// What is known of a boot server besides the file.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// The networks that this machine is in, for ranges that do not say theirs.
    pub networks: Vec<Network>,
    /// The settings, which say what hosts are offered for a job; none where that does not matter.
    pub settings: Option<Ghostrc>,
}

/// One `pxe-service`: what it offers to machines with its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    tags: Vec<String>,
    system: String,
    file: String,
    /// The machine that the file is on; none if that is the proxy's own.
    pub(super) server: Option<String>,
    pub(super) entry: usize,
}

/// A client that a job can be done for.
#[derive(Debug)]
pub(super) struct Usable<'a> {
    pub(super) mac: MacAddress,
    pub(super) ip: Ipv4Addr,
    pub(super) host: &'a Host,
    /// Where its line has the word behind `set:`.
    pub(super) value: Range<usize>,
}

/// All clients of a configuration.
#[derive(Debug, Clone, Default)]
pub struct ClientTable {
    pub(super) lines: HostTable,
    pub(super) services: Vec<Service>,
    settings: Option<Ghostrc>,
    /// Why others than swapped hosts would notice the proxy.
    loud: Option<Fault>,
}

impl ClientTable {
    pub fn read(path: &Path, bytes: Vec<u8>, around: &Around) -> Self {
        let mut table = Self::of_one_file(path, bytes);
        table.lines.server = around.settings.as_ref().map(|settings| settings.boot_server);
        table.lines.networks = table.lines.ranges(&around.networks);
        table.settings.clone_from(&around.settings);
        table.loud = table.loud();
        table
    }

    /// The clients of a file of which nothing else is asked.
    pub(super) fn of_one_file(path: &Path, bytes: Vec<u8>) -> Self {
        let lines = HostTable::of(Sources::of_configuration(path, bytes));
        let services = (0..lines.sources.entries.len()).filter_map(|entry| service(&lines.sources, entry));
        Self { services: services.collect(), lines, ..Self::default() }
    }

    /// The entries that set this option.
    fn entries<'a>(&'a self, option: &'a str) -> impl Iterator<Item = usize> + 'a {
        let all = self.lines.sources.entries.iter().enumerate();
        all.filter(move |(_, entry)| entry.option == option).map(|(place, _)| place)
    }

    fn fault(&self, what: String, entry: Option<usize>) -> Fault {
        Fault { what, place: entry.map(|entry| Box::new(self.lines.sources.place(entry))) }
    }

    fn loud(&self) -> Option<Fault> {
        let sources = &self.lines.sources;
        if let Some(entry) = MORE_FILES.iter().find_map(|option| self.entries(option).next()) {
            let what = "the configuration of the proxy is one file; write here what the other one says";
            return Some(self.fault(what.to_owned(), Some(entry)));
        }
        let is_no_proxys = |entry: &usize| !sources.named(*entry).iter().any(|item| item == "proxy");
        if let Some(entry) = self.entries("dhcp-range").find(is_no_proxys) {
            let what = "this would give addresses, which is the other DHCP server's task; write dhcp-range=192.168.7.0,proxy,255.255.255.0";
            return Some(self.fault(what.to_owned(), Some(entry)));
        }
        if !self.entries("port").any(|entry| sources.named(entry) == ["0"]) {
            let what =
                "the proxy would answer DNS too; write port=0 into its configuration, and restart it once";
            return Some(self.fault(what.to_owned(), None));
        }
        let ignore = || {
            let tags: Vec<String> = self.services.iter().flat_map(|service| service.tags.clone()).collect();
            self.ignore(&tags)
        };
        (!self.is_ignored(&[])).then(|| {
            let what = format!("the proxy would answer machines that are no clients; write {}", ignore());
            self.fault(what, None)
        })
    }

    /// The line that has all ignored who have none of these tags.
    fn ignore(&self, tags: &[String]) -> String {
        let mut wanted: Vec<String> =
            self.settings.iter().flat_map(Ghostrc::boot_files).map(|(file, _)| file).collect();
        wanted.extend(tags.iter().filter(|tag| !tag.starts_with('!')).cloned());
        ignore_line(wanted)
    }

    /// Whether machines with these tags are not answered.
    fn is_ignored(&self, tags: &[&str]) -> bool {
        self.entries("dhcp-ignore").any(|entry| {
            let items = self.lines.sources.named(entry);
            let tag = |item: &String| item.split_once(':').map_or(item.as_str(), |(_, tag)| tag).to_owned();
            let conditions: Vec<String> = items.iter().map(tag).collect();
            !conditions.is_empty() && holds(&conditions, tags)
        })
    }

    /// What a machine with a line and this tag is offered.
    pub(super) fn services<'a>(&'a self, tag: &'a str) -> impl Iterator<Item = &'a Service> {
        let is_ignored = self.is_ignored(&[tag, KNOWN]);
        self.services.iter().filter(move |service| !is_ignored && holds(&service.tags, &[tag, KNOWN]))
    }

    /// What a host is offered by the proxy, if it is answered.
    pub(super) fn offered(&self, host: &Host) -> Option<String> {
        let tag = self.tag(&host_value(&self.lines.sources, host).ok()?, host);
        self.services(&tag).next().map(|service| service.file.clone())
    }

    /// Whether this is one of the tags of a host's line.
    pub(super) fn has_tag(&self, host: &Host, tag: &str) -> bool {
        let items = &self.lines.sources.entries[host.entry].items;
        let mut tags = items.iter().map(|item| self.lines.sources.meant(host.entry, item));
        tags.any(|item| item.strip_prefix("set:") == Some(tag))
    }

    /// What this host is offered for a job.
    pub(super) fn boot_file(&self, name: &HostName) -> Option<String> {
        self.settings.as_ref().map(|settings| settings.for_host(name).boot_file)
    }

    pub(super) fn tag(&self, value: &Range<usize>, host: &Host) -> String {
        self.lines.sources.meant(host.entry, value)
    }

    /// The host of this name with all that a job needs.
    pub(super) fn usable(&self, name: &HostName) -> Result<Usable<'_>, Fault> {
        let addressed = self.lines.addressed(name);
        let addressed = addressed.map_err(|(flaw, at)| self.lines.fault(name.as_str(), &flaw, at))?;
        if let Some(loud) = &self.loud {
            return Err(loud.clone());
        }
        let host = addressed.host;
        let flawed = |what: String| self.fault(format!("host {name} {what}"), Some(host.entry));
        let value = host_value(&self.lines.sources, host).map_err(|what| flawed(what.to_owned()))?;
        if let Some(settings) = &self.settings {
            let (tag, settings) = (self.tag(&value, host), settings.for_host(name));
            self.can_be_swapped(&tag, &settings.boot_file, settings.firmware).map_err(flawed)?;
        }
        Ok(Usable { mac: addressed.mac, ip: addressed.ip, host, value })
    }

    /// Why a swap of a host with this tag would not have it offered the boot file.
    fn can_be_swapped(&self, tag: &str, boot_file: &str, firmware: Firmware) -> Result<(), String> {
        if tag != boot_file && !self.is_ignored(&[tag, KNOWN]) {
            let words =
                format!("is answered by the proxy though it is not swapped, since it has the tag {tag}");
            return Err(format!("{words}; write set:nobackup there, or the tag into dhcp-ignore"));
        }
        if boot_file.contains(',') {
            return Err(format!("has the boot file '{boot_file}', and a tag of dnsmasq's can have no comma"));
        }
        let offers = |system: &&str| self.services(boot_file).any(|service| service.is_of(system, boot_file));
        let lacks: Vec<&str> = systems(firmware).iter().copied().filter(|system| !offers(system)).collect();
        if lacks.is_empty() {
            return Ok(());
        }
        let server = self.lines.server.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let lines: Vec<String> = lacks.iter().map(|system| service_line(boot_file, system, server)).collect();
        let words = format!("cannot be offered '{boot_file}' by the proxy; its configuration needs");
        Err(format!("{words} {} and {}", lines.join(" and "), self.ignore(&[])))
    }
}

impl Service {
    fn is_of(&self, system: &str, boot_file: &str) -> bool {
        self.system.eq_ignore_ascii_case(system) && self.file == boot_file
    }
}

/// Whether a line with these conditions holds for a machine with these tags and no others.
fn holds(conditions: &[String], tags: &[&str]) -> bool {
    conditions.iter().all(|tag| match tag.strip_prefix(['!', '#']) {
        Some(tag) => !tags.contains(&tag),
        None => tags.contains(&tag.as_str()),
    })
}

/// `pxe-service=tag:x,x86PC,"Words",pxelinux.0,192.168.7.1`. One without a file, or with a number for it, offers none of ours.
fn service(sources: &Sources, entry: usize) -> Option<Service> {
    if sources.entries[entry].option != "pxe-service" {
        return None;
    }
    let (tags, items) = conditions(sources, entry);
    let meant = |at: usize| items.get(at).map(|item| sources.meant(entry, item));
    let file = meant(2).filter(|file| file.parse::<u16>().is_err() && !file.is_empty())?;
    Some(Service { tags, system: meant(0)?, file, server: meant(3), entry })
}

/// Where a host's line has the word behind its one `set:`.
pub(super) fn host_value(sources: &Sources, host: &Host) -> Result<Range<usize>, &'static str> {
    let items = &sources.entries[host.entry].items;
    let mut tags = items.iter().filter(|item| sources.meant(host.entry, item).starts_with("set:"));
    let tag = tags.next().ok_or(
        "has no tag, so that nothing can be swapped; write set:nobackup behind its hardware address",
    )?;
    if tags.next().is_some() {
        return Err("has a second tag; leave one set:");
    }
    match sources.bytes(host.entry, tag).strip_prefix(b"set:") {
        Some(word) if !word.is_empty() && !word.contains(&b'"') => Ok(tag.start + 4..tag.end),
        _ => Err("has its tag in quotes; write it without"),
    }
}

/// What dnsmasq calls the client systems of a firmware. x64 UEFI sends 7, as it should, or 9.
pub(super) const fn systems(firmware: Firmware) -> &'static [&'static str] {
    match firmware {
        Firmware::Bios => &["x86PC"],
        Firmware::Uefi => &["BC_EFI", "X86-64_EFI"],
    }
}

pub(super) fn service_line(boot_file: &str, system: &str, server: Ipv4Addr) -> String {
    format!("pxe-service=tag:{boot_file},{system},\"Ghost4Linux\",{boot_file},{server}")
}

pub(super) fn ignore_line(mut boot_files: Vec<String>) -> String {
    boot_files.sort_unstable();
    boot_files.dedup();
    let tags: Vec<String> = boot_files.iter().map(|file| format!("tag:!{file}")).collect();
    format!("dhcp-ignore={}", tags.join(","))
}

/// Whether this is a configuration of dnsmasq that is a proxy.
pub(super) fn is_a_proxys(bytes: &[u8]) -> bool {
    lines::are_options(bytes) && {
        let lines = HostTable::of(Sources::of_configuration(Path::new(""), bytes.to_vec()));
        let mut entries = lines.sources.entries.iter().enumerate();
        entries.any(|(place, entry)| {
            entry.option == "dhcp-range" && lines.sources.named(place).iter().any(|item| item == "proxy")
        })
    }
}
