//! What to think of an NFS export: whether it is there, and whether it lets the clients in and lets them write. Pure.

use ghost_contract::NfsVersion;

use super::exports::{covering, lets_in};
use super::facts::{Export, Exported, Host, Usage, names};
use super::{Check, Finding};

pub(super) fn export(export: &Export, hosts: &[Host]) -> Finding {
    let path = export.path.display();
    let access = if export.usage == Usage::Read { "ro" } else { "rw" };
    let what = match &export.server {
        Ok(server) => format!("{server}:{path} ({})", export.key),
        Err(reason) => {
            let mend = format!("write a numeric address in {}", export.key);
            return Finding::bad(
                Check::Export,
                format!("the server of {path} has no address: {reason}"),
                mend,
            );
        }
    };
    if let Err(reason) = &export.nfs {
        let mend = format!(
            "start the NFS server with version {} over TCP, and let the clients through the firewall",
            export.version.word()
        );
        return Finding::bad(Check::Export, format!("{what}: {reason}"), mend);
    }
    if let Some(bad) = found_elsewhere(export, &what) {
        return bad;
    }
    match &export.exported {
        // What of it is exported, and to whom, is judged client by client.
        Ok(_) if export.usage == Usage::InParts => Finding::good(Check::Export, format!("{what} is served")),
        Ok(exported) if covering(exported, &export.path).next().is_some() => {
            let bad = shut_out(exported, export, hosts, &what).or_else(|| squashed(export, hosts, &what));
            bad.unwrap_or_else(|| Finding::good(Check::Export, format!("{what} is exported")))
        }
        Ok(_) => Finding::bad(
            Check::Export,
            format!("{what} is not exported"),
            format!(
                "add '{path} *({access},no_root_squash,subtree_check)' to /etc/exports there, narrowed to the clients' network"
            ),
        ),
        Err(reason) => Finding::warning(
            Check::Export,
            format!("{what}: what is exported cannot be told: {reason}"),
            match export.version {
                NfsVersion::V3 => "make mountd reachable: clients ask it before they can mount",
                NfsVersion::V4_1 => {
                    "look into the NFS server's configuration: clients do not need mountd, which would list it"
                }
            },
        ),
    }
}

/// Clients of version 4 look for a path below the folder in which its paths begin.
fn found_elsewhere(export: &Export, what: &str) -> Option<Finding> {
    let begin = export.begins_in.as_ref().filter(|_| export.version == NfsVersion::V4_1)?;
    Some(Finding::bad(
        Check::Export,
        format!(
            "{what}: clients of version 4.1 look for it in {}, which is exported with fsid=0",
            begin.join(export.path.strip_prefix("/").unwrap_or(&export.path)).display()
        ),
        "take 'fsid=0' out of /etc/exports there: it is not needed any more; then run 'exportfs -ra'",
    ))
}

/// Hosts that none of the exports' patterns lets in. Where one of them is a name, nobody can tell.
fn shut_out(exported: &[Exported], export: &Export, hosts: &[Host], what: &str) -> Option<Finding> {
    let is_in = |host: &&Host| {
        covering(exported, &export.path).any(|one| {
            one.clients.is_empty() || one.clients.iter().any(|client| lets_in(client, host.ip) != Some(false))
        })
    };
    let out: Vec<&Host> = hosts.iter().filter(|host| !is_in(host)).collect();
    let clients: Vec<&str> =
        covering(exported, &export.path).flat_map(|one| &one.clients).map(String::as_str).collect();
    (!out.is_empty()).then(|| {
        Finding::bad(
            Check::Export,
            format!("{what} is exported to {}, and not to {}", clients.join(", "), names(out.into_iter())),
            "add the clients' network to its line in /etc/exports there, then run 'exportfs -ra'",
        )
    })
}

/// Hosts that may not write there, or not as root.
fn squashed(export: &Export, hosts: &[Host], what: &str) -> Option<Finding> {
    let grants = |host: &Host| {
        let of_host = export.grants.iter().filter(|grant| lets_in(&grant.clients, host.ip) == Some(true));
        // Of several lines for a client the most special one counts, which is the longest path and the smallest network.
        of_host.max_by_key(|grant| (grant.path.as_os_str().len(), grant.clients != "*"))
    };
    let short = |host: &&Host| {
        grants(host).is_some_and(|grant| (export.usage == Usage::Write && !grant.may_write) || !grant.is_root)
    };
    let short: Vec<&Host> = hosts.iter().filter(short).collect();
    let (do_there, access) = if export.usage == Usage::Read { ("read", "ro") } else { ("write", "rw") };
    (!short.is_empty()).then(|| {
        Finding::bad(
            Check::Export,
            format!(
                "{what} is exported so that {} cannot {do_there} there as root",
                names(short.into_iter())
            ),
            format!("give its line in /etc/exports '{access},no_root_squash', then run 'exportfs -ra'"),
        )
    })
}
