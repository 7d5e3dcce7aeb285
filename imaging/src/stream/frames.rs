//! Decompresses a stream frame by frame, and passes over the frames that are known to be zeros.
//!
//! A gap of a disk is kept as one frame of zeros again and again ([`super::compressor`]). Such a frame is decompressed, and
//! compared with its checksum, when it comes for the first time; a frame of the same bytes decompresses to the same, so
//! that from then on only its compressed bytes are compared.

use std::io::{self, BufRead, Read};

use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::find_frame_compressed_size;

use crate::sys::zero;

/// A frame that takes more bytes is not remembered: it would hardly come again.
const SMALL: usize = 16 << 10;

/// A frame that decompresses to nothing but zeros.
struct Known {
    compressed: Vec<u8>,
    zeros: u64,
}

/// What comes out of a compressed stream.
pub(crate) struct Frames<R> {
    from: R,
    /// So many bytes may come out yet. A few bytes can be decompressed to terabytes.
    left: u64,
    decoder: Decoder<'static>,
    /// Whether the next byte is the first of a frame, or there is none.
    between: bool,
    /// The small frame that is being decompressed, if all of it was zeros so far.
    current: Option<Known>,
    known: Option<Known>,
}

impl<R: BufRead> Frames<R> {
    /// Of a stream that has so many bytes when it is decompressed; more than these it never yields.
    pub(crate) fn new(from: R, length: u64) -> io::Result<Self> {
        let decoder = Decoder::new()?;
        Ok(Self { from, left: length, decoder, between: true, current: None, known: None })
    }

    /// Passes over frames that are known to be zeros, while such frames come next, until there were `most` zeros or more.
    /// Returns how many zeros that were.
    pub(crate) fn zeros(&mut self, most: u64) -> io::Result<u64> {
        let mut zeros = 0;
        let Some(known) = self.known.as_ref().filter(|_| self.between) else { return Ok(0) };
        while zeros < most && self.from.fill_buf()?.starts_with(&known.compressed) {
            self.from.consume(known.compressed.len());
            zeros += known.zeros;
        }
        self.left = self.left.checked_sub(zeros).ok_or_else(too_long)?;
        Ok(zeros)
    }

    fn begin(&mut self) -> io::Result<()> {
        let input = self.from.fill_buf()?;
        let compressed = find_frame_compressed_size(input).ok().filter(|&length| length <= SMALL);
        let compressed = compressed.and_then(|length| input.get(..length));
        self.current = compressed.map(|bytes| Known { compressed: bytes.to_vec(), zeros: 0 });
        self.decoder.reinit()
    }

    fn note(&mut self, read: &[u8]) {
        self.current = self.current.take().filter(|_| zero::is_zero(read));
        if let Some(current) = &mut self.current {
            current.zeros += read.len() as u64;
        }
        if self.between
            && let Some(zeros) = self.current.take().filter(|frame| frame.zeros > 0)
        {
            self.known = Some(zeros);
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.between {
                if self.from.fill_buf()?.is_empty() {
                    return Ok(0);
                }
                self.begin()?;
                self.between = false;
            }
            let mut input = InBuffer::around(self.from.fill_buf()?);
            let is_end = input.src.is_empty();
            let mut output = OutBuffer::around(&mut *buffer);
            let left = self.decoder.run(&mut input, &mut output)?;
            let (taken, written) = (input.pos(), output.pos());
            self.from.consume(taken);
            self.between = left == 0;
            if written > 0 || self.between {
                self.note(buffer.get(..written).unwrap_or_default());
            }
            if written > 0 {
                self.left = self.left.checked_sub(written as u64).ok_or_else(too_long)?;
                return Ok(written);
            }
            if is_end && !self.between {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends within a frame"));
            }
        }
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "they hold more than the description says")
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use super::*;

