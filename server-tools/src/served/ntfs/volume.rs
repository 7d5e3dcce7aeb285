//! The file system's own form on the disk: records, attributes, and which clusters belong to them. All of it is a client's, so
//! each number is looked at before it is used.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::super::bytes::{broken, u16_at, u32_at, u64_at};
use super::attribute::{self, ATTRIBUTE_LIST, Attribute, DATA, Value};

/// A number of a record has so many bits; above is how often that was used.
pub(super) const RECORD_BITS: u64 = (1 << 48) - 1;
/// Each so many bytes of a record end in its check number.
const STRIDE: usize = 512;
const CLUSTERS: std::ops::RangeInclusive<u64> = 512..=2 << 20;
const RECORDS: std::ops::RangeInclusive<u64> = 512..=64 << 10;
/// How many records the attributes of one file may be spread over.
const MOST_RECORDS: usize = 4_096;

pub(super) struct Volume {
    file: File,
    cluster: u64,
    record: u64,
    /// Where the records are.
    records: Value,
}

impl Volume {
    pub(super) fn open(file: File) -> io::Result<Self> {
        let mut boot = [0; 512];
        file.read_exact_at(&mut boot, 0)?;
        if boot.get(3..11) != Some(b"NTFS    ") {
            return Err(broken());
        }
        let sectors = u64::from(boot[0x0d]);
        // Large clusters are written as a power of two.
        let sectors = if sectors > 0x80 { power(256 - sectors)? } else { sectors };
        let cluster = u64::from(u16_at(&boot, 0x0b)?).checked_mul(sectors).ok_or_else(broken)?;
        let size = boot[0x40].cast_signed();
        let record = match u64::try_from(size) {
            Ok(clusters) => clusters.checked_mul(cluster).ok_or_else(broken)?,
            Err(_) => power(u64::from(size.unsigned_abs()))?,
        };
        if !CLUSTERS.contains(&cluster) || !RECORDS.contains(&record) || !record.is_power_of_two() {
            return Err(broken());
        }
        let first = u64_at(&boot, 0x30)?.checked_mul(cluster).ok_or_else(broken)?;
        let mut volume = Self { file, cluster, record, records: Value::empty() };
        let bytes = volume.whole(first, volume.record, b"FILE")?;
        volume.find_records(&bytes)?;
        Ok(volume)
    }

    /// The table of records is a file, whose first record says where the others are.
    fn find_records(&mut self, first: &[u8]) -> io::Result<()> {
        let own = attribute::all(first)?;
        let listed = own.iter().find(|one| one.kind == ATTRIBUTE_LIST).map(|one| self.listed(one, 0));
        let is_data = |one: &Attribute| one.kind == DATA && one.name.is_empty();
        let mut parts: Vec<Attribute> = own.into_iter().filter(is_data).collect();
        self.records = attribute::joined(parts.clone())?.value;
        // What is listed next is within what is known by now.
        for number in listed.transpose()?.unwrap_or_default() {
            parts.extend(self.attributes_of(number, 0)?.into_iter().filter(is_data));
            self.records = attribute::joined(parts.clone())?.value;
        }
        Ok(())
    }

    /// All attributes of a file, also those in other records than its own; the parts of each joined.
    pub(super) fn attributes(&self, number: u64) -> io::Result<Vec<Attribute>> {
        let bytes = self.record(number)?;
        let mut parts = attribute::all(&bytes)?;
        if let Some(list) = parts.iter().find(|one| one.kind == ATTRIBUTE_LIST) {
            for other in self.listed(list, number)? {
                parts.extend(self.attributes_of(other, number)?);
            }
        }
        let mut joined: Vec<Attribute> = Vec::new();
        while let Some(first) = parts.first() {
            let (kind, name) = (first.kind, first.name.clone());
            let (same, others) = parts.into_iter().partition(|one| one.kind == kind && one.name == name);
            joined.push(attribute::joined(same)?);
            parts = others;
        }
        Ok(joined)
    }

