//! Jobs with an imager, replayed on a machine of the mind.

use ghost_contract::Mode;
use ghost_contract::order::{AtEnd, OnDeadline, Prompt, PromptTrigger};

use super::*;
use crate::machine::fake::Fake;
use crate::machine::run;
use crate::sample::{order, order_file};

fn replay(mut machine: Fake) -> Fake {
    assert_eq!(run(&mut machine), AtEnd::PowerOff);
    machine
}

fn outcome(machine: &Fake) -> Outcome {
    let ended = |event: &&Report| match event {
        Report::Ended { outcome } => Some(outcome.clone()),
        _ => None,
    };
    machine.reported().iter().find_map(ended).unwrap()
}

/// The screenshots that are left, by what they were taken for.
fn screenshots(machine: &Fake) -> Vec<String> {
    let mut left: Vec<String> = Vec::new();
    for task in machine.tasks() {
        match task {
            Task::Capture { name } => left.push(name.clone()),
            Task::RemoveScreenshot { name } => left.retain(|kept| kept != name),
            _ => {}
        }
    }
    left.into_iter().map(|name| name.split_once('-').unwrap().1.to_owned()).collect()
}

fn backup(change: impl FnOnce(&mut Order)) -> Fake {
    let mut order = order(Mode::Backup);
    change(&mut order);
    Fake::new("", order_file(&order))
}

fn mark(on_deadline: OnDeadline) -> Prompt {
    Prompt {
        when: PromptTrigger::Text("Mark".to_owned()),
        keys: vec!["TAB".to_owned(), "ENTER".to_owned()],
        deadline: Duration::from_secs(30),
        on_deadline,
    }
}

#[test]
fn an_imager_that_ends_well_is_a_job_that_succeeded() {
    for mode in [Mode::Backup, Mode::Verify, Mode::Restore] {
        let mut machine = Fake::new("", order_file(&order(mode)));
        machine.imager_lasts = 5;
        let machine = replay(machine);
        assert_eq!(outcome(&machine), Outcome::Succeeded, "{mode}");
        assert_eq!(screenshots(&machine), ["interval", "end"]);
        assert!(machine.reported().contains(&&Report::ImagerExited { how: "ran out".to_owned() }));
    }
}

#[test]
fn what_the_imager_has_done_is_judged_and_not_how_it_ended() {
    let mut machine = backup(|_| {});
    let failed = Outcome::Failed { reason: "no image was written".to_owned() };
    machine.judgement = failed.clone();
    assert_eq!(outcome(&replay(machine)), failed);
}

#[test]
fn nothing_that_moves_for_the_whole_window_is_a_stall() {
    let mut machine = backup(|_| {});
    (machine.disk_rate, machine.imager_lasts) = (0, usize::MAX);
    let machine = replay(machine);
    assert_eq!(outcome(&machine), Outcome::Stalled);
    assert!(machine.reported().iter().any(|event| matches!(event, Report::Stalled { .. })));
    let tasks = machine.tasks();
    let ends: Vec<_> = tasks.iter().filter(|task| matches!(task, Task::EndImager(_))).collect();
    assert_eq!(ends, [&&Task::EndImager(Farewell::Ask), &&Task::EndImager(Farewell::Force)]);
    assert!(screenshots(&machine).contains(&"stalled".to_owned()));
}

#[test]
fn a_person_at_the_screen_is_never_stalled() {
    let mut machine = Fake::new("", order_file(&order(Mode::Ghost)));
    (machine.disk_rate, machine.imager_lasts) = (0, 500);
    assert_eq!(outcome(&replay(machine)), Outcome::Succeeded);
    let mut machine = Fake::new("ghost.mode=ghost", None);
    (machine.disk_rate, machine.imager_lasts) = (0, 500);
    assert_eq!(outcome(&replay(machine)), Outcome::Succeeded);
}

