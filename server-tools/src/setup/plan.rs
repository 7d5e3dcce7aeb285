//! What there is to do, in which order. Pure.
//!
//! ```text
//! settings ─▶ folders ─▶ floppy ─▶ base root ─▶ interfaces ─▶ DHCP ─▶ clients' folders ─▶ exports ─▶ services
//! ```
//! Each needs what is before it: a DHCP server that is restarted for new hosts listens where they are. Services come last, so that each
//! begins with its whole configuration.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::anyhow;
use ghost_contract::HostName;

use super::exported::{self, Nfs, There};
use super::listening::{self, Listener, Listening};
use super::{DhcpStep, FileStep, Plan, Step};
use crate::dhcp::adding::Added;
use crate::dhcp::{Network, Running, Traits};
use crate::exit::{Exit, WithExit as _};
use crate::exports::always;
use crate::ghostrc::{Ghostrc, NfsServer};
use crate::state::made::Unit;

/// What was seen of the machine, with the settings as they will be.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The hosts that can have jobs once the DHCP configuration is as it will be.
    pub(crate) hosts: Vec<(HostName, Ipv4Addr)>,
    /// Those of them that want folders of their own and have none.
    pub(crate) without_folders: Vec<(HostName, Ipv4Addr)>,
    pub(crate) missing_folders: Vec<PathBuf>,
    /// Whether another machine exports the image store, and nothing is mounted in its place here.
    pub(crate) is_store_unmounted: bool,
    /// Why the base root has to be made.
    pub(crate) base_root: Result<(), String>,
    pub(crate) dhcp: &'static Traits,
    /// What is in Debian's file that says which interface the DHCP server listens on, and whether setup has written all of it.
    pub(crate) dhcp_defaults: Option<(Vec<u8>, bool)>,
    /// The networks of the DHCP configuration as it will be.
    pub(crate) networks: Vec<Network>,
    /// The networks of this machine's interfaces.
    pub(crate) networks_here: Vec<(String, Network)>,
    /// The interface of the boot network.
    pub(crate) interface: Option<Listener>,
    pub(crate) nfs: Option<Nfs>,
    /// The one that jobs have export, whether its programs are here or not.
    pub(crate) wanted_nfs: Nfs,
    /// The other NFS server, which runs while that one does not.
    pub(crate) other_nfs: Option<Nfs>,
    pub(crate) exports: There,
    /// Commands that an earlier run has left undone.
    pub(crate) pending: Vec<Vec<String>>,
    /// Whether an earlier run has left changes that the DHCP server has not taken up.
    pub(crate) is_to_take_up: bool,
    /// The services of this machine that jobs need; none if systemd does not run.
    pub(crate) units: Option<BTreeMap<String, Unit>>,
    pub(crate) is_dhcp_installed: bool,
    pub(crate) running: Running,
    /// The other program that keeps the DHCP server from its port.
    pub(crate) has_port: Option<String>,
}

/// What belongs to the settings, and was decided with them.
#[derive(Debug, Clone, Default)]
pub(crate) struct First {
    pub(crate) settings: Option<FileStep>,
    pub(crate) floppy: Option<FileStep>,
}

/// What the whole set-up needs.
pub(crate) fn whole(
    ghostrc: &Ghostrc,
    first: First,
    seen: &Seen,
    added: &Added,
    is_new: bool,
) -> anyhow::Result<Plan> {
    require_store(ghostrc, seen)?;
    let mut plan = Plan::default();
    plan.steps.extend(first.settings.map(Step::File));
    plan.steps.extend(seen.missing_folders.iter().cloned().map(Step::Folder));
    let has_new_floppy = first.floppy.is_some();
    plan.steps.extend(first.floppy.map(Step::File));
    if seen.base_root.is_err() || has_new_floppy {
        plan.steps.push(Step::BaseRoot);
    }
    plan.interfaces(ghostrc, seen, !added.changes.is_empty());
    plan.clients(ghostrc, seen, added, is_new)?;
    plan.services(seen);
    Ok(plan)
}

/// What new clients need on a server that is set up.
pub(crate) fn for_hosts(ghostrc: &Ghostrc, seen: &Seen, added: &Added) -> anyhow::Result<Plan> {
    require_store(ghostrc, seen)?;
    let mut plan = Plan::default();
    plan.clients(ghostrc, seen, added, false)?;
    // Whoever has no NFS server of this machine was told so when it was set up.
    Ok(plan)
}

impl Plan {
    /// Has the DHCP server listen on the interface of the boot network.
    fn interfaces(&mut self, ghostrc: &Ghostrc, seen: &Seen, is_taken_up_later: bool) {
        let Some(path) = seen.dhcp.defaults else { return };
        let Some(((before, is_ours), listener)) = seen.dhcp_defaults.as_ref().zip(seen.interface.as_ref())
        else {
            return;
        };
        match listening::of((before, *is_ours), &seen.networks, &seen.networks_here, &seen.running, listener) {
            Listening::AsItIs => {}
            Listening::Write(after) => {
                self.steps.push(Step::File(FileStep { path: path.into(), before: Some(before.clone()), after }));
                // It reads them when it starts.
                let needs_restart = seen.running == Running::Ours && !is_taken_up_later;
                let restart = ghostrc.dhcp_restart.as_ref().filter(|_| needs_restart);
                self.steps.extend(restart.map(|command| {
                    Step::Run([&[command.program().to_owned()], command.arguments()].concat())
                }));
            }
            Listening::Others(named) => self.remarks.push(format!(
                "{path}: {} listens on {named} and not on {}, so that it answers no client there; add that one to them, and restart {}",
                seen.dhcp.name, listener.name, seen.dhcp.unit
            )),
        }
    }

