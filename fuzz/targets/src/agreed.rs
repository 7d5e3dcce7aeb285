//! What client and boot server write for each other.

use ghost_contract::checksum::Sha256;
use ghost_contract::image::DiskImage;
use ghost_contract::{Generation, HostName, Order, early, ethers, report};
use ghostctl::catalog::manifest::Manifest;
use ghostctl::parsers;

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

/// No signature of a manifest is believed but the one that was made, whose comment is signed too, without blanks around it.
pub fn signature(input: &[u8]) {
    const SIGNED: [&str; 3] = [
        "RUQ/56GMq7EItFHcfgfJBwk9+6HnCcVqSEjo4FalXmqbGUjCefXVDXa0a+Wmlh2jFYm7tOCd4E3+zka9nmLsBthu+32C8neBr",
        "ghost4linux: 20260123-142501-4f3a of john",
        "m4KEZTEpaLX54205ThAsNOv8RZ4hsRmn6bPOG7XPby1hrDpk+4nIXNbOvjoVEljswhrd2ZVnrNbQF/j/kYdbC",
    ];
    if parsers::signature(input) {
        let text = String::from_utf8_lossy(input);
        assert!(SIGNED.iter().all(|part| text.contains(part)), "{text}");
        let comment = text.lines().find_map(|line| line.strip_prefix("trusted comment: "));
        assert_eq!(comment.map(str::trim), Some(SIGNED[1]));
    }
}

/// A checksum is read as it was written; anything else is none.
pub fn sums(input: &[u8]) {
    for line in String::from_utf8_lossy(input).lines() {
        let Some((sum, _name)) = line.split_once("  ") else { continue };
        let Ok(read) = Sha256::try_from(sum.to_owned()) else { continue };
        assert!(read.to_string().eq_ignore_ascii_case(sum));
    }
}

/// What is said in a datagram is understood, as far as it fits; and said and understood again it is the same.
pub fn early(input: &[u8]) {
    let understood = |words: &str| early::words(&early::datagram(words)).unwrap_or_default();
    let words = early::words(input).unwrap_or_else(|| String::from_utf8_lossy(input).into_owned());
    let once = understood(&words);
    assert!(once.len() <= words.len() && !once.contains(char::is_control), "{once:?}");
    assert!(words.replace(char::is_control, " ").starts_with(&once));
    assert_eq!(understood(&once), once);
}

/// A host table is read again as it was written.
pub fn ethers(input: &[u8]) {
    let clients = ethers::read(input);
    let written = ethers::write(clients.iter().map(|(name, mac)| (name, *mac)));
    assert_eq!(ethers::read(written.as_bytes()), clients);
}

/// What people are told of a report is bounded by the report.
pub fn followed(input: &[u8]) {
    let told = parsers::followed(input);
    assert!(told.iter().map(String::len).sum::<usize>() <= 1_024 * (1 + input.len()));
}
