//! The configuration of Kea's server for IPv4: read without losing a byte, and edited in one value.
//!
//! ```text
//! bytes ──lexer──▶ tokens ──sources──▶ those of all files ──tree──▶ values ──table──▶ reservations ──▶ a usable host, or what is wrong
//! ```
//! Every byte is kept: tokens and values are stretches of the input, never copies of it. `server` opens files and asks the server by
//! its control socket; the others are pure. What Kea itself makes of odd input was tried with Kea 2.2.

pub(crate) mod adding;
pub(crate) mod control;
pub(crate) mod edit;
pub mod lexer;
mod reach;
mod server;
mod sources;
pub(crate) mod table;
pub mod tree;
pub(crate) mod usable;

pub use edit::{revert, swap};
pub use server::Kea;
pub use sources::ReadError;
pub use table::{Host, HostTable};
pub use usable::{Flaw, UsableHost};

use super::{Setting, Terms, Traits};

/// A member of a map, as a person writes it.
fn json(key: &str, value: &str) -> String {
    format!("\"{key}\": \"{value}\"")
}

/// An option in an "option-data".
fn option(name: &str, value: &str) -> String {
    format!("{{ {}, {} }}", json("name", name), json("data", value))
}

pub(super) const TRAITS: Traits = Traits {
    name: "Kea",
    process: server::PROGRAM,
    read_by: server::read_by,
    package: "kea-dhcp4-server",
    unit: "kea-dhcp4-server",
    is_beside_another: false,
    needs_network: false,
    defaults: None,
    configurations: &["/etc/kea/kea-dhcp4.conf"],
    terms: Terms {
        address: "\"ip-address\"",
        needs: "give a reservation \"hostname\", \"hw-address\", \"ip-address\" and \"boot-file-name\"",
        next_server: Setting {
            name: "next-server",
            said: |value| json("next-server", value),
            written: |value| json("next-server", value),
        },
        tftp_server: Setting {
            name: "tftp-server-name",
            said: |value| option("tftp-server-name", value),
            written: |value| option("tftp-server-name", value),
        },
        boot_file: |value| json("boot-file-name", value),
        boot_file_option: "option-data boot-file-name",
        router: |value| format!("\"option-data\": [ {{ \"name\": \"routers\", \"data\": \"{value}\" }} ]"),
        denied: |value| format!("class {value}"),
        allow: "take the host out of that class, or the class out of its subnet",
    },
    is_its: lexer::begins_with_a_map,
    has_clients: |_| true,
};

#[cfg(test)]
mod tests;
