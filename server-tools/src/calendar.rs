//! Points in time as people and file names write them, in UTC.

use ghost_contract::UnixTime;
use time::OffsetDateTime;

/// Year, month, day, hour, minute and second.
fn parts(time: UnixTime) -> [u32; 6] {
    let seconds = i64::try_from(time.as_millis() / 1_000).unwrap_or(i64::MAX);
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, clock) = (u32::try_from(at.year()).unwrap_or_default(), at.time());
    let rest = [u8::from(at.month()), at.day(), clock.hour(), clock.minute(), clock.second()];
    let [month, day, hour, minute, second] = rest.map(u32::from);
    [year, month, day, hour, minute, second]
}

pub(crate) fn compact(time: UnixTime) -> String {
    let [year, month, day, hour, minute, second] = parts(time);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

/// `2026-01-23 14:25:01 UTC`.
pub(crate) fn for_people(time: UnixTime) -> String {
    let [year, month, day, hour, minute, second] = parts(time);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
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
