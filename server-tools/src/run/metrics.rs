//! What Prometheus' textfile collector reads: the text format for exposition, version 0.0.4. Pure.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use ghost_contract::{HostName, UnixTime};

use super::figures::{Figures, is_good};
use crate::state::record::Record;
use crate::sys::disk_space::DiskSpace;

/// What is so now, besides what the records of jobs say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    pub(crate) now: Option<UnixTime>,
    /// When each host's last good generation was made.
    pub(crate) generations: BTreeMap<HostName, UnixTime>,
    /// The hosts that DHCP may offer the boot file.
    pub(crate) swaps: usize,
    pub(crate) store: Option<DiskSpace>,
    /// When the last run ended, and how many of its hosts were not done, by mode.
    pub(crate) runs: BTreeMap<String, (UnixTime, usize)>,
}

/// A value that a label may have.
struct Label<'a>(&'a str);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            character => f.write_char(character),
        })
    }
}

/// The metrics of a name, with what their labels and values are.
struct Family<'a> {
    name: &'a str,
    help: &'a str,
    samples: Vec<(Vec<(&'a str, String)>, String)>,
}

impl fmt::Display for Family<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.samples.is_empty() {
            return Ok(());
        }
        let name = format!("ghost4linux_{}", self.name);
        writeln!(f, "# HELP {name} {}", self.help)?;
        writeln!(f, "# TYPE {name} gauge")?;
        for (labels, value) in &self.samples {
            let labels: Vec<String> =
                labels.iter().map(|(label, value)| format!("{label}=\"{}\"", Label(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            writeln!(f, "{name}{labels} {value}")?;
        }
        Ok(())
    }
}

/// The last record of each host and mode, and the last good one.
type Last<'a> = BTreeMap<(&'a HostName, String), &'a Record>;

/// All metrics. `records`: the oldest first.
pub(crate) fn text(records: &[Record], standing: &Standing) -> String {
    let key = |record: &'_ Record| record.identity.mode.to_string();
    let last: Last<'_> =
        records.iter().map(|record| ((&record.identity.host, key(record)), record)).collect();
    let good = records.iter().filter(|record| is_good(record));
    let good: Last<'_> = good.map(|record| ((&record.identity.host, key(record)), record)).collect();
    let of_jobs = |of: &Last<'_>, value: &dyn Fn(&Record) -> Option<String>| {
        let sample = |((host, mode), record): (&(&HostName, String), &&Record)| {
            Some((vec![("host", host.to_string()), ("mode", mode.clone())], value(record)?))
        };
        of.iter().filter_map(sample).collect::<Vec<_>>()
    };
    let plain =
        |value: Option<String>| value.into_iter().map(|value| (Vec::new(), value)).collect::<Vec<_>>();
    let of_hosts = |value: &dyn Fn(UnixTime) -> Option<String>| {
        let hosts = standing.generations.iter();
        hosts
            .filter_map(|(host, made)| Some((vec![("host", host.to_string())], value(*made)?)))
            .collect::<Vec<_>>()
    };
    let of_runs = |value: &dyn Fn(&(UnixTime, usize)) -> String| {
        standing.runs.iter().map(|(mode, run)| (vec![("mode", mode.clone())], value(run))).collect::<Vec<_>>()
    };
    let figure = |of: fn(Figures) -> Option<u64>| {
        move |record: &Record| of(Figures::of(record)).map(|value| value.to_string())
    };
    let families = [
        Family {
            name: "last_job_success",
            help: "Whether the last job of this host and mode succeeded.",
            samples: of_jobs(&last, &|record| Some(u8::from(is_good(record)).to_string())),
        },
        Family {
            name: "last_success_timestamp_seconds",
            help: "When the last good job of this host and mode ended.",
            samples: of_jobs(&good, &|record| Some(seconds(record.ended))),
        },
        Family {
            name: "last_success_duration_seconds",
            help: "How long the last good job of this host and mode took.",
            samples: of_jobs(&good, &figure(|figures| Some(figures.seconds))),
        },
        Family {
            name: "last_success_bytes",
            help: "What the image of the last good backup takes in the store; of other modes what was read of an image.",
            samples: of_jobs(&good, &figure(|figures| figures.bytes)),
        },
        Family {
            name: "last_success_bytes_per_second",
            help: "These bytes a second while the imager worked.",
            samples: of_jobs(&good, &figure(|figures| figures.rate)),
        },
        Family {
            name: "last_good_generation_timestamp_seconds",
            help: "When the last good generation of a whole disk of this host was made.",
            samples: of_hosts(&|made| Some(seconds(made))),
        },
        Family {
            name: "last_good_generation_age_seconds",
            help: "How old that generation was when this was written.",
            samples: of_hosts(&|made| standing.now.map(|now| now.since(made).as_secs().to_string())),
        },
        Family {
            name: "last_run_end_timestamp_seconds",
            help: "When the last run of this mode ended.",
            samples: of_runs(&|(ended, _)| seconds(*ended)),
        },
        Family {
            name: "last_run_hosts_not_done",
            help: "How many hosts of the last run of this mode were not done.",
            samples: of_runs(&|(_, not_done)| not_done.to_string()),
        },
        Family {
            name: "swaps_outstanding",
            help: "How many hosts DHCP may offer the boot file now.",
            samples: plain(Some(standing.swaps.to_string())),
        },
        Family {
            name: "store_free_bytes",
            help: "What is free in the image store.",
            samples: plain(standing.store.map(|space| space.free.to_string())),
        },
        Family {
            name: "store_size_bytes",
            help: "What the image store holds altogether.",
            samples: plain(standing.store.map(|space| space.total.to_string())),
        },
    ];
    families.iter().map(ToString::to_string).collect()
}

