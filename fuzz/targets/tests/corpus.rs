//! The targets on a stable compiler: with their corpus, and with bytes that are like it.

#![allow(clippy::unwrap_used, reason = "all of this target is tests: a panic that says where is the message")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ghost_fuzz_targets::TARGETS;
use proptest::prelude::*;

/// Of a long input, so many beginnings and ends are tried.
const CUTS: usize = 24;
/// Longer inputs are tried as they are, and not cut or changed: each try takes long.
const LONG: usize = 4 << 10;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The inputs of a target, by the names of their files.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = fuzz().join("corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = files.map(|file| file.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let inputs: Vec<_> = paths.map(|path| (name(&path), fs::read(path).unwrap())).collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs
}

/// Those that a person has written, as their names show, and that are short.
fn written(target: &str) -> impl Iterator<Item = Vec<u8>> {
    let is_found = |name: &str| name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let written = corpus(target).into_iter().filter(move |(name, _)| !is_found(name));
    written.map(|(_, input)| input).filter(|input| (1..LONG).contains(&input.len()))
}

/// The names of what is in a folder, without an ending.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn each_target_can_be_fuzzed_and_has_a_corpus() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let named = manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
    let named: BTreeSet<String> = named.map(|name| name.trim_end_matches(".rs\"").to_owned()).collect();
    assert_eq!(named, targets);
}

#[test]
fn the_corpus_breaks_nothing() {
    for (name, target) in TARGETS {
        corpus(name).iter().for_each(|(_, input)| target(input));
    }
}

#[test]
fn no_stretch_of_the_corpus_breaks_anything() {
    for (name, target) in TARGETS {
        for input in written(name) {
            let step = input.len().div_ceil(CUTS);
            (0..input.len()).step_by(step).for_each(|cut| {
                target(&input[cut..]);
                target(&input[..cut]);
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn random_bytes_break_nothing(input: Vec<u8>) {
        TARGETS.iter().for_each(|(_, target)| target(&input));
    }

    #[test]
    fn a_changed_corpus_breaks_nothing(at: prop::sample::Index, byte in prop::sample::select(b"\"\\{};#$'`=\n\xff\0 ax0".to_vec())) {
        for (name, target) in TARGETS {
            for mut input in written(name) {
                let at = at.index(input.len());
                input[at] = byte;
                target(&input);
            }
        }
    }
}
