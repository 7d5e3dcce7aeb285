//! When which client's question is sent, and when no more answers are waited for. Pure.
//!
//! ```text
//! waiting ──a place is free──▶ asked ──an offer that is awaited──▶ answered
//!                               │  ▲ again, since broadcasts get lost
//!                               └──for too long──▶ silent
//! over: nobody waits or is asked, and for a moment nothing more has come
//! ```

use std::time::Duration;

use ghost_contract::MacAddress;

use super::packet::{self, Offer};
use crate::ghostrc::Firmware;

/// How many questions are open at a time: a server holds so many unread.
const AT_ONCE: usize = 32;
/// How often a question is asked again.
const ASK_EVERY: Duration = Duration::from_millis(300);
/// How long after the last answer others are listened for: there may be a second server.
const LINGER: Duration = Duration::from_millis(150);

/// The questions about some clients.
pub(super) struct Asking<F> {
    patience: Duration,
    questions: Vec<Question>,
    /// Of the first question; the others count on.
    transaction: u32,
    over_at: Option<Duration>,
    /// Whether an offer answers the question. Others are noted.
    is_awaited: F,
}

#[derive(Debug)]
struct Question {
    mac: MacAddress,
    firmware: Firmware,
    state: State,
    offers: Vec<Offer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Asked { first: Duration, last: Duration },
    Answered,
    Silent,
}

impl<F: Fn(&Offer) -> bool> Asking<F> {
    /// Each is waited for this long at most.
    pub(super) fn new(
        clients: &[(MacAddress, Firmware)],
        transaction: u32,
        patience: Duration,
        is_awaited: F,
    ) -> Self {
        let question = |(mac, firmware): &(MacAddress, Firmware)| Question {
            mac: *mac,
            firmware: *firmware,
            state: State::Waiting,
            offers: Vec::new(),
        };
        let questions = clients.iter().map(question).collect();
        Self { patience, questions, transaction, over_at: None, is_awaited }
    }

    /// The messages to be sent now.
    pub(super) fn due(&mut self, now: Duration) -> Vec<Vec<u8>> {
        self.give_up(now);
        let mut free = AT_ONCE.saturating_sub(self.open());
        let mut messages = Vec::new();
        for (question, transaction) in self.questions.iter_mut().zip(numbers(self.transaction)) {
            question.state = match question.state {
                State::Waiting if free > 0 => {
                    free -= 1;
                    State::Asked { first: now, last: now }
                }
                State::Asked { first, last } if now.saturating_sub(last) >= ASK_EVERY => {
                    State::Asked { first, last: now }
                }
                _ => continue,
            };
            messages.push(packet::discover(question.mac, question.firmware, transaction));
        }
        messages
    }

    /// Where nobody has answered anybody, the others need not be asked.
    fn give_up(&mut self, now: Duration) {
        let patience = self.patience;
        let is_over =
            |state| matches!(state, State::Asked { first, .. } if now.saturating_sub(first) >= patience);
        let gives_up = self.questions.iter().any(|question| is_over(question.state));
        if !gives_up {
            return;
        }
        let is_answered = self.questions.iter().any(|question| question.state == State::Answered);
        for question in &mut self.questions {
            if is_over(question.state) || (question.state == State::Waiting && !is_answered) {
                question.state = State::Silent;
            }
        }
    }

    /// A message that came, whosever it is.
    pub(super) fn heard(&mut self, message: &[u8], now: Duration) {
        let Some((transaction, mac, offer)) = packet::offer(message) else { return };
        let at = usize::try_from(transaction.wrapping_sub(self.transaction)).unwrap_or(usize::MAX);
        let Some(question) = self.questions.get_mut(at).filter(|question| question.mac == mac) else {
            return;
        };
        if question.state == State::Waiting || question.offers.contains(&offer) {
            return;
        }
        if (self.is_awaited)(&offer) {
            question.state = State::Answered;
        }
        question.offers.push(offer);
        self.over_at = Some(now + LINGER);
    }

