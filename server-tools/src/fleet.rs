//! Which hosts a job is for: asked for by name, by a pattern, by group, or all there are.
//!
//! A host that is named must be usable, or nothing begins. One that a pattern, a group or `--all` chooses may fail alone. What
//! usable means is known elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use anyhow::anyhow;
use ghost_contract::HostName;
use ghost_contract::host::HostNameError;
use glob::Pattern;

/// A word by which hosts are chosen: a host's name, or a pattern such as `pc*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    Host(HostName),
    /// `*` stands for any characters, `?` for one, `[1-4]` for one of these.
    Like(Pattern),
}

/// Why a word chooses no hosts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    #[error(transparent)]
    Host(#[from] HostNameError),
    #[error("'{0}' is neither a host name nor a pattern of host names: {1}")]
    Pattern(String, &'static str),
}

impl FromStr for Member {
    type Err = MemberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.contains(['*', '?', '[', ']']) {
            return Ok(Self::Host(text.parse()?));
        }
        let pattern = Pattern::new(text).map_err(|error| MemberError::Pattern(text.to_owned(), error.msg))?;
        Ok(Self::Like(pattern))
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Like(pattern) => pattern.fmt(f),
        }
    }
}

/// The words of a group, between blanks.
pub(crate) fn members(text: &str) -> Result<Vec<Member>, MemberError> {
    text.split_whitespace().map(str::parse).collect()
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted<'a> {
    pub members: &'a [Member],
    /// The names of groups.
    pub groups: &'a [String],
    pub all: bool,
}

/// The hosts that are meant, each at most once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Those that were asked for by name.
    pub named: Vec<HostName>,
    /// The others.
    pub grouped: Vec<HostName>,
}

impl Chosen {
    pub fn hosts(&self) -> Vec<HostName> {
        [self.named.as_slice(), self.grouped.as_slice()].concat()
    }
}

/// Chooses among the hosts of the DHCP configuration. An error if a word or a group chooses nobody: it is misspelt.
pub fn choose(
    wanted: &Wanted<'_>,
    groups: &BTreeMap<String, Vec<Member>>,
    known: &[HostName],
) -> anyhow::Result<Chosen> {
    let mut chosen = Chosen::default();
    let mut seen = BTreeSet::new();
    let named = wanted.members.iter().filter_map(|member| match member {
        Member::Host(host) => Some(host),
        Member::Like(_) => None,
    });
    chosen.named.extend(named.filter(|host| seen.insert((*host).clone())).cloned());
    let mut more = Vec::new();
    for member in wanted.members {
        if let Member::Like(pattern) = member {
            let like = like(pattern, known);
            if like.is_empty() {
                return Err(anyhow!(
                    "no host is called like '{pattern}'; 'ghostctl hosts' lists those that there are"
                ));
            }
            more.extend(like);
        }
    }
    for name in wanted.groups {
        let members = groups.get(name).ok_or_else(|| no_group(name, groups))?;
        let hosts: Vec<HostName> = members.iter().flat_map(|member| hosts(member, known)).collect();
        if hosts.is_empty() {
            return Err(anyhow!(
                "the group {name} has no hosts: GROUP_{name} in ghostrc names none that there are"
            ));
        }
        more.extend(hosts);
    }
    if wanted.all {
        more.extend_from_slice(known);
    }
    chosen.grouped = more.into_iter().filter(|host| seen.insert(host.clone())).collect();
    if seen.is_empty() {
        return Err(anyhow!("the DHCP configuration has no hosts with a name and a hardware address"));
    }
    Ok(chosen)
}

/// The hosts that a word of a group chooses. A name that nobody has is one of them: its job is refused by name.
fn hosts(member: &Member, known: &[HostName]) -> Vec<HostName> {
    match member {
        Member::Host(host) => vec![host.clone()],
        Member::Like(pattern) => like(pattern, known),
    }
}

fn like(pattern: &Pattern, known: &[HostName]) -> Vec<HostName> {
    known.iter().filter(|host| pattern.matches(host.as_str())).cloned().collect()
}

fn no_group(name: &str, groups: &BTreeMap<String, Vec<Member>>) -> anyhow::Error {
    if groups.is_empty() {
        return anyhow!("there is no group {name}: write GROUP_{name}='john joe pc*' in ghostrc");
    }
    let there: Vec<&str> = groups.keys().map(String::as_str).collect();
    anyhow!("there is no group {name} in ghostrc; there are {}", there.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<HostName> {
        text.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    /// What words and groups choose where there are john, joe, pc1, pc2 and pc10, in the form `named | others`.
    fn chosen(words: &str, groups: &[&str], all: bool) -> Result<String, String> {
        let known = names("john joe pc1 pc2 pc10");
        let written = [("lab1", "john pc?"), ("lab2", "pc2 pc1* gone"), ("empty", "x*")];
        let written = written.map(|(name, text)| (name.to_owned(), members(text).unwrap())).into();
        let (members, groups) =
            (members(words).unwrap(), groups.iter().map(ToString::to_string).collect::<Vec<_>>());
        let wanted = Wanted { members: &members, groups: &groups, all };
        let in_words = |hosts: &[HostName]| hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(" ");
        choose(&wanted, &written, &known)
            .map(|chosen| format!("{} | {}", in_words(&chosen.named), in_words(&chosen.grouped)))
            .map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_name_must_be_usable_and_what_is_chosen_otherwise_may_fail_alone() {
        for (words, groups, all, expected) in [
            ("john", &[][..], false, "john | "),
            ("jhon", &[], false, "jhon | "),
            ("pc* john", &[], false, "john | pc1 pc2 pc10"),
            ("pc[2-9]", &[], false, " | pc2"),
            ("", &["lab1"], false, " | john pc1 pc2"),
            ("pc2", &["lab1", "lab2"], false, "pc2 | john pc1 pc10 gone"),
            ("", &[], true, " | john joe pc1 pc2 pc10"),
            ("joe joe", &[], true, "joe | john pc1 pc2 pc10"),
        ] {
            assert_eq!(chosen(words, groups, all).unwrap(), expected, "{words} {groups:?} {all}");
        }
    }

    #[test]
    fn what_chooses_nobody_is_misspelt() {
        for (words, groups, said) in [
            ("x*", &[][..], "no host is called like 'x*'"),
            ("", &["lab3"], "there is no group lab3 in ghostrc; there are empty, lab1, lab2"),
            ("", &["empty"], "the group empty has no hosts: GROUP_empty"),
        ] {
            let error = chosen(words, groups, false).unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
    }

    #[test]
    fn a_word_is_a_host_name_or_a_pattern() {
        for word in ["john", "pc*", "pc?", "pc[1-4]", "*"] {
            assert_eq!(word.parse::<Member>().unwrap().to_string(), word);
        }
        for word in ["", "-john", "jo hn", "pc[1", "a***b", "../x"] {
            assert!(word.parse::<Member>().is_err(), "{word}");
        }
    }
}
