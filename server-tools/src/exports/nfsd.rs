//! Linux' own NFS server: exportfs(8) tells it at once, and a file of each client's tells it after a reboot.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use super::{Access, Wanted, for_nfsd};
use crate::sys::folder::Folder;
use crate::sys::{private, service};

/// What a client may do, as exports(5) writes it.
///
/// With `subtree_check` the server looks whether a file lies in the exported folder each time that a client comes with a file handle. Without
/// it, a client can make a handle of any other file on the same file system, and read it or write to it. exports(5) warns of files that
/// are moved to another folder while they are open. Neither clients nor ghostctl do that: files are renamed in their folder, and what is moved is
/// a folder with its files, whose handles stay good.
pub(super) fn options(access: Access) -> &'static str {
    match access {
        Access::Read => "ro,sync,no_root_squash,subtree_check",
        Access::Write => "rw,sync,no_root_squash,subtree_check",
    }
}

/// The name of the file. The server reads no other ending, and nothing that begins with a dot.
fn file(ip: Ipv4Addr) -> String {
    format!("ghost4linux-{ip}.exports")
}

/// Has the server go on exporting this after a reboot.
pub(super) fn keep(folder: &Path, ip: Ipv4Addr, wanted: &[Wanted]) -> anyhow::Result<()> {
    let lines = format!("# For the time of a job; ghostctl removes it.\n{}", for_nfsd(wanted));
    let written = private::make(folder).and_then(|()| Folder::open(folder)).and_then(|opened| {
        opened.replace(&file(ip), lines.as_bytes())?;
        opened.sync()
    });
    written.with_context(|| format!("cannot write {}", folder.join(file(ip)).display()))
}

/// Has it export nothing of it after a reboot.
pub(super) fn forget(folder: &Path, ip: Ipv4Addr) -> anyhow::Result<()> {
    let removed = Folder::open(folder).and_then(|opened| {
        opened.remove_left_beside(&file(ip))?;
        opened.remove_file(file(ip))?;
        opened.sync()
    });
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("cannot remove {}", folder.join(file(ip)).display())),
    }
}

pub(super) fn add(ip: Ipv4Addr, one: &Wanted, deadline: Duration) -> anyhow::Result<()> {
    exportfs(&["-o", options(one.access)], ip, &one.path, deadline)
}

pub(super) fn remove(ip: Ipv4Addr, path: &Path, deadline: Duration) -> anyhow::Result<()> {
    exportfs(&["-u"], ip, path, deadline)
}

fn exportfs(words: &[&str], ip: Ipv4Addr, path: &Path, deadline: Duration) -> anyhow::Result<()> {
    let path = path.to_str().with_context(|| format!("exportfs(8) cannot be told of {}", path.display()))?;
    let target = format!("{ip}:{path}");
    let words = ["exportfs"].iter().chain(words).copied().chain([target.as_str()]);
    service::run(&words.map(str::to_owned).collect::<Vec<_>>(), deadline)?;
    Ok(())
}
