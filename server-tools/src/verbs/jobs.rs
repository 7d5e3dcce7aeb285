//! The verbs that run jobs: looks the hosts up, checks that everything is ready, and drives the jobs to their ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;

use crate::dhcp::{Configuration, Host};
use crate::ghostrc::{Exports, Settings};
use ghost_contract::order::{AtEnd, Imager};
use ghost_contract::{Generation, HostName, JobId, Mode, Nonce, UnixTime, ethers};

use crate::cli::{Asked, JobArgs, TimeOfDay};
use crate::exit::{Exit, WithExit};
use crate::exports::for_job::ForJob;
use crate::exports::here::nfs_server_here;
use crate::exports::of_job;
use crate::fleet::{self, Chosen};
use crate::job::luks_key::LuksKey;
use crate::job::order::{Particulars, order};
use crate::job::{self, AlreadyOn, Identity, Limits, Note, Plan};
use crate::output::Output;
use crate::recovery;
use crate::run::figures::last_good;
use crate::run::room::{MOST, Room, TO_BEGIN_WITH};
use crate::run::summary::Summary;
use crate::run::{self, RunId};
use crate::runner::drive;
use crate::runner::linux::Linux;
use crate::runner::work::Work;
use crate::site::Site;
use crate::state::journal::{self, VERSION};
use crate::state::runs::{self, Begun, Ended, Line, Record};
use crate::state::{pruning, record};
use crate::sys::{clock, descriptors, local_time, random};

use super::dhcp::by_hand;
use super::metrics;
use super::root::in_use;

mod able;
mod dry_run;
mod log_in;
pub(super) mod mailing;
mod resuming;
mod turns;
mod wanted;

