//! A job ends and its client has not: is the client off?

use super::*;

/// A client that answers until then, and has said so much of its report.
fn silent(lines: usize, until: u64) -> Fake {
    let mut fake = good(Mode::Backup);
    fake.life.truncate(lines);
    fake.on = Some((JOHN, after(30), after(until)));
    fake
}

/// One that has claimed its order and does not come to its end.
fn overdue(until: u64) -> Fake {
    silent(2, until)
}

/// When its job is given up, after the first packet: its own deadline counts from the claim, and comes first.
const GIVEN_UP: u64 = 61 + 3_600 + 10;

fn is_overdue(job: &Job) -> bool {
    matches!(job.ending(), Some(Ending::Overdue { .. }))
}

/// What is told of it as left undone.
fn reasons(job: &Job) -> Vec<String> {
    job.troubles().into_iter().map(|trouble| trouble.reason).collect()
}

/// Since its job was given up.
fn took(fake: &Fake, given_up: u64) -> Duration {
    fake.now - fake.woken.unwrap() - after(given_up)
}

#[test]
fn one_that_goes_off_soon_after_is_off() {
    let (job, fake) = run(overdue(GIVEN_UP + 40), plan(Mode::Backup));
    assert!(is_overdue(&job), "{:?}", job.ending());
    assert_eq!((job.exit(), reasons(&job)), (Exit::Busy, vec![]));
    assert_eq!(fake.count(&Action::Tell(Note::Off)), 1);
    assert_eq!(fake.count(&Action::Tell(Note::AwaitsSilence { seconds: 60 })), 1);
    let took = took(&fake, GIVEN_UP);
    assert!(took > after(40 + 150) && took < after(40 + 150 + 20), "it may have been reset: {took:?}");
    assert!(fake.steps().ends_with(&[Step::Record, Step::Close]), "{:?}", fake.steps());
}

#[test]
fn one_that_goes_on_answering_is_on_and_the_wait_for_it_has_an_end() {
    for (lines, given_up, what) in
        [(2, GIVEN_UP, "it does not end"), (1, 60 + 120, "it claims no order"), (0, 300, "it never was up")]
    {
        let (job, fake) = run(silent(lines, 100_000), plan(Mode::Backup));
        let [reason] = &reasons(&job)[..] else { panic!("{what}: {:?}", job.troubles()) };
        assert!(reason.starts_with("john is on: its job was given up 60 s ago"), "{what}: {reason}");
        assert_eq!((job.exit(), fake.count(&Action::Tell(Note::Off))), (Exit::Busy, 0), "{what}");
        assert!(took(&fake, given_up) < after(60 + 10), "{what}: {:?}", fake.now);
        assert!(fake.steps().ends_with(&[Step::Record, Step::Close]), "{what}: {:?}", fake.steps());
    }
}

#[test]
fn one_that_is_reset_after_it_fell_silent_is_on() {
    let fake = Fake { back: Some(after(GIVEN_UP + 120)), ..overdue(GIVEN_UP + 5) };
    let (job, fake) = run(fake, plan(Mode::Backup));
    assert!(reasons(&job)[0].starts_with("john is on: it came back "), "{:?}", job.troubles());
    assert_eq!(fake.count(&Action::Tell(Note::Off)), 0);
}

#[test]
fn one_that_answers_arp_alone_may_be_on() {
    let (job, fake) = run(Fake { has_controller: true, ..overdue(GIVEN_UP + 5) }, plan(Mode::Backup));
    assert!(
        reasons(&job)[0].starts_with("john may be on: it answers ARP but not ping"),
        "{:?}",
        job.troubles()
    );
    assert_eq!(fake.count(&Action::Tell(Note::Off)), 0);
}

#[test]
fn one_that_was_lost_is_listened_for_too() {
    let (job, fake) = run(silent(2, 125), plan(Mode::Backup));
    assert!(matches!(job.ending(), Some(Ending::Lost { .. })), "{:?}", job.ending());
    assert_eq!((fake.count(&Action::Tell(Note::Off)), reasons(&job)), (1, vec![]));
    let (job, _) = run(Fake { back: Some(after(500)), ..silent(2, 125) }, plan(Mode::Backup));
    assert!(reasons(&job)[0].starts_with("john is on: it came back "), "{:?}", job.troubles());
}

#[test]
fn one_that_says_late_that_it_cannot_power_off_is_on() {
    let mut fake = overdue(100_000);
    let reason = "no ACPI".to_owned();
    fake.life.push_back((after(GIVEN_UP + 20), says(Reported::CannotPowerOff { reason })));
    fake.life.push_back((after(GIVEN_UP + 20), says(Reported::PoweringOff { reboot: true })));
    let (job, fake) = run(fake, plan(Mode::Backup));
    assert!(reasons(&job)[0].starts_with("john is on: no ACPI"), "{:?}", job.troubles());
    assert!(took(&fake, GIVEN_UP) < after(30), "{:?}", fake.now);
}

#[test]
fn a_person_who_does_not_want_to_wait_is_told_that_it_may_be_on() {
    let mut fake = overdue(100_000);
    fake.life.push_back((after(GIVEN_UP + 10), Event::StopAsked("Ctrl-C (SIGINT)".to_owned())));
    let (job, fake) = run(fake, plan(Mode::Backup));
    assert!(reasons(&job)[0].starts_with("john may be on: "), "{:?}", job.troubles());
    assert!(took(&fake, GIVEN_UP) < after(15), "{:?}", fake.now);
}

#[test]
fn nobody_listens_where_that_is_not_wanted_or_nothing_was_seen_or_it_is_to_boot_again() {
    let mut deaf = plan(Mode::Backup);
    deaf.limits.listen = Duration::ZERO;
    let (job, fake) = run(overdue(100_000), deaf);
    assert!(
        is_overdue(&job) && job.troubles().is_empty() && took(&fake, GIVEN_UP) < after(5),
        "{:?}",
        fake.now
    );
    let (_, fake) = run(Fake::default(), plan(Mode::Backup));
    assert!(took(&fake, 300) < after(5), "it was never on: {:?}", fake.now);
    let (job, fake) = run(overdue(100_000), Plan { at_end: AtEnd::Reboot, ..plan(Mode::Backup) });
    assert!(job.troubles().is_empty() && took(&fake, GIVEN_UP) < after(5), "{:?}", fake.now);
}
