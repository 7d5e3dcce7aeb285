//! The verbs that run jobs: from host names to jobs that are driven to their ends.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use crate::dhcp::{Configuration, Host};
use crate::ghostrc::Settings;
use ghost_contract::order::{AtEnd, Imager};
use ghost_contract::{Generation, HostName, Mode, Nonce, ethers, layout};

use crate::catalog::listing::Listed;
use crate::catalog::manifest::Manifest;
use crate::catalog::{Catalog, CatalogError};
use crate::cli::JobArgs;
use crate::doctor::gather::gather;
use crate::doctor::judge::judge;
use crate::doctor::{Check, State};
use crate::exit::Exit;
use crate::job::imager::{self, Unsuitable, Wishes};
use crate::job::order::{Particulars, order};
use crate::job::{self, AlreadyOn, FailureKind, Job, Limits, Note, Plan};
use crate::output::Output;
use crate::recovery;
use crate::runner::drive;
use crate::runner::linux::{Linux, MachineError};
use crate::runner::steps::Work;
use crate::site::{Site, SiteError};
use crate::state::journal::{Begun, JournalError};
use crate::sys::{clock, random};

#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    #[error(transparent)]
    Site(#[from] SiteError),
    /// Something that every job needs.
    #[error(
        "the boot server is not ready, and nothing was touched; 'ghostctl doctor' looks at everything\n{0}"
    )]
    NotReady(String),
    /// The network, or missing rights.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// A file that the settings name.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// The kernel has no random numbers.
    #[error("cannot make the job's name and secret")]
    Random(#[source] io::Error),
    /// The calendar has no such date.
    #[error("cannot make the job's name")]
    Id(#[from] ghost_contract::job::JobError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// What is left after an error in this program.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is nothing to check or to write back.
    #[error("{0} has no good generation: nothing can be checked or written back")]
    NoGeneration(HostName),
    /// There is none of that name.
    #[error("{host} has no generation {asked_for}; 'ghostctl images list {host}' shows those it has")]
    NoSuchGeneration { host: HostName, asked_for: Generation },
    /// The imager cannot do it.
    #[error("{host}")]
    Unsuitable { host: HostName, source: Unsuitable },
    /// Two of the hosts may not be on together.
    #[error("{0} and {1} share an IP address and so a tree: only one of them can have a job")]
    SharedAddress(String, String),
}

impl JobsError {
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Site(_) | Self::Read(..) | Self::NotReady(_) => FailureKind::Configuration.exit().status(),
            Self::Machine(MachineError::Ask(..) | MachineError::Wake(_)) => {
                FailureKind::Permission.exit().status()
            }
            Self::Machine(_) => FailureKind::Configuration.exit().status(),
            Self::Random(_) | Self::Id(_) => 70,
            Self::Unsuitable { .. }
            | Self::SharedAddress(..)
            | Self::NoGeneration(_)
            | Self::NoSuchGeneration { .. } => 2,
            Self::Catalog(_) | Self::Journal(_) => FailureKind::Failed.exit().status(),
        }
    }
}

/// What is asked for besides mode and hosts.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Which generation; the newest if none is named.
    pub generation: Option<Generation>,
    /// What goes before the settings.
    pub wishes: Wishes,
}

/// One host's job, before anything is touched.
struct Intent {
    host: Host,
    settings: Settings,
    generation: Option<Generation>,
    imager: Option<Imager>,
}

/// Runs one job for each host; the number is the worst exit status.
pub fn run(
    site: &Site,
    mode: Mode,
    arguments: &JobArgs,
    asked: &Asked,
    output: &mut Output,
) -> Result<u8, JobsError> {
    let configuration = site.hosts()?;
    let mut hosts: Vec<Host> = Vec::new();
    for name in &arguments.hosts {
        let host = site.host(configuration.as_ref(), name)?;
        if let Some(other) = hosts.iter().find(|other| other.ip == host.ip) {
            return Err(JobsError::SharedAddress(other.name.to_string(), host.name.to_string()));
        }
        hosts.push(host);
    }
    for host in hosts.iter().filter(|host| !host.shares_ip_with.is_empty()) {
        let text = format!("shares {} with {}: never have both on", host.ip, host.shares_ip_with.join(", "));
        output.note(&host.name, &Note::Warning { text });
    }
    let catalog = Catalog::new(&site.ghostrc.store_folder);
    let intents = hosts.into_iter().map(|host| intent(site, &catalog, mode, host, asked));
    let intents = intents.collect::<Result<Vec<_>, _>>()?;
    require_readiness(site, mode, configuration.as_ref(), &arguments.hosts)?;
    if arguments.dry_run {
        return Ok(say_what_would_be_done(mode, &intents, output));
    }
    let clients = configuration.clients();
    let host_table: Arc<str> = ethers::write(clients.iter().map(|(name, mac)| (name, *mac))).into();
    let mut jobs = Vec::new();
    let mut prepared = Vec::new();
    drop(configuration);
    for intent in intents {
        let plan = plan(mode, &intent, arguments)?;
        prepared.push((work(site, Arc::clone(&host_table), &intent, &plan)?, intent.settings));
        jobs.push(Job::new(plan));
    }
    let mut machine = Linux::new(site, output)?;
    for (work, settings) in prepared {
        machine.add(work, settings)?;
    }
    // Nothing of a job may be left, not even by an error in this program.
    let driven = catch_unwind(AssertUnwindSafe(|| drive(&mut jobs, &mut machine)));
    if driven.is_err() {
        // Without their owner the jobs are what a crash leaves.
        drop(machine);
        recovery::recover_and_tell(site, output)?;
        return Ok(Exit::Bug.status());
    }
    Ok(jobs.iter().map(Job::exit).max().unwrap_or(Exit::Done).status())
}

