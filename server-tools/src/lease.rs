//! Which boot server works on a host, where several have one image store: a lease in the store for each host. Pure; `kept` reads
//! and writes them.
//!
//! ```text
//!          nobody has it                        renewed now and then
//! (none) ────────────────▶ 1 held ───────────────────────┐
//!                             │ expired, or left by a     │
//!                             │ crash of the same server  │ released
//!                             ▼                           ▼
//!                          2 held ─────────────────▶   (none)
//! ```
//! The one with the highest number counts. To take a host is to make the file of the next number, which one of several succeeds
//! in. How old a lease is the store's own clock tells, and never a boot server's.

pub(crate) mod kept;

use std::fmt;
use std::time::Duration;

use ghost_contract::{HostName, JobId, UnixTime};
use serde::{Deserialize, Serialize};

use crate::calendar;
use crate::output::plain::FromClient;

/// So often in the time after which it expires a lease is renewed.
const RENEWALS: u32 = 10;

/// What tells one boot server from another: random digits that are kept below STATEDIR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ServerId(pub(crate) String);

/// Who works on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    pub server: ServerId,
    /// What the boot server is called, for people.
    pub name: String,
    pub job: JobId,
    /// By that server's clock.
    pub since: UnixTime,
}

/// One lease of a host in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub number: u64,
    /// When it was renewed last, by the store's clock.
    pub renewed: UnixTime,
    /// None while its server has not written it yet, or if it cannot be read.
    pub says: Option<Lease>,
}

/// What may be done about a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The lease of this number may be made.
    Take {
        number: u64,
    },
    Busy(Seen),
}

/// Why a host cannot have a job now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Busy {
    pub host: HostName,
    pub seen: Seen,
    /// How long ago it was renewed.
    pub age: Duration,
    /// For how long a recovery has kept the host, as its client works on without a ghostctl.
    pub kept: Duration,
    pub expires: Duration,
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, seen, age, kept, expires } = self;
        match &seen.says {
            // What stands in the store is not to be trusted with a terminal.
            Some(Lease { name, job, since, .. }) => write!(
                f,
                "{host} has the job {job} of the boot server {} since {}",
                FromClient(name),
                calendar::for_people(*since)
            )?,
            None => write!(f, "another boot server has just begun a job of {host}")?,
        }
        if !kept.is_zero() {
            let at_most = (*kept + *expires).as_secs();
            return write!(
                f,
                ", whose ghostctl is gone while {host} may be at work: {host} is free when that boot server has recovered the job, and \
                 after {at_most} s in any case"
            );
        }
        write!(
            f,
            ", which was there {} s ago; if it is gone, {host} is free {} s after its last sign of life (LEASE)",
            age.as_secs(),
            expires.as_secs()
        )
    }
}

impl std::error::Error for Busy {}

/// What these leases of a host allow the server `own`, when it is `now` by the store's clock. `is_open` says whether a job of its own has not ended.
pub(crate) fn judge(
    seen: &[Seen],
    now: UnixTime,
    own: &ServerId,
    expires: Duration,
    is_open: &dyn Fn(&JobId) -> bool,
) -> Verdict {
    let Some(last) = seen.iter().max_by_key(|seen| seen.number) else { return Verdict::Take { number: 1 } };
    let is_leftover = last.says.as_ref().is_some_and(|lease| lease.server == *own && !is_open(&lease.job));
    if is_leftover || now.since(last.renewed) > expires {
        return Verdict::Take { number: last.number.saturating_add(1) };
    }
    Verdict::Busy(last.clone())
}

/// Whether the lease of this number, with these words, still counts.
pub(crate) fn still_counts(seen: &[Seen], number: u64, lease: &Lease) -> bool {
    let last = seen.iter().max_by_key(|seen| seen.number);
    last.is_some_and(|last| last.number == number && last.says.as_ref() == Some(lease))
}

/// Between two renewals.
pub(crate) fn renewed_every(expires: Duration) -> Duration {
    expires / RENEWALS
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_769_178_400_000;
    const EXPIRES: Duration = Duration::from_secs(300);

    fn lease(server: &str, job: &str) -> Lease {
        let name = format!("{server}.example.org");
        let since = UnixTime::from_millis(1_769_178_301_999);
        Lease { server: ServerId(server.to_owned()), name, job: job.parse().unwrap(), since }
    }

    fn seen(number: u64, age: u64, server: &str) -> Seen {
        let renewed = UnixTime::from_millis(NOW - age * 1_000);
        Seen { number, renewed, says: Some(lease(server, "job-1")) }
    }

    fn judged(seen: &[Seen], is_open: bool) -> Verdict {
        judge(seen, UnixTime::from_millis(NOW), &ServerId("own".to_owned()), EXPIRES, &|_| is_open)
    }

    #[test]
    fn a_host_without_a_lease_may_be_taken_and_one_with_a_lease_not() {
        assert_eq!(judged(&[], false), Verdict::Take { number: 1 });
        let other = seen(1, 300, "other");
        assert_eq!(judged(std::slice::from_ref(&other), false), Verdict::Busy(other));
        let unwritten = Seen { says: None, ..seen(1, 0, "other") };
        assert_eq!(judged(std::slice::from_ref(&unwritten), false), Verdict::Busy(unwritten));
    }

    #[test]
    fn an_expired_one_is_followed_by_the_next_number_whoever_had_it() {
        assert_eq!(judged(&[seen(7, 301, "other")], false), Verdict::Take { number: 8 });
        assert_eq!(judged(&[Seen { says: None, ..seen(7, 301, "") }], false), Verdict::Take { number: 8 });
        // What was not removed after a take-over does not count.
        let both = [seen(8, 10, "other"), seen(7, 900, "third")];
        assert_eq!(judged(&both, false), Verdict::Busy(both[0].clone()));
    }

    #[test]
    fn what_a_crash_of_this_server_has_left_is_its_own_unless_that_job_is_open() {
        assert_eq!(judged(&[seen(1, 0, "own")], false), Verdict::Take { number: 2 });
        assert!(matches!(judged(&[seen(1, 0, "own")], true), Verdict::Busy(_)));
    }

    #[test]
    fn a_lease_counts_until_there_is_another_number_or_it_says_something_else() {
        let own = lease("own", "job-1");
        assert!(still_counts(&[seen(3, 0, "own")], 3, &own));
        assert!(!still_counts(&[seen(3, 0, "own"), seen(4, 0, "other")], 3, &own));
        assert!(!still_counts(&[seen(3, 0, "other")], 3, &own));
        assert!(!still_counts(&[], 3, &own));
    }

    #[test]
    fn a_refusal_says_who_has_the_host_and_since_when_in_plain_text() {
        let mut other = seen(1, 12, "other");
        other.says.as_mut().unwrap().name = "o\x1b[2Jther".to_owned();
        let age = Duration::from_secs(12);
        let busy =
            Busy { host: "john".parse().unwrap(), seen: other, age, kept: Duration::ZERO, expires: EXPIRES };
        assert_eq!(
            busy.to_string(),
            "john has the job job-1 of the boot server o\u{fffd}[2Jther since 2026-01-23 14:25:01 UTC, which was there 12 s ago; if it is \
             gone, john is free 300 s after its last sign of life (LEASE)"
        );
        let kept = Busy { kept: Duration::from_secs(3_600), ..busy };
        assert!(kept.to_string().ends_with(
            ", whose ghostctl is gone while john may be at work: john is free when that boot server has recovered the job, and after 3900 s \
             in any case"
        ));
    }
}
