//! The compressor, and how many threads it may have: all processors, as long as the memory suffices.

use std::io::{self, Read, Write};

use super::handover::Giver;

/// So many zeros make a frame of their own, which is compressed once and then repeated: zstd would need long for all the
/// zeros in the gaps of a large disk.
const FRAME: usize = 64 << 20;
/// Compressed at a time.
const PART: usize = 256 << 10;

/// libzstd, which hands on what it has compressed.
pub(crate) struct Compressor {
    /// None only while one frame is ended and the next not yet begun.
    encoder: Option<zstd::Encoder<'static, Giver>>,
    level: u8,
    threads: u64,
    /// A frame of zeros.
    zeros: Vec<u8>,
}

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
pub(crate) fn threads(level: u8, processors: u64) -> u64 {
    processors.min(MEMORY / memory_of_a_thread(level)).max(1)
}

impl Compressor {
    /// One that compresses as `zstd -T… -LEVEL` does, with zstd's own checksum of the content. With one thread it is the
    /// caller's, with more so many beside it.
    pub(crate) fn new(to: Giver, level: u8, threads: u64) -> io::Result<Self> {
        let encoder = Some(encoder(to, level, threads)?);
        Ok(Self { encoder, level, threads, zeros: Vec::new() })
    }

    /// Compresses so many zeros.
    pub(crate) fn zeros(&mut self, length: u64) -> io::Result<()> {
        let (frames, rest) = (length / FRAME as u64, length % FRAME as u64);
        if frames > 0 {
            self.frames_of_zeros(frames)?;
        }
        io::copy(&mut io::repeat(0).take(rest), self)?;
        Ok(())
    }

    fn frames_of_zeros(&mut self, frames: u64) -> io::Result<()> {
        if self.zeros.is_empty() {
            let mut encoder = encoder(Vec::new(), self.level, 1)?;
            let part = [0; PART];
            (0..FRAME / PART).try_for_each(|_| encoder.write_all(&part))?;
            self.zeros = encoder.finish()?;
        }
        let mut to = self.encoder.take().ok_or_else(gone)?.finish()?;
        for _ in 0..frames {
            to.write_all(&self.zeros)?;
        }
        self.encoder = Some(encoder(to, self.level, self.threads)?);
        Ok(())
    }

    pub(crate) fn finish(self) -> io::Result<Giver> {
        self.encoder.ok_or_else(gone)?.finish()
    }
}

impl Write for Compressor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.encoder.as_mut().ok_or_else(gone)?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.as_mut().ok_or_else(gone)?.flush()
    }
}

fn gone() -> io::Error {
    io::Error::other("the compressor has failed before")
}

fn encoder<W: Write>(to: W, level: u8, threads: u64) -> io::Result<zstd::Encoder<'static, W>> {
    let mut encoder = zstd::Encoder::new(to, i32::from(level))?;
    encoder.include_checksum(true)?;
    if threads > 1 {
        encoder.multithread(u32::try_from(threads).unwrap_or(u32::MAX))?;
    }
    Ok(encoder)
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

    #[test]
    fn zeros_come_out_between_the_bytes_around_them() {
        for length in [0, 7, FRAME as u64 - 1, FRAME as u64, 2 * FRAME as u64 + 5] {
            let (giver, taker) = super::super::handover::handover();
            let compressing = std::thread::spawn(move || {
                let mut compressor = Compressor::new(giver, 3, 2).unwrap();
                compressor.write_all(b"before").unwrap();
                compressor.zeros(length).unwrap();
                compressor.write_all(b"behind").unwrap();
                compressor.finish().unwrap().flush().unwrap();
            });
            let mut bytes = Vec::new();
            zstd::Decoder::with_buffer(taker).unwrap().read_to_end(&mut bytes).unwrap();
            compressing.join().unwrap();
            assert_eq!(bytes.len() as u64, length + 12);
            assert!(bytes.starts_with(b"before") && bytes.ends_with(b"behind"));
            assert!(bytes[6..bytes.len() - 6].iter().all(|&byte| byte == 0), "{length}");
        }
    }
}
