//! Bytes from one thread to another, in buffers that go to and fro: what a pipe is between two programs, without the
//! kernel's copies.
//!
//! Dropping the giver ends the stream. A drop looks the same after an error, so the giver's side reports success separately.

use std::io::{self, BufRead, Read, Write};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};

/// What a buffer holds: what fits the processor's cache.
const BUFFER: usize = 256 << 10;
/// How many are there, so that neither side waits for the other's every turn.
const BUFFERS: usize = 4;

/// The side that bytes are written to.
#[derive(Debug)]
pub(crate) struct Giver {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    current: Vec<u8>,
}

/// The side that they are read from.
#[derive(Debug)]
pub(crate) struct Taker {
    full: Receiver<Vec<u8>>,
    empty: Sender<Vec<u8>>,
    current: Vec<u8>,
    read: usize,
}

pub(crate) fn handover() -> (Giver, Taker) {
    let (full, to_read) = mpsc::sync_channel(BUFFERS);
    let (empty, to_fill) = mpsc::channel();
    for _ in 0..BUFFERS {
        // The other side is here.
        let _held = empty.send(Vec::with_capacity(BUFFER));
    }
    let giver = Giver { full, empty: to_fill, current: Vec::new() };
    (giver, Taker { full: to_read, empty, current: Vec::new(), read: 0 })
}

fn nobody_takes() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "nobody takes it any more")
}

impl Write for Giver {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.current.len() == BUFFER {
            self.flush()?;
        }
        if self.current.capacity() == 0 {
            self.current = self.empty.recv().map_err(|_| nobody_takes())?;
        }
        let (now, _later) = bytes.split_at(bytes.len().min(BUFFER - self.current.len()));
        self.current.extend_from_slice(now);
        Ok(now.len())
    }

    /// What was written can be read then.
    fn flush(&mut self) -> io::Result<()> {
        if self.current.is_empty() {
            return Ok(());
        }
        self.full.send(std::mem::take(&mut self.current)).map_err(|_| nobody_takes())
    }
}

impl BufRead for Taker {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.current.len() {
            let mut read = std::mem::take(&mut self.current);
            if read.capacity() > 0 {
                read.clear();
                // The giver may have given all, and be gone.
                let _last = self.empty.send(read);
            }
            self.read = 0;
            // Nothing more comes when the giver is gone: that is the end.
            self.current = self.full.recv().unwrap_or_default();
        }
        Ok(self.current.get(self.read..).unwrap_or_default())
    }

    fn consume(&mut self, length: usize) {
        self.read = self.current.len().min(self.read + length);
    }
}

impl Read for Taker {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_is_given_is_taken_in_order() {
        let (mut giver, mut taker) = handover();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let given = bytes.clone();
        let giving = thread::spawn(move || {
            for part in given.chunks(7001) {
                giver.write_all(part).unwrap();
            }
            giver.flush().unwrap();
        });
        let mut taken = Vec::new();
        taker.read_to_end(&mut taken).unwrap();
        giving.join().unwrap();
        assert!(taken == bytes, "{} of {} bytes", taken.len(), bytes.len());
    }

    #[test]
    fn a_taker_that_is_gone_is_an_error() {
        let (mut giver, mut taker) = handover();
        giver.write_all(b"one").unwrap();
        giver.flush().unwrap();
        assert_eq!(taker.fill_buf().unwrap(), b"one");
        drop(taker);
        let error = giver.write_all(&vec![0; BUFFERS * BUFFER + 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
