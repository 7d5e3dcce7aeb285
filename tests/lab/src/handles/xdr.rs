//! A call of a remote procedure by root (RFC 5531, with AUTH_SYS), its answer, and the few forms of XDR (RFC 4506) that they need.

use anyhow::{Context as _, bail};

const RPC_VERSION: u32 = 2;
const CALL: u32 = 0;
const REPLY: u32 = 1;
const AUTH_SYS: u32 = 1;
/// There is one connection for each call, so any number tells the reply from others.
const TRANSACTION: u32 = 0x6768_7374;
/// What a record of one piece begins with, beside its length.
const LAST_FRAGMENT: u32 = 1 << 31;

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Procedure {
    pub program: u32,
    pub version: u32,
    pub number: u32,
}

/// A call as a record, with the arguments in XDR. The caller claims to be root.
pub fn call(procedure: Procedure, arguments: &[u8]) -> Vec<u8> {
    // Stamp, an empty machine name, user 0, group 0, no more groups.
    let root = [0_u8; 20];
    let head = [TRANSACTION, CALL, RPC_VERSION, procedure.program, procedure.version, procedure.number];
    let head: Vec<u8> = head.iter().flat_map(|word| word.to_be_bytes()).collect();
    let no_verifier = [0_u8; 8];
    let body = [&head[..], &AUTH_SYS.to_be_bytes(), &opaque_of(&root), &no_verifier, arguments].concat();
    let mark = LAST_FRAGMENT | u32::try_from(body.len()).unwrap_or(0);
    [&mark.to_be_bytes()[..], &body].concat()
}

/// Whether a piece of a record is the last one, and how long it is.
pub fn fragment(mark: [u8; 4]) -> (bool, usize) {
    let mark = u32::from_be_bytes(mark);
    (mark & LAST_FRAGMENT != 0, usize::try_from(mark & !LAST_FRAGMENT).unwrap_or(usize::MAX))
}

/// What a procedure returned, from the reply without its mark.
pub fn result(reply: &[u8]) -> anyhow::Result<&[u8]> {
    const UNREADABLE: &str = "this is no answer of an RPC server";
    let (transaction, rest) = number(reply).context(UNREADABLE)?;
    let (kind, rest) = number(rest).context(UNREADABLE)?;
    let (is_denied, rest) = number(rest).context(UNREADABLE)?;
    if (transaction, kind) != (TRANSACTION, REPLY) {
        bail!(UNREADABLE);
    }
    if is_denied != 0 {
        bail!("the server does not talk to this machine, or not from this port");
    }
    let (_flavour, rest) = number(rest).context(UNREADABLE)?;
    let (_verifier, rest) = opaque(rest).context(UNREADABLE)?;
    match number(rest).context(UNREADABLE)? {
        (0, result) => Ok(result),
        (status, _) => bail!("the server does not do that: status {status} of the call"),
    }
}

/// The first number of some XDR, and the rest.
pub(super) fn number(xdr: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = xdr.split_first_chunk()?;
    Some((u32::from_be_bytes(*word), rest))
}

/// The first bytes with a length, and the rest.
pub(super) fn opaque(xdr: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(xdr)?;
    let length = usize::try_from(length).ok()?;
    Some((rest.get(..length)?, rest.get(length.checked_next_multiple_of(4)?..)?))
}

/// Bytes with their length, filled up to a multiple of four.
pub(super) fn opaque_of(bytes: &[u8]) -> Vec<u8> {
    let mut xdr = u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes().to_vec();
    xdr.extend(bytes);
    xdr.resize(xdr.len().next_multiple_of(4), 0);
    xdr
}
