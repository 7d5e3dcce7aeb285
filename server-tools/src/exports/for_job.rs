//! Exports for the time of one job: has the NFS server make them and take them away.
//!
//! ```text
//!           export: tell the server what it lacks ─▶ is all of it listed?
//! nothing ───────────────────────────────────────────────────────────────▶ the job's client mounts its own
//!         ◀───────────────────────────────────────────────────────────────
//!           unexport: tell it what is listed ─▶ is nothing of it listed?
//! ```
//! A command's word is not believed: done is what the server's own list of exports says. So both can be called again, whatever
//! a crash has left.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};

use super::here::{nfs_server_here, told};
use super::{Wanted, ganesha, nfsd};
use crate::doctor::exports::exported;
use crate::doctor::facts::Exported;
use crate::ghostrc::{Ghostrc, NfsServer};
use crate::sys::{clock, program};

/// How long all commands together may take, to export or to take away.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long it may take to say what it exports.
const ANSWER: Duration = Duration::from_secs(5);
/// The least that each gets.
const LEAST: Duration = Duration::from_millis(500);

/// The NFS server that exports for jobs, by its name, if it can be told. Changes nothing.
pub(crate) fn can_be_told(ghostrc: &Ghostrc) -> anyhow::Result<&'static str> {
    let server = ghostrc.nfs_server.unwrap_or_else(nfs_server_here);
    match server {
        NfsServer::Nfsd => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            program::find("exportfs", &path).context("Linux' NFS server is told by exportfs")?;
            Ok("nfsd, by exportfs")
        }
        NfsServer::Ganesha => {
            ganesha::exports(ganesha::Place::of(ghostrc, ANSWER))?;
            Ok("NFS-Ganesha, over D-Bus")
        }
    }
}

/// What is exported for a job. The journal holds it: the settings may have changed when it is taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ForJob {
    pub server: NfsServer,
    pub wanted: Vec<Wanted>,
    /// From which number on NFS-Ganesha's exports are numbered. Clients' file handles have that number in them, so a server that
    /// has forgotten them must get the same again.
    #[serde(default)]
    pub first: u16,
}

impl ForJob {
    /// Has the server export all of it to the client.
    pub(crate) fn export(&self, ghostrc: &Ghostrc, ip: Ipv4Addr) -> anyhow::Result<()> {
        if self.server == NfsServer::Nfsd {
            nfsd::keep(&ghostrc.exports_folder, ip, &self.wanted)?;
        }
        let (teller, before) = (self.teller(ghostrc, ip), listed(ghostrc)?);
        let numbered = self.wanted.iter().zip(0..).map(|(one, place)| (one, self.first.wrapping_add(place)));
        for (one, number) in numbered.filter(|(one, _)| !is_listed(one, &before)) {
            teller.add(one, number).with_context(|| cannot("export", &one.path, ip))?;
        }
        let now = listed(ghostrc)?;
        match self.wanted.iter().find(|one| !is_listed(one, &now)) {
            None => Ok(()),
            Some(one) => bail!(
                "the NFS server was told to export {} to {ip} and does not list it; 'showmount --exports' shows what it lists",
                one.path.display()
            ),
        }
    }

    /// Has it export nothing of it any more. All that can be taken away is, whatever fails.
    pub(crate) fn unexport(&self, ghostrc: &Ghostrc, ip: Ipv4Addr) -> anyhow::Result<()> {
        let mut failed = Vec::new();
        if self.server == NfsServer::Nfsd {
            failed.extend(nfsd::forget(&ghostrc.exports_folder, ip).err());
        }
        let (teller, before) = (self.teller(ghostrc, ip), listed(ghostrc));
        let is_there = |one: &&Wanted| before.as_ref().map_or(true, |before| is_listed(one, before));
        for one in self.wanted.iter().filter(is_there) {
            let removed = teller.remove(&one.path);
            failed.extend(removed.with_context(|| cannot("stop exporting", &one.path, ip)).err());
        }
        match listed(ghostrc) {
            Ok(now) => {
                let still = self.wanted.iter().filter(|one| is_listed(one, &now));
                failed.extend(still.map(|one| anyhow!("{} is still exported to {ip}", one.path.display())));
            }
            Err(error) => failed.push(error.context("nobody knows whether it is still exported")),
        }
        let mut words = failed.iter().map(|error| format!("{error:#}"));
        words
            .next()
            .map_or(Ok(()), |first| Err(anyhow!(words.fold(first, |all, one| format!("{all}; {one}")))))
    }

