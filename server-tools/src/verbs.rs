//! What each verb does. Here everything comes together, and nothing is decided that a job decides.

pub mod bootdisk;
pub mod cancel;
mod confirmation;
pub mod dhcp;
pub mod doctor;
pub mod hosts;
pub mod images;
pub mod jobs;
pub mod screen;
pub mod status;
pub mod wake;

use clap::CommandFactory;

use crate::cli::{Cli, JobArgs, Verb};
use crate::job::FailureKind;
use crate::manual::{self, ManualError};
use crate::output::{Detail, Form, Output};
use crate::recovery::{self, Recovered};
use crate::site::{Site, SiteError};
use crate::state::journal::JournalError;
use ghost_contract::Mode;

use self::jobs::Asked;

/// Why a verb was not done.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
    /// The boot server's configuration.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Jobs.
    #[error(transparent)]
    Jobs(#[from] jobs::JobsError),
    /// Nobody has said that the disk may be overwritten.
    #[error(transparent)]
    Unconfirmed(#[from] confirmation::ConfirmationError),
    /// `wake`.
    #[error(transparent)]
    Wake(#[from] wake::WakeVerbError),
    /// `status`.
    #[error(transparent)]
    Status(#[from] status::StatusError),
    /// `screen`.
    #[error(transparent)]
    Screen(#[from] screen::ScreenError),
    /// `cancel`.
    #[error(transparent)]
    Cancel(#[from] cancel::CancelError),
    /// `dhcp`.
    #[error(transparent)]
    Dhcp(#[from] dhcp::DhcpVerbError),
    /// The image store.
    #[error(transparent)]
    Images(#[from] images::ImagesError),
    /// `bootdisk`.
    #[error(transparent)]
    Bootdisk(#[from] bootdisk::BootdiskVerbError),
    /// The manual.
    #[error(transparent)]
    Manual(#[from] ManualError),
}

impl VerbError {
    /// The exit status.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Site(_) => FailureKind::Configuration.exit().status(),
            Self::Journal(_) => FailureKind::Failed.exit().status(),
            Self::Jobs(error) => error.exit_status(),
            Self::Unconfirmed(_) => 2,
            Self::Wake(error) => error.exit_status(),
            Self::Status(error) => error.exit_status(),
            Self::Screen(error) => error.exit_status(),
            Self::Cancel(error) => error.exit_status(),
            Self::Dhcp(error) => error.exit_status(),
            Self::Images(error) => error.exit_status(),
            Self::Bootdisk(error) => error.exit_status(),
            Self::Manual(_) => FailureKind::Failed.exit().status(),
        }
    }
}

/// Does what the command line asks for; the number is the exit status.
///
/// # Errors
/// When it could not even begin.
pub fn run(cli: &Cli) -> Result<u8, VerbError> {
    if let Verb::GenerateManual { folder } = &cli.verb {
        manual::write_all(Cli::command(), folder)?;
        return Ok(0);
    }
    let form = if cli.everywhere.json { Form::Json } else { Form::Plain };
    let detail = if cli.everywhere.verbose { Detail::Everything } else { Detail::Usual };
    let mut output = Output::new(form, detail);
    let site = Site::open(&cli.everywhere.config, cli.everywhere.lock_timeout)?;
    if form == Form::Plain {
        site.ghostrc.warnings.iter().for_each(|warning| output.line(&format!("warning: {warning}")));
    }
    match &cli.verb {
        Verb::Test(arguments) => job(&site, Mode::Test, arguments, &Asked::default(), &mut output),
        Verb::Backup(backup) => job(&site, Mode::Backup, &backup.job, &backup.asked(), &mut output),
        Verb::Ghost(arguments) => job(&site, Mode::Ghost, arguments, &Asked::default(), &mut output),
        Verb::Verify(verify) => job(&site, Mode::Verify, &verify.job, &verify.asked(), &mut output),
        Verb::Restore(restore) => {
            let (arguments, asked) = (&restore.generation.job, restore.asked());
            if !restore.yes && !arguments.dry_run {
                confirmation::ask_for_names(&site, &arguments.hosts, asked.wishes.disk.as_ref())?;
            }
            job(&site, Mode::Restore, arguments, &asked, &mut output)
        }
        Verb::Wake(arguments) => Ok(wake::run(&site, arguments, &mut output)?),
        Verb::Hosts => Ok(hosts::run(&site, &mut output)?),
        Verb::Status(arguments) => Ok(status::run(&site, arguments, &mut output)?),
        Verb::Screen(arguments) => Ok(screen::run(&site, arguments, &mut output)?),
        Verb::Cancel { host, dry_run } => Ok(cancel::run(&site, host, *dry_run, &mut output)?),
        Verb::Dhcp(verb) => {
            let recovered = recover(&site, &mut output)?;
            // What a job has left swapped is reverted by now; by hand there may be nothing else to do.
            let host = verb.reverted_host().filter(|host| !dhcp::is_swapped(&site, host));
            match host.and_then(|host| recovered.iter().find(|one| one.host == *host)) {
                Some(one) => Ok(u8::from(one.swap_is_left())),
                None => Ok(dhcp::run(&site, verb, &mut output)?),
            }
        }
        Verb::Recover { dry_run: true } => {
            let left = recovery::left(&site)?;
            left.iter().for_each(|one| match form {
                Form::Json => output.json(one),
                Form::Plain => output.line(&format!("{}: {}", one.host, one.words())),
            });
            if left.is_empty() && form == Form::Plain {
                output.line("no job was left by a crash");
            }
            Ok(0)
        }
        Verb::Recover { dry_run: false } => {
            let recovered = recover(&site, &mut output)?;
            let mounts = images::recover(&site, &mut output)?;
            if recovered.is_empty() && mounts == 0 && form == Form::Plain {
                output.line("no job was left by a crash");
            }
            Ok(u8::from(!recovered.iter().all(Recovered::is_over)))
        }
        Verb::Images(asked) => Ok(images::run(&site, asked, &mut output)?),
        Verb::Bootdisk(arguments) => Ok(bootdisk::run(&site, arguments, &mut output)?),
        Verb::Doctor { hosts } => Ok(doctor::run(&site, hosts, &mut output)),
        // Done above: it needs no settings.
        Verb::GenerateManual { .. } => Ok(0),
    }
}

/// Jobs begin with what an earlier crash has left, so that nothing is built on it.
fn job(
    site: &Site,
    mode: Mode,
    arguments: &JobArgs,
    asked: &Asked,
    output: &mut Output,
) -> Result<u8, VerbError> {
    if !arguments.dry_run {
        recover(site, output)?;
    }
    Ok(jobs::run(site, mode, arguments, asked, output)?)
}

fn recover(site: &Site, output: &mut Output) -> Result<Vec<Recovered>, VerbError> {
    // What follows puts back what DHCP offers, which waits for no reader.
    output.beside_jobs();
    Ok(recovery::recover_and_tell(site, output)?)
}
