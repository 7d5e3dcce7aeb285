//! Whole jobs against a machine that is not there: given how things go, what is done, and how does it end?

mod given_up;
mod leaving;
mod listening;
mod resetting;
mod restoring;
mod reverting;

use std::net::Ipv4Addr;

use ghost_contract::Mode;
use ghost_contract::order::AtEnd;
use ghost_contract::report::{Event as Reported, Outcome};

use super::*;
use crate::exit::Exit;
use crate::job::said::AT_STAKE;
use crate::job::{FailureKind, Identity, Limits, Plan};
use crate::runner::drive;
use crate::runner::fake::{Fake, NoMore, says};

const JOHN: MacAddress = MacAddress::new([0, 10, 235, 1, 2, 3]);
const OTHER: MacAddress = MacAddress::new([0, 10, 235, 9, 9, 9]);
const ID: &str = "20260123-142501-4f3a";

const fn after(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn plan(mode: Mode) -> Plan {
    Plan {
        identity: Identity {
            job: ID.parse().unwrap(),
            host: "john".parse().unwrap(),
            mac: JOHN,
            ip: Ipv4Addr::new(192, 168, 7, 2),
            mode,
        },
        limits: Limits::new(after(300), after(3_600), after(60), after(100)),
        already_on: AlreadyOn::Refuse,
        at_end: AtEnd::PowerOff,
        exported_for_job: false,
    }
}

fn up(mac: MacAddress) -> Event {
    says(Reported::Up {
        version: "0".to_owned(),
        kernel: "6".to_owned(),
        interface: "eth0".to_owned(),
        mac,
        ip: Ipv4Addr::new(192, 168, 7, 2),
    })
}

fn claimed(mode: Mode) -> Event {
    says(Reported::OrderClaimed { job: ID.parse().unwrap(), mode })
}

fn off() -> Event {
    says(Reported::PoweringOff { reboot: false })
}

/// A client that does all that is asked of it.
fn good(mode: Mode) -> Fake {
    let life = [
        (after(60), up(JOHN)),
        (after(61), claimed(mode)),
        (after(120), says(Reported::Ended { outcome: Outcome::Succeeded })),
        (after(121), off()),
    ];
    Fake { life: life.into(), on: Some((JOHN, after(30), after(125))), ..Fake::default() }
}

fn run(mut fake: Fake, plan: Plan) -> (Job, Fake) {
    let mut jobs = vec![Job::new(plan)];
    drive(&mut jobs, &mut fake, &mut NoMore);
    (jobs.remove(0), fake)
}

#[test]
fn a_backup_from_the_first_packet_to_the_last() {
    let (job, fake) = run(good(Mode::Backup), plan(Mode::Backup));
    assert_eq!(job.ending(), Some(&Ending::Done { outcome: Outcome::Succeeded }));
    assert_eq!(
        fake.steps(),
        [
            Step::Claim,
            Step::MakeTree,
            Step::Swap,
            Step::OfferBoot,
            Step::Revert,
            Step::OfferOwn,
            Step::LookAgain,
            Step::FinishGeneration,
            Step::Withdraw,
            Step::Prune,
            Step::LookAgain,
            Step::Record,
            Step::Close
        ]
    );
}

#[test]
fn packets_are_repeated_until_the_client_is_up() {
    let (job, fake) = run(good(Mode::Test), plan(Mode::Test));
    assert_eq!(fake.count(&Action::Wake), 12, "every 5 s for 60 s");
    assert_eq!(job.seen().packets, 12);
}

#[test]
fn one_that_is_off_is_woken_also_where_its_management_controller_answers_for_it() {
    let controller =
        Fake { has_controller: true, on: Some((JOHN, after(290), after(1_000))), ..Fake::default() };
    let (job, fake) = run(controller, plan(Mode::Test));
    let Some(Ending::NeverUp { last_seen }) = job.ending() else { panic!("{:?}", job.ending()) };
    assert!(
        last_seen.contains("60 magic packets") && last_seen.contains("management controller"),
        "{last_seen}"
    );
    assert_eq!(fake.count(&Action::Wake), 60);
}

#[test]
fn it_is_over_only_when_nobody_has_answered_for_a_while() {
    let (_, fake) = run(good(Mode::Test), plan(Mode::Test));
    let stopped_answering = after(125);
    let woken = after(1) + Duration::from_millis(500);
    assert!(fake.now >= woken + stopped_answering + Duration::from_secs(4), "{:?}", fake.now);
}

#[test]
fn a_machine_that_stays_on_is_told_after_the_deadline() {
    let mut fake = good(Mode::Test);
    fake.on = Some((JOHN, after(30), after(100_000)));
    let (job, _) = run(fake, plan(Mode::Test));
    assert_eq!(job.ending(), Some(&Ending::StillOn { outcome: Some(Outcome::Succeeded) }));
    assert_eq!(job.ending().unwrap().exit().status(), 1);
}

#[test]
fn arp_that_is_answered_for_a_machine_that_is_off_does_not_make_it_on() {
    let (job, fake) = run(Fake { has_controller: true, ..good(Mode::Backup) }, plan(Mode::Backup));
    assert_eq!(job.ending(), Some(&Ending::Done { outcome: Outcome::Succeeded }));
    assert_eq!(fake.count(&Action::Tell(Note::OnlyArp)), 1);
}

#[test]
fn one_that_was_told_to_power_off_and_boots_again_is_trusted_only_when_it_is_silent() {
    let again = || says(Reported::PoweringOff { reboot: true });
    let mut fake = good(Mode::Backup);
    fake.life[3] = (after(121), again());
    fake.on = Some((JOHN, after(30), after(100_000)));
    let (job, fake) = run(fake, plan(Mode::Backup));
    assert_eq!(job.ending(), Some(&Ending::StillOn { outcome: Some(Outcome::Succeeded) }));
    assert!(!fake.steps().contains(&Step::FinishGeneration), "it may still write");
    let mut fake = good(Mode::Backup);
    fake.life[3] = (after(121), again());
    let (job, fake) = run(fake, plan(Mode::Backup));
    assert!(job.ending().unwrap().is_success() && fake.now >= after(125 + 4), "{:?}", fake.now);
    let mut fake = good(Mode::Backup);
    fake.life[3] = (after(121), again());
    fake.on = Some((JOHN, after(30), after(100_000)));
    let (job, _) = run(fake, Plan { at_end: AtEnd::Reboot, ..plan(Mode::Backup) });
    assert!(job.ending().unwrap().is_success(), "one that was told so is on again, of course");
}

#[test]
fn a_client_that_never_comes_up_is_reverted_at_the_deadline() {
    let (job, fake) = run(Fake::default(), plan(Mode::Test));
    let Some(Ending::NeverUp { last_seen }) = job.ending() else { panic!("{:?}", job.ending()) };
    assert!(last_seen.contains("60 magic packets"), "{last_seen}");
    assert!(!fake.is_swapped());
    assert_eq!(job.ending().unwrap().exit().status(), 75);
}

#[test]
fn one_that_is_on_already_is_left_alone() {
    let on = Fake { on: Some((JOHN, after(0), after(1_000))), ..Fake::default() };
    let (job, fake) = run(on, plan(Mode::Test));
    assert_eq!(job.ending(), Some(&Ending::AlreadyOn));
    assert_eq!(fake.steps(), [Step::Claim, Step::Record, Step::Close]);
}

#[test]
fn one_behind_a_gateway_that_is_on_already_is_left_alone() {
    let mut job = Job::new(plan(Mode::Test));
    job.decide(Event::Begun, after(0));
    job.decide(Event::StepDone(Step::Claim), after(0));
    assert_eq!(job.phase(), Phase::Probing);
    job.decide(Event::Echoed, after(1));
    assert_eq!(job.ending(), Some(&Ending::AlreadyOn));
}

#[test]
fn one_that_is_on_already_can_be_accepted() {
    let mut fake = good(Mode::Test);
    fake.on = Some((JOHN, after(0), after(125)));
    let accepting = Plan { already_on: AlreadyOn::Accept, ..plan(Mode::Test) };
    let (job, _) = run(fake, accepting);
    assert!(job.ending().unwrap().is_success());
}

#[test]
fn another_machine_with_the_address_is_never_accepted() {
    let on = Fake { on: Some((OTHER, after(0), after(1_000))), ..Fake::default() };
    let (job, fake) = run(on, Plan { already_on: AlreadyOn::Accept, ..plan(Mode::Test) });
    assert_eq!(job.ending(), Some(&Ending::AddressTaken { by: OTHER }));
    assert!(!fake.steps().contains(&Step::Swap));
}

#[test]
fn the_wrong_machine_does_not_count_as_up() {
    let mut fake = good(Mode::Test);
    fake.life = [(after(60), up(OTHER))].into();
    fake.on = None;
    let (job, fake) = run(fake, plan(Mode::Test));
    assert!(matches!(job.ending(), Some(Ending::NeverUp { .. })), "{:?}", job.ending());
    assert_eq!(fake.count(&Action::Tell(Note::OtherUp { mac: OTHER })), 1);
}

#[test]
fn a_refused_order_is_the_ending() {
    let mut fake = good(Mode::Test);
    let refused = says(Reported::OrderRefused { reason: "expired".to_owned() });
    fake.life = [(after(60), up(JOHN)), (after(61), refused), (after(62), off())].into();
    fake.on = Some((JOHN, after(30), after(65)));
    let (job, fake) = run(fake, plan(Mode::Test));
    assert_eq!(job.ending(), Some(&Ending::Refused { reason: "expired".to_owned() }));
    assert!(!fake.is_swapped());
}

#[test]
fn a_client_that_never_claimed_this_order_has_not_done_this_job() {
    let another =
        says(Reported::OrderClaimed { job: "20200101-000000-0000".parse().unwrap(), mode: Mode::Restore });
    for (what, claimed) in [("it claims nothing", None), ("it claims another order", Some(another))] {
        let mut fake = good(Mode::Backup);
        fake.life.remove(1);
        fake.life.extend(claimed.map(|claimed| (after(61), claimed)));
        fake.life.make_contiguous().sort_by_key(|(at, _)| *at);
        let (job, fake) = run(fake, plan(Mode::Backup));
        let Some(Ending::Done { outcome: Outcome::Failed { reason } }) = job.ending() else {
            panic!("{what}: {:?}", job.ending())
        };
        assert!(reason.contains("never claimed the order of this job"), "{what}: {reason}");
        assert!(!fake.steps().contains(&Step::FinishGeneration), "{what}: {:?}", fake.steps());
    }
    let mut fake = good(Mode::Backup);
    fake.life[1] = (after(61), says(Reported::OrderRefused { reason: "expired".to_owned() }));
    let (job, _) = run(fake, plan(Mode::Backup));
    assert_eq!(job.ending(), Some(&Ending::Refused { reason: "expired".to_owned() }));
}

#[test]
fn a_client_that_falls_silent_at_work_is_lost() {
    let mut fake = good(Mode::Backup);
    fake.life.truncate(2);
    let (job, fake) = run(fake, plan(Mode::Backup));
    assert!(matches!(job.ending(), Some(Ending::Lost { .. })), "{:?}", job.ending());
    assert!(fake.steps().contains(&Step::SetAside));
    assert!(!fake.steps().contains(&Step::FinishGeneration), "a failed backup is never called good");
}

#[test]
fn a_stop_reverts_at_once_whatever_the_phase() {
    for seconds in [0, 10, 60, 61, 90] {
        let mut fake = good(Mode::Backup);
        fake.life.retain(|(at, _)| *at <= after(seconds));
        fake.life.push_back((after(seconds), Event::StopAsked("SIGTERM".to_owned())));
        let (job, fake) = run(fake, plan(Mode::Backup));
        assert!(matches!(job.ending(), Some(Ending::Stopped { .. })), "{seconds} s: {:?}", job.ending());
        assert!(!fake.is_swapped(), "{seconds} s");
        assert_eq!(fake.steps().contains(&Step::AskToStop), seconds >= 60, "{seconds} s");
        assert!(fake.steps().ends_with(&[Step::Record, Step::Close]), "{seconds} s");
    }
}

#[test]
fn whichever_step_fails_the_entry_is_reverted_or_the_journal_stays() {
    for step in Step::ALL {
        let (job, fake) = run(Fake { failing: vec![step], ..good(Mode::Backup) }, plan(Mode::Backup));
        assert!(job.is_closed(), "{step:?}");
        let is_closed = fake.steps().contains(&Step::Close);
        assert!(!fake.is_swapped() || !is_closed, "{step:?}: {:?}", fake.steps());
        if matches!(step, Step::Revert | Step::OfferOwn) {
            assert!(!is_closed, "{step:?}: recover needs the journal");
        }
        if matches!(
            step,
            Step::Claim | Step::MakeTree | Step::Swap | Step::OfferBoot | Step::FinishGeneration
        ) {
            assert!(!job.ending().unwrap().is_success(), "{step:?}");
        }
    }
}

#[test]
fn older_generations_are_removed_only_after_a_new_one_is_good() {
    let unfinished = Fake { failing: vec![Step::FinishGeneration], ..good(Mode::Backup) };
    let (_, fake) = run(unfinished, plan(Mode::Backup));
    assert!(!fake.steps().contains(&Step::Prune), "{:?}", fake.steps());
    let (job, _) = run(Fake { failing: vec![Step::Prune], ..good(Mode::Backup) }, plan(Mode::Backup));
    assert!(job.ending().unwrap().is_success(), "the backup is good although nothing could be removed");
    assert_eq!(job.exit(), Exit::Configuration, "but that is told");
    assert_eq!(job.troubles().len(), 1);
}

#[test]
fn a_step_that_is_being_done_when_the_job_ends_is_waited_for() {
    let mut job = restarting();
    let stopped = job.decide(Event::StopAsked("SIGTERM".to_owned()), after(11));
    assert_eq!(stopped, [Action::Tell(Note::Phase { phase: Phase::Finishing }), Action::Do(Step::Revert)]);
    assert_eq!(job.decide(Event::TimePassed, after(12)), []);
    assert_eq!(job.decide(Event::StepDone(Step::Revert), after(13)), [], "the restart is not over");
    assert_eq!(job.decide(Event::StepDone(Step::OfferBoot), after(60)), [Action::Do(Step::OfferOwn)]);
    assert_eq!(job.decide(Event::StepDone(Step::OfferOwn), after(61)), [Action::Do(Step::Withdraw)]);
}

/// A job whose swap's restart is being done.
fn restarting() -> Job {
    let mut job = Job::new(plan(Mode::Test));
    job.decide(Event::Begun, after(0));
    job.decide(Event::StepDone(Step::Claim), after(0));
    job.decide(Event::TimePassed, after(10));
    job.decide(Event::StepDone(Step::MakeTree), after(10));
    assert_eq!(job.decide(Event::StepDone(Step::Swap), after(10))[1], Action::Do(Step::OfferBoot));
    job
}

#[test]
fn a_client_that_is_up_before_the_end_of_the_restart_is_heard_of() {
    let mut job = restarting();
    job.decide(up(JOHN), after(20));
    assert_eq!(job.next_due(), Some(after(25)), "the restart may end soon");
    assert_eq!(job.decide(Event::TimePassed, after(25)), [Action::Do(Step::Revert)], "it needs no swap");
    assert_eq!((job.next_due(), job.decide(Event::TimePassed, after(26))), (None, vec![]));
    assert_eq!(job.decide(Event::StepDone(Step::Revert), after(27)), []);
    let restarted = job.decide(Event::StepDone(Step::OfferBoot), after(30));
    assert_eq!((job.phase(), restarted.last()), (Phase::Up, Some(&Action::Do(Step::OfferOwn))));
    job.decide(Event::StepDone(Step::OfferOwn), after(31));
    assert_eq!(job.phase(), Phase::Reverted);
}

#[test]
fn what_the_journal_could_not_be_told_is_told_once_and_no_success() {
    let mut job = Job::new(plan(Mode::Test));
    job.decide(Event::Begun, after(0));
    let failure = || Failure { kind: FailureKind::Failed, reason: "the disk is full".to_owned() };
    assert_eq!(job.decide(Event::Unwritten(failure()), after(1)).len(), 1);
    assert_eq!(job.decide(Event::Unwritten(failure()), after(1)), []);
    assert_eq!(job.exit(), Exit::Failed);
}

/// A restore whose client says this and then either ends or falls silent.
fn restore(says_last: Vec<Reported>) -> (Job, Fake) {
    let mut fake = good(Mode::Restore);
    fake.life.truncate(2);
    fake.life.extend(says_last.into_iter().map(|event| (after(90), says(event))));
    run(fake, plan(Mode::Restore))
}

#[test]
fn people_are_told_when_the_imager_does_something_else() {
    use ghost_contract::image::Phase as Doing;
    let at = |phase, region, done| {
        let subject = "x".to_owned();
        let progress = Progress {
            phase,
            disk: 0,
            disks: 1,
            region,
            regions: 2,
            subject,
            done,
            total: 9,
            rate: 1,
            eta: None,
        };
        Reported::Progressed(progress)
    };
    let said = vec![
        at(Doing::Checking, 1, 1),
        at(Doing::Checking, 1, 5),
        at(Doing::Writing, 1, 1),
        at(Doing::Writing, 2, 2),
    ];
    let (job, fake) = restore(said);
    let told = |action: &&Action| matches!(action, Action::Tell(Note::Doing { .. }));
    assert_eq!(fake.performed.iter().filter(told).count(), 3);
    assert_eq!(job.seen().said.progress.as_ref().map(|progress| progress.done), Some(2));
}

#[test]
fn how_far_a_client_came_that_never_was_up_is_told_with_what_may_be_the_cause() {
    let ip = |last| Ipv4Addr::new(192, 168, 7, last);
    let takes = |address, of| Heard::TakesAddress { address: ip(address), of: ip(of) };
    let file = |file: &str| Heard::AsksForFile { file: file.to_owned() };
    let says = |words: &str| Heard::Says { words: words.to_owned() };
    let ways: [(&[Heard], &str); 7] = [
        (&[Heard::AsksForAddress], "took none"),
        (
            &[takes(2, 1), file("vmlinuz"), says("cannot mount"), takes(66, 250)],
            "said last: cannot mount; it had taken the address 192.168.7.66 of the DHCP server 192.168.7.250 instead of 192.168.7.2",
        ),
        (
            &[Heard::AsksForAddress, takes(66, 250)],
            "192.168.7.66 of the DHCP server 192.168.7.250 instead of 192.168.7.2",
        ),
        (&[Heard::AsksForAddress, takes(2, 1)], "asked for no boot file"),
        (
            &[takes(2, 1), file("pxelinux.0"), file("vmlinuz"), Heard::AsksForAddress],
            "over TFTP is 'vmlinuz'",
        ),
        (&[file("initrd"), says("cannot mount"), file("pxelinux.0"), takes(2, 1)], "said last: cannot mount"),
        (&[says("\u{1b}[2Jone\n\u{7}")], "said last: \u{fffd}[2Jone \u{fffd}"),
    ];
    for (way, expected) in ways {
        let life = (40..).zip(way).map(|(at, heard)| (after(at), Event::Heard(heard.clone()))).collect();
        let on = Some((JOHN, after(30), after(100_000)));
        let (job, fake) = run(Fake { life, on, ..Fake::default() }, plan(Mode::Test));
        let Some(Ending::NeverUp { last_seen }) = job.ending() else { panic!("{:?}", job.ending()) };
        assert!(last_seen.contains(expected), "{way:?}: {last_seen}");
        assert!(fake.now >= after(300), "it decides nothing");
    }
}

#[test]
fn another_machine_with_the_address_of_a_client_that_never_was_up_is_told_with_how_far_it_came() {
    let life = [
        (after(30), Event::Answered(OTHER)),
        (after(40), Event::Heard(Heard::AsksForFile { file: "vmlinuz".to_owned() })),
    ];
    let (job, _) = run(Fake { life: life.into(), ..Fake::default() }, plan(Mode::Test));
    let Some(Ending::NeverUp { last_seen }) = job.ending() else { panic!("{:?}", job.ending()) };
    assert!(last_seen.contains("vmlinuz") && last_seen.contains(&OTHER.to_string()), "{last_seen}");
}

#[test]
fn a_client_that_repeats_itself_is_no_news_and_its_own_system_is_none_either() {
    let word = |number: u64| Heard::Says { words: (number % 100).to_string() };
    let file = |number: u64| Heard::AsksForFile { file: number.to_string() };
    let mut fake = good(Mode::Test);
    let way = (0..50).map(file).chain((0..1_000).map(word)).chain([word(999), word(999)]);
    let heard = way.map(|heard| (after(40), Event::Heard(heard)));
    let late = (after(110), Event::Heard(word(7)));
    fake.life = heard
        .chain(fake.life.drain(..2).collect::<Vec<_>>())
        .chain([late])
        .chain(fake.life.drain(..))
        .collect();
    let (job, fake) = run(fake, plan(Mode::Test));
    assert!(job.ending().unwrap().is_success());
    let told = fake.performed.iter().filter(|action| matches!(action, Action::Tell(Note::Heard { .. })));
    assert_eq!(told.count(), 20);
    assert_eq!(job.seen().heard, Some(word(999)));
}
