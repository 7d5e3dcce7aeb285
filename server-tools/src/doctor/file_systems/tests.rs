//! Given an NFS server, its exports and the file systems of what is exported, what can clients reach?

use ghost_contract::NfsVersion;

use super::*;
use crate::doctor::State;
use crate::doctor::facts::{Grant, Tried};
use crate::ghostrc::Exports;

/// The file systems of `/`, STATEDIR, the base root, the trees and the store, each by a number.
type Numbers = [u32; 5];

const ALL_ON_ONE: Numbers = [1, 1, 1, 1, 1];
/// As the mend says.
const APART: Numbers = [1, 1, 2, 3, 3];

fn place(path: &str, number: u32) -> Place {
    Place { path: path.into(), file_system: Ok((8, number)), lacks: Vec::new() }
}

fn on(numbers: Numbers, by_kernel: Option<Vec<Grant>>) -> FileSystems {
    let [root, state, base_root, trees, store] = numbers;
    FileSystems {
        by_kernel,
        root: place("/", root),
        state_folder: place("/var/lib/ghost4linux", state),
        base_root: place("/srv/base", base_root),
        trees: place("/srv/base.trees", trees),
        store: Some(place("/srv/ghost", store)),
    }
}

fn grant(path: &str, checks_subtree: bool) -> Grant {
    Grant {
        path: path.into(),
        clients: "192.168.7.2".to_owned(),
        may_write: false,
        is_root: true,
        checks_subtree,
    }
}

fn boundary(known: FileSystems) -> Boundary {
    Boundary {
        exports: Exports::Job,
        trees: known.trees.path.clone(),
        store_is_here: true,
        is_told: None,
        busy: [].into(),
        told: vec![],
        file_systems: Some(known),
    }
}

fn judged_where(known: FileSystems, nfs: Tried<()>) -> Vec<Finding> {
    let base_root = Export {
        key: "PXEADDR",
        server: Ok([192, 168, 7, 1].into()),
        path: "/srv/base".into(),
        usage: Usage::Read,
        version: NfsVersion::V3,
        nfs,
        exported: Ok(vec![]),
        grants: vec![],
        begins_in: None,
    };
    file_systems(&boundary(known), &[base_root])
}

fn judged(known: FileSystems) -> Vec<(State, String)> {
    let findings = judged_where(known, Ok(()));
    for finding in &findings {
        assert_eq!(finding.check, Check::Export);
        assert_eq!(finding.mend.is_some(), finding.state != State::Good, "{finding}");
    }
    findings.into_iter().map(|finding| (finding.state, finding.found)).collect()
}

/// What it says of a server of which nobody knows that it looks where a file lies.
fn by_another(numbers: Numbers) -> Vec<(State, String)> {
    judged(on(numbers, None))
}

const BY: &str = "whatever is on the same file system, by file handles that it makes itself: ";

#[test]
fn all_on_one_file_system_is_told_once_with_all_that_can_be_reached() {
    let found = format!(
        "a client that can mount /srv/base can read {BY}/, /var/lib/ghost4linux and the other clients' folders in /srv/base.trees and \
         /srv/ghost; one that can mount a folder in /srv/base.trees or /srv/ghost can write to all of that, too"
    );
    assert_eq!(by_another(ALL_ON_ONE), [(State::Warning, found)]);
}

#[test]
fn what_the_mend_says_is_a_mend() {
    let found = "/srv/base shares its file system with no client's folder, and nothing that clients can mount is on that of / or of \
                 /var/lib/ghost4linux; who can mount a folder in /srv/base.trees and /srv/ghost can reach the other clients' there, by file \
                 handles that it makes itself";
    assert_eq!(by_another(APART), [(State::Good, found.to_owned())]);
    for numbers in [[1, 4, 2, 3, 3], [1, 1, 2, 3, 4]] {
        assert!(matches!(&by_another(numbers)[..], [(State::Good, _)]), "{numbers:?}");
    }
}

#[test]
fn each_file_system_with_something_that_is_not_for_clients_is_told() {
    let base_root = "a client that can mount /srv/base can read";
    let own = "a client that can mount a folder in";
    let table: [(Numbers, &[String]); 6] = [
        (
            [1, 1, 2, 2, 2],
            &[format!(
                "{base_root} {BY}the other clients' folders in /srv/base.trees and /srv/ghost; \
             one that can mount a folder in /srv/base.trees or /srv/ghost can write to all of that, too"
            )],
        ),
        (
            [1, 1, 2, 2, 3],
            &[format!(
                "{base_root} {BY}the other clients' folders in /srv/base.trees; \
             one that can mount a folder in /srv/base.trees can write to all of that, too"
            )],
        ),
        ([1, 1, 1, 3, 3], &[format!("{base_root} {BY}/ and /var/lib/ghost4linux")]),
        ([1, 2, 2, 3, 3], &[format!("{base_root} {BY}/var/lib/ghost4linux")]),
        (
            [1, 1, 2, 3, 1],
            &[format!(
                "{own} /srv/ghost can read {BY}/, /var/lib/ghost4linux and the other clients' folders in /srv/ghost; it can write to all of that, too"
            )],
        ),
        (
            [1, 2, 1, 2, 2],
            &[
                format!("{base_root} {BY}/"),
                format!(
                    "{own} /srv/base.trees or /srv/ghost can read {BY}/var/lib/ghost4linux and the other clients' folders in /srv/base.trees and /srv/ghost; it can write to all of that, too"
                ),
            ],
        ),
    ];
    for (numbers, expected) in table {
        let found = by_another(numbers);
        assert!(found.iter().all(|(state, _)| *state == State::Warning), "{numbers:?}: {found:?}");
        let found: Vec<String> = found.into_iter().map(|(_, found)| found).collect();
        assert_eq!(found, expected, "{numbers:?}");
    }
}

