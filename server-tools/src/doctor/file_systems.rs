//! What a client can reach by file handles of its own making (`EXPORTS=own` and `job`). A handle names a file of a file system; whether the file
//! lies in what is exported is looked at by Linux' own NFS server with `subtree_check`, and else by none. Pure.

use super::facts::{Boundary, Export, FileSystems, Grant, Place, Usage};
use super::{Check, Finding};
use crate::sys::file_system::FileSystem;

/// One finding for each file system that holds more than what clients may mount; a good one if there is none.
pub(super) fn file_systems(boundary: &Boundary, exports: &[Export]) -> Vec<Finding> {
    let Some(known) = &boundary.file_systems else { return Vec::new() };
    // Where no NFS server answers, another finding says so.
    if !exports.iter().any(|export| export.usage == Usage::Read && export.nfs.is_ok()) {
        return Vec::new();
    }
    let open = Open::of(known);
    if open.all().next().is_none() {
        let found = "the NFS server looks whether a file that a client asks for lies in what is exported to it (subtree_check)";
        return vec![Finding::good(Check::Export, found)];
    }
    if let Some(unknown) = unknown(known) {
        return vec![unknown];
    }
    let mut numbers: Vec<FileSystem> =
        open.all().filter_map(|place| place.file_system.clone().ok()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let shared: Vec<Finding> = numbers.iter().filter_map(|number| shared(known, &open, *number)).collect();
    if shared.is_empty() { vec![apart(known, &open)] } else { shared }
}

/// Where clients make devices and programs of root's, though that could be without effect. On the file system of `/` it cannot.
pub(super) fn devices(boundary: &Boundary) -> Vec<Finding> {
    let Some(known) = &boundary.file_systems else { return Vec::new() };
    let is_root = |place: &Place| place.file_system.is_err() || place.file_system == known.root.file_system;
    let lacking = parts(known).filter(|place| !place.lacks.is_empty() && !is_root(place));
    let finding = |place: &Place| {
        let (path, options) = (place.path.display(), place.lacks.join(","));
        let found = format!(
            "{path} is on a file system that is mounted without {options}: clients are root in their folders there, and can make devices and \
             programs of root's, which a program of this machine might open"
        );
        let mend =
            format!("add {options} to the options of that file system in /etc/fstab, and mount it anew");
        Finding::warning(Check::Export, found, mend)
    };
    lacking.map(finding).collect()
}

/// The places whose exports open the file systems that they are on.
struct Open<'a> {
    base_root: Option<&'a Place>,
    /// Those in which each client mounts its own folder.
    in_parts: Vec<&'a Place>,
    /// Those of them that are exported for writing, too.
    for_writing: Vec<&'a Place>,
}

impl<'a> Open<'a> {
    fn of(known: &'a FileSystems) -> Self {
        let is_unchecked = |is_of_it: &dyn Fn(&Grant) -> bool| match &known.by_kernel {
            None => true,
            Some(grants) => grants.iter().any(|grant| !grant.checks_subtree && is_of_it(grant)),
        };
        let concerns = |grant: &Grant, place: &Place| {
            place.path.starts_with(&grant.path) || grant.path.starts_with(&place.path)
        };
        let base_root = &known.base_root;
        Self {
            base_root: is_unchecked(&|grant| base_root.path.starts_with(&grant.path)).then_some(base_root),
            in_parts: parts(known).filter(|place| is_unchecked(&|grant| concerns(grant, place))).collect(),
            for_writing: parts(known)
                .filter(|place| is_unchecked(&|grant| grant.may_write && concerns(grant, place)))
                .collect(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &'a Place> {
        self.base_root.into_iter().chain(self.in_parts.iter().copied())
    }
}

/// Where the clients' own folders are.
fn parts(known: &FileSystems) -> impl Iterator<Item = &Place> {
    [&known.trees].into_iter().chain(&known.store)
}

fn unknown(known: &FileSystems) -> Option<Finding> {
    let all = [&known.root, &known.state_folder, &known.base_root].into_iter().chain(parts(known));
    all.into_iter().find_map(|place| {
        let reason = place.file_system.as_ref().err()?;
        let found = format!("cannot see on which file system {} is: {reason}", place.path.display());
        Some(Finding::warning(Check::Export, found, "correct that, then run this again"))
    })
}

/// What the exports of this file system open, if anything there is not for those who can mount them.
fn shared(known: &FileSystems, open: &Open<'_>, number: FileSystem) -> Option<Finding> {
    let is_here = |place: &&Place| place.file_system == Ok(number);
    let of_server: Vec<&Place> = [&known.root, &known.state_folder].into_iter().filter(is_here).collect();
    let folders: Vec<&Place> = parts(known).filter(is_here).collect();
    let base_root = Some(&known.base_root).filter(is_here);
    // Clients that can reach each other's folders while they have a job are what remains on a file system of its own.
    if of_server.is_empty() && (base_root.is_none() || folders.is_empty()) {
        return None;
    }
    let open_in_parts: Vec<&Place> = open.in_parts.iter().copied().filter(is_here).collect();
    let mut reached: Vec<String> = of_server.iter().map(|place| place.path.display().to_string()).collect();
    let who = match open.base_root.filter(is_here) {
        Some(base_root) => base_root.path.display().to_string(),
        None => {
            reached.extend(base_root.map(|place| format!("the base root {}", place.path.display())));
            format!("a folder in {}", either(&open_in_parts))
        }
    };
    if !folders.is_empty() {
        reached.push(format!("the other clients' folders in {}", listed(&folders)));
    }
    let mut found = format!(
        "a client that can mount {who} can read whatever is on the same file system, by file handles that it makes itself: {}",
        joined(&reached, "and")
    );
    let for_writing: Vec<&Place> = open.for_writing.iter().copied().filter(is_here).collect();
    if !for_writing.is_empty() {
        let who = match open.base_root.filter(is_here).is_none() && for_writing == open_in_parts {
            true => "it".to_owned(),
            false => format!("one that can mount a folder in {}", either(&for_writing)),
        };
        found.push_str(&format!("; {who} can write to all of that, too"));
    }
    Some(Finding::warning(Check::Export, found, mend(known)))
}

fn mend(known: &FileSystems) -> String {
    if known.by_kernel.is_some() {
        return "write subtree_check in place of no_subtree_check in their lines of /etc/exports and /etc/exports.d, then run 'exportfs -ra'; \
                'ghostctl setup' does so in the file that it has made"
            .to_owned();
    }
    format!(
        "give {} a file system of its own, and {} another one, neither that of / nor of {} (docs/security.md); or have Linux' own NFS server \
         export them, which looks where a file lies",
        known.base_root.path.display(),
        listed(&parts(known).collect::<Vec<_>>()),
        known.state_folder.path.display(),
    )
}

fn apart(known: &FileSystems, open: &Open<'_>) -> Finding {
    let mut found = format!(
        "{} shares its file system with no client's folder, and nothing that clients can mount is on that of / or of {}",
        known.base_root.path.display(),
        known.state_folder.path.display()
    );
    if !open.in_parts.is_empty() {
        let folders = listed(&open.in_parts);
        found.push_str(&format!(
            "; who can mount a folder in {folders} can reach the other clients' there, by file handles that it makes itself"
        ));
    }
    Finding::good(Check::Export, found)
}

fn listed(places: &[&Place]) -> String {
    joined(&paths(places), "and")
}

fn either(places: &[&Place]) -> String {
    joined(&paths(places), "or")
}

fn paths(places: &[&Place]) -> Vec<String> {
    places.iter().map(|place| place.path.display().to_string()).collect()
}

fn joined(words: &[String], word: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
