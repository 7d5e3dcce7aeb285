//! The end-to-end scenarios: what an administrator types, on real servers and PCs that boot for real.
//!
//! They need root, the programs in `tests/host-packages`, a base root (`make rootfs`) and `ghostctl` beside the
//! program `lab`; `make e2e` sees to all of it. What a scenario leaves when it fails is in `target/lab-failures/`.

#![allow(clippy::unwrap_used, reason = "all of this target is tests: a panic that says where is the message")]

mod apart;
mod at_the_machine;
mod backup;
mod boot_files;
mod by_hand;
mod cancelled;
mod cards;
mod cut_off;
mod dhcp_server;
mod dhcp_servers;
mod dnsmasq;
mod dosemu;
mod encrypted;
mod exported;
mod fleet;
mod full_store;
mod handles;
#[cfg(feature = "campaigns")]
mod hanging_driver;
mod hangs;
#[cfg(feature = "campaigns")]
mod http;
mod interrupted;
mod john;
mod kea;
mod lab_itself;
#[cfg(feature = "campaigns")]
mod late_disks;
#[cfg(feature = "campaigns")]
mod leases;
#[cfg(feature = "campaigns")]
mod leaving;
mod linux;
mod linux_disks;
mod linux_systems;
mod linux_troubles;
#[cfg(feature = "campaigns")]
mod little_memory;
mod mounted;
mod never_up;
#[cfg(feature = "campaigns")]
mod nfs4;
mod proxy;
mod refusals;
mod shared_address;
mod stage;
mod troubles;
#[cfg(feature = "campaigns")]
mod two_servers;
mod uefi;
mod wake;
#[cfg(feature = "campaigns")]
mod wall;
