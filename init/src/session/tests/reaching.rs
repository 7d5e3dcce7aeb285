//! From the initramfs to the root: what the server cannot see yet, and nobody watches but this program.

use std::time::Duration;

use super::{outcome, reported};
use crate::keys::Press;
use crate::machine::fake::{Fake, Trouble};
use crate::machine::run;
use crate::sample::{order, order_file};
use crate::session::{Action, Event};
use crate::task::{Root, Task};
use ghost_contract::{Mode, order::AtEnd, report::Outcome};

/// What the boot loader says.
const LOADER: &str = "nfsroot=192.168.7.1:/srv/root ip=192.168.7.2:192.168.7.1:192.168.7.254:255.255.255.0";
/// The root may take ten minutes; the failure is shown for half a minute, and the ending takes one.
const SOON: Duration = Duration::from_secs(600 + 30 + 60);

fn in_initramfs(command_line: &str) -> Fake {
    let mut machine = Fake::new(command_line, order_file(&order(Mode::Test)));
    machine.root = Root::Initramfs;
    machine
}

fn replay(mut machine: Fake) -> (AtEnd, Fake) {
    let left = run(&mut machine);
    (left, machine)
}

fn said(machine: &Fake) -> Vec<&str> {
    let mut said = Vec::new();
    for action in &machine.done {
        if let Action::Say(words) = action {
            said.push(words.as_str());
        }
    }
    said
}

#[test]
fn a_job_goes_all_the_way_from_the_card_to_power_off() {
    let (left, machine) = replay(in_initramfs(LOADER));
    assert_eq!((left, outcome(&machine)), (AtEnd::PowerOff, Outcome::Succeeded));
    let names: Vec<_> = machine.tasks().iter().map(|task| task.to_string()).collect();
    let way = [
        "start the watchdogs",
        "load the drivers of power button and USB keyboards",
        "watch the power button",
        "find the network card 00:0a:eb:01:02:03",
        "bring up eth0",
        "see the link of eth0",
        "check that nobody else has 192.168.7.2",
        "give eth0 the address 192.168.7.2",
        "route by 192.168.7.254",
        "mount 192.168.7.1:/srv/root on /root",
        "enter the root",
        "look at the command line and the network",
        "make the root writable",
    ];
    let first = names.iter().position(|name| name == way[0]).unwrap();
    assert_eq!(names[first..first + way.len()], way);
    assert_eq!(reported(&machine)[..2], ["up", "identified"]);
    for once in &way[..3] {
        assert_eq!(names.iter().filter(|name| name == once).count(), 1, "{once}");
    }
}

#[test]
fn what_failed_in_the_initramfs_is_tried_again_on_the_root() {
    let mut machine = in_initramfs(LOADER);
    machine.always_fails = Some(|task| *task == Task::StartWatchdogs);
    let (_, machine) = replay(machine);
    assert_eq!(outcome(&machine), Outcome::Succeeded);
    assert_eq!(machine.tasks().iter().filter(|task| ***task == Task::StartWatchdogs).count(), 2);
}

#[test]
fn without_an_address_of_the_boot_loaders_a_dhcp_server_is_asked() {
    let (_, machine) = replay(in_initramfs("nfsroot=192.168.7.1:/srv/root ip=dhcp"));
    assert_eq!(outcome(&machine), Outcome::Succeeded);
    assert!(machine.tasks().contains(&&Task::AskForAddress { interface: "eth0".to_owned() }));
}

#[test]
fn a_root_that_is_never_reached_leaves_the_client_on_its_own_disk_and_says_why() {
    type Never = fn(&Task) -> bool;
    let nevers: [(Never, &str); 6] = [
        (|task| matches!(task, Task::FindCard(_)), "cannot find the network card 00:0a:eb:01:02:03"),
        (|task| matches!(task, Task::Raise { .. }), "cannot bring up eth0"),
        (|task| matches!(task, Task::CheckLink { .. }), "cannot see the link of eth0"),
        (|task| matches!(task, Task::GiveAddress { .. }), "cannot give eth0 the address"),
        (
            |task| matches!(task, Task::Mount(mount) if mount.kind == "nfs"),
            "cannot mount 192.168.7.1:/srv/root",
        ),
        (|task| matches!(task, Task::EnterRoot(_)), "cannot enter the root"),
    ];
    for (never, words) in nevers {
        let mut machine = in_initramfs(LOADER);
        machine.always_fails = Some(never);
        let (left, machine) = replay(machine);
        assert_eq!(left, AtEnd::Reboot, "{words}");
        assert!(machine.now < SOON, "{words}: {:?}", machine.now);
        let said = said(&machine);
        let reason = |line: &&str| line.starts_with("the job has failed") && line.contains(words);
        assert!(said.iter().any(reason), "{words}: {said:#?}");
        assert!(!machine.tasks().contains(&&Task::ReadOrder), "{words}");
    }
}

