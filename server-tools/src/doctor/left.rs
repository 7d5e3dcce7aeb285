//! What crashes and failed reverts have left, for a person to mend. Looked for by `doctor` alone: a job recovers first.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use ghost_contract::UnixTime;

use super::facts::words;
use super::facts::{Tried, few};
use super::{Check, Finding};
use crate::recovery::{self, Left, Stray};
use crate::site::Site;
use crate::state::by_hand::Kept;
use crate::state::{by_hand, damaged};
use crate::sys::{atomic, clock};
use crate::verbs::dhcp::interrupted;

/// All that is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOver {
    /// Jobs without a living ghostctl.
    pub jobs: Tried<Vec<Left>>,
    /// Hosts that are still offered the boot file though no job needs it.
    pub strays: Tried<Vec<Stray>>,
    /// Hosts that are offered the boot file while nothing tells of any job or swap.
    pub of_a_lost_state: Tried<Vec<String>>,
    /// Entries that are offered the boot file since the last swap, in words.
    pub newcomers: Tried<Vec<String>>,
    pub by_hand: Vec<ByHand>,
    /// Files that could not be read and were set aside.
    pub set_aside: Vec<PathBuf>,
    /// What is kept beside the DHCP configuration because other programs were writing to it when it was edited.
    pub kept_beside: Vec<PathBuf>,
}

/// A host that a person has swapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ByHand {
    pub kept: Kept,
    /// Since when it is swapped, and how long that is.
    pub since: Option<(String, Duration)>,
    /// Whether nobody is at it any more though it is not whole.
    pub is_left: bool,
}

impl ByHand {
    fn of(site: &Site, kept: Kept) -> Self {
        let at = kept.record.as_ref().and_then(|record| record.at);
        let ago =
            |at: UnixTime| Duration::from_millis(clock::now().as_millis().saturating_sub(at.as_millis()));
        let since = at.map(|at| (crate::calendar::for_people(at), ago(at)));
        Self { is_left: interrupted::is_left(site, &kept), kept, since }
    }

    fn finding(&self) -> Finding {
        let Self { kept: Kept { host, damage, .. }, since, is_left } = self;
        let check = Check::LeftOver;
        if let Some(why) = damage {
            let found = format!("the record of a swap by hand of {host} cannot be used: {why}");
            return Finding::bad(
                check,
                found,
                "run 'ghostctl recover', and look by hand at what the host is offered",
            );
        }
        if *is_left {
            return Finding::bad(
                check,
                format!("{host}: its swap by hand was interrupted"),
                "run 'ghostctl recover'",
            );
        }
        let since = since
            .as_ref()
            .map_or_else(String::new, |(since, ago)| format!(" since {since} ({})", in_words(*ago)));
        let found = format!("{host}: a person has swapped it, so that it is offered the boot file{since}");
        Finding::warning(check, found, format!("'ghostctl dhcp revert {host}' puts its entry back"))
    }
}

fn in_words(ago: Duration) -> String {
    match ago.as_secs() / 60 {
        minutes @ 0..120 => format!("{minutes} min"),
        minutes @ 120..2880 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1440),
    }
}

/// Changes nothing.
pub(crate) fn gather(site: &Site) -> LeftOver {
    let strays = words(recovery::strays(site));
    let of_a_lost_state = recovery::of_a_lost_state(site, strays.as_deref().unwrap_or_default());
    LeftOver {
        jobs: words(recovery::left(site)),
        strays,
        of_a_lost_state: words(of_a_lost_state),
        newcomers: words(recovery::newcomers(site)),
        by_hand: by_hand::all(&site.ghostrc.state_folder)
            .into_iter()
            .map(|kept| ByHand::of(site, kept))
            .collect(),
        set_aside: damaged::all(&site.ghostrc.state_folder),
        kept_beside: kept_beside(site),
    }
}

/// In the folders of all files of the configuration; in that of the first one alone, if it cannot be read which others there are.
fn kept_beside(site: &Site) -> Vec<PathBuf> {
    let mut files = site.hosts().map(|configuration| configuration.files()).unwrap_or_default();
    files.push(site.dhcp_configuration.clone());
    let folders: BTreeSet<PathBuf> = files.iter().map(|file| atomic::folder_of(file)).collect();
    folders.iter().flat_map(|folder| atomic::kept_in(folder)).collect()
}

/// What to think of that. Pure.
pub(crate) fn judge(left: &LeftOver) -> Vec<Finding> {
    let check = Check::LeftOver;
    let mut findings = Vec::new();
    match &left.jobs {
        Ok(jobs) => findings.extend(jobs.iter().map(|one| {
            let found = format!("{}: job {} was left by a crash", one.host, one.job);
            Finding::bad(check, found, "run 'ghostctl recover'")
        })),
        Err(reason) => findings.push(Finding::bad(check, reason, "make STATEDIR readable")),
    }
    match &left.strays {
        Ok(strays) => {
            findings.extend(strays.iter().map(|stray| Finding::bad(check, stray.found(), stray.mend())))
        }
        Err(reason) => {
            let found = format!("cannot tell which hosts DHCP offers the boot file without a job: {reason}");
            findings.push(Finding::bad(check, found, "mend that, then run this again"));
        }
    }
    // Where these cannot be told, strays cannot be either.
    findings.extend(left.of_a_lost_state.iter().filter(|names| !names.is_empty()).map(|names| lost(names)));
    let newcomers = left.newcomers.iter().flatten();
    findings.extend(newcomers.map(|found| {
        Finding::warning(
            check,
            found,
            "write its own file there, unless it is to boot from the network always",
        )
    }));
    findings.extend(left.by_hand.iter().map(ByHand::finding));
    findings.extend(left.set_aside.iter().map(|path| {
        let found = format!("{} could not be read and was set aside", path.display());
        let mend = "look by hand at what its job has left (DHCP entry, order, staging folder), then remove that file";
        Finding::warning(check, found, mend)
    }));
    findings.extend(left.kept_beside.iter().map(|path| {
        let found = format!(
            "{} is what another program was writing when the DHCP configuration was edited",
            path.display()
        );
        let mend =
            "compare it with the DHCP configuration, write there what is missing, then remove that file";
        Finding::warning(check, found, mend)
    }));
    if findings.is_empty() {
        findings.push(Finding::good(check, "no job has left anything"));
    }
    findings
}

