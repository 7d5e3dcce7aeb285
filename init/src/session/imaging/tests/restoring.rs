//! A restore that does not come to its end: what is said of the disk?

use super::*;

fn restore(change: impl FnOnce(&mut Fake)) -> Fake {
    let mut machine = Fake::new("", order_file(&order(Mode::Restore)));
    change(&mut machine);
    replay(machine)
}

fn incomplete(machine: &Fake) -> bool {
    machine.reported().contains(&&Report::DiskIncomplete { disks: vec!["sda".to_owned()] })
}

fn failed(target: Option<TargetDisk>) -> Judgement {
    Judgement { target, ..Judgement::of(Outcome::Failed { reason: "no luck".to_owned() }) }
}

#[test]
fn a_restore_that_failed_says_what_that_means_for_the_disk() {
    for target in [None, Some(TargetDisk::Incomplete)] {
        let machine = restore(|machine| machine.judgement = failed(target));
        assert!(incomplete(&machine));
        let Outcome::Failed { reason } = outcome(&machine) else { panic!() };
        assert!(reason.starts_with("no luck; the disk is incomplete, or may be"), "{reason}");
    }
    let refused = restore(|machine| machine.judgement = failed(Some(TargetDisk::Untouched)));
    assert!(!incomplete(&refused));
    assert_eq!(outcome(&refused), Outcome::Failed { reason: "no luck".to_owned() });
    assert!(!incomplete(&restore(|_| {})), "one that succeeded");
}

#[test]
fn a_restore_that_was_ended_from_outside_is_asked_how_far_it_came() {
    let stopped = |judgement: Judgement| {
        restore(|machine| {
            machine.judgement = judgement;
            (machine.imager_lasts, machine.stop_file_since) = (usize::MAX, Some(Duration::from_secs(100)));
        })
    };
    let writing = stopped(failed(Some(TargetDisk::Incomplete)));
    assert!(matches!(outcome(&writing), Outcome::Cancelled { .. }));
    assert!(incomplete(&writing));
    assert!(!incomplete(&stopped(failed(Some(TargetDisk::Untouched)))), "it was still checking the image");
    let stalled = restore(|machine| {
        machine.judgement = failed(Some(TargetDisk::Incomplete));
        (machine.disk_rate, machine.imager_lasts) = (0, usize::MAX);
    });
    assert_eq!(outcome(&stalled), Outcome::Stalled);
    assert!(incomplete(&stalled));
}

#[test]
fn of_a_backup_no_disk_is_incomplete() {
    let mut machine = backup(|_| {});
    machine.judgement = failed(None);
    let machine = replay(machine);
    assert!(!incomplete(&machine));
    assert_eq!(outcome(&machine), Outcome::Failed { reason: "no luck".to_owned() });
}