#[test]
fn a_machine_with_too_little_memory_says_so_and_is_left_on_its_own_disk() {
    let mut machine = in_initramfs(LOADER);
    machine.memory = Some(50 << 10);
    let (left, machine) = replay(machine);
    assert_eq!(left, AtEnd::Reboot);
    let reason = |line: &&str| line.contains("too little memory: 50 MiB");
    assert!(said(&machine).iter().any(reason), "{:#?}", said(&machine));
    assert!(machine.tasks().iter().all(|task| !matches!(task, Task::FindCard(_))));
}

#[test]
fn what_is_waited_for_is_told_once_and_not_each_time() {
    let mut machine = in_initramfs(LOADER);
    machine.always_fails = Some(|task| matches!(task, Task::CheckLink { .. }));
    let (_, machine) = replay(machine);
    let looks = machine.tasks().iter().filter(|task| matches!(task, Task::CheckLink { .. })).count();
    let told =
        said(&machine).iter().filter(|line| **line == "cannot see the link of eth0 yet: no luck").count();
    assert!((looks > 100, told) == (true, 1), "{looks} looks, told {told} times");
    let shown = machine.now.saturating_sub(Duration::from_secs(20));
    assert!(
        shown >= Duration::from_secs(90 + 30),
        "a link has 90 s, and the failure is shown for 30: {shown:?}"
    );
}

#[test]
fn whatever_goes_wrong_on_the_way_the_client_is_not_left_on() {
    let tasks = replay(in_initramfs(LOADER)).1.tasks().len();
    for task in 0..tasks {
        for trouble in [Trouble::Fails, Trouble::Hangs, Trouble::ServerDies, Trouble::Stopped] {
            let (left, machine) = replay(in_initramfs(LOADER).with(task, trouble));
            assert!(matches!(machine.done.last(), Some(Action::Leave(_))), "{trouble:?} at task {task}");
            assert!(machine.now < SOON, "{trouble:?} at task {task} takes {:?}", machine.now);
            if trouble == Trouble::Stopped || reported(&machine).contains(&"up") {
                assert_eq!(left, AtEnd::PowerOff, "{trouble:?} at task {task}");
            }
        }
    }
}

#[test]
fn a_command_line_without_a_root_is_said_with_what_to_do() {
    let (left, machine) = replay(in_initramfs("nfsroot=auto"));
    assert_eq!(left, AtEnd::Reboot);
    let words =
        "the kernel command line has no nfsroot=ADDRESS:/PATH: rootfs/pxelinux-config prints one that has";
    assert!(said(&machine).iter().any(|line| line.ends_with(words)), "{:#?}", said(&machine));
}

/// What the boot server is told, and to which address it is sent.
fn sent(machine: &Fake) -> Vec<(String, &str)> {
    let word = |action| match action {
        &Action::SendWord { to, ref words } => Some((to.to_string(), words.as_str())),
        _ => None,
    };
    machine.done.iter().filter_map(word).collect()
}

#[test]
fn the_boot_server_hears_why_the_root_is_not_reached_and_nothing_once_there_is_a_report() {
    let mut machine = in_initramfs(LOADER);
    machine.always_fails = Some(|task| matches!(task, Task::Mount(mount) if mount.kind == "nfs"));
    let (_, machine) = replay(machine);
    let (to, failed) = ("192.168.7.1".to_owned(), "mount 192.168.7.1:/srv/root on /root");
    let expected = [
        (to.clone(), format!("cannot {failed} yet: no luck")),
        (to, format!("the job has failed: cannot {failed}: no luck")),
    ];
    let heard: Vec<_> = sent(&machine).into_iter().map(|(to, words)| (to, words.to_owned())).collect();
    assert_eq!(heard, expected);

    let mut machine = in_initramfs(LOADER);
    machine.always_fails = Some(|task| *task == Task::OpenReport);
    let (_, machine) = replay(machine);
    assert_eq!(sent(&machine).len(), 1, "the root is there, but not the report: {:?}", sent(&machine));

    let mut machine = in_initramfs(LOADER);
    machine.always_fails = Some(|task| *task == Task::ReadOrder);
    let (_, machine) = replay(machine);
    assert_eq!(sent(&machine), []);
}

#[test]
fn who_presses_ctrl_alt_del_while_the_reason_is_shown_switches_the_machine_off() {
    let mut machine = in_initramfs(LOADER);
    machine.always_fails = Some(|task| matches!(task, Task::Raise { .. }));
    let press = Event::Pressed(Press::CtrlAltDel);
    machine.wishes.push_back((machine.now + Duration::from_secs(5), press));
    assert_eq!(replay(machine).0, AtEnd::PowerOff);
}

