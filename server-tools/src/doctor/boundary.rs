//! Whether the clients are kept apart, where the settings say so (`EXPORTS=own` and `job`): each finds its tree where the boot server
//! makes it, and no other client can mount that. Pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ghost_contract::layout;

use super::exports::{covering, lets_in};
use super::facts::{Boundary, Export, Exported, Host, Tried, Usage, few, names};
use super::{Check, Finding};
use crate::ghostrc::Exports;

/// What a boot loader's configuration says to the kernel of the place of the trees.
const FLAG: &str = "ghost.trees=";
/// What it says to one of our clients in any case.
const ROOT: &str = "nfsroot=";

/// All that is to be said of it; nothing where the clients share everything and are told so.
pub(super) fn boundary(
    boundary: &Boundary,
    exports: &[Export],
    server: Ipv4Addr,
    hosts: &[Host],
) -> Vec<Finding> {
    let told = boundary.told.iter().filter_map(|(file, text)| told(boundary, server, file, text));
    let mut findings: Vec<Finding> = told.collect();
    if boundary.exports == Exports::Common {
        return findings;
    }
    findings.extend(boundary.is_told.as_ref().map(is_told));
    for export in exports {
        findings.extend(apart(boundary, export, server, hosts));
        findings.extend(writable(export, hosts));
    }
    findings
}

/// Without it no job begins.
fn is_told(told: &Tried<&'static str>) -> Finding {
    match told {
        Ok(server) => Finding::good(Check::Export, format!("ghostctl can tell what to export: {server}")),
        Err(reason) => Finding::bad(
            Check::Export,
            format!("ghostctl cannot tell the NFS server what to export for a job: {reason}"),
            "start the NFS server, and name it with NFSSERVER in ghostrc if it is another one",
        ),
    }
}

/// Whether each client can mount what is its own there, and no other.
fn apart<'a>(boundary: &Boundary, export: &Export, server: Ipv4Addr, hosts: &'a [Host]) -> Vec<Finding> {
    // What is not known is told of already.
    let Ok(exported) = &export.exported else { return Vec::new() };
    let (place, folders) = match export.usage {
        Usage::InParts => {
            let of_host = |host: &'a Host| {
                let written_to = export.path.join(layout::CLIENTS).join(&host.name);
                [(written_to, host), (export.path.join(&host.name), host)]
            };
            (&export.path, hosts.iter().flat_map(of_host).collect())
        }
        Usage::Read | Usage::Write => (&boundary.trees, own_folders(&boundary.trees, hosts)),
    };
    let is_for_jobs =
        boundary.exports == Exports::Job && (export.usage != Usage::InParts || boundary.store_is_here);
    let amiss = match is_for_jobs {
        true => left(boundary, &folders, exported),
        false => not_exported(place, &folders, exported),
    };
    let mut findings: Vec<Finding> =
        [amiss, open(&folders, exported, server)].into_iter().flatten().collect();
    if findings.is_empty() {
        let when = if is_for_jobs { " while it has a job" } else { "" };
        let found =
            format!("each client can mount its own folder in {}{when}, and no other", place.display());
        findings.push(Finding::good(Check::Export, found));
    }
    findings
}

/// A client that is told another place than the boot server writes to finds no order.
fn told(boundary: &Boundary, server: Ipv4Addr, file: &Path, text: &str) -> Option<Finding> {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c == '\'').collect();
    let said: Vec<&str> = words.iter().filter_map(|word| word.strip_prefix(FLAG)).collect();
    if !words.iter().any(|word| word.starts_with(ROOT)) {
        return None;
    }
    let place = format!("{server}:{}", boundary.trees.display());
    match (boundary.exports, said.as_slice()) {
        (Exports::Common, []) => None,
        (Exports::Own | Exports::Job, said) if !said.is_empty() && said.iter().all(|said| *said == place) => {
            None
        }
        (Exports::Common, _) => Some(Finding::bad(
            Check::Export,
            format!(
                "{} says {FLAG}, so that clients do not look for their trees in the base root",
                file.display()
            ),
            format!("set EXPORTS=job in ghostrc, or take {FLAG} out of that file"),
        )),
        (Exports::Own | Exports::Job, []) => Some(Finding::bad(
            Check::Export,
            format!(
                "{} does not say {FLAG}, so that clients look for their trees in the base root",
                file.display()
            ),
            format!(
                "write {FLAG}{place} behind {ROOT} there, or make the file anew with that flag (rootfs/README.md)"
            ),
        )),
        (Exports::Own | Exports::Job, said) => Some(Finding::bad(
            Check::Export,
            format!("{} says {FLAG}{}, and trees are made in {place}", file.display(), said.join(", ")),
            format!("write {FLAG}{place} there"),
        )),
    }
}

