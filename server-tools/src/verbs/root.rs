//! `ghostctl root`: makes the root that clients boot from, and says whether it is up to date.

pub(crate) mod in_use;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::Serialize;

use crate::base_root::{Library, MadeFrom, Place, boot_files};
use crate::cli::RootVerb;
use crate::exit::{Exit, WithExit as _};
use crate::exports::always;
use crate::output::{Form, Output};
use crate::setup::exported::Nfs;
use crate::setup::{alone, observe};
use crate::site::Site;
use crate::state::journal;
use crate::state::made::Made;
use crate::sys::{program, service};

/// Hundreds of megabytes come over what may be a thin line.
const BUILD_DEADLINE: Duration = Duration::from_secs(3 * 60 * 60);
const LOOK_DEADLINE: Duration = Duration::from_secs(10 * 60);
const EXPORT_DEADLINE: Duration = Duration::from_secs(60);
/// What those are told who have to wait for its locks.
const PURPOSE: &str = "ghostctl root build";

pub(super) fn run(site: &Site, verb: &RootVerb, output: &mut Output) -> anyhow::Result<Exit> {
    match verb {
        RootVerb::Build => build(site, &mut |place, output| note(site, place, output), output),
        RootVerb::Status => status(site, output),
    }
}

/// Writes down what is made, so that `setup --remove` takes it away.
fn note(site: &Site, place: &Place, output: &mut Output) -> anyhow::Result<()> {
    let state = &site.ghostrc.state_folder;
    let _alone = alone::take(site, PURPOSE, output)?;
    Made::read(state)?.will_make(state, place)
}

/// `note` is called before anything is made.
pub(crate) fn build(
    site: &Site,
    note: &mut dyn FnMut(&Place, &mut Output) -> anyhow::Result<()>,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let (place, library) = (Place::of(&site.ghostrc)?, Library::installed()?);
    let building = in_use::building(site, PURPOSE)?;
    // Who cannot put it in place now need not make it.
    drop(in_use::alone(site, PURPOSE)?);
    // The scripts go on when this program is killed.
    building.share_with_children().context("cannot have the build hold its lock")?;
    note(&place, output)?;
    output.either(&Begun { making: &place.folder }, || {
        format!("making {}; this takes minutes, and some 250 MB come from Debian", place.folder.display())
    });
    let export = format!("NFSROOT={}:{}", site.ghostrc.boot_server, place.base.display());
    let settings = settings_of(site).into_iter().map(|(key, value)| format!("{key}={value}"));
    let settings: Vec<String> = settings.chain([export]).collect();
    let programs = library.programs()?;
    let install = |place: &Place, output: &mut Output| {
        let arguments: Vec<&Path> =
            programs.iter().map(AsRef::as_ref).chain([place.folder.as_path()]).collect();
        script(&settings, &library.script("install-init"), &arguments, output)
    };
    make_beside(&settings, &place, &library, output)?;
    if let Some(beside) = place.beside() {
        install(&beside, output)?;
    }
    let alone = in_use::alone(site, PURPOSE).with_context(|| match place.beside() {
        Some(beside) => {
            format!("the new base root is whole, in {}, and not in place yet", beside.folder.display())
        }
        None => "the base root needs no other packages, and was not changed".to_owned(),
    })?;
    alone.share_with_children().context("cannot have the scripts hold the lock")?;
    script(&settings, &library.script("build"), &[place.folder.as_path()], output)?;
    install(&place, output)?;
    let tftp = &site.ghostrc.tftp_base;
    let written = boot_files::copy(&place.boot_files, tftp, &site.ghostrc.state_folder)?;
    output.either(&Copied { copied: &written, into: tftp }, || copied(&written, tftp));
    export_base(site, &place, output).context("the base root is made, but not exported")?;
    Ok(Exit::Done)
}

/// Makes a base root beside the one that clients use, if another one is needed than is there or was made so before.
fn make_beside(
    settings: &[String],
    place: &Place,
    library: &Library,
    output: &mut Output,
) -> anyhow::Result<()> {
    let mut settings = [settings, &["BESIDE=yes".to_owned()]].concat();
    let beside = place.beside();
    let newest = beside.as_ref().unwrap_or(place);
    // By itself the script looks at what it is made from, and not at Debian.
    if newest.made_from().is_some() && !newer_packages(newest, library)?.is_empty() {
        settings.push("ANEW=yes".to_owned());
    }
    script(&settings, &library.script("build"), &[place.folder.as_path()], output)
}

/// Has Linux' own NFS server export the base root to the clients that the file of `setup` names, if it does not yet: it could not while
/// there was none.
fn export_base(site: &Site, place: &Place, output: &mut Output) -> anyhow::Result<()> {
    let text = observe::file(Path::new(Nfs::Kernel.own_file()))?.unwrap_or_default();
    let of_base: Vec<_> = always::of_file(&text).into_iter().filter(|line| line.path == place.base).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    if of_base.is_empty() || program::find("exportfs", &path).is_err() {
        return Ok(());
    }
    let new = always::not_listed(&site.ghostrc, of_base);
    for words in always::exporting(&new) {
        always::run(&site.ghostrc, &words, EXPORT_DEADLINE)?;
    }
    if !new.is_empty() {
        let (exported, to) = (&place.base, always::clients(&new));
        output.either(&Told { exported, to: &to }, || format!("exported {} to {to}", exported.display()));
    }
    Ok(())
}

