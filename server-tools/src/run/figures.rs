//! What a job's record tells of its work, in numbers. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use ghost_contract::{HostName, Mode};
use serde::{Deserialize, Serialize};

use crate::job::{Ending, Phase};
use crate::state::record::Record;

/// How long a job took, and what it moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// The whole job, from its claim to its record.
    pub seconds: u64,
    /// Of a backup, what its image takes in the store; else what the client has read of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// These bytes a second, while the imager worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u64>,
}

impl Figures {
    pub(crate) fn of(record: &Record) -> Self {
        let received = || record.sample.map(|sample| sample.received);
        let bytes = match record.identity.mode {
            Mode::Backup => record.bytes,
            Mode::Verify | Mode::Restore => received(),
            Mode::Test | Mode::Ghost => None,
        };
        let entered = |phase| record.phases.iter().find(|(found, _)| *found == phase).map(|(_, at)| *at);
        let worked = entered(Phase::Imaging).zip(entered(Phase::GoingOff));
        let worked = worked.map(|(began, ended)| ended.since(began).as_millis());
        let rate = bytes.zip(worked).and_then(|(bytes, millis)| {
            let rate = (u128::from(bytes) * 1_000).checked_div(millis)?;
            u64::try_from(rate).ok()
        });
        Self { seconds: record.ended.since(record.began).as_secs(), bytes, rate }
    }
}

/// Whether the job did all that it was to do.
pub(crate) fn is_good(record: &Record) -> bool {
    record.ending.as_ref().is_some_and(Ending::is_success)
}

/// How long the last good job of this mode took, for each host.
pub(crate) fn last_good(records: &[Record], mode: Mode) -> BTreeMap<&HostName, Duration> {
    let good = records.iter().filter(|record| record.identity.mode == mode && is_good(record));
    good.map(|record| (&record.identity.host, record.ended.since(record.began))).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ghost_contract::UnixTime;
    use ghost_contract::report::Outcome;

    use crate::job::Identity;

    /// A good backup that began so many seconds after 1970 and took so long.
    pub(crate) fn backup(host: &str, began: u64, seconds: u64) -> Record {
        let at = |second: u64| UnixTime::from_millis(second * 1_000);
        let identity = Identity {
            job: format!("job-{began}").parse().unwrap(),
            host: host.parse().unwrap(),
            mac: "02:00:00:00:00:02".parse().unwrap(),
            ip: [192, 168, 7, 2].into(),
            mode: Mode::Backup,
        };
        Record {
            identity,
            began: at(began),
            ended: at(began + seconds),
            phases: vec![(Phase::Imaging, at(began + 10)), (Phase::GoingOff, at(began + 14))],
            ending: Some(Ending::Done { outcome: Outcome::Succeeded }),
            troubles: Vec::new(),
            sample: None,
            image: None,
            bytes: Some(8_000),
            swap: None,
        }
    }

    #[test]
    fn the_rate_is_of_the_time_in_which_the_imager_worked() {
        let record = backup("pc2", 100, 60);
        assert_eq!(Figures::of(&record), Figures { seconds: 60, bytes: Some(8_000), rate: Some(2_000) });
        let at_once = Record { phases: vec![(Phase::Imaging, record.began); 2], ..record };
        assert_eq!(Figures::of(&at_once).rate, None);
    }

    #[test]
    fn only_the_last_good_job_of_the_mode_counts() {
        let failed = Record { ending: None, ..backup("pc2", 300, 1) };
        let test = backup("pc2", 400, 2);
        let test = Record { identity: Identity { mode: Mode::Test, ..test.identity.clone() }, ..test };
        let records = [backup("pc2", 100, 60), backup("pc2", 200, 70), failed, test];
        let last = last_good(&records, Mode::Backup);
        assert_eq!(last.values().map(Duration::as_secs).collect::<Vec<_>>(), [70]);
    }
}
