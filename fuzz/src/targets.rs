//! What is fuzzed: plain functions of bytes, each with what must hold for any input.
//!
//! `cargo fuzz run NAME` drives them with a nightly compiler (README.md); the tests of `ghostctl` call the same functions
//! with the corpus and with random bytes.

use std::path::Path;

use ghost_contract::image::DiskImage;
use ghost_contract::{Generation, HostName, Order, report};
use ghostctl::catalog::manifest::Manifest;
use ghostctl::dhcp::isc::lexer::Lexer;
use ghostctl::dhcp::isc::{HostTable, Tree};
use ghostctl::dhcp::{Back, Swap, Wanted, isc};
use ghostctl::ghostrc::Ghostrc;

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
    let wanted = |host| Wanted { host, boot_file: BOOT.to_owned() };
    let wanted: Vec<Wanted> = table.clients().map(|(name, _)| wanted(name)).collect();
    let edit = isc::swap(&table, &wanted);
    let swapped =
        wanted.into_iter().zip(edit.swaps).filter_map(|(wanted, swap)| Some((wanted.host, swap.ok()?)));
    let swapped: Vec<(HostName, Swap)> = swapped.collect();
    let Some(change) = edit.changes.first() else { return assert!(swapped.is_empty()) };
    let reverted = isc::revert(file, &change.contents, &swapped);
    assert_eq!(reverted.contents.as_deref(), Some(input));
    assert!(reverted.each.iter().all(|back| *back == Back::Put));
}

/// Whatever is read is read the same again, and a complaint can be shown.
pub fn ghostrc(input: &[u8]) {
    match Ghostrc::parse(Path::new("ghostrc"), input) {
        Ok(settings) => assert_eq!(Ghostrc::parse(Path::new("ghostrc"), input).ok(), Some(settings)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A report that comes in two parts is read as one that comes at once: nothing is lost, doubled or read anew.
pub fn report(input: &[u8]) {
    let whole = report::read(input);
    assert!(whole.used <= input.len());
    assert!(!input[whole.used..].contains(&b'\n'), "what is left is one torn line");
    let first = report::read(&input[..input.len() / 2]);
    let rest = report::read(&input[first.used..]);
    assert_eq!(first.used + rest.used, whole.used);
    assert_eq!([first.entries, rest.entries].concat(), whole.entries);
    assert_eq!([first.unknown, rest.unknown].concat(), whole.unknown);
    for entry in &whole.entries {
        let line = entry.to_line().unwrap_or_default();
        assert_eq!(report::read(line.as_bytes()).entries, std::slice::from_ref(entry));
    }
}

/// An order that is understood is written in a way that is understood as the same order.
pub fn order(input: &[u8]) {
    let Ok(order) = Order::parse(input) else { return };
    let written = order.to_json().unwrap_or_default();
    assert_eq!(Order::parse(written.as_bytes()).ok(), Some(order));
}

/// So is a manifest, and it is that of one generation of one host.
pub fn manifest(input: &[u8]) {
    let (Ok(host), Ok(generation)) =
        ("john".parse::<HostName>(), "20260123-142501-4f3a".parse::<Generation>())
    else {
        return;
    };
    let Ok(manifest) = Manifest::parse(input, &host, &generation) else { return };
    assert_eq!((&manifest.host, manifest.job.as_str()), (&host, generation.as_str()));
    let written = manifest.to_json().unwrap_or_default();
    assert_eq!(Manifest::parse(written.as_bytes(), &host, &generation).ok(), Some(manifest));
}

/// So is the description of a disk's image; and its regions are the disk, one after the other.
pub fn disk(input: &[u8]) {
    let Ok(image) = DiskImage::parse(input) else { return };
    let mut end = 0;
    for region in &image.regions {
        assert_eq!(region.start, end);
        end = region.end();
    }
    assert_eq!(end, image.disk.size);
    let written = image.to_json().unwrap_or_default();
    assert_eq!(DiskImage::parse(written.as_bytes()).ok(), Some(image));
}
