//! A question that is asked again at a pace until it is answered, however much else is heard meanwhile.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::clock;

/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(300);

/// Asks until there is an answer, which is looked for whenever something has come to the socket. `None`: there was none in time.
pub(super) fn ask_until<T>(
    socket: &impl AsFd,
    patience: Duration,
    ask: impl Fn(),
    answer: impl Fn() -> Option<T>,
) -> Option<T> {
    let deadline = clock::uptime().saturating_add(patience);
    let mut next = Duration::ZERO;
    loop {
        let now = clock::uptime();
        if now >= deadline {
            return None;
        }
        if now >= next {
            ask();
            next = now.saturating_add(ASK_EVERY);
        }
        let timeout = next.min(deadline).saturating_sub(now).try_into().ok()?;
        let _ready = poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&timeout));
        if let Some(answer) = answer() {
            return Some(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_others_say_all_the_time_does_not_make_it_ask_more_often() {
        let (socket, mut others) = UnixStream::pair().unwrap();
        others.write_all(b"there is always something to read").unwrap();
        let (asked, looked) = (Cell::new(0), Cell::new(0));
        let patience = 2 * ASK_EVERY + ASK_EVERY / 2;
        let answer = || {
            looked.set(looked.get() + 1);
            None::<()>
        };
        assert_eq!(ask_until(&socket, patience, || asked.set(asked.get() + 1), answer), None);
        assert!((1..=3).contains(&asked.get()), "{asked:?} of {looked:?}");
        assert!(looked.get() > asked.get(), "{asked:?} of {looked:?}");
    }

    #[test]
    fn an_answer_ends_it() {
        let (socket, _other) = UnixStream::pair().unwrap();
        let asked = Cell::new(0);
        let answer = || (asked.get() == 2).then_some("here");
        let found = ask_until(&socket, Duration::from_secs(60), || asked.set(asked.get() + 1), answer);
        assert_eq!(found, Some("here"));
    }
}
