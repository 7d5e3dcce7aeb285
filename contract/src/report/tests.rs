//! What is written, and what of it is read back?

use super::*;

fn entry(event: Event) -> Entry {
    Entry { at: UnixTime::from_millis(1_700_000_000_000), uptime: 20_500, event }
}

#[test]
fn every_line_is_one_event_and_says_which() {
    let line = entry(Event::Ended { outcome: Outcome::Failed { reason: "disk\nfull".to_owned() } })
        .to_line()
        .unwrap();
    assert_eq!(
        line,
        "{\"at\":1700000000000,\"uptime\":20500,\"event\":\"ended\",\"outcome\":\"failed\",\"reason\":\"disk\\nfull\"}\n"
    );
}

#[test]
fn what_was_appended_is_read_back() {
    let entries = vec![
        entry(Event::Identified { host: "john".parse().unwrap() }),
        entry(Event::NotArmed {
            interface: "eth0".to_owned(),
            reason: NotArmed::Refused,
            detail: "EOPNOTSUPP".to_owned(),
        }),
        entry(Event::Ended { outcome: Outcome::Succeeded }),
        entry(Event::PoweringOff { reboot: false }),
    ];
    let text: String = entries.iter().map(|entry| entry.to_line().unwrap()).collect();
    assert_eq!(read(text.as_bytes()), Read { entries, unknown: vec![], used: text.len() });
}

#[test]
fn a_torn_last_line_is_left_for_the_next_time() {
    let whole = entry(Event::PoweringOff { reboot: true }).to_line().unwrap();
    let torn = format!("{whole}{}", &whole[..20]);
    let first = read(torn.as_bytes());
    assert_eq!((first.entries.len(), first.used), (1, whole.len()));
    let rest = format!("{}{}", &torn[first.used..], &whole[20..]);
    assert_eq!(read(rest.as_bytes()).entries, first.entries);
}

#[test]
fn an_event_of_the_future_is_passed_over_with_a_note() {
    let line = "{\"at\":1,\"uptime\":2,\"event\":\"levitated\",\"metres\":3}\n";
    let read = read(line.as_bytes());
    assert_eq!((read.entries.len(), read.unknown.len(), read.used), (0, 1, line.len()));
}
