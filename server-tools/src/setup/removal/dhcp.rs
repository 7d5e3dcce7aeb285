//! What is taken out of the DHCP configuration, and what has to stay in it for others.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{Around, Removal, Undo, first_line};
use crate::dhcp::adding::{Written, taken_out};
use crate::dhcp::{Change, Configuration};
use crate::doctor::facts::few;
use crate::state::made::Made;

impl Removal {
    pub(super) fn dhcp(&mut self, made: &Made, around: &Around<'_>) -> anyhow::Result<Vec<Undo>> {
        let goes = self.keep_needed(made, around)?;
        let (mut changes, mut removed) = (Vec::new(), Vec::new());
        let files = each_file(&goes, around, &mut |file| self.lost(made, file))?;
        let then: Vec<Change> = files.iter().map(|(change, _)| change.clone()).collect();
        let stay: Vec<String> = match (around.configuration)(&then)? {
            Some(left) => left.list().into_iter().map(|host| host.name).collect(),
            None => Vec::new(),
        };
        for (change, left) in files {
            left.into_iter().for_each(|written| self.leave(written, &change, &stay));
            if is_made(made, &change.file) && change.contents.is_empty() {
                removed.push(Undo::RemoveDhcp(change));
            } else if change.contents != change.read {
                changes.push(change);
            }
        }
        if !around.is_dhcp_installed && !changes.is_empty() {
            let removed = removed.iter().flat_map(Undo::changes);
            let files: Vec<String> =
                changes.into_iter().chain(removed).map(|change| change.file.display().to_string()).collect();
            let texts: Vec<String> =
                goes.iter().map(|written| format!("'{}'", first_line(&written.text))).collect();
            self.left.push(format!(
                "what was put into {} stays, since {} is gone, which would check the rest: take it out by hand ({}), or install {} first",
                files.join(", "),
                around.dhcp.name,
                few(texts.iter().map(String::as_str)),
                around.dhcp.package
            ));
            return Ok(Vec::new());
        }
        // What includes a file goes before it.
        let mut steps: Vec<Undo> = (!changes.is_empty()).then_some(Undo::Dhcp(changes)).into_iter().collect();
        steps.extend(removed);
        // Without its main file it cannot run.
        let removes_main = steps.iter().any(|step| {
            matches!(step, Undo::RemoveDhcp(change) if made.dhcp_configuration.as_ref() == Some(&change.file))
        });
        if !removes_main && (!steps.is_empty() || !made.to_take_up.is_empty()) {
            let is_left_without = around.dhcp.needs_network && !rest(&steps, around)?.has_network;
            steps.push(if is_left_without { Undo::NoTakeUp } else { Undo::TakeUp });
        }
        Ok(steps)
    }

    /// What may go of all that was put in. A network that hosts of others live in by now stays.
    fn keep_needed<'m>(&mut self, made: &'m Made, around: &Around<'_>) -> anyhow::Result<Vec<&'m Written>> {
        let mut goes: Vec<&Written> = made.written.iter().collect();
        let Some(before) = (around.configuration)(&[])? else { return Ok(goes) };
        loop {
            let hosts = stranded(before.as_ref(), &goes, around)?;
            if hosts.is_empty() {
                return Ok(goes);
            }
            let mut needed = None;
            for at in 0..goes.len() {
                let mut without = goes.clone();
                without.remove(at);
                if stranded(before.as_ref(), &without, around)?.len() < hosts.len() {
                    needed = Some(at);
                    break;
                }
            }
            let names = few(hosts.iter().map(String::as_str));
            let Some(at) = needed else {
                self.left.push(format!(
                    "what was put into the DHCP configuration stays, since {names} would lose the network"
                ));
                return Ok(Vec::new());
            };
            let Written { file, text, .. } = goes.remove(at);
            self.left.push(format!(
                "the network of {names} stays ({}: '{}')",
                file.display(),
                first_line(text)
            ));
        }
    }

    /// A file that is not there any more.
    fn lost(&mut self, made: &Made, file: &PathBuf) {
        self.left.push(format!("{} is not there any more", file.display()));
        self.gone.extend(made.written.iter().filter(|written| written.file == *file).cloned());
    }

    /// What does not stand there as it was put in. `stay` are the hosts that there are afterwards.
    fn leave(&mut self, written: &Written, change: &Change, stay: &[String]) {
        let what = match &written.host {
            Some(host) => host.to_string(),
            None => format!("'{}'", first_line(&written.text)),
        };
        let stays = match &written.host {
            Some(host) => stay.iter().any(|name| name == host.as_str()),
            None => String::from_utf8_lossy(&change.contents).contains(first_line(&written.text)),
        };
        let file = change.file.display();
        if stays {
            self.left.push(format!("{file}: {what} has been changed since, so it stays; remove it by hand"));
        } else {
            self.left.push(format!("{file}: {what} is not there any more"));
            self.gone.push(written.clone());
        }
    }
}

fn is_made(made: &Made, file: &PathBuf) -> bool {
    made.dhcp_configuration.as_ref() == Some(file) || made.dhcp_files.contains(file)
}

/// Each file without these stretches, and those that do not stand there.
fn each_file<'w>(
    goes: &[&'w Written],
    around: &Around<'_>,
    lost: &mut dyn FnMut(&PathBuf),
) -> anyhow::Result<Vec<(Change, Vec<&'w Written>)>> {
    let files: BTreeSet<&PathBuf> = goes.iter().map(|written| &written.file).collect();
    let mut all = Vec::new();
    for file in files {
        let Some(read) = (around.now)(file)? else {
            lost(file);
            continue;
        };
        let of_file: Vec<&Written> = goes.iter().copied().filter(|written| written.file == *file).collect();
        let (contents, left) = taken_out(&read, &of_file);
        all.push((Change { file: file.clone(), read, contents }, left));
    }
    Ok(all)
}

/// The hosts that stay, and whose addresses would be in no network any more.
fn stranded(
    before: &dyn Configuration,
    goes: &[&Written],
    around: &Around<'_>,
) -> anyhow::Result<Vec<String>> {
    let changes: Vec<Change> =
        each_file(goes, around, &mut |_| ())?.into_iter().map(|(change, _)| change).collect();
    let Some(after) = (around.configuration)(&changes)? else { return Ok(Vec::new()) };
    let (mut names, mut hosts) = (Vec::new(), Vec::new());
    for host in after.list() {
        // A name that no host has asks for the address alone.
        let asked = host.name.parse().or_else(|_| "0".parse());
        if let (Some(ip), Ok(asked)) = (host.ip, asked) {
            hosts.push((asked, ip));
            names.push(host.name);
        }
    }
    let (had, have) = (before.reaches(&hosts), after.reaches(&hosts));
    let lost = names.into_iter().zip(had.iter().zip(&have));
    let lost = lost.filter(|(_, (had, has))| had.network.is_some() && has.network.is_none());
    Ok(lost.map(|(name, _)| name).collect())
}

/// What is left of the DHCP configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    pub(super) has_network: bool,
    /// Whether it serves others than those who were put in.
    pub(super) has_others: bool,
}

pub(super) fn rest(steps: &[Undo], around: &Around<'_>) -> anyhow::Result<Rest> {
    let changes: Vec<Change> = steps.iter().flat_map(Undo::changes).collect();
    let Some(left) = (around.configuration)(&changes)? else {
        return Ok(Rest { has_network: false, has_others: false });
    };
    let has_network = !left.networks().is_empty();
    Ok(Rest { has_network, has_others: has_network || !left.list().is_empty() })
}