    fn frame(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    const LONG: usize = 3 << 20;

    /// What comes out of frames, in which zeros may be passed over; and how many zeros that were.
    fn read(stream: &[u8], buffer: usize) -> (Vec<u8>, u64) {
        let mut frames = Frames::new(BufReader::with_capacity(buffer, stream), u64::MAX).unwrap();
        let (mut out, mut passed, mut part) = (Vec::new(), 0, vec![0; 1000]);
        loop {
            let zeros = frames.zeros(u64::MAX).unwrap();
            out.resize(out.len() + usize::try_from(zeros).unwrap(), 0);
            passed += zeros;
            match frames.read(&mut part).unwrap() {
                0 => return (out, passed),
                length => out.extend_from_slice(&part[..length]),
            }
        }
    }

    /// The same frame again and again, until 2 TiB of zeros would have come out of it.
    struct Bomb {
        frame: Vec<u8>,
        given: usize,
    }

    impl Read for &mut Bomb {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let whole = (2 << 40) / LONG * self.frame.len();
            let length = to.len().min(whole - self.given);
            let endless = self.frame.iter().cycle().skip(self.given % self.frame.len());
            to[..length].iter_mut().zip(endless).for_each(|(to, from)| *to = *from);
            self.given += length;
            Ok(length)
        }
    }

    #[test]
    fn no_more_comes_out_than_was_said_of_what_unpacks_to_2_tebibytes() {
        for length in [0, 1, LONG as u64, 10 * LONG as u64] {
            let mut bomb = Bomb { frame: frame(&vec![0; LONG]), given: 0 };
            let mut frames = Frames::new(BufReader::new(&mut bomb), length).unwrap();
            let (mut out, mut part) = (0, vec![0; 1000]);
            let error = loop {
                match frames.zeros(1).and_then(|zeros| Ok(zeros + frames.read(&mut part)? as u64)) {
                    Ok(more) => out += more,
                    Err(error) => break error,
                }
            };
            assert!(out <= length, "{out} {length}");
            assert_eq!(error.to_string(), "they hold more than the description says");
            drop(frames);
            assert!(bomb.given < 1 << 20, "{} bytes of it were read", bomb.given);
        }
        let whole = frame(b"all of it");
        let mut out = Vec::new();
        Frames::new(&whole[..], 9).unwrap().read_to_end(&mut out).unwrap();
        assert_eq!(out, b"all of it");
    }

    #[test]
    fn a_frame_of_zeros_is_decompressed_once_and_passed_over_then() {
        let zeros = frame(&vec![0; LONG]);
        let stream = [frame(b"before"), zeros.repeat(3), frame(b"between"), zeros, frame(b"behind")].concat();
        let expected = [&b"before"[..], &vec![0; 3 * LONG], b"between", &vec![0; LONG], b"behind"].concat();
        let (out, passed) = read(&stream, 64 << 10);
        assert!(out == expected);
        assert_eq!(passed, 3 * LONG as u64);
        // Where a frame is never there as a whole, it is decompressed every time.
        let (out, passed) = read(&stream, 7);
        assert!(out == expected);
        assert_eq!(passed, 0);
    }

    #[test]
    fn frames_that_are_not_all_zeros_are_never_passed_over() {
        let mut almost = vec![0; LONG];
        almost[LONG - 1] = 1;
        let stream = frame(&almost).repeat(3);
        let (out, passed) = read(&stream, 64 << 10);
        assert!(out == almost.repeat(3));
        assert_eq!(passed, 0);
    }

    #[test]
    fn what_is_damaged_or_cut_off_is_an_error() {
        let zeros = frame(&vec![0; LONG]);
        let mut damaged = zeros.repeat(2);
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        for stream in [&damaged[..], &zeros[..zeros.len() - 1], b"no frame"] {
            let mut frames = Frames::new(stream, u64::MAX).unwrap();
            let (mut part, mut ended) = (vec![0; 1 << 16], Ok(1));
            while matches!(ended, Ok(1..)) {
                frames.zeros(u64::MAX).unwrap();
                ended = frames.read(&mut part);
            }
            assert!(ended.is_err(), "{ended:?}");
        }
    }
}
