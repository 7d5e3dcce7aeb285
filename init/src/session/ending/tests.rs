//! The way out is the same whatever the outcome, and whatever fails on it.

use std::time::Duration;

use ghost_contract::Mode;
use ghost_contract::order::AtEnd;
use ghost_contract::report::{Event as Report, Outcome};

use super::Action;
use crate::machine::fake::{Fake, Trouble};
use crate::machine::run;
use crate::sample::{order, order_file};
use crate::task::{PowerSwitch, Task};

/// From the outcome to the end. The fake machine's time passes only while something hangs.
const WAY_OUT: [&str; 11] = [
    "report the outcome",
    "take a screenshot",
    "ask all processes to end",
    "end all processes",
    "arm eth0",
    "close the image store",
    "report that it powers off",
    "write the report",
    "sync",
    "say goodbye",
    "leave",
];

fn backup() -> Fake {
    let mut machine = Fake::new("", order_file(&order(Mode::Backup)));
    machine.imager_lasts = 5;
    machine
}

fn replay(mut machine: Fake) -> Fake {
    assert_eq!(run(&mut machine), AtEnd::PowerOff);
    machine
}

fn is_outcome(action: &Action) -> bool {
    matches!(action, Action::Report(Report::Ended { .. }))
}

/// What was done from the outcome on.
fn way_out(machine: &Fake) -> Vec<String> {
    let outcome = machine.done.iter().position(is_outcome).unwrap();
    let words = |action: &Action| match action {
        Action::Report(Report::Ended { .. }) => Some("report the outcome".to_owned()),
        Action::Report(Report::PoweringOff { .. }) => Some("report that it powers off".to_owned()),
        Action::Start(Task::Capture { .. }) => Some("take a screenshot".to_owned()),
        Action::Start(task) => Some(task.to_string()),
        Action::Say(words) if words == "powering off" => Some("say goodbye".to_owned()),
        Action::Leave(_) => Some("leave".to_owned()),
        Action::Say(_)
        | Action::SayOver(_)
        | Action::Report(_)
        | Action::LendScreen
        | Action::SendWord { .. }
        | Action::TakeScreenBack => None,
    };
    machine.done[outcome..].iter().filter_map(words).collect()
}

/// How many tasks were started before the outcome was known.
fn tasks_before_the_outcome(machine: &Fake) -> usize {
    let is_task = |action: &&Action| matches!(action, Action::Start(_));
    machine.done.iter().take_while(|action| !is_outcome(action)).filter(is_task).count()
}

#[test]
fn the_way_out_is_the_same_for_every_outcome() {
    let well = backup();
    let mut badly = backup();
    badly.judgement.outcome = Outcome::Failed { reason: "no image was written".to_owned() };
    let mut stalled = backup();
    (stalled.disk_rate, stalled.imager_lasts) = (0, usize::MAX);
    let mut cancelled = backup();
    (cancelled.imager_lasts, cancelled.stop_file_since) = (usize::MAX, Some(Duration::from_secs(100)));
    let mut late = order(Mode::Backup);
    late.deadlines.job = Duration::from_secs(100);
    let mut late = Fake::new("", order_file(&late));
    late.imager_lasts = usize::MAX;
    for machine in [well, badly, stalled] {
        assert_eq!(way_out(&replay(machine)), WAY_OUT);
    }
    for machine in [cancelled, late] {
        let mut with_an_imager = WAY_OUT.to_vec();
        with_an_imager.splice(2..2, ["ask the imager to end", "end the imager"]);
        assert_eq!(way_out(&replay(machine)), with_an_imager);
    }
}

#[test]
fn a_machine_that_cannot_go_off_says_so_and_boots_its_own_disk() {
    let mut machine = backup();
    machine.power_switch = PowerSwitch::Missing;
    assert_eq!(run(&mut machine), AtEnd::Reboot);
    assert_eq!(machine.done.last(), Some(&Action::Leave(AtEnd::Reboot)));
    let last: Vec<_> = machine.reported().into_iter().rev().take(2).collect();
    assert_eq!(last[0], &Report::PoweringOff { reboot: true });
    assert!(matches!(last[1], Report::CannotPowerOff { reason } if reason.contains("no ACPI")), "{last:?}");
}

#[test]
fn a_machine_that_cannot_go_off_boots_its_own_disk_even_if_the_way_out_takes_too_long() {
    let first = tasks_before_the_outcome(&replay(backup()));
    let mut machine = backup().with(first, Trouble::ServerDies);
    machine.power_switch = PowerSwitch::Missing;
    assert_eq!(run(&mut machine), AtEnd::Reboot);
}

#[test]
fn whatever_fails_on_the_way_out_the_rest_of_it_is_gone() {
    let well = replay(backup());
    let (first, last) = (tasks_before_the_outcome(&well), well.tasks().len());
    assert_eq!(last - first, 7, "the tasks of the way out");
    for task in first..last {
        for trouble in [Trouble::Fails, Trouble::Hangs, Trouble::ServerDies, Trouble::Stopped] {
            let machine = replay(backup().with(task, trouble));
            assert_eq!(way_out(&machine), WAY_OUT, "{trouble:?} at task {task}");
        }
    }
}
