//! Performs one step. What it makes is written down before it is made.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use super::{DhcpStep, FileStep, Step};
use super::{exported, observe};
use crate::base_root::Place;
use crate::catalog::Catalog;
use crate::dhcp::adding::Written;
use crate::dhcp::offer::Offers;
use crate::dhcp::restart::Restarts;
use crate::dhcp::{Change, Running};
use crate::exit::{Exit, WithExit as _};
use crate::exports::always;
use crate::output::Output;
use crate::site::Site;
use crate::state::made::Made;
use crate::sys::atomic::{self, Real};
use crate::sys::{crash, service};
use crate::verbs::dhcp::changing;
use crate::verbs::root;

/// How long a command may take. Starting a service takes at most 90 s by itself (systemd-system.conf(5)).
const RUN_DEADLINE: Duration = Duration::from_secs(120);

pub(crate) fn perform(site: &Site, step: &Step, made: &mut Made, output: &mut Output) -> anyhow::Result<()> {
    let state = &site.ghostrc.state_folder;
    match step {
        Step::Folder(path) => folders(path, made, state),
        Step::File(file) => write(file, made, state),
        Step::ClientFolders(hosts) => {
            let catalog = Catalog::of(&site.ghostrc);
            hosts.iter().try_for_each(|(host, ip)| {
                site.tree(*ip).make_home()?;
                catalog.make_host_folders(host)
            })
        }
        Step::BaseRoot => {
            let mut note = |place: &Place, _: &mut Output| made.will_make(state, place);
            root::build(site, &mut note, output).map(|_exit| ())
        }
        Step::Dhcp(dhcp) => change_dhcp(site, dhcp, made, output),
        Step::TakeUp => take_up_left(site, made),
        Step::Run(words) => {
            let restarts = exported::restarts_ganesha(words);
            // One that begins meanwhile waits.
            let _alone = restarts.then(|| root::in_use::alone(site, "ghostctl setup")).transpose()?;
            run_and_see(site, words)?;
            made.pending.retain(|pending| pending != words);
            made.save(state)
        }
        Step::Unit(unit) => {
            made.units.entry(unit.clone()).or_insert_with(|| observe::unit(unit));
            made.save(state)?;
            // Not `enable --now`: systemctl leaves the second half out for a SysV script, which isc-dhcp-server's is.
            ["enable", "start"].iter().try_for_each(|verb| run(&["systemctl", verb, unit].map(str::to_owned)))
        }
    }
}

/// Runs a command. What exportfs(8) did, the NFS server says.
pub(crate) fn run_and_see(site: &Site, words: &[String]) -> anyhow::Result<()> {
    if always::is_exportfs(words) { always::run(&site.ghostrc, words, RUN_DEADLINE) } else { run(words) }
}

fn run(words: &[String]) -> anyhow::Result<()> {
    service::run(words, RUN_DEADLINE)?;
    Ok(())
}

