//! What a person at the machine wants, and what becomes of the job and the machine.

use ghost_contract::report::{Event as Report, Outcome};

use super::*;
use crate::keys::Press;
use crate::machine::fake::Fake;
use crate::machine::run;
use crate::sample::{order, order_file};
use crate::task::{PowerSwitch, Task};

/// When the button is pressed for the first time: the imager works since long.
const FIRST: u64 = 100;

/// A machine on which a job lasts, and how it was left, when this was wanted at these times since its kernel's start.
fn wanted(mode: Mode, wishes: &[(u64, Event)]) -> (Fake, AtEnd) {
    let mut machine = Fake::new("", order_file(&order(mode)));
    machine.imager_lasts = 30;
    machine.wishes = wishes.iter().map(|(at, wish)| (Duration::from_secs(*at), wish.clone())).collect();
    let left = run(&mut machine);
    (machine, left)
}

fn pressed(mode: Mode, presses: &[u64]) -> Fake {
    let presses: Vec<_> = presses.iter().map(|at| (*at, Event::Pressed(Press::PowerButton))).collect();
    wanted(mode, &presses).0
}

fn asked(by: &str, how: AtEnd) -> Event {
    Event::StopRequested { by: by.to_owned(), leave: Some(how) }
}

fn outcome(machine: &Fake) -> Outcome {
    let ended = |event: &Report| match event {
        Report::Ended { outcome } => Some(outcome.clone()),
        _ => None,
    };
    machine.reported().into_iter().find_map(ended).unwrap()
}

/// What was told over what the imager showed.
fn told(machine: &Fake) -> Vec<&str> {
    machine.done.iter().filter_map(over).collect()
}

fn over(action: &Action) -> Option<&str> {
    match action {
        Action::SayOver(words) => Some(words),
        _ => None,
    }
}

fn by_button() -> Outcome {
    Outcome::Cancelled { by: "the power button".to_owned() }
}

#[test]
fn while_nothing_is_written_to_a_disk_the_button_stops_the_job_at_once() {
    for mode in [Mode::Backup, Mode::Verify] {
        let machine = pressed(mode, &[FIRST]);
        assert_eq!(outcome(&machine), by_button(), "{mode}");
        assert_eq!(told(&machine), [""; 0]);
        assert!(machine.now < Duration::from_secs(FIRST + 30), "{:?}", machine.now);
    }
}

#[test]
fn during_a_restore_the_first_press_tells_what_would_be_lost_and_the_second_stops_it() {
    let once = pressed(Mode::Restore, &[FIRST]);
    assert_eq!(outcome(&once), Outcome::Succeeded);
    let words = "a restore is writing to sda, which would be incomplete; to power off all the same, press the button \
        again within 30 s";
    assert_eq!(told(&once), [words]);

    let insists = pressed(Mode::Restore, &[FIRST, FIRST + 10]);
    assert_eq!(outcome(&insists), by_button());
}

#[test]
fn presses_that_are_one_or_far_apart_do_not_insist() {
    let twice_for_one = pressed(Mode::Restore, &[FIRST, FIRST]);
    assert_eq!((outcome(&twice_for_one), told(&twice_for_one).len()), (Outcome::Succeeded, 1));
    let far_apart = pressed(Mode::Restore, &[FIRST, FIRST + 31]);
    assert_eq!((outcome(&far_apart), told(&far_apart).len()), (Outcome::Succeeded, 2));
}

/// What becomes of a restore if Ctrl-Alt-Del arrives at these times, in milliseconds after the first.
fn ctrl_alt_del(arrives: &[u64]) -> (Outcome, usize) {
    let first = Duration::from_secs(FIRST);
    let wish = |after: &u64| (first + Duration::from_millis(*after), Event::Pressed(Press::CtrlAltDel));
    let mut machine = Fake::new("", order_file(&order(Mode::Restore)));
    machine.imager_lasts = 30;
    machine.wishes = arrives.iter().map(wish).collect();
    run(&mut machine);
    (outcome(&machine), told(&machine).len())
}

#[test]
fn ctrl_alt_del_that_arrives_by_the_kernel_and_by_the_keyboard_is_one_press() {
    assert_eq!(ctrl_alt_del(&[0, 2]), (Outcome::Succeeded, 1));
    assert_eq!(ctrl_alt_del(&[0, 990]), (Outcome::Succeeded, 1));
    let cancelled = Outcome::Cancelled { by: "Ctrl-Alt-Del".to_owned() };
    assert_eq!(ctrl_alt_del(&[0, 2, 5000, 5002]), (cancelled, 1));
}

