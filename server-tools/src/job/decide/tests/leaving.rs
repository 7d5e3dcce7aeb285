//! A client that was asked to stop hears of it before what is exported for its job is taken away.

use super::*;
use crate::job::decide::leaving::LEAVES_WITHIN;

fn exported(mode: Mode) -> Plan {
    Plan { exported_for_job: true, ..plan(mode) }
}

/// A client whose job is stopped 90 s after the first packet, and what it does then.
fn told_to_stop(mode: Mode, then: &[(u64, Event)]) -> Fake {
    let mut fake = good(mode);
    fake.life.truncate(2);
    fake.life.push_back((after(90), Event::StopAsked("ghostctl cancel".to_owned())));
    fake.life.extend(then.iter().map(|(at, event)| (after(*at), event.clone())));
    fake
}

fn stopped(then: &[(u64, Event)]) -> (Job, Fake) {
    run(told_to_stop(Mode::Test, then), exported(Mode::Test))
}

/// How long after the client was asked to stop its exports were taken away.
fn kept_for(fake: &Fake) -> Duration {
    let at = |step| fake.times.iter().find(|(performed, _)| *performed == step).unwrap().1;
    at(Step::Unexport) - at(Step::AskToStop)
}

#[test]
fn exports_stay_until_the_client_has_said_that_it_powers_off() {
    let (job, fake) = stopped(&[(97, off())]);
    let kept = kept_for(&fake);
    assert!(after(5) < kept && kept < after(10), "{kept:?}");
    assert!(job.troubles().is_empty(), "{:?}", job.troubles());
    assert!(fake.steps().ends_with(&[Step::Record, Step::Close]));
}

#[test]
fn a_client_that_says_nothing_keeps_them_for_a_minute_and_that_is_told() {
    let (job, fake) = stopped(&[]);
    let kept = kept_for(&fake);
    assert!(kept >= LEAVES_WITHIN && kept < LEAVES_WITHIN + after(2), "{kept:?}");
    let told = job.troubles().iter().any(|trouble| trouble.reason.contains("look whether it is off"));
    assert!(told, "{:?}", job.troubles());
    assert!(fake.steps().ends_with(&[Step::Record, Step::Close]));
}

#[test]
fn a_person_who_insists_does_not_wait() {
    let (job, fake) = stopped(&[(95, Event::StopAsked("Ctrl-C (SIGINT)".to_owned()))]);
    assert!(kept_for(&fake) < after(10));
    assert_eq!(
        job.troubles().len(),
        1,
        "people are told that the client has not answered: {:?}",
        job.troubles()
    );
}

#[test]
fn two_signals_of_one_closed_terminal_are_nobody_who_insists() {
    let (job, fake) = stopped(&[(91, Event::StopAsked("SIGHUP".to_owned())), (97, off())]);
    assert!(kept_for(&fake) > after(5));
    assert!(job.troubles().is_empty(), "{:?}", job.troubles());
}

#[test]
fn a_revert_that_fails_is_tried_again_meanwhile() {
    let mut fake = good(Mode::Test);
    fake.life.truncate(1);
    fake.failing_until = vec![(Step::Revert, after(75))];
    fake.life.push_back((after(61), claimed(Mode::Test)));
    fake.life.push_back((after(62), Event::StopAsked("SIGTERM".to_owned())));
    let (_, fake) = run(fake, exported(Mode::Test));
    let at = |step| fake.times.iter().rfind(|(performed, _)| *performed == step).unwrap().1;
    assert!(!fake.is_swapped());
    assert!(at(Step::Revert) + after(20) < at(Step::Unexport), "{:?}", fake.times);
    assert!(kept_for(&fake) >= LEAVES_WITHIN);
}

#[test]
fn a_revert_that_is_being_done_when_the_time_is_over_keeps_nobody_from_being_told() {
    let mut job = Job::new(exported(Mode::Test));
    for (step, at) in
        [(Step::Claim, 0), (Step::MakeTree, 2), (Step::Export, 2), (Step::Swap, 2), (Step::OfferBoot, 3)]
    {
        let begun = if step == Step::Claim { Event::Begun } else { Event::TimePassed };
        job.decide(begun, after(at));
        job.decide(Event::StepDone(step), after(at));
    }
    job.decide(up(JOHN), after(60));
    let failed = || Failure { kind: FailureKind::Configuration, reason: "read-only".to_owned() };
    job.decide(Event::StepFailed(Step::Revert, failed()), after(60));
    job.decide(Event::StopAsked("SIGTERM".to_owned()), after(61));
    job.decide(Event::StepFailed(Step::Revert, failed()), after(61));
    job.decide(Event::StepDone(Step::AskToStop), after(61));
    assert!(job.decide(Event::TimePassed, after(119)).contains(&Action::Do(Step::Revert)));
    assert_eq!(job.decide(Event::TimePassed, after(125)), [], "the revert is being done");
    let actions = job.decide(Event::StepDone(Step::Revert), after(130));
    assert_eq!(actions, [Action::Do(Step::OfferOwn)]);
    let actions = job.decide(Event::StepDone(Step::OfferOwn), after(131));
    assert!(actions.contains(&Action::Do(Step::Unexport)), "{actions:?}");
    assert!(job.troubles().iter().any(|trouble| trouble.reason.contains("look whether it is off")));
}

