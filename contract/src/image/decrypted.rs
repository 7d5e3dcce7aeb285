//! What of an encrypted disk is in its image without the encryption.

use serde::{Deserialize, Serialize};

use super::{Content, DiskImage, Range, Region};

/// A LUKS container that was opened with the administrator's key. What it holds is kept as its key's owner sees it: the image
/// protects it no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decrypted {
    /// All of it on the disk. Its header is in front, and kept byte for byte.
    pub container: Range,
    /// What the key opens. Regions in it hold decrypted bytes, the n-th of which is the n-th of this range.
    pub inside: Range,
}

impl Range {
    /// The first byte behind it.
    pub const fn end(&self) -> u64 {
        self.start.saturating_add(self.length)
    }

    /// Whether all of another one is within it.
    pub const fn holds(&self, other: Self) -> bool {
        self.start <= other.start && other.end() <= self.end()
    }
}

impl Region {
    /// Where it is on the disk.
    pub const fn range(&self) -> Range {
        Range { start: self.start, length: self.length }
    }
}

impl DiskImage {
    /// The container in which this region was found decrypted, if it was.
    pub fn decrypted_around(&self, region: &Region) -> Option<&Decrypted> {
        self.decrypted.iter().find(|one| one.inside.holds(region.range()))
    }

    /// Why what it says of decrypted places contradicts itself, if it does.
    pub(super) fn contradicts_decryption(&self) -> Option<&'static str> {
        let mut end = 0;
        for one in &self.decrypted {
            let Decrypted { container, inside } = one;
            // Without a header in front it could not be opened; and every byte that the key does not reach is kept.
            if container.start < end
                || !container.holds(*inside)
                || inside.start == container.start
                || inside.length == 0
            {
                return Some("a decrypted place is not within a container of its own");
            }
            end = container.end();
            if container.end() > self.disk.size {
                return Some("an encrypted container reaches beyond the disk");
            }
            let touches = |region: &&Region| region.start < container.end() && container.start < region.end();
            let holds = |region: &Region| {
                let is_raw = matches!(region.content, Content::Raw { .. });
                inside.holds(region.range())
                    || (is_raw && container.holds(region.range()) && !overlap(region.range(), *inside))
            };
            if !self.regions.iter().filter(touches).all(holds) {
                return Some("a region is in a decrypted place and beside it");
            }
            if !self.regions.iter().any(|region| region.start == container.start) {
                return Some("an encrypted container has no header");
            }
        }
        None
    }
}

const fn overlap(one: Range, other: Range) -> bool {
    one.start < other.end() && other.start < one.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::disk_image;

    const MIB: u64 = 1 << 20;

    /// An image whose partition is a container with a header of a MiB, and an NTFS in it.
    fn image() -> DiskImage {
        let mut image = disk_image();
        let container = Range { start: MIB, length: 8 * MIB };
        image.decrypted = vec![Decrypted { container, inside: Range { start: 2 * MIB, length: 7 * MIB } }];
        let mut header = image.regions[0].clone();
        (header.start, header.partition) = (MIB, Some(1));
        if let Content::Raw { stream, .. } = &mut header.content {
            stream.pieces[0].file = "01-luks.raw.zst.000".to_owned();
        }
        (image.regions[1].start, image.regions[1].length) = (2 * MIB, 7 * MIB - 512);
        if let Content::Partclone { total, .. } = &mut image.regions[1].content {
            *total = 7 * MIB - 512;
        }
        image.regions.insert(1, header);
        image.version = image.version_it_needs();
        image
    }

    fn refused(change: impl FnOnce(&mut DiskImage)) -> String {
        let mut image = image();
        change(&mut image);
        DiskImage::parse(image.to_json().unwrap().as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn it_is_read_back_as_it_was_and_says_what_is_decrypted() {
        let image = image();
        assert_eq!(DiskImage::parse(image.to_json().unwrap().as_bytes()).unwrap(), image);
        let decrypted: Vec<bool> =
            image.regions.iter().map(|region| image.decrypted_around(region).is_some()).collect();
        assert_eq!(decrypted, [false, false, true, true, false]);
        let [partition, beside] = &image.saved()[..] else { panic!() };
        assert!(partition.decrypted && !beside.decrypted);
        assert!(
            partition.how.contains("decrypted: used blocks, by partclone.ntfs 0.3.36"),
            "{}",
            partition.how
        );
    }

    #[test]
    fn a_program_that_does_not_know_of_decryption_refuses_it() {
        assert_eq!((disk_image().version_it_needs(), image().version), (1, 2));
        let said = refused(|image| image.version = 1);
        assert_eq!(said, "an image with decrypted places has format version 2, and this one says 1");
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(
            refused(|image| image.decrypted[0].inside.start -= MIB)
                .contains("not within a container of its own")
        );
        assert!(
            refused(|image| image.decrypted[0].inside.length += MIB)
                .contains("not within a container of its own")
        );
        assert!(
            refused(|image| image.decrypted[0].inside.length -= 256)
                .contains("in a decrypted place and beside it")
        );
        assert!(
            refused(|image| image.decrypted[0].inside.start -= 512)
                .contains("in a decrypted place and beside it")
        );
        assert!(refused(|image| image.decrypted[0].container.length += 2 * MIB).contains("beyond the disk"));
        let header = refused(|image| {
            image.regions[1].content = Content::Unused { reason: crate::image::UnusedReason::Swap }
        });
        assert!(header.contains("in a decrypted place and beside it"), "{header}");
    }
}
