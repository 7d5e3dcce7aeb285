//! Given an order and a client, is it obeyed?

use super::*;
use crate::image::{LinuxSettings, SmallerDisk};
use crate::sample;

fn order(mode: Mode) -> Order {
    let mark = Prompt {
        when: PromptTrigger::Text("Mark".to_owned()),
        keys: vec!["TAB".to_owned(), "ENTER".to_owned()],
        deadline: Duration::from_secs(60),
        on_deadline: OnDeadline::Ignore,
    };
    Order { prompts: vec![mark], ..sample::order(mode) }
}

fn john() -> ClientFacts {
    ClientFacts {
        mac: MacAddress::new([0, 10, 235, 1, 2, 3]),
        host: "john".parse().unwrap(),
        now: UnixTime::from_millis(1_500_000),
        requested_mode: None,
    }
}

#[test]
fn an_order_survives_the_file() {
    for mode in Mode::ALL {
        let written = order(mode).to_json().unwrap();
        assert_eq!(Order::parse(written.as_bytes()).unwrap(), order(mode));
    }
}

#[test]
fn only_a_restore_that_may_shrink_needs_room_in_the_store() {
    let with = |mode, imager| Order { imager: Some(imager), ..order(mode) }.needs_scratch();
    let settings = |smaller_disk| LinuxSettings { smaller_disk, ..LinuxSettings::default() };
    let shrinks = || Imager::Linux(settings(SmallerDisk::Shrink));
    assert!(with(Mode::Restore, shrinks()));
    assert!(!with(Mode::Verify, shrinks()));
    assert!(!with(Mode::Restore, Imager::Linux(settings(SmallerDisk::Refuse))));
    assert!(!order(Mode::Restore).needs_scratch());
}

#[test]
fn another_version_is_told_apart_from_rubbish() {
    let newer = br#"{"version": 2, "job": {"of": "another shape"}}"#;
    assert!(matches!(Order::parse(newer), Err(OrderError::Version { found: 2 })));
    assert!(matches!(Order::parse(b"{\"version\": 1}"), Err(OrderError::Syntax(_))));
    assert!(matches!(Order::parse(b"{"), Err(OrderError::Syntax(_))));
}

#[test]
fn a_field_of_the_future_is_passed_over() {
    let written = order(Mode::Test).to_json().unwrap().replacen('{', "{\"colour\": 7,", 1);
    assert_eq!(Order::parse(written.as_bytes()).unwrap(), order(Mode::Test));
}

#[test]
fn the_client_it_is_for_obeys_in_the_mode_it_says() {
    for mode in Mode::ALL {
        assert_eq!(check(&order(mode), &john()), Ok(mode));
    }
}

#[test]
fn a_client_that_shares_the_address_does_not_obey() {
    let other = ClientFacts { mac: MacAddress::new([0, 10, 235, 9, 9, 9]), ..john() };
    assert!(matches!(check(&order(Mode::Test), &other), Err(Refusal::OtherMac { .. })));
}

#[test]
fn a_client_of_another_name_does_not_obey() {
    let other = ClientFacts { host: "joe".parse().unwrap(), ..john() };
    assert!(matches!(check(&order(Mode::Test), &other), Err(Refusal::OtherHost { .. })));
}

#[test]
fn an_order_ends_at_its_expiry() {
    let late = |millis| ClientFacts { now: UnixTime::from_millis(millis), ..john() };
    assert_eq!(check(&order(Mode::Test), &late(1_999_999)), Ok(Mode::Test));
    assert_eq!(
        check(&order(Mode::Test), &late(2_005_000)),
        Err(Refusal::Expired { ago: Duration::from_secs(5) })
    );
}

#[test]
fn the_command_line_changes_the_mode_but_never_to_restore() {
    let asks = |mode| ClientFacts { requested_mode: Some(mode), ..john() };
    assert_eq!(check(&order(Mode::Restore), &asks(Mode::Test)), Ok(Mode::Test));
    assert_eq!(check(&order(Mode::Backup), &asks(Mode::Ghost)), Ok(Mode::Ghost));
    assert_eq!(check(&order(Mode::Restore), &asks(Mode::Restore)), Ok(Mode::Restore));
    assert_eq!(
        check(&order(Mode::Backup), &asks(Mode::Restore)),
        Err(Refusal::RestoreByFlag { ordered: Mode::Backup })
    );
}

#[test]
fn what_a_mode_needs_must_be_there() {
    let without = |mode: Mode, change: fn(&mut Order)| {
        let mut order = order(mode);
        change(&mut order);
        check(&order, &john())
    };
    let incomplete = |mode, missing| Err(Refusal::Incomplete { mode, missing });
    assert_eq!(without(Mode::Test, |o| o.imager = None), Ok(Mode::Test));
    assert_eq!(without(Mode::Ghost, |o| o.imager = None), incomplete(Mode::Ghost, "imager"));
    assert_eq!(without(Mode::Ghost, |o| o.store = None), Ok(Mode::Ghost));
    assert_eq!(without(Mode::Backup, |o| o.store = None), incomplete(Mode::Backup, "image store"));
    assert_eq!(without(Mode::Backup, |o| o.generation = None), Ok(Mode::Backup));
    assert_eq!(without(Mode::Restore, |o| o.generation = None), incomplete(Mode::Restore, "generation"));
}
