//! `ghostctl setup --remove`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use super::{Line, indented};
use crate::base_root::Place;
use crate::base_root::boot_files;
use crate::cli::{Everywhere, SetupArgs};
use crate::dhcp::{Change, Running};
use crate::exit::{Exit, WithExit as _};
use crate::output::Output;
use crate::setup::perform::{edit, note_to_take_up, remove_if_empty, run_and_see, take_up_left};
use crate::setup::removal::{self, Around, Removal, Undo};
use crate::setup::{alone, exported, observe};
use crate::site::Site;
use crate::state::boot_files as copied;
use crate::state::made::Made;
use crate::state::paths;
use crate::sys::atomic::{self, Real};
use crate::sys::{folder_tree, service, unit};
use crate::verbs::dhcp::by_hand;
use crate::verbs::root::in_use;
use crate::verbs::{confirmation, root};

/// How long a service may take to stop, or to restart.
const RUN_DEADLINE: Duration = Duration::from_secs(120);

pub(super) fn run(
    everywhere: &Everywhere,
    arguments: &SetupArgs,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let path = &everywhere.config;
    let bytes = observe::file(path)?.ok_or_else(|| {
        anyhow!("there is no {}, which says where what was made is", path.display()).exit(Exit::Configuration)
    })?;
    let site = Site::planned(super::parse(path, &bytes)?, everywhere.lock_timeout);
    root::require_no_jobs(&site)?;
    by_hand::require_nothing_swapped(&site)?;
    let state = &site.ghostrc.state_folder;
    let mut made = Made::read(state)?;
    let removal = plan(&site, &made, path)?;
    for step in &removal.steps {
        let (words, diff) = (step.to_string(), step.diff());
        output.either(&Line::ToUndo(&words), || format!("will {words}"));
        if !diff.is_empty() {
            output.either(&Line::Diff(&diff), || indented(&diff));
        }
    }
    removal.left.iter().for_each(|left| output.either(&Line::Remark(left), || format!("note: {left}")));
    if removal.steps.is_empty() {
        let nothing = "nothing is to be taken away";
        output.either(&Line::Remark(nothing), || nothing.to_owned());
        return Ok(Exit::Done);
    }
    if arguments.dry_run {
        return Ok(Exit::Done);
    }
    confirmation::agree(arguments.yes, "Take these away?")?;
    let _record = alone::take(&site, "ghostctl setup --remove", output)?;
    if Made::read(state)? != made {
        let words =
            "another ghostctl has changed what setup has made, so nothing was taken away; run this again";
        return Err(anyhow!(words).exit(Exit::Busy));
    }
    let _no_build = in_use::building(&site, "ghostctl setup --remove")?;
    let _alone = in_use::alone(&site, "ghostctl setup --remove")?;
    // A person may have swapped one while this was asked.
    by_hand::require_nothing_swapped(&site)?;
    for (at, step) in removal.steps.iter().enumerate() {
        if let Err(error) = undo(&site, step, &mut made, output).and_then(|()| forget(step, &mut made, state))
        {
            for left in removal.steps.iter().skip(at + 1) {
                let words = left.to_string();
                output.either_left(&Line::NotUndone(&words), || format!("left undone: {words}"));
            }
            let words =
                format!("cannot {step}. What is above was done; when this is mended, give the command again");
            return Err(error.context(words));
        }
        let words = step.to_string();
        output.either(&Line::Undone(&words), || format!("done: {words}"));
    }
    // They stay with the images.
    made.folders.retain(|folder| !site.ghostrc.store_folder.starts_with(folder));
    made.pending.clear();
    made.written.retain(|written| !removal.gone.contains(written));
    // The others go on.
    made.units.clear();
    made.save(state)?;
    if made.is_nothing() {
        forget_all(state)?;
    }
    Ok(Exit::Done)
}

