//! A disk that is zeros but for some patches, so that a short input has a superblock far behind its beginning.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Places are counted in units of so many bytes.
const UNIT: u64 = 16;
/// No disk is larger.
const LARGEST: u64 = 64 << 20;
/// Reads of more than so many bytes in all fail, as on a disk that breaks: the zeros cost time and tell nothing new. Longer tables and
/// bitmaps are left to the tests of the readers.
const READ: usize = 256 << 10;

/// Patches stand in the input one behind the other: four bytes with the place, two with the length, and then so many bytes, or
/// those that are left. The disk ends with the last of its patches.
pub(crate) struct Patched<'a> {
    patches: Vec<(u64, &'a [u8])>,
    pub(crate) length: u64,
    left: Cell<usize>,
}

impl<'a> Patched<'a> {
    pub(crate) fn of(mut input: &'a [u8]) -> Self {
        let mut patches = Vec::new();
        while let Some((head, rest)) = input.split_first_chunk::<6>() {
            let place = u64::from(u32::from_le_bytes([head[0], head[1], head[2], head[3]])) * UNIT;
            let length = usize::from(u16::from_le_bytes([head[4], head[5]])).min(rest.len());
            let (bytes, rest) = rest.split_at(length);
            patches.push((place % LARGEST, bytes));
            input = rest;
        }
        let ends = patches.iter().map(|(place, bytes)| place + bytes.len() as u64);
        let length = ends.max().unwrap_or(0).min(LARGEST);
        Self { patches, length, left: Cell::new(READ) }
    }

    pub(crate) fn read(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let end = at.checked_add(length as u64).filter(|end| *end <= self.length);
        let left = self.left.get().checked_sub(length);
        let (Some(end), Some(left)) = (end, left) else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        self.left.set(left);
        let mut bytes = vec![0; length];
        for (place, patch) in &self.patches {
            let (from, to) = (at.max(*place), end.min(place + patch.len() as u64));
            if from < to {
                let within = |start: u64| range(from - start, to - start);
                bytes[within(at)].copy_from_slice(&patch[within(*place)]);
            }
        }
        Ok(bytes)
    }

    /// Makes a file the disk.
    pub(crate) fn write_to(&self, file: &File) -> io::Result<()> {
        file.set_len(0)?;
        file.set_len(self.length)?;
        for (place, patch) in &self.patches {
            let fits = usize::try_from(self.length - place).unwrap_or(usize::MAX).min(patch.len());
            file.write_all_at(&patch[..fits], *place)?;
        }
        Ok(())
    }
}

fn range(from: u64, to: u64) -> std::ops::Range<usize> {
    usize::try_from(from).unwrap_or(usize::MAX)..usize::try_from(to).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_input_has_bytes_far_behind_its_beginning() {
        let input = [&[0, 16, 0, 0, 3, 0][..], b"far", &[0, 0, 0, 0, 200, 0], b"near"].concat();
        let disk = Patched::of(&input);
        assert_eq!(disk.length, 65_539);
        assert_eq!(disk.read(65_535, 4).unwrap(), b"\0far");
        assert_eq!(disk.read(0, 5).unwrap(), b"near\0");
        assert!(disk.read(65_536, 4).is_err());
        let file = tempfile::tempfile().unwrap();
        disk.write_to(&file).unwrap();
        let mut whole = vec![1; 65_539];
        file.read_exact_at(&mut whole, 0).unwrap();
        assert_eq!((&whole[..5], &whole[65_535..]), (&b"near\0"[..], &b"\0far"[..]));
    }

    #[test]
    fn what_is_read_has_an_end() {
        let disk = Patched::of(&[255, 255, 1, 0, 1, 0, 7]);
        assert!((0..100).any(|_| disk.read(0, 1 << 20).is_err()));
    }
}
