//! Where the root file system is, as `nfsroot` on the kernel command line says it.
//!
//! Mounts nothing. The syntax is the kernel's (Documentation/admin-guide/nfs/nfsroot.rst), but the server must be named:
//! which one the boot files came from is not asked.

use std::net::Ipv4Addr;
use std::path::Path;

use crate::fstab::{self, Mount};

/// `SERVER:/PATH[,OPTION…]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NfsRoot {
    pub server: Ipv4Addr,
    path: String,
    options: String,
}

impl NfsRoot {
    /// None if it names no server by its address and no path.
    pub(crate) fn parse(nfsroot: &str) -> Option<Self> {
        let (place, options) = nfsroot.split_once(',').unwrap_or((nfsroot, ""));
        let (server, path) = place.split_once(':')?;
        let server = server.parse().ok().filter(|_| path.starts_with('/'))?;
        Some(Self { server, path: path.to_owned(), options: options.to_owned() })
    }

    /// Whether it is mounted with version 4, in which servers know clients by a name of their own.
    pub(crate) fn is_version_4(&self) -> bool {
        self.options.split(',').any(fstab::is_version_4)
    }

    /// The same with the options of another, unless it has its own.
    pub(crate) fn mounted_as(&self, other: &Self) -> Self {
        let options = if self.options.is_empty() { &other.options } else { &self.options };
        Self { options: options.clone(), ..self.clone() }
    }

    /// A folder in it, with the same options and these.
    pub(crate) fn below(&self, name: &str, options: &str) -> Self {
        let joined = [options, &self.options].into_iter().filter(|one| !one.is_empty()).collect::<Vec<_>>();
        Self {
            server: self.server,
            path: format!("{}/{name}", self.path.trim_end_matches('/')),
            options: joined.join(","),
        }
    }

    /// The mount that makes it the root, once it has moved there.
    pub(crate) fn mount(&self, onto: &Path) -> anyhow::Result<Mount> {
        fstab::nfs(&format!("{}:{}", self.server, self.path), onto.to_owned(), &self.options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_is_what_mount_2_takes() {
        let root = NfsRoot::parse("192.168.7.1:/srv/root,vers=3,tcp,nolock").unwrap();
        let mount = root.mount(Path::new("/root")).unwrap();
        assert_eq!((mount.source.as_str(), mount.kind.as_str()), ("192.168.7.1:/srv/root", "nfs"));
        assert_eq!(mount.options, "vers=3,tcp,nolock,addr=192.168.7.1");
    }

    #[test]
    fn with_version_4_no_option_is_about_locks() {
        let root = NfsRoot::parse("192.168.7.1:/srv/root,vers=4.1,tcp").unwrap();
        assert_eq!(root.mount(Path::new("/root")).unwrap().options, "vers=4.1,tcp,addr=192.168.7.1");
        assert!(root.is_version_4() && root.below("192.168.7.2", "nosuid").is_version_4());
        for usual in ["vers=3,tcp", "nfsvers=3", "rsize=4096", ""] {
            assert!(
                !NfsRoot::parse(&format!("192.168.7.1:/srv/root,{usual}")).unwrap().is_version_4(),
                "{usual}"
            );
        }
    }

    #[test]
    fn a_folder_in_it_has_its_options_and_more() {
        let trees = NfsRoot::parse("192.168.7.1:/srv/root.trees/,vers=3").unwrap();
        let mount = trees.below("192.168.7.2", "nosuid").mount(Path::new("/run/ghost-tree")).unwrap();
        assert_eq!(mount.source, "192.168.7.1:/srv/root.trees/192.168.7.2");
        assert_eq!(
            (&mount.flags[..], mount.options.as_str()),
            (&[fstab::MountFlag::NoSuid][..], "vers=3,nolock,proto=tcp,addr=192.168.7.1")
        );
    }

    #[test]
    fn a_root_without_a_numeric_server_or_a_path_is_none() {
        for unusable in ["/srv/root", "server:/srv/root", "auto", "192.168.7.1:", "192.168.7.1:root", ""] {
            assert_eq!(NfsRoot::parse(unusable), None, "{unusable}");
        }
    }
}
