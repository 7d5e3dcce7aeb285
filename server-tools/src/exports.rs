//! What is to be exported to whom, as text for an administrator's NFS server. Pure, but for [`for_job`] and what that uses.
//!
//! The lines name each client by its address alone: what one client can write to, no other can mount. Paths are those that
//! clients mount, letter for letter, since NFS servers compare them so.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use ghost_contract::{Generation, HostName, NfsVersion, layout};
use serde::{Deserialize, Serialize};

use crate::ghostrc::{Exports, Ghostrc};
use crate::job::Identity;

pub(crate) mod always;
pub(crate) mod for_job;
pub(crate) mod ganesha;
pub(crate) mod here;
mod nfsd;

/// The number of our first export in Ganesha's configuration. The administrator's own begin at 1.
const FIRST_ID: usize = 4_000;
/// Ganesha's numbers have 16 bits.
const LAST_ID: usize = 65_535;

/// What a client may do with an export. It is root there in any case: it reads files that only root can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Access {
    Read,
    Write,
}

/// One folder for the clients that may mount it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub path: PathBuf,
    pub access: Access,
    pub clients: BTreeSet<Ipv4Addr>,
}

impl Wanted {
    fn of_one(path: PathBuf, access: Access, client: Ipv4Addr) -> Self {
        Self { path, access, clients: [client].into() }
    }
}

/// How a server serves exports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served {
    /// The address of the boot server, which may list the exports and read none.
    pub boot_server: Ipv4Addr,
    pub version: NfsVersion,
}

impl Served {
    pub(crate) const fn by(ghostrc: &Ghostrc) -> Self {
        Self { boot_server: ghostrc.boot_server, version: ghostrc.nfs_version }
    }
}

/// What these hosts mount from the boot server itself, and the administrator exports.
pub(crate) fn of_boot_server(ghostrc: &Ghostrc, hosts: &[(HostName, Ipv4Addr)]) -> Vec<Wanted> {
    let clients = addresses(hosts);
    let base_root = |access| Wanted { path: ghostrc.base_root.clone(), access, clients: clients.clone() };
    match ghostrc.exports {
        Exports::Common => vec![base_root(Access::Write)],
        Exports::Own => {
            let own = clients.iter().map(|ip| tree(ghostrc, *ip));
            [base_root(Access::Read)].into_iter().chain(own).collect()
        }
        Exports::Job => vec![base_root(Access::Read)],
    }
}

/// What they mount from the server of the image store, and the administrator exports.
pub(crate) fn of_store(ghostrc: &Ghostrc, hosts: &[(HostName, Ipv4Addr)]) -> Vec<Wanted> {
    let path = &ghostrc.store_export.path;
    match ghostrc.exports {
        Exports::Common => {
            vec![Wanted { path: path.clone(), access: Access::Write, clients: addresses(hosts) }]
        }
        Exports::Job if ghostrc.store_is_here() => Vec::new(),
        Exports::Own | Exports::Job => {
            let own = hosts.iter().flat_map(|(host, ip)| {
                let finished = Wanted::of_one(path.join(host.as_str()), Access::Read, *ip);
                [written_to(ghostrc, host, *ip), finished]
            });
            own.collect()
        }
    }
}

/// What the client of one job mounts and nobody else, and is exported for the time of the job; a job may read a generation.
pub(crate) fn of_job(ghostrc: &Ghostrc, identity: &Identity, generation: Option<&Generation>) -> Vec<Wanted> {
    let Identity { host, ip, .. } = identity;
    let mut wanted = vec![tree(ghostrc, *ip)];
    if ghostrc.store_is_here() {
        wanted.push(written_to(ghostrc, host, *ip));
        wanted.extend(generation.map(|generation| {
            let path = ghostrc.store_export.path.join(layout::generation(host, generation));
            Wanted::of_one(path, Access::Read, *ip)
        }));
    }
    wanted
}

