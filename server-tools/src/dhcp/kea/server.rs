//! Kea as a server: its files, its checker, and its control socket. It reloads, so that it is never restarted.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use ghost_contract::{HostName, MacAddress};
use serde_json::Value;

use super::{HostTable, adding, control, edit};
use crate::dhcp::adding::{Added, Additions, Draft};
use crate::dhcp::checker::Checker;
use crate::dhcp::private_copy::Part;
use crate::dhcp::text::absolute;
use crate::dhcp::{
    Advice, Booting, Change, Configuration, Edit, Fault, Host, IsMeant, Kind, Listed, Network, PrivateCopy,
    PutBack, Reach, Reverts, Running, Server, Swap, Wanted,
};
use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::Ghostrc;
use crate::sys::{control_socket, process};

/// How long an answer may take. Kea reads all of its configuration before it answers a reload.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
/// How often the server reloads because a person has saved the file meanwhile.
const MOST_RELOADS: u8 = 3;
/// The program, and its processes' name.
pub(super) const PROGRAM: &str = "kea-dhcp4";

/// The Kea of a boot server.
#[derive(Debug)]
pub struct Kea {
    checker: Checker,
}

impl Kea {
    pub fn new(ghostrc: &Ghostrc, configuration: &Path) -> Self {
        let named = ghostrc.dhcp_check.clone();
        Self { checker: Checker::new(configuration, named, PROGRAM, &["-t", "FILE"]) }
    }

    /// The configuration with all that it includes, some of the files with other contents than they have.
    fn table(&self, changes: &[Change]) -> anyhow::Result<HostTable> {
        self.checker
            .read_with(changes, |bytes, content| HostTable::read(&self.checker.configuration, bytes, content))
    }

    fn socket(&self) -> anyhow::Result<PathBuf> {
        control::socket(&self.table(&[])?).ok_or_else(|| {
            anyhow!(
                "{} names no control socket; write into its Dhcp4: \"control-socket\": {{ \"socket-type\": \"unix\", \"socket-name\": \
                 \"/run/kea/kea4-ctrl-socket\" }}, and restart Kea once",
                self.checker.configuration.display()
            )
        })
    }

    fn reload(&self, socket: &Path) -> anyhow::Result<()> {
        ask(socket, control::RELOAD).context("Kea has not read its configuration again")?;
        let served = ask(socket, control::GET).context("Kea does not tell what it serves")?;
        let written = self.table(&[])?;
        match control::difference(&written, &served) {
            Some(difference) => Err(anyhow!(
                "Kea has read its configuration again, and serves another one than {}: {difference}; have it started with that file",
                self.checker.configuration.display()
            )),
            None => Ok(()),
        }
    }
}

/// What to do with the file that the package brings.
fn example(configuration: &Path) -> anyhow::Error {
    let path = configuration.display();
    anyhow!(
        "{path} is Kea's own example, as its package brings it: it gives all clients a time zone as boot file, and other people's \
         servers. Nothing was changed. Move it away, 'mv {path} {path}.example', and give the command again, which then writes one. To keep \
         what you have changed in it, take its option boot-file-name out instead"
    )
    .exit(Exit::Configuration)
}

fn ask(socket: &Path, question: &[u8]) -> anyhow::Result<Value> {
    let asked = || format!("asked by its control socket {}", socket.display());
    let answer = control_socket::ask(socket, question, ANSWER_DEADLINE);
    let answer = answer.context("it does not answer; is it running?").with_context(asked)?;
    control::granted(&answer).with_context(asked)
}

fn private_copy(table: &HostTable, changes: &[Change]) -> anyhow::Result<PrivateCopy> {
    let files = &table.values.sources.files;
    let Some(main) = files.first() else { return Ok(PrivateCopy::default()) };
    let parts = files.iter().map(|source| Part {
        path: &source.path,
        bytes: &source.bytes,
        included_by: source.included_by.clone(),
    });
    let parts: Vec<Part<'_>> = parts.collect();
    let folder = absolute(&main.path);
    PrivateCopy::of(&parts, changes, folder.parent().unwrap_or(Path::new("/")), <[u8]>::to_vec)
}

impl Server for Kea {
    fn kind(&self) -> Kind {
        Kind::Kea
    }

    fn checker(&self) -> &Checker {
        &self.checker
    }

    fn read_with(&self, changes: &[Change]) -> anyhow::Result<Box<dyn Configuration>> {
        Ok(Box::new(self.table(changes).exit_by_default(Exit::Configuration)?))
    }

    fn revert(&self, file: &Path, now: &[u8], swapped: &[(HostName, Swap)]) -> Reverts {
        edit::revert(file, now, swapped)
    }

