//! How much of a disk is in its image, and why: one row a partition, one a logical volume, and one for what lies beside them.
//!
//! Calculated from the description alone, so that the imager and the server say the same.

use serde::{Deserialize, Serialize};

use super::{Content, DiskImage, RawReason, Region, UnusedReason};

/// How much of a partition or a logical volume is in an image, and why so much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPart {
    /// The partition's number; none for what stands beside partitions, or for a disk without a table.
    pub partition: Option<u32>,
    /// The logical volume's name, where it is one; what stands beside them has a row of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// The type that the table says.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// What was found in it, as blkid calls it.
    pub file_system: Option<String>,
    /// How long it is on the disk, in bytes.
    pub length: u64,
    /// What its file system uses, bytes; none where this is not known.
    pub used: Option<u64>,
    /// Bytes of the disk that are in the image.
    pub saved: u64,
    /// Bytes that are not in it though nothing says that they are free.
    pub left_out: u64,
    /// Why they are not; none where nothing is left out.
    #[serde(default)]
    pub left_out_because: Option<UnusedReason>,
    /// Bytes that could not be read, in whose place something else is in the image.
    pub unreadable: u64,
    /// Whether it is encrypted on the disk, and in the image as its key's owner sees it.
    #[serde(default)]
    pub decrypted: bool,
    /// How it was saved and why so, in words.
    pub how: String,
}

impl SavedPart {
    /// Where it is, in short: a partition's number, a logical volume's name, or `beside` them.
    pub fn place(&self) -> String {
        match (self.partition, &self.volume) {
            (None, None) => "beside".to_owned(),
            (None, Some(volume)) => volume.clone(),
            (Some(number), None) => number.to_string(),
            (Some(number), Some(volume)) => format!("{number} {volume}"),
        }
    }
}

impl DiskImage {
    /// What of the disk is in the image, in the order of its places, what stands beside the partitions last.
    pub fn saved(&self) -> Vec<SavedPart> {
        let mut parts: Vec<SavedPart> = Vec::new();
        for region in &self.regions {
            let name = region.volume.as_ref().map(|volume| &volume.name);
            let is_its =
                |part: &SavedPart| part.partition == region.partition && part.volume.as_ref() == name;
            let index = parts.iter().position(is_its);
            let index = index.unwrap_or_else(|| {
                parts.push(self.part(region));
                parts.len() - 1
            });
            if let Some(part) = parts.get_mut(index) {
                self.add(part, region);
            }
        }
        parts.sort_by_key(|part| part.partition.is_none());
        parts
    }

    fn part(&self, region: &Region) -> SavedPart {
        let partition = self.table.partitions.iter().find(|one| Some(one.number) == region.partition);
        let (kind, file_system) = match &region.volume {
            Some(volume) => (None, volume.file_system.clone()),
            None => (
                partition.map(|partition| partition.kind.clone()),
                partition.and_then(|partition| partition.file_system.clone()),
            ),
        };
        SavedPart {
            partition: region.partition,
            volume: region.volume.as_ref().map(|volume| volume.name.clone()),
            kind,
            file_system,
            length: 0,
            used: None,
            saved: 0,
            left_out: 0,
            left_out_because: None,
            unreadable: 0,
            decrypted: false,
            how: String::new(),
        }
    }

    fn add(&self, part: &mut SavedPart, region: &Region) {
        part.length += region.length;
        match &region.content {
            Content::Partclone { used, .. } => {
                part.used = Some(*used);
                part.saved += used;
            }
            Content::Raw { .. } => part.saved += region.length,
            Content::Unused { reason } => {
                part.left_out += region.length;
                part.left_out_because = Some(*reason);
            }
        }
        let within = |start: u64, length: u64| {
            let end = start.saturating_add(length).min(region.end());
            end.saturating_sub(start.max(region.start))
        };
        part.unreadable += self.bad_ranges.iter().map(|bad| within(bad.start, bad.length)).sum::<u64>();
        let is_decrypted = self.decrypted_around(region).is_some();
        part.decrypted |= is_decrypted;
        let how =
            if is_decrypted { format!("decrypted: {}", how(&region.content)) } else { how(&region.content) };
        if !part.how.split("; ").any(|known| known == how) {
            part.how += if part.how.is_empty() { "" } else { "; " };
            part.how += &how;
        }
    }
}

