//! The command line of `ghost-imager`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Backs up, checks and restores disks to and from a folder.
#[derive(Debug, Parser)]
#[command(name = "ghost-imager", version, arg_required_else_help = true)]
pub struct Cli {
    /// What is to be done.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Save disks to a folder, each to disk0, disk1, … in it.
    Backup(WithDisks),
    /// Check what is in a folder against itself.
    Check(Files),
    /// Write what is in a folder back to disks, disk0 to the first one that is named. THEIR CONTENT IS LOST.
    Restore(ToRestore),
}

/// The files of every verb.
#[derive(Debug, Args)]
pub struct Files {
    /// The folder of the images.
    #[arg(long, value_name = "DIR")]
    pub image: PathBuf,
    /// The settings of the order, as JSON; their defaults without it.
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Where to write every second how far it is, as JSON.
    #[arg(long, value_name = "FILE")]
    pub progress: Option<PathBuf>,
    /// Where to write at the end how it ended, as JSON.
    #[arg(long, value_name = "FILE")]
    pub result: Option<PathBuf>,
}

/// With the disks.
#[derive(Debug, Args)]
pub struct WithDisks {
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// A disk, /dev/sda; may be given several times.
    #[arg(long = "disk", value_name = "DEVICE", required = true)]
    pub disks: Vec<PathBuf>,
    /// The key of LUKS containers, as cryptsetup --key-file takes it: their content is saved decrypted, used blocks only,
    /// and encrypted again when it is restored.
    #[arg(long, value_name = "FILE")]
    pub luks_key: Option<PathBuf>,
}

/// With the disks, and room.
#[derive(Debug, Args)]
pub struct ToRestore {
    /// The disks.
    #[command(flatten)]
    pub with: WithDisks,
    /// A folder with room for what a partition holds that is shrunk in it for a smaller disk.
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
}

impl Verb {
    /// The word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Backup(_) => "backup",
            Self::Check(_) => "check",
            Self::Restore(_) => "restore",
        }
    }

    /// How many disks it is about, as far as they are named.
    pub const fn disks(&self) -> usize {
        match self {
            Self::Backup(with) | Self::Restore(ToRestore { with, .. }) => with.disks.len(),
            Self::Check(_) => 0,
        }
    }

    /// Its files.
    pub const fn files(&self) -> &Files {
        match self {
            Self::Backup(with) => &with.files,
            Self::Check(files) => files,
            Self::Restore(restore) => &restore.with.files,
        }
    }
}