    fn private_copy(&self, changes: &[Change]) -> anyhow::Result<PrivateCopy> {
        let table = self.table(changes).exit_by_default(Exit::Configuration)?;
        private_copy(&table, changes)
    }

    fn add(&self, asked: &Additions) -> anyhow::Result<Added> {
        let mut draft = Draft::default();
        if !self.checker.configuration.exists() {
            draft.append(absolute(&self.checker.configuration), b"", adding::EMPTY);
        }
        let table = |changes: &[Change]| self.table(changes).exit_by_default(Exit::Configuration);
        let is_asked = asked.network.is_some() || !asked.hosts.is_empty();
        if is_asked && draft.changes.is_empty() && table(&[])?.is_example() {
            return Err(example(&self.checker.configuration));
        }
        let (draft, configuration) = adding::added(draft, asked, &table)?;
        Ok(draft.comes_to(Box::new(configuration), None))
    }

    /// A person may save the file between the reload and the look at it: then it is reloaded again.
    fn take_up(&self) -> anyhow::Result<()> {
        let socket = self.socket().exit_by_default(Exit::Configuration)?;
        let mut tries = 1;
        loop {
            match self.reload(&socket) {
                Ok(()) => return Ok(()),
                Err(error) if tries == MOST_RELOADS => {
                    return Err(error).exit_by_default(Exit::Configuration);
                }
                Err(_) => tries += 1,
            }
        }
    }

    fn way(&self) -> Result<String, Advice> {
        let mend = "start Kea, and have it open its control socket where its configuration says";
        let advice = |error: anyhow::Error| Advice { what: format!("{error:#}"), mend: mend.to_owned() };
        let socket = self.socket().map_err(advice)?;
        ask(&socket, control::GET).map_err(advice)?;
        Ok(format!("Kea answers by its control socket {}", socket.display()))
    }

    fn running(&self) -> Running {
        Running::of(PROGRAM, &self.checker.configuration, read_by)
    }

    fn has_gone(&self) -> Option<String> {
        let is_there = self.running() != Running::Nobody;
        // Its control socket is here, so that it can only run here.
        let asked = self.socket().and_then(|socket| ask(&socket, control::GET));
        asked.err().filter(|_| !is_there).map(|error| format!("Kea does not run any more: {error:#}"))
    }

    /// It binds the port so that nobody else can have it.
    fn shares_port(&self) -> bool {
        false
    }

    fn distance(&self) -> Duration {
        Duration::ZERO
    }
}

/// The configuration that a server reads, by its arguments; none of a checker, or of one that begins or ends this moment.
pub(super) fn read_by(process: &process::Process) -> Vec<PathBuf> {
    let words: Vec<&str> = process.arguments.iter().filter_map(|word| word.to_str()).collect();
    let named = words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix("-c")? {
        "" => words.get(at + 1).copied(),
        attached => Some(attached),
    });
    named.map(|named| process.folder.join(named)).into_iter().collect()
}

impl Configuration for HostTable {
    fn files(&self) -> Vec<PathBuf> {
        self.values.sources.files.iter().map(|source| absolute(&source.path)).collect()
    }

    fn list(&self) -> Vec<Listed> {
        self.hosts().iter().map(|host| self.listed(host)).collect()
    }

    fn clients(&self) -> Vec<(HostName, MacAddress)> {
        Self::clients(self).collect()
    }

    fn host(&self, name: &HostName) -> Result<Host, Fault> {
        let host = self.usable(name)?;
        let (file, _) = self.values.stretch(host.value);
        Ok(Host {
            name: name.clone(),
            mac: host.mac,
            ip: host.ip,
            offered: host.boot_file,
            file: absolute(&self.values.sources.files[file].path),
            place: Box::new(self.values.place(host.value)),
            shares_ip_with: host.shares_ip_with,
        })
    }

    fn booting<'a>(&'a self, is_meant: IsMeant<'a>) -> Box<dyn Iterator<Item = Booting> + 'a> {
        Box::new(self.hosts().iter().filter_map(move |host| {
            let value = self.own_boot_file(host).ok()?;
            let boot_file = self.values.text(value).filter(|file| is_meant(&self.shown(host), file))?;
            Some(Booting {
                name: self.shown(host),
                mac: host.mac,
                ip: host.address,
                boot_file: String::from_utf8_lossy(&boot_file).into_owned(),
                place: Box::new(self.values.place(value)),
            })
        }))
    }

    fn networks(&self) -> Vec<Network> {
        Self::networks(self)
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
    fn listed(&self, host: &super::Host) -> Listed {
        let own = self.own_boot_file(host).ok();
        Listed {
            name: self.shown(host),
            mac: host.mac,
            ip: host.address,
            offered: own.and_then(|own| self.values.text(own)),
            problem: self.flaw(host).map(|flaw| flaw.to_string()),
        }
    }
}