/// What the base root is made with. Clients that have trees of their own are told where.
fn settings_of(site: &Site) -> BTreeMap<String, String> {
    let mut settings = site.ghostrc.of_base_root.clone();
    if site.ghostrc.exports.keeps_apart() {
        let flags = settings.entry("KERNEL_FLAGS".to_owned()).or_default();
        let trees = format!("ghost.trees={}:{}", site.ghostrc.boot_server, site.trees().display());
        *flags = format!("{flags} {trees}").trim_start().to_owned();
    }
    settings
}

#[derive(Serialize)]
struct Begun<'a> {
    making: &'a Path,
}

#[derive(Serialize)]
struct Told<'a> {
    exported: &'a Path,
    to: &'a str,
}

#[derive(Serialize)]
struct Copied<'a> {
    copied: &'a [String],
    into: &'a Path,
}

fn copied(written: &[String], tftp: &Path) -> String {
    match written {
        [] => format!("{} has all boot files as they were made", tftp.display()),
        some => format!("copied to {}: {}", tftp.display(), some.join(", ")),
    }
}

/// A client at work has its root there.
pub(crate) fn require_no_jobs(site: &Site) -> anyhow::Result<()> {
    let seen = journal::look_at_all(&site.ghostrc.state_folder)?;
    let states = seen.into_iter().filter_map(|seen| seen.says.state);
    let hosts: Vec<String> = states.map(|state| state.begun.identity.host.to_string()).collect();
    if hosts.is_empty() {
        return Ok(());
    }
    Err(anyhow!(
        "there are jobs, and their clients have their root there: {}. Wait for them; 'ghostctl recover' ends what a crash has left",
        hosts.join(", ")
    )
    .exit(Exit::Busy))
}

/// Runs one of the scripts, and tells what it says.
fn script(
    settings: &[String],
    script: &Path,
    arguments: &[&Path],
    output: &mut Output,
) -> anyhow::Result<()> {
    let paths = [script].into_iter().chain(arguments.iter().copied());
    let paths = paths.map(|path| path.to_str().map(str::to_owned).context("a path that is not UTF-8"));
    let words = ["env".to_owned()].into_iter().chain(settings.iter().cloned()).map(Ok).chain(paths);
    let said = service::run(&words.collect::<anyhow::Result<Vec<_>>>()?, BUILD_DEADLINE)?;
    if output.form() == Form::Plain {
        said.lines().for_each(|line| output.line(line));
    }
    Ok(())
}

/// The names of the packages in the base root of which Debian has newer versions.
fn newer_packages(place: &Place, library: &Library) -> anyhow::Result<Vec<String>> {
    let program = library.script("newer-packages");
    // timeout(1) ends it at the deadline, and says so by this status.
    let (deadline, hung) = (LOOK_DEADLINE.as_secs().to_string(), Some(124));
    let output =
        Command::new("timeout").arg(deadline).arg(&program).arg(&place.folder).stdin(Stdio::null()).output();
    let output = output.context("cannot run timeout(1)")?;
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match output.status {
        status if status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
        }
        status if status.code() == hung => {
            Err(anyhow!("whether Debian has newer packages was not to be told in time: {words}")
                .exit(Exit::Busy))
        }
        status => Err(anyhow!("cannot tell whether Debian has newer packages ({status}): {words}")),
    }
}

/// What is there, and what is newer than it.
#[derive(Serialize)]
struct Status {
    base: String,
    kernel: String,
    archive: String,
    /// Programs in it that are not the installed ones.
    other_programs: Vec<String>,
    /// Boot files that the TFTP server's folder does not have as they were made.
    boot_files_behind: Vec<String>,
    /// Packages of which Debian has newer versions.
    newer_packages: Vec<String>,
}

impl Status {
    const fn is_up_to_date(&self) -> bool {
        self.other_programs.is_empty() && self.boot_files_behind.is_empty() && self.newer_packages.is_empty()
    }

    fn lines(&self) -> Vec<String> {
        let mut lines =
            vec![format!("{}: linux {}, from Debian's archive of {}", self.base, self.kernel, self.archive)];
        let mut tell = |good: &str, behind: &str, names: &[String]| {
            lines.push(if names.is_empty() {
                good.to_owned()
            } else {
                format!("{behind}: {}", names.join(", "))
            });
        };
        tell(
            "the clients' programs are the installed ones",
            "other programs than the installed ones",
            &self.other_programs,
        );
        tell(
            "the TFTP server's folder has the boot files",
            "not in the TFTP server's folder as they were made",
            &self.boot_files_behind,
        );
        tell("Debian has no newer packages", "Debian has newer packages", &self.newer_packages);
        if !self.is_up_to_date() {
            lines.push("mend: call 'ghostctl root build' when no job runs".to_owned());
        }
        lines
    }
}

fn status(site: &Site, output: &mut Output) -> anyhow::Result<Exit> {
    let (place, library) = (Place::of(&site.ghostrc)?, Library::installed()?);
    let MadeFrom { kernel, archive } = place.made_from().ok_or_else(|| {
        anyhow!("there is no base root in {}: call 'ghostctl root build'", place.folder.display())
            .exit(Exit::Configuration)
    })?;
    let status = Status {
        base: place.base.display().to_string(),
        kernel,
        archive,
        other_programs: place.other_programs(&library)?,
        boot_files_behind: boot_files::behind(&place.boot_files, &site.ghostrc.tftp_base)?,
        newer_packages: newer_packages(&place, &library)?,
    };
    match output.form() {
        Form::Json => output.json(&status),
        Form::Plain => status.lines().iter().for_each(|line| output.line(line)),
    }
    Ok(if status.is_up_to_date() { Exit::Done } else { Exit::Failed })
}
