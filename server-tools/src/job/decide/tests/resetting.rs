//! A client asks for a file while it is at work: was it reset?

use super::*;
use crate::job::said::SILENT;

fn asks() -> Event {
    Event::Heard(Heard::AsksForFile { file: "nobackup".to_owned() })
}

/// What its imager reports every ten seconds.
fn sample() -> Event {
    says(Reported::Sampled { disk_read: 1, disk_written: 0, received: 0, sent: 1 })
}

/// A client that has its order and whose address is answered for all day, and what happens then.
fn at_work(mode: Mode, then: Vec<(u64, Event)>) -> Fake {
    let mut fake = good(mode);
    fake.life.truncate(2);
    fake.life.extend(then.into_iter().map(|(at, event)| (after(at), event)));
    fake.on = Some((JOHN, after(30), after(100_000)));
    fake
}

fn reasons(job: &Job) -> Vec<String> {
    job.troubles().into_iter().map(|trouble| trouble.reason).collect()
}

/// When the job was over, after the first packet.
fn over(fake: &Fake) -> Duration {
    fake.now - fake.woken.unwrap()
}

#[test]
fn one_that_was_reset_and_answers_is_found_out_long_before_the_deadline() {
    let asked = "it asked for 'nobackup' over TFTP 180 s ago, and has reported nothing since";
    for mode in [Mode::Backup, Mode::Verify, Mode::Restore] {
        let exported = Plan { exported_for_job: true, ..plan(mode) };
        let (job, fake) = run(at_work(mode, vec![(70, sample()), (100, asks())]), exported);
        assert_eq!(job.ending(), Some(&Ending::Reset { because: asked.to_owned() }), "{mode}");
        assert_eq!(job.exit(), Exit::Failed, "{mode}");
        assert!(
            reasons(&job).contains(&"john is on, and boots its own disk".to_owned()),
            "{:?}",
            job.troubles()
        );
        assert_eq!(reasons(&job).contains(&AT_STAKE.to_owned()), mode == Mode::Restore, "{mode}");
        assert!(over(&fake) < after(100) + SILENT + after(5), "{mode}: {:?}", fake.now);
        let steps = fake.steps();
        assert!(steps.contains(&Step::Unexport) && !steps.contains(&Step::FinishGeneration), "{steps:?}");
        assert!(!fake.is_swapped() && steps.ends_with(&[Step::Record, Step::Close]), "{mode}: {steps:?}");
    }
}

#[test]
fn people_are_told_at_once() {
    let (_, fake) = run(at_work(Mode::Backup, vec![(100, asks()), (101, asks())]), plan(Mode::Backup));
    let text = "it asks for 'nobackup' over TFTP, as a machine does that was reset; its job ends if it reports nothing in the next 180 s";
    assert_eq!(fake.count(&Action::Tell(Note::Warning { text: text.to_owned() })), 1);
}

#[test]
fn a_request_that_a_neighbour_has_forged_harms_no_client_that_reports() {
    let lines = (7..=60).map(|ten: u64| (ten * 10, sample()));
    let forged = (7..=60).map(|ten: u64| (ten * 10 + 3, asks()));
    let mut life: Vec<(u64, Event)> = lines.chain(forged).collect();
    life.sort_by_key(|(at, _)| *at);
    life.extend([(700, says(Reported::Ended { outcome: Outcome::Succeeded })), (701, asks()), (840, off())]);
    let mut fake = at_work(Mode::Backup, life);
    fake.on = Some((JOHN, after(30), after(845)));
    let (job, fake) = run(fake, plan(Mode::Backup));
    assert_eq!((job.ending(), job.exit()), (Some(&Ending::Done { outcome: Outcome::Succeeded }), Exit::Done));
    let told = fake.performed.iter().filter(|action| matches!(action, Action::Tell(Note::Warning { .. })));
    assert!((1..=20).contains(&told.count()), "and who repeats it does not flood the terminal");
}

