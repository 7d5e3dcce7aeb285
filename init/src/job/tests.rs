//! Given an order or none, a command line and a client: is there a job?

use super::*;
use crate::sample::{order, order_file};

fn john() -> Client {
    Client {
        mac: "00:0a:eb:01:02:03".parse().unwrap(),
        host: Some("john".parse().unwrap()),
        now: Some(UnixTime::from_millis(1_500_000)),
    }
}

fn asked(mode: Mode) -> RequestedMode {
    RequestedMode::Mode(mode)
}

#[test]
fn an_order_for_this_client_is_a_job_in_its_mode() {
    for mode in Mode::ALL {
        let bytes = order_file(&order(mode));
        let job = Job::find(bytes.as_deref(), &RequestedMode::None, john()).unwrap();
        assert_eq!(job, Job { mode, order: Some(order(mode)) });
    }
}

#[test]
fn the_command_line_may_ask_for_another_mode_but_not_for_a_restore() {
    let bytes = order_file(&order(Mode::Backup));
    let job = Job::find(bytes.as_deref(), &asked(Mode::Test), john()).unwrap();
    assert_eq!(job.mode, Mode::Test);
    let restore = Job::find(bytes.as_deref(), &asked(Mode::Restore), john());
    let refusal = restore.unwrap_err().to_string();
    assert!(refusal.starts_with("a restore is never started by the kernel command line alone"), "{refusal}");
}

#[test]
fn without_an_order_only_modes_that_leave_the_disk_to_a_person_are_done() {
    let find = |mode| Job::find(None, &mode, john());
    for mode in [Mode::Test, Mode::Ghost] {
        assert_eq!(find(asked(mode)).unwrap(), Job { mode, order: None });
    }
    for mode in [Mode::Backup, Mode::Verify, Mode::Restore] {
        assert_eq!(
            find(asked(mode)).unwrap_err().to_string(),
            format!("there is no order for this client, and mode {mode} needs one")
        );
    }
    let error = find(RequestedMode::None).unwrap_err();
    assert_eq!(error.to_string(), "there is no order for this client");
}

#[test]
fn a_mode_that_cannot_be_read_stops_even_a_good_order() {
    let bytes = order_file(&order(Mode::Backup));
    let found = Job::find(bytes.as_deref(), &RequestedMode::Unreadable("verfy".to_owned()), john());
    assert_eq!(found.unwrap_err().to_string(), "the kernel command line asks for 'verfy', which is no mode");
}

#[test]
fn a_client_without_a_name_or_the_servers_time_does_not_obey() {
    let bytes = order_file(&order(Mode::Test));
    let find = |client| Job::find(bytes.as_deref(), &RequestedMode::None, client);
    let refused = |client| find(client).unwrap_err().to_string();
    assert_eq!(
        refused(Client { host: None, ..john() }),
        "there is an order, but the host table has no name for this client"
    );
    assert_eq!(
        refused(Client { now: None, ..john() }),
        "there is an order, but the boot server's time could not be read"
    );
}

#[test]
fn an_order_of_another_version_or_of_no_form_is_no_job() {
    for (bytes, reason) in [
        (&b"{\"version\": 4}"[..], "the order has format version 4, this client understands version 3; "),
        (b"{", "the order cannot be read"),
        (b"", "the order cannot be read"),
    ] {
        let refusal = Job::find(Some(bytes), &asked(Mode::Test), john()).unwrap_err().to_string();
        assert!(refusal.starts_with(reason), "{refusal}");
    }
}

#[test]
fn mode_test_lasts_an_hour_unless_an_order_says_otherwise() {
    let job = Job { mode: Mode::Test, order: None };
    assert_eq!(job.test_settings().sleep, Duration::from_secs(3600));
}
