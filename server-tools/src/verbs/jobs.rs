//! The verbs that run jobs: looks the hosts up, checks that everything is ready, and drives the jobs to their ends.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::Serialize;

use crate::dhcp::{Configuration, Host};
use crate::ghostrc::Settings;
use ghost_contract::order::{AtEnd, Imager};
use ghost_contract::{Generation, HostName, MacAddress, Mode, Nonce, ethers};

use crate::catalog::Catalog;
use crate::catalog::listing::Listed;
use crate::cli::{Asked, JobArgs};
use crate::exit::{Exit, WithExit};
use crate::fleet::{self, Chosen};
use crate::job::luks_key::LuksKey;
use crate::job::order::{Particulars, order};
use crate::job::{self, AlreadyOn, Identity, Job, Limits, Note, Plan};
use crate::output::Output;
use crate::recovery;
use crate::runner::drive;
use crate::runner::linux::Linux;
use crate::runner::work::Work;
use crate::site::Site;
use crate::state::journal::{Begun, VERSION};
use crate::sys::{clock, descriptors, random};

use super::dhcp::by_hand;

mod able;

const NO_RANDOM_NUMBERS: &str = "the kernel gives no random numbers for the job's name and secret";

/// One host's job, before anything is touched.
struct Intent {
    host: Host,
    settings: Settings,
    generation: Option<Generation>,
    imager: Option<Imager>,
    luks_key: Option<LuksKey>,
}

/// Runs one job for each host. The program's exit status is the worst of theirs.
pub(super) fn run(
    site: &Site,
    mode: Mode,
    arguments: &JobArgs,
    asked: &Asked,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let configuration = site.hosts().exit_by_default(Exit::Configuration)?;
    let chosen = chosen(site, configuration.as_ref(), arguments)?;
    let able = able::among(site, mode, configuration.as_ref(), &chosen, asked)?;
    for host in able.intents.iter().map(|one| &one.host).filter(|host| !host.shares_ip_with.is_empty()) {
        let text = format!("shares {} with {}: never have both on", host.ip, host.shares_ip_with.join(", "));
        output.note(&host.name, &Note::Warning { text });
    }
    for (host, error) in &able.refused {
        output.note(host, &Note::NotBegun { reason: format!("{error:#}") });
    }
    let refused = if able.refused.is_empty() { Exit::Done } else { Exit::Failed };
    let intents = able.intents;
    if arguments.dry_run {
        say_what_would_be_done(mode, &intents, output);
        return Ok(refused);
    }
    let clients = configuration.clients();
    let host_table: Arc<str> = ethers::write(clients.iter().map(|(name, mac)| (name, *mac))).into();
    let mut jobs = Vec::new();
    let mut prepared = Vec::new();
    let addresses: Vec<_> = intents.iter().map(|one| (one.host.name.clone(), one.host.ip)).collect();
    let reaches = configuration.reaches(&addresses);
    drop(configuration);
    for intent in intents {
        let plan = plan(mode, &intent, arguments)?;
        prepared.push((work(site, Arc::clone(&host_table), &intent, &plan)?, intent.settings));
        jobs.push(Job::new(plan));
    }
    descriptors::make_room_for(jobs.len())?;
    let mut machine = Linux::new(site, output).exit_by_default(Exit::Configuration)?;
    for ((work, settings), reach) in prepared.into_iter().zip(reaches) {
        machine.add(work, &settings, reach.network).exit_by_default(Exit::Configuration)?;
    }
    // Not even a bug in this program may leave something of a job.
    let driven = catch_unwind(AssertUnwindSafe(|| drive(&mut jobs, &mut machine)));
    if driven.is_err() {
        // Jobs without an owner are what a crash leaves, and are recovered in the same way.
        drop(machine);
        recovery::recover_and_tell(site, output)?;
        return Ok(Exit::Bug);
    }
    Ok(jobs.iter().map(Job::exit).max().unwrap_or(Exit::Done).max(refused))
}

/// The hosts that the command line means.
pub(super) fn chosen(
    site: &Site,
    configuration: &dyn Configuration,
    arguments: &JobArgs,
) -> anyhow::Result<Chosen> {
    let known: Vec<HostName> = configuration.clients().into_iter().map(|(name, _)| name).collect();
    fleet::choose(&arguments.wanted(), site.ghostrc.groups(), &known).exit(Exit::Usage)
}

/// What a job would do, for programs.
#[derive(Serialize)]
struct Would<'a> {
    host: &'a HostName,
    mode: Mode,
    changed: bool,
    mac: MacAddress,
    file: &'a Path,
    offered: String,
    boot_file: &'a str,
    generation: Option<&'a Generation>,
    imager: Option<String>,
}

fn say_what_would_be_done(mode: Mode, intents: &[Intent], output: &mut Output) {
    for Intent { host, settings, generation, imager, .. } in intents {
        let would = Would {
            host: &host.name,
            mode,
            changed: false,
            mac: host.mac,
            file: &host.file,
            offered: String::from_utf8_lossy(&host.offered).into_owned(),
            boot_file: &settings.boot_file,
            generation: generation.as_ref(),
            imager: imager.as_ref().map(|imager| imager.name().to_string()),
        };
        output.either(&would, || would.words());
    }
}

impl Would<'_> {
    fn words(&self) -> String {
        let Self { host, mode, mac, file, offered, boot_file, generation, imager, .. } = self;
        let of = generation.map(|generation| format!(" of {generation}")).unwrap_or_default();
        let with = imager.as_ref().map(|imager| format!(" with {imager}")).unwrap_or_default();
        format!(
            "{host}: would offer \"{boot_file}\" instead of \"{offered}\" in {}, wake {mac} and run {mode}{of} on it{with}; nothing was changed",
            file.display()
        )
    }
}

