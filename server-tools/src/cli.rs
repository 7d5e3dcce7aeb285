//! Verbs and flags. The manual page and the shells' completions are generated from this.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use ghost_contract::{Generation, HostName, MacAddress};

/// Backs up and restores whole PCs that nobody is sitting at.
///
/// A job lets the client's DHCP entry offer a boot file, wakes the client, follows what it reports, puts the entry back as soon
/// as the client is up, and ends when the machine is off. Whatever happens, the DHCP configuration ends as it began.
#[derive(Debug, Parser)]
#[command(name = "ghostctl", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Exit status:\n  \
    0   done\n  \
    1   the job ran and failed\n  \
    2   wrong usage\n  \
    70  a bug in ghostctl\n  \
    75  busy or timed out: try again\n  \
    77  not permitted\n  \
    78  the configuration or the DHCP service must be mended")]
pub struct Cli {
    /// Flags that every verb takes.
    #[command(flatten)]
    pub everywhere: Everywhere,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags that every verb takes.
#[derive(Debug, Clone, Args)]
pub struct Everywhere {
    /// The boot server's settings, see ghostrc(5)
    #[arg(long, global = true, value_name = "FILE", default_value = ghost_contract::ghostrc::PATH)]
    pub config: PathBuf,
    /// Write one JSON object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Tell more, such as every reading of a client's counters
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// How long to wait for another ghostctl to finish its edit, seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub lock_timeout: Duration,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Boot a client over the network, let one log in by ssh, and power it off
    #[command(after_help = "Examples:\n  ghostctl test john\n  ghostctl test --dry-run john")]
    Test(JobArgs),
    /// Write clients' disks to new generations in the image store
    #[command(after_help = "Examples:\n  ghostctl backup john\n  ghostctl backup --json john joe")]
    Backup(JobArgs),
    /// Have clients check generations against themselves; no disk is touched
    #[command(after_help = "Examples:\n  ghostctl verify john\n  \
        ghostctl verify --generation 20260123-142501-4f3a john\n\nWithout --generation the newest one is checked.")]
    Verify(GenerationArgs),
    /// Write a generation back to a client's first disk; all that is on the disk is lost
    #[command(after_help = "Examples:\n  ghostctl restore john\n  \
        ghostctl restore --yes --generation 20260123-142501-4f3a john\n\n\
        Asks for the host's name to be typed, unless --yes is given. Without --generation the newest good one is \
        written back.")]
    Restore(RestoreArgs),
    /// Start the imager for a person at the client's own screen and keyboard
    #[command(after_help = "Examples:\n  ghostctl ghost john")]
    Ghost(JobArgs),
    /// Send magic packets, and nothing else
    #[command(after_help = "Examples:\n  ghostctl wake john\n  ghostctl wake 00:0a:eb:12:34:5f")]
    Wake(WakeArgs),
    /// List the hosts of the DHCP configuration: name, addresses, offered file, last good backup
    #[command(after_help = "Examples:\n  ghostctl hosts\n  ghostctl hosts --json")]
    Hosts,
    /// Show what is running, or how the last job of a host ended
    #[command(
        after_help = "Examples:\n  ghostctl status\n  ghostctl status john\n  ghostctl status --last john"
    )]
    Status(StatusArgs),
    /// Stop a host's job: the DHCP entry is reverted and the client is asked to stop
    #[command(after_help = "Examples:\n  ghostctl cancel john")]
    Cancel {
        /// The client
        #[arg(value_name = "HOST")]
        host: HostName,
    },
    /// Swap or revert a host's DHCP entry by hand
    #[command(subcommand)]
    Dhcp(DhcpVerb),
    /// Finish or undo what jobs have left that a crash or a power cut ended
    #[command(after_help = "Examples:\n  ghostctl recover\n\nJobs whose ghostctl still runs are left alone.")]
    Recover,
    /// List, show, check and remove what is in the image store
    #[command(subcommand)]
    Images(Images),
    /// Check the whole set-up of the boot server, and say how to mend what is wrong
    #[command(
        after_help = "Examples:\n  ghostctl doctor\n  ghostctl doctor --json john\n\nExit status: 0 if jobs can run, 78 if they would fail."
    )]
    Doctor {
        /// Check what these clients need; all that can have jobs if none is named
        #[arg(value_name = "HOST")]
        hosts: Vec<HostName>,
    },
    /// Write the manual pages and the shells' completions, for packages
    #[command(hide = true)]
    GenerateManual {
        /// The folder that stands for share/
        folder: PathBuf,
    },
}

