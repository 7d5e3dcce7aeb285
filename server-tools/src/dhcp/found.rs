//! Which DHCP server a boot server has, where the settings do not say it.

use std::path::PathBuf;

use anyhow::anyhow;

use super::Kind;
use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::Ghostrc;
use crate::sys::{process, regular, unit};

/// The server that is edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub kind: Kind,
    /// Why it is taken for that, to follow its name.
    pub because: &'static str,
    /// The file that includes all others.
    pub configuration: PathBuf,
}

/// What is known before it is decided.
struct Known<'a> {
    chosen: Option<Kind>,
    /// What is in the file that the settings name.
    named: Option<&'a [u8]>,
    /// Whether one runs that knows clients.
    runs: &'a dyn Fn(Kind) -> bool,
    /// Whether its configuration is where it is looked for.
    is_there: &'a dyn Fn(Kind) -> bool,
    /// Whether this machine has a service that would start it.
    is_service: &'a dyn Fn(Kind) -> bool,
}

impl Known<'_> {
    /// What this machine tells, without the settings.
    const fn of_this_machine() -> Self {
        Self { chosen: None, named: None, runs: &runs, is_there: &is_there, is_service: &is_service }
    }
}

impl Found {
    /// By the settings, by what runs in this network, or by which files there are.
    pub fn at(ghostrc: &Ghostrc) -> anyhow::Result<Self> {
        let found = Self::or_likeliest(ghostrc);
        if found.configuration.exists() {
            return Ok(found);
        }
        let places = ghostrc.dhcp_configuration.as_ref().map_or_else(
            || found.kind.traits().configurations.join(" or "),
            |named| named.display().to_string(),
        );
        let (name, because) = (found.kind.traits().name, found.because);
        Err(anyhow!(
            "there is no DHCP configuration at {places}, where that of {name} is looked for, since {because}; set DHCPSERVER or \
             DHCPDCONF in ghostrc, or have 'ghostctl setup --subnet' write one"
        )
        .exit(Exit::Configuration))
    }

    /// The same, with a configuration that may not be there: where it is likeliest.
    pub(crate) fn or_likeliest(ghostrc: &Ghostrc) -> Self {
        let named = ghostrc.dhcp_configuration.as_deref().and_then(|path| regular::read(path).ok());
        let (chosen, named) = (ghostrc.dhcp_server, named.as_deref());
        let known = Known { chosen, named, ..Known::of_this_machine() };
        let (kind, because) = decide(&known);
        let configuration = ghostrc.dhcp_configuration.clone().unwrap_or_else(|| configuration(kind));
        Self { kind, because, configuration }
    }
}

/// By what runs and what is there, while there are no settings.
pub(crate) fn kind_without_settings() -> Kind {
    decide(&Known::of_this_machine()).0
}

fn is_there(kind: Kind) -> bool {
    default_configuration(kind).is_some_and(|path| (kind.traits().has_clients)(&path))
}

fn is_service(kind: Kind) -> bool {
    unit::is_there(kind.traits().unit)
}

fn runs(kind: Kind) -> bool {
    read_by_one_that_runs(kind).is_some()
}

/// A configuration with clients that one which runs reads. Other programs start servers of their own, such as a dnsmasq for the names
/// of virtual machines: those know none.
fn read_by_one_that_runs(kind: Kind) -> Option<PathBuf> {
    let traits = kind.traits();
    let all = process::named(traits.process).unwrap_or_default();
    all.iter().flat_map(traits.read_by).find(|path| (traits.has_clients)(path))
}

/// Where the configuration of such a server is, if the settings do not name it.
fn default_configuration(kind: Kind) -> Option<PathBuf> {
    kind.traits().configurations.iter().map(PathBuf::from).find(|path| path.exists())
}

/// The same; if there is none, what one that runs reads, or the likeliest place.
pub fn configuration(kind: Kind) -> PathBuf {
    let likeliest = || kind.traits().configurations.first().map(PathBuf::from).unwrap_or_default();
    default_configuration(kind).or_else(|| read_by_one_that_runs(kind)).unwrap_or_else(likeliest)
}

fn decide(known: &Known<'_>) -> (Kind, &'static str) {
    let first = |is_so: &dyn Fn(Kind) -> bool| Kind::ALL.into_iter().find(|kind| is_so(*kind));
    if let Some(chosen) = known.chosen {
        return (chosen, "DHCPSERVER in ghostrc says so");
    }
    if let Some(kind) = known.named.and_then(|bytes| first(&|kind| (kind.traits().is_its)(bytes))) {
        return (kind, "DHCPDCONF in ghostrc names a configuration of it");
    }
    if let Some(kind) = first(known.runs) {
        return (kind, "it runs");
    }
    // What is left of a server that was taken away has no service.
    if let Some(kind) = first(&|kind| (known.is_there)(kind) && (known.is_service)(kind)) {
        return (
            kind,
            "no server with clients is seen to run, and its service and its configuration are there",
        );
    }
    match first(known.is_there) {
        Some(kind) => (
            kind,
            "no server with clients is seen to run, and its configuration is there, though no service of it",
        ),
        None => (
            Kind::default(),
            "no server with clients is seen to run, and there is no configuration of another",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_come_first_then_what_runs_then_what_is_there() {
        let never = |_| false;
        let kea_only = |kind| kind == Kind::Kea;
        let nothing =
            || Known { chosen: None, named: None, runs: &never, is_there: &never, is_service: &never };
        let of = |known: Known<'_>| decide(&known).0;
        assert_eq!(of(nothing()), Kind::Isc);
        assert_eq!(of(Known { is_there: &kea_only, ..nothing() }), Kind::Kea);
        assert_eq!(
            of(Known { is_there: &kea_only, runs: &|kind| kind == Kind::Isc, ..nothing() }),
            Kind::Isc
        );
        let all = |_| true;
        assert_eq!(of(Known { runs: &all, ..nothing() }), Kind::Isc);
        // A service alone, without a configuration, is what a package brings; a configuration alone is what another left.
        assert_eq!(of(Known { is_service: &kea_only, ..nothing() }), Kind::Isc);
        assert_eq!(of(Known { is_there: &all, is_service: &kea_only, ..nothing() }), Kind::Kea);
        assert_eq!(
            of(Known { is_there: &all, is_service: &kea_only, runs: &|kind| kind == Kind::Isc, ..nothing() }),
            Kind::Isc
        );
        let map: &[u8] = b"// kea\n{ \"Dhcp4\": {} }";
        assert_eq!(of(Known { named: Some(map), runs: &|kind| kind == Kind::Isc, ..nothing() }), Kind::Kea);
        assert_eq!(of(Known { named: Some(b"# {\nhost a { }"), runs: &kea_only, ..nothing() }), Kind::Isc);
        assert_eq!(
            of(Known { chosen: Some(Kind::Isc), named: Some(map), runs: &kea_only, ..nothing() }),
            Kind::Isc
        );
    }
}
