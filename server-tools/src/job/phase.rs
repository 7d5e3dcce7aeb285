//! The phases of a job, and the words for them.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Checks whether the client is on already.
    Probing,
    /// Makes the tree and the order.
    Preparing,
    /// Tree and order are made; the swap is next.
    Prepared,
    /// The DHCP configuration is swapped; the server is being restarted.
    Swapped,
    /// Magic packets go out until the client is up.
    Woken,
    /// The client is up; the revert is next, or is tried again.
    Up,
    /// The swap is reverted; the client has not claimed its order yet.
    Reverted,
    Imaging,
    /// The client has written its last line.
    GoingOff,
    /// Undoes what the job did, keeps what it made, and records it.
    Finishing,
    Closed,
}

impl Phase {
    /// The phase in one or two words, for lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Probing => "probing",
            Self::Preparing => "preparing",
            Self::Prepared => "prepared",
            Self::Swapped => "swapped",
            Self::Woken => "woken",
            Self::Up => "up",
            Self::Reverted => "reverted",
            Self::Imaging => "imaging",
            Self::GoingOff => "going off",
            Self::Finishing => "finishing",
            Self::Closed => "closed",
        }
    }

    /// What a running job says when it comes to the phase.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Probing => "checking whether it is already on",
            Self::Preparing => "making the tree and the order",
            Self::Prepared => "tree and order are made",
            Self::Swapped => "swapped: DHCP offers the boot file",
            Self::Woken => "DHCP server restarted",
            Self::Up => "up: reverting the DHCP entry",
            Self::Reverted => "reverted: DHCP offers what it did before",
            Self::Imaging => "at work",
            Self::GoingOff => "waiting until it is off",
            Self::Finishing => "finishing",
            Self::Closed => "closed",
        }
    }
}