/// A folder, and the client that it is for.
type Folder<'a> = (PathBuf, &'a Host);

/// The clients' own folders for their trees. Machines may share an address, and so a folder.
fn own_folders<'a>(trees: &Path, hosts: &'a [Host]) -> Vec<Folder<'a>> {
    let by_address: BTreeMap<Ipv4Addr, &Host> = hosts.iter().map(|host| (host.ip, host)).collect();
    by_address.into_iter().map(|(ip, host)| (layout::own_folder(trees, ip), host)).collect()
}

/// Folders that a client without a job can mount all the same.
fn left(boundary: &Boundary, folders: &[Folder<'_>], exported: &[Exported]) -> Option<Finding> {
    let is_left = |(folder, host): &&Folder<'_>| {
        let lets_it_in = |one: &Exported| {
            one.clients.is_empty() || one.clients.iter().any(|client| lets_in(client, host.ip) == Some(true))
        };
        !boundary.busy.contains(&host.ip) && covering(exported, folder).any(lets_it_in)
    };
    let left: Vec<String> =
        folders.iter().filter(is_left).map(|(folder, _)| folder.display().to_string()).collect();
    (!left.is_empty()).then(|| {
        Finding::warning(
            Check::Export,
            format!("{} can be mounted by its client though no job runs", few(left.iter().map(String::as_str))),
            "with EXPORTS=job ghostctl exports it itself: take it out of /etc/exports or ganesha.conf, and have the NFS server take that up",
        )
    })
}

fn not_exported(place: &Path, folders: &[Folder<'_>], exported: &[Exported]) -> Option<Finding> {
    let is_in = |(folder, host): &Folder<'_>| {
        covering(exported, folder).any(|one| {
            one.clients.is_empty() || one.clients.iter().any(|client| lets_in(client, host.ip) != Some(false))
        })
    };
    let mut out: Vec<&Host> = folders.iter().filter(|folder| !is_in(folder)).map(|(_, host)| *host).collect();
    // One may lack several folders.
    out.dedup_by_key(|host| &host.name);
    (!out.is_empty()).then(|| {
        Finding::bad(
            Check::Export,
            format!("{} cannot mount what is theirs in {}", names(out.into_iter()), place.display()),
            "export what 'ghostctl exports' prints",
        )
    })
}

/// Folders that another can mount as well: as a network, as everybody, or with a folder above.
fn open(folders: &[Folder<'_>], exported: &[Exported], server: Ipv4Addr) -> Option<Finding> {
    let is_open = |(folder, host): &&Folder<'_>| {
        covering(exported, folder).any(|one| {
            one.clients.is_empty()
                || one.clients.iter().any(|client| !is_only(client, host.ip) && !is_only(client, server))
        })
    };
    let open: Vec<String> =
        folders.iter().filter(is_open).map(|(folder, _)| folder.display().to_string()).collect();
    (!open.is_empty()).then(|| {
        Finding::warning(
            Check::Export,
            format!("{} can be mounted by others than its client", few(open.iter().map(String::as_str))),
            "export what 'ghostctl exports' prints, and no folder above",
        )
    })
}

/// Whether a pattern lets in this address and no other. Of a name nobody can tell.
fn is_only(pattern: &str, ip: Ipv4Addr) -> bool {
    let address = pattern.split_once('/').filter(|(_, mask)| matches!(*mask, "32" | "255.255.255.255"));
    let address = address.map_or(pattern, |(address, _)| address);
    lets_in(pattern, ip).is_none() || address.parse() == Ok(ip)
}

/// A base root that a client can write to is one by which it reaches all others.
fn writable(export: &Export, hosts: &[Host]) -> Option<Finding> {
    if export.usage != Usage::Read {
        return None;
    }
    let writes = |host: &&Host| {
        export.grants.iter().any(|grant| grant.may_write && lets_in(&grant.clients, host.ip) == Some(true))
    };
    let writing: Vec<&Host> = hosts.iter().filter(writes).collect();
    (!writing.is_empty()).then(|| {
        Finding::warning(
            Check::Export,
            format!("{} can write to the base root {}", names(writing.into_iter()), export.path.display()),
            "give its line in /etc/exports 'ro', then run 'exportfs -ra'",
        )
    })
}

#[cfg(test)]
mod tests;
