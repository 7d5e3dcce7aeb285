//! A boot server in a temporary folder, with dhcpd itself as the checker.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ghost_contract::HostName;
use ghostctl::dhcp::Swap;
use ghostctl::dhcp::offer::{Offers, Reverted};
use ghostctl::site::Site;
use ghostctl::sys::atomic::Real;

/// What `DHCPD` names is a script `service` in its folder, for tests to write.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    pub(crate) site: Site,
}

impl Server {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        for (name, text) in files {
            // FOLDER is where they are.
            fs::write(folder.path().join(name), text.replace("FOLDER", &path.to_string())).unwrap();
        }
        let ghostrc = format!(
            "PXEADDR=192.168.7.1\nPXEBASE={path}\nGHSTBASE={path}\nGHSTNFS=192.168.7.1:{path}\nDHCPD={path}/service\n\
             DHCPDCONF={path}/dhcpd.conf\nDHCPDCHECK='/usr/sbin/dhcpd -t -cf FILE'\nSTATEDIR={path}/state\nRESTART_DISTANCE=0\nFIRMWARE_pc3=uefi\n"
        );
        fs::write(folder.path().join("ghostrc"), ghostrc).unwrap();
        let site = Site::open(&folder.path().join("ghostrc"), Duration::from_secs(5)).unwrap();
        Self { folder, site }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Swaps john; what is needed to put him back, or the error and its causes.
    pub(crate) fn swap(&self) -> Result<(HostName, Swap), String> {
        self.try_to_swap().map_err(|error| format!("{error:#}"))
    }

    pub(crate) fn try_to_swap(&self) -> anyhow::Result<(HostName, Swap)> {
        let mut intended = None;
        let mut intend = |host: &HostName, swap: &Swap| {
            intended = Some((host.clone(), swap.clone()));
            Ok(())
        };
        let (mut waiting, mut effects) = (|_: &str| (), Real);
        let mut offers = Offers::new(&self.site, "a test".to_owned(), &mut waiting, &mut effects);
        offers
            .swap(&["john".parse().unwrap()], &mut intend)?
            .each
            .into_iter()
            .collect::<anyhow::Result<()>>()?;
        Ok(intended.unwrap())
    }

    pub(crate) fn revert(&self, swapped: (HostName, Swap)) -> Reverted {
        let (mut waiting, mut effects) = (|_: &str| (), Real);
        let mut offers = Offers::new(&self.site, "a test".to_owned(), &mut waiting, &mut effects);
        offers.revert(&[swapped]).unwrap().each.remove(0).unwrap()
    }

    /// What is in the folder besides the state and the lock.
    pub(crate) fn names(&self) -> Vec<String> {
        let listed = fs::read_dir(self.folder.path()).unwrap();
        let names = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names
            .filter(|name| {
                !["state", "ghostrc", "service", "dhcpd.conf.ghostctl-lock"].contains(&name.as_str())
            })
            .collect();
        names.sort();
        names
    }
}
