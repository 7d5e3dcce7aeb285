//! How far a swap of several hosts has come.

use std::path::Path;

use super::{Intend, again};
use crate::dhcp::{Change, Configuration, Edit, Swap, Wanted};
use crate::exit::{Exit, WithExit as _};

/// Places are those in the list of hosts.
pub(super) struct Round {
    wanted: Vec<Wanted>,
    pub(super) each: Vec<anyhow::Result<()>>,
    /// Of which hosts it is written down what is about to be changed.
    intended: Vec<bool>,
    /// Which hosts are swapped now, in a file that is in place.
    edited: Vec<bool>,
    /// Whether any file may have been replaced.
    pub(super) has_put: bool,
}

impl Round {
    pub(super) fn new(wanted: Vec<Wanted>) -> Self {
        let count = wanted.len();
        let each = wanted.iter().map(|_| Ok(())).collect();
        Self { wanted, each, intended: vec![false; count], edited: vec![false; count], has_put: false }
    }

    pub(super) fn goes_on(&self) -> bool {
        !self.outstanding().is_empty()
    }

    /// The hosts that are not swapped yet, and of which nothing has failed.
    fn outstanding(&self) -> Vec<usize> {
        (0..self.wanted.len()).filter(|place| self.each[*place].is_ok() && !self.edited[*place]).collect()
    }

    /// The edit of all hosts that are outstanding.
    pub(super) fn edit(&mut self, configuration: &dyn Configuration) -> (Vec<Change>, Vec<(usize, Swap)>) {
        let places = self.outstanding();
        let wanted: Vec<Wanted> = places.iter().map(|place| self.wanted[*place].clone()).collect();
        let Edit { changes, swaps } = configuration.swap(&wanted);
        let mut swapped = Vec::new();
        for (place, swap) in places.into_iter().zip(swaps) {
            match swap {
                Ok(swap) => swapped.push((place, swap)),
                Err(error) => self.each[place] = Err(error).exit(Exit::Configuration),
            }
        }
        (changes, swapped)
    }

    /// Whether all that is about to be changed is written down now.
    pub(super) fn intend(&mut self, swapped: &[(usize, Swap)], intend: &mut Intend<'_>) -> bool {
        for (place, swap) in swapped {
            if self.intended[*place] {
                continue;
            }
            match intend(&self.wanted[*place].host, swap) {
                Ok(()) => self.intended[*place] = true,
                Err(error) => self.each[*place] = Err(error),
            }
        }
        swapped.iter().all(|(place, _)| self.intended[*place])
    }

    /// The file has another content than what was read: what is about to be changed is written down anew.
    pub(super) fn read_again(&mut self) {
        self.outstanding().into_iter().for_each(|place| self.intended[place] = false);
    }

    /// Nothing that is outstanding can be done.
    pub(super) fn all_failed(&mut self, error: &anyhow::Error) {
        self.outstanding().into_iter().for_each(|place| self.each[place] = Err(again(error)));
    }

    pub(super) fn became(
        &mut self,
        swapped: &[(usize, Swap)],
        file: &Path,
        result: Result<(), &anyhow::Error>,
    ) {
        for (place, _) in swapped.iter().filter(|(_, swap)| swap.file == file) {
            match result {
                Ok(()) => self.edited[*place] = true,
                Err(error) => self.each[*place] = Err(again(error)),
            }
        }
    }
}
