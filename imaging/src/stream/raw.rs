//! Reading every byte of a stretch, also where the disk does not give all of them.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};
use ghost_contract::image::{OnReadError, Range};

use super::compressor::Compressor;
use crate::board::Board;
use crate::sys::{direct, zero};

const BUFFER: usize = 1 << 20;
/// Where that fails, so much at a time: a page of the kernel's cache.
const FINE: usize = 4096;
/// … and where that fails, a sector. A disk with larger ones gives none of those that are in a bad one.
const SECTOR: usize = 512;

/// Why a stretch was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RawError {
    /// The disk does not give it.
    #[error("the disk cannot be read at byte {position}")]
    Read {
        position: u64,
        #[source]
        source: io::Error,
    },
    /// It is shorter than it was.
    #[error("the disk ends at byte {0}, within what is to be read")]
    End(u64),
}

/// Something that can be read at a position; a disk that is going to fail in tests.
pub(crate) trait Source {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// Reads exactly these bytes, without read-ahead.
    fn read_alone(&self, buffer: &mut [u8], position: u64) -> io::Result<()>;

    /// The first byte from this one on that is not known to be zero without reading it.
    fn next_data(&self, position: u64) -> u64 {
        position
    }
}

impl Source for File {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, position)
    }

    fn read_alone(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        direct::read(self, buffer, position)
    }

    fn next_data(&self, position: u64) -> u64 {
        zero::next_data(self, position)
    }
}

/// Takes what is read.
pub(crate) trait Sink: Write {
    fn zeros(&mut self, length: u64) -> io::Result<()>;
}

impl Sink for &mut Compressor {
    fn zeros(&mut self, length: u64) -> io::Result<()> {
        Compressor::zeros(self, length)
    }
}

/// Reads this stretch and hands it on; zeros stand where it cannot be read, if the order says so. Where that
/// was is given back.
pub(crate) fn read(
    disk: &impl Source,
    stretch: Range,
    on_error: OnReadError,
    board: &Board,
    mut taker: impl Sink,
) -> Result<Vec<Range>> {
    const NOT_TAKEN: &str = "the compressor does not take what was read";
    let mut bad = Vec::new();
    let mut buffer = vec![0; BUFFER];
    let (mut at, end) = (stretch.start, stretch.start.saturating_add(stretch.length));
    let (mut data, mut zeros) = (at, 0);
    while at < end {
        let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(BUFFER);
        if data <= at {
            data = disk.next_data(at);
        }
        let part = buffer.get_mut(..length).unwrap_or_default();
        let is_hole = at + length as u64 <= data;
        if !is_hole && fill(disk, part, at).is_err() {
            rescue(disk, part, at, on_error, &mut bad)?;
        }
        if is_hole || zero::is_zero(part) {
            zeros += length as u64;
        } else {
            taker.zeros(std::mem::take(&mut zeros)).context(NOT_TAKEN)?;
            taker.write_all(part).context(NOT_TAKEN)?;
        }
        board.add(length as u64);
        at += length as u64;
    }
    taker.zeros(zeros).context(NOT_TAKEN)?;
    Ok(bad)
}