use able::Able;
use dry_run::say_what_would_be_done;
use turns::{Kept, Ready, Shared, Turns};

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
    let resumed = arguments.resume.as_ref();
    let left = resumed.map(|run| resuming::left(site, mode, run, arguments, asked)).transpose()?;
    let asked = left.as_ref().map_or(asked, |left| &left.asked);
    let configuration = site.hosts().exit_by_default(Exit::Configuration)?;
    let chosen = match &left {
        Some(left) => left.chosen.clone(),
        None => chosen(site, configuration.as_ref(), arguments)?,
    };
    let able = able::among(site, mode, configuration.as_ref(), &chosen, asked)?;
    for host in able.intents.iter().map(|one| &one.host).filter(|host| !host.shares_ip_with.is_empty()) {
        let text = format!("shares {} with {}: never have both on", host.ip, host.shares_ip_with.join(", "));
        output.note(&host.name, &Note::Warning { text });
    }
    if mode == Mode::Test {
        for Intent { host, settings, .. } in &able.intents {
            let Some(text) = log_in::impossible(&host.name, settings) else { continue };
            output.note(&host.name, &Note::Warning { text });
        }
    }
    for (host, error) in &able.refused {
        output.note(host, &Note::NotBegun { reason: format!("{error:#}") });
    }
    let refused = if able.refused.is_empty() { Exit::Done } else { Exit::Failed };
    let Able { intents, refused: not_able } = able;
    if arguments.dry_run {
        say_what_would_be_done(mode, &intents, output);
        return Ok(refused);
    }
    let _in_use = in_use::share(site, output)?;
    let clients = configuration.clients();
    let host_table: Arc<str> = ethers::write(clients.iter().map(|(name, mac)| (name, *mac))).into();
    let addresses: Vec<_> = intents.iter().map(|one| (one.host.name.clone(), one.host.ip)).collect();
    let reaches = configuration.reaches(&addresses);
    drop(configuration);
    let until = arguments.until.map(until).transpose()?;
    let asked_for = arguments.parallel.or(site.ghostrc.parallel);
    let parallel = asked_for.unwrap_or(TO_BEGIN_WITH);
    descriptors::make_room_for(asked_for.unwrap_or(MOST).get().min(intents.len()))?;
    let order = order_of(site, mode, &intents);
    let mut machine = Linux::new(site, output).exit_by_default(Exit::Configuration)?;
    let mut ready = Vec::new();
    for (intent, reach) in intents.into_iter().zip(reaches) {
        let way = machine.reach(&intent.host, &intent.settings, reach.network);
        let retries = arguments.retries.or(site.ghostrc.retries);
        let is_named = chosen.named.contains(&intent.host.name);
        ready.push(Ready {
            way: way.exit_by_default(Exit::Configuration)?,
            store: site
                .image_store(&intent.host.name, intent.generation.as_ref())
                .exit_by_default(Exit::Configuration)?,
            authorized_keys: log_in::authorized_keys(&intent.settings)?,
            retries: retries.unwrap_or(u32::from(!is_named)),
            intent,
        });
    }
    let already_on = left.as_ref().map_or(arguments.already_on, |left| left.already_on);
    let begun = Begun {
        run: RunId(new_id()?),
        mode,
        at: clock::now(),
        pid: std::process::id(),
        hosts: chosen.hosts(),
        parallel,
        until,
        already_on,
        asked: asked.clone(),
    };
    let recovered = left.map(|left| left.recovered).unwrap_or_default();
    let mut kept = record_of_run(site, resumed, begun, &mut machine)?;
    keep_before(&mut kept, recovered, &not_able, &mut machine);
    let already_on = if already_on { AlreadyOn::Accept } else { AlreadyOn::Refuse };
    let limits = run::Limits { parallel, until: until.map(by_the_loops_clock) };
    let nfs_server = site.ghostrc.nfs_server.unwrap_or_else(nfs_server_here);
    let shared = Shared { site, mode, already_on, host_table, nfs_server };
    let room = asked_for.is_none().then(Room::new);
    let mut turns = Turns::new(shared, ready, limits, order, kept, room);
    let mut jobs = Vec::new();
    // Not even a bug in this program may leave something of a job.
    let driven = catch_unwind(AssertUnwindSafe(|| drive(&mut jobs, &mut machine, &mut turns)));
    drop(machine);
    if driven.is_err() {
        // Jobs without an owner are what a crash leaves, and are recovered in the same way.
        recovery::recover_and_tell(site, output)?;
        return Ok(Exit::Bug);
    }
    let exit = turns.exit().max(refused);
    let Turns { mut kept, mut hooks, .. } = turns;
    let mut warn = |text: &str| output.line(&format!("warning: {text}"));
    kept.keep_said(hooks.finish(), &mut warn);
    let line = Line::Ended { at: clock::now(), exit: exit.status() };
    kept.keep(&line, &mut warn);
    if let Err(error) = metrics::write(site) {
        warn(&format!("{error:#}"));
        kept.is_incomplete = true;
    }
    if let Err(error) = pruning::prune(&site.ghostrc.state_folder, site.ghostrc.keep_records) {
        warn(&format!("old records are not removed (KEEPRECORDS): {error:#}"));
        kept.is_incomplete = true;
    }
    if kept.record.is_some() {
        // What hooks are told changes nothing of what the jobs have done.
        match whole(site, &kept.run) {
            Ok(json) => hooks.call(None, json),
            Err(error) => warn(&format!("the hooks are not called for the run: {error:#}")),
        }
        kept.keep_said(hooks.finish(), &mut warn);
        kept.is_incomplete |= !mailing::of_run(site, &kept.run, &mut warn);
    }
    Ok(if kept.is_incomplete { exit.max(Exit::Failed) } else { exit })
}

/// The record of a run. One that cannot be made holds no job up; one that another ghostctl has taken up does.
fn record_of_run(
    site: &Site,
    resumed: Option<&RunId>,
    begun: Begun,
    machine: &mut Linux<'_>,
) -> anyhow::Result<Kept> {
    let state_folder = &site.ghostrc.state_folder;
    if let Some(run) = resumed {
        let record = Record::take_up(state_folder, run)?;
        record.append(&Line::Resumed { at: begun.at, pid: begun.pid })?;
        return Ok(Kept { run: run.clone(), record: Some(record), is_incomplete: false });
    }
    let run = begun.run.clone();
    let record = Record::begin(state_folder, begun);
    let record =
        record.inspect_err(|error| machine.warn(&format!("there will be no record of this run: {error:#}")));
    Ok(Kept { run, is_incomplete: record.is_err(), record: record.ok() })
}

/// What hooks are told of the run.
fn whole(site: &Site, run: &RunId) -> anyhow::Result<String> {
    let (contents, is_owned) = runs::look(&site.ghostrc.state_folder, run)?;
    let told = Summary::of(contents, is_owned).map(|summary| OfRun { of: "run", summary });
    serde_json::to_string(&told).context("cannot tell the hooks of the run")
}

