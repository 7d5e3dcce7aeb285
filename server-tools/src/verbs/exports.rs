//! `ghostctl exports`: prints what an NFS server is to export, for the settings and the hosts that there are.

use std::net::Ipv4Addr;

use ghost_contract::{HostName, NfsVersion};

use crate::catalog::Catalog;
use crate::exit::{Exit, WithExit};
use crate::exports::{self, Served, Wanted};
use crate::ghostrc::NfsServer;
use crate::output::{Form, Output};
use crate::site::Site;

pub(super) fn run(site: &Site, server: Option<NfsServer>, output: &mut Output) -> anyhow::Result<Exit> {
    let server = server.or(site.ghostrc.nfs_server).unwrap_or_default();
    let hosts = hosts(site).exit_by_default(Exit::Configuration)?;
    if site.ghostrc.exports.keeps_apart() {
        let catalog = Catalog::of(&site.ghostrc);
        for (host, ip) in &hosts {
            site.tree(*ip).make_home()?;
            catalog.make_host_folders(host)?;
        }
    }
    let (mut here, mut elsewhere) =
        (exports::of_boot_server(&site.ghostrc, &hosts), exports::of_store(&site.ghostrc, &hosts));
    if site.ghostrc.store_is_here() {
        here.append(&mut elsewhere);
    }
    if output.form() == Form::Json {
        here.iter().chain(&elsewhere).for_each(|one| output.json(one));
        return Ok(Exit::Done);
    }
    let boot_server = site.ghostrc.boot_server;
    let served = Served::by(&site.ghostrc);
    say(&here, &format!("boot server, {boot_server}"), (server, served), output)?;
    say(&elsewhere, &format!("image store, {}", site.ghostrc.store_export.server), (server, served), output)?;
    Ok(Exit::Done)
}

/// All hosts that can have jobs.
fn hosts(site: &Site) -> anyhow::Result<Vec<(HostName, Ipv4Addr)>> {
    let configuration = site.hosts()?;
    let names = configuration.clients().into_iter().map(|(name, _)| name);
    let able = names.filter_map(|name| site.host(configuration.as_ref(), &name).ok());
    Ok(able.map(|host| (host.name, host.ip)).collect())
}

fn say(
    wanted: &[Wanted],
    place: &str,
    (server, served): (NfsServer, Served),
    output: &mut Output,
) -> anyhow::Result<()> {
    let (file, text) = match server {
        NfsServer::Nfsd => ("/etc/exports; then run 'exportfs -ra'", exports::for_nfsd(wanted)),
        NfsServer::Ganesha => {
            ("ganesha.conf; then restart nfs-ganesha", exports::for_ganesha(wanted, served)?)
        }
    };
    if !wanted.is_empty() {
        output.line(&format!("# For the {place}: {file}"));
        if (server, served.version) == (NfsServer::Ganesha, NfsVersion::V4_1) {
            output.line("# It needs once, for version 4.1: NFSv4 { Only_Numeric_Owners = true; }");
        }
        text.lines().for_each(|line| output.line(line));
    }
    Ok(())
}
