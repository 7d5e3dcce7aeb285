//! Swap and revert in a proxy's configuration, of any number of hosts at once.
//!
//! Pure: does not read or write files. Only the word behind `set:` changes.

use std::path::Path;

use ghost_contract::HostName;

use super::table::{ClientTable, host_value};
use crate::dhcp::dnsmasq::edit::{Replacements, back, changes, each_once};
use crate::dhcp::dnsmasq::hosts::Host;
use crate::dhcp::text::{absolute, replaced};
use crate::dhcp::{Back, Edit, Fault, Kind, Original, PutBack, Reverts, Swap, SwapError, Wanted};

/// Lets hosts be offered their boot files.
pub fn swap(table: &ClientTable, wanted: &[Wanted]) -> Edit {
    let mut replacements = Replacements::new();
    let swaps = each_once(wanted, |wanted| swap_one(table, wanted, &mut replacements));
    Edit { changes: changes(&table.lines, replacements), swaps }
}

fn swap_one(
    table: &ClientTable,
    wanted: &Wanted,
    replacements: &mut Replacements,
) -> Result<Swap, SwapError> {
    let usable = table.usable(&wanted.host)?;
    let (entry, sources) = (usable.host.entry, &table.lines.sources);
    if table.tag(&usable.value, usable.host) == wanted.boot_file {
        return Err(SwapError::AlreadyBootFile {
            host: wanted.host.to_string(),
            boot_file: wanted.boot_file.clone(),
            place: Box::new(sources.place_at(entry, usable.value.start)),
        });
    }
    let swap = Swap {
        server: Kind::Proxy,
        file: absolute(&sources.source(entry).path),
        original: Original::new(sources.bytes(entry, &usable.value)),
        boot_file: wanted.boot_file.clone(),
        mac: Some(usable.mac),
        ip: Some(usable.ip),
        real: None,
        before: None,
    };
    let replacement = (usable.value.clone(), wanted.boot_file.as_bytes().to_vec());
    replacements.entry(sources.entries[entry].file).or_default().push(replacement);
    Ok(swap)
}

/// Puts hosts' own words back into the file that they were swapped in, as that file is `now`. It may have been edited since. A line
/// that is broken keeps no other from it.
pub fn revert(file: &Path, now: &[u8], swapped: &[(HostName, Swap)]) -> Reverts {
    let table = ClientTable::of_one_file(file, now.to_vec());
    let mut replacements = Replacements::new();
    let each = swapped.iter().map(|(name, swap)| {
        let hosts = table.lines.by_name(name.as_str());
        let back = hosts.map(|host| put_back_one(&table, host, swap, &mut replacements));
        back.max_by_key(Back::gravity).unwrap_or_else(|| {
            let what = format!("there is no line of {name} in this file any more");
            Back::Gone(Fault { what, place: None })
        })
    });
    let each = each.collect();
    let replacements = replacements.into_values().flatten().collect::<Vec<_>>();
    let contents = (!replacements.is_empty()).then(|| replaced(now, replacements));
    Reverts { contents, each }
}

/// Puts hosts' own words back in whichever lines of theirs ours stands.
pub(super) fn put_back(table: &ClientTable, swapped: &[(HostName, Swap)]) -> PutBack {
    let mut replacements = Replacements::new();
    let each = swapped.iter().map(|(name, swap)| {
        let of_mac = swap.mac.into_iter().flat_map(|mac| table.lines.by_mac(mac));
        let of_name = table.lines.by_name(name.as_str());
        let hosts = of_name.chain(of_mac.filter(|host| host.name != name.as_str()));
        let each = hosts.map(|host| put_back_one(table, host, swap, &mut replacements));
        each.max_by_key(Back::gravity)
    });
    let each = each.collect();
    PutBack { changes: changes(&table.lines, replacements), each }
}

fn put_back_one(table: &ClientTable, host: &Host, swap: &Swap, replacements: &mut Replacements) -> Back {
    let name = table.lines.shown(host);
    match host_value(&table.lines.sources, host) {
        Ok(value) => back(&table.lines, &name, (host.entry, &value), swap, replacements),
        // Which of several tags counts depends on the lines that ask for them.
        Err(what) => {
            let place = Some(table.lines.place_of(host));
            let fault = Fault { what: format!("host {name} {what}"), place };
            let has_ours = table.has_tag(host, &swap.boot_file);
            if has_ours { Back::Unclear(fault) } else { Back::Gone(fault) }
        }
    }
}
