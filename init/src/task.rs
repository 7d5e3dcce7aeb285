//! What the session can have done in the background, and what it may learn from it.
//!
//! A task may hang for ever, for example on a file of a dead NFS server. So each has a time limit, after which the
//! session goes on without it. At most one task runs at a time.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use evdev::KeyCode;
use ghost_contract::image::Progress;
use ghost_contract::order::{AtEnd, ImageStore};
use ghost_contract::report::NotArmed;
use ghost_contract::{HostName, JobId, MacAddress, Nonce, UnixTime};

use crate::failure::Failure;
use crate::fstab::Mount;
use crate::imager::{Judgement, Terminal};
use crate::job::Job;
use crate::network::{GivenAddress, Interface, Route};
use crate::stall::Counters;

/// How long a DHCP server may take to answer before it is asked anew, and a person hears of it.
pub(crate) const DHCP_LIMIT: Duration = Duration::from_secs(20);

/// How the processes that are still there are told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    Ask,
    Force,
}

/// How closely an imager's screen is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glance {
    /// What costs nothing: the console's cells, what a DOS program has written.
    Quick,
    /// The picture as well, if there is something in it that can be read.
    Close,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Task {
    /// Mount a file system, unless something is mounted there already.
    Mount(Mount),
    /// Bind a folder on another.
    Bind {
        from: PathBuf,
        onto: PathBuf,
    },
    /// Make the root's file system writable, if the boot loader had it mounted read-only.
    MakeRootWritable,
    /// Make the root read-only at its own mount, which leaves what is bound from it writable.
    ProtectRoot,
    /// Begin to write the report. What was reported before is written first.
    OpenReport,
    /// Have the kernel spare this program when memory runs out.
    BeSpared,
    /// Read the kernel command line, interfaces and routes.
    LookAround,
    ReadFstab,
    ReadHostTable,
    /// Set the kernel's host name.
    SetHostName(HostName),
    /// Find the interface that the boot loader used, and load drivers for it.
    FindCard(Option<MacAddress>),
    /// Bring an interface up.
    Raise {
        interface: String,
    },
    /// Look whether an interface has a link.
    CheckLink {
        interface: String,
    },
    /// Look whether another machine has this address; fails while the neighbour does not answer.
    CheckAddress {
        interface: String,
        address: Ipv4Addr,
        neighbour: Ipv4Addr,
    },
    GiveAddress {
        interface: String,
        address: GivenAddress,
    },
    /// Reach everything outside of the own network by this gateway.
    RouteBy {
        gateway: Ipv4Addr,
    },
    /// Renew the lease of an address from now on.
    KeepLease {
        interface: String,
        address: Ipv4Addr,
    },
    /// Have the NFS servers know this client by the address of an interface.
    NameNfsClient {
        interface: String,
    },
    /// Have an interface get its address by DHCP.
    AskForAddress {
        interface: String,
    },
    /// Make the file system on this folder the root.
    EnterRoot(PathBuf),
    /// Switch Wake-on-LAN on, and read it back.
    Arm {
        interface: String,
    },
    /// Wait until all that was reported has reached the server.
    FlushReport,
    StartWatchdogs,
    /// Load the drivers of the power button and of keyboards on USB.
    LoadKeyboardDrivers,
    /// Hear of presses of the power button, and of Ctrl-Alt-Del on keyboards, from now on.
    WatchPowerButton,
    ReadOrder,
    /// Claim the order of this job.
    Claim(JobId),
    /// Look whether the server wants the job to stop, or to see the screen.
    LookForStop,
    /// Mount the image store unless it is mounted, and look for the nonce in it.
    OpenStore(ImageStore, Nonce),
    /// Start the shell server and wait until it takes connections.
    StartShellServer {
        /// Public keys that may log in as root. If there are none, the base root's own file counts.
        authorized_keys: Vec<String>,
    },
    /// Start the child that is literally `sleep SECONDS`.
    StartSleep(Duration),
    /// Start a root shell on tty2.
    StartShell,
    /// Load drivers, find the disks of the order and make everything that the imager of this job needs.
    PrepareImager(Box<Job>),
    /// Start the imager that was prepared last. Its end is an event of its own, not the end of this task.
    StartImager,
    /// Read the traffic counters, and what stands on the imager's screen.
    LookAtImager {
        /// The interface whose traffic counts.
        interface: String,
        glance: Glance,
    },
    /// Type these keys on the virtual keyboard, one after the other.
    Type(Vec<KeyCode>),
    /// Save what is on the screen.
    Capture {
        name: String,
    },
    /// Remove a screenshot that is not to be kept.
    RemoveScreenshot {
        name: String,
    },
    /// End the imager and all that it has started.
    EndImager(Farewell),
    /// Find out what the imager has done.
    JudgeImager,
    /// End all processes but this one, and wait until they are gone.
    EndProcesses(Farewell),
    CloseStore,
    /// Write everything that the kernel has cached to disks and servers.
    Sync,
}

