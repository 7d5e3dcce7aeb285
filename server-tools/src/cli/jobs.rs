//! The flags of the verbs that run jobs, and what they ask for.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use ghost_contract::image::{DirtyNtfs, LargerDisk, OnReadError, RestoreCheck, SmallerDisk};
use ghost_contract::{DiskChoice, Generation};
use serde::{Deserialize, Serialize};

use super::LATEST;
use crate::fleet::{Member, Wanted};
use crate::job::imager::Wishes;
use crate::run::RunId;

#[derive(Debug, Clone, Args)]
pub struct JobArgs {
    /// The clients, by the names of their host entries in the DHCP configuration, or by patterns such as 'pc*'
    #[arg(required_unless_present_any = ["groups", "all", "resume"], value_name = "HOST")]
    pub hosts: Vec<Member>,
    /// The clients of a group: GROUP_NAME in ghostrc lists them. One that cannot have a job fails alone
    #[arg(long = "group", value_name = "NAME")]
    pub groups: Vec<String>,
    /// All clients of the DHCP configuration. One that cannot have a job fails alone
    #[arg(long, conflicts_with_all = ["hosts", "groups"])]
    pub all: bool,
    /// At most so many jobs at the same time, instead of PARALLEL in ghostrc
    #[arg(long, value_name = "NUMBER")]
    pub parallel: Option<NonZeroUsize>,
    /// Begin no job after this time of the day, such as 06:00; those that run end
    #[arg(long, value_name = "HH:MM")]
    pub until: Option<TimeOfDay>,
    /// How often a client that does not come up is tried again, instead of RETRIES in ghostrc
    #[arg(long, value_name = "NUMBER")]
    pub retries: Option<u32>,
    /// Take a run up again that was broken off: all its hosts that are not done ('ghostctl runs' lists the runs)
    #[arg(long, value_name = "RUN", conflicts_with_all = ["hosts", "groups", "all"])]
    pub resume: Option<RunId>,
    /// Go ahead even if the client is already on; a person must then reboot it by hand
    #[arg(long)]
    pub already_on: bool,
    /// Check everything, say what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// A time of the day, as the boot server's clock shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay {
    pub hour: u8,
    pub minute: u8,
}

impl FromStr for TimeOfDay {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str, below: u8| {
            let is_number = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number| is_number && *number < below)
        };
        let parts = text.split_once(':').filter(|(_, minute)| minute.len() == 2);
        let read = parts.and_then(|(hour, minute)| Some((number(hour, 24)?, number(minute, 60)?)));
        let (hour, minute) = read.ok_or("it must be a time of the day, from 00:00 to 23:59")?;
        Ok(Self { hour, minute })
    }
}

#[derive(Debug, Clone, Args)]
pub struct DiskArgs {
    /// Which disk: first, /dev/NAME, serial:NUMBER or size:500G, the only one of about that size
    #[arg(long, value_name = "DISK")]
    pub disk: Option<DiskChoice>,
    /// All disks that are built in
    #[arg(long, conflicts_with = "disk")]
    pub all_disks: bool,
}

#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    pub job: JobArgs,
    #[command(flatten)]
    pub disk: DiskArgs,
    /// Continue past places of the disk that cannot be read; the manifest lists them
    #[arg(long)]
    pub rescue: bool,
    /// What to do with an NTFS that Windows has not closed: refuse the backup, or save every byte of it (raw)
    #[arg(long, value_name = "CHOICE", value_parser = dirty_ntfs)]
    pub dirty_ntfs: Option<DirtyNtfs>,
    /// Look into LUKS partitions with the key in this file, as cryptsetup --key-file takes it: what is used of them is saved
    /// NOT ENCRYPTED. Without it they are saved encrypted, with every byte
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub luks_key: Option<PathBuf>,
    /// Save only these partitions, by their numbers, such as 2,3; the image holds a part of the disk then
    #[arg(long = "partition", value_name = "NUMBER", value_delimiter = ',', value_parser = partition, conflicts_with = "all_disks")]
    pub partitions: Vec<u32>,
}

