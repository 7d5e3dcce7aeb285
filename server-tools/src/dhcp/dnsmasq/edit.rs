//! Swap and revert in dnsmasq's files, of any number of hosts at once.
//!
//! Pure: does not read or write files. Only the bytes of a host's boot file change.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use ghost_contract::HostName;

use super::boots::{Decides, tags};
use super::hosts::{Given, Host};
use super::lines::{quote, unquote};
use super::table::HostTable;
use crate::dhcp::entries::was_booting;
use crate::dhcp::text::{Replacement, absolute, replaced};
use crate::dhcp::{Back, Change, Edit, Fault, Kind, Original, PutBack, Reverts, Swap, SwapError, Wanted};

/// What is to be replaced, by the place of the file in the list.
pub(in crate::dhcp) type Replacements = BTreeMap<usize, Vec<Replacement>>;

/// Lets hosts be offered their boot files.
pub fn swap(table: &HostTable, wanted: &[Wanted]) -> Edit {
    let mut replacements = Replacements::new();
    let swaps = each_once(wanted, |wanted| swap_one(table, wanted, &mut replacements));
    Edit { changes: changes(table, replacements), swaps }
}

/// Swaps each host; one that is wanted twice is swapped once.
pub(in crate::dhcp) fn each_once(
    wanted: &[Wanted],
    mut swap_one: impl FnMut(&Wanted) -> Result<Swap, SwapError>,
) -> Vec<Result<Swap, SwapError>> {
    let mut swapped: BTreeMap<&str, Swap> = BTreeMap::new();
    let swaps = wanted.iter().map(|wanted| {
        if let Some(swap) = swapped.get(wanted.host.as_str()) {
            return Ok(swap.clone());
        }
        let swap = swap_one(wanted)?;
        swapped.insert(wanted.host.as_str(), swap.clone());
        Ok(swap)
    });
    swaps.collect()
}

fn swap_one(table: &HostTable, wanted: &Wanted, replacements: &mut Replacements) -> Result<Swap, SwapError> {
    let usable = table.usable(&wanted.host)?;
    if usable.boot_file(table) == wanted.boot_file {
        return Err(SwapError::AlreadyBootFile {
            host: wanted.host.to_string(),
            boot_file: wanted.boot_file.clone(),
            place: usable.place(table),
        });
    }
    let Given { entry, value, .. } = usable.given;
    let swap = Swap {
        server: Kind::Dnsmasq,
        file: absolute(&table.sources.source(*entry).path),
        original: Original::new(table.sources.bytes(*entry, value)),
        boot_file: wanted.boot_file.clone(),
        mac: Some(usable.mac),
        ip: Some(usable.ip),
        real: None,
        before: None,
    };
    let file = table.sources.entries[*entry].file;
    replacements.entry(file).or_default().push((value.clone(), quote(wanted.boot_file.as_bytes())));
    Ok(swap)
}

/// Each file once: one that is named twice has the same bytes both times.
pub(in crate::dhcp) fn changes(table: &HostTable, replacements: Replacements) -> Vec<Change> {
    let changed = replacements.into_iter().map(|(file, replacements)| {
        let source = &table.sources.files[file];
        (absolute(&source.path), (source.bytes.clone(), replaced(&source.bytes, replacements)))
    });
    let changed: BTreeMap<_, _> = changed.collect();
    changed.into_iter().map(|(file, (read, contents))| Change { file, read, contents }).collect()
}

/// Puts hosts' own values back into the file that they were swapped in, as that file is `now`. It may have been edited since. A line
/// that is broken keeps no other from it.
pub fn revert(file: &Path, now: &[u8], swapped: &[(HostName, Swap)]) -> Reverts {
    let table = HostTable::of_one_file(file, now.to_vec());
    let mut replacements = Replacements::new();
    let each = swapped.iter().map(|(name, swap)| {
        let own = table.own_option(name.as_str());
        let back = own.map(|given| back(&table, name.as_str(), value_of(given), swap, &mut replacements));
        back.max_by_key(Back::gravity).unwrap_or_else(|| Back::Gone(nowhere(name)))
    });
    let each = each.collect();
    let replacements: Vec<Replacement> = replacements.into_values().flatten().collect();
    let contents = (!replacements.is_empty()).then(|| replaced(now, replacements));
    Reverts { contents, each }
}