/// What `doctor` looks at, once for all jobs that begin together.
fn require_readiness(
    site: &Site,
    mode: Mode,
    configuration: &dyn Configuration,
    hosts: &[HostName],
) -> Result<(), JobsError> {
    let findings = judge(&gather(site, Ok(configuration), hosts));
    let matters = |check| match check {
        // Whoever opens the sockets knows which right is missing.
        Check::Wake => false,
        // Nothing else looks into an image on this side.
        Check::Programs => mode == Mode::Backup,
        _ => true,
    };
    let bad = findings.iter().filter(|finding| finding.state == State::Bad && matters(finding.check));
    let bad: Vec<String> = bad.map(ToString::to_string).collect();
    if bad.is_empty() { Ok(()) } else { Err(JobsError::NotReady(bad.join("\n"))) }
}

/// What is to be done about this host, with what does it.
fn intent(
    site: &Site,
    catalog: &Catalog,
    mode: Mode,
    host: Host,
    asked: &Asked,
) -> Result<Intent, JobsError> {
    let mut settings = site.ghostrc.for_host(&host.name);
    asked.wishes.apply(&mut settings);
    let listed = wanted_generation(catalog, mode, &host.name, asked.generation.as_ref())?;
    // What a damaged manifest cannot tell is left to the settings.
    let manifest = listed.as_ref().and_then(|listed| listed.manifest.as_ref().ok());
    let source = manifest.map(Manifest::source);
    let has_template_floppy = site.ghostrc.base_root.join(layout::TEMPLATE_FLOPPY).exists();
    let imager = imager::choose(mode, &settings, &asked.wishes, has_template_floppy, source)
        .map_err(|source| JobsError::Unsuitable { host: host.name.clone(), source })?;
    let generation = listed.map(|listed| listed.generation);
    Ok(Intent { host, settings, generation, imager })
}

fn say_what_would_be_done(mode: Mode, intents: &[Intent], output: &mut Output) -> u8 {
    for Intent { host, settings, generation, imager } in intents {
        let of = generation.as_ref().map(|generation| format!(" of {generation}")).unwrap_or_default();
        let with = imager.as_ref().map(|imager| format!(" with {}", imager.name()));
        let with = with.unwrap_or_default();
        output.line(&format!(
            "{}: would offer \"{}\" instead of \"{}\" in {}, wake {} and have it do a {mode}{of}{with}; nothing was changed",
            host.name,
            settings.boot_file,
            String::from_utf8_lossy(&host.offered),
            host.file.display(),
            host.mac
        ));
    }
    0
}

fn plan(mode: Mode, intent: &Intent, arguments: &JobArgs) -> Result<Plan, JobsError> {
    let Intent { host, settings, .. } = intent;
    let random = random::bytes().map_err(JobsError::Random)?;
    Ok(Plan {
        id: job::id(clock::now(), random)?,
        host: host.name.clone(),
        mac: host.mac,
        ip: host.ip,
        mode,
        limits: Limits::new(settings.up_deadline, settings.job_deadline, settings.off_deadline),
        already_on: if arguments.already_on { AlreadyOn::Accept } else { AlreadyOn::Refuse },
        at_end: AtEnd::PowerOff,
    })
}

fn work(site: &Site, host_table: Arc<str>, intent: &Intent, plan: &Plan) -> Result<Work, JobsError> {
    let Intent { settings, generation, imager, .. } = intent;
    let now = clock::now();
    let nonce = Nonce::new(random::bytes().map_err(JobsError::Random)?);
    let particulars = Particulars {
        store: site.image_store()?,
        nonce: nonce.clone(),
        generation: generation.clone(),
        imager: imager.clone(),
        authorized_keys: authorized_keys(settings)?,
    };
    Ok(Work {
        begun: Begun {
            job: plan.id.clone(),
            host: plan.host.clone(),
            mac: plan.mac,
            ip: plan.ip,
            mode: plan.mode,
            pid: std::process::id(),
            at: now,
            nonce,
            generation: generation.clone(),
        },
        order: Some(order(plan, settings, particulars, now)),
        host_table,
        journal: None,
        swap: None,
        ticket: None,
        phases: Vec::new(),
        image: None,
        remarks: Vec::new(),
        unwritten: Vec::new(),
    })
}

/// The generation that a job of this mode reads, if it reads one: the one that was asked for, or the newest.
fn wanted_generation(
    catalog: &Catalog,
    mode: Mode,
    host: &HostName,
    asked_for: Option<&Generation>,
) -> Result<Option<Listed>, JobsError> {
    if !matches!(mode, Mode::Verify | Mode::Restore) {
        return Ok(None);
    }
    let mut listed = catalog.list_host(host)?.into_iter();
    let found = match asked_for {
        Some(asked_for) => listed
            .find(|one| one.generation == *asked_for)
            .ok_or_else(|| JobsError::NoSuchGeneration { host: host.clone(), asked_for: asked_for.clone() }),
        // What is damaged may be checked, but is never written back unless somebody names it.
        None => listed
            .rfind(|one| mode == Mode::Verify || one.is_good())
            .ok_or_else(|| JobsError::NoGeneration(host.clone())),
    };
    found.map(Some)
}

/// The public keys of the file that the settings name, one a line, comments left out.
fn authorized_keys(settings: &Settings) -> Result<Vec<String>, JobsError> {
    let Some(path) = &settings.ssh_keys else { return Ok(Vec::new()) };
    let text = fs::read_to_string(path).map_err(|error| JobsError::Read(path.clone(), error))?;
    let keys = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(keys.map(str::to_owned).collect())
}