fn fill(disk: &impl Source, mut part: &mut [u8], mut at: u64) -> Result<(), RawError> {
    while !part.is_empty() {
        match disk.read_at(part, at) {
            Ok(0) => return Err(RawError::End(at)),
            Ok(read) => {
                part = part.get_mut(read..).unwrap_or_default();
                at += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(RawError::Read { position: at, source }),
        }
    }
    Ok(())
}

/// Reads a part once more in smaller units, and in those that fail sector by sector: what the disk does not give is noted,
/// or ends it.
fn rescue(
    disk: &impl Source,
    part: &mut [u8],
    start: u64,
    on_error: OnReadError,
    bad: &mut Vec<Range>,
) -> Result<(), RawError> {
    let mut at = start;
    for unit in part.chunks_mut(FINE) {
        match fill(disk, unit, at) {
            Err(RawError::Read { source, .. }) => match on_error {
                OnReadError::Rescue => rescue_sectors(disk, unit, at, bad),
                OnReadError::Fail => return Err(first_bad_sector(disk, unit, at, source)),
            },
            other => other?,
        }
        at += unit.len() as u64;
    }
    Ok(())
}

fn rescue_sectors(disk: &impl Source, unit: &mut [u8], start: u64, bad: &mut Vec<Range>) {
    for (sector, at) in unit.chunks_mut(SECTOR).zip((start..).step_by(SECTOR)) {
        if disk.read_alone(sector, at).is_err() {
            sector.fill(0);
            note(bad, Range { start: at, length: sector.len() as u64 });
        }
    }
}

/// The error with the place of the first sector that the disk does not give; that of all of them if each is given alone.
fn first_bad_sector(disk: &impl Source, unit: &mut [u8], start: u64, source: io::Error) -> RawError {
    let mut sectors = unit.chunks_mut(SECTOR).zip((start..).step_by(SECTOR));
    let position = sectors.find_map(|(sector, at)| disk.read_alone(sector, at).is_err().then_some(at));
    RawError::Read { position: position.unwrap_or(start), source }
}

/// Adds a range; it grows the last one if it follows it.
pub(crate) fn note(bad: &mut Vec<Range>, range: Range) {
    match bad.last_mut() {
        Some(last) if last.start + last.length == range.start => last.length += range.length,
        _ => bad.push(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cannot be read in one place.
    struct Bad {
        bytes: Vec<u8>,
        place: std::ops::Range<u64>,
    }

    impl Source for Bad {
        fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
            let end = position + buffer.len() as u64;
            if position < self.place.end && self.place.start < end {
                return Err(io::Error::from_raw_os_error(5));
            }
            let from = usize::try_from(position).unwrap();
            buffer.copy_from_slice(&self.bytes[from..from + buffer.len()]);
            Ok(buffer.len())
        }

        fn read_alone(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
            self.read_at(buffer, position).map(drop)
        }
    }

    impl Sink for io::Sink {
        fn zeros(&mut self, _: u64) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink for &mut Vec<u8> {
        fn zeros(&mut self, length: u64) -> io::Result<()> {
            self.resize(self.len() + usize::try_from(length).unwrap(), 0);
            Ok(())
        }
    }

    fn disk() -> Bad {
        let bytes = (0..3_u32 << 20).map(|n| u8::try_from(n % 251).unwrap()).collect();
        Bad { bytes, place: (1 << 20) + 8192..(1 << 20) + 8192 + 5000 }
    }

    const ALL: Range = Range { start: 0, length: 3 << 20 };

    #[test]
    fn a_read_error_ends_it_and_says_where() {
        let error = read(&disk(), ALL, OnReadError::Fail, &Board::default(), io::sink()).unwrap_err();
        assert_eq!(error.to_string(), format!("the disk cannot be read at byte {}", (1 << 20) + 8192));
    }

    #[test]
    fn a_rescue_goes_on_and_lists_the_sectors() {
        let (disk, mut read_bytes) = (disk(), Vec::new());
        let bad = read(&disk, ALL, OnReadError::Rescue, &Board::default(), &mut read_bytes).unwrap();
        // 5000 bytes are in ten sectors; the rest of their pages is read.
        assert_eq!(bad, [Range { start: (1 << 20) + 8192, length: 5120 }]);
        let place = (1 << 20) + 8192..(1 << 20) + 8192 + 5120;
        assert!(read_bytes[place.clone()].iter().all(|&byte| byte == 0));
        assert_eq!(read_bytes[..place.start], disk.bytes[..place.start]);
        assert_eq!(read_bytes[place.end..], disk.bytes[place.end..]);
    }

    #[test]
    fn a_disk_that_ends_early_is_an_error_even_in_a_rescue() {
        let short = tempfile::tempfile().unwrap();
        short.set_len(1 << 20).unwrap();
        let error = read(&short, ALL, OnReadError::Rescue, &Board::default(), io::sink()).unwrap_err();
        assert_eq!(error.to_string(), "the disk ends at byte 1048576, within what is to be read");
    }

    #[test]
    fn holes_and_zeros_are_handed_on_as_what_they_are() {
        let (file, mut read_bytes) = (tempfile::tempfile().unwrap(), Vec::new());
        file.set_len((300 << 20) + 1000).unwrap();
        // Beside a hole, zeros that are there; and bytes where parts begin and end.
        for (at, byte) in [(0, 1), ((1 << 20) - 1, 2), (5 << 20, 0), (200 << 20, 3), ((300 << 20) + 999, 4)] {
            file.write_all_at(&[byte], at).unwrap();
        }
        let all = Range { start: 0, length: (300 << 20) + 1000 };
        let board = Board::default();
        read(&file, all, OnReadError::Fail, &board, &mut read_bytes).unwrap();
        assert_eq!((read_bytes.len() as u64, board.done()), (all.length, all.length));
        let found: Vec<_> = read_bytes
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte != 0)
            .map(|(at, byte)| (at, *byte))
            .collect();
        assert_eq!(found, [(0, 1), ((1 << 20) - 1, 2), (200 << 20, 3), ((300 << 20) + 999, 4)]);
    }
}
