//! What each verb does. Here everything comes together, and nothing is decided that a job decides.

pub mod jobs;

use crate::cli::{Cli, Verb};
use crate::job::FailureKind;
use crate::output::{Detail, Form, Output};
use crate::site::{Site, SiteError};
use ghost_contract::Mode;

/// Why a verb was not done.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
    /// The boot server's configuration.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// Jobs.
    #[error(transparent)]
    Jobs(#[from] jobs::JobsError),
}

impl VerbError {
    /// The exit status.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Site(_) => FailureKind::Configuration.exit_status(),
            Self::Jobs(error) => error.exit_status(),
        }
    }
}

/// Does what the command line asks for; the number is the exit status.
///
/// # Errors
/// When it could not even begin.
pub fn run(cli: &Cli) -> Result<u8, VerbError> {
    let form = if cli.everywhere.json { Form::Json } else { Form::Plain };
    let detail = if cli.everywhere.verbose { Detail::Everything } else { Detail::Usual };
    let mut output = Output::new(form, detail);
    let site = Site::open(&cli.everywhere.config, cli.everywhere.lock_timeout)?;
    for warning in &site.ghostrc.warnings {
        output.line(&format!("warning: {warning}"));
    }
    match &cli.verb {
        Verb::Test(arguments) => Ok(jobs::run(&site, Mode::Test, arguments, &mut output)?),
    }
}