/// Makes a folder with those above it.
fn folders(path: &Path, made: &mut Made, state: &Path) -> anyhow::Result<()> {
    let missing: Vec<PathBuf> =
        path.ancestors().take_while(|above| !above.exists()).map(Path::to_owned).collect();
    for folder in missing.into_iter().rev() {
        made.folders.push(folder.clone());
        made.save(state)?;
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    Ok(())
}

fn write(step: &FileStep, made: &mut Made, state: &Path) -> anyhow::Result<()> {
    let FileStep { path, before, after } = step;
    if observe::file(path)? != *before {
        let words = "has been changed since it was shown, so it was left as it is; run this again";
        return Err(anyhow!("{} {words}", path.display()).exit(Exit::Busy));
    }
    folders(path.parent().unwrap_or(Path::new("/")), made, state)?;
    made.will_write(state, path, before.as_deref(), after)?;
    atomic::replace(path, after, &mut Real)
}

/// A server that ran and does not take it up gets the bytes back that it ran with.
fn change_dhcp(site: &Site, step: &DhcpStep, made: &mut Made, output: &mut Output) -> anyhow::Result<()> {
    let state = &site.ghostrc.state_folder;
    let main = site.dhcp_configuration.clone();
    made.written.extend(step.written.iter().cloned());
    if step.is_new && step.changes.len() == 1 {
        folders(main.parent().unwrap_or(Path::new("/")), made, state)?;
        made.dhcp_configuration = Some(main.clone());
        made.save(state)?;
        let contents = step.changes.first().map(|change| change.contents.clone()).unwrap_or_default();
        return edit(site, output, |offers| offers.create(&main, &contents))
            .inspect_err(|_| forget(step, made));
    }
    made.save(state)?;
    new_files(step, &main, made, state)?;
    // What an earlier run has not had taken up is so with this one.
    let earlier = made.to_take_up.clone();
    note_to_take_up(site, &step.changes, made)?;
    if let Err(error) = edit(site, output, |offers| offers.change(&step.changes)) {
        forget(step, made);
        made.to_take_up = earlier;
        return Err(error);
    }
    crash::point("setup-before-take-up");
    if made.to_take_up.is_empty() { Ok(()) } else { take_up_or_undo(site, step, made, output) }
}

/// Makes the files that are not there yet, empty, as they were read.
fn new_files(step: &DhcpStep, main: &Path, made: &mut Made, state: &Path) -> anyhow::Result<()> {
    for path in step.changes.iter().map(|change| &change.file).filter(|path| !path.exists()) {
        folders(path.parent().unwrap_or(Path::new("/")), made, state)?;
        if path == main {
            made.dhcp_configuration = Some(main.to_owned());
        } else {
            made.dhcp_files.insert(path.clone());
        }
        made.save(state)?;
        // The DHCP server reads it as a user of its own.
        let mut options = fs::File::options();
        let new = options.write(true).create_new(true).mode(0o644).open(path);
        new.with_context(|| format!("cannot make {}", path.display()))?;
    }
    Ok(())
}

fn take_up_or_undo(site: &Site, step: &DhcpStep, made: &mut Made, output: &mut Output) -> anyhow::Result<()> {
    let files: Vec<&Path> = step.changes.iter().map(|change| change.file.as_path()).collect();
    let Err(error) = take_up(site, &files) else {
        made.to_take_up.clear();
        return made.save(&site.ghostrc.state_folder);
    };
    let back: Vec<Change> = step.changes.iter().map(reversed).collect();
    let put_back =
        edit(site, output, |offers| offers.change(&back)).and_then(|_ticket| take_up(site, &files));
    forget(step, made);
    match put_back {
        Ok(()) => {
            // It is written down with the error.
            made.to_take_up.clear();
            Err(error.context("the DHCP server did not take the changes up, so they were undone"))
        }
        Err(again) => Err(again.context(format!(
            "{error:#}; the DHCP server did not take the changes up, and undoing them failed too"
        ))),
    }
}

fn reversed(change: &Change) -> Change {
    Change { file: change.file.clone(), read: change.contents.clone(), contents: change.read.clone() }
}

/// What does not stand there is none of ours. It is written down with the next step; until then it names text that is nowhere.
fn forget(step: &DhcpStep, made: &mut Made) {
    let stands = |written: &Written| {
        let now = observe::file(&written.file).ok().flatten().unwrap_or_default();
        now.windows(written.text.len().max(1)).any(|window| window == written.text.as_bytes())
    };
    made.written.retain(|written| !step.written.contains(written) || stands(written));
    let is_empty = |path: &PathBuf| observe::file(path).is_ok_and(|now| now.is_none_or(|now| now.is_empty()));
    for path in made.dhcp_configuration.iter().chain(&made.dhcp_files).filter(|path| is_empty(path)) {
        // What cannot be removed is empty, and is removed with the rest.
        let _not_there = fs::remove_file(path);
    }
    made.dhcp_configuration.take_if(|path| !path.exists());
    made.dhcp_files.retain(|path| path.exists());
}

/// Notes what a DHCP server that runs has to take up. One that does not reads it when it starts.
pub(crate) fn note_to_take_up(site: &Site, changes: &[Change], made: &mut Made) -> anyhow::Result<()> {
    if site.dhcp().running() == Running::Ours {
        made.to_take_up.extend(changes.iter().map(|change| change.file.clone()));
    } else {
        made.to_take_up.clear();
    }
    made.save(&site.ghostrc.state_folder)
}

/// Has the DHCP server take up all that was noted, if it still runs.
pub(crate) fn take_up_left(site: &Site, made: &mut Made) -> anyhow::Result<()> {
    if !made.to_take_up.is_empty() && site.dhcp().running() == Running::Ours {
        let files: Vec<&Path> = made.to_take_up.iter().map(PathBuf::as_path).collect();
        take_up(site, &files)?;
    }
    made.to_take_up.clear();
    made.save(&site.ghostrc.state_folder)
}

/// Has the DHCP server serve what these files hold now. One that is down for them is started.
fn take_up(site: &Site, files: &[&Path]) -> anyhow::Result<()> {
    match site.dhcp().restart_for(files) {
        Some(_) => site.dhcp().restart(),
        None => changing::take_up(site, Restarts::of(site).draw(site.dhcp_kind)),
    }
}

pub(crate) fn edit<T>(
    site: &Site,
    output: &mut Output,
    edit: impl FnOnce(&mut Offers<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    changing::edit(site, "ghostctl setup", output, edit)
}

/// Removes a folder if nothing is in it. Whether it is gone.
pub(crate) fn remove_if_empty(path: &Path) -> anyhow::Result<bool> {
    match fs::remove_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot remove {}", path.display())),
    }
}
