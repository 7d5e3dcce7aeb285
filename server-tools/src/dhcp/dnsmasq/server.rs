//! dnsmasq as a server: its files, its checker, and the signal by which it reads its options again. It is restarted for new hosts only,
//! which it reads when it starts.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use ghost_contract::HostName;
use rustix::process::Signal;

use super::sources::Content;
use super::table::{Around, HostTable};
use super::{adding, check, edit, unread};
use crate::dhcp::adding::{Added, Additions, Draft};
use crate::dhcp::checker::Checker;
use crate::dhcp::restarted::{Program, Restarted};
use crate::dhcp::text::{absolute, same};
use crate::dhcp::{
    Advice, Change, Configuration, Kind, Network, PrivateCopy, Reverts, Running, Server, Swap,
};
use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::{CommandLine, Ghostrc};
use crate::sys::user::User;
use crate::sys::{interface, process};

/// The program, and its processes' name.
pub(in crate::dhcp) const PROGRAM: &str = "dnsmasq";
/// What it reads if it is not told otherwise, and the folder that Debian's service has it read besides.
const DEFAULT: &str = "/etc/dnsmasq.conf";
const BESIDES: &str = "/etc/dnsmasq.d";

/// The dnsmasq of a boot server.
#[derive(Debug)]
pub struct Dnsmasq {
    checker: Checker,
    /// What starts it again.
    restarted: Option<Restarted>,
    server: Ipv4Addr,
}

static RESTARTED: Program = Program { name: PROGRAM, unit: PROGRAM, read_by: served_by };

/// Whether it knows any client. Many machines have it for names alone.
pub(super) fn has_clients(configuration: &Path) -> bool {
    let all = Dnsmasq::with(configuration, None, Ipv4Addr::UNSPECIFIED).table(&[]);
    all.is_ok_and(|all| HostTable::clients(&all).next().is_some())
}

impl Dnsmasq {
    pub fn new(ghostrc: &Ghostrc, configuration: &Path) -> Self {
        let own = Self::with(configuration, ghostrc.dhcp_check.clone(), ghostrc.boot_server);
        Self { restarted: Some(Restarted::new(&RESTARTED, ghostrc, configuration)), ..own }
    }

    fn with(configuration: &Path, checker: Option<CommandLine>, server: Ipv4Addr) -> Self {
        let checker = Checker::new(configuration, checker, PROGRAM, &["--test", "-C", "FILE"]);
        Self { checker, restarted: None, server }
    }

    /// Where the options are that it reads again, unless its configuration names a folder.
    fn options(&self) -> PathBuf {
        match self.besides() {
            Some(folder) => folder.join("ghost4linux"),
            None => absolute(&self.checker.configuration).with_file_name("ghost4linux-options"),
        }
    }

    fn besides(&self) -> Option<&'static Path> {
        (self.checker.configuration == Path::new(DEFAULT)).then_some(Path::new(BESIDES))
    }

    /// The configuration with all that belongs to it, some of the files with other contents than they have.
    fn table(&self, changes: &[Change]) -> anyhow::Result<HostTable> {
        let network = |(address, netmask)| Network { address, netmask };
        let around = Around {
            besides: self.besides(),
            networks: interface::networks().into_iter().map(network).collect(),
            server: Some(self.server),
        };
        self.checker.read_with(changes, |bytes, file| {
            let mut folder = |folder: &Path| with_new(folder, listed(folder), changes);
            let mut content = Content { file, folder: &mut folder };
            HostTable::read(&self.checker.configuration, bytes, &around, &mut content)
        })
    }

    /// Those that read the configuration that is edited. Other programs start dnsmasqs of their own.
    fn processes(&self) -> io::Result<Vec<process::Process>> {
        let all = process::named(PROGRAM)?;
        let is_ours = |process: &process::Process| {
            served_by(process).iter().any(|read| same(read, &self.checker.configuration))
        };
        Ok(all.into_iter().filter(is_ours).collect())
    }

    fn not_running(&self) -> anyhow::Error {
        anyhow!(
            "no dnsmasq that reads {} runs here, so that none reads its options again; start it",
            self.checker.configuration.display()
        )
    }
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
fn is_checker(process: &process::Process) -> bool {
    process.arguments.iter().any(|word| word == "--test")
}

/// The configuration that a process reads, by its arguments; none of a checker.
pub(in crate::dhcp) fn served_by(process: &process::Process) -> Vec<PathBuf> {
    if is_checker(process) { Vec::new() } else { vec![read_by(process)] }
}

/// The configuration that a server reads, by its arguments.
fn read_by(process: &process::Process) -> PathBuf {
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
        check::private_copy(&table, &self.checker.configuration, self.besides(), changes)
    }

    fn add(&self, asked: &Additions) -> anyhow::Result<Added> {
        let mut draft = Draft::default();
        if !self.checker.configuration.exists() {
            // Read as empty: it is not there.
            let file = absolute(&self.checker.configuration);
            draft.changes.push(Change { file, read: Vec::new(), contents: Vec::new() });
        }
        let table = |changes: &[Change]| self.table(changes).exit_by_default(Exit::Configuration);
        let (mut draft, configuration) = adding::added(draft, asked, &self.options(), &table)?;
        draft.changes.retain(|change| change.contents != change.read);
        let files: Vec<&Path> = draft.changes.iter().map(|change| change.file.as_path()).collect();
        let restart = self.restart_for(&files);
        Ok(draft.comes_to(Box::new(configuration), restart))
    }

    /// The files that are read again are those in the folders of options.
    fn restart_for(&self, files: &[&Path]) -> Option<Vec<String>> {
        let main = absolute(&self.checker.configuration);
        if !files.contains(&main.as_path()) {
            return None;
        }
        Some(self.restarted.as_ref()?.command())
    }

    fn restart(&self) -> anyhow::Result<()> {
        let files = self.read().ok().map(|configuration| configuration.files());
        self.restarted.as_ref().map_or(Ok(()), |restarted| restarted.take_up(files))
    }

    /// Otherwise it binds the port so that nobody else can have it.
    fn shares_port(&self) -> bool {
        let binds = |option: &str| matches!(option, "bind-interfaces" | "bind-dynamic");
        let all = self.table(&[]);
        all.is_ok_and(|all| all.sources.entries.iter().any(|entry| binds(&entry.option)))
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
        Running::of(PROGRAM, &self.checker.configuration, served_by)
    }

    fn unread(&self) -> Vec<Advice> {
        let Ok(table) = self.table(&[]) else { return Vec::new() };
        // Without one that runs it cannot be told as which user it will.
        let user = self.processes().ok().and_then(|all| User::of_process(all.first()?.identity.pid).ok());
        table.unread(&mut |path| unread::look(path, user.as_ref()))
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
