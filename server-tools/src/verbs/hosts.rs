//! `ghostctl hosts`: lists the hosts, what DHCP offers each, and its last good backup.

use std::net::Ipv4Addr;

use crate::dhcp;
use ghost_contract::{Generation, HostName, MacAddress};
use serde::Serialize;

use crate::catalog::Catalog;
use crate::catalog::disks::DiskSummary;
use crate::catalog::listing::Listed;
use crate::exit::{Exit, WithExit};
use crate::job::bytes::bytes;
use crate::output::{Form, Output};
use crate::site::Site;

/// One line of the list.
#[derive(Debug, Serialize)]
struct Row {
    host: String,
    mac: Option<MacAddress>,
    ip: Option<Ipv4Addr>,
    offered: Option<String>,
    last_good_backup: Option<Generation>,
    /// What that takes in the store, bytes.
    backup_bytes: Option<u64>,
    /// The disks that it has images of, in words. Empty for an image that only Ghost can read.
    backup_disks: Vec<String>,
    /// What stands in the way of a job.
    problem: Option<String>,
}

pub(super) fn run(site: &Site, output: &mut Output) -> anyhow::Result<Exit> {
    let hosts = site.hosts().exit_by_default(Exit::Configuration)?;
    let catalog = Catalog::of(&site.ghostrc);
    let rows: Vec<Row> = hosts.list().into_iter().map(|host| row(&catalog, host)).collect();
    if output.form() == Form::Json {
        rows.iter().for_each(|row| output.json(row));
        return Ok(Exit::Done);
    }
    let cells: Vec<[String; 7]> = rows.iter().map(cells).collect();
    let heading = ["HOST", "MAC", "IP", "OFFERED", "LAST GOOD BACKUP", "SIZE", "DISKS"].map(str::to_owned);
    output.table(&heading, &cells);
    for row in rows.iter().filter(|row| row.problem.is_some()) {
        output.line(&format!("{}: {}", row.host, row.problem.as_deref().unwrap_or_default()));
    }
    Ok(Exit::Done)
}

fn row(catalog: &Catalog, host: dhcp::Listed) -> Row {
    let name: Option<HostName> = host.name.parse().ok();
    // `doctor` reports a store that cannot be read.
    let backups = name.and_then(|name| catalog.list_host(&name).ok()).unwrap_or_default();
    let last = backups.into_iter().rfind(Listed::is_good_and_whole);
    let manifest = last.as_ref().and_then(|last| last.manifest.as_ref().ok());
    Row {
        host: host.name,
        mac: host.mac,
        ip: host.ip,
        offered: host.offered.map(|file| String::from_utf8_lossy(&file).into_owned()),
        backup_bytes: manifest.map(|manifest| manifest.bytes),
        backup_disks: manifest
            .map(|manifest| manifest.disks.iter().map(in_words).collect())
            .unwrap_or_default(),
        last_good_backup: last.as_ref().map(|last| last.generation.clone()),
        problem: host.problem,
    }
}

/// `512.0 GiB: ntfs 80.3 GiB, ext4`: how large it is, and what its file systems use where that is known.
fn in_words(disk: &DiskSummary) -> String {
    let partitions = disk.table.partitions.iter().filter_map(|partition| {
        let kind = partition.file_system.as_deref()?;
        let used = disk.used(partition.number);
        Some(used.map_or_else(|| kind.to_owned(), |used| format!("{kind} {}", bytes(used))))
    });
    let partitions: Vec<String> = partitions.collect();
    let size = bytes(disk.disk.size);
    if partitions.is_empty() { size } else { format!("{size}: {}", partitions.join(", ")) }
}

fn cells(row: &Row) -> [String; 7] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        row.host.clone(),
        or_dash(row.mac.map(|mac| mac.to_string())),
        or_dash(row.ip.map(|ip| ip.to_string())),
        or_dash(row.offered.clone()),
        or_dash(row.last_good_backup.as_ref().map(ToString::to_string)),
        or_dash(row.backup_bytes.map(bytes)),
        or_dash((!row.backup_disks.is_empty()).then(|| row.backup_disks.join("; "))),
    ]
}
