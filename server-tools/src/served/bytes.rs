//! Numbers in bytes that may be anything.

use std::io;

pub(super) fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file system is damaged, or of a kind that is not known")
}

pub(super) fn part(bytes: &[u8], at: usize, length: usize) -> io::Result<&[u8]> {
    at.checked_add(length).and_then(|end| bytes.get(at..end)).ok_or_else(broken)
}

fn array<const LENGTH: usize>(bytes: &[u8], at: usize) -> io::Result<[u8; LENGTH]> {
    part(bytes, at, LENGTH)?.try_into().map_err(|_| broken())
}

pub(super) fn u8_at(bytes: &[u8], at: usize) -> io::Result<u8> {
    Ok(u8::from_le_bytes(array(bytes, at)?))
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> io::Result<u16> {
    Ok(u16::from_le_bytes(array(bytes, at)?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> io::Result<u32> {
    Ok(u32::from_le_bytes(array(bytes, at)?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> io::Result<u64> {
    Ok(u64::from_le_bytes(array(bytes, at)?))
}
