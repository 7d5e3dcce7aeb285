//! What is fuzzed: plain functions of bytes, each with what must hold for any input.
//!
//! `cargo fuzz run lexer|editor|ghostrc` drives them with a nightly compiler; the tests of `ghostctl` call the
//! same functions with the corpus and with random bytes.

use std::path::Path;

use ghost_contract::Ghostrc;
use ghost_contract::dhcp::lexer::Lexer;
use ghost_contract::dhcp::{HostTable, Tree};
use ghostctl::dhcp::{Revert, isc};

/// The boot file of the swaps.
const BOOT: &str = "pxelinux.0";

/// Tokens put together are the input, and no statement reaches outside it.
pub fn lexer(input: &[u8]) {
    let tokens: Vec<u8> = Lexer::new(input).flat_map(|token| token.bytes.iter().copied()).collect();
    assert_eq!(tokens, input);
    for statement in Tree::parse(input).statements {
        assert!(statement.start <= statement.head_end && statement.head_end <= statement.end);
        assert!(statement.end <= input.len());
    }
}

/// Whatever can be swapped comes back byte for byte.
pub fn editor(input: &[u8]) {
    let file = Path::new("dhcpd.conf");
    let table = HostTable::of_one_file(file, input.to_vec());
    if table.hosts().iter().any(|host| table.fault_before_end_of(host).is_some()) {
        return;
    }
    for host in table.clients().map(|(name, _)| name) {
        let Ok(swap) = isc::swap(&table, &host, BOOT) else { continue };
        let reverted = isc::revert(file, &swap.contents, &host, BOOT, &swap.previous);
        assert_eq!(reverted, Revert::Contents(input.to_vec()));
    }
}

/// Whatever is read is read the same again, and a complaint can be shown.
pub fn ghostrc(input: &[u8]) {
    match Ghostrc::parse(Path::new("ghostrc"), input) {
        Ok(settings) => assert_eq!(Ghostrc::parse(Path::new("ghostrc"), input), Ok(settings)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
