//! The configuration of ISC dhcpd: read without losing a byte, and edited in one value.
//!
//! ```text
//! bytes ──lexer──▶ tokens ──tree──▶ statements ──table──▶ hosts ──▶ a usable host, or what is wrong with it
//! ```
//!
//! Every byte is kept: tokens and statements are stretches of the input, never copies of it. `server`, `check` and `running`
//! open files; the others are pure, and whoever reads a table says what an `include` holds. What dhcpd itself makes of odd input was tried with dhcpd 4.4.3 and
//! stands at the place where it matters.

mod check;
pub(crate) mod edit;
pub mod lexer;
mod reach;
mod running;
mod served;
pub(crate) mod server;
pub(crate) mod table;
mod taking_up;
pub mod tree;
pub(crate) mod usable;

pub use edit::{revert, swap};
pub use server::Dhcpd;
pub use table::{Host, HostTable, ReadError};
pub use tree::{Statement, SyntaxFault, Tree};
pub use usable::{Flaw, HostProblem, UsableHost};

#[cfg(test)]
mod tests;