    /// Whether the server has forgotten some of it.
    pub(crate) fn is_forgotten(&self, ghostrc: &Ghostrc) -> anyhow::Result<bool> {
        let now = listed(ghostrc)?;
        Ok(!self.wanted.iter().all(|one| is_listed(one, &now)))
    }

    fn teller<'a>(&self, ghostrc: &'a Ghostrc, ip: Ipv4Addr) -> Teller<'a> {
        Teller { server: self.server, ghostrc, ip, until: clock::uptime().saturating_add(DEADLINE) }
    }
}

/// Tells the NFS server, one command after the other.
struct Teller<'a> {
    server: NfsServer,
    ghostrc: &'a Ghostrc,
    ip: Ipv4Addr,
    until: Duration,
}

impl Teller<'_> {
    fn add(&self, one: &Wanted, number: u16) -> anyhow::Result<()> {
        match self.server {
            NfsServer::Nfsd => nfsd::add(self.ip, one, self.time_left()),
            NfsServer::Ganesha => ganesha::add(self.ganesha(), self.ip, one, number),
        }
    }

    fn remove(&self, path: &Path) -> anyhow::Result<()> {
        match self.server {
            NfsServer::Nfsd => nfsd::remove(self.ip, path, self.time_left()),
            NfsServer::Ganesha => ganesha::remove(self.ganesha(), path),
        }
    }

    fn ganesha(&self) -> ganesha::Place<'_> {
        ganesha::Place::of(self.ghostrc, self.time_left())
    }

    fn time_left(&self) -> Duration {
        self.until.saturating_sub(clock::uptime()).max(LEAST)
    }
}

fn cannot(what: &str, path: &Path, ip: Ipv4Addr) -> String {
    format!("cannot {what} {} to {ip}", path.display())
}

fn listed(ghostrc: &Ghostrc) -> anyhow::Result<Vec<Exported>> {
    let listed = exported(IpAddr::V4(ghostrc.boot_server), ghostrc.mountd_port);
    let listed = listed.or_else(|error| told(ghostrc).ok_or(error));
    listed.context("cannot see what the NFS server exports")
}

/// Whether the server lists this very folder for this very client.
pub(super) fn is_listed(one: &Wanted, listed: &[Exported]) -> bool {
    let is_for = |client: &str, ip: Ipv4Addr| client.strip_suffix("/32").unwrap_or(client).parse() == Ok(ip);
    let mut same = listed.iter().filter(|exported| exported.path == one.path);
    same.any(|exported| {
        one.clients.iter().all(|ip| exported.clients.iter().any(|client| is_for(client, *ip)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exports::Access;

    #[test]
    fn only_this_folder_for_this_client_counts() {
        let wanted = Wanted::of_one("/store/.clients/john".into(), Access::Write, [192, 168, 7, 2].into());
        for (path, clients, is_it) in [
            ("/store/.clients/john", &["192.168.7.2"][..], true),
            ("/store/.clients/john", &["192.168.7.1", "192.168.7.2/32"], true),
            ("/store/.clients/john", &["192.168.7.0/24"], false),
            ("/store/.clients/john", &[], false),
            ("/store/.clients/john", &["192.168.7.21"], false),
            ("/store/.clients", &["192.168.7.2"], false),
        ] {
            let clients: Vec<String> = clients.iter().map(|client| (*client).to_owned()).collect();
            let listed = [Exported { path: path.into(), clients }];
            assert_eq!(is_listed(&wanted, &listed), is_it, "{listed:?}");
        }
    }
}
