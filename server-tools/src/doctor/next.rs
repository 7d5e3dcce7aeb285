//! For each client the one next thing to do. Pure.
//!
//! ```text
//! what is bad for it ─▶ whether the DHCP server answers it ─▶ what its last job came to ─▶ its first test ─▶ its first backup ─▶ nothing
//! ```

use ghost_contract::{Generation, Mode};

use super::facts::Facts;
use super::judge::judge;
use super::offered::Heard;
use super::{Finding, State};
use crate::dhcp::Running;

/// How far a client has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Come {
    /// It never had a job.
    New,
    /// Its last job did not succeed.
    Failed(Mode),
    /// It can be booted.
    Tested,
    BackedUp(Generation),
}

/// The client and what is next. `besides` is what was found of jobs and offers; a finding there begins with the clients that it is
/// about. `heard` is what a client hears of the DHCP server.
pub(crate) fn next(
    facts: &Facts,
    besides: &[Finding],
    heard: &dyn Fn(&str) -> Heard,
    come: &dyn Fn(&str) -> Come,
) -> Vec<(String, String)> {
    let hosts = facts.hosts.clone().unwrap_or_default();
    let mut of_one = facts.clone();
    let one = |host: super::facts::Host| {
        let name = host.name.to_string();
        let is_about_it = |finding: &&Finding| {
            let (who, _) = finding.found.split_once(": ").unwrap_or_default();
            who.split(", ").any(|named| named == name)
        };
        of_one.hosts = Ok(vec![host]);
        let own = judge(&of_one);
        let bad =
            own.iter().chain(besides.iter().filter(is_about_it)).find(|finding| finding.state == State::Bad);
        let what = match bad {
            Some(finding) => mending(finding),
            None => {
                unheard(&facts.dhcp.running, heard(&name)).unwrap_or_else(|| in_order(&name, &come(&name)))
            }
        };
        (name, what)
    };
    hosts.into_iter().map(one).collect()
}

fn mending(finding: &Finding) -> String {
    let first = finding.found.lines().next().unwrap_or_default();
    match &finding.mend {
        Some(mend) => format!("mend the {}: {mend}", finding.check),
        None => format!("mend the {}: {first}", finding.check),
    }
}

/// What is only a warning, since the server may run where nobody here can look, and still keeps the client from booting.
fn unheard(running: &Running, heard: Heard) -> Option<String> {
    let what = match (heard, running) {
        (Heard::Nothing, Running::Ours) => {
            "have the DHCP server answer it: it runs, and may listen on another interface"
        }
        (Heard::Nothing, _) => "start the DHCP server, and have it listen on the interface that leads to it",
        (Heard::Unknown, Running::Nobody) => "see that the DHCP server runs: none is seen on this machine",
        (Heard::Offer | Heard::Unknown, _) => return None,
    };
    Some(what.to_owned())
}

fn in_order(name: &str, come: &Come) -> String {
    match come {
        Come::New => format!("'ghostctl test {name}' boots it for the first time"),
        Come::Failed(mode) => {
            format!(
                "'ghostctl status --last {name}' says why its last {} failed; then try again",
                mode.as_str()
            )
        }
        Come::Tested => format!("'ghostctl backup {name}'"),
        Come::BackedUp(generation) => format!("nothing; its last good backup is {generation}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Check;
    use crate::doctor::facts::Host;
    use crate::doctor::judge::tests::facts;

    fn host(name: &str) -> Host {
        Host { name: name.to_owned(), ..facts().hosts.unwrap().remove(0) }
    }

    fn told(facts: &Facts, besides: &[Finding], come: Come) -> Vec<String> {
        let all = next(facts, besides, &|_| Heard::Offer, &|_| come.clone());
        all.into_iter().map(|(name, what)| format!("{name}: {what}")).collect()
    }

    #[test]
    fn a_client_goes_from_test_to_backup_to_nothing() {
        let good = facts();
        for (come, what) in [
            (Come::New, "'ghostctl test john' boots it for the first time"),
            (
                Come::Failed(Mode::Backup),
                "'ghostctl status --last john' says why its last backup failed; then try again",
            ),
            (Come::Tested, "'ghostctl backup john'"),
            (
                Come::BackedUp("20260123-142501-4f3a".parse().unwrap()),
                "nothing; its last good backup is 20260123-142501-4f3a",
            ),
        ] {
            assert!(told(&good, &[], come).contains(&format!("john: {what}")), "{what}");
        }
    }

    #[test]
    fn a_dhcp_server_that_does_not_answer_comes_before_the_first_job_and_one_in_a_container_does_not() {
        let told = |heard: Heard, running: Running| {
            let mut some = facts();
            some.dhcp.running = running;
            let all = next(&some, &[], &|_| heard, &|_| Come::New);
            all.into_iter().map(|(_, what)| what).next().unwrap()
        };
        assert!(told(Heard::Nothing, Running::Nobody).starts_with("start the DHCP server"));
        assert!(told(Heard::Nothing, Running::Ours).starts_with("have the DHCP server answer it"));
        assert!(told(Heard::Unknown, Running::Nobody).starts_with("see that the DHCP server runs"));
        for (heard, running) in
            [(Heard::Offer, Running::Nobody), (Heard::Offer, Running::Ours), (Heard::Unknown, Running::Ours)]
        {
            assert!(
                told(heard, running.clone()).starts_with("'ghostctl test john'"),
                "{heard:?} {running:?}"
            );
        }
    }

    #[test]
    fn what_is_bad_for_it_comes_first_and_concerns_no_other() {
        let mut some = facts();
        some.hosts = Ok(vec![host("john"), Host { zero: vec!["EXPIRES"], ..host("joe") }]);
        let said = told(&some, &[], Come::New);
        assert!(said[0].starts_with("john: 'ghostctl test john'"), "{said:?}");
        assert!(said[1].starts_with("joe: mend the settings: set it to a longer time"), "{said:?}");
        let offered = Finding::bad(Check::Offered, "amy, joe: is offered pxelinux.0", "restart it");
        some.hosts = Ok(vec![host("john"), host("joe")]);
        let said = told(&some, &[offered], Come::Tested);
        assert_eq!(said, ["john: 'ghostctl backup john'", "joe: mend the offered: restart it"]);
    }
}