fn plan(mode: Mode, intent: &Intent, arguments: &JobArgs) -> anyhow::Result<Plan> {
    let Intent { host, settings, .. } = intent;
    let random = random::bytes().context(NO_RANDOM_NUMBERS).exit(Exit::Bug)?;
    Ok(Plan {
        identity: Identity {
            job: job::id(clock::now(), random).context("cannot make the job's name").exit(Exit::Bug)?,
            host: host.name.clone(),
            mac: host.mac,
            ip: host.ip,
            mode,
        },
        limits: Limits {
            listen: settings.off_listen,
            ..Limits::new(
                settings.up_deadline,
                settings.job_deadline,
                settings.off_deadline,
                settings.revert_deadline,
            )
        },
        already_on: if arguments.already_on { AlreadyOn::Accept } else { AlreadyOn::Refuse },
        at_end: AtEnd::PowerOff,
    })
}

fn work(site: &Site, host_table: Arc<str>, intent: &Intent, plan: &Plan) -> anyhow::Result<Work> {
    let Intent { settings, generation, imager, luks_key, .. } = intent;
    let now = clock::now();
    let nonce = Nonce::new(random::bytes().context(NO_RANDOM_NUMBERS).exit(Exit::Bug)?);
    let particulars = Particulars {
        store: site.image_store().exit_by_default(Exit::Configuration)?,
        nonce: nonce.clone(),
        generation: generation.clone(),
        imager: imager.clone(),
        luks_key: luks_key.is_some(),
        authorized_keys: authorized_keys(settings)?,
    };
    let limits = [plan.limits.up, plan.limits.claim, plan.limits.imaging, plan.limits.off];
    let longest = limits.into_iter().fold(Duration::ZERO, Duration::saturating_add);
    let begun = Begun {
        version: VERSION,
        identity: plan.identity.clone(),
        pid: std::process::id(),
        at: now,
        nonce,
        generation: generation.clone(),
        imager: imager.clone(),
        deadline: Some(now.plus(longest)),
        at_end: Some(plan.at_end),
    };
    let order = Some(order(plan, settings, particulars, now));
    Ok(Work { order, luks_key: luks_key.clone(), host_table, ..Work::new(begun) })
}

/// The generation that a job of this mode reads, if it reads one: the one that was asked for, or the newest.
fn wanted_generation(
    catalog: &Catalog,
    mode: Mode,
    host: &HostName,
    asked: &Asked,
) -> anyhow::Result<Option<Listed>> {
    if !matches!(mode, Mode::Verify | Mode::Restore) {
        return Ok(None);
    }
    let all = catalog.list_host(host)?;
    let partitions = &asked.wishes.partitions;
    let parts = parts(&all, host, mode);
    let mut listed = all.into_iter();
    let holds = |one: &Listed| one.manifest.as_ref().is_ok_and(|manifest| manifest.holds(partitions));
    let found = match &asked.generation {
        Some(asked_for) => listed.find(|one| one.generation == *asked_for).ok_or_else(|| {
            anyhow!("{host} has no generation {asked_for}; 'ghostctl images list {host}' shows those it has")
        }),
        // A damaged one may be checked, but is never written back unless it is named.
        None => listed.rfind(|one| mode == Mode::Verify || (one.is_good() && holds(one))).ok_or_else(|| {
            let of = if partitions.is_empty() { "" } else { " that holds these partitions" };
            let nothing = || "nothing can be checked or written back".to_owned();
            let of = if parts.is_some() && partitions.is_empty() { " of a whole disk" } else { of };
            anyhow!("{host} has no good generation{of}: {}", parts.unwrap_or_else(nothing))
        }),
    };
    let found = found.exit(Exit::Usage)?;
    // What is in the store is a client's to change; what this boot server does not vouch for is written back to no disk.
    if let Err(error) = &found.manifest {
        let refused = anyhow!("{error:#}").context(format!("{} of {host} is not believed", found.generation));
        return Err(refused.exit(Exit::Usage));
    }
    Ok(Some(found))
}

/// In words, which good generations there are of some partitions only, the newest last, and how one is written back; none if
/// there is none.
fn parts(listed: &[Listed], host: &HostName, mode: Mode) -> Option<String> {
    let held = |one: &Listed| {
        let manifest = one.manifest.as_ref().ok().filter(|_| mode == Mode::Restore && one.is_good())?;
        let numbers: Vec<String> = manifest.parts()?.iter().map(u32::to_string).collect();
        Some((one.generation.clone(), numbers.join(",")))
    };
    let held: Vec<_> = listed.iter().filter_map(held).collect();
    let (_, newest) = held.last()?;
    let names = held.iter().map(|(generation, numbers)| format!("{generation} (partition {numbers})"));
    Some(format!(
        "there are only generations of some partitions, {}; 'ghostctl restore --partition {newest} {host}' writes those of the \
         newest one back, into the partition table that the disk has",
        names.collect::<Vec<_>>().join(", ")
    ))
}

/// The public keys of the file that the settings name, one a line, comments left out.
fn authorized_keys(settings: &Settings) -> anyhow::Result<Vec<String>> {
    let Some(path) = &settings.ssh_keys else { return Ok(Vec::new()) };
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {} (SSHKEYS)", path.display()));
    let text = text.exit_by_default(Exit::Configuration)?;
    let keys = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(keys.map(str::to_owned).collect())
}
