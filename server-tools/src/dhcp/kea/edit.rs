//! Swap and revert in Kea's files, of any number of hosts at once.
//!
//! Pure: does not read or write files. Only the bytes of each host's value change, quotes included.

use std::collections::BTreeMap;
use std::path::Path;

use ghost_contract::HostName;

use super::lexer::{quote, unquote};
use super::sources::Sources;
use super::table::{Host, HostTable, IDENTIFIERS, Values};
use super::tree::{NodeKind, Tree};
use super::usable::Flaw;
use crate::dhcp::entries::was_booting;
use crate::dhcp::text::{Replacement, absolute, replaced};
use crate::dhcp::{Back, Change, Edit, Fault, Kind, Original, PutBack, Reverts, Swap, SwapError, Wanted};

/// What is to be replaced, by the place of the file in the list.
type Replacements = BTreeMap<usize, Vec<Replacement>>;

/// Lets hosts be offered their boot files. A host that is wanted twice is swapped once.
pub fn swap(table: &HostTable, wanted: &[Wanted]) -> Edit {
    let mut replacements = Replacements::new();
    let swaps = wanted.iter().map(|wanted| swap_one(table, wanted, &mut replacements)).collect();
    Edit { changes: changes(table, replacements), swaps }
}

fn swap_one(table: &HostTable, wanted: &Wanted, replacements: &mut Replacements) -> Result<Swap, SwapError> {
    let host = table.usable(&wanted.host)?;
    if host.boot_file == wanted.boot_file.as_bytes() {
        return Err(SwapError::AlreadyBootFile {
            host: wanted.host.to_string(),
            boot_file: wanted.boot_file.clone(),
            place: Box::new(table.values.place(host.value)),
        });
    }
    let (file, range) = table.values.stretch(host.value);
    let source = &table.values.sources.files[file];
    let swap = Swap {
        server: Kind::Kea,
        file: absolute(&source.path),
        original: Original::new(source.bytes.get(range.clone()).unwrap_or_default()),
        boot_file: wanted.boot_file.clone(),
        mac: Some(host.mac),
        ip: Some(host.ip),
        real: None,
        before: None,
    };
    replacements.entry(file).or_default().push((range, quote(wanted.boot_file.as_bytes())));
    Ok(swap)
}

/// Each file once: one that is included twice has the same bytes both times.
fn changes(table: &HostTable, replacements: Replacements) -> Vec<Change> {
    let changed = replacements.into_iter().map(|(file, replacements)| {
        let source = &table.values.sources.files[file];
        (absolute(&source.path), (source.bytes.clone(), replaced(&source.bytes, replacements)))
    });
    let changed: BTreeMap<_, _> = changed.collect();
    changed.into_iter().map(|(file, (read, contents))| Change { file, read, contents }).collect()
}

/// What becomes of a value of ours, and what takes its place.
fn back(swap: &Swap, value: &[u8]) -> Option<Back> {
    let (offered, previous) = (unquote(value), swap.original.as_bytes());
    if offered == swap.boot_file.as_bytes() {
        return Some(Back::Put);
    }
    (offered == unquote(previous)).then_some(Back::Already)
}

fn another(name: &str, values: &Values, value: usize) -> Back {
    let offered = String::from_utf8_lossy(&values.text(value).unwrap_or_default()).into_owned();
    let what = format!("host {name} is offered '{offered}' now");
    Back::Gone(Fault { what, place: Some(Box::new(values.place(value))) })
}