#[test]
fn a_gateway_that_is_not_needed_may_be_wrong() {
    let mut machine = in_initramfs(LOADER);
    machine.always_fails = Some(|task| matches!(task, Task::RouteBy { .. }));
    let (_, machine) = replay(machine);
    assert_eq!(outcome(&machine), Outcome::Succeeded);
    let words = "cannot route by 192.168.7.254: no luck; going on without it";
    assert!(said(&machine).contains(&words), "{:#?}", said(&machine));
}

#[test]
fn a_reason_that_the_server_does_not_hear_is_shown_for_half_a_minute_on_the_root_too() {
    for flag in ["ghost.delay=7", "ghost.delay=0"] {
        let mut machine = in_initramfs(&format!("{LOADER} {flag}"));
        machine.always_fails = Some(|task| *task == Task::OpenReport);
        let (_, machine) = replay(machine);
        assert_eq!(machine.now.saturating_sub(Duration::from_secs(20)), Duration::from_secs(30), "{flag}");
    }
}

#[test]
fn a_server_that_is_not_heard_at_first_is_waited_for() {
    let (_, well) = replay(in_initramfs(LOADER));
    let check = well.tasks().iter().position(|task| matches!(task, Task::CheckAddress { .. })).unwrap();
    let (left, machine) = replay(in_initramfs(LOADER).with(check, Trouble::Fails));
    assert_eq!((left, outcome(&machine)), (AtEnd::PowerOff, Outcome::Succeeded));
}

#[test]
fn a_router_that_never_answers_is_no_reason_to_stay_away_from_the_server_behind_it() {
    let mut machine = in_initramfs(LOADER);
    machine.always_fails = Some(|task| matches!(task, Task::CheckAddress { .. }));
    let (left, machine) = replay(machine);
    assert_eq!((left, outcome(&machine)), (AtEnd::PowerOff, Outcome::Succeeded));
    let words = "cannot check that nobody else has 192.168.7.2: no luck; going on without it";
    assert!(said(&machine).contains(&words), "{:#?}", said(&machine));
    let is_check = |task: &&&Task| matches!(task, Task::CheckAddress { .. });
    assert!(machine.tasks().iter().filter(is_check).count() > 1, "spanning tree is waited for");
}

#[test]
fn an_address_that_another_machine_has_is_not_asked_for_again() {
    let mut machine = in_initramfs(LOADER);
    machine.address_taken_by = Some("00:0a:eb:01:02:09".parse().unwrap());
    let (left, machine) = replay(machine);
    assert_eq!(left, AtEnd::Reboot);
    let words = "the job has failed: another machine has the address 192.168.7.2 already: 00:0a:eb:01:02:09";
    assert!(said(&machine).iter().any(|line| line.starts_with(words)), "{:#?}", said(&machine));
    let is_check = |task: &&&Task| matches!(task, Task::CheckAddress { .. });
    assert_eq!(machine.tasks().iter().filter(is_check).count(), 1);
}

#[test]
fn an_address_that_another_machine_is_about_to_take_all_the_time_is_not_taken() {
    let mut machine = in_initramfs(LOADER);
    machine.address_contested_by = Some("00:0a:eb:01:02:09".parse().unwrap());
    let (left, machine) = replay(machine);
    assert_eq!(left, AtEnd::Reboot);
    let words = "the job has failed: cannot check that nobody else has 192.168.7.2: another machine asks for the address \
        192.168.7.2 too: 00:0a:eb:01:02:09";
    assert!(said(&machine).iter().any(|line| line.starts_with(words)), "{:#?}", said(&machine));
    let checks = machine.tasks().iter().filter(|task| matches!(task, Task::CheckAddress { .. })).count();
    assert_eq!(checks, 91, "each after the pause that was drawn, for 90 s");
    assert!(!machine.tasks().iter().any(|task| matches!(task, Task::GiveAddress { .. })));
}

#[test]
fn a_boot_that_takes_too_long_names_the_last_step_and_its_error() {
    let mut machine = in_initramfs(LOADER);
    machine.now = Duration::from_secs(400);
    machine.always_fails = Some(|task| matches!(task, Task::Mount(mount) if mount.kind == "nfs"));
    let (_, machine) = replay(machine);
    let words = "the job has failed: the boot took longer than 600 s; the last was: cannot mount 192.168.7.1:/srv/root on \
        /root: no luck";
    assert!(said(&machine).contains(&words), "{:#?}", said(&machine));
    assert_eq!(sent(&machine).last().unwrap().1, words);

    let on_root = || Fake::new("", order_file(&order(Mode::Test)));
    let protect = replay(on_root()).1.tasks().iter().position(|task| **task == Task::ProtectRoot).unwrap();
    let (_, machine) = replay(on_root().with(protect, Trouble::ServerDies));
    let reason = "the boot took longer than 120 s; the last was: watch the power button".to_owned();
    assert_eq!(outcome(&machine), Outcome::Failed { reason });
}