/// A step that failed and that the job goes on without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undone {
    pub step: String,
    pub reason: Failure,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WakeOnLan {
    /// It is on: read back as these letters, as ethtool writes them.
    Armed(String),
    NotArmed {
        /// What stood in the way.
        reason: NotArmed,
        detail: String,
    },
}

/// What [`PowerSwitch::Missing`] means, for a person.
pub(crate) const NO_SWITCH: &str = "the kernel has no ACPI and cannot switch this machine off";

/// Whether the machine can switch itself off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PowerSwitch {
    #[default]
    Acpi,
    /// Without ACPI the kernel can only halt, and the machine stays on.
    Missing,
}

impl PowerSwitch {
    /// How a machine with this switch is to be left. One that cannot switch itself off boots its own disk: if it halted, it would look as
    /// if it were off, and nobody could reach it.
    pub(crate) const fn way_out(self, wanted: AtEnd) -> AtEnd {
        match self {
            Self::Acpi => wanted,
            Self::Missing => AtEnd::Reboot,
        }
    }
}

/// What the program has for a root file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Root {
    /// Files in memory that came with the kernel. The root has still to be reached.
    Initramfs,
    #[default]
    Mounted,
}

/// What could be seen of the machine at the start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Surroundings {
    pub root: Root,
    pub command_line: String,
    pub power_switch: PowerSwitch,
    /// KiB of memory that programs have, if that could be seen.
    pub memory: Option<u64>,
    /// The kernel's release, as `uname -r` says it.
    pub kernel: String,
    pub interfaces: Vec<Interface>,
    pub routes: Vec<Route>,
}

/// What a task found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Nothing but that it is done.
    Done,
    Surroundings(Surroundings),
    /// Of [`Task::OpenReport`]: what is reported is written from now on.
    ReportOpened,
    /// Of [`Task::FindCard`]: the interface's name.
    Card(String),
    /// Of [`Task::CheckAddress`]: another machine has it.
    AddressTaken {
        address: Ipv4Addr,
        by: MacAddress,
    },
    /// Of [`Task::CheckAddress`]: another machine is about to take it too, and it is not checked again before this pause is over.
    AddressContested {
        address: Ipv4Addr,
        by: MacAddress,
        pause: Duration,
    },
    Fstab(String),
    Hosts(Vec<(HostName, MacAddress)>),
    WakeOnLan(WakeOnLan),
    Watchdogs(Vec<String>),
    /// Of [`Task::FlushReport`]: the time of the last writing, by the server's clock; none if nothing has ever
    /// been written.
    Flushed(Option<UnixTime>),
    /// Of [`Task::ReadOrder`]: the file, if there is one.
    Order(Option<Vec<u8>>),
    /// Of [`Task::Claim`]: this client has it now.
    Claimed,
    /// Of [`Task::Claim`]: the order was claimed before.
    AlreadyClaimed,
    /// Of [`Task::LookForStop`]: the server wants the job to stop.
    StopAsked,
    /// Of [`Task::LookForStop`]: the server does not know this machine's folders any more (ESTALE).
    TreeGone,
    /// Of [`Task::LookForStop`]: the server wants to see the screen. The word differs for each request.
    ScreenAsked(String),
    /// Of [`Task::StartShellServer`]: it listens on this TCP port.
    ShellServer(u16),
    ImagerReady {
        /// Its name, and what is known of its version.
        imager: String,
        command: String,
        /// The disks that it works on, `sda`.
        disks: Vec<String>,
        terminal: Terminal,
        /// What failed, and is done without.
        undone: Vec<Undone>,
    },
    Seen {
        /// What the kernel has counted.
        counters: Counters,
        /// The screen's text, if it can be read.
        text: Option<String>,
        /// Whether its work has begun.
        has_begun: bool,
        /// How far the imager says it is, if it does.
        progress: Option<Progress>,
    },
    Captured {
        name: String,
        /// Where it was read from.
        source: String,
        /// Which sources were asked before, and why they could not say.
        passed_over: Vec<String>,
    },
    Judged(Judgement),
}

