//! The manifest: what a generation consists of. One JSON file in its folder, written by the server only.
//!
//! Pure: bytes and values. `check` compares it with what is on the disk.
//!
//! Checksums are SHA-256 and not BLAKE3, although BLAKE3 is faster: an administrator can check an image with
//! `sha256sum`, which every system has, years from now and without this program:
//! `jq -r '.pieces[] | .sha256 + "  " + .path' manifest.json | sha256sum --check`.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use ghost_contract::checksum::Sha256;
use ghost_contract::order::Imager;
use ghost_contract::{Generation, HostName, JobId, MacAddress, Mode, UnixTime, layout};
use serde::{Deserialize, Serialize};

use super::disks::{DiskSummary, Pace};
use super::pieces::Piece;
pub(crate) use super::pieces::sum;
use crate::job::imager::Source;

/// The version of the format that this program writes and reads.
pub const VERSION: u32 = 1;

const UNREADABLE: &str = "the manifest cannot be read";

/// What a generation consists of and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format, [`VERSION`] when written.
    pub version: u32,
    /// Whose disk it is, by name …
    pub host: HostName,
    /// … and by hardware address.
    pub mac: MacAddress,
    /// The job that made it.
    pub job: JobId,
    pub mode: Mode,
    /// The imaging program and its settings.
    pub imager: Imager,
    pub started: UnixTime,
    pub ended: UnixTime,
    /// When the server read everything back.
    pub checked: UnixTime,
    /// The disks that it has images of; none where only the imaging program knows.
    #[serde(default)]
    pub disks: Vec<DiskSummary>,
    /// How fast it was made.
    #[serde(default)]
    pub pace: Pace,
    /// The sizes of all pieces together, bytes.
    pub bytes: u64,
    pub pieces: Vec<Piece>,
}

/// Only what every version of the format has.
#[derive(Deserialize)]
struct AnyVersion {
    version: u64,
}

impl Manifest {
    /// Reads the manifest of this host's generation. Fields that are not known are passed over.
    pub fn parse(bytes: &[u8], host: &HostName, generation: &Generation) -> anyhow::Result<Self> {
        let AnyVersion { version } = serde_json::from_slice(bytes).context(UNREADABLE)?;
        if version != u64::from(VERSION) {
            bail!("the manifest has format version {version}, this program understands version {VERSION}");
        }
        let manifest: Self = serde_json::from_slice(bytes).context(UNREADABLE)?;
        if manifest.host != *host || manifest.job.as_str() != generation.as_str() {
            bail!("the manifest is of {}'s generation {}", manifest.host, manifest.job);
        }
        Ok(manifest)
    }

    /// Whether it holds these partitions of its one disk; whether it holds all of its disks, if none is named.
    pub fn holds(&self, partitions: &BTreeSet<u32>) -> bool {
        let chosen = |disk: &DiskSummary| disk.chosen();
        match &*self.disks {
            disks if partitions.is_empty() => disks.iter().all(|disk| chosen(disk).is_none()),
            [disk] => chosen(disk).is_none_or(|held| partitions.is_subset(&held)),
            _ => true,
        }
    }

    /// The partitions that it holds of its one disk, if it does not hold all of it.
    pub fn parts(&self) -> Option<BTreeSet<u32>> {
        let [disk] = &*self.disks else { return None };
        disk.chosen()
    }

    /// The checksums of its disks' descriptions, which have those of all their pieces, `disk0` first.
    pub fn descriptions(&self) -> anyhow::Result<Vec<Sha256>> {
        let sum = |index| {
            let path = format!("{}/{}", layout::disk(index), layout::DISK_IMAGE);
            let piece = self.pieces.iter().find(|piece| piece.path == path);
            piece.map(|piece| piece.sha256).with_context(|| format!("the manifest has no {path}"))
        };
        (0..).take(self.disks.len()).map(sum).collect()
    }

    /// What a job that reads this generation has to know of it.
    pub fn source(&self) -> Source<'_> {
        Source { imager: &self.imager, disks: (!self.disks.is_empty()).then_some(self.disks.len()) }
    }

    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_refused_by_its_version_and_not_by_its_fields() {
        let (host, generation) = ("john".parse().unwrap(), "a".parse().unwrap());
        let error = Manifest::parse(b"{\"version\": 2}", &host, &generation).unwrap_err();
        assert!(error.to_string().contains("has format version 2, this program"), "{error}");
    }
}
