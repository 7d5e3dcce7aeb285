//! The NFS server of this machine: which one runs, and what Linux' own was told to export.

use std::fs;
use std::path::Path;

use ghost_contract::NfsVersion;

use crate::doctor::exports::grants;
use crate::doctor::facts::{Exported, Grant};
use crate::ghostrc::{Ghostrc, NfsServer};
use crate::sys::{process, program};

/// What the kernel's NFS server is told to export (exportfs(8)).
pub(crate) const TABLE: &str = "/var/lib/nfs/etab";
/// How many threads the kernel's server has, once its file system is mounted (nfsd(7)).
const NFSD_THREADS: &str = "/proc/fs/nfsd/threads";
const GANESHA: &str = "ganesha.nfsd";

/// The NFS server that is told where the settings name none: the one that runs, or the one whose programs are here.
pub(crate) fn nfs_server_here() -> NfsServer {
    likeliest(runs(NfsServer::Nfsd), runs(NfsServer::Ganesha), &|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        program::find("exportfs", &path).is_ok()
    })
}

/// Linux' own where both run, or neither and both are here. Pure.
fn likeliest(nfsd_runs: bool, ganesha_runs: bool, has_exportfs: &dyn Fn() -> bool) -> NfsServer {
    match (nfsd_runs, ganesha_runs) {
        (true, _) => NfsServer::Nfsd,
        (false, true) => NfsServer::Ganesha,
        (false, false) if has_exportfs() => NfsServer::Nfsd,
        (false, false) => NfsServer::Ganesha,
    }
}

/// Whether such a server runs in the network that this process is in, as far as the kernel tells.
pub(crate) fn runs(server: NfsServer) -> bool {
    match server {
        NfsServer::Nfsd => {
            let threads = fs::read_to_string(NFSD_THREADS).unwrap_or_default();
            threads.trim().parse::<u32>().is_ok_and(|threads| threads > 0)
        }
        NfsServer::Ganesha => process::named(GANESHA).is_ok_and(|all| !all.is_empty()),
    }
}

/// What Linux' own NFS server was told to export, if it runs here for clients of version 4.1: without version 3 its mountd answers nobody.
pub(crate) fn told(ghostrc: &Ghostrc) -> Option<Vec<Exported>> {
    (ghostrc.nfs_version == NfsVersion::V4_1 && runs(NfsServer::Nfsd)).then(table)?
}

/// What Linux' own NFS server was told to export.
pub(super) fn table() -> Option<Vec<Exported>> {
    let table = fs::read_to_string(Path::new(TABLE)).ok()?;
    let one = |grant: Grant| Exported { path: grant.path, clients: vec![grant.clients] };
    Some(grants(&table).into_iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_that_runs_is_told_and_the_kernels_where_that_says_nothing() {
        use NfsServer::{Ganesha, Nfsd};
        for (nfsd, ganesha, has_exportfs, told) in [
            (false, false, true, Nfsd),
            (false, false, false, Ganesha),
            (false, true, true, Ganesha),
            (true, false, false, Nfsd),
            (true, true, true, Nfsd),
        ] {
            assert_eq!(likeliest(nfsd, ganesha, &|| has_exportfs), told, "{nfsd} {ganesha} {has_exportfs}");
        }
    }
}