#[test]
fn ctrl_alt_del_that_is_held_down_does_not_insist() {
    let held: Vec<u64> = std::iter::once(0).chain((250..10_000).step_by(33)).collect();
    assert_eq!(ctrl_alt_del(&held), (Outcome::Succeeded, 1));
}

#[test]
fn where_nothing_is_at_risk_ctrl_alt_del_ends_the_job_once() {
    let twice = [(FIRST, Event::Pressed(Press::CtrlAltDel)), (FIRST, Event::Pressed(Press::CtrlAltDel))];
    let (machine, _) = wanted(Mode::Backup, &twice);
    assert_eq!(outcome(&machine), Outcome::Cancelled { by: "Ctrl-Alt-Del".to_owned() });
    let again = Action::Say("Ctrl-Alt-Del: the job is ending already".to_owned());
    assert!(!machine.done.contains(&again), "{:#?}", machine.done);
}

#[test]
fn a_button_and_ctrl_alt_del_insist_on_each_other() {
    let presses = [(FIRST, Press::PowerButton), (FIRST + 5, Press::CtrlAltDel)];
    let (machine, left) = wanted(Mode::Restore, &presses.map(|(at, press)| (at, Event::Pressed(press))));
    assert_eq!(outcome(&machine), Outcome::Cancelled { by: "Ctrl-Alt-Del".to_owned() });
    assert_eq!((told(&machine).len(), left), (1, AtEnd::PowerOff));
}

#[test]
fn what_a_person_does_in_a_program_is_guarded_too() {
    let machine = pressed(Mode::Ghost, &[FIRST]);
    assert_eq!(told(&machine).len(), 1);
    assert_eq!(outcome(&machine), Outcome::Succeeded);
}

#[test]
fn before_a_restore_has_begun_the_button_stops_it_and_after_it_nothing_is_told() {
    let announced = pressed(Mode::Restore, &[21]);
    assert_eq!((outcome(&announced), told(&announced).len()), (by_button(), 0));
    assert!(!announced.tasks().contains(&&Task::StartImager));
    let mut machine = Fake::new("", order_file(&order(Mode::Restore)));
    machine.imager_lasts = 5;
    machine.command_line += " ghost.mode=nonsense";
    machine.wishes = [(Duration::from_secs(25), Event::Pressed(Press::PowerButton))].into();
    assert_eq!(run(&mut machine), AtEnd::PowerOff);
    assert!(machine.now < Duration::from_secs(27), "what is shown is over: {:?}", machine.now);
}

#[test]
fn what_is_typed_in_a_shell_does_what_it_says_whatever_the_order_says() {
    for (command, how) in [("poweroff", AtEnd::PowerOff), ("reboot", AtEnd::Reboot)] {
        let (machine, left) = wanted(Mode::Backup, &[(FIRST, asked(command, how))]);
        assert_eq!((outcome(&machine), left), (Outcome::Cancelled { by: command.to_owned() }, how));
        let reboot = how == AtEnd::Reboot;
        assert_eq!(machine.reported().last(), Some(&&Report::PoweringOff { reboot }));
    }
}

#[test]
fn who_forces_it_in_a_shell_leaves_at_once_and_is_not_left_on_where_there_is_no_switch() {
    let cases = [
        ("poweroff -f", AtEnd::PowerOff, PowerSwitch::Acpi, AtEnd::PowerOff),
        ("poweroff -f", AtEnd::PowerOff, PowerSwitch::Missing, AtEnd::Reboot),
        ("reboot -f", AtEnd::Reboot, PowerSwitch::Acpi, AtEnd::Reboot),
    ];
    for (command, how, switch, left) in cases {
        let mut machine = Fake::new("", order_file(&order(Mode::Restore)));
        machine.imager_lasts = 30;
        machine.power_switch = switch;
        let forced = Event::LeaveAtOnce { by: command.to_owned(), how };
        machine.wishes = [(Duration::from_secs(FIRST), forced)].into();
        assert_eq!(run(&mut machine), left, "{command}, {switch:?}");
        assert_eq!(machine.now, Duration::from_secs(FIRST), "at once");
        let words = "the kernel has no ACPI and cannot switch this machine off; booting its own disk instead";
        let is_said = machine.done.contains(&Action::Say(words.to_owned()));
        assert_eq!(is_said, switch == PowerSwitch::Missing, "{command}");
    }
}

#[test]
fn the_button_powers_off_where_the_order_would_boot_again() {
    let mut rebooting = order(Mode::Backup);
    rebooting.at_end = AtEnd::Reboot;
    let mut machine = Fake::new("", order_file(&rebooting));
    machine.imager_lasts = 30;
    machine.wishes = [(Duration::from_secs(FIRST), Event::Pressed(Press::PowerButton))].into();
    assert_eq!(run(&mut machine), AtEnd::PowerOff);
}
