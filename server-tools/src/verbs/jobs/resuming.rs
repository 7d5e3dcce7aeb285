//! Takes a run up again that was broken off: who is done is not done twice.

use anyhow::anyhow;
use ghost_contract::{Generation, HostName, Mode};

use crate::catalog::Catalog;
use crate::cli::{Asked, JobArgs};
use crate::exit::{Exit, WithExit as _};
use crate::fleet::Chosen;
use crate::run::RunId;
use crate::run::figures::Figures;
use crate::run::summary::{State, Summary};
use crate::site::Site;
use crate::state::record;
use crate::state::runs::{self, Ended};

/// What is left of a run, and what it was asked for.
pub(super) struct Left {
    pub(super) chosen: Chosen,
    pub(super) asked: Asked,
    pub(super) already_on: bool,
    /// What a crash has ended and a recovery has finished.
    pub(super) recovered: Vec<Ended>,
}

pub(super) fn left(
    site: &Site,
    mode: Mode,
    run: &RunId,
    arguments: &JobArgs,
    asked: &Asked,
) -> anyhow::Result<Left> {
    let (contents, is_owned) = runs::look(&site.ghostrc.state_folder, run)?;
    let unreadable =
        || anyhow!("the record of the run {run} does not say what was asked for").exit(Exit::Failed);
    let summary = Summary::of(contents, is_owned).ok_or_else(unreadable)?;
    if summary.run_state == State::Running {
        return Err(anyhow!("the run {run} still goes on").exit(Exit::Busy));
    }
    if summary.begun.mode != mode || !matches!(mode, Mode::Backup | Mode::Verify | Mode::Test) {
        let is = summary.begun.mode;
        return Err(anyhow!("the run {run} is a {is}, and a {mode} cannot take it up").exit(Exit::Usage));
    }
    if *asked != Asked::default() || arguments.already_on {
        let words =
            anyhow!("the run {run} is taken up as it was begun: leave out what the jobs are asked for");
        return Err(words.exit(Exit::Usage));
    }
    let (mut chosen, mut recovered) = (Chosen::default(), Vec::new());
    for (host, job) in summary.not_done() {
        match job.and_then(|job| finished(site, mode, host, &Generation::of_job(job.clone()))) {
            Some(ended) => recovered.push(ended),
            None => chosen.grouped.push(host.clone()),
        }
    }
    let (asked, already_on) = (summary.begun.asked, summary.begun.already_on);
    Ok(Left { chosen, asked, already_on, recovered })
}

/// How the job of a crash ended after all, if a recovery has made a good generation of it.
fn finished(site: &Site, mode: Mode, host: &HostName, generation: &Generation) -> Option<Ended> {
    let listed =
        (mode == Mode::Backup).then(|| Catalog::of(&site.ghostrc).show(host, generation.clone()).ok());
    let manifest = listed??.manifest.ok()?;
    let records = record::all(&site.ghostrc.state_folder).ok()?.whole;
    let record = records.into_iter().find(|record| record.identity.job.as_str() == generation.as_str())?;
    Some(Ended {
        host: host.clone(),
        job: record.identity.job.clone(),
        began: record.began,
        ended: record.ended,
        ending: None,
        exit: Exit::Done.status(),
        words: "succeeded; its ghostctl was ended by a crash, and a recovery has finished the generation"
            .to_owned(),
        figures: Figures { bytes: Some(manifest.bytes), ..Figures::of(&record) },
        image: record.image,
        screen: None,
    })
}
