//! Which generations and which leftovers are not needed any more.
//!
//! Pure: dates and states in, names out. `removal` removes.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use ghost_contract::{Generation, JobId, UnixTime};

/// How long what a failed or vanished job left in the store is kept, for a look at its screens.
pub(crate) const LEFTOVERS_KEPT: Duration = Duration::from_secs(7 * 86_400);

/// How many generations of a host are kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// So many good ones at least (`GENERATIONS`); if none, all.
    pub generations: Option<NonZeroU32>,
    /// What is younger is kept in any case (`KEEP_DAYS`).
    pub keep: Duration,
}

/// One generation of a host, as far as retention cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub generation: Generation,
    pub made: UnixTime,
    /// Whether the last check found nothing wrong, and it is of whole disks: what holds only some partitions replaces nothing.
    pub good: bool,
}

/// What is in the store and is no generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub kind: LeftoverKind,
    /// The job that it was made for; for a half removed generation, the one that had made it.
    pub job: JobId,
    /// When its folder last changed.
    pub changed: UnixTime,
}

/// Why something is in the store and is no generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeftoverKind {
    /// A job writes there, or has vanished.
    Incoming,
    /// A failed job's, set aside.
    Failed,
    Removing,
}

/// Which of one host's generations to remove.
///
/// One goes when as many good ones as the policy wants are newer, and it is old enough, and nobody reads it. As at least one
/// is wanted, the last good one always stays; and so does a damaged one that has no good successor.
pub(crate) fn superfluous(
    candidates: &[Candidate],
    policy: Policy,
    in_use: &BTreeSet<Generation>,
    now: UnixTime,
) -> BTreeSet<Generation> {
    let Some(wanted) = policy.generations else { return BTreeSet::new() };
    let mut newest_first: Vec<&Candidate> = candidates.iter().collect();
    newest_first.sort_by_key(|candidate| std::cmp::Reverse((candidate.made, &candidate.generation)));
    let mut good = 0;
    let mut superfluous = BTreeSet::new();
    for candidate in newest_first {
        let replaced = good >= wanted.get();
        let old = now.since(candidate.made) >= policy.keep;
        if replaced && old && !in_use.contains(&candidate.generation) {
            superfluous.insert(candidate.generation.clone());
        }
        // Whoever can have a generation dated in the future could have it replace all true ones.
        good += u32::from(candidate.good && candidate.made <= now);
    }
    superfluous
}