fn lost(names: &[String]) -> Finding {
    let named = few(names.iter().map(String::as_str));
    Finding::warning(
        Check::LeftOver,
        format!("{named}: offered the boot file, and nothing below STATEDIR tells of any job or swap"),
        "if these are to boot from the network always, that is right; if STATEDIR was lost, one of them may be swapped: write its own file there",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn each_thing_that_is_left_is_found_with_its_mend() {
        let stray = Stray {
            host: "john".to_owned(),
            boot_file: "pxelinux.0".to_owned(),
            place: "/etc/dhcp/dhcpd.conf:5:12".to_owned(),
            original: Some("\"nobackup\"".to_owned()),
            order: None,
            because: None,
            swap: None,
        };
        let lost = Stray {
            original: None,
            order: Some("/base/192.168.7.2etc/ghost/order.json".into()),
            ..stray.clone()
        };
        let orphan = Left { host: "joe".parse().unwrap(), job: "a".parse().unwrap(), steps: vec![] };
        let nothing = LeftOver {
            jobs: Ok(vec![]),
            strays: Ok(vec![]),
            of_a_lost_state: Ok(vec![]),
            newcomers: Ok(vec![]),
            by_hand: vec![],
            set_aside: vec![],
            kept_beside: vec![],
        };
        let kept = Kept { host: "jane".parse().unwrap(), record: None, damage: None };
        let since = Some(("2026-01-23 14:25:01 UTC".to_owned(), Duration::from_secs(3 * 3600 + 5)));
        let by_hand = ByHand { kept: kept.clone(), since, is_left: false };
        let interrupted = ByHand { is_left: true, ..by_hand.clone() };
        let damaged =
            ByHand { kept: Kept { damage: Some("it is empty".to_owned()), ..kept }, ..interrupted.clone() };
        assert_eq!(judge(&nothing).iter().map(|one| one.state).collect::<Vec<_>>(), [State::Good]);
        for (left, state, found, mend) in [
            (
                LeftOver { jobs: Ok(vec![orphan]), ..nothing.clone() },
                State::Bad,
                "joe: job a",
                "ghostctl recover",
            ),
            (
                LeftOver { strays: Ok(vec![stray]), ..nothing.clone() },
                State::Bad,
                "john: DHCP offers it the boot file pxelinux.0 (/etc/dhcp/dhcpd.conf:5:12) and",
                "'ghostctl dhcp revert john'",
            ),
            (
                LeftOver { strays: Ok(vec![lost]), ..nothing.clone() },
                State::Bad,
                "john: DHCP offers it",
                "write its own boot file there by hand, and have the DHCP server take that up; then remove /base/192.168.7.2etc/ghost/order.json",
            ),
            (
                LeftOver { set_aside: vec!["/damaged/x.1".into()], ..nothing.clone() },
                State::Warning,
                "/damaged/x.1 could not be read",
                "then remove that file",
            ),
            (
                LeftOver {
                    of_a_lost_state: Ok((1..=10).map(|number| format!("pc{number}")).collect()),
                    ..nothing.clone()
                },
                State::Warning,
                "pc7, pc8 and 2 more: offered the boot file, and nothing below STATEDIR tells",
                "if STATEDIR was lost, one of them may be swapped",
            ),
            (
                LeftOver { kept_beside: vec!["/dhcp/.dhcpd.conf.ghostctl-kept-1".into()], ..nothing.clone() },
                State::Warning,
                "/dhcp/.dhcpd.conf.ghostctl-kept-1 is what another program was writing",
                "then remove that file",
            ),
            (
                LeftOver { newcomers: Ok(vec!["pc9 too".to_owned()]), ..nothing.clone() },
                State::Warning,
                "pc9 too",
                "write its own file there",
            ),
            (
                LeftOver { by_hand: vec![by_hand], ..nothing.clone() },
                State::Warning,
                "jane: a person has swapped it, so that it is offered the boot file since 2026-01-23 14:25:01 UTC (3 h)",
                "'ghostctl dhcp revert jane'",
            ),
            (
                LeftOver { by_hand: vec![interrupted], ..nothing.clone() },
                State::Bad,
                "jane: its swap by hand was interrupted",
                "ghostctl recover",
            ),
            (
                LeftOver { by_hand: vec![damaged], ..nothing.clone() },
                State::Bad,
                "by hand of jane cannot be used: it is empty",
                "ghostctl recover",
            ),
            (LeftOver { jobs: Err("no".to_owned()), ..nothing.clone() }, State::Bad, "no", "STATEDIR"),
            (LeftOver { strays: Err("no".to_owned()), ..nothing }, State::Bad, "cannot tell", "mend that"),
        ] {
            let findings = judge(&left);
            let [one] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!(one.state, state, "{one}");
            assert!(one.found.contains(found) && one.mend.as_ref().unwrap().contains(mend), "{one}");
        }
    }
}
