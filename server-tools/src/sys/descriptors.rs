//! How many files this program may have open at once: as many as the system lets it, and enough for what it begins.

use anyhow::anyhow;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::exit::{Exit, WithExit};

/// Sockets, watches, locks, and what one edit or one copy opens.
const BESIDES: u64 = 100;

/// Lets this program have as many as the system does.
pub(crate) fn allow_all() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Where it may not be raised, what there is may be enough.
    let _stays = setrlimit(Resource::Nofile, raised);
}

/// Makes room for so many jobs, each with a file of its own, or says that there is none.
pub(crate) fn make_room_for(jobs: usize) -> anyhow::Result<()> {
    allow_all();
    let needed = u64::try_from(jobs).unwrap_or(u64::MAX).saturating_add(BESIDES);
    match getrlimit(Resource::Nofile).current {
        Some(most) if most < needed => Err(anyhow!(
            "{jobs} jobs need {needed} files open at once, and only {most} are allowed; nothing was touched; raise the limit \
             ('ulimit -Hn', LimitNOFILE= of a unit) or begin fewer jobs at once"
        )
        .exit(Exit::Configuration)),
        _ => Ok(()),
    }
}