#[test]
fn linux_own_server_is_good_where_all_that_it_exports_of_ours_is_checked() {
    let good = "the NFS server looks whether a file that a client asks for lies in what is exported to it (subtree_check)";
    for grants in [
        vec![],
        vec![grant("/srv/base", true)],
        vec![grant("/srv/base", true), grant("/srv/ghost/.clients/john", true)],
        vec![grant("/srv/base", true), grant("/home", false)],
    ] {
        assert_eq!(judged(on(ALL_ON_ONE, Some(grants))), [(State::Good, good.to_owned())]);
    }
}

#[test]
fn one_grant_of_linux_own_server_that_is_not_checked_opens_the_file_system() {
    let base_root = "a client that can mount /srv/base can read ";
    for (path, words) in [
        ("/srv/base", base_root),
        ("/srv", base_root),
        ("/srv/base.trees/192.168.7.2", "a client that can mount a folder in /srv/base.trees can read "),
        ("/srv/ghost/.clients/john", "a client that can mount a folder in /srv/ghost can read "),
    ] {
        // A client of another line is checked.
        let known = on(ALL_ON_ONE, Some(vec![grant(path, true), grant(path, false)]));
        let [finding] = &judged_where(known, Ok(()))[..] else { panic!("one finding for {path}") };
        assert!(finding.state == State::Warning && finding.found.starts_with(words), "{finding}");
        assert!(
            finding.mend.as_deref().unwrap().contains("subtree_check in place of no_subtree_check"),
            "{finding}"
        );
        let found = judged(on(APART, Some(vec![grant(path, false)])));
        assert!(matches!(&found[..], [(State::Good, _)]), "{path}: {found:?}");
    }
    for (may_write, and) in [(false, ""), (true, "; it can write to all of that, too")] {
        let johns = Grant { may_write, ..grant("/srv/ghost/john", false) };
        let found = format!(
            "a client that can mount a folder in /srv/ghost can read {BY}the base root /srv/base and the other clients' folders in \
             /srv/base.trees and /srv/ghost{and}"
        );
        assert_eq!(judged(on([1, 1, 2, 2, 2], Some(vec![johns]))), [(State::Warning, found)]);
    }
}

#[test]
fn with_another_server_the_mend_is_file_systems() {
    let [finding] = &judged_where(on(ALL_ON_ONE, None), Ok(()))[..] else { panic!() };
    let mend = finding.mend.as_deref().unwrap();
    assert!(
        mend.starts_with(
            "give /srv/base a file system of its own, and /srv/base.trees and /srv/ghost another one"
        ),
        "{mend}"
    );
}

#[test]
fn a_store_that_another_machine_exports_is_not_looked_at() {
    let mut known = on([1, 1, 2, 3, 3], None);
    known.store = None;
    assert!(matches!(&judged(known.clone())[..], [(State::Good, found)] if !found.contains("/srv/ghost")));
    known.trees = place("/srv/base.trees", 2);
    assert!(matches!(&judged(known)[..], [(State::Warning, found)] if !found.contains("/srv/ghost")));
}

#[test]
fn what_cannot_be_seen_is_not_taken_for_good() {
    let mut known = on(APART, None);
    known.trees.file_system = Err("Permission denied".to_owned());
    let found = "cannot see on which file system /srv/base.trees is: Permission denied";
    assert_eq!(judged(known), [(State::Warning, found.to_owned())]);
}

#[test]
fn nothing_is_said_where_no_nfs_server_answers_and_where_all_is_shared() {
    assert_eq!(judged_where(on(ALL_ON_ONE, None), Err("no answer".to_owned())), []);
    let mut facts = crate::doctor::judge::tests::facts();
    facts.boundary.file_systems = None;
    assert_eq!(file_systems(&facts.boundary, &facts.exports), []);
}

#[test]
fn a_file_system_on_which_clients_devices_could_be_opened_is_told_unless_it_is_that_of_the_machine() {
    let told = |numbers: Numbers, trees: &[&'static str], store: &[&'static str]| {
        let mut known = on(numbers, None);
        known.root.lacks = vec!["nodev", "nosuid"];
        known.trees.lacks = trees.to_vec();
        known.store.as_mut().unwrap().lacks = store.to_vec();
        let findings = devices(&boundary(known)).into_iter();
        findings.map(|finding| (finding.state, finding.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(told(APART, &[], &[]), []);
    assert_eq!(told(ALL_ON_ONE, &["nodev", "nosuid"], &["nodev", "nosuid"]), []);
    let [(state, words)] = &told(APART, &[], &["nodev"])[..] else { panic!() };
    assert_eq!(*state, State::Warning);
    assert!(words.contains("/srv/ghost is on a file system that is mounted without nodev: "), "{words}");
    assert!(words.contains("add nodev to the options"), "{words}");
    assert_eq!(told(APART, &["nosuid"], &["nodev", "nosuid"]).len(), 2);
}