#[derive(Serialize)]
struct OfRun {
    of: &'static str,
    #[serde(flatten)]
    summary: Summary,
}

/// Keeps what is known of the run before its first job.
fn keep_before(
    kept: &mut Kept,
    recovered: Vec<Ended>,
    not_able: &[(HostName, anyhow::Error)],
    machine: &mut Linux<'_>,
) {
    let at = clock::now();
    let not_begun = not_able.iter().map(|(host, error)| {
        let (host, reason) = (host.clone(), format!("{error:#}"));
        Line::NotBegun { host, at, reason }
    });
    let recovered = recovered.into_iter().map(|ended| Line::JobEnded(Box::new(ended)));
    for line in recovered.chain(not_begun) {
        kept.keep(&line, &mut |text| machine.warn(text));
    }
}

/// The order in which the hosts begin.
fn order_of(site: &Site, mode: Mode, intents: &[Intent]) -> Vec<usize> {
    // Records that cannot be read are told of by the recovery; then no host's time is known.
    let records = record::all(&site.ghostrc.state_folder).map(|records| records.whole).unwrap_or_default();
    let last = last_good(&records, mode);
    let took: Vec<_> = intents.iter().map(|intent| last.get(&intent.host.name).copied()).collect();
    run::longest_first(&took)
}

fn until(time: TimeOfDay) -> anyhow::Result<UnixTime> {
    let TimeOfDay { hour, minute } = time;
    let next = local_time::next(clock::now(), hour, minute);
    next.context("cannot tell when it is the time that --until gives: check the time zone")
        .exit(Exit::Configuration)
}

fn by_the_loops_clock(at: UnixTime) -> Duration {
    clock::uptime() + at.since(clock::now())
}

fn new_id() -> anyhow::Result<JobId> {
    let random = random::bytes().context(NO_RANDOM_NUMBERS).exit(Exit::Bug)?;
    job::id(clock::now(), random).context("cannot make the job's name").exit(Exit::Bug)
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

fn plan(site: &Site, mode: Mode, intent: &Intent, already_on: AlreadyOn) -> anyhow::Result<Plan> {
    let Intent { host, settings, .. } = intent;
    Ok(Plan {
        identity: Identity { job: new_id()?, host: host.name.clone(), mac: host.mac, ip: host.ip, mode },
        limits: Limits {
            listen: settings.off_listen,
            ..Limits::new(
                settings.up_deadline,
                settings.job_deadline,
                settings.off_deadline,
                settings.revert_deadline,
            )
        },
        already_on,
        at_end: AtEnd::PowerOff,
        exported_for_job: site.ghostrc.exports == Exports::Job,
    })
}

fn work(shared: &Shared<'_>, ready: &Ready, plan: &Plan) -> anyhow::Result<Work> {
    let site = shared.site;
    let Intent { settings, generation, imager, luks_key, .. } = &ready.intent;
    let now = clock::now();
    let nonce = Nonce::new(random::bytes().context(NO_RANDOM_NUMBERS).exit(Exit::Bug)?);
    let particulars = Particulars {
        store: ready.store.clone(),
        nonce: nonce.clone(),
        generation: generation.clone(),
        imager: imager.clone(),
        luks_key: luks_key.is_some(),
        authorized_keys: ready.authorized_keys.clone(),
    };
    let limits = [plan.limits.up, plan.limits.claim, plan.limits.imaging, plan.limits.off];
    let longest = limits.into_iter().fold(Duration::ZERO, Duration::saturating_add);
    let exports = |first| ForJob {
        server: shared.nfs_server,
        wanted: of_job(&site.ghostrc, &plan.identity, generation.as_ref()),
        first,
    };
    let number = random::bytes().context(NO_RANDOM_NUMBERS).exit(Exit::Bug)?;
    let begun = journal::Begun {
        version: VERSION,
        identity: plan.identity.clone(),
        pid: std::process::id(),
        at: now,
        nonce,
        generation: generation.clone(),
        imager: imager.clone(),
        deadline: Some(now.plus(longest)),
        at_end: Some(plan.at_end),
        exports: plan.exported_for_job.then(|| exports(u16::from_ne_bytes(number))),
    };
    let order = Some(order(plan, settings, particulars, now));
    let host_table = Arc::clone(&shared.host_table);
    Ok(Work { order, luks_key: luks_key.clone(), host_table, ..Work::new(begun) })
}
