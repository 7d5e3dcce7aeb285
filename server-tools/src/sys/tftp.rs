//! Asks a TFTP server for the beginning of a file, as a PC's boot ROM does (RFC 1350).

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// The port that a TFTP server listens on (RFC 1350 §4).
pub(crate) const PORT: u16 = 69;
/// The bytes of a block without options (RFC 1350 §2).
pub(crate) const BLOCK: usize = 512;
/// How often the question is repeated within the deadline: UDP loses packets.
const TRIES: u32 = 4;

const READ_REQUEST: [u8; 2] = [0, 1];
const DATA_BLOCK_1: [u8; 4] = [0, 3, 0, 1];
const ERROR: [u8; 2] = [0, 5];
/// Ends a transfer that is not wanted any more (RFC 1350 §7): code 0, an empty message.
const ENOUGH: [u8; 5] = [0, 5, 0, 0, 0];

/// The first block of a file: 512 bytes, or all if there are fewer.
pub(crate) fn first_block(at: SocketAddr, file: &str, deadline: Duration) -> anyhow::Result<Vec<u8>> {
    match ask(at, file, deadline).with_context(|| format!("cannot ask the TFTP server at {at}"))? {
        Some(Ok(block)) => Ok(block),
        Some(Err(message)) => bail!("the TFTP server at {at} refuses: {message}"),
        None => bail!("no answer from {at} within {} s", deadline.as_secs()),
    }
}

/// The block, or the words of the server's refusal. `None`: no answer.
fn ask(at: SocketAddr, file: &str, deadline: Duration) -> io::Result<Option<Result<Vec<u8>, String>>> {
    let socket = UdpSocket::bind((IpAddr::from(Ipv4Addr::UNSPECIFIED), 0))?;
    let started = Instant::now();
    let mut packet = [0; 4 + BLOCK];
    for asked in 1..=TRIES {
        socket.send_to(&read_request(file), at)?;
        loop {
            let left = (deadline * asked / TRIES).saturating_sub(started.elapsed());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left))?;
            let (length, from) = match socket.recv_from(&mut packet) {
                Ok(received) => received,
                Err(error) if is_silence(&error) => continue,
                Err(error) => return Err(error),
            };
            // The server answers from a port of its own (RFC 1350 §4), but not from another machine.
            let answer = (from.ip() == at.ip()).then(|| read(&packet[..length])).flatten();
            if let Some(answer) = answer {
                socket.send_to(&ENOUGH, from)?;
                return Ok(Some(answer));
            }
        }
    }
    Ok(None)
}

fn is_silence(error: &io::Error) -> bool {
    // Where nobody listens, an ICMP message may say so; a server that is restarting is given its time.
    use io::ErrorKind::{ConnectionRefused, Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted | ConnectionRefused)
}

fn read_request(file: &str) -> Vec<u8> {
    [&READ_REQUEST, file.as_bytes(), b"\0octet\0"].concat()
}

/// The block, or the server's words; nothing if it is neither.
pub(crate) fn read(packet: &[u8]) -> Option<Result<Vec<u8>, String>> {
    if let Some(block) = packet.strip_prefix(&DATA_BLOCK_1) {
        return Some(Ok(block.to_owned()));
    }
    let message = packet.strip_prefix(&ERROR)?.get(2..)?;
    let message = message.split(|byte| *byte == 0).next()?;
    Some(Err(String::from_utf8_lossy(message).into_owned()))
}

#[cfg(test)]
mod tests;
