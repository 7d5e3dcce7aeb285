//! New hosts in the configurations of all DHCP servers, and none of them afterwards.

use std::io;
use std::path::{Path, PathBuf};

use crate::dhcp::adding::{Additions, Draft, taken_out};
use crate::dhcp::{Change, Configuration, dnsmasq, isc, kea, proxy};

/// What each server's configuration is before: a network that every address is in.
const ISC: &[u8] = b"subnet 0.0.0.0 netmask 0.0.0.0 { next-server 10.0.0.5; }\n";
const KEA: &[u8] =
    br#"{ "Dhcp4": { "subnet4": [ { "id": 1, "subnet": "0.0.0.0/0", "next-server": "10.0.0.5" } ] } }"#;
const DNSMASQ: &[u8] = b"dhcp-range=0.0.0.0,static,0.0.0.0\n";
const PROXY: &[u8] = b"port=0\ndhcp-range=0.0.0.0,proxy,0.0.0.0\ndhcp-ignore=tag:!pxelinux.0\n\
    pxe-service=tag:pxelinux.0,x86PC,\"Ghost4Linux\",pxelinux.0,10.0.0.5\n";
const FILE: &str = "/dhcp.conf";

/// Panics unless the hosts, where they can be added, are there as they were asked for, and every byte is as before without them.
pub(super) fn come_and_go(asked: &Additions) {
    let file = Path::new(FILE);
    let mut nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let table = |bytes: &[u8], nothing: &mut dyn FnMut(&Path) -> io::Result<Vec<u8>>| {
        isc::HostTable::read(file, bytes.to_vec(), nothing).unwrap_or_else(|error| panic!("{error}"))
    };
    if let Ok(draft) = isc::adding::hosts(&table(ISC, &mut nothing), asked) {
        let after = contents(file, &draft.changes, ISC).unwrap_or_default();
        judge(asked, ISC, &draft, &table(&after, &mut nothing));
    }
    if let Ok((draft, after)) = kea::adding::added(Draft::default(), asked, &with_kea) {
        judge(asked, KEA, &draft, &after);
    }
    let options = Path::new("/options");
    if let Ok((draft, after)) = dnsmasq::adding::added(Draft::default(), asked, options, &with_dnsmasq) {
        judge(asked, DNSMASQ, &draft, &after);
    }
    if let Ok((draft, after)) = proxy::adding::added(file, Some(PROXY), asked, &proxy::Around::default()) {
        judge(asked, PROXY, &draft, &after);
    }
}

fn judge(asked: &Additions, before: &[u8], draft: &Draft, after: &dyn Configuration) {
    for host in &asked.hosts {
        let there = after.host(&host.name).unwrap_or_else(|fault| panic!("{}: {fault}", host.name));
        assert_eq!((there.mac, there.ip), (host.mac, host.ip));
    }
    for Change { file, read, contents } in &draft.changes {
        let of_file: Vec<_> = draft.written.iter().filter(|written| written.file == *file).collect();
        let (out, left) = taken_out(contents, &of_file);
        assert!(out == *read && left.is_empty(), "{left:?}");
        assert!(file != Path::new(FILE) || read == before);
    }
}

fn with_kea(changes: &[Change]) -> anyhow::Result<kea::HostTable> {
    let mut content = |path: &Path| contents(path, changes, KEA);
    Ok(kea::HostTable::read(Path::new(FILE), content(Path::new(FILE))?, &mut content)?)
}

fn with_dnsmasq(changes: &[Change]) -> anyhow::Result<dnsmasq::HostTable> {
    let mut content = |path: &Path| contents(path, changes, DNSMASQ);
    let main = content(Path::new(FILE))?;
    let mut folder = |folder: &Path| {
        let files = changes.iter().map(|change| change.file.clone());
        let files: Vec<PathBuf> = files.filter(|file| file.parent() == Some(folder)).collect();
        if files.is_empty() { Err(io::ErrorKind::NotADirectory.into()) } else { Ok(files) }
    };
    let mut content = dnsmasq::Content { file: &mut content, folder: &mut folder };
    let around = dnsmasq::Around::default();
    Ok(dnsmasq::HostTable::read(Path::new(FILE), main, &around, &mut content)?)
}

/// What a file holds with these changes.
fn contents(path: &Path, changes: &[Change], main: &[u8]) -> io::Result<Vec<u8>> {
    match changes.iter().find(|change| change.file == path) {
        Some(change) => Ok(change.contents.clone()),
        None if path == Path::new(FILE) => Ok(main.to_vec()),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}