#[test]
fn a_client_that_cannot_power_off_and_says_so_then_is_told_of() {
    let cannot = says(Reported::CannotPowerOff { reason: "no ACPI".to_owned() });
    let (job, _) = stopped(&[(96, cannot), (97, says(Reported::PoweringOff { reboot: true }))]);
    let told: Vec<String> = job.troubles().iter().map(|trouble| trouble.reason.clone()).collect();
    assert!(told.iter().any(|reason| reason.contains("john is on: no ACPI")), "{told:?}");
}

#[test]
fn a_client_that_ends_at_its_own_deadline_is_not_given_up_before_it_has_said_how() {
    let mut fake = good(Mode::Restore);
    fake.life.truncate(1);
    fake.life.push_back((after(61), claimed(Mode::Restore)));
    let failed = Outcome::Failed { reason: "it took too long".to_owned() };
    fake.life.push_back((after(3_662), says(Reported::Ended { outcome: failed.clone() })));
    fake.life.push_back((after(3_700), off()));
    fake.on = Some((JOHN, after(30), after(3_705)));
    let (job, fake) = run(fake, exported(Mode::Restore));
    assert_eq!(job.ending(), Some(&Ending::Done { outcome: failed }));
    assert!(
        fake.times
            .iter()
            .any(|(step, at)| *step == Step::Unexport && *at > fake.woken.unwrap() + after(3_700))
    );
}

#[test]
fn a_client_that_was_powering_off_already_is_not_waited_for() {
    let (_, fake) = stopped(&[]);
    assert_eq!(fake.steps().iter().filter(|step| **step == Step::Unexport).count(), 1);
    let mut going = good(Mode::Test);
    going.life.push_back((after(122), Event::StopAsked("SIGTERM".to_owned())));
    let (_, fake) = run(going, exported(Mode::Test));
    assert!(!fake.steps().contains(&Step::AskToStop));
    assert!(fake.steps().contains(&Step::Unexport));
}

#[test]
fn a_client_that_leaves_is_asked_until_it_is_silent_and_is_off_then() {
    let (job, fake) = stopped(&[(97, off())]);
    assert!(job.troubles().is_empty());
    assert_eq!(fake.count(&Action::Tell(Note::Off)), 1);
    let woken = fake.woken.unwrap();
    assert!(fake.now >= woken + after(125 + 4) && fake.now < woken + after(125 + 10), "{:?}", fake.now);
}

#[test]
fn a_client_that_says_that_it_powers_off_and_stays_on_is_told_of() {
    let mut fake = told_to_stop(Mode::Test, &[(97, off())]);
    fake.on = Some((JOHN, after(30), after(100_000)));
    let (job, fake) = run(fake, exported(Mode::Test));
    let told: Vec<String> = job.troubles().iter().map(|trouble| trouble.reason.clone()).collect();
    assert!(told.iter().any(|reason| reason.contains("and it still answers")), "{told:?}");
    assert_eq!(fake.count(&Action::Tell(Note::Off)), 0);
    assert!(fake.now < fake.woken.unwrap() + after(97 + 60 + 5), "{:?}", fake.now);
}

#[test]
fn who_insists_does_not_wait_for_its_silence_either() {
    let (job, fake) = stopped(&[(97, off()), (105, Event::StopAsked("Ctrl-C (SIGINT)".to_owned()))]);
    assert!(job.is_closed() && fake.count(&Action::Tell(Note::Off)) == 0);
    assert!(fake.now < fake.woken.unwrap() + after(110), "{:?}", fake.now);
}

#[test]
fn its_last_lines_are_waited_for_whoever_exports_its_folders_unless_nobody_wants_to_know() {
    let (job, waits) = run(told_to_stop(Mode::Backup, &[(97, off())]), plan(Mode::Backup));
    assert!(job.troubles().is_empty(), "{:?}", job.troubles());
    let at = |step| waits.times.iter().find(|(performed, _)| *performed == step).unwrap().1;
    for step in [Step::SetAside, Step::Withdraw] {
        assert!(at(step) >= at(Step::AskToStop) + after(5), "{step:?}: {:?}", waits.times);
    }
    let mut deaf = plan(Mode::Test);
    deaf.limits.listen = Duration::ZERO;
    let (job, fake) = run(told_to_stop(Mode::Test, &[]), deaf);
    assert!(fake.steps().contains(&Step::AskToStop) && job.troubles().is_empty());
    assert!(fake.now < fake.woken.unwrap() + after(92), "{:?}", fake.now);
}
