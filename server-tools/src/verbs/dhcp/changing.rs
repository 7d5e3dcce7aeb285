//! Changes the DHCP configuration for a person who waits, and has the DHCP server take it up.

use crate::dhcp::offer::Offers;
use crate::dhcp::restart::{Gathering, Restarts, Ticket};
use crate::exit::WithExit as _;
use crate::output::Output;
use crate::site::Site;
use crate::sys::atomic::Real;

/// Edits it. Who waits for the lock is told for which `purpose` it is held.
pub(crate) fn edit<T>(
    site: &Site,
    purpose: &str,
    output: &mut Output,
    edit: impl FnOnce(&mut Offers<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut effects = Real;
    let mut waiting = |holder: &str| output.waiting(holder);
    edit(&mut Offers::new(site, purpose.to_owned(), &mut waiting, &mut effects))
}

pub(crate) fn take_up(site: &Site, ticket: Ticket) -> anyhow::Result<()> {
    Restarts::of(site).serve(ticket, site, Gathering::SWAPS).map_err(|error| {
        let exit = error.exit();
        anyhow::Error::new(error).exit(exit)
    })
}
