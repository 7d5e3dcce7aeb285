//! Swap and revert in dhcpd.conf, of any number of hosts at once.
//!
//! Pure: does not read or write files. Only the bytes of each host's value change, quotes included; every other byte of a
//! file is copied as it is.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use ghost_contract::HostName;

use super::HostTable;
use super::lexer::{quote, unquote};
use super::usable::{Flaw, UsableHost};
use crate::dhcp::entries::was_booting;
use crate::dhcp::text::{Replacement, absolute, replaced};
use crate::dhcp::{Back, Change, Edit, Fault, Kind, Original, Reverts, Swap, SwapError, Wanted};
use crate::place::Place;

/// Lets hosts be offered their boot files. A host that is wanted twice is swapped once.
pub fn swap(table: &HostTable, wanted: &[Wanted]) -> Edit {
    let mut files: BTreeMap<usize, Vec<Replacement>> = BTreeMap::new();
    let swaps = wanted.iter().map(|wanted| {
        let host = table.usable(&wanted.host).map_err(Fault::from)?;
        let (swap, replacement) = swap_one(table, &host, &wanted.boot_file)?;
        files.entry(host.source).or_default().push(replacement);
        Ok(swap)
    });
    let swaps = swaps.collect();
    let changes = files.into_iter().filter_map(|(source, replacements)| {
        let source = table.sources.get(source)?;
        let contents = replaced(&source.bytes, replacements);
        Some(Change { file: absolute(&source.path), read: source.bytes.clone(), contents })
    });
    Edit { changes: changes.collect(), swaps }
}

fn swap_one(table: &HostTable, host: &UsableHost, boot_file: &str) -> Result<(Swap, Replacement), SwapError> {
    if host.filename == boot_file.as_bytes() {
        return Err(SwapError::AlreadyBootFile {
            host: host.name.to_string(),
            boot_file: boot_file.to_owned(),
            place: Box::new(table.place_at(host.source, host.value.start)),
        });
    }
    let bytes = table.sources.get(host.source).map_or(&[][..], |source| &source.bytes);
    let previous = bytes.get(host.value.clone()).unwrap_or_default();
    let swap = Swap {
        server: Kind::Isc,
        file: absolute(&host.file),
        original: Original::new(previous),
        boot_file: boot_file.to_owned(),
        mac: Some(host.mac),
        ip: Some(host.ip),
        real: None,
        before: None,
    };
    Ok((swap, (host.value.clone(), quote(boot_file.as_bytes()))))
}

/// Puts hosts' own values back into the file that they were swapped in, as that file is `now`. The file may have been edited
/// since: what it is named in `file` matters for complaints only, and what it includes not at all.
pub fn revert(file: &Path, now: &[u8], swapped: &[(HostName, Swap)]) -> Reverts {
    let table = HostTable::of_one_file(file, now.to_vec());
    let mut replacements = Vec::new();
    let each = swapped.iter().map(|(host, swap)| {
        let value = match sole_value(&table, host) {
            Ok(value) => value,
            Err(back) => return back,
        };
        let previous = swap.original.as_bytes();
        let offered = unquote(now.get(value.clone()).unwrap_or_default());
        let place = || Some(Box::new(Place::at(file, now, value.start)));
        let mac = table.by_name(host.as_str()).next().and_then(|host| host.mac);
        if offered == swap.boot_file.as_bytes() && swap.was_booting(host.as_str(), mac) {
            return Back::Gone(Fault { what: was_booting(host.as_str(), swap), place: place() });
        }
        if offered == swap.boot_file.as_bytes() {
            replacements.push((value, previous.to_vec()));
            return Back::Put;
        }
        if offered == unquote(previous) {
            return Back::Already;
        }
        let offered = String::from_utf8_lossy(&offered);
        Back::Gone(Fault { what: format!("host {host} is offered '{offered}' now"), place: place() })
    });
    let each = each.collect();
    let contents = (!replacements.is_empty()).then(|| replaced(now, replacements));
    Reverts { contents, each }
}

/// Where the value of the one host of this name is.
fn sole_value(table: &HostTable, name: &HostName) -> Result<Range<usize>, Back> {
    let nowhere = |what| Fault { what, place: None };
    let mut hosts = table.by_name(name.as_str());
    let host = hosts
        .next()
        .ok_or_else(|| Back::Gone(nowhere(format!("there is no host {name} in this file any more"))))?;
    if hosts.next().is_some() {
        return Err(Back::Unclear(nowhere(format!(
            "host {name} is declared several times in this file now"
        ))));
    }
    if let Some((place, fault)) = table.fault_before_end_of(host) {
        return Err(Back::Unclear(Fault { what: fault.to_string(), place: Some(Box::new(place)) }));
    }
    table.own_filename(host).map_err(|problem| match problem.flaw {
        Flaw::NoFilename | Flaw::InheritedFilename(_) => Back::Gone(problem.into()),
        _ => Back::Unclear(problem.into()),
    })
}

#[cfg(test)]
mod tests;
