//! Where things are: the names of files and folders that both sides must agree on.
//!
//! Pure joins of paths. A client sees its tree as `/etc` and `/var` and the image store as
//! [`STORE_MOUNT_POINT`]; the server sees the same under the base root and `GHSTBASE`.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::{Generation, HostName, JobId, Nonce};

/// Where a client mounts the image store (HOWTO, fstab of the client).
pub const STORE_MOUNT_POINT: &str = "/backup";
/// The order, below a client's `/etc`.
pub const ORDER: &str = "ghost/order.json";
/// The key of encrypted partitions that an order may come with, below a client's `/etc`. For root only, and only as long as
/// the order is.
pub const LUKS_KEY: &str = "ghost/luks.key";
/// Made by the server when the job shall stop, below a client's `/etc`.
pub const STOP: &str = "ghost/stop";
/// Made anew by the server with a word that it has not used before when a person wants to see the screen now, below a
/// client's `/etc`. The client answers with a screenshot.
pub const SCREEN_REQUEST: &str = "ghost/screen-request";
/// The host table from which a client learns its name, below its `/etc` ([`crate::ethers`]).
pub const HOST_TABLE: &str = "ethers";
/// The report, below a client's `/var`.
pub const REPORT: &str = "ghost/report.jsonl";
/// The folder in which an order is claimed, below a client's `/var`.
pub const CLAIMS: &str = "ghost/claims";
/// The administrator's template floppy (HOWTO), below the base root.
pub const TEMPLATE_FLOPPY: &str = "root/.dosemu/ghost.img";
/// What the name of the folder with the clients' own folders ends with, which lies beside the base root where each client has
/// exports of its own ([`trees`]).
pub const TREES: &str = ".trees";
/// Where a client mounts its own folder of [`trees`], if it has one. In memory: the root is read-only.
pub const OWN_FOLDER: &str = "/run/ghost-tree";
/// The folder below the image store in which each client has a folder to write to, where it has exports of its own. Finished
/// generations are not in it.
pub const CLIENTS: &str = ".clients";
/// Where a client mounts the generation that it reads, if that is exported by itself.
pub const GENERATION_MOUNT_POINT: &str = "/backup/.generation";
/// The folder of nonces, below the image store or what of it a client can mount.
pub const NONCES: &str = ".ghost4linux";
/// What the server writes once a generation is complete, below its folder.
pub const MANIFEST: &str = "manifest.json";
/// The description of a disk's image, in its folder ([`disk`]).
pub const DISK_IMAGE: &str = "disk.json";
/// The partition table for people, in the folder of a disk's image.
pub const TABLE_DUMP: &str = "table.sfdisk";
/// The checksums of all files of a disk's image, for `sha256sum --check`, in its folder.
pub const CHECKSUMS: &str = "SHA256SUMS";
/// Screenshots, below a generation's folder: `NAME.png`, and `NAME.txt` and `NAME.ansi` (the same in colour) where there is
/// text. Written by the client only.
pub const SCREENS: &str = "screens";
/// Screenshots of a job that writes no generation, below a client's `/var`.
pub const OWN_SCREENS: &str = "ghost/screens";
/// The newest screenshot, below the folder of screenshots.
pub const LATEST_SCREEN: &str = "latest.png";
/// All screenshots and what happened between them, below the folder of screenshots.
pub const SCREENS_PAGE: &str = "index.html";
/// How the name of a screenshot ends that answers [`SCREEN_REQUEST`].
pub const ASKED_SCREEN: &str = "asked";

/// The name of a client's own `/etc` below the base root: `192.168.7.2etc`.
pub fn tree_etc(ip: Ipv4Addr) -> String {
    format!("{ip}etc")
}

/// The name of a client's own `/var` below the base root: `192.168.7.2var`.
pub fn tree_var(ip: Ipv4Addr) -> String {
    format!("{ip}var")
}

/// The folder beside the base root in which each client has a folder of its own, exported to it alone, for its tree.
pub fn trees(base_root: &Path) -> PathBuf {
    let mut path = base_root.as_os_str().to_owned();
    path.push(TREES);
    path.into()
}

/// A client's own folder in [`trees`]. It stays, while the tree in it is made anew for every job: NFS servers hold on to the
/// very folder that they export.
pub fn own_folder(trees: &Path, ip: Ipv4Addr) -> PathBuf {
    trees.join(ip.to_string())
}

/// The claim of a job's order, below a client's `/var`. Only the client that creates it obeys the order.
pub fn claim(job: &JobId) -> PathBuf {
    Path::new(CLAIMS).join(job.as_str())
}

/// The nonce's file, below what a client mounts of the image store.
pub fn nonce(nonce: &Nonce) -> PathBuf {
    Path::new(NONCES).join(nonce.as_str())
}

/// Where a job writes, below the image store, until the server has checked it.
pub fn staging(host: &HostName, job: &JobId) -> PathBuf {
    Path::new(host.as_str()).join(format!(".incoming-{job}"))
}

/// A finished generation's folder, below the image store.
pub fn generation(host: &HostName, generation: &Generation) -> PathBuf {
    Path::new(host.as_str()).join(generation.as_str())
}

/// The folder of a disk's image, below a generation's folder: `disk0`.
pub fn disk(index: u32) -> String {
    format!("disk{index}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_howto() {
        let ip = Ipv4Addr::new(192, 168, 7, 2);
        assert_eq!((tree_etc(ip), tree_var(ip)), ("192.168.7.2etc".to_owned(), "192.168.7.2var".to_owned()));
    }

    #[test]
    fn a_clients_own_folder_lies_beside_the_base_root_and_not_in_it() {
        let trees = trees(Path::new("/tftpboot/root"));
        assert_eq!(
            own_folder(&trees, Ipv4Addr::new(192, 168, 7, 2)),
            Path::new("/tftpboot/root.trees/192.168.7.2")
        );
        assert!(!trees.starts_with("/tftpboot/root"));
    }

    #[test]
    fn staging_is_never_taken_for_a_generation() {
        let host: HostName = "john".parse().unwrap();
        let job: JobId = "20260123-142501-4f3a".parse().unwrap();
        let staged = staging(&host, &job);
        let finished = generation(&host, &Generation::of_job(job));
        assert_eq!(staged, Path::new("john/.incoming-20260123-142501-4f3a"));
        assert_eq!(finished, Path::new("john/20260123-142501-4f3a"));
        assert!(staged.file_name().unwrap().to_str().unwrap().parse::<Generation>().is_err());
    }
}
