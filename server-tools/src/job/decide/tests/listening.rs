//! A client has gone off, or so it seems.

use super::*;

const CANNOT: &str = "the kernel has no ACPI and cannot switch this machine off";

fn listens(seconds: u64) -> Action {
    Action::Tell(Note::Listens { seconds })
}

#[test]
fn one_that_stays_silent_is_off_after_the_whole_wait_and_all_else_is_done_before() {
    let (job, fake) = run(good(Mode::Backup), plan(Mode::Backup));
    assert_eq!((job.exit(), job.troubles()), (Exit::Done, Vec::new()));
    let position = |wanted: &Action| fake.performed.iter().position(|done| done == wanted).unwrap();
    let (told, off) = (position(&listens(150)), position(&Action::Tell(Note::Off)));
    assert!(position(&Action::Do(Step::Prune)) < told && told < off);
    assert!(off < position(&Action::Do(Step::Record)), "the record tells whether it stayed off");
    assert!(fake.now >= fake.woken.unwrap() + after(121 + 150), "{:?}", fake.now);
}

#[test]
fn one_that_comes_back_is_on_and_its_image_is_good_all_the_same() {
    for back in [131, 160, 270] {
        let (job, fake) = run(Fake { back: Some(after(back)), ..good(Mode::Backup) }, plan(Mode::Backup));
        assert!(job.ending().unwrap().is_success());
        assert_eq!(job.exit(), Exit::Failed, "back after {back} s");
        let reason = &job.troubles()[0].reason;
        assert!(reason.starts_with("john is on: it came back "), "{reason}");
        assert!(fake.steps().ends_with(&[Step::LookAgain, Step::Record, Step::Close]), "{:?}", fake.steps());
        assert!(fake.steps().contains(&Step::FinishGeneration));
        assert_eq!(fake.count(&Action::Tell(Note::Off)), 0);
    }
    let (job, _) = run(Fake { back: Some(after(300)), ..good(Mode::Backup) }, plan(Mode::Backup));
    assert_eq!(job.exit(), Exit::Done, "it was off for longer than any reset takes");
}

#[test]
fn one_that_cannot_power_off_is_on_and_nobody_need_wait_to_know() {
    let mut fake = good(Mode::Backup);
    fake.life.pop_back();
    fake.life.push_back((after(121), says(Reported::CannotPowerOff { reason: CANNOT.to_owned() })));
    fake.life.push_back((after(121), says(Reported::PoweringOff { reboot: true })));
    let (job, fake) = run(fake, plan(Mode::Backup));
    assert!(job.ending().unwrap().is_success());
    assert_eq!(job.exit(), Exit::Failed);
    assert!(job.troubles()[0].reason.contains(CANNOT), "{:?}", job.troubles());
    assert!(fake.now < fake.woken.unwrap() + after(150), "{:?}", fake.now);
}

#[test]
fn one_that_says_that_it_boots_again_is_on() {
    let mut fake = good(Mode::Test);
    fake.life[3] = (after(121), says(Reported::PoweringOff { reboot: true }));
    let (job, fake) = run(fake, plan(Mode::Test));
    assert_eq!(job.exit(), Exit::Failed);
    assert!(
        job.troubles()[0].reason.starts_with("john is on: it said that it boots again"),
        "{:?}",
        job.troubles()
    );
    assert_eq!((fake.count(&Action::Tell(Note::Off)), fake.count(&listens(150))), (0, 0));
}

/// A machine that is not pinged: Windows, as it comes.
#[test]
fn one_that_is_heard_to_boot_has_come_back_though_it_never_answers() {
    let file = Heard::AsksForFile { file: "nobackup".to_owned() };
    let says = Heard::Says { words: "no link".to_owned() };
    for (heard, told) in [(file, "(it asks for 'nobackup' over TFTP)"), (says, "(ghost-init says: no link)")]
    {
        let mut fake = good(Mode::Backup);
        fake.life.push_back((after(180), Event::Heard(heard)));
        let (job, fake) = run(fake, plan(Mode::Backup));
        assert!(job.ending().unwrap().is_success());
        assert_eq!(job.exit(), Exit::Failed);
        let reason = &job.troubles()[0].reason;
        assert!(reason.starts_with("john is on: it came back ") && reason.contains(told), "{reason}");
        assert_eq!(fake.count(&Action::Tell(Note::Off)), 0);
    }
}

#[test]
fn one_whose_management_controller_asks_for_an_address_is_off() {
    let mut fake = good(Mode::Backup);
    fake.life.push_back((after(180), Event::Heard(Heard::AsksForAddress)));
    let (job, fake) = run(fake, plan(Mode::Backup));
    assert_eq!((job.exit(), fake.count(&Action::Tell(Note::Off))), (Exit::Done, 1));
}

#[test]
fn one_that_was_never_seen_is_not_called_off() {
    let mut fake = good(Mode::Test);
    fake.on = None;
    let (job, fake) = run(fake, plan(Mode::Test));
    assert_eq!(job.exit(), Exit::Done);
    assert_eq!(fake.count(&Action::Tell(Note::NeverAnswered)), 1);
    assert_eq!(fake.count(&Action::Tell(Note::Off)), 0);
}

#[test]
fn a_person_who_does_not_want_to_wait_ends_the_listening_and_nothing_else() {
    let mut fake = good(Mode::Backup);
    fake.life.push_back((after(140), Event::StopAsked("Ctrl-C (SIGINT)".to_owned())));
    let (job, fake) = run(fake, plan(Mode::Backup));
    assert!(job.is_closed());
    assert_eq!(job.exit(), Exit::Done);
    assert!(fake.now < fake.woken.unwrap() + after(145), "{:?}", fake.now);
    assert_eq!(fake.count(&Action::Do(Step::FinishGeneration)), 1);
}

#[test]
fn one_that_is_told_to_boot_again_is_not_listened_for() {
    for reboot in [true, false] {
        let mut fake = good(Mode::Test);
        fake.life[3] = (after(121), says(Reported::PoweringOff { reboot }));
        let (_, fake) = run(fake, Plan { at_end: AtEnd::Reboot, ..plan(Mode::Test) });
        assert_eq!(fake.count(&listens(150)), 0, "{reboot}");
    }
}
