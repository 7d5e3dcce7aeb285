//! Points in time as people and file names write them, in UTC.

use ghost_contract::UnixTime;
use time::OffsetDateTime;

fn utc(time: UnixTime) -> OffsetDateTime {
    let seconds = i64::try_from(time.as_millis() / 1_000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// `20260123-142501`.
#[must_use]
pub fn compact(time: UnixTime) -> String {
    let at = utc(time);
    let (date, clock) = (at.date(), at.time());
    format!(
        "{:04}{:02}{:02}-{:02}{:02}{:02}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    )
}

/// `2026-01-23 14:25:01 UTC`.
#[must_use]
pub fn for_people(time: UnixTime) -> String {
    let at = utc(time);
    let (date, clock) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_second_in_two_forms() {
        let time = UnixTime::from_millis(1_769_178_301_999);
        assert_eq!(compact(time), "20260123-142501");
        assert_eq!(for_people(time), "2026-01-23 14:25:01 UTC");
    }
}
