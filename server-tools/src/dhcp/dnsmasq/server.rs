//! dnsmasq as a server: its files, its checker, and the signal by which it reads its options again. It is never restarted.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use ghost_contract::{HostName, MacAddress};
use rustix::process::Signal;

use super::boots::{Decides, tags};
use super::sources::Content;
use super::table::{Around, HostTable};
use super::{adding, edit, lines};
use crate::dhcp::adding::{Added, Additions, Draft, require_usable};
use crate::dhcp::checker::{Checker, read_with};
use crate::dhcp::private_copy::{Part, PrivateCopy};
use crate::dhcp::text::{absolute, replaced, same};
use crate::dhcp::{
    Advice, Booting, Change, Configuration, Edit, Fault, Host, IsMeant, Kind, Listed, Network, PutBack,
    Reach, Reverts, Running, Server, Swap, Wanted,
};
use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::{CommandLine, Ghostrc};
use crate::sys::{interface, process};

/// The program, and its processes' name.
pub(in crate::dhcp) const PROGRAM: &str = "dnsmasq";
/// What it reads if it is not told otherwise, and the folder that Debian's service has it read besides.
const DEFAULT: &str = "/etc/dnsmasq.conf";
const BESIDES: &str = "/etc/dnsmasq.d";

/// The dnsmasq of a boot server.
#[derive(Debug)]
pub struct Dnsmasq {
    configuration: PathBuf,
    checker: Checker,
    /// What starts it again, where the settings say it.
    restart: Option<CommandLine>,
    server: Ipv4Addr,
}

/// Whether it knows any client. Many machines have it for names alone.
pub(super) fn has_clients(configuration: &Path) -> bool {
    let all = Dnsmasq::with(configuration, None, Ipv4Addr::UNSPECIFIED).table(&[]);
    all.is_ok_and(|all| HostTable::clients(&all).next().is_some())
}

impl Dnsmasq {
    pub fn new(ghostrc: &Ghostrc, configuration: &Path) -> Self {
        let own = Self::with(configuration, ghostrc.dhcp_check.clone(), ghostrc.boot_server);
        Self { restart: ghostrc.dhcp_restart.clone(), ..own }
    }

    fn with(configuration: &Path, checker: Option<CommandLine>, server: Ipv4Addr) -> Self {
        let checker = checker.unwrap_or_else(|| CommandLine::of(PROGRAM, &["--test", "-C", "FILE"]));
        Self { configuration: configuration.to_owned(), checker: Checker(checker), restart: None, server }
    }

    /// Where the options are that it reads again, unless its configuration names a folder.
    fn options(&self) -> PathBuf {
        match self.besides() {
            Some(folder) => folder.join("ghost4linux"),
            None => absolute(&self.configuration).with_file_name("ghost4linux-options"),
        }
    }

    fn besides(&self) -> Option<&'static Path> {
        (self.configuration == Path::new(DEFAULT)).then_some(Path::new(BESIDES))
    }

    /// The configuration with all that belongs to it, some of the files with other contents than they have.
    fn table(&self, changes: &[Change]) -> anyhow::Result<HostTable> {
        let network = |(address, netmask)| Network { address, netmask };
        let around = Around {
            besides: self.besides(),
            networks: interface::networks().into_iter().map(network).collect(),
            server: Some(self.server),
        };
        read_with(&self.configuration, changes, |bytes, file| {
            let mut folder = |folder: &Path| with_new(folder, listed(folder), changes);
            let mut content = Content { file, folder: &mut folder };
            HostTable::read(&self.configuration, bytes, &around, &mut content)
        })
    }

    /// Those that read the configuration that is edited. Other programs start dnsmasqs of their own.
    fn processes(&self) -> io::Result<Vec<process::Process>> {
        let all = process::named(PROGRAM)?;
        Ok(all.into_iter().filter(|process| same(&read_by(process), &self.configuration)).collect())
    }

    fn not_running(&self) -> anyhow::Error {
        anyhow!(
            "no dnsmasq that reads {} runs here, so that none reads its options again; start it",
            self.configuration.display()
        )
    }

    /// What the checker reads: the configuration as it is, and what would change as if it stood in it, since it looks into none of the
    /// files that are read again.
    fn private_copy(&self, table: &HostTable, changes: &[Change]) -> anyhow::Result<PrivateCopy> {
        let mut main = b"conf-file=".to_vec();
        let begins = main.len();
        main.extend(absolute(&self.configuration).as_os_str().as_encoded_bytes());
        let own = Some((0, begins..main.len()));
        main.push(b'\n');
        if let Some(besides) = self.besides().filter(|folder| folder.is_dir()) {
            main.extend(format!("conf-dir={},.dpkg-dist,.dpkg-old,.dpkg-new\n", besides.display()).bytes());
        }
        let changed = table.sources.files.iter().filter_map(|source| {
            let option = source.role.option()?;
            let path = absolute(&source.path);
            changes
                .iter()
                .any(|change| change.file == path)
                .then(|| (path, as_options(&source.bytes, option)))
        });
        let changed: Vec<(PathBuf, Vec<u8>)> = changed.collect();
        let itself = changes.iter().find(|change| change.file == absolute(&self.configuration));
        let itself =
            itself.map(|change| Part { path: &change.file, bytes: &change.contents, included_by: own });
        let mut included = Vec::new();
        for (path, _) in &changed {
            main.extend(b"conf-file=");
            let start = main.len();
            main.extend(path.as_os_str().as_encoded_bytes());
            included.push(Some((0, start..main.len())));
            main.push(b'\n');
        }
        let first = Part { path: &self.configuration, bytes: &main, included_by: None };
        let others = changed.iter().zip(included);
        let others = others.map(|((path, bytes), included_by)| Part { path, bytes, included_by });
        let parts: Vec<Part<'_>> = std::iter::once(first).chain(itself).chain(others).collect();
        let folder = absolute(&self.configuration);
        PrivateCopy::of(&parts, changes, folder.parent().unwrap_or(Path::new("/")), <[u8]>::to_vec)
    }
}

