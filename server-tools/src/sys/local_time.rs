//! Times of the day as the clock on the wall shows them, in this machine's time zone (localtime_r(3), mktime(3)).
#![allow(unsafe_code, reason = "no crate of ours knows the time zone")]

use std::mem;

use ghost_contract::UnixTime;

/// When it is this hour and minute next, after `now`. In the night of a change of the clocks mktime(3) decides.
pub(crate) fn next(now: UnixTime, hour: u8, minute: u8) -> Option<UnixTime> {
    let seconds = libc::time_t::try_from(now.as_millis() / 1_000).ok()?;
    // SAFETY: all bytes zero are a value of this plain C structure.
    let mut today: libc::tm = unsafe { mem::zeroed() };
    // SAFETY: both pointers are to values of ours that live until the call returns.
    let told = unsafe { libc::localtime_r(&raw const seconds, &raw mut today) };
    if told.is_null() {
        return None;
    }
    let on_day = |days: i32| {
        let mut wanted = today;
        (wanted.tm_hour, wanted.tm_min, wanted.tm_sec) = (hour.into(), minute.into(), 0);
        wanted.tm_mday += days;
        // Whether it is summer time then is for mktime(3) to find out.
        wanted.tm_isdst = -1;
        // SAFETY: the pointer is to a value of ours that lives until the call returns.
        let seconds = unsafe { libc::mktime(&raw mut wanted) };
        let millis = u64::try_from(seconds).ok()?.checked_mul(1_000)?;
        (seconds != -1).then(|| UnixTime::from_millis(millis))
    };
    [0, 1].into_iter().filter_map(on_day).find(|then| *then > now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_is_within_a_day_and_an_hour_and_never_now() {
        let now = UnixTime::from_millis(1_769_178_301_999);
        for (hour, minute) in [(0, 0), (6, 0), (12, 30), (23, 59)] {
            let then = next(now, hour, minute).unwrap();
            assert!(then > now && then.since(now).as_secs() <= 25 * 3_600, "{hour}:{minute}: {then:?}");
            assert_eq!(then.as_millis() % 60_000, 0);
            assert!(next(then, hour, minute).unwrap() > then);
        }
    }
}
