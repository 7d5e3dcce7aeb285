use std::io;

use super::*;

const FILE: &str = "d.conf";
const BOOT: &str = "pxelinux.0";
const TWO: &str = "host john { hardware ethernet 0:1:2:3:4:5; fixed-address 1.2.3.4; filename \"no\\x62ackup\"; } # \"\n\
                   host joe { hardware ethernet 0:1:2:3:4:6; fixed-address 1.2.3.5; filename \"nobackup\"; }";

fn table(text: &str) -> HostTable {
    HostTable::read(Path::new(FILE), text.as_bytes().to_vec(), &mut |_| Err(io::ErrorKind::NotFound.into()))
        .unwrap()
}

fn john() -> HostName {
    "john".parse().unwrap()
}

fn wanted() -> [Wanted; 1] {
    [Wanted { host: john(), boot_file: BOOT.to_owned() }]
}

/// john's swap, and the file after it.
fn swapped(text: &str) -> (Swap, Vec<u8>) {
    let mut edit = swap(&table(text), &wanted());
    (edit.swaps.remove(0).unwrap(), edit.changes.remove(0).contents)
}

fn refused(table: &HostTable) -> SwapError {
    let mut edit = swap(table, &wanted());
    assert_eq!(edit.changes, []);
    edit.swaps.remove(0).unwrap_err()
}

/// The revert of john's swap in [`TWO`] with the file as it is now.
fn reverted(now: &str) -> Reverts {
    revert(Path::new(FILE), now.as_bytes(), &[(john(), swapped(TWO).0)])
}

fn is_put(reverts: &Reverts) -> bool {
    reverts.contents.is_some() && reverts.each == [Back::Put]
}

fn gone(now: &str) -> String {
    let Reverts { contents, mut each } = reverted(now);
    assert_eq!(contents, None);
    match each.remove(0) {
        Back::Gone(fault) | Back::Unclear(fault) => fault.to_string(),
        other => panic!("{other:?}"),
    }
}

fn in_swapped(from: &str, to: &str) -> String {
    let now = String::from_utf8(swapped(TWO).1).unwrap();
    assert!(now.contains(from), "{now}");
    now.replacen(from, to, 1)
}

#[test]
fn a_swap_changes_the_hosts_value_and_nothing_else() {
    let (swap, contents) = swapped(TWO);
    assert_eq!(String::from_utf8(contents).unwrap(), TWO.replacen("no\\x62ackup", BOOT, 1));
    assert_eq!(swap.original.as_bytes(), b"\"no\\x62ackup\"");
}

#[test]
fn a_revert_brings_the_bytes_back_as_they_were_escapes_included() {
    let reverts = reverted(&in_swapped("", ""));
    assert_eq!(reverts, Reverts { contents: Some(TWO.as_bytes().to_vec()), each: vec![Back::Put] });
}

#[test]
fn a_host_that_is_offered_the_boot_file_already_is_not_ours() {
    for value in ["pxelinux.0", "pxe\\x6cinux.0"] {
        let text = TWO.replacen("no\\x62ackup", value, 1);
        let error = refused(&table(&text));
        assert!(matches!(error, SwapError::AlreadyBootFile { .. }), "{error}");
        assert!(
            error
                .to_string()
                .starts_with("d.conf:1:76: host john is offered the boot file 'pxelinux.0' already")
        );
    }
}

#[test]
fn what_is_wrong_with_a_host_is_passed_on() {
    let error = refused(&table("host john { }"));
    assert!(error.to_string().starts_with("d.conf:1:1: host john has no hardware address"), "{error}");
}

#[test]
fn the_edit_is_in_the_file_that_holds_the_host() {
    let included = TWO.as_bytes().to_vec();
    let main = b"include \"hosts\";".to_vec();
    let table = HostTable::read(Path::new(FILE), main, &mut |_| Ok(included.clone())).unwrap();
    let edit = swap(&table, &wanted());
    assert_eq!(edit.swaps[0].as_ref().unwrap().file, Path::new("/hosts"));
    assert_eq!((edit.changes.len(), edit.changes[0].file.as_path()), (1, Path::new("/hosts")));
    assert_eq!(edit.changes[0].contents.len(), TWO.len() - "no\\x62ackup".len() + BOOT.len());
}

#[test]
fn what_others_change_meanwhile_stays() {
    let edited =
        format!("# new\n{}\nhost new {{ filename \"pxelinux.0\"; }}", in_swapped("1.2.3.4", "1.2.3.9"));
    let wanted = edited.replacen("\"pxelinux.0\"", "\"no\\x62ackup\"", 1);
    assert_eq!(reverted(&edited).contents, Some(wanted.into_bytes()));
}

#[test]
fn an_includes_absence_does_not_keep_a_host_from_its_revert() {
    let edited = format!("include \"/not/here\"; {}", in_swapped("", ""));
    assert!(is_put(&reverted(&edited)));
}

#[test]
fn a_second_revert_has_nothing_to_do() {
    let nothing = Reverts { contents: None, each: vec![Back::Already] };
    assert_eq!(reverted(TWO), nothing);
    assert_eq!(reverted(&TWO.replacen("no\\x62ackup", "nobackup", 1)), nothing);
}

#[test]
fn where_our_value_is_gone_the_file_is_left_alone_and_it_is_said_why() {
    for (from, to, said) in [
        ("host john", "host jim", "there is no host john in this file any more"),
        ("host joe", "host john", "host john is declared several times in this file now"),
        ("pxelinux.0", "other.0", "d.conf:1:76: host john is offered 'other.0' now"),
        ("filename \"pxelinux.0\";", "", "d.conf:1:1: host john has no filename"),
        (
            "filename \"pxelinux.0\";",
            "if known { filename \"pxelinux.0\"; }",
            "d.conf:1:78: host john is offered this file under",
        ),
        ("fixed-address", "filename \"a\"; fixed-address", "d.conf:1:81: host john has a second filename"),
        ("host john", "group { host john", "d.conf:1:7: the '{' that stands here is not closed"),
        // Without its semicolon the address swallows the statement after it.
        ("1.2.3.4;", "1.2.3.4", "d.conf:1:44: host john has a file name here that is not one string"),
    ] {
        let now = in_swapped(from, to);
        assert!(gone(&now).starts_with(said), "{now}: {}", gone(&now));
    }
}

#[test]
fn a_fault_behind_the_host_does_not_keep_it_from_its_revert() {
    assert!(is_put(&reverted(&format!("{} host new {{", in_swapped("", "")))));
}