/// Puts hosts' own values back into the file that they were swapped in, as that file is `now`. It may be one that others include,
/// and may have been edited since.
pub fn revert(file: &Path, now: &[u8], swapped: &[(HostName, Swap)]) -> Reverts {
    let sources = Sources::of_one_file(file, now.to_vec());
    let tree = Tree::part(sources.kinds());
    let values = Values { sources, tree };
    let reservations = reservations(&values);
    let mut replacements = Vec::new();
    let each = swapped.iter().map(|(name, swap)| {
        let of_name = reservations.get(name.as_str()).map_or(&[][..], Vec::as_slice);
        let value = match sole_value(&values, &its_own(&values, of_name, swap), name) {
            Ok(value) => value,
            Err(back) => return back,
        };
        let (_, range) = values.stretch(value);
        let back = back(swap, now.get(range.clone()).unwrap_or_default());
        if back == Some(Back::Put) {
            replacements.push((range, swap.original.as_bytes().to_vec()));
        }
        back.unwrap_or_else(|| another(name.as_str(), &values, value))
    });
    let each = each.collect();
    let contents = (!replacements.is_empty()).then(|| replaced(now, replacements));
    Reverts { contents, each }
}

/// The maps that are reservations, by their names. One that is not closed may lack what is still to come.
fn reservations(values: &Values) -> BTreeMap<String, Vec<usize>> {
    let mut found: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, node) in values.tree.nodes.iter().enumerate() {
        let is_one = node.kind == NodeKind::Map && may_be_reservation(values, place);
        if !is_one || !IDENTIFIERS.iter().any(|key| values.member(place, key).is_some()) {
            continue;
        }
        if let Some(name) = values.text_of(place, "hostname") {
            found.entry(name).or_default().push(place);
        }
    }
    found
}

/// Whether Kea may read this map as a reservation: nothing that the file says of what it is in speaks against it. In a
/// `user-context` anything may stand, a whole configuration of yesterday too.
fn may_be_reservation(values: &Values, map: usize) -> bool {
    let is_all = |map: usize| {
        values.key_of(map) == Some(b"Dhcp4") && is_first(values, map, "Dhcp4") && is_outermost(values, map)
    };
    let in_shared = |map| is_in(values, map, "shared-networks", &is_all);
    let in_subnet = |map| is_in(values, map, "subnet4", &|map| is_all(map) || in_shared(map));
    is_in(values, map, "reservations", &|map| is_all(map) || in_subnet(map))
}

/// Whether a map may stand in a list with this key, whose own map is as it must be: no included file says all that it is in.
fn is_in(values: &Values, map: usize, key: &str, holds: &dyn Fn(usize) -> bool) -> bool {
    let node = values.node(map);
    let Some(list) = node.parent else { return node.key.is_none() };
    let parent = values.node(list).parent;
    if values.node(list).kind != NodeKind::List {
        return false;
    }
    let is_its = values.key_of(list).map_or(parent.is_none(), |other| other == key.as_bytes());
    is_its && is_first(values, list, key) && parent.is_none_or(holds)
}

/// Whether no value before this one, in the same map, has the same key: the table has read the first.
fn is_first(values: &Values, value: usize, key: &str) -> bool {
    values.node(value).parent.is_none_or(|map| values.member(map, key) == Some(value))
}

/// Whether there is nothing around a value but the map that is the whole file.
fn is_outermost(values: &Values, value: usize) -> bool {
    values
        .node(value)
        .parent
        .map(|map| values.node(map))
        .is_none_or(|map| map.parent.is_none() && map.key.is_none())
}

/// Of several reservations of its name those with its hardware address.
fn its_own(values: &Values, of_name: &[usize], swap: &Swap) -> Vec<usize> {
    let has_its_mac = |place: &usize| swap.mac.is_some() && values.mac(*place) == swap.mac;
    let own: Vec<usize> = of_name.iter().copied().filter(has_its_mac).collect();
    if own.is_empty() { of_name.to_vec() } else { own }
}

