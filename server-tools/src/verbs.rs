//! What each verb does. A verb brings the other modules together; what happens in a job is decided in `job`.

pub(crate) mod bootdisk;
pub(crate) mod cancel;
mod confirmation;
pub(crate) mod dhcp;
pub(crate) mod doctor;
mod exports;
pub(crate) mod hosts;
pub(crate) mod images;
pub(crate) mod jobs;
pub(crate) mod metrics;
mod recover;
pub(crate) mod root;
pub(crate) mod runs;
pub(crate) mod screen;
mod setup;
pub(crate) mod status;
mod top;
pub(crate) mod wake;

use anyhow::anyhow;
use clap::CommandFactory;
use ghost_contract::{HostName, Mode};
use serde::Serialize;

use crate::cli::{Asked, BootdiskArgs, Cli, DhcpVerb, HostsVerb, JobArgs, Verb};
use crate::dhcp::offer::kept::Told;
use crate::exit::{Exit, WithExit};
use crate::manual;
use crate::output::{Detail, Form, Output, complain};
use crate::site::Site;

/// Does what the command line asks for. An error means that it could not begin, or had to give up.
pub fn run(cli: &Cli) -> anyhow::Result<Exit> {
    if let Verb::GenerateManual { folder } = &cli.verb {
        manual::write_all(Cli::command(), folder)?;
        return Ok(Exit::Done);
    }
    require_root(&cli.verb)?;
    let form = if cli.everywhere.json { Form::Json } else { Form::Plain };
    let detail = if cli.everywhere.verbose { Detail::Everything } else { Detail::Usual };
    let mut output = Output::new(form, detail);
    let exit = carry_out(cli, &mut output)?;
    let Some(error) = output.untold() else { return Ok(exit) };
    complain(&format!("not all that was to be printed could be written to standard output: {error}"));
    Ok(exit.max(Exit::Failed))
}

fn carry_out(cli: &Cli, output: &mut Output) -> anyhow::Result<Exit> {
    if let Verb::Bootdisk(arguments @ BootdiskArgs { output: Some(path), .. }) = &cli.verb {
        return bootdisk::at(path, arguments, output);
    }
    if let Verb::Setup(arguments) = &cli.verb {
        return setup::run(&cli.everywhere, arguments, output);
    }
    let site = Site::open(&cli.everywhere.config, cli.everywhere.lock_timeout);
    let site = site.exit_by_default(Exit::Configuration)?;
    if output.form() == Form::Plain {
        site.ghostrc.warnings.iter().for_each(|warning| output.line(&format!("warning: {warning}")));
    }
    let done = perform(&site, cli, output);
    let kept = kept_files(&site, output);
    done.map(|exit| exit.max(kept))
}

fn perform(site: &Site, cli: &Cli, output: &mut Output) -> anyhow::Result<Exit> {
    match &cli.verb {
        Verb::Test(arguments) => job(site, Mode::Test, arguments, &Asked::default(), output),
        Verb::Backup(backup) => job(site, Mode::Backup, &backup.job, &backup.asked(), output),
        Verb::Ghost(arguments) => job(site, Mode::Ghost, arguments, &Asked::default(), output),
        Verb::Verify(verify) => job(site, Mode::Verify, &verify.job, &verify.asked(), output),
        Verb::Restore(restore) => {
            let (arguments, asked) = (&restore.generation.job, restore.asked());
            if arguments.resume.is_some() {
                let words =
                    anyhow!("a restore is not taken up again: name the hosts that are to be restored");
                return Err(words.exit(Exit::Usage));
            }
            if !restore.yes && !arguments.dry_run {
                let configuration = site.hosts().exit_by_default(Exit::Configuration)?;
                let hosts = jobs::chosen(site, configuration.as_ref(), arguments)?.hosts();
                confirmation::ask_for_names(site, &hosts, &asked.wishes)?;
            }
            job(site, Mode::Restore, arguments, &asked, output)
        }
        Verb::Wake(arguments) => wake::run(site, arguments, output),
        Verb::Hosts { verb: None } => hosts::run(site, output),
        Verb::Hosts { verb: Some(HostsVerb::Add(arguments)) } => setup::add_host(site, arguments, output),
        Verb::Status(arguments) => status::run(site, arguments, output),
        Verb::Top => top::run(site, output),
        Verb::Runs => runs::list(site, output),
        Verb::Report(arguments) => runs::report(site, arguments, output),
        Verb::Metrics => metrics::run(site, output),
        Verb::Screen(arguments) => screen::run(site, arguments, output),
        Verb::Cancel { host, dry_run } => cancel::run(site, host, *dry_run, output),
        // A recovery would try to revert what is to be given up.
        Verb::Dhcp(verb @ DhcpVerb::Forget(_)) => dhcp::run(site, verb, output),
        Verb::Dhcp(verb) => {
            let recovered = recover::jobs(site, output)?;
            // What a job has left swapped is reverted by now; by hand there may be nothing else to do.
            let host = verb.reverted_host().filter(|host| !dhcp::by_hand::is_kept(site, host));
            match host.and_then(|host| recovered.jobs.iter().find(|one| one.host == *host)) {
                Some(one) if one.swap_is_left() => Ok(Exit::Failed),
                Some(_) => Ok(Exit::Done),
                None => dhcp::run(site, verb, output),
            }
        }
        Verb::Recover { dry_run: true } => recover::say(site, output),
        Verb::Recover { dry_run: false } => recover::run(site, output),
        Verb::Images(asked) => images::run(site, asked, output),
        Verb::Bootdisk(arguments) => bootdisk::for_clients(site, arguments, output),
        Verb::Exports { server } => exports::run(site, *server, output),
        Verb::Doctor { hosts } => Ok(doctor::run(site, hosts, output)),
        Verb::Root(verb) => root::run(site, verb, output),
        // Done above, since they need no settings.
        Verb::GenerateManual { .. } | Verb::Setup(_) => Ok(Exit::Done),
    }
}