/// Whether a leftover is to be removed: what an interrupted removal left at once, all else once it is old and its job is over. Who
/// dates one in the future does not keep it by that.
pub(crate) fn is_abandoned(
    leftover: &Leftover,
    kept: Duration,
    running: &BTreeSet<JobId>,
    now: UnixTime,
) -> bool {
    let age = now.since(leftover.changed).max(leftover.changed.since(now));
    match leftover.kind {
        LeftoverKind::Removing => true,
        LeftoverKind::Incoming | LeftoverKind::Failed => age >= kept && !running.contains(&leftover.job),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const NOW: UnixTime = UnixTime::from_millis(1_700_000_000_000);

    fn days_ago(days: u32) -> UnixTime {
        UnixTime::from_millis(NOW.as_millis() - u64::from(days) * 86_400_000)
    }

    fn policy(generations: u32, days: u32) -> Policy {
        Policy { generations: NonZeroU32::new(generations), keep: DAY * days }
    }

    fn candidates(made: &[(u32, bool)]) -> Vec<Candidate> {
        made.iter()
            .map(|(days, good)| Candidate {
                generation: format!("g{days}").parse().unwrap(),
                made: days_ago(*days),
                good: *good,
            })
            .collect()
    }

    fn removed(made: &[(u32, bool)], policy: Policy) -> Vec<String> {
        let removed = superfluous(&candidates(made), policy, &BTreeSet::new(), NOW);
        removed.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn as_many_as_wanted_stay_and_older_ones_go() {
        let made = [(1, true), (2, true), (3, true), (4, true)];
        assert_eq!(removed(&made, policy(2, 0)), ["g3", "g4"]);
        assert_eq!(removed(&made, policy(2, 4)), ["g4"], "what is younger than four days stays");
        assert_eq!(removed(&made, policy(4, 0)), [""; 0]);
        assert_eq!(removed(&made, policy(0, 0)), [""; 0], "without a number all are kept");
    }

    #[test]
    fn a_damaged_one_does_not_count() {
        assert_eq!(removed(&[(1, false), (2, true), (3, true)], policy(1, 0)), ["g3"]);
        assert_eq!(removed(&[(1, false), (2, false)], policy(1, 0)), [""; 0]);
        assert_eq!(removed(&[(1, true), (2, false)], policy(1, 0)), ["g2"]);
    }

    #[test]
    fn what_a_job_reads_stays() {
        let in_use = BTreeSet::from(["g2".parse().unwrap()]);
        let all = candidates(&[(1, true), (2, true), (3, true)]);
        let removed = superfluous(&all, policy(1, 0), &in_use, NOW);
        assert_eq!(removed, BTreeSet::from(["g3".parse().unwrap()]));
    }

    #[test]
    fn leftovers_go_when_they_are_old_and_their_job_is_over() {
        let leftover =
            |kind, job: &str, days| Leftover { kind, job: job.parse().unwrap(), changed: days_ago(days) };
        let all = [
            leftover(LeftoverKind::Incoming, "runs", 30),
            leftover(LeftoverKind::Incoming, "vanished", 30),
            leftover(LeftoverKind::Failed, "old", 8),
            leftover(LeftoverKind::Failed, "new", 6),
            leftover(LeftoverKind::Removing, "half", 0),
            Leftover {
                changed: UnixTime::from_millis(4_070_908_800_000),
                ..leftover(LeftoverKind::Incoming, "in-2099", 0)
            },
            Leftover {
                changed: UnixTime::from_millis(NOW.as_millis() + 86_400_000),
                ..leftover(LeftoverKind::Failed, "tomorrow", 0)
            },
        ];
        let running = BTreeSet::from(["runs".parse().unwrap()]);
        let is_gone = |leftover: &&Leftover| is_abandoned(leftover, LEFTOVERS_KEPT, &running, NOW);
        let gone: Vec<&str> = all.iter().filter(is_gone).map(|leftover| leftover.job.as_str()).collect();
        assert_eq!(
            gone,
            ["vanished", "old", "half", "in-2099"],
            "clocks of two machines may differ by a day"
        );
    }

    fn any_candidates() -> impl Strategy<Value = Vec<Candidate>> {
        // Dates from the future too: clocks are set.
        prop::collection::vec((0_u64..2_000, any::<bool>()), 0..20).prop_map(|made| {
            let candidate = |(at, (hours, good)): (usize, (u64, bool))| Candidate {
                generation: format!("g{at}").parse().unwrap(),
                made: UnixTime::from_millis(NOW.as_millis() + 86_400_000 - hours * 3_600_000),
                good,
            };
            made.into_iter().enumerate().map(candidate).collect()
        })
    }

    #[test]
    fn a_generation_of_the_future_replaces_no_true_one() {
        let ahead = |days: u64| UnixTime::from_millis(NOW.as_millis() + days * 86_400_000);
        let made = [
            ("true", days_ago(2), true),
            ("tomorrow", ahead(1), true),
            ("in-a-century", ahead(36_500), true),
        ];
        let all: Vec<Candidate> = made
            .into_iter()
            .map(|(name, made, good)| Candidate { generation: name.parse().unwrap(), made, good })
            .collect();
        assert!(superfluous(&all, policy(1, 0), &BTreeSet::new(), NOW).is_empty());
        // When that day has come it is as good as any other.
        let later = superfluous(&all, policy(1, 0), &BTreeSet::new(), ahead(2));
        assert_eq!(later, ["true".parse().unwrap()].into());
    }

    proptest! {
        #[test]
        fn never_the_last_good_ones_never_one_in_use_never_a_young_one(
            all in any_candidates(), generations in 0_u32..6, days in 0_u32..60, used in prop::collection::btree_set(0_usize..20, 0..5)
        ) {
            let policy = policy(generations, days);
            let in_use: BTreeSet<Generation> = used.iter().map(|at| format!("g{at}").parse().unwrap()).collect();
            let removed = superfluous(&all, policy, &in_use, NOW);
            let stays = |candidate: &&Candidate| !removed.contains(&candidate.generation);

            prop_assert!(removed.is_disjoint(&in_use));
            let mut good: Vec<&Candidate> = all.iter().filter(|candidate| candidate.good).collect();
            good.sort_by_key(|candidate| std::cmp::Reverse((candidate.made, &candidate.generation)));
            let wanted = if generations == 0 { good.len() } else { generations as usize };
            prop_assert!(good.iter().take(wanted).all(stays), "the newest good ones stay");
            prop_assert!(all.iter().filter(|c| NOW.since(c.made) < policy.keep).all(|c| stays(&c)));
            prop_assert!(good.is_empty() == all.iter().filter(stays).all(|candidate| !candidate.good));
        }

        #[test]
        fn removing_is_finished_at_once(all in any_candidates(), generations in 0_u32..6, days in 0_u32..60) {
            let removed = superfluous(&all, policy(generations, days), &BTreeSet::new(), NOW);
            let left: Vec<Candidate> = all.into_iter().filter(|c| !removed.contains(&c.generation)).collect();
            prop_assert!(superfluous(&left, policy(generations, days), &BTreeSet::new(), NOW).is_empty());
        }
    }
}
