//! The verbs that run jobs: from host names to jobs that are driven to their ends.

use std::fs;
use std::io;
use std::path::PathBuf;

use ghost_contract::dhcp::{HostTable, UsableHost};
use ghost_contract::ghostrc::Settings;
use ghost_contract::order::AtEnd;
use ghost_contract::{Generation, HostName, Mode, Nonce};

use crate::catalog::{Catalog, CatalogError};
use crate::cli::JobArgs;
use crate::doctor::State;
use crate::doctor::gather::at_hand;
use crate::doctor::judge::judge;
use crate::job::journal::Begun;
use crate::job::order::{Particulars, order};
use crate::job::{self, AlreadyOn, FailureKind, Job, Limits, Note, Plan};
use crate::machine::drive;
use crate::machine::linux::{Linux, MachineError};
use crate::machine::steps::Work;
use crate::output::Output;
use crate::site::{Site, SiteError};
use crate::sys::{clock, random};

/// Why no job began.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// The configuration.
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
    /// The image store.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// There is nothing to check or to write back.
    #[error("{0} has no good generation: nothing can be checked or written back")]
    NoGeneration(HostName),
    /// There is none of that name.
    #[error("{host} has no generation {asked_for}; 'ghostctl images list {host}' shows those it has")]
    NoSuchGeneration {
        /// The host.
        host: HostName,
        /// The name.
        asked_for: Generation,
    },
    /// Two of the hosts may not be on together.
    #[error("{0} and {1} share an IP address and so a tree: only one of them can have a job")]
    SharedAddress(String, String),
}

impl JobsError {
    /// The exit status.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Site(_) | Self::Read(..) | Self::NotReady(_) => FailureKind::Configuration.exit_status(),
            Self::Machine(MachineError::Ask(..) | MachineError::Wake(_)) => {
                FailureKind::Permission.exit_status()
            }
            Self::Machine(_) => FailureKind::Configuration.exit_status(),
            Self::Random(_) | Self::Id(_) => 70,
            Self::SharedAddress(..) | Self::NoGeneration(_) | Self::NoSuchGeneration { .. } => 2,
            Self::Catalog(_) => FailureKind::Failed.exit_status(),
        }
    }
}

/// Runs one job for each host; the number is the worst exit status.
///
/// # Errors
/// When a host is not usable, or there is no way to it: then nothing has been touched.
pub fn run(
    site: &Site,
    mode: Mode,
    arguments: &JobArgs,
    generation: Option<&Generation>,
    output: &mut Output,
) -> Result<u8, JobsError> {
    let table = site.host_table()?;
    let mut hosts: Vec<UsableHost> = Vec::new();
    for name in &arguments.hosts {
        let host = site.host(&table, name)?;
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
    let generations = hosts
        .iter()
        .map(|host| wanted_generation(&catalog, mode, &host.name, generation))
        .collect::<Result<Vec<_>, _>>()?;
    let bad = judge(&at_hand(site)).into_iter().filter(|finding| finding.state == State::Bad);
    let bad: Vec<String> = bad.map(|finding| finding.to_string()).collect();
    if !bad.is_empty() {
        return Err(JobsError::NotReady(bad.join("\n")));
    }
    if arguments.dry_run {
        return Ok(say_what_would_be_done(site, mode, hosts.iter().zip(&generations), output));
    }
    let mut jobs = Vec::new();
    let mut prepared = Vec::new();
    for (host, generation) in hosts.iter().zip(generations) {
        let settings = site.ghostrc.for_host(&host.name);
        let plan = plan(mode, host, &settings, arguments)?;
        prepared.push((work(site, &table, host, &plan, &settings, generation)?, settings));
        jobs.push(Job::new(plan));
    }
    let mut machine = Linux::new(site, output)?;
    for (work, settings) in prepared {
        machine.add(work, settings)?;
    }
    drive(&mut jobs, &mut machine);
    Ok(jobs.iter().filter_map(Job::ending).map(job::Ending::exit_status).max().unwrap_or_default())
}

fn say_what_would_be_done<'a>(
    site: &Site,
    mode: Mode,
    hosts: impl Iterator<Item = (&'a UsableHost, &'a Option<Generation>)>,
    output: &mut Output,
) -> u8 {
    for (host, generation) in hosts {
        let of = generation.as_ref().map(|generation| format!(" of {generation}")).unwrap_or_default();
        let settings = site.ghostrc.for_host(&host.name);
        output.line(&format!(
            "{}: would offer \"{}\" instead of \"{}\" in {}, wake {} and have it do a {mode}{of}; nothing was changed",
            host.name,
            settings.boot_file,
            String::from_utf8_lossy(&host.filename),
            host.file.display(),
            host.mac
        ));
    }
    0
}

fn plan(mode: Mode, host: &UsableHost, settings: &Settings, arguments: &JobArgs) -> Result<Plan, JobsError> {
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

fn work(
    site: &Site,
    table: &HostTable,
    host: &UsableHost,
    plan: &Plan,
    settings: &Settings,
    generation: Option<Generation>,
) -> Result<Work, JobsError> {
    let now = clock::now();
    let nonce = Nonce::new(random::bytes().map_err(JobsError::Random)?);
    let particulars = Particulars {
        store: site.image_store()?,
        nonce: nonce.clone(),
        generation,
        authorized_keys: authorized_keys(settings)?,
    };
    let host_table = table.files().find(|(path, _)| *path == host.file).map(|(_, bytes)| bytes.to_owned());
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
        },
        order: Some(order(plan, settings, particulars, now)),
        host_table: host_table.unwrap_or_default(),
        journal: None,
        swap: None,
        ticket: None,
        phases: Vec::new(),
        image: None,
        remarks: Vec::new(),
    })
}

/// The generation that a job of this mode reads, if it reads one: the one that was asked for, or the newest.
fn wanted_generation(
    catalog: &Catalog,
    mode: Mode,
    host: &HostName,
    asked_for: Option<&Generation>,
) -> Result<Option<Generation>, JobsError> {
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
    found.map(|one| Some(one.generation))
}

/// The public keys of the file that the settings name, one a line, comments left out.
fn authorized_keys(settings: &Settings) -> Result<Vec<String>, JobsError> {
    let Some(path) = &settings.ssh_keys else { return Ok(Vec::new()) };
    let text = fs::read_to_string(path).map_err(|error| JobsError::Read(path.clone(), error))?;
    let keys = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(keys.map(str::to_owned).collect())
}
