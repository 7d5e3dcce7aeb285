//! Whether what another machine exports as GHSTNFS is mounted at GHSTBASE.
//!
//! Only what is sure is bad: a disk of this machine is not another machine's folder. One server may have several addresses and one
//! folder several paths, and other file systems of networks do not say which folder of which machine they show.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::facts::{LiesOn, Tried, words};
use super::{Check, Finding};
use crate::ghostrc::{Export, Ghostrc};
use crate::sys::mount::{self, Mounted};
use crate::sys::resolve;

/// File systems that no other machine has a part in.
const OF_THIS_MACHINE: [&str; 17] = [
    "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "jfs", "ntfs3", "overlay",
    "ramfs", "reiserfs", "tmpfs", "vfat", "xfs", "zfs",
];

/// Looks what GHSTBASE lies on. `server` is the address of that of GHSTNFS.
pub(crate) fn look(ghostrc: &Ghostrc, server: Option<IpAddr>) -> LiesOn {
    let folder = real(&ghostrc.store_folder);
    let found: Tried<Option<Mounted>> = words(mount::below(&folder));
    match found {
        Ok(Some(mounted)) => {
            let address_of = |name: &str| resolve::address_of(name, super::exports::DEADLINE).ok();
            of(&mounted, &folder, (&ghostrc.store_export, server), &address_of)
        }
        Ok(None) => LiesOn::Unknown("the list of mounts does not have what it lies on".to_owned()),
        Err(reason) => LiesOn::Unknown(reason),
    }
}

/// The folder without links, as far as it is there.
fn real(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find_map(|above| Some((above, fs::canonicalize(above).ok()?)));
    let Some((above, real)) = there else { return folder.to_owned() };
    match folder.strip_prefix(above) {
        Ok(rest) if rest.as_os_str().is_empty() => real,
        Ok(rest) => real.join(rest),
        Err(_) => real,
    }
}

/// Pure but for what `address_of` asks.
fn of(
    mounted: &Mounted,
    folder: &Path,
    (export, server): (&Export, Option<IpAddr>),
    address_of: &dyn Fn(&str) -> Option<IpAddr>,
) -> LiesOn {
    let Mounted { root, point, kind, source, options } = mounted;
    match kind.as_str() {
        "nfs" | "nfs4" => {}
        // A folder that is mounted once more may be one that another machine, of which this is a container, exports.
        kind if OF_THIS_MACHINE.contains(&kind) && (root == Path::new("/") || kind == "btrfs") => {
            return LiesOn::OwnDisk(format!("{kind}, mounted at {}", point.display()));
        }
        kind => return LiesOn::Unknown(format!("{source} is mounted there with {kind}")),
    }
    let Some((named, path)) = source.split_once(":/") else {
        return LiesOn::Unknown(format!("{source} is mounted there"));
    };
    let named = named.trim_matches(['[', ']']);
    let told = options.split(',').find_map(|option| option.strip_prefix("addr=")?.parse().ok());
    let is_same_server = named == export.server
        || server.is_some_and(|server| told == Some(server) || address_of(named) == Some(server));
    if !is_same_server {
        return LiesOn::Unknown(format!(
            "{source} is mounted there, and whether that server is {} cannot be seen from here",
            export.server
        ));
    }
    let below = [root.strip_prefix("/").ok(), folder.strip_prefix(point).ok()];
    let shown = below.into_iter().flatten().fold(Path::new("/").join(path), |all, below| all.join(below));
    // Paths are compared by their parts: `join` puts a slash behind what nothing follows.
    if shown.components().eq(export.path.components()) {
        LiesOn::Export
    } else {
        LiesOn::OtherFolder(format!("{named}:{}", shown.display()))
    }
}