fn plan(site: &Site, made: &Made, settings: &Path) -> anyhow::Result<Removal> {
    let around = Around {
        now: &observe::file,
        dhcp: site.dhcp_kind.traits(),
        configuration: &|changes| {
            let goes = |change: &Change| change.file == site.dhcp_configuration && change.contents.is_empty();
            let is_there = site.dhcp_configuration.exists() && !changes.iter().any(goes);
            is_there.then(|| site.dhcp().read_with(changes)).transpose()
        },
        is_dhcp_installed: observe::is_dhcp_installed(site),
        base_root: Place::of(&site.ghostrc).ok().map(|place| place.base).filter(|base| base.exists()),
        has_boot_files: !copied::read(&site.ghostrc.state_folder)?.is_empty(),
        serves_others: &|unit| match unit {
            "tftpd-hpa" => observe::files_of_others(&site.ghostrc),
            nfs => observe::exports_of_others(nfs),
        },
    };
    removal::plan(made, settings, &site.ghostrc.store_folder, &around)
}

fn undo(site: &Site, step: &Undo, made: &mut Made, output: &mut Output) -> anyhow::Result<()> {
    match step {
        // Its package is gone, or it was masked: nothing starts it again.
        Undo::Unit { name, .. } if !unit::is_there(name) || unit::is_masked(name) => Ok(()),
        Undo::Unit { name, disables, stops } => {
            // Each for itself, as when setup had it run.
            let verbs = [("disable", *disables), ("stop", *stops)];
            for (verb, _) in verbs.iter().filter(|(_, is_wanted)| *is_wanted) {
                service::run(&["systemctl", verb, name].map(str::to_owned), RUN_DEADLINE)?;
            }
            Ok(())
        }
        Undo::Run(words) => run_and_see(site, words),
        Undo::Dhcp(changes) => {
            note_to_take_up(site, changes, made)?;
            edit(site, output, |offers| offers.change(changes)).map(|_ticket| ())
        }
        Undo::TakeUp => take_up_left(site, made),
        Undo::NoTakeUp => {
            made.to_take_up.clear();
            if site.dhcp().running() == Running::Ours {
                say_that_it_runs(&site.dhcp_configuration, output);
            }
            made.save(&site.ghostrc.state_folder)
        }
        Undo::RemoveDhcp(change) => {
            note_to_take_up(site, std::slice::from_ref(change), made)?;
            edit(site, output, |offers| offers.remove(change))?;
            if change.file == site.dhcp_configuration && !made.to_take_up.is_empty() {
                made.to_take_up.clear();
                say_that_it_runs(&change.file, output);
            }
            Ok(())
        }
        Undo::File { path, now, earlier } => put(site, path, (now, earlier.as_deref()), made),
        Undo::Edit { path, now, after, .. } => put(site, path, (now, Some(after)), made),
        Undo::BootFiles => {
            let left = boot_files::take_away(&site.ghostrc.tftp_base, &site.ghostrc.state_folder)?;
            left.iter().for_each(|name| {
                let words = format!(
                    "{} is not as it was copied, so it stays",
                    site.ghostrc.tftp_base.join(name).display()
                );
                output.either(&Line::Remark(&words), || format!("note: {words}"));
            });
            Ok(())
        }
        Undo::BaseRoot(base) => base_root(site, base),
        Undo::Folder(path) => remove_if_empty(path).map(|_is_gone| ()),
    }
}

fn say_that_it_runs(configuration: &Path, output: &mut Output) {
    let words = format!(
        "the DHCP server still serves what was in {}: stop it, as setup has not started it",
        configuration.display()
    );
    output.either(&Line::Remark(&words), || format!("note: {words}"));
}

/// Gives a file other contents than those that were shown; without any it goes.
fn put(
    site: &Site,
    path: &Path,
    (now, after): (&Vec<u8>, Option<&[u8]>),
    made: &mut Made,
) -> anyhow::Result<()> {
    if observe::file(path)?.as_ref() != Some(now) {
        let words = "has been changed since it was shown, so it was left as it is; run this again";
        return Err(anyhow!("{} {words}", path.display()).exit(Exit::Busy));
    }
    if let Some(words) = exported::after_removal(path, now) {
        made.pending.push(words);
        made.save(&site.ghostrc.state_folder)?;
    }
    match after {
        Some(after) => atomic::replace(path, after, &mut Real),
        None => remove_file(path),
    }
}

