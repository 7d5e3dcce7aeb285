//! dnsmasq is the DHCP server.

use ghost_lab::{DhcpServer, Firmware};

use crate::dhcp_servers::serves_jobs_and_is_as_it_was;

#[test]
fn a_pc_is_tested_and_backed_up_with_dnsmasq_and_boots_its_own_disk() {
    serves_jobs_and_is_as_it_was("dnsmasq", DhcpServer::Dnsmasq, Firmware::Bios);
}
