//! Checks that the description of an image does not contradict itself. Nothing is written to a disk by one that does.

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

use super::{Content, DiskImage, VERSION, VERSION_OF_DECRYPTED};

const UNREADABLE: &str = "the description of the image cannot be read";

/// Only what every version of the format has.
#[derive(Deserialize)]
struct AnyVersion {
    version: u64,
}

impl DiskImage {
    /// Reads a description. Fields that are not known are passed over.
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let AnyVersion { version } = serde_json::from_slice(bytes).context(UNREADABLE)?;
        ensure!(
            [VERSION, VERSION_OF_DECRYPTED].map(u64::from).contains(&version),
            "the image has format version {version}, this program understands version {VERSION_OF_DECRYPTED}"
        );
        let image: Self = serde_json::from_slice(bytes).context(UNREADABLE)?;
        image.check()?;
        Ok(image)
    }

    /// Whether it is of one piece.
    pub fn check(&self) -> anyhow::Result<()> {
        let sector = self.disk.logical_sector;
        ensure!(matches!(sector, 512 | 1024 | 2048 | 4096), "a disk has no sectors of {sector} bytes");
        self.check_regions(u64::from(sector))?;
        let (says, needs) = (self.version, self.version_it_needs());
        ensure!(
            says >= needs,
            "an image with decrypted places has format version {needs}, and this one says {says}"
        );
        if let Some(why) = self.contradicts_decryption() {
            bail!(why);
        }
        self.check_names()
    }

    fn check_regions(&self, sector: u64) -> anyhow::Result<()> {
        let mut expected = 0_u64;
        for (index, region) in self.regions.iter().enumerate() {
            let start = region.start;
            ensure!(
                start == expected,
                "region {index} begins at byte {start}, the one before it ends at {expected}"
            );
            let is_whole = region.length != 0 && region.length % sector == 0;
            ensure!(
                is_whole && start.checked_add(region.length).is_some(),
                "region {index} is not made of whole sectors"
            );
            if let Some(number) = region.partition {
                let within = self.table.partitions.iter().any(|partition| {
                    partition.number == number && partition.start <= start && region.end() <= partition.end()
                });
                ensure!(within, "region {index} is not within partition {number}");
            }
            let kept = match &region.content {
                Content::Partclone { total, used, .. } if used <= total => {
                    total.div_ceil(sector).saturating_mul(sector)
                }
                Content::Partclone { used, .. } => *used,
                Content::Raw { stream, .. } => stream.length,
                Content::Unused { .. } => region.length,
            };
            let length = region.length;
            ensure!(kept == length, "region {index} has {length} bytes, what is kept of it {kept}");
            expected = region.end();
        }
        let size = self.disk.size;
        ensure!(expected == size, "the regions end at byte {expected}, the disk at {size}");
        Ok(())
    }

    fn check_names(&self) -> anyhow::Result<()> {
        let mut names: Vec<&str> =
            self.streams().flat_map(|stream| &stream.pieces).map(|p| p.file.as_str()).collect();
        names.sort_unstable();
        let plain = |name: &str| {
            let bytes = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
            bytes && !name.is_empty() && !name.starts_with('.')
        };
        let twice = names.windows(2).find(|pair| pair.first() == pair.last()).map(|pair| pair[0]);
        match twice.or_else(|| names.iter().copied().find(|name| !plain(name))) {
            Some(name) => bail!("'{name}' cannot be the name of a piece"),
            None => Ok(()),
        }
    }
}
