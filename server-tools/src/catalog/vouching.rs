//! Which generations are believed: those whose manifest this boot server wrote itself, or took over because a person said so.
//! Whatever else stands in the store is listed, and neither written back nor removed nor counted as a backup.

use anyhow::Context as _;
use ghost_contract::checksum::Sha256;
use ghost_contract::{Generation, HostName, UnixTime, layout};

use super::Catalog;
use super::check::Check;
use crate::state::vouched::{self, How, Vouched};

/// Why a generation is not believed although its manifest can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotVouched {
    #[error(
        "this boot server did not make it and does not vouch for it; if you know where it is from (an earlier version, a store \
         that was moved), 'ghostctl images adopt {host} {generation}' reads it back and takes it over"
    )]
    Unknown { host: HostName, generation: Generation },
    #[error(
        "its manifest is not the one that this boot server wrote: somebody has changed it; 'ghostctl images adopt {host} \
         {generation}' takes it over if that was you"
    )]
    Changed { host: HostName, generation: Generation },
}

/// Whether this is why a manifest is of no use.
pub(crate) fn is_not_vouched(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<NotVouched>())
}

/// What became of a generation that a person wanted taken over.
#[derive(Debug)]
pub(crate) enum Adoption {
    /// It is believed from now on.
    Adopted,
    /// It was believed before.
    Ours,
    /// It is not as its manifest says, and so it is not believed.
    Damaged(Check),
}

impl Catalog {
    pub(super) fn require_vouched(
        &self,
        host: &HostName,
        generation: &Generation,
        sum: Sha256,
    ) -> anyhow::Result<()> {
        let (host, generation) = (host.clone(), generation.clone());
        let sums = vouched::manifests(&self.state, &host, &generation);
        let sums = sums.with_context(|| format!("cannot tell whether {generation} of {host} is ours"))?;
        match &*sums {
            sums if sums.contains(&sum) => Ok(()),
            [] => Err(NotVouched::Unknown { host, generation }.into()),
            _ => Err(NotVouched::Changed { host, generation }.into()),
        }
    }

    /// Vouches for a generation with this manifest from now on.
    pub(super) fn vouch(
        &self,
        host: &HostName,
        generation: &Generation,
        (manifest, how, at): (Sha256, How, UnixTime),
    ) -> std::io::Result<()> {
        vouched::vouch(&self.state, host, &Vouched { at, generation: generation.clone(), manifest, how })
    }

    /// Reads a whole generation back and vouches for it if it is what its manifest says. Whether it is what it claims to be
    /// only a person can know.
    pub(crate) fn adopt(
        &self,
        host: &HostName,
        generation: &Generation,
        now: UnixTime,
    ) -> anyhow::Result<Adoption> {
        let folder = self.generation_folder(host, generation)?;
        let (manifest, sum) = self.claimed_manifest(&folder, host, generation)?;
        if self.require_vouched(host, generation, sum).is_ok() {
            return Ok(Adoption::Ours);
        }
        let path = self.store.join(layout::generation(host, generation));
        let damage = self.damage(&manifest, &folder, &path)?;
        if !damage.is_empty() {
            return Ok(Adoption::Damaged(Check { at: now, damage }));
        }
        self.vouch(host, generation, (sum, How::Adopted, now))
            .with_context(|| format!("cannot write down that {generation} of {host} is ours"))?;
        self.keep(host, generation, &Check { at: now, damage })?;
        Ok(Adoption::Adopted)
    }
}
