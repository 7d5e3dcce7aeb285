//! Whole jobs, replayed on the fake machine.

mod reaching;

use std::time::Duration;

use ghost_contract::report::Event as Report;
use ghost_contract::{Mode, order::AtEnd, report::Outcome};

use super::{Action, too_long};
use crate::machine::fake::{Fake, Trouble};
use crate::machine::run;
use crate::sample::{order, order_file};
use crate::task::{Farewell, Task};

/// The fake machine's kernel is 20 s old at the start. The boot may take two minutes, or the tasks between the
/// claim and the sleep two and a half; the failure is shown for 10 s, or 30 s before there is a report, and the ending takes a minute.
const SOON: Duration = Duration::from_secs(20 + 150 + 10 + 60);
/// An imager that can neither be looked at nor photographed is given up after the order's window of 300 s, and
/// ending it takes half a minute.
const UNSEEN: Duration = Duration::from_secs(300 + 60);

fn replay(mut machine: Fake) -> Fake {
    assert_eq!(run(&mut machine), AtEnd::PowerOff);
    assert!(machine.turns < 3000, "{} turns", machine.turns);
    machine
}

fn machine(mode: Mode) -> Fake {
    Fake::new("", order_file(&order(mode)))
}

fn outcome(machine: &Fake) -> Outcome {
    let ended = |event: &&Report| match event {
        Report::Ended { outcome } => Some(outcome.clone()),
        _ => None,
    };
    machine.reported().iter().find_map(ended).unwrap()
}

fn refusal(machine: &Fake) -> String {
    let refused = |event: &&Report| match event {
        Report::OrderRefused { reason } => Some(reason.clone()),
        _ => None,
    };
    machine.reported().iter().find_map(refused).unwrap()
}

fn reported(machine: &Fake) -> Vec<&'static str> {
    let word = |event: &&Report| match event {
        Report::Up { .. } => "up",
        Report::Identified { .. } => "identified",
        Report::Armed { .. } => "armed",
        Report::OrderClaimed { .. } => "claimed",
        Report::TestStarted { .. } => "test started",
        Report::TestEnded { .. } => "test ended",
        Report::Ended { .. } => "ended",
        Report::PoweringOff { .. } => "powering off",
        _ => "something else",
    };
    machine.reported().iter().map(word).collect()
}

#[test]
fn a_test_job_goes_all_the_way() {
    let machine = replay(machine(Mode::Test));
    let expected = [
        "up",
        "identified",
        "armed",
        "claimed",
        "test started",
        "test ended",
        "ended",
        "armed",
        "powering off",
    ];
    assert_eq!(reported(&machine), expected);
    assert_eq!(outcome(&machine), Outcome::Succeeded);
    assert_eq!(machine.done.last(), Some(&Action::Leave(AtEnd::PowerOff)));
}

#[test]
fn whatever_goes_wrong_the_machine_goes_off() {
    let sleeping = || Fake::new("ghost.mode=test ghost.shell", None);
    for new in [&(|| machine(Mode::Test)) as &dyn Fn() -> Fake, &|| machine(Mode::Backup), &sleeping] {
        let tasks = replay(new()).tasks().len();
        for task in 0..tasks {
            for trouble in [Trouble::Fails, Trouble::Hangs, Trouble::ServerDies, Trouble::Stopped] {
                let machine = replay(new().with(task, trouble));
                // It is armed only if it is known yet which card it was booted from.
                let tasks = machine.tasks().into_iter().filter(|task| !matches!(task, Task::Arm { .. }));
                let last = tasks.rev().take(5).collect::<Vec<_>>();
                let way_out = [
                    &Task::Sync,
                    &Task::FlushReport,
                    &Task::CloseStore,
                    &Task::EndProcesses(Farewell::Force),
                    &Task::EndProcesses(Farewell::Ask),
                ];
                assert_eq!(last, way_out, "{trouble:?} at task {task}");
                assert!(matches!(machine.done.last(), Some(Action::Leave(_))));
                let imaging = machine.tasks().contains(&&Task::StartImager);
                let soon = if imaging { SOON + UNSEEN } else { SOON };
                assert!(machine.now < soon, "{trouble:?} at task {task} takes {:?}", machine.now);
            }
        }
    }
}