impl Task {
    /// How long the session waits for it. Measured on a slow emulated machine, local work takes below one
    /// second and work on the server's files a few; what is not done after this time never will be.
    pub(crate) const fn limit(&self) -> Duration {
        Duration::from_secs(match self {
            Self::EndProcesses(Farewell::Force) => 3,
            Self::EndProcesses(Farewell::Ask) => 5,
            Self::Arm { .. } | Self::FlushReport | Self::CloseStore | Self::Sync | Self::LookForStop => 10,
            Self::LookAtImager { .. } | Self::Capture { .. } | Self::EndImager(_) => 10,
            Self::StartShellServer { .. } => 90,
            // A server that does not answer is asked again by the kernel, for longer than this.
            Self::AskForAddress { .. } => DHCP_LIMIT.as_secs() + 10,
            // Both may have to load NFS first.
            Self::Mount(_) | Self::NameNfsClient { .. } => 90,
            // It loads drivers, and some of them wait for their hardware.
            Self::FindCard(_) => 60,
            // The time that disks may take to show themselves, and some.
            Self::PrepareImager(_) => 140,
            _ => 30,
        })
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount(mount) => write!(f, "mount {} on {}", mount.source, mount.target.display()),
            Self::Bind { from, onto } => write!(f, "bind {} on {}", from.display(), onto.display()),
            Self::MakeRootWritable => f.write_str("make the root writable"),
            Self::ProtectRoot => f.write_str("make the shared root read-only"),
            Self::OpenReport => f.write_str("open the report"),
            Self::BeSpared => f.write_str("be spared when memory runs out"),
            Self::LookAround => f.write_str("look at the command line and the network"),
            Self::ReadFstab => f.write_str("read /etc/fstab"),
            Self::ReadHostTable => f.write_str("read the host table"),
            Self::SetHostName(name) => write!(f, "take the name {name}"),
            Self::FindCard(Some(mac)) => write!(f, "find the network card {mac}"),
            Self::FindCard(None) => f.write_str("find a network card"),
            Self::Raise { interface } => write!(f, "bring up {interface}"),
            Self::CheckLink { interface } => write!(f, "see the link of {interface}"),
            Self::CheckAddress { address, .. } => write!(f, "check that nobody else has {address}"),
            Self::GiveAddress { interface, address } => {
                write!(f, "give {interface} the address {}", address.ip)
            }
            Self::RouteBy { gateway } => write!(f, "route by {gateway}"),
            Self::KeepLease { address, .. } => write!(f, "keep the lease of {address}"),
            Self::AskForAddress { interface } => write!(f, "get an address for {interface} by DHCP"),
            Self::NameNfsClient { interface } => {
                write!(f, "take {interface}'s address for a name to NFS servers")
            }
            Self::EnterRoot(_) => f.write_str("enter the root"),
            Self::Arm { interface } => write!(f, "arm {interface}"),
            Self::FlushReport => f.write_str("write the report"),
            Self::StartWatchdogs => f.write_str("start the watchdogs"),
            Self::LoadKeyboardDrivers => f.write_str("load the drivers of power button and USB keyboards"),
            Self::WatchPowerButton => f.write_str("watch the power button"),
            Self::ReadOrder => f.write_str("read the order"),
            Self::Claim(job) => write!(f, "claim the order of job {job}"),
            Self::LookForStop => f.write_str("look for the server's stop file"),
            Self::OpenStore(store, _) => {
                write!(f, "open the image store {}:{}", store.server, store.path.display())
            }
            Self::StartShellServer { .. } => f.write_str("start the shell server"),
            Self::StartSleep(duration) => write!(f, "start sleep {}", duration.as_secs()),
            Self::StartShell => f.write_str("start a shell on tty2"),
            Self::PrepareImager(job) => write!(f, "prepare the imager for mode {}", job.mode),
            Self::StartImager => f.write_str("start the imager"),
            Self::LookAtImager { .. } => f.write_str("look at the imager"),
            Self::Type(keys) => write!(f, "type {} keys", keys.len()),
            Self::Capture { name } => write!(f, "take the screenshot {name}"),
            Self::RemoveScreenshot { name } => write!(f, "remove the screenshot {name}"),
            Self::EndImager(Farewell::Ask) => f.write_str("ask the imager to end"),
            Self::EndImager(Farewell::Force) => f.write_str("end the imager"),
            Self::JudgeImager => f.write_str("judge the imager"),
            Self::EndProcesses(Farewell::Ask) => f.write_str("ask all processes to end"),
            Self::EndProcesses(Farewell::Force) => f.write_str("end all processes"),
            Self::CloseStore => f.write_str("close the image store"),
            Self::Sync => f.write_str("sync"),
        }
    }
}
