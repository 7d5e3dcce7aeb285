//! dnsmasq as a DHCP server: its configuration, read without losing a byte, and edited in one value.
//!
//! ```text
//! bytes ──lines──▶ lines and their items ──sources──▶ those of all files ──table──▶ hosts ──boots──▶ what a host's tags make of it
//! ```
//! dnsmasq reads its configuration when it starts. Meanwhile it reads again only what `dhcp-optsdir`, `dhcp-optsfile`, `dhcp-hostsdir` and
//! `dhcp-hostsfile` name. So a swap replaces the value of a line that is the host's own among the options there, by the tag that its
//! other line sets:
//!
//! ```text
//! dhcp-host=02:00:00:00:00:02,set:john,192.168.7.2,john      wherever it stands
//! tag:john,option:bootfile-name,nobackup                     in a file that dhcp-optsdir or dhcp-optsfile names
//! ```
//! The other way, to set a tag in `dhcp-hostsfile`, is not taken: dnsmasq 2.90 crashes when it reads hosts again after it has answered one
//! that has a tag there. For the same reason it gets a signal only where no such host has one.
//!
//! `server` opens files, and signals the server; the others are pure. What dnsmasq makes of odd input was tried with dnsmasq 2.90.

pub(crate) mod adding;
mod boots;
mod check;
mod configuration;
pub(crate) mod edit;
pub(super) mod hosts;
pub mod lines;
mod reach;
pub(super) mod server;
pub(super) mod sources;
pub(crate) mod table;
mod unread;
pub(crate) mod usable;

pub use edit::{revert, swap};
pub use server::Dnsmasq;
pub use sources::{Content, ReadError};
pub use table::{Around, HostTable};
pub use usable::Flaw;

use super::{Setting, Terms, Traits};

pub(super) const TRAITS: Traits = Traits {
    name: "dnsmasq",
    process: server::PROGRAM,
    read_by: server::served_by,
    package: "dnsmasq",
    unit: "dnsmasq",
    is_beside_another: false,
    needs_network: false,
    defaults: None,
    configurations: &["/etc/dnsmasq.conf"],
    terms: Terms {
        address: "the address in dhcp-host",
        needs: "give a host its hardware address, set:NAME, its address and its name in dhcp-host, and 'tag:NAME,option:bootfile-name,nobackup' \
                in a file that dhcp-optsdir names",
        next_server: Setting {
            name: "option:server-ip-address",
            said: |value| format!("the server address {value}"),
            written: |value| format!("option:server-ip-address,{value}"),
        },
        tftp_server: Setting {
            name: "option:tftp-server",
            said: |value| format!("option:tftp-server,{value}"),
            written: |value| format!("option:tftp-server,{value}"),
        },
        boot_file: |value| format!("boot file {value}"),
        boot_file_option: "option:bootfile-name",
        router: |value| format!("dhcp-option=option:router,{value}"),
        denied: |value| format!("'{value}'"),
        allow: "take the host out of what is ignored",
    },
    is_its: lines::are_options,
    has_clients: server::has_clients,
};

#[cfg(test)]
mod tests;
