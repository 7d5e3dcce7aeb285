//! Verbs and flags. The manual page and the shells' completions are generated from this.

mod images;
mod jobs;
mod setup;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ghost_contract::{HostName, MacAddress};

pub use self::images::{DiskImageArgs, ExportArgs, Images, LATEST, MountArgs, PruneArgs, RemoveArgs};
pub use self::jobs::{Asked, BackupArgs, GenerationArgs, JobArgs, RestoreArgs, TimeOfDay};
pub use self::setup::{HostsVerb, NewHostArgs, SetupArgs};
use crate::exit::Exit;
use crate::ghostrc::NfsServer;
use crate::run::RunId;

/// Backs up and restores whole PCs that nobody is sitting at.
///
/// A job lets the client's DHCP entry offer a boot file, wakes the client, follows what it reports, puts the entry back as soon
/// as the client is up, and ends when the machine is off. Whatever happens, the DHCP configuration ends as it began.
#[derive(Debug, Parser)]
#[command(name = "ghostctl", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = Exit::table())]
pub struct Cli {
    #[command(flatten)]
    pub everywhere: Everywhere,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Clone, Args)]
pub struct Everywhere {
    /// The boot server's settings, see ghostrc(5)
    #[arg(long, global = true, value_name = "FILE", default_value = crate::ghostrc::PATH)]
    pub config: PathBuf,
    /// Write one JSON object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Also print each reading of the client's disk and network counters
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// How long to wait for another ghostctl to finish its edit, seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub lock_timeout: Duration,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Boot a client over the network, allow log-in by ssh, and power it off
    #[command(after_help = "Examples:\n  ghostctl test john\n  ghostctl test --dry-run john")]
    Test(JobArgs),
    /// Write clients' disks to new generations in the image store
    #[command(after_help = "Examples:\n  ghostctl backup john\n  ghostctl backup --json john joe\n  \
        ghostctl backup --group lab1 --until 06:00\n  ghostctl backup 'pc*'\n  \
        ghostctl backup --all-disks john\n  ghostctl backup --disk serial:S4EWNX0N12345 --rescue john\n  \
        ghostctl backup --partition 2,3 john")]
    Backup(BackupArgs),
    /// Have clients check generations for damage; no disk is touched
    #[command(after_help = "Examples:\n  ghostctl verify john\n  \
        ghostctl verify --generation 20260123-142501-4f3a09c1 john\n\nWithout --generation, checks the newest one.")]
    Verify(GenerationArgs),
    /// Write a generation back to a client's disk (the first, unless another is chosen); everything on it is lost
    #[command(after_help = "Examples:\n  ghostctl restore john\n  \
        ghostctl restore --yes --generation 20260123-142501-4f3a09c1 john\n  \
        ghostctl restore --disk /dev/nvme0n1 --grow john\n  \
        ghostctl restore --shrink john\n  \
        ghostctl restore --partition 3 john\n\n\
        Asks you to type the host's name, unless --yes is given. Without --generation, writes the newest good one \
        back that holds the whole disk, or all of the partitions that --partition names.")]
    Restore(RestoreArgs),
    /// Start the imager for a person at the client's own screen and keyboard
    #[command(after_help = "Examples:\n  ghostctl ghost john")]
    Ghost(JobArgs),
    /// Send magic packets, and nothing else
    #[command(after_help = "Examples:\n  ghostctl wake john\n  ghostctl wake 00:0a:eb:12:34:5f")]
    Wake(WakeArgs),
    /// List the hosts of the DHCP configuration: name, addresses, offered file, last good backup
    #[command(
        after_help = "Examples:\n  ghostctl hosts\n  ghostctl hosts --json\n  ghostctl hosts add pc7 00:11:22:33:44:55 10.0.0.7"
    )]
    Hosts {
        #[command(subcommand)]
        verb: Option<HostsVerb>,
    },
    /// Show what is running, or how the last job of a host ended
    #[command(
        after_help = "Examples:\n  ghostctl status\n  ghostctl status john\n  ghostctl status --last john"
    )]
    Status(StatusArgs),
    /// Watch all hosts in a table that lives: phase, how much is done, rate, time left, those with trouble first
    #[command(after_help = "Examples:\n  ghostctl top\n  ghostctl top --json\n\n\
        Keys: the arrows, j and k choose a host, Enter shows the text of its screen, c stops its job (it asks first), q ends. \
        Jobs do not notice it. With --json, or where standard output or input is no terminal, it prints the table once. \
        NO_COLOR in the environment switches colours off.")]
    Top,
    /// List the runs: what each command asked for, and how much of it is done
    #[command(after_help = "Examples:\n  ghostctl runs\n  ghostctl runs --json")]
    Runs,
    /// Show what became of each host of a run
    #[command(after_help = "Examples:\n  ghostctl report\n  ghostctl report --html last-night.html\n  \
        ghostctl report --json 20260123-142501-4f3a09c1\n\n\
        Exit status: 1 if a host of the run is not done.")]
    Report(ReportArgs),
    /// Print the figures of all hosts' last jobs, as Prometheus reads them
    #[command(after_help = "Examples:\n  ghostctl metrics\n\n\
        With METRICS in ghostrc they are also written to a file after each run.")]
    Metrics,
    /// Show what a client's monitor shows, or showed last
    #[command(after_help = "Examples:\n  ghostctl screen john\n  ghostctl screen --now john\n  \
        ghostctl screen --follow john\n  ghostctl screen --png john.png john\n\n\
        Shows the newest screenshot of the running job, or of the last job: as a picture if the terminal can show one, \
        else as text. The page index.html beside the picture has all screenshots, and what happened between them.\n\n\
        Exit status: 2 if there is no job, 75 if the client does not answer.")]
    Screen(ScreenArgs),
    /// Stop a host's job: revert the DHCP entry and ask the client to stop
    #[command(after_help = "Examples:\n  ghostctl cancel john")]
    Cancel {
        /// The client
        #[arg(value_name = "HOST")]
        host: HostName,
        /// Say what would be stopped, and stop nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Swap or revert a host's DHCP entry by hand, or give up the swap of one that was deleted
    #[command(subcommand)]
    Dhcp(DhcpVerb),
    /// Finish or undo what is left of jobs that a crash or a power cut has ended
    #[command(
        after_help = "Examples:\n  ghostctl recover\n  ghostctl recover --dry-run\n\nJobs whose ghostctl still runs are left alone."
    )]
    Recover {
        /// Say what would be done, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List, show, check and remove what is in the image store
    #[command(subcommand)]
    Images(Images),
    /// Make the template of the boot floppy from a bootable image and a folder with GHOST.EXE
    #[command(after_help = "Examples:\n  ghostctl bootdisk fdboot.img ./ghost\n  \
        ghostctl bootdisk --output john.img --dry-run fdboot.img ./ghost\n\n\
        IMAGE is a floppy of any size, or a small disk, that FreeDOS, MS-DOS or PC DOS boots from. All files of FOLDER go on \
        it, with names as DOS has them. AUTOEXEC.BAT becomes one that calls GHOST.EXE and leaves the marks by which a job \
        is judged, unless FOLDER has its own, with the words BackUpName and BackUpCommand in it. DOSEmu 1.4 boots from \
        1.44 MB only.")]
    Bootdisk(BootdiskArgs),
    /// Print what the NFS server is to export, and to whom
    #[command(
        after_help = "Examples:\n  ghostctl exports >>/etc/exports\n  ghostctl exports --for ganesha\n\n\
        Prints the lines for all hosts that can have jobs; print them again when a host is new. With EXPORTS=own or job in ghostrc it \
        makes the clients' folders in PXEBASE.trees and in the image store that are not there yet, since NFS servers export only what is there. Nothing \
        else is changed. With EXPORTS=job it leaves out what ghostctl exports itself, for the time of a job. 'ghostctl doctor' checks what is really exported."
    )]
    Exports {
        /// The NFS server that the lines are for; if it is not said, the one that NFSSERVER in ghostrc names
        #[arg(long = "for", value_name = "SERVER")]
        server: Option<NfsServer>,
    },
    /// Make a boot server of this machine, or see that it is one; what is changed is shown first
    #[command(after_help = setup::AFTER_HELP)]
    Setup(SetupArgs),
    /// Check the whole set-up of the boot server, and say how to mend what is wrong
    #[command(
        after_help = "Examples:\n  ghostctl doctor\n  ghostctl doctor --json john\n\nExit status: 0 if jobs can run, 78 if they would fail."
    )]
    Doctor {
        /// Check what these clients need; without a name, all clients that can have jobs
        #[arg(value_name = "HOST")]
        hosts: Vec<HostName>,
    },
    /// Make the root that clients boot from, or see whether it is up to date
    #[command(subcommand)]
    Root(RootVerb),
    /// Write the manual pages and the shells' completions, for packages
    #[command(hide = true)]
    GenerateManual {
        /// The folder that stands for share/
        folder: PathBuf,
    },
}