fn tree(ghostrc: &Ghostrc, ip: Ipv4Addr) -> Wanted {
    let path = layout::own_folder(&layout::trees(&ghostrc.base_root), ip);
    Wanted::of_one(path, Access::Write, ip)
}

fn written_to(ghostrc: &Ghostrc, host: &HostName, ip: Ipv4Addr) -> Wanted {
    let path = ghostrc.store_export.path.join(layout::CLIENTS).join(host.as_str());
    Wanted::of_one(path, Access::Write, ip)
}

/// Machines may share an address.
fn addresses(hosts: &[(HostName, Ipv4Addr)]) -> BTreeSet<Ipv4Addr> {
    hosts.iter().map(|(_, ip)| *ip).collect()
}

/// Lines for /etc/exports (exports(5)).
pub(crate) fn for_nfsd(wanted: &[Wanted]) -> String {
    let line = |one: &Wanted| {
        let options = nfsd::options(one.access);
        let clients: Vec<String> = one.clients.iter().map(|ip| format!("{ip}({options})")).collect();
        format!("{} {}\n", escaped(&one.path), clients.join(" \\\n    "))
    };
    wanted.iter().filter(|one| !one.clients.is_empty()).map(line).collect()
}

/// Blanks and what has a meaning stand there as octal numbers.
fn escaped(path: &Path) -> String {
    let byte = |byte: &u8| match byte {
        b'!'..=b'~' if !b"\"#\\".contains(byte) => char::from(*byte).to_string(),
        other => format!("\\{other:03o}"),
    };
    path.as_os_str().as_bytes().iter().map(byte).collect()
}

/// Blocks for NFS-Ganesha's configuration (ganesha-export-config(8)).
pub(crate) fn for_ganesha(wanted: &[Wanted], served: Served) -> anyhow::Result<String> {
    let some: Vec<&Wanted> = wanted.iter().filter(|one| !one.clients.is_empty()).collect();
    ensure!(
        FIRST_ID + some.len() <= LAST_ID + 1,
        "NFS-Ganesha has numbers for {} exports only, and these are {}",
        LAST_ID + 1 - FIRST_ID,
        some.len()
    );
    some.iter().zip(FIRST_ID..).map(|(one, id)| block(one, id, served)).collect()
}

fn block(one: &Wanted, id: usize, served: Served) -> anyhow::Result<String> {
    let path = one.path.to_str().filter(|path| !path.contains(|c: char| c == '"' || c.is_control()));
    let path = path.with_context(|| format!("NFS-Ganesha cannot export {}", one.path.display()))?;
    let access = match one.access {
        Access::Read => "RO",
        Access::Write => "RW",
    };
    let clients: Vec<String> = one.clients.iter().map(ToString::to_string).collect();
    // What version 3 does not serve is not listed either.
    let protocols = match served.version {
        NfsVersion::V3 => "3",
        NfsVersion::V4_1 => "3, 4",
    };
    // Ganesha lists exports only for those who have access: 'ghostctl doctor' asks for the list from the boot server, which needs to
    // read nothing by it. Trees are made past Ganesha: it must not show what it remembers of them.
    Ok(format!(
        "EXPORT {{\n    \
             Export_Id = {id};\n    \
             Path = \"{path}\";\n    \
             Pseudo = \"{path}\";\n    \
             Access_Type = None;\n    \
             Squash = No_Root_Squash;\n    \
             Attr_Expiration_Time = 0;\n    \
             SecType = sys;\n    \
             Protocols = {protocols};\n    \
             Transports = TCP;\n    \
             FSAL {{ Name = VFS; }}\n    \
             CLIENT {{ Clients = {}; Access_Type = {access}; Squash = No_Root_Squash; }}\n    \
             CLIENT {{ Clients = {}; Access_Type = MDONLY_RO; }}\n\
         }}\n",
        clients.join(", "),
        served.boot_server
    ))
}

#[cfg(test)]
mod tests;
