//! How far a swap of a host's `filename` gets: what else in dhcpd.conf decides what the client boots from, and where.
//!
//! ```text
//! the host ─▶ groups around it ─▶ classes (of clients that are not known here) ─▶ its subnet ─▶ shared network ─▶ all
//! ```
//! The first of these that says something wins (dhcpd.conf(5), "declarations"). Within one of them the last one does. What
//! stands in an `if` or in a class holds for some clients only, so that it is reported as possible and not as certain.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use super::lexer::{Lexer, Token, TokenKind, unquote};
use super::table::HostTable;
use super::tree::{Keyword, Statement};
use crate::dhcp::{Network, Reach, Said};
use ghost_contract::HostName;

/// A block, by its file and its statement there; none for what is outside of all blocks.
pub(super) type Scope = Option<(usize, usize)>;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Topic {
    NextServer,
    BootFileOption,
    TftpServerOption,
    Router,
    Booting,
}

/// A statement about a topic.
#[derive(Debug, Clone, Copy)]
struct Remark {
    file: usize,
    statement: usize,
    /// Whether it holds for all clients of its scope.
    is_certain: bool,
}

/// All that a configuration says about booting, by topic and scope.
#[derive(Debug, Default)]
struct Remarks {
    by_scope: HashMap<(Topic, Scope), Vec<Remark>>,
    /// What classes say, whose members are not known here.
    of_classes: HashMap<Topic, Vec<Remark>>,
    subnets: Vec<(Network, (usize, usize))>,
}

impl HostTable {
    /// What stands in the way of these hosts' swaps, in their order. One pass over the configuration for all of them.
    pub(super) fn reaches(&self, hosts: &[(HostName, Ipv4Addr)]) -> Vec<Reach> {
        let remarks = self.remarks();
        hosts.iter().map(|(name, ip)| self.reach(&remarks, name, *ip)).collect()
    }

    /// Every subnet.
    pub(super) fn networks(&self) -> Vec<Network> {
        self.remarks().subnets.iter().map(|(network, _)| *network).collect()
    }

    fn remarks(&self) -> Remarks {
        let mut remarks = Remarks::default();
        for (file, source) in self.sources.iter().enumerate() {
            for (index, statement) in source.tree.statements.iter().enumerate() {
                if let Some(network) = network(&source.bytes, statement) {
                    remarks.subnets.push((network, (file, index)));
                }
                let Some(topic) = topic(&source.bytes, statement) else { continue };
                let around = self.around(file, index);
                let remark = Remark { file, statement: index, is_certain: around.is_certain };
                match around.is_class {
                    true => remarks.of_classes.entry(topic).or_default().push(remark),
                    false => remarks.by_scope.entry((topic, around.scope)).or_default().push(remark),
                }
            }
        }
        // The smallest network first: it is the one that an address belongs to.
        remarks.subnets.sort_by_key(|(network, _)| std::cmp::Reverse(u32::from(network.netmask)));
        remarks
    }

    fn reach(&self, remarks: &Remarks, name: &HostName, ip: Ipv4Addr) -> Reach {
        let subnet = remarks.subnets.iter().find(|(network, _)| network.contains(ip));
        let own = self.by_name(name.as_str()).next().map(|host| (host.file, host.statement));
        let (own, shared) = (self.scopes(own), self.scopes(subnet.map(|(_, place)| *place)));
        let find = |topic| {
            let said = |scopes: &[Scope]| {
                scopes.iter().find_map(|scope| remarks.by_scope.get(&(topic, *scope))?.last().copied())
            };
            let of_a_class = || remarks.of_classes.get(&topic)?.last().copied();
            let uncertain = |remark| Remark { is_certain: false, ..remark };
            said(&own)
                .or_else(|| of_a_class().map(uncertain))
                .or_else(|| said(&shared))
                .or_else(|| said(&[None]))
                .map(|remark| self.said(remark))
        };
        Reach {
            network: subnet.map(|(network, _)| *network),
            next_server: find(Topic::NextServer),
            boot_file_option: find(Topic::BootFileOption),
            tftp_server_option: find(Topic::TftpServerOption),
            has_no_router: find(Topic::Router).is_none(),
            booting_denied: find(Topic::Booting).filter(|said| said.value != "allow"),
        }
    }

    /// A block and those around it, the innermost first, without what is outside of all.
    pub(super) fn scopes(&self, innermost: Option<(usize, usize)>) -> Vec<Scope> {
        let mut scopes = Vec::new();
        let mut next = innermost;
        // A file that is included twice, or includes itself, leads back to where one was before.
        let mut seen = HashSet::new();
        while let Some(block) = next.filter(|block| seen.insert(*block)) {
            scopes.push(Some(block));
            next = self.parent(block.0, block.1);
        }
        scopes
    }

