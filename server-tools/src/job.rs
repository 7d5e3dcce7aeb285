//! One job: a client is swapped, woken, followed and seen off.
//!
//! A [`Job`] is a value; [`Job::decide`] is its whole policy. It knows no clock, file, socket or process: events and the time
//! go in, and actions come out. `runner` performs the actions, and reports what became of each as further events.
//!
//! ```text
//!  Begin     silent     tree made     DHCP restarted      Up        DHCP restarted      claimed         powering off      silent
//! ───▶ Probing ──▶ Preparing ──▶ Prepared ──▶ Swapped ──▶ Woken ──▶ Up ──▶ Reverted ──▶ Imaging ──▶ GoingOff ──▶ Finishing ──▶ Closed
//!         │            │             │            │         │        │         │            │            │           ▲
//!         └────────────┴─────────────┴── error, deadline or a request to stop ─┴────────────┴────────────┴───────────┘
//! ```
//! Whatever happens, a job passes through `Finishing`, which undoes what the job has changed and not undone yet.

pub(crate) mod bytes;
pub(crate) mod decide;
pub(crate) mod ending;
pub(crate) mod heard;
pub(crate) mod imager;
pub(crate) mod luks_key;
pub(crate) mod note;
pub(crate) mod order;
pub(crate) mod pace;
pub(crate) mod phase;
pub(crate) mod plan;
pub(crate) mod said;
pub(crate) mod step;
pub(crate) mod swapping;
mod told;

use std::net::Ipv4Addr;
use std::time::Duration;

use ghost_contract::{JobId, MacAddress, UnixTime, report};
use serde::{Deserialize, Serialize};

use crate::exit::Exit;

pub use ending::{Ending, Failure, FailureKind};
pub use heard::Heard;
pub use note::Note;
pub use phase::Phase;
pub use plan::{AlreadyOn, Identity, Limits, Plan};
pub use said::Said;
pub use step::Step;
pub use swapping::Swapping;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Begun,
    StepDone(Step),
    /// A step could not be done.
    StepFailed(Step, Failure),
    /// A machine answered ARP for the client's address.
    Answered(MacAddress),
    /// An operating system answered ping at the client's address. Behind a gateway, nothing tells whether it is the client's.
    Echoed,
    /// It was overheard on its way to its root.
    Heard(Heard),
    /// The client wrote a line.
    Reported(report::Entry),
    /// The client wrote a line that cannot be read.
    Muttered(String),
    /// The client wrote more than is read, in words.
    LeftOut(String),
    /// A step was done, but could not be written to the journal.
    Unwritten(Failure),
    /// A signal, or another `ghostctl`, asks the job to stop.
    StopAsked(String),
    TimePassed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Answered by [`Event::StepDone`] or [`Event::StepFailed`].
    Do(Step),
    Wake,
    /// Ask by ARP who has the client's address.
    Probe,
    /// Ask by ping, which only an operating system answers.
    Echo,
    Tell(Note),
}

/// What has been seen of the client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many magic packets were sent.
    pub packets: u32,
    /// When it last answered, by the loop's clock.
    pub answered: Option<Duration>,
    /// When an operating system last answered for it, by the loop's clock.
    pub echoed: Option<Duration>,
    /// How far it was heard to come before it reported.
    pub heard: Option<Heard>,
    /// The address that it took on its way, and the DHCP server that offered it.
    pub took: Option<(Ipv4Addr, Ipv4Addr)>,
    /// How often people were told of that.
    pub told_heard: u32,
    /// Another machine that has its address.
    pub stranger: Option<MacAddress>,
    pub said: Said,
    /// When it last wrote a line, by the loop's clock.
    pub spoke: Option<Duration>,
}

/// A reading of the client's counters, bytes since the imager's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Milliseconds since the client's start.
    pub uptime: u64,
    pub disk_read: u64,
    pub disk_written: u64,
    pub received: u64,
    pub sent: u64,
}

