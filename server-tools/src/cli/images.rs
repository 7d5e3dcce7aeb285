//! `ghostctl images`: verbs and flags about generations.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ghost_contract::{Generation, HostName};

/// What stands for a host's newest generation where one is named.
pub const LATEST: &str = "latest";

#[derive(Debug, Subcommand)]
pub enum Images {
    /// List generations: when, how large, and whether they were good when last read
    #[command(after_help = "Examples:\n  ghostctl images list\n  ghostctl images list --json john")]
    List {
        /// Only these clients
        #[arg(value_name = "HOST")]
        hosts: Vec<HostName>,
    },
    /// Show what a generation consists of
    #[command(
        after_help = "Examples:\n  ghostctl images show john\n  ghostctl images show john latest\n  ghostctl images show john 20260123-142501-4f3a09c1"
    )]
    Show {
        /// The client
        host: HostName,
        /// The generation; the newest one if this is left out or 'latest'
        generation: Option<Generation>,
    },
    /// Read a whole generation again and compare it with its manifest; needs no client
    #[command(
        after_help = "Examples:\n  ghostctl images verify john\n  ghostctl images verify john 20260123-142501-4f3a09c1\n\nExit status: 0 if it is whole, 1 if it is damaged, 75 if it is whole and the store has no room for a record of that."
    )]
    Verify {
        /// The client
        host: HostName,
        /// The generation; the newest one if this is left out or 'latest'
        generation: Option<Generation>,
    },
    /// Take over generations that this boot server did not make: of a store that was moved, or of an earlier version
    #[command(
        after_help = "Examples:\n  ghostctl images adopt\n  ghostctl images adopt john\n  ghostctl images adopt john 20260123-142501-4f3a09c1\n\nReads each of them as 'images verify' does, and takes over what is whole. From then on it can be restored, and counts as a backup. Clients can write to the image store, so take over only what you know.\n\nExit status: 0 if all are taken over, 1 if one is damaged."
    )]
    Adopt {
        /// The client; all of them if this is left out
        host: Option<HostName>,
        /// The generation; all that are not vouched for if this is left out
        generation: Option<Generation>,
    },
    /// Print the public key of this boot server, for TRUSTEDKEYS on another one; make the key first if there is none
    #[command(
        after_help = "Examples:\n  ghostctl images key\n  ghostctl images key | ssh boot2 tee -a /etc/ghost4linux/trusted.pub\n\nSIGNINGKEY in ghostrc(5) says where the secret key is. With it, each generation that this boot server vouches for has a signature beside its manifest, which minisign(1) can check as well."
    )]
    Key,
    /// Remove the generations that GENERATIONS and KEEP_DAYS in ghostrc(5) do not ask for, and what failed jobs left
    #[command(
        after_help = "Examples:\n  ghostctl images prune --dry-run\n  ghostctl images prune john\n\nThe last good generation is never removed, nor one that a running job reads."
    )]
    Prune(PruneArgs),
    /// Remove one generation, whatever the settings ask for
    #[command(
        after_help = "Examples:\n  ghostctl images rm --dry-run john 20260123-142501-4f3a09c1\n  ghostctl images rm john 20260123-142501-4f3a09c1\n\nAsks you to type the host's name, unless --yes is given. Does not remove a generation that a running job reads."
    )]
    Rm(RemoveArgs),
    /// Look into a partition of a generation: restore it to a cache file and mount that, for reading only
    #[command(
        after_help = "Examples:\n  ghostctl images mount john /mnt\n  ghostctl images mount --generation 20260123-142501-4f3a09c1 --partition 2 john /mnt\n\nThe generation is not changed. Images that Norton Ghost made cannot be looked into. A process without rights reads the file system; only root sees its files. Compressed and encrypted files of NTFS cannot be read so.\n\nExit status: 0 if it is mounted."
    )]
    Mount(MountArgs),
    /// Unmount what `images mount` has mounted, and remove its cache file
    #[command(after_help = "Examples:\n  ghostctl images unmount /mnt")]
    Unmount {
        /// Where it is mounted
        folder: PathBuf,
    },
    /// Write a disk of a generation to a disk image that a virtual machine can boot
    #[command(
        after_help = "Examples:\n  ghostctl images export --format qcow2 john /var/lib/libvirt/images/john.qcow2\n  ghostctl images export --generation 20260123-142501-4f3a09c1 --format raw john john.img\n\nImages that Norton Ghost made cannot be exported."
    )]
    Export(ExportArgs),
}

#[derive(Debug, Clone, Args)]
pub struct DiskImageArgs {
    /// The client
    pub host: HostName,
    /// Which generation, by its name in `ghostctl images list`; the newest good one if this is left out or 'latest'
    #[arg(long, value_name = "GENERATION")]
    pub generation: Option<Generation>,
    /// Which of its disks, from 0
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub disk_number: u32,
}

#[derive(Debug, Clone, Args)]
pub struct MountArgs {
    #[command(flatten)]
    pub image: DiskImageArgs,
    /// Which partition, by its number; needed if several can be mounted
    #[arg(long, value_name = "NUMBER")]
    pub partition: Option<u32>,
    /// Have the kernel of this machine read the file system, as root. Other file systems than ext2, ext3, ext4, NTFS and FAT need it. A
    /// hostile client's file system may then attack the kernel
    #[arg(long)]
    pub kernel: bool,
    /// Where the cache file goes; it needs room for what the partition's files take
    #[arg(long, value_name = "FOLDER", default_value = crate::catalog::mounting::CACHE)]
    pub cache: PathBuf,
    /// Where to mount it
    pub folder: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    pub image: DiskImageArgs,
    /// The format of the file
    #[arg(long, value_enum)]
    pub format: crate::catalog::exporting::Format,
    /// The file, which must not be there yet
    pub file: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct RemoveArgs {
    /// The client
    pub host: HostName,
    /// The generation, by its name in `ghostctl images list`
    pub generation: Generation,
    /// Do not ask for confirmation
    #[arg(long)]
    pub yes: bool,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, Args)]
pub struct PruneArgs {
    /// Only these clients
    #[arg(value_name = "HOST")]
    pub hosts: Vec<HostName>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
}
