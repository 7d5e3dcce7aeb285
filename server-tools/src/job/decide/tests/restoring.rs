//! Given a restore that ends in some way, what becomes of its scratch files, and what is said of the disk?

use super::*;

#[test]
fn however_a_restore_ends_its_scratch_files_are_removed() {
    let ends = |fake: &Fake| {
        fake.steps().iter().position(|step| *step == Step::RemoveScratch).is_some_and(|at| {
            let rest: Vec<Step> =
                fake.steps().split_off(at).into_iter().filter(|step| *step != Step::LookAgain).collect();
            rest == [Step::RemoveScratch, Step::Withdraw, Step::Record, Step::Close]
        })
    };
    let (job, fake) = run(good(Mode::Restore), plan(Mode::Restore));
    assert!(job.ending().unwrap().is_success() && ends(&fake), "{:?}", fake.steps());
    for seconds in [0, 60, 61, 90] {
        let mut fake = good(Mode::Restore);
        fake.life.retain(|(at, _)| *at <= after(seconds));
        let (job, fake) = run(fake, plan(Mode::Restore));
        assert!(!job.ending().unwrap().is_success() && ends(&fake), "{seconds} s: {:?}", fake.steps());
    }
    let failing = Fake { failing: vec![Step::RemoveScratch], ..good(Mode::Restore) };
    let (job, fake) = run(failing, plan(Mode::Restore));
    assert!(job.ending().unwrap().is_success() && fake.steps().contains(&Step::Close), "the disk is whole");
    assert_eq!(job.troubles().len(), 1, "and what is left is told");
    for mode in [Mode::Backup, Mode::Verify, Mode::Test] {
        let (_, fake) = run(good(mode), plan(mode));
        assert!(!fake.steps().contains(&Step::RemoveScratch), "{mode}");
    }
}

#[test]
fn a_restore_that_did_not_come_to_its_end_leaves_a_disk_that_must_not_be_used() {
    let failed = || Reported::Ended { outcome: Outcome::Failed { reason: "no luck".to_owned() } };
    let gone = || Reported::PoweringOff { reboot: false };
    let incomplete = || Reported::DiskIncomplete { disks: vec!["sda".to_owned()] };
    let told_here = Action::Tell(Note::DiskAtStake);
    for (what, said, in_record, told) in [
        ("it falls silent", vec![], true, 1),
        ("it goes off without a word", vec![gone()], true, 1),
        ("it says itself that the disk is incomplete", vec![failed(), incomplete(), gone()], true, 0),
        ("it fails before it has written anything", vec![failed(), gone()], false, 0),
        ("it succeeds", vec![Reported::Ended { outcome: Outcome::Succeeded }, gone()], false, 0),
    ] {
        let (job, fake) = restore(said);
        let kept = job.troubles().iter().any(|trouble| trouble.reason == AT_STAKE);
        assert_eq!((kept, fake.count(&told_here)), (in_record, told), "{what}");
    }
    let mut never_claimed = good(Mode::Restore);
    never_claimed.life.truncate(1);
    let (job, _) = run(never_claimed, plan(Mode::Restore));
    assert!(job.troubles().is_empty(), "a client that never had its order: {:?}", job.troubles());
    let mut silent_backup = good(Mode::Backup);
    silent_backup.life.truncate(2);
    let (job, _) = run(silent_backup, plan(Mode::Backup));
    assert!(job.troubles().is_empty(), "a backup does not write to the disk: {:?}", job.troubles());
}