fn nowhere(name: &HostName) -> Fault {
    let what = format!("there is no line 'tag:{name},option:bootfile-name' in this file any more");
    Fault { what, place: None }
}

/// Puts hosts' own values back in whichever lines of theirs ours stands.
pub(super) fn put_back(table: &HostTable, swapped: &[(HostName, Swap)]) -> PutBack {
    let mut replacements = Replacements::new();
    let each = swapped.iter().map(|(name, swap)| {
        let of_mac = swap.mac.into_iter().flat_map(|mac| table.by_mac(mac));
        let hosts: Vec<&Host> =
            table.by_name(name.as_str()).chain(of_mac.filter(|host| host.name != name.as_str())).collect();
        let mut names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
        names.push(name.as_str());
        names.sort_unstable();
        names.dedup();
        let own = names.into_iter().flat_map(|name| table.own_option(name).map(move |given| (name, given)));
        let mut found: Vec<Back> =
            own.map(|(name, given)| back(table, name, value_of(given), swap, &mut replacements)).collect();
        // Where nothing says any more what it boots, the file may be half saved: then it stands nowhere.
        if found.is_empty() && hosts.iter().any(|host| table.decides(&tags(host)).is_some()) {
            found.push(Back::Gone(nowhere(name)));
        }
        found.extend(hosts.iter().filter_map(|host| inherits_ours(table, host, swap)).map(Back::Unclear));
        found.into_iter().max_by_key(Back::gravity)
    });
    let each = each.collect();
    PutBack { changes: changes(table, replacements), each }
}

/// Where a value of a host's stands: its line, and the stretch there.
pub(in crate::dhcp) type Value<'a> = (usize, &'a Range<usize>);

const fn value_of(given: &Given) -> Value<'_> {
    (given.entry, &given.value)
}

/// Puts its own boot file back into a host's line.
pub(in crate::dhcp) fn back(
    table: &HostTable,
    name: &str,
    (entry, stretch): Value<'_>,
    swap: &Swap,
    replacements: &mut Replacements,
) -> Back {
    let value = unquote(table.sources.bytes(entry, stretch));
    let place = || Some(Box::new(table.sources.place_at(entry, stretch.start)));
    if value == unquote(swap.original.as_bytes()) {
        return Back::Already;
    }
    if value != swap.boot_file.as_bytes() {
        let what = format!("host {name} is offered '{}' now", String::from_utf8_lossy(&value));
        return Back::Gone(Fault { what, place: place() });
    }
    if swap.was_booting(name, None) {
        return Back::Gone(Fault { what: was_booting(name, swap), place: place() });
    }
    let file = table.sources.entries[entry].file;
    replacements.entry(file).or_default().push((stretch.clone(), swap.original.as_bytes().to_vec()));
    Back::Put
}

/// Where a host is offered our boot file by what is not its own, once it is put back.
fn inherits_ours(table: &HostTable, host: &Host, swap: &Swap) -> Option<Fault> {
    let name = table.shown(host);
    let decides = table.decides(&tags(host))?;
    let own = |given: &Given| table.own_option(&host.name).any(|own| own == given);
    let (entry, is_own) = match decides {
        Decides::Boot(boot) => (boot.entry, false),
        Decides::Option(given) => (given.entry, own(given)),
    };
    if is_own
        || table.boot_file(decides) != swap.boot_file
        || swap.was_booting(&name, host.macs.first().copied())
    {
        return None;
    }
    let what = format!(
        "host {name} is offered '{}' by what stands here, which is not its own line; write there what it was offered before: {}",
        swap.boot_file,
        String::from_utf8_lossy(swap.original.as_bytes()),
    );
    Some(Fault { what, place: Some(Box::new(table.sources.place(entry))) })
}