/// The value of the one reservation of this name.
fn sole_value(values: &Values, found: &[usize], name: &HostName) -> Result<usize, Back> {
    let nowhere = |what| Fault { what, place: None };
    let unread = values.tree.fault.map(|(piece, fault)| {
        let place = Some(Box::new(values.sources.place_of(piece)));
        Back::Unclear(Fault { what: fault.to_string(), place })
    });
    let host = match found {
        [] => {
            let gone = || Back::Gone(nowhere(format!("there is no host {name} in this file any more")));
            return Err(unread.unwrap_or_else(gone));
        }
        [host] => *host,
        _ => {
            let what = format!("host {name} has several reservations in this file now");
            return Err(Back::Unclear(nowhere(what)));
        }
    };
    if values.node(host).last.is_none() {
        return Err(
            unread.unwrap_or_else(|| Back::Unclear(nowhere(format!("the reservation of {name} has no end"))))
        );
    }
    let own: Vec<usize> = values.members(host, "boot-file-name").collect();
    let fault = |what: &str, at| Fault {
        what: format!("host {name} {what}"),
        place: Some(Box::new(values.place(at))),
    };
    match own.as_slice() {
        [] => Err(Back::Gone(fault("has no boot-file-name any more", host))),
        [own] if values.node(*own).kind == NodeKind::Text => Ok(*own),
        [own] => Err(Back::Unclear(fault(&Flaw::NotText.to_string(), *own))),
        [_, second, ..] => Err(Back::Unclear(fault(&Flaw::BootFileTwice.to_string(), *second))),
    }
}

/// Puts hosts' own values back in whichever reservations of theirs ours stands.
pub(super) fn put_back(table: &HostTable, swapped: &[(HostName, Swap)]) -> PutBack {
    let mut replacements = Replacements::new();
    let each = swapped.iter().map(|(name, swap)| {
        let mut hosts: Vec<&Host> = table.by_name(name.as_str()).collect();
        let of_mac = swap.mac.into_iter().flat_map(|mac| table.by_mac(mac));
        hosts.extend(of_mac.filter(|host| host.name != name.as_str()));
        let each = hosts.into_iter().map(|host| put_back_one(table, host, swap, &mut replacements));
        each.max_by_key(Back::gravity)
    });
    let each = each.collect();
    PutBack { changes: changes(table, replacements), each }
}

fn put_back_one(table: &HostTable, host: &Host, swap: &Swap, replacements: &mut Replacements) -> Back {
    let name = table.shown(host);
    let value = match table.own_boot_file(host) {
        Ok(value) => value,
        Err((Flaw::NoBootFile | Flaw::Inherited(_), at)) => {
            let fault = || table.fault(&name, &Flaw::NoBootFile, at);
            return inherits_ours(table, host, swap).map_or_else(|| Back::Gone(fault()), Back::Unclear);
        }
        Err((flaw, at)) => return Back::Unclear(table.fault(&name, &flaw, at)),
    };
    let (file, range) = table.values.stretch(value);
    let source = &table.values.sources.files[file];
    let back = back(swap, source.bytes.get(range.clone()).unwrap_or_default());
    if back == Some(Back::Put) && swap.was_booting(&name, host.mac) {
        let place = Some(Box::new(table.values.place(value)));
        return Back::Gone(Fault { what: was_booting(&name, swap), place });
    }
    if back == Some(Back::Put) {
        replacements.entry(file).or_default().push((range, swap.original.as_bytes().to_vec()));
    }
    back.unwrap_or_else(|| another(&name, &table.values, value))
}

/// Where a host without a boot file of its own is, or may be, offered ours. A class wins over the scopes (tried with Kea 2.2).
fn inherits_ours(table: &HostTable, host: &Host, swap: &Swap) -> Option<Fault> {
    let is_ours = |value: &usize| table.values.text(*value).as_deref() == Some(swap.boot_file.as_bytes());
    let mut of_classes =
        table.values.maps(table.all, "client-classes").filter_map(|class| table.boot_file_in(class));
    let of_scopes = || host.around.iter().find_map(|scope| table.boot_file_in(*scope));
    let at = of_classes.find(is_ours).or_else(|| of_scopes().filter(is_ours))?;
    let what = format!(
        "host {} has no boot-file-name of its own and may be offered '{}' by what stands here; write into its reservation at {}: \
         \"boot-file-name\": {}",
        table.shown(host),
        swap.boot_file,
        table.place_of(host),
        String::from_utf8_lossy(swap.original.as_bytes()),
    );
    Some(Fault { what, place: Some(Box::new(table.values.place(at))) })
}