#[derive(Debug, Clone, Args)]
pub struct BootdiskArgs {
    /// The image of a floppy or a small disk that can be booted; it is not changed
    pub image: PathBuf,
    /// The folder with GHOST.EXE
    pub folder: PathBuf,
    /// Where the template is written, instead of root/.dosemu/ghost.img in the base root
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the template that is there
    #[arg(long)]
    pub replace: bool,
    /// Check everything, say what would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, Args)]
pub struct WakeArgs {
    /// Hosts or hardware addresses
    #[arg(required = true, value_name = "HOST|MAC", value_parser = sleeper)]
    pub sleepers: Vec<Sleeper>,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sleeper {
    Host(HostName),
    Mac(MacAddress),
}

#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Only this client
    #[arg(value_name = "HOST")]
    pub host: Option<HostName>,
    /// How the last job ended, instead of what is running
    #[arg(long)]
    pub last: bool,
    /// The hosts that 'ghostctl dhcp swap' has swapped, instead of what is running
    #[arg(long, conflicts_with = "last")]
    pub swapped: bool,
}

#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// The run, by its name in `ghostctl runs`; without one, the newest
    #[arg(value_name = "RUN")]
    pub run: Option<RunId>,
    /// Write the report to this file, as a page for a browser with all that belongs to it
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub html: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct ScreenArgs {
    /// The client
    #[arg(value_name = "HOST")]
    pub host: HostName,
    /// Ask the client for a new screenshot, and wait for it
    #[arg(long)]
    pub now: bool,
    /// Show each new screenshot until the job is over
    #[arg(long)]
    pub follow: bool,
    /// Write the picture to this file instead, - for standard output; with --follow the newest one
    #[arg(long, value_name = "FILE")]
    pub png: Option<PathBuf>,
    /// How pictures are shown on the terminal
    #[arg(long, value_name = "WAY", default_value = "auto")]
    pub picture: Pictures,
}

/// How pictures are shown on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Pictures {
    /// As a picture if the terminal says that it can, else as text
    Auto,
    /// As text
    Never,
    /// By kitty's graphics protocol
    Kitty,
    /// As sixels
    Sixel,
}