    /// The block that a statement stands in, through the `include` of its file if need be.
    fn parent(&self, file: usize, statement: usize) -> Option<(usize, usize)> {
        let mut at = (file, statement);
        let mut seen = HashSet::new();
        while seen.insert(at) {
            let source = self.sources.get(at.0)?;
            if let Some(parent) = source.tree.statements.get(at.1)?.parent {
                return Some((at.0, parent));
            }
            at = source.included_by?;
        }
        None
    }

    /// The scope that a statement belongs to: conditions around it make it uncertain, a class around it takes it out.
    pub(super) fn around(&self, file: usize, statement: usize) -> Around {
        let mut around = Around { scope: None, is_certain: true, is_class: false };
        let mut at = (file, statement);
        while let Some(parent) = self.parent(at.0, at.1) {
            let Some(source) = self.sources.get(parent.0) else { break };
            let Some(block) = source.tree.statements.get(parent.1) else { break };
            match block.keyword {
                Keyword::Condition | Keyword::Label => around.is_certain = false,
                Keyword::Other if is_class(&source.bytes, block) => {
                    return Around { is_class: true, is_certain: false, ..around };
                }
                _ => return Around { scope: Some(parent), ..around },
            }
            at = parent;
        }
        around
    }

    fn said(&self, Remark { file, statement, is_certain }: Remark) -> Said {
        let source = &self.sources[file];
        let value = value(&source.bytes, &source.tree.statements[statement]);
        Said { value, is_certain, place: Box::new(self.place(file, statement)) }
    }
}

pub(super) struct Around {
    pub(super) scope: Scope,
    pub(super) is_certain: bool,
    pub(super) is_class: bool,
}

fn words<'a>(bytes: &'a [u8], statement: &Statement) -> impl Iterator<Item = Token<'a>> {
    Lexer::meaningful(bytes, statement.head())
}

fn is_class(bytes: &[u8], statement: &Statement) -> bool {
    words(bytes, statement).next().is_some_and(|word| word.is_word("class") || word.is_word("subclass"))
}

/// `deny booting`, `ignore booting`, `next-server …`, and options by whatever statement sets them.
fn topic(bytes: &[u8], statement: &Statement) -> Option<Topic> {
    if statement.has_block {
        return None;
    }
    let mut all = words(bytes, statement);
    let first = all.next()?;
    if first.is_word("deny") || first.is_word("ignore") || first.is_word("allow") {
        return all.next()?.is_word("booting").then_some(Topic::Booting);
    }
    if first.is_word("next-server") {
        return Some(Topic::NextServer);
    }
    // `option NAME code …` declares an option and sets none.
    let sets = ["option", "supersede", "default", "prepend", "append", "send"];
    if !sets.iter().any(|word| first.is_word(word)) {
        return None;
    }
    let name = all.find(|word| word.kind == TokenKind::Word)?;
    let name = if name.is_word("dhcp") || name.is_word("server") {
        all.find(|word| word.kind == TokenKind::Word)?
    } else {
        name
    };
    let topic = [
        ("bootfile-name", Topic::BootFileOption),
        ("tftp-server-name", Topic::TftpServerOption),
        ("next-server", Topic::NextServer),
        ("routers", Topic::Router),
    ];
    let (_, topic) = topic.into_iter().find(|(word, _)| name.is_word(word))?;
    (!all.next().is_some_and(|word| word.is_word("code"))).then_some(topic)
}

/// What the statement says: the bytes after its name, without quotes; of `deny booting` the first word.
fn value(bytes: &[u8], statement: &Statement) -> String {
    let all: Vec<Token<'_>> = words(bytes, statement).collect();
    let Some(first) = all.first() else { return String::new() };
    if all.get(1).is_some_and(|word| word.is_word("booting")) {
        return String::from_utf8_lossy(first.bytes).to_ascii_lowercase();
    }
    let is_name = |word: &Token<'_>| {
        ["bootfile-name", "tftp-server-name", "next-server"].iter().any(|name| word.is_word(name))
    };
    let after = all.iter().position(is_name).map_or(1, |at| at + 1);
    let values = all.iter().skip(after).filter(|token| !token.is_symbol(b'='));
    let text = values.map(|token| match token.kind {
        TokenKind::Text => String::from_utf8_lossy(&unquote(token.bytes)).into_owned(),
        _ => String::from_utf8_lossy(token.bytes).into_owned(),
    });
    text.collect()
}

/// `subnet ADDRESS netmask MASK`.
pub(super) fn network(bytes: &[u8], statement: &Statement) -> Option<Network> {
    if statement.keyword != Keyword::Scope {
        return None;
    }
    let mut all = words(bytes, statement);
    all.next().filter(|word| word.is_word("subnet"))?;
    let text: String = all.map(|token| String::from_utf8_lossy(token.bytes).into_owned() + " ").collect();
    let text = text.replace(" . ", ".");
    let mut parts = text.split_ascii_whitespace();
    let address = parts.next()?.parse().ok()?;
    parts.next().filter(|word| word.eq_ignore_ascii_case("netmask"))?;
    Some(Network { address, netmask: parts.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests;