impl Sample {
    /// The reading that a line of the report tells, if it tells one.
    pub const fn of(entry: &report::Entry) -> Option<Self> {
        match entry.event {
            report::Event::Sampled { disk_read, disk_written, received, sent } => {
                Some(Self { uptime: entry.uptime, disk_read, disk_written, received, sent })
            }
            _ => None,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Job {
    plan: Plan,
    phase: Phase,
    /// When this phase began, by the loop's clock.
    entered: Duration,
    /// When the next packet or question is due.
    due: Duration,
    seen: Seen,
    /// The steps that were begun, whatever became of them.
    begun: Vec<Step>,
    done: Vec<Step>,
    /// The step whose end is awaited.
    doing: Option<Step>,
    /// The revert that does not wait for the end of the swap's restart, which may take minutes.
    beside: Option<Step>,
    /// What DHCP offers the client.
    swapping: Swapping,
    /// When the revert is tried again, and how long was waited for it.
    again: Option<Again>,
    /// When DHCP is looked at again after a revert that was taken up.
    look_due: Option<Duration>,
    /// When the last revert was taken up.
    taken_up: Option<Duration>,
    /// How many looks at the end of the job have failed.
    failed_looks: u32,
    /// From when on a job that is over has had something to revert.
    insists_from: Option<Duration>,
    /// Until when a job that is over tries again to revert, once it has begun to.
    insists_until: Option<Duration>,
    /// `None`: nothing is looked for, or no more.
    listening: Option<Listening>,
    /// Whether the client has fallen silent after its last line, and is to stay off.
    has_gone_off: bool,
    leaving: Leaving,
    /// What makes it likely that the client was reset while it was at work.
    suspicion: Option<decide::resetting::Suspicion>,
    /// The steps that remain, the next one last. `None` while the job waits for the step that it was doing when it ended.
    finishing: Option<Vec<Step>>,
    ending: Option<Ending>,
    troubles: Vec<Trouble>,
    told: told::Told,
}

/// A revert that failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Again {
    due: Duration,
    waited: Duration,
}

impl Again {
    const fn after(now: Duration, waited: Duration) -> Self {
        Self { due: now.saturating_add(waited), waited }
    }
}

/// Whether a client that was asked to stop is waited for, before what it needs is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Leaving {
    #[default]
    NotAwaited,
    Until(Duration),
    Over,
}

/// What is looked for at a client that has said that it powers off, or that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// It falls silent.
    Silence,
    /// It is silent, and may boot again instead of being off.
    Return,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listening {
    awaited: Awaited,
    /// Since when it is looked for.
    since: Duration,
    until: Duration,
    /// When it is asked next whether it is there.
    due: Duration,
    /// Whether people know that nothing else is left to do.
    told: bool,
    /// Whether it was given up, and has not said that it powers off.
    given_up: bool,
}

/// What went wrong and was not put right since.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trouble {
    /// The step that failed, if it was one.
    step: Option<Step>,
    failure: Failure,
}

impl Trouble {
    const fn is_of_revert(&self) -> bool {
        matches!(self.step, Some(Step::Revert | Step::OfferOwn | Step::LookAgain))
    }

    fn words(&self) -> String {
        let Self { step, failure } = self;
        step.map_or_else(
            || failure.reason.clone(),
            |step| format!("could not {}: {}", step.as_str(), failure.reason),
        )
    }
}

impl Job {
    /// A job that has not begun.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            phase: Phase::Probing,
            entered: Duration::ZERO,
            due: Duration::ZERO,
            seen: Seen::default(),
            begun: Vec::new(),
            done: Vec::new(),
            doing: None,
            beside: None,
            swapping: Swapping::Own,
            again: None,
            look_due: None,
            taken_up: None,
            failed_looks: 0,
            insists_from: None,
            insists_until: None,
            listening: None,
            has_gone_off: false,
            leaving: Leaving::default(),
            suspicion: None,
            finishing: None,
            ending: None,
            troubles: Vec::new(),
            told: told::Told::default(),
        }
    }

    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// What has been seen of the client.
    pub const fn seen(&self) -> &Seen {
        &self.seen
    }

    /// `None` while it runs.
    pub const fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Whether DHCP may offer the client the boot file.
    pub(crate) const fn swap_is_left(&self) -> bool {
        self.swapping.is_left()
    }

    /// What went wrong and was not put right.
    pub fn troubles(&self) -> Vec<Failure> {
        self.troubles.iter().map(|trouble| trouble.failure.clone()).collect()
    }

    /// What it ends the program with: its ending, or what was left undone if that is all that went wrong.
    pub fn exit(&self) -> Exit {
        let of_ending = self.ending.as_ref().map_or(Exit::Done, Ending::exit);
        let of_troubles = self.troubles.iter().map(|trouble| trouble.failure.kind.exit());
        let of_swap = if self.swapping.is_left() { Exit::Failed } else { Exit::Done };
        if of_ending == Exit::Done { of_troubles.fold(of_swap, Exit::max) } else { of_ending }
    }

    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }
}

/// The name of a job that begins now: the time in UTC and eight random digits. Of hundreds that begin in one second none has
/// another's name.
pub fn id(now: UnixTime, random: [u8; 4]) -> Result<JobId, ghost_contract::job::JobError> {
    format!("{}-{:08x}", crate::calendar::compact(now), u32::from_be_bytes(random)).parse()
}
