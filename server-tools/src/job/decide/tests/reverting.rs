//! Given a revert that fails, for a while or for good, what is tried, told and left?

use super::*;

#[test]
fn a_dhcp_server_that_does_not_come_back_is_restarted_with_the_bytes_put_back() {
    let (job, fake) = run(Fake { failing: vec![Step::OfferBoot], ..good(Mode::Test) }, plan(Mode::Test));
    assert_eq!(job.ending().unwrap().exit().status(), 78);
    assert_eq!(fake.steps()[3..6], [Step::OfferBoot, Step::Revert, Step::OfferOwn]);
}

#[test]
fn a_revert_that_fails_is_tried_again_while_the_client_works_and_at_the_end() {
    let (job, fake) = run(Fake { failing: vec![Step::Revert], ..good(Mode::Test) }, plan(Mode::Test));
    let tried = fake.steps().iter().filter(|step| **step == Step::Revert).count();
    assert_eq!(
        tried,
        5 + 5,
        "at once, after 5, 10 and 20 s, when the client is off; after 5, 10, 20, 40 and 25 s"
    );
    assert_eq!(fake.count(&Action::Tell(Note::Insists { seconds: 100 })), 1, "how long is said");
    assert_eq!(job.troubles().len(), 1, "the same trouble is told once");
    assert!(!fake.steps().contains(&Step::OfferOwn), "there is nothing to take up");
}

#[test]
fn a_job_that_is_over_reverts_as_soon_as_that_can_be_and_before_it_looks_through_the_image() {
    for step in [Step::Revert, Step::OfferOwn] {
        // The client is off 122 s after it was woken, and 75 s later it has been tried three times in vain.
        let fake = Fake { failing_until: vec![(step, after(122 + 50))], ..good(Mode::Backup) };
        let (job, fake) = run(fake, plan(Mode::Backup));
        assert_eq!((job.exit(), job.troubles()), (Exit::Done, Vec::new()), "{step:?}");
        let steps = fake.steps();
        let last = |wanted: Step| steps.iter().rposition(|step| *step == wanted);
        assert!(last(Step::OfferOwn) < last(Step::FinishGeneration), "{step:?}: {steps:?}");
        assert!(steps.ends_with(&[Step::Prune, Step::LookAgain, Step::Record, Step::Close]), "{steps:?}");
    }
}

#[test]
fn a_revert_that_is_given_up_is_tried_once_more_after_what_takes_long() {
    let (job, fake) = run(Fake { failing: vec![Step::Revert], ..good(Mode::Backup) }, plan(Mode::Backup));
    assert!(fake.steps().ends_with(&[Step::Prune, Step::Revert, Step::Record]), "{:?}", fake.steps());
    assert_eq!(job.exit(), Exit::Configuration);
}

#[test]
fn the_tries_to_revert_can_be_cut_short_by_a_stop_and_there_is_one_more() {
    let mut fake = Fake { failing: vec![Step::Revert], ..good(Mode::Test) };
    fake.life.push_back((after(133), Event::StopAsked("SIGINT".to_owned())));
    let (job, fake) = run(fake, plan(Mode::Test));
    assert!(fake.now < after(140), "{:?}", fake.now);
    let text = "SIGINT: trying to revert for the last time".to_owned();
    let at = fake.performed.iter().position(|one| *one == Action::Tell(Note::Warning { text: text.clone() }));
    let tries = fake.performed[at.unwrap()..].iter().filter(|one| **one == Action::Do(Step::Revert)).count();
    assert_eq!((tries, job.exit()), (1, Exit::Configuration));
    assert!(last_words(&fake).contains("ghostctl dhcp revert john"), "{}", last_words(&fake));
}

#[test]
fn an_order_that_could_not_be_withdrawn_keeps_the_journals_entry() {
    let (job, fake) = run(Fake { failing: vec![Step::Withdraw], ..good(Mode::Restore) }, plan(Mode::Restore));
    assert!(!fake.steps().contains(&Step::Close), "{:?}", fake.steps());
    assert_ne!(job.exit(), Exit::Done);
    assert!(last_words(&fake).contains("the order is still in the tree"), "{}", last_words(&fake));
}

