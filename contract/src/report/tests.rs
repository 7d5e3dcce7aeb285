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
    assert_eq!(read(text.as_bytes()), Read { entries, unknown: vec![], used: text.len(), left_out: 0 });
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

fn remark(words: &str) -> String {
    entry(Event::ImagerRemarked { remark: words.to_owned() }).to_line().unwrap()
}

fn ended() -> String {
    entry(Event::Ended { outcome: Outcome::Succeeded }).to_line().unwrap()
}

#[test]
fn a_line_that_is_too_long_is_left_out_and_the_next_one_is_read() {
    let long = "x".repeat(bounds::REPORT_LINE + 1);
    let at_once = format!("{long}\n{}", ended());
    let read = read(at_once.as_bytes());
    assert_eq!((read.entries.len(), read.unknown.len(), read.left_out), (1, 0, 1));

    let mut reader = Reader::default();
    let first = reader.read(long.as_bytes());
    assert_eq!((first.used, first.left_out), (long.len(), 1), "nobody waits for its end");
    let more = reader.read(long.as_bytes());
    assert_eq!((more.used, more.left_out), (long.len(), 0), "it is still the same line");
    let last = reader.read(format!("rest\n{}", ended()).as_bytes());
    assert_eq!((last.entries.len(), last.unknown.len(), last.left_out), (1, 0, 0));
}

#[test]
fn of_too_many_lines_those_are_read_that_decide_and_the_others_are_counted() {
    let mut reader = Reader { lines: bounds::REPORT_LINES - 1, ..Reader::default() };
    let text = format!("{}{}nonsense\n{}", remark("a"), remark("b"), ended());
    let read = reader.read(text.as_bytes());
    let is_ended = |entry: &Entry| matches!(entry.event, Event::Ended { .. });
    assert_eq!((read.entries.len(), read.unknown.len(), read.left_out), (2, 0, 2));
    assert!(is_ended(&read.entries[1]));
}

#[test]
fn a_value_that_is_nested_too_deep_is_no_event_and_ends_no_program() {
    let nested = |depth: usize| {
        let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        format!("{{\"at\":1,\"uptime\":2,\"event\":\"powering_off\",\"reboot\":true,\"more\":{value}}}\n")
    };
    assert_eq!(read(nested(bounds::JSON_NESTING - 1).as_bytes()).entries.len(), 1);
    assert_eq!(read(nested(bounds::JSON_NESTING).as_bytes()).unknown.len(), 1);
    assert_eq!(read(nested(30_000).as_bytes()).unknown.len(), 1);
}