#[test]
fn a_line_that_is_read_just_after_may_have_been_written_before() {
    let (job, _) = run(at_work(Mode::Backup, vec![(100, asks()), (105, sample())]), plan(Mode::Backup));
    assert!(matches!(job.ending(), Some(Ending::Reset { .. })), "{:?}", job.ending());
    let life = vec![(100, asks()), (105, sample()), (125, sample())];
    let (job, _) = run(at_work(Mode::Backup, life), plan(Mode::Backup));
    assert!(matches!(job.ending(), Some(Ending::Overdue { .. })), "{:?}", job.ending());
    let life = vec![(100, asks()), (125, Event::Muttered("{\"event\":\"of tomorrow\"}".to_owned()))];
    let (job, _) = run(at_work(Mode::Backup, life), plan(Mode::Backup));
    assert!(matches!(job.ending(), Some(Ending::Overdue { .. })), "{:?}", job.ending());
}

#[test]
fn mode_test_reports_nothing_while_it_sleeps() {
    let sleeps = || says(Reported::TestStarted { sleep: after(900), ssh_port: Some(22) });
    let ended = || says(Reported::TestEnded { how: "by itself".to_owned() });
    let done = || says(Reported::Ended { outcome: Outcome::Succeeded });
    let life = vec![(70, sleeps()), (100, asks()), (970, ended()), (971, done()), (975, off())];
    let mut fake = at_work(Mode::Test, life);
    fake.on = Some((JOHN, after(30), after(980)));
    let (job, _) = run(fake, plan(Mode::Test));
    assert_eq!((job.ending(), job.exit()), (Some(&Ending::Done { outcome: Outcome::Succeeded }), Exit::Done));
    let (job, fake) = run(at_work(Mode::Test, vec![(70, sleeps()), (100, asks())]), plan(Mode::Test));
    assert!(matches!(job.ending(), Some(Ending::Reset { .. })), "{:?}", job.ending());
    assert!(over(&fake) < after(70 + 900) + SILENT + after(5), "{:?}", fake.now);
}

#[test]
fn one_that_boots_over_the_network_again_speaks_for_itself() {
    let word = Event::Heard(Heard::Says { words: "no link".to_owned() });
    let (job, _) = run(at_work(Mode::Backup, vec![(100, word)]), plan(Mode::Backup));
    let Some(Ending::Reset { because }) = job.ending() else { panic!("{:?}", job.ending()) };
    assert!(because.starts_with("ghost-init said 'no link' on its way to its root 180 s ago"), "{because}");
    // Its entry is still swapped, so that it finds its order claimed and says so.
    let mut fake = at_work(Mode::Backup, vec![(100, asks())]);
    fake.failing = vec![Step::Revert];
    let (job, _) = run(fake, plan(Mode::Backup));
    assert!(matches!(job.ending(), Some(Ending::Overdue { .. })), "{:?}", job.ending());
}

#[test]
fn one_that_is_given_up_meanwhile_is_not_called_off() {
    let mut fake = at_work(Mode::Backup, vec![(3_600, asks())]);
    fake.on = Some((JOHN, after(30), after(3_601)));
    let (job, fake) = run(fake, plan(Mode::Backup));
    assert!(matches!(job.ending(), Some(Ending::Overdue { .. })), "{:?}", job.ending());
    assert!(
        reasons(&job)[0].starts_with("john is on: it asked for 'nobackup' over TFTP 7"),
        "{:?}",
        job.troubles()
    );
    assert_eq!(fake.count(&Action::Tell(Note::Off)), 0);
}

#[test]
fn one_that_is_asked_to_stop_meanwhile_and_says_nothing_is_to_be_looked_at() {
    let life = vec![(100, asks()), (110, Event::StopAsked("ghostctl cancel".to_owned()))];
    let (job, _) = run(at_work(Mode::Test, life), plan(Mode::Test));
    let [reason] = &reasons(&job)[..] else { panic!("{:?}", job.troubles()) };
    assert!(reason.contains("look whether it is off (it asked for 'nobackup' over TFTP "), "{reason}");
    let life = vec![(100, asks()), (110, Event::StopAsked("ghostctl cancel".to_owned())), (113, off())];
    let (job, _) =
        run(Fake { on: Some((JOHN, after(30), after(115))), ..at_work(Mode::Test, life) }, plan(Mode::Test));
    assert!(job.troubles().is_empty(), "{:?}", job.troubles());
}
