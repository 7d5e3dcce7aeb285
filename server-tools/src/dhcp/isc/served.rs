//! What dhcpd offers a swapped host now, wherever people have put it since: in another file, under another name, several times.
//!
//! ```text
//! by name, by hardware address ──▶ entries ──▶ an own filename ──▶ ours: put back │ its own │ a third one: left alone
//!                                     └──▶ none of its own ──▶ what it inherits ──▶ ours: cannot be put back, so it is said
//! ```
//! Pure. An inherited value is never changed: other hosts have it too.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use ghost_contract::HostName;

use super::HostTable;
use super::lexer::unquote;
use super::reach::{Around, Scope, network};
use super::table::{Host, speaks_of_filename};
use super::tree::{Keyword, sole_text};
use super::usable::Flaw;
use crate::dhcp::entries::was_booting;
use crate::dhcp::text::{Replacement, absolute, replaced};
use crate::dhcp::{Back, Change, Fault, Network, PutBack, Swap};

/// Puts hosts' own values back in whichever entries of theirs ours stands.
pub(super) fn put_back(table: &HostTable, swapped: &[(HostName, Swap)]) -> PutBack {
    let mut search = Search { table, shared: OnceCell::new(), replacements: BTreeMap::new() };
    let each = swapped.iter().map(|(name, swap)| search.host(name, swap)).collect();
    let changes = search.replacements.into_iter().filter_map(|(source, replacements)| {
        let source = table.sources.get(source)?;
        Some((absolute(&source.path), (source.bytes.clone(), replaced(&source.bytes, replacements))))
    });
    // A file that is included twice is changed once, since both have the same bytes.
    let changes: BTreeMap<_, _> = changes.collect();
    let changes = changes.into_iter().map(|(file, (read, contents))| Change { file, read, contents });
    PutBack { changes: changes.collect(), each }
}

struct Search<'a> {
    table: &'a HostTable,
    /// Seldom asked for, since most hosts have a `filename` of their own.
    shared: OnceCell<Shared>,
    replacements: BTreeMap<usize, Vec<Replacement>>,
}

impl Search<'_> {
    fn host(&mut self, name: &HostName, swap: &Swap) -> Option<Back> {
        let table = self.table;
        let mut entries: Vec<&Host> = table.by_name(name.as_str()).collect();
        let of_mac = swap.mac.into_iter().flat_map(|mac| table.by_mac(mac));
        entries.extend(of_mac.filter(|host| host.name != name.as_str()));
        entries.into_iter().map(|host| self.entry(host, swap)).max_by_key(Back::gravity)
    }

    fn entry(&mut self, host: &Host, swap: &Swap) -> Back {
        let table = self.table;
        let value = match table.own_filename(host) {
            Ok(value) => value,
            Err(problem) if matches!(problem.flaw, Flaw::NoFilename | Flaw::InheritedFilename(_)) => {
                let ours = self.shared().offers(table, host, swap.boot_file.as_bytes());
                return ours.map_or_else(
                    || Back::Gone(problem.into()),
                    |at| Back::Unclear(inherited(table, host, swap, at)),
                );
            }
            Err(problem) => return Back::Unclear(problem.into()),
        };
        let (start, previous) = (value.start, swap.original.as_bytes());
        let offered = unquote(table.bytes_of(host).get(value.clone()).unwrap_or_default());
        if offered == swap.boot_file.as_bytes() && swap.was_booting(&host.name, host.mac) {
            let place = Some(Box::new(table.place_at(host.file, start)));
            return Back::Gone(Fault { what: was_booting(&host.name, swap), place });
        }
        if offered == swap.boot_file.as_bytes() {
            self.replacements.entry(host.file).or_default().push((value, previous.to_vec()));
            return Back::Put;
        }
        if offered == unquote(previous) {
            return Back::Already;
        }
        Back::Gone(Fault {
            what: format!("host {} is offered '{}' now", host.name, String::from_utf8_lossy(&offered)),
            place: Some(Box::new(table.place_at(host.file, start))),
        })
    }

    fn shared(&self) -> &Shared {
        self.shared.get_or_init(|| Shared::of(self.table))
    }
}

