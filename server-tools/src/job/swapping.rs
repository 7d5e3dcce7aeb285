//! How far the swap of one host is undone. Pure, and the same for a job that lives and for what a journal says.
//!
//! It goes by the order of the steps: a revert counts only after the last swap, and a restart only after that revert.
//!
//! ```text
//! Own ──swap──▶ Swapped ──revert──▶ PutBack ──restart──▶ Own
//!                  ▲                   │
//!                  └───────swap────────┘
//! ```

use super::Step;

/// What DHCP offers a host, as far as the steps of its job tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Swapping {
    /// The host's own file: there was no swap, or it is undone and the DHCP server knows.
    #[default]
    Own,
    /// The boot file, or it may be.
    Swapped,
    /// The configuration was read back and shows the host's own file; the DHCP server may not know yet.
    PutBack,
}

impl Swapping {
    /// What it becomes when this step was done. A swap counts from the moment at which it was intended.
    #[must_use]
    pub const fn after(self, step: Step) -> Self {
        match (self, step) {
            (_, Step::Swap) => Self::Swapped,
            (Self::Swapped, Step::Revert) => Self::PutBack,
            (Self::PutBack, Step::OfferOwn) => Self::Own,
            (now, _) => now,
        }
    }

    /// Whether something of the swap is still to be undone.
    pub const fn is_left(self) -> bool {
        !matches!(self, Self::Own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_restart_after_a_revert_after_the_last_swap_undoes_it() {
        use Step::{OfferBoot, OfferOwn, Revert, Swap};
        let cases: [(&[Step], Swapping); 9] = [
            (&[], Swapping::Own),
            (&[Revert, OfferOwn], Swapping::Own),
            (&[Swap, OfferBoot], Swapping::Swapped),
            (&[Swap, OfferOwn], Swapping::Swapped),
            (&[Swap, OfferOwn, Revert], Swapping::PutBack),
            (&[Swap, Revert, OfferOwn], Swapping::Own),
            (&[Swap, Revert, OfferOwn, Swap], Swapping::Swapped),
            (&[Swap, Revert, Swap, OfferOwn], Swapping::Swapped),
            (&[Swap, Revert, Swap, Revert, OfferOwn], Swapping::Own),
        ];
        for (steps, expected) in cases {
            let became = steps.iter().fold(Swapping::default(), |now, step| now.after(*step));
            assert_eq!(became, expected, "{steps:?}");
        }
    }
}
