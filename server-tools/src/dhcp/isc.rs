//! The configuration of ISC dhcpd: read without losing a byte, and edited in one value.
//!
//! ```text
//! bytes ──lexer──▶ tokens ──tree──▶ statements ──table──▶ hosts ──▶ a usable host, or what is wrong with it
//! ```
//!
//! Every byte is kept: tokens and statements are stretches of the input, never copies of it. `server`, `check` and `running`
//! open files; the others are pure, and whoever reads a table says what an `include` holds. What dhcpd itself makes of odd input was tried with dhcpd 4.4.3 and
//! stands at the place where it matters.

pub(crate) mod adding;
mod check;
pub(crate) mod edit;
pub mod lexer;
mod reach;
mod running;
mod served;
pub(crate) mod server;
pub(crate) mod table;
pub mod tree;
pub(crate) mod usable;

pub use edit::{revert, swap};
#[cfg(test)]
pub(in crate::dhcp) use running::PROGRAM;
pub use server::Dhcpd;
pub use table::{Host, HostTable, ReadError};
pub use tree::{Statement, SyntaxFault, Tree};
pub use usable::{Flaw, HostProblem, UsableHost};

use super::{Setting, Terms, Traits};

pub(super) const TRAITS: Traits = Traits {
    name: "ISC dhcpd",
    process: running::PROGRAM.name,
    read_by: running::PROGRAM.read_by,
    package: "isc-dhcp-server",
    unit: "isc-dhcp-server",
    is_beside_another: false,
    needs_network: true,
    defaults: Some("/etc/default/isc-dhcp-server"),
    // Debian's place, then the HOWTO's.
    configurations: &["/etc/dhcp/dhcpd.conf", "/etc/dhcpd.conf"],
    terms: Terms {
        address: "'fixed-address'",
        needs: "give a host entry 'hardware ethernet', 'fixed-address' and 'filename'",
        next_server: Setting {
            name: "next-server",
            said: |value| format!("next-server {value}"),
            written: |value| format!("next-server {value};"),
        },
        tftp_server: Setting {
            name: "option tftp-server-name",
            said: |value| format!("option tftp-server-name {value}"),
            written: |value| format!("option tftp-server-name \"{value}\";"),
        },
        boot_file: |value| format!("filename \"{value}\";"),
        boot_file_option: "option bootfile-name",
        router: |value| format!("option routers {value};"),
        denied: |value| format!("'{value} booting'"),
        allow: "remove it, or write 'allow booting;' into the host entry",
    },
    is_its: |bytes| {
        !super::kea::lexer::begins_with_a_map(bytes) && !super::dnsmasq::lines::are_options(bytes)
    },
    has_clients: |_| true,
};

#[cfg(test)]
mod tests;
