//! Removes what is kept of jobs and runs when there is more of it than `KEEPRECORDS`, so that STATEDIR does not grow for ever.
//!
//! What decides is pure ([`too_many`]). What is needed again stays, however old it is: whatever belongs to a job or a run that is open, a host's
//! last swap, which may have to be put back, and its last good job of each mode.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::Context as _;
use ghost_contract::{HostName, JobId};

use super::record::{self, Record};
use super::runs::{self, Line};
use super::{journal, paths};
use crate::run::RunId;
use crate::run::figures::is_good;

/// Removes the oldest records of each host, and those of the oldest runs, until no more than `keep` are left of each.
pub(crate) fn prune(state_folder: &Path, keep: NonZeroUsize) -> anyhow::Result<()> {
    let mut open = BTreeSet::new();
    for seen in journal::look_at_all(state_folder)? {
        // Nobody knows what an entry that cannot be read needs.
        let Some(state) = seen.says.state else { return Ok(()) };
        open.insert(state.begun.identity.job);
    }
    let runs = look_at_runs(state_folder, &mut open)?;
    for (run, _) in runs.iter().rev().skip(keep.get()).filter(|(_, is_over)| *is_over) {
        remove_run(state_folder, run)?;
    }
    let records = record::all(state_folder)?.whole;
    too_many(&records, &open, keep).into_iter().try_for_each(|job| {
        let removed = record::remove(state_folder, job);
        removed.with_context(|| format!("cannot remove {}", paths::record(state_folder, job).display()))
    })
}

/// The runs, the oldest first, and whether each is over. The jobs of the others are open.
fn look_at_runs(state_folder: &Path, open: &mut BTreeSet<JobId>) -> anyhow::Result<Vec<(RunId, bool)>> {
    let mut found = Vec::new();
    for run in runs::names(state_folder)? {
        let (contents, is_owned) = runs::look(state_folder, &run)?;
        let has_ended = matches!(contents.lines.last(), Some(Line::Ended { .. }));
        let is_over = !is_owned && contents.damage.is_none() && has_ended;
        found.push((run, is_over));
        if is_over {
            continue;
        }
        open.extend(contents.lines.into_iter().filter_map(|line| match line {
            Line::JobBegun { job, .. } => Some(job),
            Line::JobEnded(ended) => Some(ended.job),
            _ => None,
        }));
    }
    Ok(found)
}

/// Removes it, unless another ghostctl takes it up again at this moment.
fn remove_run(state_folder: &Path, run: &RunId) -> anyhow::Result<()> {
    let Ok(owned) = runs::Record::take_up(state_folder, run) else { return Ok(()) };
    owned.remove()
}

/// The jobs whose records go. `records`: the oldest first.
fn too_many<'a>(records: &'a [Record], open: &BTreeSet<JobId>, keep: NonZeroUsize) -> Vec<&'a JobId> {
    let mut counts: BTreeMap<&HostName, usize> = BTreeMap::new();
    let (mut swapped, mut good) = (BTreeSet::new(), BTreeSet::new());
    let mut gone = Vec::new();
    for record in records.iter().rev() {
        let (host, job) = (&record.identity.host, &record.identity.job);
        let count = counts.entry(host).or_default();
        *count += 1;
        let is_last_swap = record.swap.is_some() && swapped.insert(host);
        let is_last_good = is_good(record) && good.insert((host, record.identity.mode.to_string()));
        if *count > keep.get() && !is_last_swap && !is_last_good && !open.contains(job) {
            gone.push(job);
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    use ghost_contract::UnixTime;

    use crate::dhcp::{Kind, Original, Swap};
    use crate::run::figures::tests::backup;
    use crate::state::runs::Record as RunRecord;
    use crate::state::runs::tests::{begun, ended};

    const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

    fn failed(host: &str, began: u64) -> Record {
        Record { ending: None, ..backup(host, began, 1) }
    }

    fn swap() -> Swap {
        Swap {
            mac: None,
            server: Kind::Isc,
            file: "/etc/dhcpd.conf".into(),
            original: Original::new(b"\"nobackup\""),
            boot_file: "pxelinux.0".to_owned(),
            ip: None,
            real: None,
            before: None,
        }
    }

    fn gone(records: &[Record], open: &[&str]) -> Vec<String> {
        let open = open.iter().map(|job| job.parse().unwrap()).collect();
        too_many(records, &open, TWO).into_iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_oldest_of_each_host_go_and_what_is_needed_again_stays() {
        let of = |began| failed("pc2", began);
        let five = [of(100), of(200), of(300), of(400), failed("pc3", 500)];
        assert_eq!(gone(&five, &[]), ["job-200", "job-100"]);
        assert_eq!(gone(&five, &["job-100"]), ["job-200"], "that of an open job stays");
        let swapped = |began| Record { swap: Some(swap()), ..of(began) };
        assert_eq!(
            gone(&[swapped(100), swapped(200), of(300), of(400)], &[]),
            ["job-100"],
            "the last swap stays"
        );
        let good = |began| backup("pc2", began, 1);
        assert_eq!(
            gone(&[good(100), good(200), of(300), of(400)], &[]),
            ["job-100"],
            "the last good one stays"
        );
    }

    fn run(state_folder: &Path, name: &str, job: &str, is_over: bool) -> Option<RunRecord> {
        let record = RunRecord::begin(state_folder, begun(name, &["pc2"])).unwrap();
        let at = UnixTime::from_millis(1);
        let (host, job) = ("pc2".parse().unwrap(), job.parse().unwrap());
        record.append(&Line::JobBegun { host, job, at }).unwrap();
        record.append(&Line::JobEnded(Box::new(ended("pc2", 0)))).unwrap();
        if is_over {
            record.append(&Line::Ended { at, exit: 0 }).unwrap();
        }
        (!is_over).then_some(record)
    }

    #[test]
    fn files_go_with_their_folders_and_a_run_that_is_not_over_keeps_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path();
        for record in [failed("pc2", 100), failed("pc2", 200), failed("pc2", 300), failed("pc2", 400)] {
            record::keep(state, &record, b"a report\n").unwrap();
        }
        // One goes on, and one was broken off.
        let _goes_on = run(state, "r0", "job-100", false);
        drop(run(state, "r1", "job-x", false));
        for name in ["r2", "r3", "r4"] {
            run(state, name, "job-y", true);
        }
        prune(state, TWO).unwrap();
        let runs: Vec<String> = runs::names(state).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(runs, ["r0", "r1", "r3", "r4"]);
        let mut jobs: Vec<_> =
            fs::read_dir(paths::records(state)).unwrap().map(|one| one.unwrap().file_name()).collect();
        jobs.sort();
        assert_eq!(jobs, ["job-100", "job-300", "job-400"]);
        // While nobody knows what a job needs, nothing goes.
        fs::create_dir_all(paths::journal(state)).unwrap();
        fs::write(paths::journal(state).join("192.168.7.9.jsonl"), "torn").unwrap();
        prune(state, NonZeroUsize::MIN).unwrap();
        assert_eq!((runs::names(state).unwrap().len(), record::all(state).unwrap().whole.len()), (4, 3));
    }
}
