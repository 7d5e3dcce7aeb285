//! The compressor, and how many threads it may have: all processors, as long as the memory suffices.

use std::io;

use super::handover::Giver;

/// libzstd, which hands on what it has compressed.
pub type Compressor = zstd::Encoder<'static, Giver>;

/// What the compressor may use. The client has no swap, and with partclone, the pipes and ourselves everything
/// stays below 256 MiB.
const MEMORY: u64 = 160 << 20;
const MIB: u64 = 1 << 20;

/// What one thread of `zstd -T… -LEVEL` uses, rounded up: it holds four windows of input, the output of as many,
/// and the tables of its strategy. Measured with zstd 1.5.4, of each further thread: 5 MiB at level 1, 16 MiB at
/// level 3 (where all else are 35 MiB). Above, the windows' sizes were taken for it.
const fn memory_of_a_thread(level: u8) -> u64 {
    match level {
        0..=2 => 12 * MIB,
        3..=4 => 24 * MIB,
        5..=9 => 48 * MIB,
        10..=15 => 80 * MIB,
        _ => 160 * MIB,
    }
}

/// The number of threads for this level on a machine with so many processors; 1 at least.
pub fn threads(level: u8, processors: u64) -> u64 {
    processors.min(MEMORY / memory_of_a_thread(level)).max(1)
}

/// One that compresses as `zstd -T… -LEVEL` does, with zstd's own checksum of the content. With one thread it is the caller's,
/// with more so many beside it.
pub fn compressor(to: Giver, level: u8, threads: u64) -> io::Result<Compressor> {
    let mut compressor = zstd::Encoder::new(to, i32::from(level))?;
    compressor.include_checksum(true)?;
    if threads > 1 {
        compressor.multithread(u32::try_from(threads).unwrap_or(u32::MAX))?;
    }
    Ok(compressor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_processors_as_long_as_the_memory_suffices() {
        assert_eq!(threads(3, 2), 2);
        assert_eq!(threads(3, 64), 6);
        assert_eq!(threads(1, 64), 13);
        assert_eq!(threads(19, 64), 1);
        assert_eq!(threads(3, 0), 1);
    }
}