#[test]
fn a_job_that_takes_longer_than_its_order_allows_is_ended() {
    let tasks = replay(machine(Mode::Test));
    let sleep = tasks.tasks().iter().position(|task| matches!(task, Task::StartSleep(_))).unwrap();
    let mut short = order(Mode::Test);
    short.deadlines.job = Duration::from_secs(50);
    let machine = replay(Fake::new("", order_file(&short)).with(sleep, Trouble::Lasts));
    let expected = Outcome::Failed { reason: too_long() };
    assert_eq!(outcome(&machine), expected);
}

#[test]
fn a_sleep_that_does_not_end_does_not_keep_the_machine_on() {
    let tasks = replay(Fake::new("ghost.mode=test", None));
    let sleep = tasks.tasks().iter().position(|task| matches!(task, Task::StartSleep(_))).unwrap();
    let machine = replay(Fake::new("ghost.mode=test", None).with(sleep, Trouble::Lasts));
    assert_eq!(outcome(&machine), Outcome::Failed { reason: "the sleep has not ended in time".to_owned() });
    assert!(machine.now > Duration::from_secs(3600));
}

#[test]
fn a_failure_can_be_read_before_the_machine_goes_off() {
    let shown = replay(Fake::new("ghost.delay=7", None));
    let at_once = replay(Fake::new("ghost.delay=0", None));
    assert_eq!(shown.now.saturating_sub(at_once.now), Duration::from_secs(7));
}

#[test]
fn a_client_without_its_tree_does_not_go_on() {
    let binding = |machine: &Fake| machine.tasks().iter().position(|task| matches!(task, Task::Bind { .. }));
    let first = binding(&replay(machine(Mode::Test))).unwrap();
    for task in [first, first + 1] {
        let machine = replay(machine(Mode::Test).with(task, Trouble::Fails));
        assert!(matches!(outcome(&machine), Outcome::Failed { .. }));
        assert!(!machine.tasks().contains(&&Task::ReadOrder));
        assert!(!machine.tasks().contains(&&Task::OpenReport), "the report would go into another's tree");
    }
}

#[test]
fn an_order_that_was_claimed_before_is_not_obeyed() {
    let mut claimed = machine(Mode::Test);
    claimed.claimed = true;
    let machine = replay(claimed);
    assert_eq!(refusal(&machine), "the order of job 20260123-142501-4f3a was claimed before");
    assert!(!machine.tasks().iter().any(|task| matches!(task, Task::OpenStore(..) | Task::StartSleep(_))));
}

#[test]
fn without_an_order_and_a_flag_nothing_is_done() {
    let machine = replay(Fake::new("", None));
    assert_eq!(refusal(&machine), "there is no order for this client");
    assert!(!machine.tasks().iter().any(|task| matches!(task, Task::Claim(_))));
}

#[test]
fn a_flag_alone_starts_mode_test_without_a_claim() {
    let machine = replay(Fake::new("ghost.mode=test", None));
    assert_eq!(outcome(&machine), Outcome::Succeeded);
    assert!(!machine.tasks().iter().any(|task| matches!(task, Task::Claim(_) | Task::OpenStore(..))));
}

#[test]
fn a_disk_is_never_touched_without_the_right_image_store() {
    let opening = replay(machine(Mode::Backup));
    let store = opening.tasks().iter().position(|task| matches!(task, Task::OpenStore(..))).unwrap();
    let backup = replay(machine(Mode::Backup).with(store, Trouble::Fails));
    let expected = Outcome::Failed { reason: "cannot open the image store: no luck".to_owned() };
    assert_eq!(outcome(&backup), expected);
    let test = replay(machine(Mode::Test).with(store, Trouble::Fails));
    assert_eq!(outcome(&test), Outcome::Succeeded);
}

#[test]
fn who_presses_ctrl_alt_del_while_the_job_is_announced_stops_it() {
    let mut machine = machine(Mode::Backup);
    let mut session = super::Session::new();
    use crate::machine::Machine;
    loop {
        let happened = machine.next_event(session.deadline());
        if happened.event == super::Event::DeadlinePassed {
            let stop = super::Event::Pressed(crate::keys::Press::CtrlAltDel);
            let actions = session.decide(stop, happened.at);
            let cancelled = Outcome::Cancelled { by: "Ctrl-Alt-Del".to_owned() };
            assert!(actions.contains(&Action::Report(Report::Ended { outcome: cancelled })));
            break;
        }
        session.decide(happened.event, happened.at).into_iter().for_each(|action| machine.perform(action));
    }
    assert!(!machine.tasks().iter().any(|task| matches!(task, Task::Claim(_))), "the order is still good");
}

