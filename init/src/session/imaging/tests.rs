//! Jobs with an imager, replayed on the fake machine.

mod preparing;
mod restoring;
mod screen;

use std::time::Duration;

use evdev::KeyCode;
use ghost_contract::Mode;
use ghost_contract::image::{Phase, Progress, TargetDisk};
use ghost_contract::order::{AtEnd, OnDeadline, Order, Prompt, PromptTrigger};

use super::*;
use crate::imager::Terminal;
use crate::machine::fake::Fake;
use crate::machine::run;
use crate::sample::{order, order_file};
use crate::session::{Action, too_long};
use crate::task::{Glance, Task};

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
    machine.judgement = Judgement::of(failed.clone());
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
fn a_program_that_nobody_ends_does_not_keep_the_machine_on_without_an_order_either() {
    let mut machine = Fake::new("ghost.mode=ghost", None);
    (machine.disk_rate, machine.imager_lasts) = (0, usize::MAX);
    let machine = replay(machine);
    let reason = too_long();
    assert_eq!(outcome(&machine), Outcome::Failed { reason });
    assert_eq!(machine.done.last(), Some(&Action::Leave(AtEnd::PowerOff)));
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
fn while_a_prompt_waits_and_nothing_is_written_the_picture_is_looked_at_now_and_then() {
    let glances = |machine: &Fake| -> Vec<Glance> {
        let glance = |task: &&Task| match task {
            Task::LookAtImager { glance, .. } => Some(*glance),
            _ => None,
        };
        machine.tasks().iter().filter_map(glance).collect()
    };
    let mut silent = backup(|order| order.prompts = vec![mark(OnDeadline::Ignore)]);
    silent.imager_lasts = 60;
    let seen = glances(&replay(silent));
    let close = |seen: &[Glance]| seen.iter().filter(|glance| **glance == Glance::Close).count();
    assert!((4..=6).contains(&close(&seen[..30])), "every 5 of 30 s: {seen:?}");
    assert_eq!(close(&seen[35..]), 0, "the prompt is over");

    let mut writes = backup(|order| order.prompts = vec![mark(OnDeadline::Ignore)]);
    writes.imager_lasts = 25;
    writes.screens = (0..25).map(|line| format!("{line}")).collect();
    assert_eq!(close(&glances(&replay(writes))), 0);
    let mut without = backup(|_| {});
    without.imager_lasts = 60;
    assert_eq!(close(&glances(&replay(without))), 0);
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
    let reason = too_long();
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
fn a_tree_that_is_taken_away_during_the_preparations_keeps_the_imager_from_the_disk() {
    let mut machine = Fake::new("", order_file(&order(Mode::Restore)));
    machine.tree_gone = Duration::from_secs(30)..Duration::MAX;
    let machine = replay(machine);
    let Outcome::Failed { reason } = outcome(&machine) else { panic!("{:?}", outcome(&machine)) };
    assert!(reason.contains("taken away this machine's folders"), "{reason}");
    assert!(!machine.tasks().contains(&&Task::StartImager));
}

#[test]
fn an_imager_that_works_is_not_ended_because_the_tree_is_gone() {
    let mut machine = backup(|_| {});
    machine.tree_gone = Duration::from_secs(60)..Duration::MAX;
    machine.imager_lasts = 60;
    let machine = replay(machine);
    assert_eq!(outcome(&machine), Outcome::Succeeded);
    assert!(machine.now > Duration::from_secs(300), "off at {:?}", machine.now);
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
fn screenshots_that_hang_are_counted_and_hold_nothing_up() {
    let mut machine = backup(|order| order.watch.screenshot_every = Duration::from_secs(20));
    (machine.captures_hang, machine.imager_lasts) = (true, 20);
    let machine = replay(machine);
    assert_eq!(outcome(&machine), Outcome::Succeeded);
    let missed = |event: &&Report| match event {
        Report::ScreenshotFailed { missed, .. } => Some(*missed),
        _ => None,
    };
    let counts: Vec<u32> = machine.reported().iter().filter_map(missed).collect();
    assert!(counts.len() > 3, "{counts:?}");
    assert_eq!(counts, (1..=u32::try_from(counts.len()).unwrap()).collect::<Vec<_>>());
    let looks = machine.tasks().iter().filter(|task| matches!(task, Task::LookAtImager { .. })).count();
    assert_eq!(looks, 22, "those when it begins and has ended among them");
}

#[test]
fn a_person_who_asks_sees_the_screen_once_a_request() {
    let mut machine = backup(|_| {});
    machine.screen_request = Some((Duration::from_secs(60), "first".to_owned()));
    machine.imager_lasts = 20;
    assert_eq!(screenshots(&replay(machine)), ["interval", "asked", "interval", "end"]);
}

#[test]
fn why_a_source_was_passed_over_is_reported_with_the_first_screenshot() {
    let machine = replay(backup(|_| {}));
    let told = |event: &&Report| match event {
        Report::ScreenshotTaken { passed_over, .. } => Some(passed_over.len()),
        _ => None,
    };
    let told: Vec<usize> = machine.reported().iter().filter_map(told).collect();
    assert_eq!(told[0], 1);
    assert!(told[1..].iter().all(|reasons| *reasons == 0), "{told:?}");
}

#[test]
fn only_the_first_and_the_latest_pictures_stay() {
    let mut machine = backup(|order| order.watch.screenshots_kept = 2);
    machine.imager_lasts = 200;
    let machine = replay(machine);
    assert_eq!(screenshots(&machine), ["interval", "interval", "interval", "end"]);
    assert!(machine.tasks().iter().any(|task| matches!(task, Task::RemoveScreenshot { .. })));
}

#[test]
fn how_far_it_is_is_reported_now_and_then_and_whenever_it_does_something_else() {
    let at = |phase, done| Progress {
        phase,
        disk: 0,
        disks: 1,
        region: 1,
        regions: 3,
        subject: "partition 1".to_owned(),
        done,
        total: 100,
        rate: 1,
        eta: None,
    };
    let mut machine = backup(|_| {});
    machine.imager_lasts = 8;
    machine.progress = vec![at(Phase::Surveying, 0), at(Phase::Reading, 1)];
    machine.progress.extend((2..9).map(|done| at(Phase::Reading, done)));
    let machine = replay(machine);
    let progressed = |event: &&Report| match event {
        Report::Progressed(progress) => Some((progress.phase, progress.done)),
        _ => None,
    };
    let told: Vec<_> = machine.reported().iter().filter_map(progressed).collect();
    assert_eq!(told[..2], [(Phase::Surveying, 0), (Phase::Reading, 1)], "a change of phase is told at once");
    assert!(told.len() > 2 && told.len() < 8, "the others at the pace of the counters: {told:?}");
}

#[test]
fn what_an_imager_has_moved_is_reported_however_soon_it_ends() {
    let mut machine = backup(|_| {});
    machine.imager_lasts = 0;
    let read = machine.disk_rate;
    let machine = replay(machine);
    let sampled = |event: &&Report| match event {
        Report::Sampled { disk_read, .. } => Some(*disk_read),
        _ => None,
    };
    let samples: Vec<u64> = machine.reported().iter().filter_map(sampled).collect();
    assert_eq!(samples, [read]);
}

#[test]
fn what_the_imager_remarks_is_reported() {
    let mut machine = backup(|_| {});
    machine.judgement.remarks = vec!["partition 2 is saved raw: BitLocker".to_owned()];
    let machine = replay(machine);
    let remark = "partition 2 is saved raw: BitLocker".to_owned();
    assert!(machine.reported().contains(&&Report::ImagerRemarked { remark }));
    assert_eq!(outcome(&machine), Outcome::Succeeded);
}

#[test]
fn an_emulator_may_boot_for_minutes_before_the_time_of_prompts_and_stalls_counts() {
    let slow = |begins_at_look| {
        let mut machine = backup(|order| order.prompts = vec![mark(OnDeadline::Fail)]);
        (machine.begins_at_look, machine.imager_lasts) = (begins_at_look, usize::MAX);
        machine
    };
    let looks = |machine: &Fake| {
        machine.tasks().iter().filter(|task| matches!(task, Task::LookAtImager { .. })).count()
    };
    let at_once = replay(slow(0));
    let later = replay(slow(200));
    let reason = "the screen did not show 'Mark' within 30 s".to_owned();
    for machine in [&at_once, &later] {
        assert_eq!(outcome(machine), Outcome::Failed { reason: reason.clone() });
    }
    assert_eq!(looks(&later), looks(&at_once) + 200);
    let never = replay(slow(usize::MAX));
    assert_eq!(outcome(&never), Outcome::Failed { reason });
    assert!(
        (600..=640).contains(&looks(&never)),
        "a DOS that never comes up is no excuse: {}",
        looks(&never)
    );

    let mut boots = backup(|order| order.watch.grace = Duration::from_secs(10));
    (boots.disk_rate, boots.begins_at_look, boots.imager_lasts) = (0, 100, usize::MAX);
    let boots = replay(boots);
    assert_eq!(outcome(&boots), Outcome::Stalled);
    let waited = Duration::from_secs(100 * 5 + 300);
    assert!(boots.now > waited, "the window of 300 s began with the work: {:?}", boots.now);
}
