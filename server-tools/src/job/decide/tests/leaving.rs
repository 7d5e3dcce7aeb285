//! A client that was asked to stop hears of it before what is exported for its job is taken away.

use super::*;
use crate::job::decide::leaving::LEAVES_WITHIN;

fn exported(mode: Mode) -> Plan {
    Plan { exported_for_job: true, ..plan(mode) }
}

/// A job that is stopped 90 s after the first packet, and what the client does then.
fn stopped(then: &[(u64, Event)]) -> (Job, Fake) {
    let mut fake = good(Mode::Test);
    fake.life.truncate(2);
    fake.life.push_back((after(90), Event::StopAsked("ghostctl cancel".to_owned())));
    fake.life.extend(then.iter().map(|(at, event)| (after(*at), event.clone())));
    run(fake, exported(Mode::Test))
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
    assert_eq!(job.troubles().len(), 1, "that nobody knows is told all the same: {:?}", job.troubles());
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
fn exports_that_are_not_of_the_job_are_no_reason_to_wait() {
    let mut fake = good(Mode::Test);
    fake.life.truncate(2);
    fake.life.push_back((after(90), Event::StopAsked("SIGTERM".to_owned())));
    let (job, fake) = run(fake, plan(Mode::Test));
    assert!(fake.steps().contains(&Step::AskToStop) && job.troubles().is_empty());
    assert!(fake.now < fake.woken.unwrap() + after(92), "{:?}", fake.now);
}
