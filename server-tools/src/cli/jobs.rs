//! The flags of the verbs that run jobs, and what they ask for.

use clap::Args;
use ghost_contract::image::{DirtyNtfs, LargerDisk, OnReadError, RestoreCheck, SmallerDisk};
use ghost_contract::{DiskChoice, Generation, HostName};

use super::LATEST;
use crate::job::imager::Wishes;

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

/// Flags of the verbs that read or write a client's disk.
#[derive(Debug, Clone, Args)]
pub struct DiskArgs {
    /// Which disk: first, /dev/NAME, serial:NUMBER or size:500G, the only one of about that size
    #[arg(long, value_name = "DISK")]
    pub disk: Option<DiskChoice>,
    /// All disks that are built in
    #[arg(long, conflicts_with = "disk")]
    pub all_disks: bool,
}

/// Flags of `backup`.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// Flags of all jobs.
    #[command(flatten)]
    pub job: JobArgs,
    /// Which disk.
    #[command(flatten)]
    pub disk: DiskArgs,
    /// Go on where the disk cannot be read; the manifest lists the places
    #[arg(long)]
    pub rescue: bool,
    /// What is done with an NTFS that Windows has not closed: refuse, or raw to save every byte of it
    #[arg(long, value_name = "CHOICE", value_parser = dirty_ntfs)]
    pub dirty_ntfs: Option<DirtyNtfs>,
}

/// Flags of the verbs that run jobs with a generation.
#[derive(Debug, Clone, Args)]
pub struct GenerationArgs {
    /// Flags of all jobs.
    #[command(flatten)]
    pub job: JobArgs,
    /// Which generation, by its name in `ghostctl images list`, or 'latest'
    #[arg(long, value_name = "GENERATION")]
    pub generation: Option<Generation>,
}

/// Flags of `restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// Which job with which generation.
    #[command(flatten)]
    pub generation: GenerationArgs,
    /// Which disk.
    #[command(flatten)]
    pub disk: DiskArgs,
    /// Give the room of a larger disk to the last partition and its file system
    #[arg(long)]
    pub grow: bool,
    /// On a disk that is too small shrink a partition and its file system, if that is an NTFS or ext2/3/4 and its files
    /// fit, and move those behind it
    #[arg(long)]
    pub shrink: bool,
    /// Do not read the image as a whole before the first byte is written: what is damaged in it is found only when the
    /// disk is half written
    #[arg(long)]
    pub skip_check: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// What a job is asked for besides its mode and its hosts.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Which generation; the newest one if none is named.
    pub generation: Option<Generation>,
    /// What overrides the settings.
    pub wishes: Wishes,
}

impl DiskArgs {
    fn choice(&self) -> Option<DiskChoice> {
        if self.all_disks { Some(DiskChoice::All) } else { self.disk.clone() }
    }
}

impl BackupArgs {
    /// What goes before the settings.
    pub fn asked(&self) -> Asked {
        let wishes = Wishes {
            disk: self.disk.choice(),
            on_read_error: self.rescue.then_some(OnReadError::Rescue),
            dirty_ntfs: self.dirty_ntfs,
            ..Wishes::default()
        };
        Asked { generation: None, wishes }
    }
}

impl GenerationArgs {
    /// Which generation is read.
    pub fn asked(&self) -> Asked {
        let named = self.generation.clone().filter(|named| named.as_str() != LATEST);
        Asked { generation: named, wishes: Wishes::default() }
    }
}

impl RestoreArgs {
    /// Which generation is read, and what goes before the settings.
    pub fn asked(&self) -> Asked {
        let wishes = Wishes {
            disk: self.disk.choice(),
            larger_disk: self.grow.then_some(LargerDisk::Grow),
            smaller_disk: self.shrink.then_some(SmallerDisk::Shrink),
            restore_check: self.skip_check.then_some(RestoreCheck::Skip),
            ..Wishes::default()
        };
        Asked { wishes, ..self.generation.asked() }
    }
}

fn dirty_ntfs(text: &str) -> Result<DirtyNtfs, &'static str> {
    DirtyNtfs::parse(text).ok_or("refuse and raw are the choices")
}
