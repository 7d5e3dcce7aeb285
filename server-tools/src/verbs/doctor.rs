//! `ghostctl doctor`: prints the findings, and ends with the exit status of the worst.

use ghost_contract::HostName;

use crate::doctor::gather::{gather, words};
use crate::doctor::judge::judge;
use crate::doctor::{State, left, offered, worst};
use crate::exit::Exit;
use crate::output::Output;
use crate::site::Site;

/// Checks the set-up for these hosts, or for all.
pub(super) fn run(site: &Site, hosts: &[HostName], output: &mut Output) -> Exit {
    let configuration = words(site.hosts());
    let mut findings = judge(&gather(site, configuration.as_deref().map_err(Clone::clone), hosts));
    if let Ok(configuration) = &configuration {
        findings.extend(offered::judge(&offered::gather(site, configuration.as_ref(), hosts)));
    }
    findings.extend(left::judge(&left::gather(site)));
    for finding in &findings {
        output.either(finding, || finding.to_string());
    }
    match worst(&findings) {
        State::Good | State::Warning => Exit::Done,
        State::Bad => Exit::Configuration,
    }
}