fn seconds(at: UnixTime) -> String {
    let millis = at.as_millis();
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::figures::tests::backup;

    fn standing() -> Standing {
        Standing {
            now: Some(UnixTime::from_millis(500_000)),
            generations: [("pc2".parse().unwrap(), UnixTime::from_millis(160_000))].into(),
            swaps: 1,
            store: Some(DiskSpace { free: 7, total: 9, has_inodes: true }),
            runs: [("backup".to_owned(), (UnixTime::from_millis(400_000), 2))].into(),
        }
    }

    #[test]
    fn the_last_good_job_is_told_even_if_a_later_one_failed() {
        let failed = Record { ending: None, ..backup("pc2", 300, 1) };
        let text = text(&[backup("pc2", 100, 60), failed], &standing());
        for line in [
            "ghost4linux_last_job_success{host=\"pc2\",mode=\"backup\"} 0\n",
            "ghost4linux_last_success_timestamp_seconds{host=\"pc2\",mode=\"backup\"} 160.000\n",
            "ghost4linux_last_success_duration_seconds{host=\"pc2\",mode=\"backup\"} 60\n",
            "ghost4linux_last_success_bytes{host=\"pc2\",mode=\"backup\"} 8000\n",
            "ghost4linux_last_success_bytes_per_second{host=\"pc2\",mode=\"backup\"} 2000\n",
            "ghost4linux_last_good_generation_age_seconds{host=\"pc2\"} 340\n",
            "ghost4linux_last_run_hosts_not_done{mode=\"backup\"} 2\n",
            "ghost4linux_swaps_outstanding 1\n",
            "ghost4linux_store_free_bytes 7\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }

    #[test]
    fn labels_cannot_begin_a_line_or_end_their_quotes() {
        assert_eq!(Label("a\"b\\c\nd é").to_string(), "a\\\"b\\\\c\\nd é");
    }

    #[test]
    fn nothing_is_told_of_which_nothing_is_known() {
        let text = text(&[], &Standing::default());
        let names: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(names, ["ghost4linux_swaps_outstanding 0"]);
    }
}