fn how(content: &Content) -> String {
    match content {
        Content::Partclone { tool, version, .. } => format!("used blocks, by {tool} {version}"),
        Content::Unused { reason: UnusedReason::Swap } => "what was swapped out is left out".to_owned(),
        Content::Unused { reason: UnusedReason::Unallocated } => {
            "the middle of gaps is left out, as ordered".to_owned()
        }
        Content::Unused { reason: UnusedReason::NotChosen } => "not among the chosen partitions".to_owned(),
        Content::Raw { reason, .. } => match reason {
            RawReason::BesidePartitions => "every byte beside the partitions".to_owned(),
            RawReason::BehindFileSystem => "every byte behind the file system".to_owned(),
            RawReason::VolumeGroup => "LVM's label and metadata".to_owned(),
            RawReason::BesideVolumes => "every byte beside the logical volumes".to_owned(),
            RawReason::EncryptionHeader => "LUKS's header".to_owned(),
            RawReason::SwapHeader => "the header of swap".to_owned(),
            RawReason::NoTool { found: Some(found) } => {
                format!("every byte: {found}, for which there is no tool")
            }
            RawReason::NoTool { found: None } => "every byte: nothing that is known".to_owned(),
            RawReason::Encrypted { found } => format!("every byte: encrypted ({found})"),
            RawReason::NotClean { state: why } | RawReason::ToolRefused { said: why } => {
                format!("every byte: {why}")
            }
            RawReason::NoTable { found } => {
                let found = found.as_deref().map_or_else(String::new, |found| format!(" but {found}"));
                format!("every byte: no partition table that is understood{found}")
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::image::{Content, Range, RawReason, UnusedReason, Volume};
    use crate::sample::disk_image;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_row_says_how_much_of_a_partition_is_in_the_image_and_why() {
        let mut image = disk_image();
        image.bad_ranges =
            vec![Range { start: 2 * MIB, length: 512 }, Range { start: 9 * MIB - 256, length: 512 }];
        let [ntfs, beside] = &image.saved()[..] else { panic!("{:?}", image.saved()) };
        assert_eq!(
            (ntfs.partition, ntfs.kind.as_deref(), ntfs.file_system.as_deref()),
            (Some(1), Some("7"), Some("ntfs"))
        );
        assert_eq!((ntfs.length, ntfs.used, ntfs.saved), (8 * MIB, Some(MIB), MIB + 512));
        assert_eq!((ntfs.left_out, ntfs.unreadable), (0, 768));
        assert_eq!(ntfs.how, "used blocks, by partclone.ntfs 0.3.36; every byte behind the file system");
        assert_eq!(
            (beside.partition, beside.length, beside.saved, beside.left_out),
            (None, 2 * MIB, MIB, MIB)
        );
        assert_eq!((ntfs.left_out_because, beside.left_out_because), (None, Some(UnusedReason::Unallocated)));
        assert_eq!(
            beside.how,
            "every byte beside the partitions; the middle of gaps is left out, as ordered"
        );
    }

    #[test]
    fn a_logical_volume_has_a_row_of_its_own() {
        let mut image = disk_image();
        let volume = Volume { name: "vg/root".to_owned(), file_system: Some("ntfs".to_owned()) };
        image.regions[1].volume = Some(volume);
        image.table.partitions[0].file_system = Some("LVM2_member".to_owned());
        if let crate::image::Content::Raw { reason, .. } = &mut image.regions[2].content {
            *reason = RawReason::BesideVolumes;
        }
        let rows = image.saved();
        let told: Vec<_> = rows.iter().map(|row| (row.place(), row.file_system.as_deref())).collect();
        let expected = [("1 vg/root", Some("ntfs")), ("1", Some("LVM2_member")), ("beside", None)];
        assert_eq!(told, expected.map(|(place, kind)| (place.to_owned(), kind)));
        assert_eq!((rows[0].used, rows[0].kind.as_deref()), (Some(MIB), None));
        assert_eq!((rows[1].used, rows[1].saved, rows[1].kind.as_deref()), (None, 512, Some("7")));
        assert_eq!(rows[1].how, "every byte beside the logical volumes");
    }

    #[test]
    fn the_image_of_a_part_says_which_partitions_it_holds() {
        let mut image = disk_image();
        assert_eq!(image.chosen(), None);
        for index in [0, 3] {
            image.regions[index].content = Content::Unused { reason: UnusedReason::NotChosen };
        }
        assert_eq!(image.chosen(), Some([1].into()));
        let [ntfs, beside] = &image.saved()[..] else { panic!("{:?}", image.saved()) };
        assert_eq!((ntfs.left_out, beside.left_out, beside.saved), (0, 2 * MIB, 0));
        assert_eq!(beside.how, "not among the chosen partitions");
    }

    #[test]
    fn the_rows_are_the_whole_disk() {
        let image = disk_image();
        assert_eq!(image.saved().iter().map(|part| part.length).sum::<u64>(), image.disk.size);
    }
}