    /// When something is due again; none if it is over.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let is_waiting = self.questions.iter().any(|question| question.state == State::Waiting);
        if is_waiting && self.open() < AT_ONCE {
            return Some(now);
        }
        let open = self.questions.iter().filter_map(|question| match question.state {
            State::Asked { first, last } => Some((last + ASK_EVERY).min(first + self.patience)),
            State::Waiting | State::Answered | State::Silent => None,
        });
        open.min().or_else(|| self.over_at.filter(|at| *at > now))
    }

    fn open(&self) -> usize {
        self.questions.iter().filter(|question| matches!(question.state, State::Asked { .. })).count()
    }

    /// What each client is offered, by whoever has answered.
    pub(super) fn end(self) -> Vec<Vec<Offer>> {
        self.questions.into_iter().map(|question| question.offers).collect()
    }
}

fn numbers(first: u32) -> impl Iterator<Item = u32> {
    (0..).map(move |place| first.wrapping_add(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    fn clients(count: u8) -> Vec<(MacAddress, Firmware)> {
        (0..count).map(|number| (MacAddress::new([2, 0, 0, 0, 0, number]), Firmware::Bios)).collect()
    }

    /// The offer that answers a question.
    fn answer(question: &[u8]) -> Vec<u8> {
        let mut message = [&question[..240], &[53, 1, 2, 255]].concat();
        message[0] = 2;
        message[108] = b'x';
        message
    }

    /// Plays it with a network that answers so; how long it took, how many were sent, and the offers.
    fn played(count: u8, answers: impl Fn(u8, usize) -> usize) -> (Duration, usize, Vec<usize>) {
        let mut asking = Asking::new(&clients(count), u32::MAX - 1, PATIENCE, |_| true);
        let (mut now, mut sent) = (Duration::ZERO, 0);
        loop {
            let due = asking.due(now);
            sent += due.len();
            for question in &due {
                for _ in 0..answers(question[33], sent) {
                    asking.heard(&answer(question), now);
                }
            }
            let Some(next) = asking.next(now) else { break };
            assert!(next > now || !due.is_empty(), "it goes on");
            now = next;
        }
        (now, sent, asking.end().iter().map(Vec::len).collect())
    }

    #[test]
    fn each_client_is_asked_once_where_a_server_answers() {
        assert_eq!(played(100, |_, _| 1), (LINGER, 100, vec![1; 100]));
        assert_eq!(played(2, |_, _| 2), (LINGER, 2, vec![1; 2]), "the same answer counts once");
        assert_eq!(played(0, |_, _| 1), (Duration::ZERO, 0, vec![]));
    }

    #[test]
    fn a_lost_question_is_asked_again() {
        let (took, sent, offers) = played(1, |_, sent| usize::from(sent == 2));
        assert_eq!((took, sent, offers), (ASK_EVERY + LINGER, 2, vec![1]));
    }

    #[test]
    fn a_silent_network_is_not_asked_for_everybody() {
        let (took, sent, offers) = played(200, |_, _| 0);
        assert_eq!((took, sent, offers), (PATIENCE, AT_ONCE * 4, vec![0; 200]));
    }

    #[test]
    fn one_whom_nobody_answers_keeps_no_other_from_being_asked() {
        let (took, sent, offers) = played(100, |number, _| usize::from(number != 7));
        assert_eq!((took, sent), (PATIENCE, 99 + 4));
        assert_eq!((offers[7], offers.iter().sum()), (0, 99));
    }

    #[test]
    fn the_answer_that_is_awaited_may_come_after_others() {
        let mut asking = Asking::new(&clients(1), 7, PATIENCE, |offer| offer.file == b"ours");
        let question = asking.due(Duration::ZERO).remove(0);
        asking.heard(&answer(&question), Duration::ZERO);
        assert_eq!(asking.next(LINGER), Some(ASK_EVERY), "it is asked again");
        let mut ours = answer(&question);
        ours[108..112].copy_from_slice(b"ours");
        asking.heard(&ours, ASK_EVERY);
        assert_eq!(asking.next(ASK_EVERY + LINGER), None);
        assert_eq!(asking.end()[0].len(), 2);
    }

    #[test]
    fn an_answer_to_another_question_is_passed_over() {
        let mut asking = Asking::new(&clients(1), 7, PATIENCE, |_| true);
        let question = asking.due(Duration::ZERO).remove(0);
        let mut other_machine = answer(&question);
        other_machine[33] ^= 1;
        let mut earlier = answer(&question);
        earlier[7] ^= 1;
        for message in [other_machine, earlier, question.clone(), vec![]] {
            asking.heard(&message, Duration::ZERO);
        }
        assert_eq!(asking.end(), [[]]);
    }
}