/// The lines as they would stand in the configuration itself, each where it was.
fn as_options(bytes: &[u8], option: &str) -> Vec<u8> {
    let named = lines::lines(bytes).map(|line| (line.start..line.start, format!("{option}=").into_bytes()));
    replaced(bytes, named.collect())
}

/// What is in a folder once these changes are made: some of their files may not be there yet.
fn with_new(folder: &Path, listed: io::Result<Vec<PathBuf>>, changes: &[Change]) -> io::Result<Vec<PathBuf>> {
    let in_it = changes.iter().map(|change| &change.file).filter(|file| file.parent() == Some(folder));
    let new: Vec<PathBuf> = in_it.filter(|file| !file.exists()).cloned().collect();
    match listed {
        Ok(listed) => Ok([listed, new].concat()),
        Err(_) if !new.is_empty() => Ok(new),
        Err(error) => Err(error),
    }
}

fn listed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(absolute(folder))?;
    let files = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    Ok(files.into_iter().filter(|path| path.is_file()).collect())
}

/// Whether it looks at a configuration and ends.
pub(in crate::dhcp) fn is_checker(process: &process::Process) -> bool {
    process.arguments.iter().any(|word| word == "--test")
}

/// The configuration that a server reads, by its arguments.
pub(in crate::dhcp) fn read_by(process: &process::Process) -> PathBuf {
    let words: Vec<&str> = process.arguments.iter().filter_map(|word| word.to_str()).collect();
    let named = words.iter().enumerate().find_map(|(at, word)| {
        if let Some(attached) = word.strip_prefix("--conf-file=") {
            return Some(attached);
        }
        match word.strip_prefix("-C")? {
            "" => words.get(at + 1).copied(),
            attached => Some(attached),
        }
    });
    process.folder.join(named.unwrap_or(DEFAULT))
}

impl Server for Dnsmasq {
    fn kind(&self) -> Kind {
        Kind::Dnsmasq
    }

    fn read(&self) -> anyhow::Result<Box<dyn Configuration>> {
        Ok(Box::new(self.table(&[]).exit_by_default(Exit::Configuration)?))
    }

    fn revert(&self, file: &Path, now: &[u8], swapped: &[(HostName, Swap)]) -> Reverts {
        edit::revert(file, now, swapped)
    }

    fn check(&self, changes: &[Change]) -> anyhow::Result<()> {
        let copy = || self.private_copy(&self.table(changes).exit_by_default(Exit::Configuration)?, changes);
        self.checker.check(&self.configuration, changes, copy)
    }

    fn check_alone(&self, file: &Path) -> anyhow::Result<()> {
        self.checker.ask(file).exit_by_default(Exit::Configuration)
    }

    fn add(&self, asked: &Additions) -> anyhow::Result<Added> {
        let mut draft = Draft::default();
        if !self.configuration.exists() {
            // Read as empty: it is not there.
            let file = absolute(&self.configuration);
            draft.changes.push(Change { file, read: Vec::new(), contents: Vec::new() });
        }
        let before = self.table(&draft.changes).exit_by_default(Exit::Configuration)?;
        draft = draft.then(adding::network(&before, asked)?);
        let with_network = self.table(&draft.changes)?;
        draft = draft.then(adding::hosts(&with_network, asked, &self.options())?);
        let configuration = self.table(&draft.changes)?;
        require_usable(&configuration, &asked.hosts)?;
        draft.changes.retain(|change| change.contents != change.read);
        let files: Vec<&Path> = draft.changes.iter().map(|change| change.file.as_path()).collect();
        let restart = self.restart_for(&files);
        Ok(draft.comes_to(Box::new(configuration), restart))
    }

