//! Whether a description can be believed: nothing is written to a disk by one that contradicts itself.

use serde::Deserialize;

use super::{Content, DiskImage, VERSION};

/// Why bytes are not the description of a disk's image.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    /// Not JSON, or a field is missing or of another type.
    #[error("the description of the image cannot be read")]
    Syntax(#[source] serde_json::Error),
    /// Written by a program with another format.
    #[error("the image has format version {found}, this program understands version {VERSION}")]
    Version {
        /// The version that it has.
        found: u64,
    },
    /// A region does not begin where the one before it ends.
    #[error("region {region} begins at byte {start}, the one before it ends at {expected}")]
    Gap {
        /// Which one, from 0.
        region: usize,
        /// Where it begins.
        start: u64,
        /// Where it should.
        expected: u64,
    },
    /// The regions are not the disk.
    #[error("the regions end at byte {end}, the disk at {size}")]
    Size {
        /// Where the last one ends.
        end: u64,
        /// The disk's size.
        size: u64,
    },
    /// A sector that no disk has.
    #[error("a disk has no sectors of {0} bytes")]
    Sector(u32),
    /// A region does not begin and end with a sector.
    #[error("region {0} is not made of whole sectors")]
    Sectors(usize),
    /// More or less is kept of a region than it holds.
    #[error("region {region} has {length} bytes, what is kept of it {kept}")]
    Length {
        /// Which one, from 0.
        region: usize,
        /// Its length.
        length: u64,
        /// What its content says.
        kept: u64,
    },
    /// A region belongs to a partition that is not in the table, or reaches out of it.
    #[error("region {region} is not within partition {partition}")]
    Partition {
        /// Which region, from 0.
        region: usize,
        /// The partition's number.
        partition: u32,
    },
    /// A name that is not one of a file in this folder, or that two pieces have.
    #[error("'{0}' cannot be the name of a piece")]
    Name(String),
}

/// Only what every version of the format has.
#[derive(Deserialize)]
struct AnyVersion {
    version: u64,
}

impl DiskImage {
    /// Reads a description. Fields that are not known are passed over.
    ///
    /// # Errors
    /// When it is no JSON, of another version, lacks something, or contradicts itself.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unsound> {
        let AnyVersion { version } = serde_json::from_slice(bytes).map_err(Unsound::Syntax)?;
        if version != u64::from(VERSION) {
            return Err(Unsound::Version { found: version });
        }
        let image: Self = serde_json::from_slice(bytes).map_err(Unsound::Syntax)?;
        image.check()?;
        Ok(image)
    }

    /// Whether it is of one piece.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Unsound> {
        let sector = self.disk.logical_sector;
        if !matches!(sector, 512 | 1024 | 2048 | 4096) {
            return Err(Unsound::Sector(sector));
        }
        self.check_regions(u64::from(sector))?;
        self.check_names()
    }

    fn check_regions(&self, sector: u64) -> Result<(), Unsound> {
        let mut expected = 0_u64;
        for (index, region) in self.regions.iter().enumerate() {
            let start = region.start;
            if start != expected {
                return Err(Unsound::Gap { region: index, start, expected });
            }
            if region.length == 0 || region.length % sector != 0 || start.checked_add(region.length).is_none()
            {
                return Err(Unsound::Sectors(index));
            }
            if let Some(number) = region.partition {
                let within = self.table.partitions.iter().any(|partition| {
                    partition.number == number && partition.start <= start && region.end() <= partition.end()
                });
                if !within {
                    return Err(Unsound::Partition { region: index, partition: number });
                }
            }
            let kept = match &region.content {
                Content::Partclone { total, used, .. } if used <= total => {
                    total.div_ceil(sector).saturating_mul(sector)
                }
                Content::Partclone { used, .. } => *used,
                Content::Raw { stream, .. } => stream.length,
                Content::Unused { .. } => region.length,
            };
            if kept != region.length {
                return Err(Unsound::Length { region: index, length: region.length, kept });
            }
            expected = region.end();
        }
        let size = self.disk.size;
        if expected == size { Ok(()) } else { Err(Unsound::Size { end: expected, size }) }
    }

    fn check_names(&self) -> Result<(), Unsound> {
        let mut names: Vec<&str> =
            self.streams().flat_map(|stream| &stream.pieces).map(|p| p.file.as_str()).collect();
        names.sort_unstable();
        if let Some([twice, _]) = names.windows(2).find(|pair| pair.first() == pair.last()) {
            return Err(Unsound::Name((*twice).to_owned()));
        }
        let plain = |name: &str| {
            let bytes = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
            bytes && !name.is_empty() && !name.starts_with('.')
        };
        match names.into_iter().find(|name| !plain(name)) {
            Some(name) => Err(Unsound::Name(name.to_owned())),
            None => Ok(()),
        }
    }
}