    /// The record of a file or folder that is there.
    pub(super) fn record(&self, number: u64) -> io::Result<Vec<u8>> {
        let offset = number.checked_mul(self.record).ok_or_else(broken)?;
        let length = usize::try_from(self.record).map_err(|_| broken())?;
        let bytes = self.read(&self.records, offset, length)?;
        if bytes.len() < length {
            return Err(super::super::missing());
        }
        let bytes = mended(bytes, b"FILE")?;
        let is_in_use = u16_at(&bytes, 0x16)? & 1 == 1;
        if is_in_use { Ok(bytes) } else { Err(super::super::missing()) }
    }

    fn attributes_of(&self, number: u64, base: u64) -> io::Result<Vec<Attribute>> {
        let bytes = self.record(number)?;
        if u64_at(&bytes, 0x20)? & RECORD_BITS != base {
            return Err(broken());
        }
        attribute::all(&bytes)
    }

    /// The other records that the attributes of a file are in.
    fn listed(&self, list: &Attribute, own: u64) -> io::Result<Vec<u64>> {
        let size = usize::try_from(list.value.size()).map_err(|_| broken())?;
        let bytes = self.read(&list.value, 0, size.min(attribute::LARGEST_LIST))?;
        let (mut numbers, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let length = usize::from(u16_at(&bytes, at + 4)?);
            let number = u64_at(&bytes, at + 16)? & RECORD_BITS;
            if length < 26 {
                return Err(broken());
            }
            if number != own && !numbers.contains(&number) {
                numbers.push(number);
            }
            if numbers.len() > MOST_RECORDS {
                return Err(broken());
            }
            at += length;
        }
        Ok(numbers)
    }

    /// Fewer bytes only where the value ends.
    pub(super) fn read(&self, value: &Value, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(value.size().saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(left)];
        let (mut at, mut rest) = (offset, bytes.as_mut_slice());
        while !rest.is_empty() {
            let (place, fits) = value.place(at, self.cluster)?;
            let fits = usize::try_from(fits).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at_mut(fits);
            match place {
                attribute::Place::Here(resident) => {
                    now.copy_from_slice(resident.get(..fits).ok_or_else(broken)?)
                }
                attribute::Place::OnDisk(position) => self.file.read_exact_at(now, position)?,
                attribute::Place::Nowhere => {}
            }
            at += u64::try_from(fits).map_err(|_| broken())?;
            rest = later;
        }
        Ok(bytes)
    }

    fn whole(&self, position: u64, length: u64, mark: &[u8]) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| broken())?];
        self.file.read_exact_at(&mut bytes, position)?;
        mended(bytes, mark)
    }
}

/// A record as it was before it was written: the last two bytes of each stretch stand at its head meanwhile, so that a torn one is
/// noticed.
pub(super) fn mended(mut bytes: Vec<u8>, mark: &[u8]) -> io::Result<Vec<u8>> {
    if bytes.get(..4) != Some(mark) {
        return Err(broken());
    }
    let (begin, count) = (usize::from(u16_at(&bytes, 4)?), usize::from(u16_at(&bytes, 6)?));
    let check = u16_at(&bytes, begin)?;
    if count != bytes.len() / STRIDE + 1 {
        return Err(broken());
    }
    for number in 1..count {
        let (end, was) = (number * STRIDE - 2, u16_at(&bytes, begin + 2 * number)?);
        if u16_at(&bytes, end)? != check {
            return Err(broken());
        }
        bytes.get_mut(end..end + 2).ok_or_else(broken)?.copy_from_slice(&was.to_le_bytes());
    }
    Ok(bytes)
}

fn power(exponent: u64) -> io::Result<u64> {
    u32::try_from(exponent).ok().and_then(|exponent| 1_u64.checked_shl(exponent)).ok_or_else(broken)
}

pub(super) fn index_blocks(bytes: &[u8]) -> io::Result<u64> {
    let size = u64::from(u32_at(bytes, 8)?);
    if RECORDS.contains(&size) && size.is_power_of_two() { Ok(size) } else { Err(broken()) }
}
