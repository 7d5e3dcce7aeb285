//! NFS-Ganesha: its export manager is told over D-Bus, by busctl(1), which every Debian with systemd has.
//!
//! It knows exports by a number, and lists them with it and the path. After a reboot it knows only its configuration;
//! `ghostctl recover`, which runs then, has it export again what a client that is still at work needs.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::{Served, Wanted, block};
use crate::ghostrc::Ghostrc;
use crate::state::paths;
use crate::sys::{private, service};

/// The numbers of exports for jobs. Those that `ghostctl exports` prints come before.
const FIRST_ID: u16 = 20_000;
const LAST_ID: u16 = 65_000;
/// How often another number is tried: another job may have taken this one meanwhile.
const TRIES: u32 = 5;
const MANAGER: [&str; 6] = [
    "--system",
    "--json=short",
    "call",
    "org.ganesha.nfsd",
    "/org/ganesha/nfsd/ExportMgr",
    "org.ganesha.nfsd.exportmgr",
];

/// Where it is told: Ganesha reads a block of its configuration from a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) state_folder: &'a Path,
    pub(super) served: Served,
    pub(super) deadline: Duration,
}

impl<'a> Place<'a> {
    pub(super) fn of(ghostrc: &'a Ghostrc, deadline: Duration) -> Self {
        Self { state_folder: &ghostrc.state_folder, served: Served::by(ghostrc), deadline }
    }
}

pub(super) fn add(place: Place<'_>, ip: Ipv4Addr, one: &Wanted, number: u16) -> anyhow::Result<()> {
    // What a killed job has left may be for another address.
    remove(place, &one.path)?;
    let file = paths::ganesha_block(place.state_folder, ip);
    let named = file.to_str().filter(|path| !path.contains(char::is_whitespace));
    let named = named.with_context(|| format!("NFS-Ganesha cannot be told to read {}", file.display()))?;
    let mut tried = Ok(());
    for _ in 0..TRIES {
        let id = free(&exports(place)?, number)?;
        let written = file.parent().map_or(Ok(()), private::folder);
        let written = written
            .map_err(anyhow::Error::from)
            .and_then(|()| Ok(private::write(&file, block(one, id.into(), place.served)?.as_bytes())?));
        written.with_context(|| format!("cannot write {}", file.display()))?;
        let expression = format!("EXPORT(Export_Id={id})");
        tried = call(place, &["AddExport", "ss", named, &expression]).map(drop);
        if tried.is_ok() {
            break;
        }
    }
    let removed = std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()));
    tried.and(removed)
}

pub(super) fn remove(place: Place<'_>, path: &Path) -> anyhow::Result<()> {
    let found = exports(place)?.into_iter().filter(|(_, exported)| exported == path);
    for (id, _) in found {
        call(place, &["RemoveExport", "q", &id.to_string()])?;
    }
    Ok(())
}

/// All that it exports, by number.
pub(super) fn exports(place: Place<'_>) -> anyhow::Result<BTreeMap<u16, PathBuf>> {
    let reply = call(place, &["ShowExports"])?;
    listed(&reply).context("what NFS-Ganesha says of its exports cannot be read")
}

/// What `ShowExports` has answered: a time, and a list of exports that begin with number and path.
pub(crate) fn listed(reply: &str) -> Option<BTreeMap<u16, PathBuf>> {
    let reply: serde_json::Value = serde_json::from_str(reply).ok()?;
    let exports = reply.get("data")?.get(1)?.as_array()?;
    let one = |export: &serde_json::Value| {
        let id = u16::try_from(export.get(0)?.as_u64()?).ok()?;
        Some((id, PathBuf::from(export.get(1)?.as_str()?)))
    };
    exports.iter().map(one).collect()
}

/// A number that nothing has, the first from some point on. One that was just given up is not taken again at once: a client
/// could use what it remembers of that export.
fn free(taken: &BTreeMap<u16, PathBuf>, from: u16) -> anyhow::Result<u16> {
    let first = FIRST_ID + from % (LAST_ID - FIRST_ID + 1);
    let Some(id) = (first..=LAST_ID).chain(FIRST_ID..first).find(|id| !taken.contains_key(id)) else {
        bail!("NFS-Ganesha has no number left for another export")
    };
    Ok(id)
}

fn call(place: Place<'_>, words: &[&str]) -> anyhow::Result<String> {
    let words = [&["busctl"], &MANAGER[..], words].concat();
    let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    let said = service::ask(&words, place.deadline);
    said.context("NFS-Ganesha does not do as it is told over D-Bus; it must run, and so must dbus")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As NFS-Ganesha 4.3 answers.
    const REPLY: &str = r#"{"type":"(tt)a(qs((sb)(sb))(tt))","data":[[1795952536,357781290],[[4000,"/srv/root",[["NFSv3",false],["MNT",false]],[0,0]],[20077,"/srv/root.trees/192.168.7.2",[["NFSv3",false],["MNT",false]],[0,0]]]]}"#;

    #[test]
    fn its_exports_are_read_from_its_answer_and_nothing_else_is_taken_for_one() {
        let exports = listed(REPLY).unwrap();
        assert_eq!(exports.get(&20_077), Some(&PathBuf::from("/srv/root.trees/192.168.7.2")));
        assert_eq!(exports.len(), 2);
        for reply in ["", "{}", "[]", r#"{"data":[[1,2]]}"#, r#"{"data":[[1,2],[[70000,"/a"]]]}"#] {
            assert_eq!(listed(reply), None, "{reply}");
        }
    }

    #[test]
    fn a_number_that_is_taken_is_passed_over_and_never_one_of_the_administrators() {
        let taken = |ids: &[u16]| ids.iter().map(|id| (*id, PathBuf::new())).collect();
        assert_eq!(free(&taken(&[]), 0).unwrap(), FIRST_ID);
        assert_eq!(free(&taken(&[FIRST_ID, FIRST_ID + 1]), 0).unwrap(), FIRST_ID + 2);
        assert_eq!(free(&taken(&[LAST_ID]), LAST_ID - FIRST_ID).unwrap(), FIRST_ID);
        assert!((FIRST_ID..=LAST_ID).contains(&free(&taken(&[]), u16::MAX).unwrap()));
        let all: Vec<u16> = (FIRST_ID..=LAST_ID).collect();
        assert!(free(&taken(&all), 7).is_err());
    }
}
