//! The real `ghostctl` against a boot server in a temporary folder and a network of its own. Its client is a
//! thread that writes the report that a client would write.

// The attribute tells the lints that everything here is a test.
#[cfg(test)]
mod apart;
#[cfg(test)]
mod base_root;
#[cfg(test)]
mod boot_server;
#[cfg(test)]
mod bootdisk;
#[cfg(test)]
mod client;
#[cfg(test)]
mod completion;
#[cfg(test)]
mod confined;
#[cfg(test)]
#[cfg(feature = "crash-points")]
mod crash;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod crowd_killed;
#[cfg(test)]
mod damaged;
#[cfg(test)]
mod dhcpd;
#[cfg(test)]
mod dnsmasq;
#[cfg(test)]
mod each_server;
#[cfg(test)]
mod edited;
#[cfg(test)]
mod encrypted;
#[cfg(test)]
mod exported;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod images;
#[cfg(test)]
mod inside;
#[cfg(test)]
mod interface;
#[cfg(test)]
mod journald;
#[cfg(test)]
mod kea;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod left;
#[cfg(test)]
mod mailed;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod meeting;
#[cfg(test)]
mod network;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod overheard;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod readiness;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod saved_disk;
#[cfg(test)]
mod served;
#[cfg(test)]
mod setup;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod standstill;
#[cfg(test)]
mod terminals;
#[cfg(test)]
mod top;
#[cfg(test)]
mod upgraded;
#[cfg(test)]
mod verbs;
#[cfg(test)]
mod version_4;
#[cfg(test)]
mod watched;
