//! The boot as a table: which steps, in which order, and whether the job goes on when one fails.
//!
//! ```text
//! initramfs: watchdogs ─▶ card ─▶ link ─▶ address ─▶ NFS root ─┐ (these are left out where the root is mounted already)
//! root:      client's tree ─▶ report ─▶ host ─▶ order ◀────────┘
//! ```
//!
//! Where the boot loader says `ghost.trees`, the root is mounted read-only, and the client's tree lies in a folder that is exported
//! to this client alone. Else it lies in the root, which all clients can write to.
//!
//! Does none of the steps. To boot in another way, write another table.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use ghost_contract::layout;

use crate::cmdline::{BootOptions, Switch};
use crate::fstab::{Mount, MountFlag};
use crate::network::{BootInterface, GivenAddress};
use crate::nfs_root::NfsRoot;
use crate::task::Task;

/// What it means when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// The machine is powered off.
    Abort,
    /// It is reported, and the boot goes on.
    CarryOn,
    /// It is tried again after a pause, until it has failed for so long. Then it is as [`OnFailure::Abort`].
    TryAgain { pause: Duration, limit: Duration },
    /// The same, but then it is as [`OnFailure::CarryOn`].
    TryThenCarryOn { pause: Duration, limit: Duration },
}

impl OnFailure {
    /// The same, but without carrying on, and with this pause between two tries.
    pub(crate) const fn insisting(self, pause: Duration) -> Self {
        match self {
            Self::TryAgain { limit, .. } | Self::TryThenCarryOn { limit, .. } => {
                Self::TryAgain { pause, limit }
            }
            Self::Abort | Self::CarryOn => Self::Abort,
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BootStep {
    pub task: Task,
    /// What it means when that fails.
    pub on_failure: OnFailure,
}

impl BootStep {
    /// A step without which nothing can go on.
    pub(crate) const fn needed(task: Task) -> Self {
        Self { task, on_failure: OnFailure::Abort }
    }

    /// A step that the job may do without.
    pub(crate) const fn wanted(task: Task) -> Self {
        Self { task, on_failure: OnFailure::CarryOn }
    }

    /// A step that what is not there yet may need time for.
    const fn patient(task: Task, limit: Duration) -> Self {
        Self { task, on_failure: OnFailure::TryAgain { pause: PAUSE, limit } }
    }

    /// A step that is waited for as well, and that the job may do without.
    const fn wanted_in_time(task: Task, limit: Duration) -> Self {
        Self { task, on_failure: OnFailure::TryThenCarryOn { pause: PAUSE, limit } }
    }
}

/// Pause between two tries of a patient step.
const PAUSE: Duration = Duration::from_millis(300);
/// How long a network card may take to show itself: USB hosts find theirs one after the other.
const CARD_LIMIT: Duration = Duration::from_secs(90);
/// How long a link may take: a switch that looks for loops (spanning tree, IEEE 802.1D-1998, 8.10.2) lets nothing pass for
/// 30 to 50 s.
const LINK_LIMIT: Duration = Duration::from_secs(90);
/// How long servers may be away: one that boots is back after that.
const SERVER_LIMIT: Duration = Duration::from_secs(300);
/// What is in a client's own folder is not to be more than files. Programs in /etc and /var are run, so they may be.
const TREE_OPTIONS: &str = "nosuid,nodev";
/// Where the root is mounted before it becomes the root.
const NEW_ROOT: &str = "/root";

/// In an initramfs: what is done before the network is needed, and how its card is found.
pub(crate) fn steps_to_card(options: &BootOptions) -> anyhow::Result<Vec<BootStep>> {
    root_of(options)?;
    Ok(vec![
        BootStep::wanted(Task::StartWatchdogs),
        BootStep::wanted(Task::LoadKeyboardDrivers),
        BootStep::wanted(Task::WatchPowerButton),
        BootStep::patient(Task::FindCard(options.boot_interface), CARD_LIMIT),
    ])
}

/// In an initramfs: the way from the card to the root. After it, the machine is looked at as one that has a root.
pub(crate) fn steps_to_root(options: &BootOptions, card: &str) -> anyhow::Result<Vec<BootStep>> {
    let root = root_of(options)?;
    let interface = card.to_owned();
    let address = match options.address {
        Some(address) => steps_to_address(address, root.server, card),
        None => vec![BootStep::patient(Task::AskForAddress { interface: interface.clone() }, SERVER_LIMIT)],
    };
    let link = vec![
        BootStep::needed(Task::Raise { interface: interface.clone() }),
        BootStep::patient(Task::CheckLink { interface }, LINK_LIMIT),
    ];
    // Each client calls itself by its host name, which none has yet: a server takes two of them for one that has booted again.
    let name = BootStep::needed(Task::NameNfsClient { interface: card.to_owned() });
    let name = root.is_version_4().then_some(name).into_iter().collect();
    let enter = vec![
        BootStep::patient(Task::Mount(root_mount(root, options)?), SERVER_LIMIT),
        BootStep::needed(Task::EnterRoot(PathBuf::from(NEW_ROOT))),
        BootStep::needed(Task::LookAround),
    ];
    Ok([link, address, name, enter].concat())
}

/// Takes the address that the boot loader got. A server on the same wire is reached without the gateway.
fn steps_to_address(address: GivenAddress, server: Ipv4Addr, card: &str) -> Vec<BootStep> {
    let (interface, neighbour) = (card.to_owned(), address.next_hop(server));
    let check = Task::CheckAddress { interface: interface.clone(), address: address.ip, neighbour };
    let route = address.gateway.map(|gateway| {
        let task = Task::RouteBy { gateway };
        if gateway == neighbour { BootStep::needed(task) } else { BootStep::wanted(task) }
    });
    // Some routers do not answer a machine that has no address yet.
    let check = BootStep::wanted_in_time(check, LINK_LIMIT);
    let steps = [check, BootStep::needed(Task::GiveAddress { interface, address })];
    steps.into_iter().chain(route).collect()
}

fn root_of(options: &BootOptions) -> anyhow::Result<&NfsRoot> {
    let root = options.root.as_ref();
    root.context(
        "the kernel command line has no nfsroot=ADDRESS:/PATH: rootfs/pxelinux-config prints one that has",
    )
}

/// A root without trees is not written to, and has no devices that anybody uses: /dev is the kernel's own.
fn root_mount(root: &NfsRoot, options: &BootOptions) -> anyhow::Result<Mount> {
    let mut mount = root.mount(Path::new(NEW_ROOT))?;
    if options.trees.is_some() {
        mount.flags.extend([MountFlag::ReadOnly, MountFlag::NoDev]);
    }
    Ok(mount)
}

/// The steps that need no options. An initramfs may have mounted these already.
pub(crate) fn first_steps() -> Vec<BootStep> {
    let no_programs = vec![MountFlag::NoSuid, MountFlag::NoExec, MountFlag::NoDev];
    let kernel = |kind: &str, target: &str, flags: Vec<MountFlag>, options: &str| {
        Task::Mount(Mount {
            source: kind.to_owned(),
            target: PathBuf::from(target),
            kind: kind.to_owned(),
            flags,
            options: options.to_owned(),
        })
    };
    vec![
        BootStep::needed(kernel("proc", "/proc", no_programs.clone(), "")),
        BootStep::wanted(kernel("sysfs", "/sys", no_programs, "")),
        BootStep::wanted(kernel("devtmpfs", "/dev", vec![MountFlag::NoSuid], "mode=755")),
        BootStep::wanted(kernel("tmpfs", "/run", vec![MountFlag::NoSuid, MountFlag::NoDev], "mode=755")),
        BootStep::wanted(Task::BeSpared),
        BootStep::needed(Task::LookAround),
    ]
}

/// What is done once the options and the interface are known. `ReadFstab` and `ReadHostTable` bring steps of
/// their own, which are done before the next line.
pub(crate) fn steps(options: &BootOptions, interface: &BootInterface) -> anyhow::Result<Vec<BootStep>> {
    let mut steps = tree(options, interface.ip)?;
    steps.extend([
        BootStep::needed(Task::OpenReport),
        BootStep::wanted(Task::ProtectRoot),
        BootStep::wanted(Task::StartWatchdogs),
        // Ctrl-Alt-Del is to work while the job is announced, on any keyboard, and the power button.
        BootStep::wanted(Task::LoadKeyboardDrivers),
        BootStep::wanted(Task::WatchPowerButton),
        BootStep::wanted(Task::Raise { interface: "lo".to_owned() }),
        BootStep::wanted(Task::ReadHostTable),
        // A job may last longer than the lease that the boot loader got.
        BootStep::wanted(Task::KeepLease { interface: interface.name.clone(), address: interface.ip }),
        BootStep::wanted(Task::Arm { interface: interface.name.clone() }),
        BootStep::wanted(Task::ReadFstab),
    ]);
    if options.shell == Switch::On {
        steps.push(BootStep::wanted(Task::StartShell));
    }
    steps.push(BootStep::needed(Task::FlushReport));
    Ok(steps)
}

/// How the client gets its own /etc and /var.
fn tree(options: &BootOptions, ip: Ipv4Addr) -> anyhow::Result<Vec<BootStep>> {
    let (first, folder) = match &options.trees {
        Some(trees) => {
            let trees = options.root.as_ref().map_or_else(|| trees.clone(), |root| trees.mounted_as(root));
            let own = trees.below(&ip.to_string(), TREE_OPTIONS).mount(Path::new(layout::OWN_FOLDER))?;
            (BootStep::needed(Task::Mount(own)), layout::OWN_FOLDER)
        }
        None => (BootStep::wanted(Task::MakeRootWritable), "/"),
    };
    let bind = |name: String, onto: &str| {
        BootStep::needed(Task::Bind { from: Path::new(folder).join(name), onto: PathBuf::from(onto) })
    };
    Ok(vec![first, bind(layout::tree_etc(ip), "/etc"), bind(layout::tree_var(ip), "/var")])
}

#[cfg(test)]
mod tests;
