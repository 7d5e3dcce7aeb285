//! `ghostctl doctor`: prints the findings, and ends with the exit status of the worst.

use std::collections::HashMap;

use ghost_contract::{HostName, Mode};
use serde::Serialize;

use crate::catalog::Catalog;
use crate::catalog::listing::Listed;
use crate::doctor::facts::words;
use crate::doctor::gather::gather;
use crate::doctor::judge::judge;
use crate::doctor::next::{Come, next};
use crate::doctor::offered::Heard;
use crate::doctor::{State, left, offered, worst};
use crate::exit::Exit;
use crate::output::Output;
use crate::site::Site;
use crate::state::record;

/// What a client needs next, for programs.
#[derive(Serialize)]
struct Next<'a> {
    host: &'a str,
    next: &'a str,
}

/// Checks the set-up for these hosts, or for all.
pub(super) fn run(site: &Site, hosts: &[HostName], output: &mut Output) -> Exit {
    let configuration = words(site.hosts());
    let facts = gather(site, configuration.as_deref().map_err(Clone::clone), hosts);
    let mut findings = judge(&facts);
    let mut besides = Vec::new();
    let offered = configuration.as_ref().map(|all| offered::gather(site, all.as_ref(), hosts));
    let offered = offered.unwrap_or_default();
    besides.extend(offered::judge(&offered));
    besides.extend(left::judge(&left::gather(site)));
    let all = findings.iter().chain(&besides);
    all.for_each(|finding| output.either(finding, || finding.to_string()));
    let come = come(site);
    let heard: HashMap<&str, Heard> = offered.iter().map(|host| (host.name.as_str(), host.heard())).collect();
    let heard = |name: &str| heard.get(name).copied().unwrap_or(Heard::Unknown);
    for (host, what) in next(&facts, &besides, &heard, &|name| come_of(site, &come, name)) {
        output.either(&Next { host: &host, next: &what }, || format!("next     {host}: {what}"));
    }
    findings.append(&mut besides);
    match worst(&findings) {
        State::Good | State::Warning => Exit::Done,
        State::Bad => Exit::Configuration,
    }
}

/// The last job of each host, and whether it did what it was to do. Records that cannot be read are told as findings.
fn come(site: &Site) -> HashMap<String, (Mode, bool)> {
    let records = record::all(&site.ghostrc.state_folder).unwrap_or_default().whole.into_iter();
    // The newest comes last.
    let of = |record: record::Record| {
        let is_success = record.ending.as_ref().is_some_and(crate::job::Ending::is_success);
        (record.identity.host.to_string(), (record.identity.mode, is_success))
    };
    records.map(of).collect()
}

fn come_of(site: &Site, come: &HashMap<String, (Mode, bool)>, name: &str) -> Come {
    let last = come.get(name);
    if let Some((mode, false)) = last {
        return Come::Failed(*mode);
    }
    // `doctor` reports a store that cannot be read.
    let generations = || Catalog::of(&site.ghostrc).list_host(&name.parse().ok()?).ok();
    let good = generations().unwrap_or_default().into_iter().rfind(Listed::is_good_and_whole);
    match (good, last) {
        (Some(good), _) => Come::BackedUp(good.generation),
        (None, Some(_)) => Come::Tested,
        (None, None) => Come::New,
    }
}
