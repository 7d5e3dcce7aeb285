//! A dnsmasq of ours as proxyDHCP, beside a DHCP server that is not ours, such as one in a router.
//!
//! The other server gives the addresses. The proxy gives none, and names the boot file to the hosts that are swapped; it is silent to
//! everybody else. Its configuration is one file with a line for each client:
//!
//! ```text
//! dhcp-host=02:00:00:00:00:02,set:nobackup,192.168.7.2,john          own disk: nobody answers it but the other server
//! dhcp-host=02:00:00:00:00:02,set:pxelinux.0,192.168.7.2,john        swapped: pxe-service=tag:pxelinux.0 offers it that file
//! ```
//! The word behind `set:` is the value that is swapped. The address is the one that the other server gives, which is where the client's
//! tree is. The proxy is restarted, which disturbs nobody: dnsmasq 2.90 crashes in this configuration too when a signal has it read hosts
//! again that have a tag and were answered (tried).
//!
//! `server` opens files; the others are pure. How lines are read is dnsmasq's ([`super::dnsmasq`]).

pub(crate) mod adding;
mod edit;
mod reach;
mod server;
mod table;

pub use edit::{revert, swap};
pub use server::Proxy;
pub use table::{Around, ClientTable};

use super::{Setting, Terms, Traits, dnsmasq};

pub(super) const TRAITS: Traits = Traits {
    name: "a dnsmasq of ours beside another DHCP server",
    process: dnsmasq::server::PROGRAM,
    read_by: dnsmasq::server::served_by,
    package: "dnsmasq-base",
    unit: server::PROGRAM.unit,
    is_beside_another: true,
    needs_network: false,
    defaults: None,
    configurations: &["/etc/ghost4linux/proxy.conf"],
    terms: Terms {
        address: "the address in dhcp-host",
        needs: "declare it with 'ghostctl hosts add', or give it a line dhcp-host=MAC,set:nobackup,ADDRESS,NAME with the address that the \
                other DHCP server gives it",
        next_server: Setting {
            name: "the server in pxe-service",
            said: |value| format!("the server {value} in pxe-service"),
            written: |value| value.to_owned(),
        },
        tftp_server: dnsmasq::TRAITS.terms.tftp_server,
        boot_file: |value| format!("set:{value}"),
        boot_file_option: dnsmasq::TRAITS.terms.boot_file_option,
        router: dnsmasq::TRAITS.terms.router,
        denied: dnsmasq::TRAITS.terms.denied,
        allow: dnsmasq::TRAITS.terms.allow,
    },
    is_its: table::is_a_proxys,
    has_clients: server::has_clients,
};

#[cfg(test)]
mod tests;
