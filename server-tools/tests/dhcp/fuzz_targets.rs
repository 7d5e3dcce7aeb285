//! The fuzz targets on a stable compiler: with their corpus, and with bytes that are like it.

use std::path::Path;

use proptest::prelude::*;

#[allow(unreachable_pub, reason = "what is a library's interface for cargo-fuzz is a module here")]
#[path = "../../../fuzz/src/targets.rs"]
mod targets;

/// What is done with an input.
type Target = fn(&[u8]);

/// The targets by the names of their corpora.
const TARGETS: [(&str, Target); 30] = [
    ("lexer", targets::lexer),
    ("editor", targets::editor),
    ("kea", targets::kea),
    ("dnsmasq", targets::dnsmasq),
    ("proxy", targets::proxy),
    ("ghostrc", targets::ghostrc),
    ("report", targets::report),
    ("order", targets::order),
    ("manifest", targets::manifest),
    ("disk", targets::disk),
    ("journal", targets::journal),
    ("record", targets::record),
    ("check", targets::check),
    ("vouched", targets::vouched),
    ("arp", targets::arp),
    ("icmp", targets::icmp),
    ("rpc", targets::rpc),
    ("tftp", targets::tftp),
    ("exports", targets::exports),
    ("picture", targets::picture),
    ("fstab", targets::fstab),
    ("sums", targets::sums),
    ("shown", targets::shown),
    ("partclone", targets::partclone),
    ("partclone_body", targets::partclone_body),
    ("grub", targets::grub),
    ("file_systems", targets::file_systems),
    ("lvm", targets::lvm),
    ("tables", targets::tables),
    ("volumes", targets::volumes),
];

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let inputs: Vec<_> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs
}

#[test]
fn the_corpus_breaks_nothing() {
    for (name, target) in TARGETS {
        corpus(name).iter().for_each(|input| target(input));
    }
}

#[test]
fn no_stretch_of_the_corpus_breaks_anything() {
    for (name, target) in TARGETS {
        for input in corpus(name) {
            (0..input.len()).for_each(|cut| {
                target(&input[cut..]);
                target(&input[..cut]);
            });
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_break_nothing(input: Vec<u8>) {
        TARGETS.iter().for_each(|(_, target)| target(&input));
    }

    #[test]
    fn a_changed_corpus_breaks_nothing(at: prop::sample::Index, byte in prop::sample::select(b"\"\\{};#$'`=\n\xff\0 ax0".to_vec())) {
        for (name, target) in TARGETS {
            for mut input in corpus(name) {
                let at = at.index(input.len());
                input[at] = byte;
                target(&input);
            }
        }
    }
}
