//! Settings, and what is below STATEDIR.

use std::path::Path;

use ghostctl::ghostrc::Ghostrc;
use ghostctl::parsers;

/// Whatever is read is read the same again, and a complaint can be shown.
pub fn ghostrc(input: &[u8]) {
    match Ghostrc::parse(Path::new("ghostrc"), input) {
        Ok(settings) => assert_eq!(Ghostrc::parse(Path::new("ghostrc"), input).ok(), Some(settings)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What is understood of an entry of the journal, a record, a check or a list of what is vouched for is written again in a way
/// that is understood as the same.
pub fn journal(input: &[u8]) {
    assert!(parsers::journal(input));
}

pub fn record(input: &[u8]) {
    assert!(parsers::record(input));
}

pub fn check(input: &[u8]) {
    assert!(parsers::check(input));
}

pub fn vouched(input: &[u8]) {
    assert!(parsers::vouched(input));
}

pub fn runs(input: &[u8]) {
    assert!(parsers::runs(input));
}

pub fn by_hand(input: &[u8]) {
    assert!(parsers::by_hand(input));
}
