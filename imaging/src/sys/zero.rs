//! Zeros on a disk: told from other bytes fast, and written without being sent where the kernel can do so.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;

/// Compared at a time. These zeros are a part of the program's file, so there are few.
const COMPARED: usize = 64 << 10;
static ZEROS: [u8; COMPARED] = [0; COMPARED];
/// Written at a time.
const PART: usize = 1 << 20;
/// So many are made by one call, so that a signal to end takes effect between two calls.
const STRIDE: u64 = 1 << 30;

/// Whether all of these are zeros.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    // Comparing slices is the C library's memcmp, some 10 GB/s.
    bytes.chunks(COMPARED).all(|part| ZEROS.get(..part.len()).is_some_and(|zeros| part == zeros))
}

/// The first byte from this one on of a file that is not in a hole; this one if nothing is known of holes.
pub(crate) fn next_data(file: &File, at: u64) -> u64 {
    match seek(file, SeekFrom::Data(at)) {
        Ok(data) => data,
        // Behind the last one there is nothing but a hole, up to the end.
        Err(Errno::NXIO) => file.metadata().map_or(at, |known| known.len().max(at)),
        Err(_) => at,
    }
}

/// Writes so many zeros at this place.
pub(crate) fn write(disk: &File, at: u64, length: u64) -> io::Result<()> {
    if length == 0 || punch(disk, at, length).is_ok() {
        return Ok(());
    }
    let zeros = vec![0; PART];
    let mut written = 0;
    while written < length {
        let part = usize::try_from(length - written).unwrap_or(PART).min(PART);
        disk.write_all_at(zeros.get(..part).unwrap_or_default(), at + written)?;
        written += part as u64;
    }
    Ok(())
}

/// Makes a file or device read zeros here without sending any: a file gets a hole, a device is asked to write zeros or to
/// discard, whichever it says reads zeros after. Fails where it cannot do that by itself.
pub(crate) fn punch(disk: &File, at: u64, length: u64) -> io::Result<()> {
    let mut done = 0;
    while done < length {
        let part = STRIDE.min(length - done);
        // On a block device the kernel does not fall back to writing them (fallocate(2), block/fops.c).
        fallocate(disk, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, at + done, part)?;
        done += part;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_told_from_anything_else() {
        let mut bytes = vec![0; 3 * PART + 5];
        assert!(is_zero(&bytes) && is_zero(&[]));
        for at in [0, COMPARED - 1, COMPARED, PART - 1, PART, 3 * PART + 4] {
            bytes[at] = 1;
            assert!(!is_zero(&bytes), "{at}");
            bytes[at] = 0;
        }
    }

    #[test]
    fn only_what_is_meant_becomes_zeros() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[7; 3 * PART], 0).unwrap();
        write(&file, 1000, PART as u64 + 17).unwrap();
        let mut bytes = vec![0; 3 * PART];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 3 * PART as u64);
        assert!(bytes[..1000].iter().all(|&byte| byte == 7) && is_zero(&bytes[1000..1017 + PART]));
        assert!(bytes[1017 + PART..].iter().all(|&byte| byte == 7));
    }
}