#[test]
fn a_record_that_could_not_be_written_keeps_the_journals_entry() {
    let (job, fake) = run(Fake { failing: vec![Step::Record], ..good(Mode::Test) }, plan(Mode::Test));
    assert!(!fake.steps().contains(&Step::Close), "{:?}", fake.steps());
    assert_ne!(job.exit(), Exit::Done);
    assert!(last_words(&fake).contains("until its record can be written"), "{}", last_words(&fake));
}

/// What the last note says of the job.
fn last_words(fake: &Fake) -> String {
    match fake.performed.last() {
        Some(Action::Tell(note)) => note.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_swap_that_is_left_is_no_success_whatever_the_client_says() {
    for (step, left) in [
        (Step::Revert, "DHCP still offers it the boot file"),
        (Step::OfferOwn, "the DHCP server has not taken it up"),
    ] {
        let (job, fake) = run(Fake { failing: vec![step], ..good(Mode::Test) }, plan(Mode::Test));
        assert_eq!(job.ending(), Some(&Ending::Done { outcome: Outcome::Succeeded }), "{step:?}");
        assert_eq!(job.exit(), Exit::Configuration, "{step:?}");
        assert!(last_words(&fake).contains(left), "{step:?}: {}", last_words(&fake));
        assert!(last_words(&fake).contains("ghostctl dhcp revert john"), "{step:?}: {}", last_words(&fake));
        let said_reverted = Action::Tell(Note::Phase { phase: Phase::Reverted });
        assert_eq!(fake.count(&said_reverted), 0, "{step:?}: what was not reverted is not called so");
        assert!(!fake.steps().contains(&Step::Close), "{step:?}");
    }
}

#[test]
fn a_revert_that_is_done_late_leaves_no_trouble() {
    for step in [Step::Revert, Step::OfferOwn] {
        let mut fake = good(Mode::Test);
        fake.failing_until = vec![(step, after(90))];
        let (job, fake) = run(fake, plan(Mode::Test));
        assert_eq!((job.exit(), job.troubles()), (Exit::Done, Vec::new()), "{step:?}");
        assert_eq!(fake.count(&Action::Tell(Note::RevertedLate)), 1, "{step:?}");
        assert_eq!(last_words(&fake), "succeeded", "{step:?}");
        assert!(
            fake.steps().ends_with(&[Step::Withdraw, Step::LookAgain, Step::Record, Step::Close]),
            "{step:?}"
        );
    }
}

#[test]
fn a_client_that_fails_while_its_revert_does_is_followed_to_its_end() {
    let mut fake = Fake { failing: vec![Step::Revert], ..good(Mode::Backup) };
    fake.life[2] = (after(120), says(Reported::Ended { outcome: Outcome::Stalled }));
    let (job, fake) = run(fake, plan(Mode::Backup));
    assert_eq!(job.exit(), Exit::Failed);
    assert!(fake.steps().contains(&Step::SetAside), "{:?}", fake.steps());
    assert!(last_words(&fake).starts_with("stalled; error, left undone: "), "{}", last_words(&fake));
}

#[test]
fn a_revert_beside_the_restart_counts_whichever_ends_first_and_whatever_becomes_of_both() {
    let failure = || Failure { kind: FailureKind::Configuration, reason: "made to fail".to_owned() };
    let ends = |step, well: bool| {
        if well { Event::StepDone(step) } else { Event::StepFailed(step, failure()) }
    };
    for (first, then) in [(Step::Revert, Step::OfferBoot), (Step::OfferBoot, Step::Revert)] {
        for (reverts, restarts) in [(true, true), (true, false), (false, true), (false, false)] {
            for client_is_up in [true, false] {
                let what =
                    format!("{first:?} first, reverts {reverts}, restarts {restarts}, up {client_is_up}");
                let mut job = restarting();
                let asked = if client_is_up { up(JOHN) } else { Event::StopAsked("SIGTERM".to_owned()) };
                let mut begun = job.decide(asked, after(5));
                begun.extend(job.decide(Event::TimePassed, after(11)));
                assert_eq!(begun.last(), Some(&Action::Do(Step::Revert)), "{what}");
                let well = |step| if step == Step::Revert { reverts } else { restarts };
                let doing = |actions: &[Action]| {
                    actions
                        .iter()
                        .filter_map(|one| if let Action::Do(step) = one { Some(*step) } else { None })
                        .collect()
                };
                let early: Vec<Step> = doing(&job.decide(ends(first, well(first)), after(12)));
                assert_eq!(early, [], "{what}: the other one is awaited");
                let mut next: Vec<Step> = doing(&job.decide(ends(then, well(then)), after(13)));
                if next.is_empty() {
                    // A client that works is not held up by a revert that has failed.
                    next = doing(&job.decide(Event::TimePassed, after(60)));
                }
                assert_eq!(next, [if reverts { Step::OfferOwn } else { Step::Revert }], "{what}");
            }
        }
    }
}

#[test]
fn a_host_that_is_swapped_again_at_the_end_is_reverted_again_or_the_journal_stays_open() {
    let until = |seconds| vec![(Step::LookAgain, after(seconds))];
    let (job, fake) = run(Fake { failing_until: until(133), ..good(Mode::Backup) }, plan(Mode::Backup));
    let end = [Step::LookAgain, Step::Revert, Step::OfferOwn, Step::LookAgain, Step::Record, Step::Close];
    let steps = fake.steps();
    assert!(steps.ends_with(&end[1..]), "{steps:?}");
    assert_eq!((job.exit(), job.troubles()), (Exit::Done, Vec::new()), "it is put right");
    let (job, fake) = run(Fake { failing: vec![Step::LookAgain], ..good(Mode::Backup) }, plan(Mode::Backup));
    let steps = fake.steps();
    assert!(!steps.contains(&Step::Close) && steps.last() == Some(&Step::Record), "{steps:?}");
    assert_eq!(job.exit(), Exit::Configuration);
    assert!(last_words(&fake).contains("DHCP still offers it the boot file"), "{}", last_words(&fake));
    let looks = steps.iter().filter(|step| **step == Step::LookAgain).count();
    assert!((3..30).contains(&looks), "again for as long as REVERT_DEADLINE says: {looks}");
    let (job, fake) = run(
        Fake { failing: vec![Step::LookAgain], ..good(Mode::Backup) },
        Plan { limits: Limits { revert: Duration::ZERO, ..plan(Mode::Backup).limits }, ..plan(Mode::Backup) },
    );
    assert_eq!(job.exit(), Exit::Configuration);
    assert!(fake.steps().ends_with(&[end[0], end[1], end[2], end[3], end[4]]), "{:?}", fake.steps());
}

#[test]
fn a_revert_is_looked_at_once_more_while_the_client_works_and_done_again_if_it_has_not_held() {
    let fake = Fake { failing_until: vec![(Step::LookAgain, after(75))], ..good(Mode::Backup) };
    let (job, fake) = run(fake, plan(Mode::Backup));
    let begin =
        [Step::Revert, Step::OfferOwn, Step::LookAgain, Step::Revert, Step::OfferOwn, Step::LookAgain];
    assert_eq!(fake.steps()[4..10], begin, "the client is up after 60 s, and off after 121 s");
    assert_eq!((job.exit(), job.troubles()), (Exit::Done, Vec::new()));
    assert_eq!(fake.count(&Action::Tell(Note::RevertedLate)), 1);
}

#[test]
fn a_look_that_fails_as_the_job_ends_is_followed_by_all_that_an_end_needs() {
    let mut job = restarting();
    job.decide(Event::StepDone(Step::OfferBoot), after(1));
    job.decide(up(JOHN), after(2));
    job.decide(Event::StepDone(Step::Revert), after(2));
    job.decide(Event::StepDone(Step::OfferOwn), after(2));
    let looks = job.decide(Event::TimePassed, after(13));
    assert_eq!(looks, [Action::Do(Step::LookAgain)]);
    job.decide(Event::StopAsked("SIGTERM".to_owned()), after(14));
    let failure = Failure { kind: FailureKind::NotServed, reason: "made to fail".to_owned() };
    let steps = finished(&mut job, Event::StepFailed(Step::LookAgain, failure), after(15));
    for step in [Step::OfferOwn, Step::Withdraw, Step::LookAgain, Step::Record, Step::Close] {
        assert!(steps.contains(&step), "{step:?}: {steps:?}");
    }
}

/// The steps that are done from an event on until the job is over.
fn finished(job: &mut Job, event: Event, mut now: Duration) -> Vec<Step> {
    let (mut steps, mut events) = (Vec::new(), vec![event]);
    while !job.is_closed() {
        let actions: Vec<Action> = events.drain(..).flat_map(|event| job.decide(event, now)).collect();
        let doing =
            actions.into_iter().filter_map(|one| if let Action::Do(step) = one { Some(step) } else { None });
        steps.extend(doing.inspect(|step| events.push(Event::StepDone(*step))));
        if events.is_empty() {
            now = job.next_due().unwrap_or(now).max(now);
            events.push(Event::TimePassed);
        }
        assert!(steps.len() < 100, "{steps:?}");
    }
    steps
}

#[test]
fn a_try_that_takes_all_the_time_is_the_last_one() {
    for (seconds, tries) in [(50, 1), (150, 0)] {
        let mut job = restarting();
        job.decide(Event::StopAsked("SIGTERM".to_owned()), after(1));
        job.decide(Event::StepDone(Step::OfferBoot), after(2));
        let failure = Failure { kind: FailureKind::Configuration, reason: "the checker hangs".to_owned() };
        let steps = finished(&mut job, Event::StepFailed(Step::Revert, failure), after(seconds));
        let tried = steps.iter().filter(|step| **step == Step::Revert).count();
        assert_eq!(tried, tries, "after {seconds} of 100 s: {steps:?}");
        assert_eq!(steps.contains(&Step::Close), tries > 0, "{steps:?}");
    }
}

#[test]
fn a_server_that_was_only_just_started_is_not_looked_at_for_the_last_time() {
    let mut job = restarting();
    // Its client is not waited for.
    job.plan.limits.listen = Duration::ZERO;
    job.decide(Event::StepDone(Step::OfferBoot), after(1));
    job.decide(up(JOHN), after(2));
    job.decide(Event::StepDone(Step::Revert), after(2));
    job.decide(Event::StepDone(Step::OfferOwn), after(2));
    let mut actions = job.decide(Event::StopAsked("SIGTERM".to_owned()), after(2));
    while let Some(Action::Do(step)) = actions.last() {
        assert_ne!(*step, Step::LookAgain);
        actions = job.decide(Event::StepDone(*step), after(2));
    }
    assert_eq!(job.next_due(), Some(after(4)));
    assert_eq!(job.decide(Event::TimePassed, after(4)), [Action::Do(Step::LookAgain)]);
}

#[test]
fn what_is_left_is_said_as_it_was_found() {
    for (kind, left) in [
        (FailureKind::NotServed, "the DHCP server has not taken it up"),
        (FailureKind::EntryGone, "it has no DHCP entry any more"),
        (FailureKind::OfferedAgain, "DHCP still offers it the boot file"),
    ] {
        for step in [Step::OfferOwn, Step::LookAgain] {
            let fake = Fake { failing: vec![step], kind: Some(kind), ..good(Mode::Test) };
            let (job, fake) = run(fake, plan(Mode::Test));
            assert_eq!(job.exit(), Exit::Configuration);
            assert!(last_words(&fake).contains(left), "{step:?} {kind:?}: {}", last_words(&fake));
            assert!(!fake.steps().contains(&Step::Close), "{step:?} {kind:?}");
        }
    }
}
