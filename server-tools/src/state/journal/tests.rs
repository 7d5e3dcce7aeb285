//! Given what stands in the journal, who owns it and what is left to do?

use super::*;
use crate::dhcp::{Kind, Original};

fn begun(job: &str) -> Begun {
    Begun {
        job: job.parse().unwrap(),
        host: "john".parse().unwrap(),
        mac: MacAddress::new([0, 10, 235, 1, 2, 3]),
        ip: Ipv4Addr::new(192, 168, 7, 2),
        mode: ghost_contract::Mode::Backup,
        pid: 4711,
        at: UnixTime::from_millis(1_769_178_301_000),
        nonce: Nonce::new([7; 16]),
        generation: None,
    }
}

fn at() -> UnixTime {
    UnixTime::from_millis(1_769_178_302_000)
}

fn swap() -> Line {
    Line::Swaps(Swap {
        server: Kind::Isc,
        file: "/etc/dhcpd.conf".into(),
        original: Original::new(b"\"nobackup\""),
        boot_file: "pxelinux.0".to_owned(),
    })
}

#[test]
fn a_second_job_is_told_who_has_the_client_since_when() {
    let folder = tempfile::tempdir().unwrap();
    let _owner = Entry::claim(folder.path(), begun("a")).unwrap();
    let error = Entry::claim(folder.path(), begun("b")).unwrap_err();
    assert_eq!(error.to_string(), "john is busy: backup a runs since 2026-01-23 14:25:01 UTC (pid 4711)");
}

#[test]
fn an_entry_without_an_owner_is_not_run_over_but_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut owner = Entry::claim(folder.path(), begun("a")).unwrap();
    owner.append(swap()).unwrap();
    drop(owner);
    assert!(matches!(Entry::claim(folder.path(), begun("b")), Err(JournalError::Orphaned)));
    let paths = entries(folder.path()).unwrap();
    let orphan = Entry::take_over(&paths[0]).unwrap().unwrap();
    assert!(orphan.state().unwrap().swap.is_some());
    orphan.close().unwrap();
    assert!(entries(folder.path()).unwrap().is_empty());
    assert!(Entry::claim(folder.path(), begun("b")).is_ok());
}

#[test]
fn a_torn_line_was_never_acted_upon() {
    let folder = tempfile::tempdir().unwrap();
    let mut owner = Entry::claim(folder.path(), begun("a")).unwrap();
    owner.append(Line::Intends { step: Step::MakeTree, at: at() }).unwrap();
    owner.file.write_all(b"{\"line\":\"swaps\",\"fi").unwrap();
    let path = owner.path.clone();
    drop(owner);
    let state = look(&path).unwrap().unwrap();
    assert_eq!((state.swap, state.intended), (None, vec![Step::MakeTree]));
}

#[test]
fn what_may_have_happened_is_undone() {
    let first = Line::Begun(begun("a"));
    let intends = |step| Line::Intends { step, at: at() };
    let did = |step| Line::Did { step, at: at() };
    let end = [Step::Record, Step::Close];
    let aside = [Step::SetAside, Step::Withdraw];
    let revert = [Step::Revert, Step::OfferOwn];
    let cases: [(&[Line], Vec<Step>); 8] = [
        (&[], end.to_vec()),
        (&[intends(Step::MakeTree)], [&aside[..], &end].concat()),
        (&[intends(Step::MakeTree), did(Step::MakeTree), swap()], [&revert[..], &aside, &end].concat()),
        (
            &[intends(Step::MakeTree), swap(), did(Step::Revert), did(Step::OfferOwn)],
            [&aside[..], &end].concat(),
        ),
        (&[swap(), did(Step::Revert)], [&revert[..], &end].concat()),
        // A restart takes up whatever stands there: only one after the revert counts.
        (&[swap(), did(Step::OfferOwn)], [&revert[..], &end].concat()),
        (&[swap(), did(Step::OfferOwn), did(Step::Revert)], [&revert[..], &end].concat()),
        (&[swap(), did(Step::Revert), did(Step::OfferOwn), swap()], [&revert[..], &end].concat()),
    ];
    for (lines, expected) in cases {
        let lines = [std::slice::from_ref(&first), lines].concat();
        assert_eq!(State::of(&lines).unwrap().left_over(ClientState::Gone), expected, "{lines:?}");
    }
}

#[test]
fn what_a_restore_had_room_for_is_removed_unless_its_client_still_works() {
    let restore = Begun { mode: ghost_contract::Mode::Restore, ..begun("a") };
    let mut lines = vec![Line::Begun(restore), Line::Intends { step: Step::MakeTree, at: at() }];
    let left = |lines: &[Line], client| State::of(lines).unwrap().left_over(client);
    let expected = [Step::RemoveScratch, Step::Withdraw, Step::Record, Step::Close];
    for client in [ClientState::Gone, ClientState::Succeeded] {
        assert_eq!(left(&lines, client), expected);
    }
    assert_eq!(left(&lines, ClientState::AtWork), []);
    lines.push(Line::Did { step: Step::RemoveScratch, at: at() });
    assert_eq!(left(&lines, ClientState::Gone), expected[1..]);
}

#[test]
fn bytes_that_are_no_text_are_kept_as_they_are() {
    for bytes in [&b"\"nobackup\""[..], b"\"\xe4\xff\""] {
        let text = serde_json::to_string(&Original::new(bytes)).unwrap();
        assert_eq!(serde_json::from_str::<Original>(&text).unwrap().as_bytes(), bytes);
    }
}

#[test]
fn a_client_that_works_on_keeps_its_order_and_its_folder_but_not_the_swap() {
    let lines = [Line::Begun(begun("a")), Line::Intends { step: Step::MakeTree, at: at() }, swap()];
    let state = State::of(&lines).unwrap();
    assert_eq!(state.left_over(ClientState::AtWork), [Step::Revert, Step::OfferOwn]);
}

#[test]
fn a_backup_that_succeeded_while_nobody_looked_becomes_a_generation() {
    let lines = [Line::Begun(begun("a")), Line::Intends { step: Step::MakeTree, at: at() }];
    let state = State::of(&lines).unwrap();
    let expected = [Step::FinishGeneration, Step::Withdraw, Step::Record, Step::Close];
    assert_eq!(state.left_over(ClientState::Succeeded), expected);
}
