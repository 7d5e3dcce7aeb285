//! What each verb does. Here everything comes together, and nothing is decided that a job decides.

pub mod cancel;
mod confirmation;
pub mod dhcp;
pub mod doctor;
pub mod hosts;
pub mod images;
pub mod jobs;
pub mod status;
pub mod wake;

use clap::CommandFactory;

use crate::cli::{Cli, GenerationArgs, JobArgs, RestoreArgs, Verb};
use crate::job::FailureKind;
use crate::job::journal::JournalError;
use crate::manual::{self, ManualError};
use crate::output::{Detail, Form, Output};
use crate::recovery::{self, Recovered};
use crate::site::{Site, SiteError};
use ghost_contract::{Generation, Mode};

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
    /// `cancel`.
    #[error(transparent)]
    Cancel(#[from] cancel::CancelError),
    /// `dhcp`.
    #[error(transparent)]
    Dhcp(#[from] dhcp::DhcpVerbError),
    /// The image store.
    #[error(transparent)]
    Images(#[from] images::ImagesError),
    /// The manual.
    #[error(transparent)]
    Manual(#[from] ManualError),
}

impl VerbError {
    /// The exit status.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Site(_) => FailureKind::Configuration.exit_status(),
            Self::Journal(_) => FailureKind::Failed.exit_status(),
            Self::Jobs(error) => error.exit_status(),
            Self::Unconfirmed(_) => 2,
            Self::Wake(error) => error.exit_status(),
            Self::Status(error) => error.exit_status(),
            Self::Cancel(error) => error.exit_status(),
            Self::Dhcp(error) => error.exit_status(),
            Self::Images(error) => error.exit_status(),
            Self::Manual(_) => FailureKind::Failed.exit_status(),
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
        Verb::Test(arguments) => job(&site, Mode::Test, arguments, None, &mut output),
        Verb::Backup(arguments) => job(&site, Mode::Backup, arguments, None, &mut output),
        Verb::Ghost(arguments) => job(&site, Mode::Ghost, arguments, None, &mut output),
        Verb::Verify(GenerationArgs { job: arguments, generation }) => {
            job(&site, Mode::Verify, arguments, generation.as_ref(), &mut output)
        }
        Verb::Restore(RestoreArgs { generation: GenerationArgs { job: arguments, generation }, yes }) => {
            if !yes && !arguments.dry_run {
                confirmation::ask_for_names(&arguments.hosts)?;
            }
            job(&site, Mode::Restore, arguments, generation.as_ref(), &mut output)
        }
        Verb::Wake(arguments) => Ok(wake::run(&site, arguments, &mut output)?),
        Verb::Hosts => Ok(hosts::run(&site, &mut output)?),
        Verb::Status(arguments) => Ok(status::run(&site, arguments, &mut output)?),
        Verb::Cancel { host } => Ok(cancel::run(&site, host, &mut output)?),
        Verb::Dhcp(verb) => {
            recover(&site, &mut output)?;
            Ok(dhcp::run(&site, verb, &mut output)?)
        }
        Verb::Recover => {
            let recovered = recover(&site, &mut output)?;
            if recovered.is_empty() && form == Form::Plain {
                output.line("no job was left by a crash");
            }
            Ok(u8::from(!recovered.iter().all(Recovered::is_over)))
        }
        Verb::Images(asked) => Ok(images::run(&site, asked, &mut output)?),
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
    generation: Option<&Generation>,
    output: &mut Output,
) -> Result<u8, VerbError> {
    if !arguments.dry_run {
        recover(site, output)?;
    }
    Ok(jobs::run(site, mode, arguments, generation, output)?)
}

fn recover(site: &Site, output: &mut Output) -> Result<Vec<Recovered>, VerbError> {
    let mut waiting =
        |holder: &str| output.line(&format!("waiting for the DHCP configuration, which is held by {holder}"));
    let recovered = recovery::recover(site, &mut waiting)?;
    for one in &recovered {
        match output.form() {
            Form::Json => output.json(one),
            Form::Plain => output.line(&format!("{}: {}", one.host, one.words())),
        }
    }
    Ok(recovered)
}
