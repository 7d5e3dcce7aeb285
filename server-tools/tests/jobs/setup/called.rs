//! However `ghostctl setup` is called, from a hardened log-in or with cron's PATH, what it makes is the same.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::FRESH;
use super::machine::Machine;

#[test]
fn servers_can_read_what_is_made_for_them_whatever_the_umask() {
    let machine = Machine::fresh();
    machine.does_after("umask 077", 0..=0, &[&FRESH[..], &["--http-boot"]].concat());
    for place in ["srv/ghost", "tftp/grub", "tftp/grub/grub.cfg", "tftp/vmlinuz", "etc/exports.d"] {
        let mode = fs::metadata(machine.path(place)).unwrap().permissions().mode();
        assert_eq!(mode & 0o004, 0o004, "{place}: {mode:o}");
    }
}

#[test]
fn the_programs_of_root_are_found_without_their_folders_in_path() {
    Machine::fresh().does_after("export PATH=/usr/bin:/bin", 0..=0, &FRESH);
}
