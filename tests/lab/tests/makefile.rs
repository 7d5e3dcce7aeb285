//! What `make e2e` would do, and what it would tell the scenarios, with an administrator's own imager and without. Nothing
//! of it is done.

#![allow(clippy::unwrap_used, reason = "all of this target is tests: a panic that says where is the message")]

use std::env;
use std::process::Command;

use ghost_lab::config::repository;

const OWN_IMAGER: [&str; 3] = ["IMAGER=dosemu", "OVERLAY=/own/overlay", "FLOPPY=/own/floppy.img"];
/// A rule that shows what every recipe finds in its environment.
const SHOW_ENVIRONMENT: &str = "--eval=environment: ; @env";

/// The lines that `make` writes.
fn make(words: &[&str], settings: &[&str]) -> Vec<String> {
    let mut make = Command::new("make");
    make.args(words).args(settings).current_dir(repository());
    // What the caller has set, and what a `make` tells one that it calls, is not what this is about.
    let output = make.env_clear().env("PATH", env::var_os("PATH").unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The commands of `make e2e` that are about a base root or choose scenarios, by their last word.
fn last_words(settings: &[&str]) -> Vec<String> {
    let commands = make(&["--dry-run", "e2e"], settings);
    let of_interest = commands
        .iter()
        .filter(|command| ["rootfs/", "kmod/", "cargo test"].iter().any(|start| command.starts_with(start)));
    of_interest.map(|command| command.rsplit(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn an_imager_of_ones_own_has_a_base_root_of_its_own_and_the_main_scenario_alone() {
    let root = "target/rootfs-dosemu";
    let base = "target/rootfs-dosemu/base";
    assert_eq!(last_words(&OWN_IMAGER), [root, root, base, base, "a_disk_is_backed_up"]);

    let environment = make(&[SHOW_ENVIRONMENT, "environment"], &OWN_IMAGER);
    let repository = repository().display();
    let told = [
        format!("LAB_BASE_ROOT={repository}/target/rootfs-dosemu/base"),
        format!("LAB_NETBOOT={repository}/target/rootfs-dosemu/netboot"),
    ];
    for told in told.into_iter().chain(OWN_IMAGER.map(str::to_owned)) {
        assert!(environment.contains(&told), "{told}: {environment:#?}");
    }
}

#[test]
fn without_one_every_scenario_runs_from_the_usual_base_root() {
    let (root, base) = ("target/rootfs", "target/rootfs/base");
    assert_eq!(last_words(&[]), [root, root, base, base, ""]);
    assert_eq!(last_words(&["SCENARIO=john"])[4], "john");
    let environment = make(&[SHOW_ENVIRONMENT, "environment"], &[]);
    let told = |variable: &&&str| environment.iter().any(|line| line.starts_with(&format!("{variable}=")));
    assert_eq!(["FLOPPY", "IMAGER", "LAB_BASE_ROOT", "LAB_NETBOOT"].iter().find(told), None);
}