    fn clients(&mut self, ghostrc: &Ghostrc, seen: &Seen, added: &Added, is_new: bool) -> anyhow::Result<()> {
        self.remarks.extend(added.remarks.iter().cloned());
        if !added.changes.is_empty() {
            require_port(seen)?;
            let (changes, written) = (added.changes.clone(), added.written.clone());
            // One that does not run reads them when it starts.
            let restart = added.restart.clone().filter(|_| seen.running == Running::Ours);
            self.steps.push(Step::Dhcp(DhcpStep { changes, written, is_new, restart }));
        } else if seen.is_to_take_up {
            self.steps.push(Step::TakeUp);
        }
        if !seen.without_folders.is_empty() {
            self.steps.push(Step::ClientFolders(seen.without_folders.clone()));
        }
        if let Some(other) = seen.other_nfs {
            self.remarks.push(two_nfs_servers(seen.wanted_nfs, other));
        } else if (seen.nfs, ghostrc.nfs_server) == (None, Some(NfsServer::Ganesha)) {
            let words = "NFS-Ganesha is not here, which NFSSERVER in ghostrc names: apt-get install nfs-ganesha-vfs, then run this again";
            self.remarks.push(words.to_owned());
        } else {
            let has_base_root = seen.exports.has_base_root || self.steps.contains(&Step::BaseRoot);
            let there = There { has_base_root, pending: seen.pending.clone(), ..seen.exports.clone() };
            let (steps, remarks) = exported::steps(ghostrc, &seen.hosts, seen.nfs, &there)?;
            self.steps.extend(steps);
            self.remarks.extend(remarks);
        }
        for words in seen.pending.iter().filter(|words| !always::is_exportfs(words)) {
            let step = Step::Run(words.clone());
            if !self.steps.contains(&step) {
                self.steps.push(step);
            }
        }
        Ok(())
    }

    fn services(&mut self, seen: &Seen) {
        if !seen.is_dhcp_installed {
            let package = seen.dhcp.package;
            self.remarks.push(format!(
                "there is no DHCP server here: apt-get install {package}, then run this again"
            ));
        }
        let has_subnets =
            !seen.hosts.is_empty() || self.steps.iter().any(|step| matches!(step, Step::Dhcp(_)));
        let Some(units) = &seen.units else {
            self.remarks.push(
                "systemd does not run here, so see yourself that the DHCP, TFTP and NFS servers do"
                    .to_owned(),
            );
            return;
        };
        for (unit, is) in units {
            // Without a network to answer in, dhcpd ends at once.
            let is_too_early = unit == seen.dhcp.unit && !has_subnets;
            let runs_once = unit == "ghost4linux-recover";
            let has_no_port = seen.other_nfs.is_some() && Nfs::of_unit(unit).is_some();
            if !is_too_early && !has_no_port && (!is.is_enabled || (!is.is_active && !runs_once)) {
                self.steps.push(Step::Unit(unit.clone()));
            }
        }
    }
}

/// Folders that were made in its place would be hidden by the store once it is mounted.
fn require_store(ghostrc: &Ghostrc, seen: &Seen) -> anyhow::Result<()> {
    if !seen.is_store_unmounted {
        return Ok(());
    }
    let (export, folder) = (&ghostrc.store_export, ghostrc.store_folder.display());
    let words = format!(
        "the image store is {export}, on another machine, and nothing is mounted at {folder} here; nothing was changed. Mount it there \
         first: 'mkdir -p {folder} && mount {export} {folder}', and write that into /etc/fstab"
    );
    Err(anyhow!(words).exit(Exit::Configuration))
}

/// What to do where both would want the same port.
fn two_nfs_servers(nfs: Nfs, other: Nfs) -> String {
    let word = |nfs| if nfs == Nfs::Kernel { "nfsd" } else { "ganesha" };
    format!(
        "{unit} is not started and nothing is exported, since {running} runs here and has its port: set NFSSERVER={word} in ghostrc, so \
         that {running} exports; or have {running} stop ('systemctl disable --now {running}'), set NFSSERVER={own}, and run this again",
        unit = nfs.unit(),
        running = other.unit(),
        word = word(other),
        own = word(nfs),
    )
}

/// With the port in another's hands the DHCP server would not come up, with whatever configuration.
fn require_port(seen: &Seen) -> anyhow::Result<()> {
    let Some(other) = &seen.has_port else { return Ok(()) };
    let name = seen.dhcp.name;
    let words = format!(
        "{other} has the DHCP port of this machine (UDP 67) already, so that {name} could not start; nothing was changed. Stop that \
         one, or have setup use it with --dhcp-server"
    );
    Err(anyhow!(words).exit(Exit::Configuration))
}

#[cfg(test)]
mod tests;
