//! Packets, answers of servers, and files that boot loaders read.

use ghostctl::parsers;

/// A packet tells an address or nothing, and never more than it has.
pub fn arp(input: &[u8]) {
    assert!(parsers::arp(input).is_none_or(|ip| !ip.is_unspecified() && input.len() >= 42));
}

pub fn icmp(input: &[u8]) {
    assert!(parsers::icmp(input).is_none_or(|_| input.len() >= 28));
}

pub fn rpc(input: &[u8]) {
    assert!(parsers::rpc(input).is_none_or(|length| length + 24 <= input.len()));
}

pub fn tftp(input: &[u8]) {
    // A byte that is no text is shown as a character of three.
    assert!(parsers::tftp(input).is_none_or(|length| length <= 3 * input.len()));
}

pub fn exports(input: &[u8]) {
    assert!(parsers::exports(input) <= input.len());
}

/// What is asked of a TFTP server is a path that stands there, and no variable.
pub fn grub(input: &[u8]) {
    assert!(parsers::grub(input).iter().all(|path| path.starts_with('/') && !path.contains('$')));
}

/// What a client loads after its boot file is asked for once each, and there is an end of it.
pub fn netboot(input: &[u8]) {
    let names = parsers::netboot(input);
    // A byte that is no text is shown as a character of three.
    let longest = 3 * input.len() + 40;
    assert!(names.len() <= 16 * (2 + input.len()) && names.iter().all(|name| name.len() <= longest));
}

/// A frame tells of one machine; whatever words and names are in it, people read lines without control characters.
pub fn overheard(input: &[u8]) {
    let Some((mac, words)) = parsers::overheard(input) else { return };
    assert!(input.windows(6).any(|bytes| bytes == mac.bytes()));
    assert!(!words.contains(char::is_control), "{words:?}");
}

pub fn ganesha(input: &[u8]) {
    assert!(parsers::ganesha(input).is_none_or(|exports| exports <= input.len()));
}