/// Flags of `wake`.
#[derive(Debug, Clone, Args)]
pub struct WakeArgs {
    /// Hosts or hardware addresses
    #[arg(required = true, value_name = "HOST|MAC", value_parser = sleeper)]
    pub sleepers: Vec<Sleeper>,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Somebody to wake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sleeper {
    /// A host of the DHCP configuration.
    Host(HostName),
    /// Any machine.
    Mac(MacAddress),
}

/// Flags of `status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Only this client
    #[arg(value_name = "HOST")]
    pub host: Option<HostName>,
    /// How the last job ended, instead of what is running
    #[arg(long)]
    pub last: bool,
}

/// What to do to a host's DHCP entry.
#[derive(Debug, Subcommand)]
pub enum DhcpVerb {
    /// Let the host be offered its boot file until it is reverted by hand
    #[command(after_help = "Examples:\n  ghostctl dhcp swap john")]
    Swap(DhcpArgs),
    /// Put back what the host was offered before `ghostctl dhcp swap`
    #[command(after_help = "Examples:\n  ghostctl dhcp revert john")]
    Revert(DhcpArgs),
}

/// Flags of `dhcp`.
#[derive(Debug, Clone, Args)]
pub struct DhcpArgs {
    /// The host
    pub host: HostName,
    /// Say what would be changed, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What to do with the image store.
#[derive(Debug, Subcommand)]
pub enum Images {
    /// List generations: when, how large, whether they were good when last read
    #[command(after_help = "Examples:\n  ghostctl images list\n  ghostctl images list --json john")]
    List {
        /// Only these clients'
        #[arg(value_name = "HOST")]
        hosts: Vec<HostName>,
    },
    /// Show what a generation consists of
    #[command(
        after_help = "Examples:\n  ghostctl images show john\n  ghostctl images show john 20260123-142501-4f3a"
    )]
    Show {
        /// The client
        host: HostName,
        /// The generation; the newest if none is named
        generation: Option<Generation>,
    },
    /// Read a generation again as a whole and compare it with its manifest; no client is needed
    #[command(
        after_help = "Examples:\n  ghostctl images verify john\n  ghostctl images verify john 20260123-142501-4f3a\n\nExit status: 0 if it is whole, 1 if it is damaged."
    )]
    Verify {
        /// The client
        host: HostName,
        /// The generation; the newest if none is named
        generation: Option<Generation>,
    },
    /// Remove the generations that GENERATIONS and KEEP_DAYS in ghostrc(5) do not ask for, and what failed jobs left
    #[command(
        after_help = "Examples:\n  ghostctl images prune --dry-run\n  ghostctl images prune john\n\nThe last good generation is never removed, nor one that a running job reads."
    )]
    Prune(PruneArgs),
}

/// Flags of `images prune`.
#[derive(Debug, Clone, Args)]
pub struct PruneArgs {
    /// Only these clients'
    #[arg(value_name = "HOST")]
    pub hosts: Vec<HostName>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Flags of the verbs that run jobs.
#[derive(Debug, Clone, Args)]
pub struct JobArgs {
    /// The clients, by the names of their host entries in the DHCP configuration
    #[arg(required = true, value_name = "HOST")]
    pub hosts: Vec<HostName>,
    /// Go ahead although the client is on already; somebody must boot it anew by hand
    #[arg(long)]
    pub already_on: bool,
    /// Check everything, say what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Flags of the verbs that run jobs with a generation.
#[derive(Debug, Clone, Args)]
pub struct GenerationArgs {
    /// Flags of all jobs.
    #[command(flatten)]
    pub job: JobArgs,
    /// Which generation, by its name in `ghostctl images list`
    #[arg(long, value_name = "GENERATION")]
    pub generation: Option<Generation>,
}

/// Flags of `restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// Which job with which generation.
    #[command(flatten)]
    pub generation: GenerationArgs,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
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
