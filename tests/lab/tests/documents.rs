//! Links in the documents lead somewhere: to sections, and to files and folders of the project.

#![allow(clippy::unwrap_used, reason = "all of this target is tests: a panic that says where is the message")]

use std::path::{Path, PathBuf};
use std::process::Command;

use ghost_lab::config::repository;

/// Folders of the repository. What a document names in one of them is a path and not only a word.
const FOLDERS: [&str; 11] = [
    "contract/",
    "docs/",
    "fuzz/",
    "imaging/",
    "init/",
    "kmod/",
    "packaging/",
    "rootfs/",
    "scripts/",
    "server-tools/",
    "tests/",
];

/// All documents that are kept in the repository.
fn documents() -> Vec<PathBuf> {
    let listed = Command::new("git").args(["ls-files", "*.md"]).current_dir(repository()).output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let names = String::from_utf8(listed.stdout).unwrap();
    let paths: Vec<PathBuf> =
        names.lines().map(|name| repository().join(name)).filter(|path| path.exists()).collect();
    assert!(paths.len() > 5, "{paths:?}");
    paths
}

/// The targets of links to files: `[words](target#place)`.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://")).map(|target| target.split('#').next().unwrap()).collect()
}

/// The paths in backticks, a program's without its arguments.
fn paths(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.split_whitespace().next());
    quoted.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder))).collect()
}

fn missing(
    documents: &[PathBuf],
    named: impl Fn(&str) -> Vec<String>,
    exists: impl Fn(&Path, &str) -> bool,
) -> Vec<String> {
    let mut missing = Vec::new();
    for document in documents {
        let text = std::fs::read_to_string(document).unwrap();
        let absent = named(&text).into_iter().filter(|name| !exists(document, name));
        missing.extend(absent.map(|name| format!("{}: {name}", document.display())));
    }
    missing
}

fn owned(names: Vec<&str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn a_link_leads_to_a_file() {
    let beside =
        |document: &Path, target: &str| target.is_empty() || document.parent().unwrap().join(target).exists();
    assert_eq!(missing(&documents(), |text| owned(links(text)), beside), Vec::<String>::new());
}

#[test]
fn a_file_that_a_document_names_is_there() {
    // A decision is told as it was when it was made.
    let mut documents = documents();
    documents.retain(|document| !document.starts_with(repository().join("docs/adr")));
    let there = |_: &Path, path: &str| repository().join(path).exists();
    assert_eq!(missing(&documents, |text| owned(paths(text)), there), Vec::<String>::new());
}

#[test]
fn links_and_paths_are_found() {
    let text = "[words](docs/x.md#place), [web](https://example.org), `init/src/a.rs`, `make init`, `tests/dos/make-floppy /tmp/x`";
    assert_eq!(links(text), ["docs/x.md"]);
    assert_eq!(paths(text), ["init/src/a.rs", "tests/dos/make-floppy"]);
}
