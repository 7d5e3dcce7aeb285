//! Reading every byte of a stretch, also where the disk does not give all of them.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};
use ghost_contract::image::{OnReadError, Range};

use crate::board::Board;

const BUFFER: usize = 1 << 20;
/// Where that fails, so much at a time: no disk has larger sectors.
const FINE: u64 = 4096;

/// Why a stretch was not read.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
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
pub trait Source {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;
}

impl Source for File {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, position)
    }
}

/// Reads this stretch and hands it on; zeros stand where it cannot be read, if the order says so. Where that
/// was is given back.
pub fn read(
    disk: &impl Source,
    stretch: Range,
    on_error: OnReadError,
    board: &Board,
    mut taker: impl Write,
) -> Result<Vec<Range>> {
    let mut bad = Vec::new();
    let mut buffer = vec![0; BUFFER];
    let (mut at, end) = (stretch.start, stretch.start.saturating_add(stretch.length));
    while at < end {
        let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(BUFFER);
        let part = buffer.get_mut(..length).unwrap_or_default();
        if fill(disk, part, at).is_err() {
            rescue(disk, part, at, on_error, &mut bad)?;
        }
        taker.write_all(part).context("the compressor does not take what was read")?;
        board.add(length as u64);
        at += length as u64;
    }
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

/// Reads a part once more, in the smallest units, and notes those that the disk does not give.
fn rescue(
    disk: &impl Source,
    part: &mut [u8],
    start: u64,
    on_error: OnReadError,
    bad: &mut Vec<Range>,
) -> Result<(), RawError> {
    let mut at = start;
    for unit in part.chunks_mut(usize::try_from(FINE).unwrap_or(BUFFER)) {
        let length = unit.len() as u64;
        match (fill(disk, unit, at), on_error) {
            (Ok(()), _) => {}
            (Err(error @ RawError::Read { .. }), OnReadError::Rescue) => {
                drop(error);
                unit.fill(0);
                note(bad, Range { start: at, length });
            }
            (Err(error), _) => return Err(error),
        }
        at += length;
    }
    Ok(())
}

/// Adds a range; it grows the last one if it follows it.
pub fn note(bad: &mut Vec<Range>, range: Range) {
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
    fn a_rescue_goes_on_and_lists_where() {
        let (disk, mut read_bytes) = (disk(), Vec::new());
        let bad = read(&disk, ALL, OnReadError::Rescue, &Board::default(), &mut read_bytes).unwrap();
        assert_eq!(bad, [Range { start: (1 << 20) + 8192, length: 8192 }]);
        let place = (1 << 20) + 8192..(1 << 20) + 16384;
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
}
