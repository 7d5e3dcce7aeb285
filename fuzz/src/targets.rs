//! What is fuzzed: plain functions of bytes, each with what must hold for any input.
//!
//! `cargo fuzz run NAME` drives them with a nightly compiler (README.md); the tests of `ghostctl` call the same functions
//! with the corpus and with random bytes.

use std::path::Path;

use ghost_contract::checksum::Sha256;
use ghost_contract::image::DiskImage;
use ghost_contract::order::ImageStore;
use ghost_contract::{Generation, HostName, Order, layout, report};
use ghost_imaging::parsers as disks;
use ghostctl::catalog::manifest::Manifest;
use ghostctl::dhcp::isc::lexer::Lexer;
use ghostctl::dhcp::isc::{HostTable, Tree};
use ghostctl::dhcp::{Back, Configuration as _, Swap, Wanted, dnsmasq, isc, kea, proxy};
use ghostctl::ghostrc::Ghostrc;
use ghostctl::{parsers, tree};

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

/// The same of Kea's configuration, whose tokens put together are the input.
pub fn kea(input: &[u8]) {
    let tokens: Vec<u8> =
        kea::lexer::Lexer::new(input).flat_map(|token| token.bytes.iter().copied()).collect();
    assert_eq!(tokens, input);
    let file = Path::new("/kea-dhcp4.conf");
    let read = kea::HostTable::read(file, input.to_vec(), &mut |_| Err(std::io::ErrorKind::NotFound.into()));
    let table = match read {
        Ok(table) => table,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let wanted = |host| Wanted { host, boot_file: BOOT.to_owned() };
    let wanted: Vec<Wanted> = table.clients().map(|(name, _)| wanted(name)).collect();
    let edit = kea::swap(&table, &wanted);
    let swapped =
        wanted.into_iter().zip(edit.swaps).filter_map(|(wanted, swap)| Some((wanted.host, swap.ok()?)));
    let swapped: Vec<(HostName, Swap)> = swapped.collect();
    let Some(change) = edit.changes.first() else { return assert!(swapped.is_empty()) };
    let reverted = kea::revert(file, &change.contents, &swapped);
    assert_eq!(reverted.contents.as_deref(), Some(input));
    assert!(reverted.each.iter().all(|back| *back == Back::Put));
}

/// The same of a file of dnsmasq's options, with hosts that have tags of their own.
pub fn dnsmasq(input: &[u8]) {
    let configuration = b"dhcp-optsfile=/options\ndhcp-host=2:0:0:0:0:2,set:john,192.168.7.2,john\ndhcp-host=2:0:0:0:0:3,set:joe,192.168.7.3,joe\n";
    let mut read = |path: &Path| match path == Path::new("/options") {
        true => Ok(input.to_vec()),
        false => Err(std::io::ErrorKind::NotFound.into()),
    };
    let mut listed = |_: &Path| Err(std::io::ErrorKind::NotADirectory.into());
    let mut content = dnsmasq::Content { file: &mut read, folder: &mut listed };
    let around = dnsmasq::Around::default();
    let table =
        dnsmasq::HostTable::read(Path::new("/dnsmasq.conf"), configuration.to_vec(), &around, &mut content);
    let table = match table {
        Ok(table) => table,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let wanted = |host| Wanted { host, boot_file: BOOT.to_owned() };
    let wanted: Vec<Wanted> = table.clients().map(|(name, _)| wanted(name)).collect();
    let edit = dnsmasq::swap(&table, &wanted);
    let swapped =
        wanted.into_iter().zip(edit.swaps).filter_map(|(wanted, swap)| Some((wanted.host, swap.ok()?)));
    let swapped: Vec<(HostName, Swap)> = swapped.collect();
    let Some(change) = edit.changes.first() else { return assert!(swapped.is_empty()) };
    let reverted = dnsmasq::revert(Path::new("/options"), &change.contents, &swapped);
    assert_eq!(reverted.contents.as_deref(), Some(input));
    assert!(reverted.each.iter().all(|back| *back == Back::Put));
}

/// The same of a proxy's configuration.
pub fn proxy(input: &[u8]) {
    let file = Path::new("/proxy.conf");
    let table = proxy::ClientTable::read(file, input.to_vec(), &proxy::Around::default());
    let wanted = |host| Wanted { host, boot_file: BOOT.to_owned() };
    let wanted: Vec<Wanted> = table.clients().into_iter().map(|(name, _)| wanted(name)).collect();
    let edit = proxy::swap(&table, &wanted);
    let swapped =
        wanted.into_iter().zip(edit.swaps).filter_map(|(wanted, swap)| Some((wanted.host, swap.ok()?)));
    let swapped: Vec<(HostName, Swap)> = swapped.collect();
    let Some(change) = edit.changes.first() else { return assert!(swapped.is_empty()) };
    let reverted = proxy::revert(file, &change.contents, &swapped);
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

/// A terminal is sent sixels and nothing else, and not without a bound.
pub fn picture(input: &[u8]) {
    let Some(sequence) = parsers::picture(input) else { return };
    let body = sequence.strip_prefix("\x1bPq").and_then(|rest| rest.strip_suffix("\x1b\\\n"));
    assert!(body.is_some_and(|body| body.bytes().all(|byte| (b'!'..=b'~').contains(&byte))));
}

/// The image store stands in it once, and each line is one of the base root's or that one.
pub fn fstab(input: &[u8]) {
    let base = String::from_utf8_lossy(input);
    let store = ImageStore {
        server: [192, 168, 7, 1].into(),
        path: "/home/ghost images".into(),
        only: None,
        generation: None,
    };
    let text = tree::fstab(&base, &store);
    let place = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
    let mounts = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let stores = mounts.filter(|line| place(line).as_deref() == Some(layout::STORE_MOUNT_POINT));
    assert_eq!(stores.count(), 1);
    let bare = |line: &str| line.trim_end_matches('\r').to_owned();
    assert!(text.lines().rev().skip(1).all(|line| base.lines().any(|base| bare(base) == bare(line))));
}

/// A checksum is read as it was written; anything else is none.
pub fn sums(input: &[u8]) {
    for line in String::from_utf8_lossy(input).lines() {
        let Some((sum, _name)) = line.split_once("  ") else { continue };
        let Ok(read) = Sha256::try_from(sum.to_owned()) else { continue };
        assert!(read.to_string().eq_ignore_ascii_case(sum));
    }
}

/// Whatever a client says, a terminal only shows it, and it begins no line.
pub fn shown(input: &[u8]) {
    let said = String::from_utf8_lossy(input);
    let [line, lines, screen, json] = parsers::shown(&said);
    let is_plain = |c: char| {
        !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}')
    };
    assert!(line.chars().all(is_plain) && json.chars().all(is_plain));
    assert!(lines.chars().all(|c| is_plain(c) || matches!(c, '\n' | '\t')));
    assert!(lines.split('\n').skip(1).all(|line| line.is_empty() || line.starts_with(' ')));
    assert!(screen.chars().all(|c| is_plain(c) || matches!(c, '\n' | '\x1b')));
    let only_colours = screen.split('\x1b').skip(1).all(|sequence| {
        let numbers = sequence.strip_prefix('[').and_then(|rest| rest.split_once('m'));
        numbers.is_some_and(|(numbers, _)| numbers.bytes().all(|b| b.is_ascii_digit() || b == b';'))
    });
    assert!(only_colours);
}

/// Bytes of a disk, and the words of tools, make nobody fail or take more memory than they are worth.
pub fn partclone(input: &[u8]) {
    let _understood = disks::partclone_head(input);
}

pub fn partclone_body(input: &[u8]) {
    let _understood = disks::partclone_body(input);
}

pub fn file_systems(input: &[u8]) {
    let _understood = disks::file_systems(input);
}

pub fn lvm(input: &[u8]) {
    let _understood = disks::lvm_group(input);
}

pub fn tables(input: &[u8]) {
    let _understood = disks::tables(input);
}

/// Logical volumes are on their physical volume, and no two of them in the same place.
pub fn volumes(input: &[u8]) {
    const LENGTH: u64 = 200 << 20;
    let id = "a".repeat(32);
    let Ok(mut volumes) = disks::logical_volumes(input, &id, LENGTH) else { return };
    volumes.sort_by_key(|volume| volume.start);
    let mut end = 1;
    for volume in volumes {
        assert!(volume.start >= end && volume.length > 0, "{volume:?}");
        end = volume.start.saturating_add(volume.length);
        assert!(end <= LENGTH, "{volume:?}");
    }
}
