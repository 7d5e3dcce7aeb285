//! The steps of a job that change something outside it. A crash may come before or after any of them.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The host is claimed in the journal, for this job alone.
    Claim,
    /// Nonce, staging folder, tree and order are made.
    MakeTree,
    /// The client's folders are exported to it.
    Export,
    /// The host's entry offers the boot file.
    Swap,
    /// The DHCP server takes that up.
    OfferBoot,
    /// The entry's own bytes are put back.
    Revert,
    /// The DHCP server takes that up.
    OfferOwn,
    /// The configuration is read once more: a person may have saved it as it was during the swap.
    LookAgain,
    /// The client is asked to stop.
    AskToStop,
    /// The client's folders are exported no more.
    Unexport,
    /// The generation is checked and given its name.
    FinishGeneration,
    /// Older generations that the settings do not ask for are removed.
    Prune,
    /// What was written of the generation is kept apart.
    SetAside,
    /// What a restore had room for in the image store is removed, if it had any.
    RemoveScratch,
    /// Order and nonce are made void.
    Withdraw,
    /// What became of the job is written down.
    Record,
    /// The journal's entry is closed.
    Close,
}

impl Step {
    /// All of them. [`Step::position`] makes the compiler ask for a new one here.
    pub const ALL: [Self; 17] = [
        Self::Claim,
        Self::MakeTree,
        Self::Export,
        Self::Swap,
        Self::OfferBoot,
        Self::Revert,
        Self::OfferOwn,
        Self::LookAgain,
        Self::AskToStop,
        Self::Unexport,
        Self::FinishGeneration,
        Self::Prune,
        Self::SetAside,
        Self::RemoveScratch,
        Self::Withdraw,
        Self::Record,
        Self::Close,
    ];

    pub const fn position(self) -> usize {
        match self {
            Self::Claim => 0,
            Self::MakeTree => 1,
            Self::Export => 2,
            Self::Swap => 3,
            Self::OfferBoot => 4,
            Self::Revert => 5,
            Self::OfferOwn => 6,
            Self::LookAgain => 7,
            Self::AskToStop => 8,
            Self::Unexport => 9,
            Self::FinishGeneration => 10,
            Self::Prune => 11,
            Self::SetAside => 12,
            Self::RemoveScratch => 13,
            Self::Withdraw => 14,
            Self::Record => 15,
            Self::Close => 16,
        }
    }

    /// Whether it is about what DHCP offers, which jobs that are due together share.
    pub const fn is_offer(self) -> bool {
        self.is_edit() || self.is_restart() || matches!(self, Self::LookAgain)
    }

    pub const fn is_edit(self) -> bool {
        matches!(self, Self::Swap | Self::Revert)
    }

    pub const fn is_restart(self) -> bool {
        matches!(self, Self::OfferBoot | Self::OfferOwn)
    }

    /// Whether it takes as long as disks do, or as another program likes, so that other jobs must not wait for it.
    pub const fn is_lengthy(self) -> bool {
        self.is_export() || matches!(self, Self::FinishGeneration | Self::Prune)
    }

    /// Whether it is done on another thread than the loop of all jobs.
    pub const fn is_done_elsewhere(self) -> bool {
        self.is_lengthy() || self.is_in_folders_of_the_client()
    }

    /// Whether it makes or removes what a client can write to. It may have filled that.
    pub const fn is_in_folders_of_the_client(self) -> bool {
        matches!(
            self,
            Self::MakeTree | Self::AskToStop | Self::SetAside | Self::RemoveScratch | Self::Withdraw
        )
    }

    /// Whether it asks the NFS server for something.
    pub const fn is_export(self) -> bool {
        matches!(self, Self::Export | Self::Unexport)
    }

    /// Whether a job that is over does it only when the swap is undone, or that was given up.
    pub const fn waits_for_the_revert(self) -> bool {
        matches!(self, Self::LookAgain | Self::Record | Self::FinishGeneration | Self::Prune)
    }

    /// Whether it changes something that a crash would leave, so that the journal must know of it before. All others
    /// undo, keep or record, and are done even if nothing can be written to the journal.
    pub const fn needs_intent(self) -> bool {
        matches!(
            self,
            Self::Claim | Self::MakeTree | Self::Export | Self::Swap | Self::OfferBoot | Self::Prune
        )
    }

    /// What people are told that is being done.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim the host",
            Self::MakeTree => "make the tree and the order",
            Self::Export => "export the client's folders to it",
            Self::Swap => "swap the DHCP entry",
            Self::OfferBoot => "restart the DHCP server",
            Self::Revert => "revert the DHCP entry",
            Self::OfferOwn => "restart the DHCP server with the entry reverted",
            Self::LookAgain => "make sure that the DHCP entry stays reverted",
            Self::AskToStop => "ask the client to stop",
            Self::Unexport => "stop exporting the client's folders",
            Self::FinishGeneration => "finish the generation",
            Self::Prune => "remove older generations",
            Self::SetAside => "set the unfinished generation aside",
            Self::RemoveScratch => "remove the restore's scratch files",
            Self::Withdraw => "withdraw the order",
            Self::Record => "record the job",
            Self::Close => "close the journal's entry",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_place_in_the_list() {
        for (index, step) in Step::ALL.into_iter().enumerate() {
            assert_eq!(step.position(), index, "{step:?}");
        }
    }
}