#[derive(Debug, Subcommand)]
pub enum RootVerb {
    /// Make the base root from Debian's packages, and copy the files that clients boot with to the TFTP server's folder
    #[command(after_help = "Examples:\n  ghostctl root build\n\n\
        PXEBASE must end in /base; the boot files are made beside it, in netboot. What OVERLAY, EXTRA_PACKAGES and other keys of \
        ghostrc(5) ask for goes in. Nothing is made anew that has not changed. A file of the TFTP server's folder that was not \
        copied there by this command is never written over.\n\nExit status: 75 while there are jobs.")]
    Build,
    /// Say whether the base root has the installed programs and Debian's newest packages, and the TFTP server its boot files
    #[command(
        after_help = "Examples:\n  ghostctl root status\n\nExit status: 0 if all is up to date, 1 if not."
    )]
    Status,
}

#[derive(Debug, Subcommand)]
pub enum DhcpVerb {
    /// Let the host be offered its boot file until it is reverted by hand
    #[command(after_help = "Examples:\n  ghostctl dhcp swap john")]
    Swap(DhcpArgs),
    /// Put back what the host was offered before `ghostctl dhcp swap`
    #[command(after_help = "Examples:\n  ghostctl dhcp revert john")]
    Revert(DhcpArgs),
    /// Give up the swap of a host that was deleted from the DHCP configuration on purpose
    #[command(after_help = "Examples:\n  ghostctl dhcp forget john\n\n\
        A host that is deleted while it is swapped cannot be put back, so its job stays open and each 'ghostctl recover' says \
        so. This closes it, but only if neither the host's name nor its hardware address stands in the DHCP configuration any \
        more, and no other entry has been offered the boot file since the swap; the DHCP server is restarted first, so that it does \
        not offer the boot file from memory. What the host was offered is kept: should its entry come back swapped, \
        'ghostctl dhcp revert' puts it back.")]
    Forget(ForgetArgs),
}

impl DhcpVerb {
    /// The host whose own value shall really be put back.
    pub fn reverted_host(&self) -> Option<&HostName> {
        match self {
            Self::Revert(arguments) if !arguments.dry_run => Some(&arguments.host),
            Self::Revert(_) | Self::Swap(_) | Self::Forget(_) => None,
        }
    }
}

#[derive(Debug, Clone, Args)]
pub struct DhcpArgs {
    /// The host
    pub host: HostName,
    /// Say what would be changed, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, Args)]
pub struct ForgetArgs {
    #[command(flatten)]
    pub dhcp: DhcpArgs,
    /// Another host's entry that may go on offering the boot file, for it does so on purpose
    #[arg(long, value_name = "ENTRY")]
    pub on_purpose: Vec<String>,
    /// The DHCP configuration has no hosts at all any more, and that is meant so
    #[arg(long)]
    pub no_hosts_left: bool,
}

fn seconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_secs)
}

/// What has six parts between colons or dashes is an address, everything else a name.
fn sleeper(text: &str) -> Result<Sleeper, ghost_contract::host::HostNameError> {
    text.parse().map_or_else(|_| text.parse().map(Sleeper::Host), |mac| Ok(Sleeper::Mac(mac)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_examples() {
        fn without_examples(command: &clap::Command, found: &mut Vec<String>) {
            let verbs: Vec<_> = command.get_subcommands().collect();
            let shown = command.get_after_help().is_some_and(|help| help.to_string().contains("Examples"));
            if verbs.is_empty() && !shown && !command.is_hide_set() {
                found.push(command.get_name().to_owned());
            }
            verbs.into_iter().for_each(|verb| without_examples(verb, found));
        }
        let mut found = Vec::new();
        without_examples(&Cli::command(), &mut found);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn an_address_and_a_name_are_told_apart() {
        let cli = Cli::parse_from(["ghostctl", "wake", "john", "0:a:EB:12:34:5f"]);
        let Verb::Wake(arguments) = cli.verb else { panic!("{:?}", cli.verb) };
        let mac = MacAddress::new([0, 10, 0xeb, 0x12, 0x34, 0x5f]);
        assert_eq!(arguments.sleepers, [Sleeper::Host("john".parse().unwrap()), Sleeper::Mac(mac)]);
    }
}
