//! Given what stands in the journal, who owns it and what is left to do?

use ghost_contract::{MacAddress, Nonce, UnixTime};

use super::*;
use crate::dhcp::{Kind, Original, Swap};
use crate::job::{Identity, Step};

fn begun(job: &str) -> Begun {
    Begun {
        version: VERSION,
        identity: Identity {
            job: job.parse().unwrap(),
            host: "john".parse().unwrap(),
            mac: MacAddress::new([0, 10, 235, 1, 2, 3]),
            ip: Ipv4Addr::new(192, 168, 7, 2),
            mode: ghost_contract::Mode::Backup,
        },
        pid: 4711,
        at: UnixTime::from_millis(1_769_178_301_000),
        nonce: Nonce::new([7; 16]),
        generation: None,
        imager: None,
        deadline: None,
        at_end: None,
        exports: None,
    }
}

fn at() -> UnixTime {
    UnixTime::from_millis(1_769_178_302_000)
}

fn swap() -> Line {
    Line::Swaps(Swap {
        mac: None,
        server: Kind::Isc,
        file: "/etc/dhcpd.conf".into(),
        original: Original::new(b"\"nobackup\""),
        boot_file: "pxelinux.0".to_owned(),
        ip: None,
        real: None,
        before: None,
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
    let owner = Entry::claim(folder.path(), begun("a")).unwrap();
    owner.append(&swap()).unwrap();
    drop(owner);
    assert!(matches!(Entry::claim(folder.path(), begun("b")), Err(JournalError::Orphaned)));
    let paths = entries(folder.path()).unwrap();
    let (orphan, says) = Entry::take_over(&paths[0]).unwrap().unwrap();
    assert!(says.state.unwrap().swap.is_some());
    orphan.close().unwrap();
    assert!(entries(folder.path()).unwrap().is_empty());
    assert!(Entry::claim(folder.path(), begun("b")).is_ok());
}

#[test]
fn a_torn_line_was_never_acted_upon() {
    let folder = tempfile::tempdir().unwrap();
    let owner = Entry::claim(folder.path(), begun("a")).unwrap();
    owner.append(&Line::Intends { step: Step::MakeTree, at: at() }).unwrap();
    (&*owner.file).write_all(b"{\"line\":\"swaps\",\"fi").unwrap();
    let path = owner.path.clone();
    drop(owner);
    let says = look(&path).unwrap().unwrap().says;
    assert_eq!(says.damage, None, "this is what a crash leaves");
    let state = says.state.unwrap();
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
    let cases: [(&[Line], Vec<Step>); 9] = [
        (&[], end.to_vec()),
        (&[intends(Step::MakeTree)], [&aside[..], &end].concat()),
        (&[intends(Step::MakeTree), did(Step::MakeTree), swap()], [&revert[..], &aside, &end].concat()),
        (
            &[intends(Step::MakeTree), swap(), did(Step::Revert), did(Step::OfferOwn)],
            [&[Step::LookAgain][..], &aside, &end].concat(),
        ),
        // It was found swapped again.
        (
            &[swap(), did(Step::Revert), did(Step::OfferOwn), intends(Step::Revert)],
            [&revert[..], &end].concat(),
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
    let mut restore = begun("a");
    restore.identity.mode = ghost_contract::Mode::Restore;
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

/// An entry of a job that has swapped, without an owner.
fn orphan(state_folder: &Path) -> PathBuf {
    let owner = Entry::claim(state_folder, begun("a")).unwrap();
    owner.append(&Line::Intends { step: Step::MakeTree, at: at() }).unwrap();
    owner.append(&swap()).unwrap();
    owner.path.clone()
}

#[test]
fn an_entry_of_a_version_without_checksums_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let path = orphan(folder.path());
    let text = fs::read_to_string(&path).unwrap();
    let old: String = text.lines().map(|line| format!("{}\n", line.rsplit_once(' ').unwrap().0)).collect();
    fs::write(&path, old.replace("\"version\":2,", "")).unwrap();
    let says = look(&path).unwrap().unwrap().says;
    assert_eq!(says.damage, None);
    let state = says.state.unwrap();
    assert_eq!((state.begun.version, state.swapping.is_left()), (1, true));
}

#[test]
fn whatever_byte_is_changed_the_entry_is_no_good_and_what_is_good_of_it_is_still_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = orphan(folder.path());
    let good = fs::read(&path).unwrap();
    let whole = line::read(&good);
    assert_eq!((whole.lines.len(), &whole.damage), (3, &None));
    for place in 0..good.len() - 1 {
        for bit in [0x01, 0x10, 0x80] {
            let mut bad = good.clone();
            bad[place] ^= bit;
            let read = line::read(&bad);
            assert!(read.damage.is_some(), "byte {place}: {:?}", String::from_utf8_lossy(&bad));
            assert!(read.lines.iter().all(|line| whole.lines.contains(line)), "byte {place}");
            assert!(read.lines.len() <= 2, "byte {place}");
        }
    }
}

#[test]
fn what_is_no_entry_of_ours_is_not_believed_and_can_be_set_aside() {
    type Damage = fn(&Path);
    let cases: [(&str, Damage); 10] = [
        ("it is empty", |path| fs::write(path, "").unwrap()),
        ("it has no whole line", |path| fs::write(path, [0; 512]).unwrap()),
        ("line 1 is no text", |path| fs::write(path, b"\xff\xfe\n").unwrap()),
        ("line 1 cannot be read", |path| fs::write(path, "garbage\n").unwrap()),
        ("its first line is missing", |path| {
            let text = fs::read_to_string(path).unwrap();
            fs::write(path, text.split_once('\n').unwrap().1).unwrap();
        }),
        ("a newer ghostctl has written it", |path| {
            let newer = Line::Begun(Begun { version: VERSION + 1, ..begun("a") });
            fs::write(path, newer.to_text().unwrap()).unwrap();
        }),
        ("it is not a regular file", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("it is not a regular file", |path| {
            fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", path).unwrap();
        }),
        ("others than root may write it", |path| {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(path, fs::Permissions::from_mode(0o622)).unwrap();
        }),
        ("it belongs to user 7 and not to root", |path| {
            std::os::unix::fs::chown(path, Some(7), None).unwrap()
        }),
    ];
    for (why, damage) in cases {
        if why.contains("belongs") && !rustix::process::geteuid().is_root() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = orphan(folder.path());
        damage(&path);
        assert_eq!(look(&path).unwrap().unwrap().says.damage.as_deref(), Some(why));
        let (entry, says) = Entry::take_over(&path).unwrap().unwrap();
        assert_eq!(says.damage.as_deref(), Some(why));
        let kept = entry.set_aside(folder.path()).unwrap();
        assert!(fs::symlink_metadata(kept).is_ok() && entries(folder.path()).unwrap().is_empty(), "{why}");
        assert_eq!(damaged::all(folder.path()).len(), 1, "{why}");
        assert!(Entry::claim(folder.path(), begun("b")).is_ok(), "{why}: it is in nobody's way");
    }
}

#[test]
fn who_only_looks_at_an_orphan_does_not_keep_it_from_being_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = orphan(folder.path());
    let looker = open(&path).unwrap().unwrap();
    flock(&looker, FlockOperation::NonBlockingLockShared).unwrap();
    let looks = std::thread::spawn(move || {
        std::thread::sleep(TRY_EVERY * 3);
        drop(looker);
    });
    assert!(Entry::take_over(&path).unwrap().is_some(), "it is waited for");
    looks.join().unwrap();
    assert!(look(&path).unwrap().is_some_and(|seen| !seen.owned));
}

#[test]
fn a_living_owner_is_seen_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let owner = Entry::claim(folder.path(), begun("a")).unwrap();
    assert!(Entry::take_over(&owner.path).unwrap().is_none());
    assert!(look(&owner.path).unwrap().is_some_and(|seen| seen.owned));
}