fn inherited(table: &HostTable, host: &Host, swap: &Swap, (file, statement): (usize, usize)) -> Fault {
    let original = String::from_utf8_lossy(swap.original.as_bytes());
    Fault {
        what: format!(
            "host {} has no filename of its own and may be offered '{}' by what stands here; write into its entry at {}: filename \
             {original};",
            host.name,
            swap.boot_file,
            table.place_of(host)
        ),
        place: Some(Box::new(table.place(file, statement))),
    }
}

/// A statement outside of hosts that says a boot file, and for whom.
struct Says {
    at: (usize, usize),
    around: Around,
}

/// What the configuration says of boot files outside of hosts.
struct Shared {
    all: Vec<Says>,
    /// The smallest first.
    subnets: Vec<(Network, (usize, usize))>,
}

impl Shared {
    fn of(table: &HostTable) -> Self {
        let (mut all, mut subnets) = (Vec::new(), Vec::new());
        for (file, source) in table.sources.iter().enumerate() {
            for (index, statement) in source.tree.statements.iter().enumerate() {
                if let Some(network) = network(&source.bytes, statement) {
                    subnets.push((network, (file, index)));
                }
                if statement.keyword == Keyword::Host || !speaks_of_filename(&source.bytes, statement) {
                    continue;
                }
                let around = table.around(file, index);
                if !is_of_a_host(table, around.scope) {
                    all.push(Says { at: (file, index), around });
                }
            }
        }
        subnets.sort_by_key(|(network, _)| std::cmp::Reverse(u32::from(network.netmask)));
        Self { all, subnets }
    }

    /// Where a host without a boot file of its own is, or may be, offered this one. In the order in which dhcpd looks.
    fn offers(&self, table: &HostTable, host: &Host, boot_file: &[u8]) -> Option<(usize, usize)> {
        let around = table.scopes(Some((host.file, host.statement)));
        let contains = |network: &Network| host.address.is_some_and(|ip| network.contains(ip));
        let subnet = self.subnets.iter().find(|(network, _)| contains(network));
        let of_its_subnet = table.scopes(subnet.map(|(_, place)| *place));
        let is_ours = |says: &&Says| may_be(table, says.at, boot_file);
        let classes =
            || self.all.iter().filter(|says| says.around.is_class).find(is_ours).map(|says| says.at);
        match self.first_said(around.into_iter().skip(1), &is_ours) {
            Told::Ours(at) => return Some(at),
            Told::Another => return None,
            Told::Nothing => {}
        }
        classes().or_else(|| match self.first_said(of_its_subnet.into_iter().chain([None]), &is_ours) {
            Told::Ours(at) => Some(at),
            Told::Another | Told::Nothing => None,
        })
    }

    /// What the first of these scopes says that says anything.
    fn first_said(&self, scopes: impl IntoIterator<Item = Scope>, is_ours: &dyn Fn(&&Says) -> bool) -> Told {
        let mut told = scopes.into_iter().map(|scope| self.in_scope(scope, is_ours));
        told.find(|told| !matches!(told, Told::Nothing)).unwrap_or(Told::Nothing)
    }

    /// What holds under conditions may hold; of what holds always the last one does.
    fn in_scope(&self, scope: Scope, is_ours: &dyn Fn(&&Says) -> bool) -> Told {
        let here = || self.all.iter().filter(move |says| !says.around.is_class && says.around.scope == scope);
        let last = here().rfind(|says| says.around.is_certain);
        let ours = here().filter(|says| !says.around.is_certain).chain(last).find(is_ours);
        match (ours, last) {
            (Some(says), _) => Told::Ours(says.at),
            (None, Some(_)) => Told::Another,
            (None, None) => Told::Nothing,
        }
    }
}

/// What a scope says of the boot file.
enum Told {
    Ours((usize, usize)),
    Another,
    Nothing,
}

fn is_of_a_host(table: &HostTable, scope: Scope) -> bool {
    let block = scope.and_then(|(file, index)| table.sources.get(file)?.tree.statements.get(index));
    block.is_some_and(|block| block.keyword == Keyword::Host)
}

/// Whether this statement says this boot file. What is not one string may come to anything.
fn may_be(table: &HostTable, (file, index): (usize, usize), boot_file: &[u8]) -> bool {
    let Some(source) = table.sources.get(file) else { return false };
    let Some(statement) = source.tree.statements.get(index) else { return false };
    let text =
        (statement.keyword == Keyword::Filename).then(|| sole_text(&source.bytes, statement)).flatten();
    text.is_none_or(|text| unquote(text.bytes) == boot_file)
}