#[derive(Debug, Clone, Args)]
pub struct GenerationArgs {
    #[command(flatten)]
    pub job: JobArgs,
    /// Which generation, by its name in `ghostctl images list`, or 'latest'
    #[arg(long, value_name = "GENERATION")]
    pub generation: Option<Generation>,
}

#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    pub generation: GenerationArgs,
    #[command(flatten)]
    pub disk: DiskArgs,
    /// On a larger disk, extend the last partition and its file system to the end
    #[arg(long)]
    pub grow: bool,
    /// On a disk that is too small, shrink a partition whose file system is NTFS or ext2/3/4 and whose files fit, and
    /// move the partitions behind it
    #[arg(long)]
    pub shrink: bool,
    /// Do not read the whole image before writing: damage in it is then found only when the disk is half written
    #[arg(long)]
    pub skip_check: bool,
    /// The key of LUKS partitions that were saved with their key: what was in them is encrypted again
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub luks_key: Option<PathBuf>,
    /// Write back only these partitions, such as 2,3, into a table that has them in the same places with the same types;
    /// everything else on the disk stays as it is
    #[arg(long = "partition", value_name = "NUMBER", value_delimiter = ',', value_parser = partition, conflicts_with_all = ["all_disks", "grow", "shrink"])]
    pub partitions: Vec<u32>,
    /// Do not ask for confirmation
    #[arg(long)]
    pub yes: bool,
}

/// What a job is asked for besides its mode and its hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Which generation; the newest one if none is named.
    pub generation: Option<Generation>,
    pub wishes: Wishes,
}

impl JobArgs {
    pub fn wanted(&self) -> Wanted<'_> {
        Wanted { members: &self.hosts, groups: &self.groups, all: self.all }
    }
}

impl DiskArgs {
    fn choice(&self) -> Option<DiskChoice> {
        if self.all_disks { Some(DiskChoice::All) } else { self.disk.clone() }
    }
}

impl BackupArgs {
    pub fn asked(&self) -> Asked {
        let wishes = Wishes {
            disk: self.disk.choice(),
            on_read_error: self.rescue.then_some(OnReadError::Rescue),
            dirty_ntfs: self.dirty_ntfs,
            luks_key: self.luks_key.clone(),
            partitions: self.partitions.iter().copied().collect(),
            ..Wishes::default()
        };
        Asked { generation: None, wishes }
    }
}

impl GenerationArgs {
    pub fn asked(&self) -> Asked {
        let named = self.generation.clone().filter(|named| named.as_str() != LATEST);
        Asked { generation: named, wishes: Wishes::default() }
    }
}

impl RestoreArgs {
    pub fn asked(&self) -> Asked {
        let wishes = Wishes {
            disk: self.disk.choice(),
            larger_disk: self.grow.then_some(LargerDisk::Grow),
            smaller_disk: self.shrink.then_some(SmallerDisk::Shrink),
            restore_check: self.skip_check.then_some(RestoreCheck::Skip),
            luks_key: self.luks_key.clone(),
            partitions: self.partitions.iter().copied().collect(),
            ..Wishes::default()
        };
        Asked { wishes, ..self.generation.asked() }
    }
}

fn partition(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|&number| number > 0).ok_or("partitions have numbers from 1 on")
}

fn dirty_ntfs(text: &str) -> Result<DirtyNtfs, &'static str> {
    DirtyNtfs::parse(text).ok_or("refuse and raw are the choices")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_day_is_read_and_nonsense_is_refused() {
        let read = |text: &str| text.parse::<TimeOfDay>().map(|time| (time.hour, time.minute));
        assert_eq!(read("06:00"), Ok((6, 0)));
        assert_eq!(read("6:05"), Ok((6, 5)));
        assert_eq!(read("23:59"), Ok((23, 59)));
        for nonsense in
            ["", "6", "24:00", "06:60", "6:5", "+6:00", "06:00:00", "-1:00", "six", "06:+5", ":00"]
        {
            assert!(read(nonsense).is_err(), "{nonsense}");
        }
    }
}