/// Times since the start of the kernel: long after a job has been claimed, and while it is announced.
const WHILE_TESTING: Duration = Duration::from_secs(100);
const WHILE_ANNOUNCED: Duration = Duration::from_secs(21);

fn cancelled_by_the_server() -> Outcome {
    Outcome::Cancelled { by: "ghostctl cancel".to_owned() }
}

/// A machine on which mode `test` lasts.
fn sleeping(new: impl Fn() -> Fake) -> Fake {
    let tasks = replay(new());
    let sleep = tasks.tasks().iter().position(|task| matches!(task, Task::StartSleep(_))).unwrap();
    new().with(sleep, Trouble::Lasts)
}

fn looks_for_stop(machine: &Fake) -> usize {
    machine.tasks().iter().filter(|task| ***task == Task::LookForStop).count()
}

#[test]
fn a_stop_file_ends_a_test() {
    let mut cancelled = sleeping(|| machine(Mode::Test));
    cancelled.stop_file_since = Some(WHILE_TESTING);
    let machine = replay(cancelled);
    assert_eq!(outcome(&machine), cancelled_by_the_server());
    assert!(machine.reported().contains(&&Report::StopRequested { by: "ghostctl cancel".to_owned() }));
    assert!(reported(&machine).contains(&"test started"));
    assert!(machine.now < WHILE_TESTING + Duration::from_secs(5), "off at {:?}", machine.now);
}

#[test]
fn a_test_ends_when_the_server_has_taken_the_folders_away_and_not_when_it_was_started_anew() {
    let for_an_hour = || {
        let mut order = order(Mode::Test);
        order.test.sleep = Duration::from_secs(3_600);
        Fake::new("", order_file(&order))
    };
    let mut deserted = sleeping(for_an_hour);
    deserted.tree_gone = WHILE_TESTING..Duration::MAX;
    let machine = replay(deserted);
    let Outcome::Failed { reason } = outcome(&machine) else { panic!("{:?}", outcome(&machine)) };
    assert!(reason.contains("taken away this machine's folders"), "{reason}");
    assert!(machine.now < WHILE_TESTING + Duration::from_secs(150), "off at {:?}", machine.now);
    assert!(machine.done.contains(&Action::Leave(AtEnd::PowerOff)));

    let mut restarted = sleeping(for_an_hour);
    restarted.tree_gone = WHILE_TESTING..WHILE_TESTING + Duration::from_secs(110);
    let machine = replay(restarted);
    let Outcome::Failed { reason } = outcome(&machine) else { panic!("{:?}", outcome(&machine)) };
    assert!(reason.contains("not ended in time"), "the sleep of this machine lasts for ever: {reason}");
}

#[test]
fn a_stop_file_while_the_job_is_announced_leaves_the_order_unclaimed() {
    let mut cancelled = machine(Mode::Backup);
    cancelled.stop_file_since = Some(WHILE_ANNOUNCED);
    let machine = replay(cancelled);
    assert_eq!(outcome(&machine), cancelled_by_the_server());
    assert!(!machine.tasks().iter().any(|task| matches!(task, Task::Claim(_))));
}

#[test]
fn a_stop_file_of_a_job_before_does_not_stop_one_without_an_order() {
    let mut left_over = sleeping(|| Fake::new("ghost.mode=test", None));
    left_over.stop_file_since = Some(Duration::ZERO);
    let machine = replay(left_over);
    assert_eq!(looks_for_stop(&machine), 0);
}

#[test]
fn a_server_that_cannot_be_asked_is_asked_ever_less_and_told_of_once() {
    let asked = |hang: bool| {
        let lasting = || {
            let mut machine = machine(Mode::Test);
            machine.stop_looks_hang = hang;
            machine
        };
        replay(sleeping(lasting))
    };
    let (well, dead) = (asked(false), asked(true));
    let (often, seldom) = (looks_for_stop(&well), looks_for_stop(&dead));
    assert!(often > 8 * seldom, "{often} looks, {seldom} if they hang");
    let failed = |event: &&&Report| matches!(event, Report::StepFailed { .. });
    assert_eq!(dead.reported().iter().filter(failed).count(), 1);
}

#[test]
fn flags_that_nobody_knows_are_reported() {
    let machine = replay(Fake::new("ghost.dealy=3", None));
    assert!(machine.reported().contains(&&Report::UnknownFlag { flag: "ghost.dealy=3".to_owned() }));
}