/// Tells of what is kept beside the DHCP configuration and was not told of yet.
fn kept_files(site: &Site, output: &mut Output) -> Exit {
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Kept<'a> {
        Warning(&'a str),
        Error(&'a str),
    }
    let mut exit = Exit::Done;
    for told in site.kept_files.look() {
        match &told {
            Told::Warning(words) => output.either(&Kept::Warning(words), || format!("warning: {words}")),
            Told::Trouble(words) => {
                exit = Exit::Failed;
                output.either_left(&Kept::Error(words), || format!("error: {words}"));
            }
        }
    }
    exit
}

/// Refuses before anything is looked at. Otherwise a job would fail at the first step that lacks a right, each time with
/// other words.
fn require_root(verb: &Verb) -> anyhow::Result<()> {
    let needs_root = match verb {
        Verb::Test(_) | Verb::Backup(_) | Verb::Ghost(_) | Verb::Verify(_) | Verb::Restore(_) => true,
        Verb::Cancel { .. } | Verb::Dhcp(_) | Verb::Recover { .. } | Verb::Doctor { .. } => true,
        Verb::Root(_) | Verb::Setup(_) | Verb::Hosts { verb: Some(_) } => true,
        // It makes the folders that it names.
        Verb::Exports { .. } => true,
        // These fail where a right is missing; on some servers they need none of root's.
        Verb::Wake(_) | Verb::Hosts { verb: None } | Verb::Status(_) | Verb::Screen(_) | Verb::Images(_) => {
            false
        }
        // Its cancellations fail where a right is missing.
        Verb::Runs | Verb::Report(_) | Verb::Metrics | Verb::Top => false,
        Verb::Bootdisk(_) | Verb::GenerateManual { .. } => false,
    };
    if needs_root && !rustix::process::geteuid().is_root() {
        return Err(
            anyhow!("this needs root's rights; run it as root, or with sudo").exit(Exit::NotPermitted)
        );
    }
    Ok(())
}

/// Undoes what an earlier crash has left before it runs jobs, so that they do not build on that.
fn job(
    site: &Site,
    mode: Mode,
    arguments: &JobArgs,
    asked: &Asked,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let recovered = if arguments.dry_run { Exit::Done } else { recover::before_a_job(site, output)? };
    let ran = jobs::run(site, mode, arguments, asked, output);
    if let Err(error) = &ran {
        jobs::mailing::not_begun(site, mode, error, output);
    }
    Ok(ran?.max(recovered))
}

/// Refuses a host that is neither in the DHCP configuration nor `is_known`, as a misspelling. While the configuration cannot
/// be read, any name may be right.
fn require_known(site: &Site, host: &HostName, is_known: bool) -> anyhow::Result<()> {
    let is_undeclared =
        || site.hosts().is_ok_and(|hosts| hosts.list().iter().all(|listed| listed.name != host.as_str()));
    if !is_known && is_undeclared() {
        let unknown = anyhow!("no host is called {host}; 'ghostctl hosts' lists those that there are");
        return Err(unknown.exit(Exit::Usage));
    }
    Ok(())
}