/// What to think of that. Pure.
pub(super) fn judge(folder: &Path, export: &str, lies_on: &LiesOn) -> Finding {
    let (check, shown) = (Check::SamePlace, folder.display());
    let mend = format!("mount it: 'mount {export} {shown}', and write that into /etc/fstab");
    match lies_on {
        LiesOn::Export => Finding::good(
            check,
            format!("{shown} lies on {export}, which GHSTNFS names; each job proves it before it begins"),
        ),
        LiesOn::OwnDisk(disk) => Finding::bad(
            check,
            format!(
                "another machine exports GHSTNFS ({export}), and {shown} is on a disk of this one ({disk})"
            ),
            mend,
        ),
        // The server may know one folder by two names: by a link, or since paths of NFS 4 begin where it says.
        LiesOn::OtherFolder(mounted) => Finding::warning(
            check,
            format!("GHSTNFS is {export}, and {shown} is {mounted}"),
            "if they are not the same folder, correct one of them; each job proves it before it begins",
        ),
        LiesOn::Unknown(reason) => Finding::warning(
            check,
            format!(
                "whether {shown} is what another machine exports as GHSTNFS ({export}) cannot be told: {reason}"
            ),
            format!("if it is not, {mend}; each job proves it before it begins"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    const NAS: &str = "10.0.0.9";

    /// What is found where this is mounted at /mnt/images.
    fn found(line: &str, folder: &str, export: &str) -> LiesOn {
        let mounts = format!("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n{}\n", line);
        let mounted = mount::deepest(mounts.as_bytes(), Path::new(folder)).unwrap();
        let (server, path) = export.split_once(':').unwrap();
        let export = Export { server: server.to_owned(), path: path.into() };
        let address_of = |name: &str| match name {
            "nas" | "nas.lab" => NAS.parse().ok(),
            name => name.parse().ok(),
        };
        of(&mounted, Path::new(folder), (&export, address_of(server)), &address_of)
    }

    fn nfs(kind: &str, source: &str) -> String {
        format!("90 22 0:50 / /mnt/images rw shared:9 - {kind} {source} rw,vers=3,addr={NAS},local_lock=none")
    }

    #[test]
    fn the_export_is_known_by_name_address_and_folder() {
        for (source, folder, export) in [
            ("nas:/images", "/mnt/images", "nas:/images"),
            ("nas:/images", "/mnt/images", "10.0.0.9:/images"),
            ("10.0.0.9:/images", "/mnt/images", "nas.lab:/images"),
            ("other-name:/images", "/mnt/images", "nas:/images"),
            ("nas:/images", "/mnt/images/lab1", "nas:/images/lab1"),
            ("nas:/", "/mnt/images", "nas:/"),
        ] {
            for kind in ["nfs", "nfs4"] {
                assert_eq!(
                    found(&nfs(kind, source), folder, export),
                    LiesOn::Export,
                    "{source} {folder} {export}"
                );
            }
        }
        let bound = format!("91 22 0:50 /lab1 /mnt/images rw - nfs nas:/images rw,addr={NAS}");
        assert_eq!(found(&bound, "/mnt/images", "nas:/images/lab1"), LiesOn::Export);
    }

    #[test]
    fn only_what_is_sure_is_bad() {
        let judged = |line: &str, export: &str| {
            let finding = judge(Path::new("/mnt/images"), export, &found(line, "/mnt/images", export));
            assert_eq!(finding.mend.is_some(), finding.state != State::Good, "{finding}");
            (finding.state, finding.to_string())
        };
        let (state, words) = judged("", "nas:/images");
        assert_eq!(state, State::Bad);
        assert!(words.contains("/mnt/images is on a disk of this one (ext4, mounted at /)"), "{words}");
        assert!(words.contains("'mount nas:/images /mnt/images'"), "{words}");
        for (line, state) in [
            (nfs("nfs", "nas:/images"), State::Good),
            (nfs("nfs", "nas:/others"), State::Warning),
            (nfs("nfs4", "nas:/others"), State::Warning),
            // Another address may be the same machine's.
            (nfs("nfs", "elsewhere:/images").replace(NAS, "10.1.0.9"), State::Warning),
            ("90 22 0:50 / /mnt/images rw - cifs //nas/images rw".to_owned(), State::Warning),
            ("90 22 0:50 / /mnt/images rw - fuse.sshfs nas:/images rw".to_owned(), State::Warning),
            ("90 22 0:50 / /mnt/images rw - autofs auto.nas rw".to_owned(), State::Warning),
            ("90 22 8:1 /srv/images /mnt/images rw - ext4 /dev/sda1 rw".to_owned(), State::Warning),
            ("90 22 8:2 / /mnt/images rw - xfs /dev/sdb1 rw".to_owned(), State::Bad),
            ("90 22 0:44 /@images /mnt/images rw - btrfs /dev/sdb1 rw".to_owned(), State::Bad),
        ] {
            assert_eq!(judged(&line, "nas:/images").0, state, "{line}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_looked_for_above() {
        let here = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(here.path(), here.path().join("link")).unwrap();
        let above = fs::canonicalize(here.path()).unwrap();
        assert_eq!(real(&here.path().join("link/images/new")), above.join("images/new"));
        assert_eq!(real(&here.path().join("link")), above);
    }
}
