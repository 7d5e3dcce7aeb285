//! Given an NFS server that serves others too, is it told of what setup exports and of nothing else?

use super::FRESH;
use super::machine::Machine;

const REMOVE: [&str; 3] = ["setup", "--remove", "--yes"];
const ADD: [&str; 6] = ["hosts", "add", "--yes", "pc7", "2:0:0:0:0:7", "192.168.7.7"];
/// As a cluster's agents export, by no file.
const BY_HAND: &str = "/srv\n/home 10.9.9.9\n";

fn of_base(numbers: &[u8]) -> String {
    numbers.iter().map(|number| format!("/srv/ghost4linux/base 192.168.7.{number}\n")).collect()
}

#[test]
fn what_others_export_by_hand_goes_on() {
    let machine = Machine::fresh();
    machine.write("exports", BY_HAND);
    machine.does(0, &FRESH);
    machine.does(0, &ADD);
    // A client that is told again is listed once.
    let mut listed: Vec<String> = machine.text("exports").lines().map(|line| format!("{line}\n")).collect();
    listed.sort();
    listed.dedup();
    let mut expected: Vec<String> =
        format!("{BY_HAND}{}", of_base(&[2, 3, 7])).lines().map(|line| format!("{line}\n")).collect();
    expected.sort();
    assert_eq!(listed, expected);
    machine.does(0, &REMOVE);
    assert_eq!(machine.text("exports"), BY_HAND);
}

#[test]
fn a_line_of_others_that_has_a_fault_holds_nothing_up() {
    let machine = Machine::fresh();
    machine.write("exportfs-grumbles", "");
    machine.does(0, &FRESH);
    machine.does(0, &ADD);
    machine.does(0, &REMOVE);
    assert!(!machine.path("etc/ghostrc").exists());
    assert_eq!(machine.text("exports"), "/srv\n");
}

#[test]
fn a_base_root_is_exported_once_it_is_there() {
    let machine = Machine::fresh();
    let without_root = [&FRESH[..], &["--without-root"]].concat();
    let told = machine.does_after("", 78..=78, &without_root);
    assert!(!told.contains("left undone"), "{told}");
    assert_eq!(machine.text("exports"), "/srv\n");
    assert!(machine.text("etc/exports.d/ghost4linux.exports").contains(" 192.168.7.3(ro,"));
    let told = machine.does(0, &["root", "build"]);
    assert!(told.contains("exported /srv/ghost4linux/base to 192.168.7.2, 192.168.7.3\n"), "{told}");
    assert_eq!(machine.text("exports"), format!("/srv\n{}", of_base(&[2, 3])));
}

#[test]
fn folders_that_are_exported_no_more_are_withdrawn() {
    let machine = Machine::fresh();
    machine.does(0, &FRESH);
    machine.write("etc/ghostrc", &machine.text("etc/ghostrc").replace("EXPORTS=job ", "EXPORTS=own "));
    machine.does(0, &["setup", "--yes"]);
    assert!(machine.text("exports").contains("/srv/ghost4linux/base.trees/192.168.7.2 192.168.7.2\n"));
    machine.write("etc/ghostrc", &machine.text("etc/ghostrc").replace("EXPORTS=own ", "EXPORTS=job "));
    machine.does(0, &["setup", "--yes"]);
    assert!(!machine.text("exports").contains("base.trees"), "{}", machine.text("exports"));
    assert!(machine.text("exports").contains(&of_base(&[2])));
}