/// The base root with the boot files and the clients' trees beside it.
fn base_root(site: &Site, base: &Path) -> anyhow::Result<()> {
    let place = Place::of(&site.ghostrc)?;
    if place.base != *base {
        return Err(anyhow!(
            "PXEBASE is another folder by now than {}; remove that one by hand",
            base.display()
        )
        .exit(Exit::Configuration));
    }
    let trees = ghost_contract::layout::trees(base);
    let beside = place.left_by_scripts();
    let (files, folders): (Vec<&Path>, Vec<&Path>) = [base, &place.boot_files, &trees]
        .into_iter()
        .chain(beside.iter().map(PathBuf::as_path))
        .partition(|path| path.is_file());
    folders.iter().try_for_each(|folder| require_no_image_in(&site.ghostrc.store_folder, folder))?;
    folders.into_iter().try_for_each(folder_tree::remove)?;
    files.into_iter().try_for_each(remove_file)?;
    remove_if_empty(&place.folder).map(|_is_gone| ())
}

/// However the image store is named: a link may lead to it.
fn require_no_image_in(store: &Path, folder: &Path) -> anyhow::Result<()> {
    let (Ok(real_store), Ok(real)) = (fs::canonicalize(store), fs::canonicalize(folder)) else {
        // What is not there holds nothing.
        return Ok(());
    };
    if !real_store.starts_with(&real) {
        return Ok(());
    }
    let words = format!("the image store {} is in {}, so that stays", store.display(), folder.display());
    Err(anyhow!(words).exit(Exit::Configuration))
}

fn remove_file(path: &Path) -> anyhow::Result<()> {
    fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
}

/// What is taken away is none of ours any more.
fn forget(step: &Undo, made: &mut Made, state: &Path) -> anyhow::Result<()> {
    match step {
        Undo::Unit { name, .. } => drop(made.units.remove(name)),
        Undo::Dhcp(changes) => made.written.retain(|written| {
            let change = changes.iter().find(|change| change.file == written.file);
            change.is_none_or(|change| String::from_utf8_lossy(&change.contents).contains(&written.text))
        }),
        Undo::RemoveDhcp(Change { file, .. }) => {
            made.written.retain(|written| written.file != *file);
            made.dhcp_configuration.take_if(|made| made == file);
            made.dhcp_files.remove(file);
        }
        Undo::File { path, .. } | Undo::Edit { path, .. } => drop(made.files.remove(path)),
        Undo::BaseRoot(_) => made.base_root = None,
        Undo::Folder(path) => made.folders.retain(|folder| folder != path),
        Undo::Run(words) => made.pending.retain(|pending| pending != words),
        Undo::TakeUp | Undo::NoTakeUp | Undo::BootFiles => return Ok(()),
    }
    made.save(state)
}

fn forget_all(state: &Path) -> anyhow::Result<()> {
    let kept = paths::kept_by_setup(state);
    if kept.exists() {
        fs::remove_dir_all(&kept).with_context(|| format!("cannot remove {}", kept.display()))?;
    }
    remove_file(&paths::made(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_store_is_found_behind_a_link() {
        let here = tempfile::tempdir().unwrap();
        let path = |name: &str| here.path().join(name);
        fs::create_dir_all(path("base/kept/images")).unwrap();
        fs::create_dir(path("base-2")).unwrap();
        std::os::unix::fs::symlink(path("base/kept"), path("backup")).unwrap();
        for (store, folder, stays) in [
            ("backup/images", "base", true),
            ("backup", "base/kept", true),
            ("base-2", "base", false),
            ("nowhere", "base", false),
            ("backup", "nowhere", false),
        ] {
            assert_eq!(require_no_image_in(&path(store), &path(folder)).is_err(), stays, "{store} {folder}");
        }
    }
}
