//! Which generation a verify or a restore reads, and why none of a host's will do. It knows nothing of how jobs run.

use anyhow::anyhow;
use ghost_contract::{HostName, Mode};

use crate::catalog::Catalog;
use crate::catalog::listing::Listed;
use crate::cli::Asked;
use crate::exit::{Exit, WithExit};

/// The generation that a job of this mode reads, if it reads one: the one that was asked for, or the newest.
pub(super) fn wanted_generation(
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
