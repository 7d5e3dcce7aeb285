//! What is fuzzed: plain functions of bytes, each with what must hold for any input.
//!
//! `make fuzz` drives them (`fuzz/README.md`). The test beside this library tries the corpus, and bytes that are like it.

mod agreed;
mod client;
mod dhcp;
mod disks;
mod network;
mod patched;
mod people;
mod state;

pub use agreed::*;
pub use client::*;
pub use dhcp::*;
pub use disks::*;
pub use network::*;
pub use people::*;
pub use state::*;

/// What is done with an input.
pub type Target = fn(&[u8]);

/// All of them, by the names of their corpora.
pub const TARGETS: [(&str, Target); 52] = [
    ("arp", arp),
    ("by_hand", by_hand),
    ("check", check),
    ("command_line", command_line),
    ("console", console),
    ("disk", disk),
    ("dnsmasq", dnsmasq),
    ("dnsmasq_conf", dnsmasq_conf),
    ("dos_job", dos_job),
    ("early", early),
    ("editor", editor),
    ("ethers", ethers),
    ("exports", exports),
    ("file_systems", file_systems),
    ("floppy", floppy),
    ("followed", followed),
    ("frames", frames),
    ("fstab", fstab),
    ("ganesha", ganesha),
    ("ghostrc", ghostrc),
    ("grub", grub),
    ("icmp", icmp),
    ("journal", journal),
    ("kea", kea),
    ("kea_answer", kea_answer),
    ("lexer", lexer),
    ("lists", lists),
    ("luks", luks),
    ("looked_into", looked_into),
    ("lvm", lvm),
    ("manifest", manifest),
    ("netboot", netboot),
    ("offer", offer),
    ("order", order),
    ("overheard", overheard),
    ("partclone", partclone),
    ("partclone_body", partclone_body),
    ("picture", picture),
    ("proxy", proxy),
    ("record", record),
    ("report", report),
    ("rpc", rpc),
    ("runs", runs),
    ("screens", screens),
    ("shown", shown),
    ("signature", signature),
    ("sums", sums),
    ("tables", tables),
    ("tftp", tftp),
    ("tools", tools),
    ("volumes", volumes),
    ("vouched", vouched),
];
