//! Who has the screen, from the imager's start to the end of the job?

use super::*;

/// Where the screen changed hands, and what was said while the imager had it, in the order of what was done.
fn screen_story(machine: &Fake) -> Vec<String> {
    let told = |action: &Action| match action {
        Action::LendScreen => Some("lent".to_owned()),
        Action::TakeScreenBack => Some("taken back".to_owned()),
        Action::Start(task @ (Task::StartImager | Task::EndImager(_) | Task::EndProcesses(_))) => {
            Some(task.to_string())
        }
        Action::Report(Report::ImagerExited { .. }) => Some("it has ended".to_owned()),
        _ => None,
    };
    machine.done.iter().filter_map(told).collect()
}

#[test]
fn the_screen_is_the_imagers_from_its_start_to_its_end() {
    let mut machine = backup(|_| {});
    machine.imager_lasts = 5;
    assert_eq!(
        screen_story(&replay(machine))[..4],
        ["lent", "start the imager", "taken back", "it has ended"]
    );
    let mut stalled = backup(|_| {});
    (stalled.disk_rate, stalled.imager_lasts) = (0, usize::MAX);
    let stalled = screen_story(&replay(stalled));
    let (back, killed) = (position(&stalled, "taken back"), position(&stalled, "end the imager"));
    assert!(killed < back, "{stalled:?}");
    let mut elsewhere = backup(|_| {});
    elsewhere.terminal = Terminal::None;
    assert_eq!(screen_story(&replay(elsewhere))[0], "start the imager", "it has no screen of ours");
}

fn position(story: &[String], what: &str) -> usize {
    story.iter().position(|step| step == what).unwrap()
}

#[test]
fn whatever_goes_wrong_the_screen_is_taken_back_once() {
    use crate::machine::fake::Trouble;
    let new = || {
        let mut machine = backup(|_| {});
        machine.imager_lasts = 3;
        machine
    };
    for task in 0..replay(new()).tasks().len() {
        for trouble in [Trouble::Fails, Trouble::Hangs, Trouble::ServerDies, Trouble::Stopped] {
            let story = screen_story(&replay(new().with(task, trouble)));
            let count = |what: &str| story.iter().filter(|step| *step == what).count();
            assert_eq!(count("lent"), count("taken back"), "{trouble:?} at task {task}: {story:?}");
        }
    }
}

#[test]
fn a_job_that_is_stopped_ends_the_imager_before_anything_else() {
    let mut machine = backup(|_| {});
    (machine.imager_lasts, machine.stop_file_since) = (usize::MAX, Some(Duration::from_secs(100)));
    let story = screen_story(&replay(machine));
    assert_eq!(
        story,
        [
            "lent",
            "start the imager",
            "ask the imager to end",
            "end the imager",
            "ask all processes to end",
            "end all processes",
            "taken back",
        ]
    );
}
