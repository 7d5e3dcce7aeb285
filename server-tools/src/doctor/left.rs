//! What crashes and failed reverts have left, for a person to mend. Looked for by `doctor` alone: a job recovers first.

use std::path::PathBuf;

use super::facts::Tried;
use super::gather::words;
use super::{Check, Finding};
use crate::recovery::{self, Left, Stray};
use crate::site::Site;
use crate::state::damaged;

/// All that is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOver {
    /// Jobs without a living ghostctl.
    pub jobs: Tried<Vec<Left>>,
    /// Hosts that are still offered the boot file though no job needs it.
    pub strays: Tried<Vec<Stray>>,
    /// Files that could not be read and were set aside.
    pub set_aside: Vec<PathBuf>,
}

/// Changes nothing.
pub(crate) fn gather(site: &Site) -> LeftOver {
    LeftOver {
        jobs: words(recovery::left(site)),
        strays: words(recovery::strays(site)),
        set_aside: damaged::all(&site.ghostrc.state_folder),
    }
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
    findings.extend(left.set_aside.iter().map(|path| {
        let found = format!("{} could not be read and was set aside", path.display());
        let mend = "look by hand at what its job has left (DHCP entry, order, staging folder), then remove that file";
        Finding::warning(check, found, mend)
    }));
    if findings.is_empty() {
        findings.push(Finding::good(check, "no job has left anything"));
    }
    findings
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
            place: Some("/etc/dhcp/dhcpd.conf:5:12".to_owned()),
            original: Some("\"nobackup\"".to_owned()),
            order: None,
        };
        let lost = Stray {
            original: None,
            order: Some("/base/192.168.7.2etc/ghost/order.json".into()),
            ..stray.clone()
        };
        let orphan = Left { host: "joe".parse().unwrap(), job: "a".parse().unwrap(), steps: vec![] };
        let nothing = LeftOver { jobs: Ok(vec![]), strays: Ok(vec![]), set_aside: vec![] };
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
                "write its own filename there by hand, and restart the DHCP server; then remove /base/192.168.7.2etc/ghost/order.json",
            ),
            (
                LeftOver { set_aside: vec!["/damaged/x.1".into()], ..nothing.clone() },
                State::Warning,
                "/damaged/x.1 could not be read",
                "then remove that file",
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
