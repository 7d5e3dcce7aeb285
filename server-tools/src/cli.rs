//! Verbs and flags. The manual page and the shells' completions are generated from this.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use ghost_contract::{Generation, HostName};

/// Backs up and restores whole PCs that nobody is sitting at.
#[derive(Debug, Parser)]
#[command(name = "ghostctl", version, propagate_version = true, arg_required_else_help = true)]
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
        Asks for the host's name to be typed, unless --yes is given. Without --generation the newest one is \
        written back.")]
    Restore(RestoreArgs),
    /// Start the imager for a person at the client's own screen and keyboard
    #[command(after_help = "Examples:\n  ghostctl ghost john")]
    Ghost(JobArgs),
    /// Finish or undo what jobs have left that a crash or a power cut ended
    #[command(after_help = "Examples:\n  ghostctl recover\n\nJobs whose ghostctl still runs are left alone.")]
    Recover,
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
