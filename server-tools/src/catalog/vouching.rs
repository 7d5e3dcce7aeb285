//! Which generations are believed: those whose manifest this boot server wrote itself, or took over because a person said so.
//! Whatever else stands in the store is listed, and neither written back nor removed nor counted as a backup.

use std::io;
use std::path::Path;

use anyhow::{Context as _, ensure};
use ghost_contract::checksum::Sha256;
use ghost_contract::{Generation, HostName, UnixTime, layout};

use super::check::{Check, Damage};
use super::manifest::Manifest;
use super::pieces::CHECK;
use super::signing::{LARGEST_SIGNATURE, SIGNATURE, Signed};
use super::{Catalog, LARGEST_MANIFEST, cannot, finish, manifest};
use crate::state::vouched::{self, How, Verdict, Vouched};
use crate::sys::folder::Folder;

/// No record of a check is larger; each damage takes a line or two.
const LARGEST_CHECK: u64 = 16 << 20;

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
    #[error(
        "its signature does not match: {reason}; {generation} of {host} is not as the boot server made it that has signed it, or \
         is none of its"
    )]
    Signature { host: HostName, generation: Generation, reason: String },
}

/// Why a generation is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trust {
    /// This boot server vouches for it.
    Own,
    /// Another one does, with this key.
    Signed(String),
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

    /// Why the generation with this manifest is believed. A signature says nothing against what this boot server knows itself.
    pub(super) fn trust(
        &self,
        folder: &Folder,
        host: &HostName,
        generation: &Generation,
        sum: Sha256,
    ) -> anyhow::Result<Trust> {
        let Err(error) = self.require_vouched(host, generation, sum) else { return Ok(Trust::Own) };
        if !matches!(error.downcast_ref(), Some(NotVouched::Unknown { .. })) {
            return Err(error);
        }
        match self.signature(folder, sum)? {
            Signed::By(key) => Ok(Trust::Signed(key)),
            Signed::ByAnother => Err(error),
            Signed::Wrong(reason) => {
                let (host, generation) = (host.clone(), generation.clone());
                Err(NotVouched::Signature { host, generation, reason }.into())
            }
        }
    }

    fn signature(&self, folder: &Folder, sum: Sha256) -> anyhow::Result<Signed> {
        if self.keys.trusted.is_none() {
            return Ok(Signed::ByAnother);
        }
        let signature = match folder.read(SIGNATURE, LARGEST_SIGNATURE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Signed::ByAnother),
            Err(error) => return Ok(Signed::Wrong(format!("it cannot be read: {error}"))),
            Ok(signature) => signature,
        };
        let manifest = folder.read(layout::MANIFEST, LARGEST_MANIFEST)?;
        match manifest::sum(&manifest) == sum {
            true => self.keys.judge(&manifest, &signature),
            false => Ok(Signed::Wrong("the manifest is changed just now".to_owned())),
        }
    }

    /// Vouches for a generation with this manifest from now on.
    pub(super) fn vouch(
        &self,
        host: &HostName,
        generation: &Generation,
        (manifest, how, at): (Sha256, How, UnixTime),
    ) -> io::Result<()> {
        vouched::vouch(&self.state, host, &Vouched { at, generation: generation.clone(), manifest, how })
    }

    /// Leaves a record of what was found in the generation's folder, where lists and retention look for it, and vouches for it.
    pub fn keep(&self, host: &HostName, generation: &Generation, check: &Check) -> anyhow::Result<()> {
        let path = || self.store.join(layout::generation(host, generation)).join(CHECK);
        let folder = self.generation_folder(host, generation)?;
        let json = serde_json::to_vec_pretty(check).with_context(|| cannot("write", &path()))?;
        folder
            .replace(CHECK, &json)
            .and_then(|()| folder.sync())
            .with_context(|| cannot("write", &path()))?;
        let (sum, damaged) = (manifest::sum(&json), check.damage.len());
        let verdict = Verdict { at: check.at, generation: generation.clone(), check: sum, damaged };
        vouched::judge(&self.state, host, &verdict)
            .with_context(|| format!("cannot write down below STATEDIR that {} is ours", path().display()))
    }

    /// What the last check of this boot server has found in a generation, if there was one since it was made, whatever stands in
    /// its folder; and what people should know of what stands there.
    pub(super) fn last_check(
        &self,
        folder: &Folder,
        host: &HostName,
        generation: &Generation,
    ) -> (Option<Check>, Option<String>) {
        let record = match folder.read(CHECK, LARGEST_CHECK) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            read => Some(read.unwrap_or_default()),
        };
        let mend = format!("'ghostctl images verify {host} {generation}' checks it");
        let verdict = match vouched::verdict(&self.state, host, generation) {
            Ok(verdict) => verdict,
            Err(error) => {
                return (None, Some(format!("nobody knows what its last check found: {error}; {mend}")));
            }
        };
        match (verdict, record) {
            (None, None) => (None, None),
            (None, Some(_)) => {
                let said = format!("its {CHECK} is not of this boot server, and not believed; {mend}");
                (None, Some(said))
            }
            (Some(verdict), Some(bytes)) if manifest::sum(&bytes) == verdict.check => {
                (serde_json::from_slice(&bytes).ok().or_else(|| Some(without_words(&verdict))), None)
            }
            (Some(verdict), _) => {
                let said =
                    format!("its {CHECK} is not as this boot server wrote it, and not believed; {mend}");
                (Some(without_words(&verdict)), Some(said))
            }
        }
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
        match self.trust(&folder, host, generation, sum) {
            Ok(Trust::Own) => return Ok(Adoption::Ours),
            Err(error) if matches!(error.downcast_ref(), Some(NotVouched::Signature { .. })) => {
                return Err(error);
            }
            Ok(Trust::Signed(_)) | Err(_) => {}
        }
        let path = self.store.join(layout::generation(host, generation));
        let mut damage = self.damage(&manifest, &folder, &path)?;
        if damage.is_empty() {
            damage.extend(untrue_of_disks(&manifest, &folder, &path));
        }
        if !damage.is_empty() {
            return Ok(Adoption::Damaged(Check { at: now, damage }));
        }
        self.vouch(host, generation, (sum, How::Adopted, now))
            .with_context(|| format!("cannot write down that {generation} of {host} is ours"))?;
        if self.keys.signs() {
            let json = folder.read(layout::MANIFEST, LARGEST_MANIFEST)?;
            ensure!(
                manifest::sum(&json) == sum,
                "the manifest of {generation} of {host} is changed just now"
            );
            if let Some(signature) = self.keys.sign(&json, host, generation)? {
                let left = folder.replace(SIGNATURE, signature.as_bytes());
                left.with_context(|| format!("cannot leave the signature of {generation} of {host}"))?;
            }
        }
        self.keep(host, generation, &Check { at: now, damage })?;
        Ok(Adoption::Adopted)
    }
}

/// What a manifest says of the disks is what is told of them, what a restore checks, and what retention goes by.
fn untrue_of_disks(manifest: &Manifest, folder: &Folder, path: &Path) -> Option<Damage> {
    let described = match manifest.imager.name().describes_disks() {
        true => finish::disks_of(folder, path, &manifest.pieces),
        false => Ok(Vec::new()),
    };
    let reason = match described {
        Ok(disks) if disks == manifest.disks => return None,
        Ok(_others) => "the manifest says another thing of its disks than their images do".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    Some(Damage::Manifest { reason })
}

/// A check of which is known how it ended, and not what it found.
fn without_words(verdict: &Verdict) -> Check {
    let reason = || format!("{} things were wrong when it was checked last", verdict.damaged);
    let damage = (verdict.damaged > 0).then(|| Damage::Manifest { reason: reason() });
    Check { at: verdict.at, damage: damage.into_iter().collect() }
}
