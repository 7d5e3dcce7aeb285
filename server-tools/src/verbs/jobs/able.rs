//! Which of the chosen hosts can have a job, and why the others cannot. Nothing is touched here.

use std::net::Ipv4Addr;

use anyhow::{Context as _, anyhow};
use ghost_contract::order::Imager;
use ghost_contract::{HostName, Mode, layout};

use super::wanted::wanted_generation;
use super::{Intent, by_hand};
use crate::catalog::Catalog;
use crate::catalog::manifest::Manifest;
use crate::cli::Asked;
use crate::dhcp::{Configuration, Host};
use crate::doctor::gather::gather;
use crate::doctor::judge::judge;
use crate::doctor::{Check, State};
use crate::exit::{Exit, WithExit};
use crate::fleet::Chosen;
use crate::job::imager;
use crate::job::luks_key::LuksKey;
use crate::site::Site;

/// The hosts of a run, in the order in which they were chosen.
#[derive(Default)]
pub(super) struct Able {
    pub(super) intents: Vec<Intent>,
    /// Those that a group or a pattern chose and that cannot have a job.
    pub(super) refused: Vec<(HostName, anyhow::Error)>,
}

/// Looks at each. An error if one that was named cannot have a job, or if none can for a reason of the boot server's.
pub(super) fn among(
    site: &Site,
    mode: Mode,
    configuration: &dyn Configuration,
    chosen: &Chosen,
    asked: &Asked,
) -> anyhow::Result<Able> {
    let catalog = Catalog::of(&site.ghostrc);
    let mut able = Able::default();
    let considered = |name: &HostName, intents: &[Intent]| {
        let host = site.host(configuration, name).map_err(|error| by_hand::explained(site, name, error))?;
        require_own_address(host.ip, name, intents)?;
        intent(site, &catalog, mode, host, asked)
    };
    for name in &chosen.named {
        let intent = considered(name, &able.intents)?;
        able.intents.push(intent);
    }
    for name in &chosen.grouped {
        match considered(name, &able.intents) {
            Ok(intent) => able.intents.push(intent),
            Err(error) => able.refused.push((name.clone(), error)),
        }
    }
    let hosts: Vec<HostName> = able.intents.iter().map(|one| one.host.name.clone()).collect();
    let (named, grouped) = hosts.split_at(chosen.named.len());
    let ask = |hosts: &[HostName]| what_is_wrong(site, mode, configuration, hosts);
    let unready = unready(named, grouped, &ask).map_err(|wrong| not_ready(&wrong))?;
    for (host, wrong) in unready {
        able.intents.retain(|one| one.host.name != host);
        able.refused.push((host, anyhow!(wrong)));
    }
    Ok(able)
}

fn require_own_address(ip: Ipv4Addr, name: &HostName, intents: &[Intent]) -> anyhow::Result<()> {
    let Some(other) = intents.iter().find(|other| other.host.ip == ip) else { return Ok(()) };
    let other = &other.host.name;
    let words =
        format!("{other} and {name} share an IP address and so a tree: only one of them can have a job");
    Err(anyhow!(words).exit(Exit::Usage))
}

/// Which of the grouped hosts are not ready, and why. The error is what is wrong with a named host, or with the boot server
/// itself. `ask` says what is wrong with all that these hosts need; it is asked as seldom as can be, once if all is well.
fn unready(
    named: &[HostName],
    grouped: &[HostName],
    ask: &dyn Fn(&[HostName]) -> Option<String>,
) -> Result<Vec<(HostName, String)>, String> {
    if named.is_empty() && grouped.is_empty() {
        return Ok(Vec::new());
    }
    let Some(wrong) = ask(&[named, grouped].concat()) else { return Ok(Vec::new()) };
    if grouped.is_empty() {
        return Err(wrong);
    }
    if !named.is_empty()
        && let Some(wrong) = ask(named)
    {
        return Err(wrong);
    }
    let mut found = Vec::new();
    divide(grouped, wrong, ask, &mut found);
    // What is wrong with every host in the same words is wrong with the boot server.
    let is_everybody = found.len() == grouped.len() && found.iter().all(|(_, wrong)| *wrong == found[0].1);
    if named.is_empty() && grouped.len() > 1 && is_everybody {
        return Err(found.swap_remove(0).1);
    }
    Ok(found)
}

/// Halves the hosts until it is known whose fault `wrong` is.
fn divide(
    hosts: &[HostName],
    wrong: String,
    ask: &dyn Fn(&[HostName]) -> Option<String>,
    found: &mut Vec<(HostName, String)>,
) {
    let [_, _, ..] = hosts else {
        return found.extend(hosts.iter().map(|host| (host.clone(), wrong.clone())));
    };
    let halves = hosts.split_at(hosts.len() / 2);
    let asked = [(halves.0, ask(halves.0)), (halves.1, ask(halves.1))];
    if asked.iter().all(|(_, half)| half.as_ref() == Some(&wrong)) {
        return found.extend(hosts.iter().map(|host| (host.clone(), wrong.clone())));
    }
    for (half, wrong) in asked {
        if let Some(wrong) = wrong {
            divide(half, wrong, ask, found);
        }
    }
}

