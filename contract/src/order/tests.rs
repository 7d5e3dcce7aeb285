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

/// The mode in which the client obeys, or what is said of why it does not.
fn obeyed(order: &Order, client: &ClientFacts) -> Result<Mode, String> {
    check(order, client).map_err(|refusal| refusal.to_string())
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
fn an_order_about_some_partitions_has_a_version_that_older_clients_refuse() {
    let imager = |partitions: &[u32]| {
        let partitions = partitions.iter().copied().collect();
        Some(Imager::Linux(LinuxSettings { partitions, ..LinuxSettings::default() }))
    };
    assert_eq!(version(None, false), VERSION);
    assert_eq!(version(imager(&[]).as_ref(), false), VERSION);
    assert_eq!(version(imager(&[2, 3]).as_ref(), false), VERSION_OF_PARTS);
    let part = Order { version: VERSION_OF_PARTS, imager: imager(&[2, 3]), ..order(Mode::Restore) };
    assert_eq!(Order::parse(part.to_json().unwrap().as_bytes()).unwrap(), part);
    assert!(!order(Mode::Restore).to_json().unwrap().contains("partitions"));
}

#[test]
fn an_order_that_comes_with_a_key_has_a_version_that_older_clients_refuse_and_no_key_in_it() {
    assert_eq!(version(None, true), VERSION_OF_KEYS);
    let with_key = Order { version: VERSION_OF_KEYS, luks_key: true, ..order(Mode::Backup) };
    assert_eq!(Order::parse(with_key.to_json().unwrap().as_bytes()).unwrap(), with_key);
    assert!(!order(Mode::Backup).to_json().unwrap().contains("luks"));
}

#[test]
fn another_version_is_told_apart_from_rubbish() {
    let newer = br#"{"version": 4, "job": {"of": "another shape"}}"#;
    let error = |bytes: &[u8]| Order::parse(bytes).unwrap_err().to_string();
    assert!(error(newer).starts_with("the order has format version 4, this client understands version 3;"));
    assert_eq!(error(b"{\"version\": 1}"), "the order cannot be read");
    assert_eq!(error(b"{"), "the order cannot be read");
}

#[test]
fn a_field_of_the_future_is_passed_over() {
    let written = order(Mode::Test).to_json().unwrap().replacen('{', "{\"colour\": 7,", 1);
    assert_eq!(Order::parse(written.as_bytes()).unwrap(), order(Mode::Test));
}

#[test]
fn the_client_it_is_for_obeys_in_the_mode_it_says() {
    for mode in Mode::ALL {
        assert_eq!(obeyed(&order(mode), &john()), Ok(mode));
    }
}

#[test]
fn a_client_that_shares_the_address_does_not_obey() {
    let other = ClientFacts { mac: MacAddress::new([0, 10, 235, 9, 9, 9]), ..john() };
    assert_eq!(
        obeyed(&order(Mode::Test), &other).unwrap_err(),
        "the order is for john with the hardware address 00:0a:eb:01:02:03, this machine has 00:0a:eb:09:09:09"
    );
}

#[test]
fn a_client_of_another_name_does_not_obey() {
    let other = ClientFacts { host: "joe".parse().unwrap(), ..john() };
    assert_eq!(
        obeyed(&order(Mode::Test), &other).unwrap_err(),
        "the order is for john, the DHCP configuration calls this machine joe"
    );
}

#[test]
fn an_order_ends_at_its_expiry() {
    let late = |millis| ClientFacts { now: UnixTime::from_millis(millis), ..john() };
    assert_eq!(obeyed(&order(Mode::Test), &late(1_999_999)), Ok(Mode::Test));
    assert_eq!(obeyed(&order(Mode::Test), &late(2_005_000)), Err("the order expired 5 s ago".to_owned()));
}

#[test]
fn the_command_line_changes_the_mode_but_never_to_restore() {
    let asks = |mode| ClientFacts { requested_mode: Some(mode), ..john() };
    assert_eq!(obeyed(&order(Mode::Restore), &asks(Mode::Test)), Ok(Mode::Test));
    assert_eq!(obeyed(&order(Mode::Backup), &asks(Mode::Ghost)), Ok(Mode::Ghost));
    assert_eq!(obeyed(&order(Mode::Restore), &asks(Mode::Restore)), Ok(Mode::Restore));
    assert_eq!(
        obeyed(&order(Mode::Backup), &asks(Mode::Restore)),
        Err("a restore is never started by the kernel command line alone: the order is for backup".to_owned())
    );
}

#[test]
fn what_a_mode_needs_must_be_there() {
    let without = |mode: Mode, change: fn(&mut Order)| {
        let mut order = order(mode);
        change(&mut order);
        obeyed(&order, &john())
    };
    let incomplete = |mode, missing: &str| Err(format!("the order for mode {mode} has no {missing}"));
    assert_eq!(without(Mode::Test, |o| o.imager = None), Ok(Mode::Test));
    assert_eq!(without(Mode::Ghost, |o| o.imager = None), incomplete(Mode::Ghost, "imager"));
    assert_eq!(without(Mode::Ghost, |o| o.store = None), Ok(Mode::Ghost));
    assert_eq!(without(Mode::Backup, |o| o.store = None), incomplete(Mode::Backup, "image store"));
    assert_eq!(without(Mode::Backup, |o| o.generation = None), Ok(Mode::Backup));
    assert_eq!(without(Mode::Restore, |o| o.generation = None), incomplete(Mode::Restore, "generation"));
}