    /// The files that are read again are those in the folders of options.
    fn restart_for(&self, files: &[&Path]) -> Option<Vec<String>> {
        let main = absolute(&self.configuration);
        if !files.contains(&main.as_path()) {
            return None;
        }
        let by_systemd = || CommandLine::of("systemctl", &["restart", PROGRAM]);
        let restart = self.restart.clone().unwrap_or_else(by_systemd);
        Some([&[restart.program().to_owned()], restart.arguments()].concat())
    }

    /// What it would refuse when it starts it does not read now, and in what it reads now it passes over what is wrong.
    fn may_take_up(&self) -> anyhow::Result<()> {
        Ok(())
    }

    /// What it serves then it does not tell: it is asked as the client would. It sees by itself what has changed in dhcp-optsdir.
    fn take_up(&self) -> anyhow::Result<()> {
        let all = self.processes().context("cannot see which dnsmasq runs").exit(Exit::Configuration)?;
        if all.is_empty() {
            return Err(self.not_running().exit(Exit::Configuration));
        }
        if self.table(&[]).exit_by_default(Exit::Configuration)?.tagged_again().is_some() {
            return Ok(());
        }
        for process in all {
            process::signal(process.identity, Signal::HUP)
                .with_context(|| {
                    format!(
                        "cannot tell dnsmasq (process {}) to read its options again",
                        process.identity.pid
                    )
                })
                .exit_by_default(Exit::Configuration)?;
        }
        Ok(())
    }

    fn checker(&self) -> String {
        self.checker.to_string()
    }

    fn way(&self) -> Result<String, Advice> {
        match self.processes() {
            Ok(all) if all.is_empty() => {
                Err(Advice { what: format!("{:#}", self.not_running()), mend: "start dnsmasq".to_owned() })
            }
            Ok(_) => Ok("dnsmasq runs here, and reads its options again when they change".to_owned()),
            Err(error) => Err(Advice {
                what: format!("cannot see which dnsmasq runs: {error}"),
                mend: "run this as root, with /proc mounted".to_owned(),
            }),
        }
    }

    fn running(&self) -> Running {
        Running::of(PROGRAM, &self.configuration, |process| [read_by(process)])
    }

    /// Whoever has swapped has signalled it here.
    fn has_gone(&self) -> Option<String> {
        let has_gone = matches!(self.running(), Running::Nobody | Running::Others(_));
        has_gone.then(|| format!("dnsmasq does not run any more: {:#}", self.not_running()))
    }

    fn distance(&self) -> Duration {
        Duration::ZERO
    }
}

impl Configuration for HostTable {
    fn files(&self) -> Vec<PathBuf> {
        self.sources.files.iter().map(|source| absolute(&source.path)).collect()
    }

    fn list(&self) -> Vec<Listed> {
        self.hosts.iter().map(|host| self.listed(host)).collect()
    }

    fn clients(&self) -> Vec<(HostName, MacAddress)> {
        Self::clients(self).collect()
    }

    fn host(&self, name: &HostName) -> Result<Host, Fault> {
        let usable = self.usable(name)?;
        let others = self.by_address(usable.ip).filter(|other| other.entry != usable.host.entry);
        Ok(Host {
            name: name.clone(),
            mac: usable.mac,
            ip: usable.ip,
            file: absolute(&self.sources.source(usable.given.entry).path),
            place: usable.place(self),
            shares_ip_with: others.map(|other| self.shown(other)).collect(),
            offered: usable.boot_file(self).into_bytes(),
        })
    }

    fn booting<'a>(&'a self, is_meant: IsMeant<'a>) -> Box<dyn Iterator<Item = Booting> + 'a> {
        Box::new(self.hosts.iter().filter_map(move |host| {
            let tags = tags(host);
            let decides = self.decides(&tags)?;
            // What all are offered is nobody's own.
            let is_own = decides.tags().iter().any(|tag| tags.contains(&tag.as_str()));
            let boot_file = self.boot_file(decides);
            (is_own && is_meant(&self.shown(host), boot_file.as_bytes())).then(|| Booting {
                name: self.shown(host),
                mac: host.macs.first().copied(),
                ip: host.address,
                boot_file,
                place: match decides {
                    Decides::Option(given) => Box::new(self.sources.place_at(given.entry, given.value.start)),
                    Decides::Boot(boot) => Box::new(self.sources.place(boot.entry)),
                },
            })
        }))
    }

    fn reaches(&self, hosts: &[(HostName, Ipv4Addr)]) -> Vec<Reach> {
        Self::reaches(self, hosts)
    }

    fn put_back(&self, swapped: &[(HostName, Swap)]) -> PutBack {
        edit::put_back(self, swapped)
    }

    fn swap(&self, wanted: &[Wanted]) -> Edit {
        edit::swap(self, wanted)
    }
}

impl HostTable {
    fn listed(&self, host: &super::hosts::Host) -> Listed {
        Listed {
            name: self.shown(host),
            mac: host.macs.first().copied(),
            ip: host.address,
            offered: self.offered(host).map(String::into_bytes),
            problem: self.flaw(host).map(|flaw| flaw.to_string()),
        }
    }
}