fn not_ready(wrong: &str) -> anyhow::Error {
    let words = format!(
        "the boot server is not ready, and nothing was touched; 'ghostctl doctor' looks at everything\n{wrong}"
    );
    anyhow!(words).exit(Exit::Configuration)
}

/// Checks what `doctor` checks, once for all these hosts, and says what would make their jobs fail.
fn what_is_wrong(
    site: &Site,
    mode: Mode,
    configuration: &dyn Configuration,
    hosts: &[HostName],
) -> Option<String> {
    let findings = judge(&gather(site, Ok(configuration), hosts));
    let matters = |check| match check {
        // Opening the sockets says which right is missing.
        Check::Wake => false,
        // Only a backup has the server look into an image.
        Check::Programs | Check::Confinement => mode == Mode::Backup,
        _ => true,
    };
    let bad = findings.iter().filter(|finding| finding.state == State::Bad && matters(finding.check));
    let bad: Vec<String> = bad.map(ToString::to_string).collect();
    if bad.is_empty() { None } else { Some(bad.join("\n")) }
}

/// Works out what to do for this host, and with which imager.
fn intent(site: &Site, catalog: &Catalog, mode: Mode, host: Host, asked: &Asked) -> anyhow::Result<Intent> {
    let mut settings = site.ghostrc.for_host(&host.name);
    asked.wishes.apply(&mut settings);
    let listed = wanted_generation(catalog, mode, &host.name, asked)?;
    // Where a damaged manifest does not say which imager made it, the settings decide.
    let manifest = listed.as_ref().and_then(|listed| listed.manifest.as_ref().ok());
    let source = manifest.map(Manifest::source);
    let has_template_floppy = site.ghostrc.base_root.join(layout::TEMPLATE_FLOPPY).exists();
    let mut imager = imager::choose(mode, &settings, &asked.wishes, has_template_floppy, source)
        .with_context(|| host.name.to_string())
        .exit(Exit::Usage)?;
    if let (Mode::Verify | Mode::Restore, Some(Imager::Linux(linux)), Some(manifest)) =
        (mode, &mut imager, manifest)
    {
        linux.vouched = manifest.descriptions().with_context(|| host.name.to_string())?;
    }
    let generation = listed.map(|listed| listed.generation);
    let takes_key = matches!(mode, Mode::Backup | Mode::Restore) && matches!(imager, Some(Imager::Linux(_)));
    let luks_key = settings.luks_key.as_deref().filter(|_| takes_key).map(LuksKey::read).transpose();
    let luks_key = luks_key.with_context(|| host.name.to_string()).exit(Exit::Configuration)?;
    Ok(Intent { host, settings, generation, imager, luks_key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn hosts(text: &str) -> Vec<HostName> {
        text.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    /// Whom of these it finds unready where so many times is asked at most, if these hosts are.
    fn found(named: &str, grouped: &str, wrong: &[&str], at_most: u32) -> Result<Vec<String>, String> {
        let asked = Cell::new(0);
        let ask = |hosts: &[HostName]| {
            asked.set(asked.get() + 1);
            let bad = hosts.iter().map(HostName::as_str).filter(|host| wrong.contains(host));
            let bad: Vec<String> = bad.map(|host| format!("bad: {host}")).collect();
            if bad.is_empty() { None } else { Some(bad.join("\n")) }
        };
        let found = unready(&hosts(named), &hosts(grouped), &ask);
        assert!(asked.get() <= at_most, "asked {} times", asked.get());
        found.map(|found| found.into_iter().map(|(host, wrong)| format!("{host}: {wrong}")).collect())
    }

    #[test]
    fn whose_fault_it_is_is_found_and_the_others_are_ready() {
        assert_eq!(found("a", "b c d", &[], 1).unwrap(), [""; 0]);
        assert_eq!(found("a", "", &["a"], 1).unwrap_err(), "bad: a");
        assert_eq!(found("a", "b c", &["a", "c"], 2).unwrap_err(), "bad: a");
        assert_eq!(found("", "b", &["b"], 1).unwrap(), ["b: bad: b"]);
        assert_eq!(found("a", "b c d e", &["d"], 6).unwrap(), ["d: bad: d"]);
        assert_eq!(found("", "b c d e", &["b", "e"], 7).unwrap(), ["b: bad: b", "e: bad: e"]);
    }

    #[test]
    fn what_is_wrong_with_the_boot_server_is_told_once_and_not_host_by_host() {
        let asked = Cell::new(0);
        let down = |_: &[HostName]| {
            asked.set(asked.get() + 1);
            Some("the DHCP server does not run".to_owned())
        };
        let many: Vec<HostName> = (1..300).map(|number| format!("pc{number}").parse().unwrap()).collect();
        assert_eq!(unready(&[], &many, &down).unwrap_err(), "the DHCP server does not run");
        assert_eq!(asked.get(), 3);
    }
}
