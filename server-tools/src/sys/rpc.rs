//! One call of an ONC remote procedure over TCP (RFC 5531), which is how NFS servers are spoken to.
//!
//! Does not know what the results mean: they are bytes in XDR (RFC 4506).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// A program and the version of it that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Program {
    /// Its number, as in /etc/rpc.
    pub number: u32,
    pub version: u32,
}

/// The procedure that every program has and that does nothing (RFC 5531 §12).
pub(crate) const NULL: u32 = 0;
/// A list of a thousand exports is shorter.
const LARGEST_REPLY: usize = 1 << 20;
/// Set in the length of the last fragment of a record (RFC 5531 §11).
const LAST_FRAGMENT: u32 = 1 << 31;
const RPC_VERSION: u32 = 2;
const CALL: u32 = 0;
const REPLY: u32 = 1;
const ACCEPTED: u32 = 0;
/// The reason for which a call is not accepted: who has called.
const AUTH_ERROR: u32 = 1;
/// There is one connection for each call, so any number tells the reply from others.
const TRANSACTION: u32 = 0x6768_7374;

/// What a server has made of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply<'a> {
    /// It did what was asked for, with this result in XDR.
    Done(&'a [u8]),
    /// It does this for others than the one who has called.
    NotForUs,
    /// It does not have this program, this version or this procedure.
    NotServed,
}

/// Calls a procedure. The arguments are unsigned numbers, which is all that we ever ask with.
pub(crate) fn call(
    at: SocketAddr,
    program: Program,
    procedure: u32,
    arguments: &[u32],
    deadline: Duration,
) -> anyhow::Result<Vec<u8>> {
    let result = call_if_let(at, program, procedure, arguments, deadline)?;
    result.with_context(|| format!("{at} refuses to answer this machine"))
}

/// The same. None: the server does it for others than this machine.
pub(crate) fn call_if_let(
    at: SocketAddr,
    program: Program,
    procedure: u32,
    arguments: &[u32],
    deadline: Duration,
) -> anyhow::Result<Option<Vec<u8>>> {
    let reply = exchange(at, &request(program, procedure, arguments), deadline);
    let reply = reply.with_context(|| format!("cannot reach {at} over TCP"))?;
    match understood(&reply) {
        Some(Reply::Done(result)) => Ok(Some(result.to_owned())),
        Some(Reply::NotForUs) => Ok(None),
        Some(Reply::NotServed) => {
            bail!("{at} does not serve program {} version {}", program.number, program.version)
        }
        None => bail!("{at} does not answer as an RPC server does"),
    }
}

fn exchange(at: SocketAddr, request: &[u8], deadline: Duration) -> io::Result<Vec<u8>> {
    let mut connection =
        Timed { stream: TcpStream::connect_timeout(&at, deadline)?, started: Instant::now(), deadline };
    connection.stream.set_write_timeout(Some(deadline))?;
    connection.stream.write_all(request)?;
    let mut reply = Vec::new();
    loop {
        let mark = connection.read(4)?;
        let mark = number(&mark).map_or(0, |(mark, _)| mark);
        let length = usize::try_from(mark & !LAST_FRAGMENT).map_err(io::Error::other)?;
        if reply.len().saturating_add(length) > LARGEST_REPLY {
            return Err(io::Error::other(format!("the reply has more than {LARGEST_REPLY} bytes")));
        }
        reply.extend(connection.read(length)?);
        if mark & LAST_FRAGMENT != 0 {
            return Ok(reply);
        }
    }
}

/// Reads until one deadline for all, however slowly the bytes come.
struct Timed {
    stream: TcpStream,
    started: Instant,
    deadline: Duration,
}

impl Timed {
    fn read(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            let left = self.deadline.saturating_sub(self.started.elapsed());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut bytes[filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }
}

/// A call with its record mark, without credentials (RFC 5531 §9).
fn request(program: Program, procedure: u32, arguments: &[u32]) -> Vec<u8> {
    let nobody = [0; 4];
    let head = [TRANSACTION, CALL, RPC_VERSION, program.number, program.version, procedure];
    let words: Vec<u8> =
        head.iter().chain(&nobody).chain(arguments).flat_map(|word| word.to_be_bytes()).collect();
    let mark = LAST_FRAGMENT | u32::try_from(words.len()).unwrap_or(0);
    [&mark.to_be_bytes()[..], &words].concat()
}

/// The first number of some XDR, and the rest.
pub(crate) fn number(xdr: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = xdr.split_first_chunk()?;
    Some((u32::from_be_bytes(*word), rest))
}

/// The first string of some XDR, and the rest: a length, the bytes, and zeros up to a multiple of four.
pub(crate) fn string(xdr: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(xdr)?;
    let length = usize::try_from(length).ok()?;
    Some((rest.get(..length)?, rest.get(length.checked_next_multiple_of(4)?..)?))
}

/// What a reply holds. None: it is no reply.
pub(crate) fn understood(reply: &[u8]) -> Option<Reply<'_>> {
    let (transaction, rest) = number(reply)?;
    let (kind, rest) = number(rest)?;
    if (transaction, kind) != (TRANSACTION, REPLY) {
        return None;
    }
    let (accepted, rest) = number(rest)?;
    if accepted != ACCEPTED {
        let (reason, _) = number(rest)?;
        return Some(if reason == AUTH_ERROR { Reply::NotForUs } else { Reply::NotServed });
    }
    let (_flavour, rest) = number(rest)?;
    let (_verifier, rest) = string(rest)?;
    let (done, result) = number(rest)?;
    Some(if done == 0 { Reply::Done(result) } else { Reply::NotServed })
}

#[cfg(test)]
pub(crate) mod tests;