#[test]
fn a_question_is_answered_once_with_the_screen_before_and_after() {
    let mut machine = backup(|order| order.prompts = vec![mark(OnDeadline::Fail)]);
    machine.imager_lasts = 6;
    machine.screens = vec![String::new(), "Mark this disk?".to_owned(), "Mark this disk?".to_owned()];
    let machine = replay(machine);
    let typed = |task: &&&Task| matches!(task, Task::Type(_));
    assert_eq!(machine.tasks().iter().filter(typed).count(), 1);
    assert!(machine.tasks().contains(&&Task::Type(vec![KeyCode::KEY_TAB, KeyCode::KEY_ENTER])));
    assert_eq!(screenshots(&machine), ["interval", "before-keys", "after-keys", "end"]);
    let because = "the screen shows 'Mark'".to_owned();
    let keys = vec!["TAB".to_owned(), "ENTER".to_owned()];
    assert!(machine.reported().contains(&&Report::KeysTyped { keys, because }));
}

#[test]
fn a_question_that_must_come_and_does_not_ends_the_imager() {
    let mut machine = backup(|order| order.prompts = vec![mark(OnDeadline::Fail)]);
    machine.imager_lasts = usize::MAX;
    let machine = replay(machine);
    let reason = "the screen did not show 'Mark' within 30 s".to_owned();
    assert_eq!(outcome(&machine), Outcome::Failed { reason });
    assert!(machine.tasks().contains(&&Task::EndImager(Farewell::Force)));
}

#[test]
fn keys_that_no_keyboard_has_are_refused_before_anything_is_started() {
    let unknown = Prompt { keys: vec!["ANY".to_owned()], ..mark(OnDeadline::Ignore) };
    let machine = replay(backup(|order| order.prompts = vec![unknown]));
    assert!(matches!(outcome(&machine), Outcome::Failed { reason } if reason.contains("'ANY'")));
    assert!(!machine.tasks().iter().any(|task| matches!(task, Task::PrepareImager(_))));
}

#[test]
fn a_job_that_takes_too_long_is_ended_with_a_last_picture() {
    let mut machine = backup(|order| order.deadlines.job = Duration::from_secs(100));
    machine.imager_lasts = usize::MAX;
    let machine = replay(machine);
    let reason = "the job took longer than its order allows".to_owned();
    assert_eq!(outcome(&machine), Outcome::Failed { reason });
    assert_eq!(screenshots(&machine).last().unwrap(), "too-late");
}

#[test]
fn a_stop_file_made_during_the_preparations_keeps_the_imager_from_the_disk() {
    let mut machine = Fake::new("", order_file(&order(Mode::Restore)));
    // The fake machine's kernel is 20 s old at the start, the job is announced for 10 s, and tasks take no time.
    machine.stop_file_since = Some(Duration::from_secs(30));
    let machine = replay(machine);
    assert_eq!(outcome(&machine), Outcome::Cancelled { by: "ghostctl cancel".to_owned() });
    assert!(machine.tasks().iter().any(|task| matches!(task, Task::PrepareImager(_))));
    assert!(!machine.tasks().contains(&&Task::StartImager));
}

#[test]
fn a_stop_file_ends_the_imager_with_a_last_picture() {
    let mut machine = backup(|_| {});
    (machine.imager_lasts, machine.stop_file_since) = (usize::MAX, Some(Duration::from_secs(100)));
    let machine = replay(machine);
    assert_eq!(outcome(&machine), Outcome::Cancelled { by: "ghostctl cancel".to_owned() });
    assert_eq!(screenshots(&machine).last().unwrap(), "cancelled");
    assert!(machine.tasks().contains(&&Task::EndProcesses(Farewell::Force)));
    assert!(machine.now < Duration::from_secs(120), "off at {:?}", machine.now);
}

#[test]
fn only_the_first_and_the_latest_pictures_stay() {
    let mut machine = backup(|order| order.watch.screenshots_kept = 2);
    machine.imager_lasts = 200;
    let machine = replay(machine);
    assert_eq!(screenshots(&machine), ["interval", "interval", "interval", "end"]);
    assert!(machine.tasks().iter().any(|task| matches!(task, Task::RemoveScreenshot { .. })));
}
