//! The seam between a job and the DHCP server: find a host, swap, revert, make it take effect.
//!
//! One file for each DHCP server; ISC dhcpd so far. What they share is small and stands here: both edits are
//! pure, text in and text out, and their results are the same for any server. Finding a host is
//! [`HostTable::usable`](crate::dhcp::isc::HostTable::usable); taking effect is the command of `DHCPD` in
//! `/etc/ghostrc`. A second server brings a second module with `swap` and `revert` of the same shape, and only
//! then a trait over both has something to abstract from.
//!
//! ```text
//! offers its own file ──swap──▶ offers the boot file ──revert──▶ offers its own file, byte for byte
//!                                                     └─ somebody else changed it: left alone, and said
//! ```

use crate::dhcp::isc::{HostProblem, SyntaxFault, UsableHost};
use crate::place::Place;

pub mod isc;
pub mod offer;
pub mod restart;

/// A configuration file with one host swapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// The host as it was before, with the file that it is declared in.
    pub host: UsableHost,
    /// What that file shall contain.
    pub contents: Vec<u8>,
    /// The value that was replaced, byte for byte with its quotes: what [`isc::revert`] needs.
    pub previous: Vec<u8>,
}

/// Why a host is not swapped. Nothing has been changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwapError {
    /// The configuration does not say about the host what a job needs.
    #[error(transparent)]
    NotUsable(#[from] HostProblem),
    /// The host is offered the boot file without us, so that it is not ours to put back.
    #[error("{place}: host {host} is offered the boot file '{boot_file}' already; that is not ours to change\n{}", place.excerpt())]
    AlreadyBootFile { host: String, boot_file: String, place: Box<Place> },
}

/// What a revert comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revert {
    /// The file shall contain this; what others have changed in it meanwhile is kept.
    Contents(Vec<u8>),
    /// The host is offered its own file already.
    AlreadyReverted,
    /// Our value is not there any more. The file is left alone.
    Gone(Gone),
}

/// What is there instead of our value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// The host has been removed, renamed, or moved to another file.
    #[error("there is no host {0} in this file any more")]
    NoHost(String),
    /// There are several hosts of this name now, and which is ours cannot be told.
    #[error("host {0} is declared several times in this file now")]
    SeveralHosts(String),
    /// Somebody has given the host another file.
    #[error("{place}: host {host} is offered '{value}' now\n{}", place.excerpt())]
    OtherValue { host: String, value: String, place: Box<Place> },
    /// The host has no single `filename` of its own any more.
    #[error(transparent)]
    NoValue(HostProblem),
    /// The file is broken at the host or above it, so that nothing there can be trusted.
    #[error("{place}: {fault}\n{}", place.excerpt())]
    Unreadable { place: Box<Place>, fault: SyntaxFault },
}
