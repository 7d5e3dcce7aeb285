//! What `make e2e` would run and tell the scenarios, with an administrator's own imager and without. Nothing is run.

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
        .filter(|command| ["rootfs/", "kmod/", "cargo test"].iter().any(|start| command.starts_with(start)))
        .filter(|command| !command.ends_with("--no-run"));
    of_interest.map(|command| command.rsplit(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn an_imager_of_ones_own_has_a_base_root_of_its_own_and_the_scenarios_that_use_it() {
    let root = "target/rootfs-dosemu";
    let base = "target/rootfs-dosemu/base";
    assert_eq!(last_words(&OWN_IMAGER), [root, root, base, base, "full_store::"]);
    let scenarios = " a_disk_is_backed_up dosemu:: full_store::";
    let commands = make(&["--dry-run", "e2e"], &OWN_IMAGER);
    assert!(commands.iter().any(|command| command.ends_with(scenarios)), "{commands:#?}");

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

#[test]
fn the_demonstration_installs_and_builds_only_what_it_needs() {
    let commands = make(&["--dry-run", "demo"], &[]);
    let of = |start: &str| commands.iter().find(|command| command.contains(start)).unwrap();
    let lists = "scripts/host-packages rootfs/host-packages tests/lab/host-packages";
    assert_eq!(of("install-host-packages"), &format!("scripts/install-host-packages {lists}"));
    let client = "target/x86_64-unknown-linux-gnu/trial/";
    let wanted = format!("rootfs/install-init {client}ghost-init {client}ghost-imager target/rootfs");
    assert_eq!(of("rootfs/install-init"), &wanted);
    assert!(
        !commands.iter().any(|command| command.contains("--release") || command.contains("kmod")),
        "{commands:#?}"
    );
    let compilers: Vec<_> = commands.iter().filter(|command| command.contains("cargo build")).collect();
    assert_eq!(compilers.len(), 1, "what client and server depend on is compiled once: {compilers:#?}");
    assert_eq!(commands.last().unwrap(), &format!("{client}lab demo"));
}

#[test]
fn the_tests_try_the_client_s_programs_as_they_are_installed() {
    let commands = make(&["--dry-run", "test"], &[]);
    let client = "target/x86_64-unknown-linux-gnu/release/";
    let install = commands.iter().find(|command| command.starts_with("rootfs/install-init")).unwrap();
    assert!(install.contains(&format!("{client}ghost-init {client}ghost-imager")), "{install}");
    let packages =
        commands.iter().find(|command| command.starts_with("scripts/install-host-packages")).unwrap();
    assert!(
        packages.contains("tests/host-packages") && packages.contains("kmod/host-packages"),
        "{packages}"
    );
}

#[test]
fn packages_are_tried_with_the_scenarios_programs_beside_those_for_installing() {
    let tried = make(&["--dry-run", "deb-check"], &[]);
    assert!(
        tried.iter().any(|command| command.starts_with("tests/packages/check target/deb-tried ")),
        "{tried:#?}"
    );
    let builds = make(&["--dry-run", "server"], &["SERVER_PROFILE=trial"]);
    let build = builds[0].strip_prefix("env -u RUSTFLAGS ").unwrap();
    assert!(make(&["--dry-run", "scenarios"], &[]).iter().any(|command| command == build), "{build}");
    assert!(make(&["--dry-run", "server"], &[])[0].contains("--release"));
}

#[test]
fn the_tests_leave_nothing_out_and_do_nothing_twice() {
    let commands = make(&["--dry-run", "test"], &[]);
    let steps = [
        "scripts/lint ",
        "cargo test --locked --workspace --exclude ghostctl --features ghostctl/sample,ghostctl/crash-points -- ",
        "cargo test --locked -p ghostctl --features ghostctl/sample,ghostctl/crash-points --lib --bins -- ",
        "cargo test --locked -p ghostctl --features ghostctl/sample,ghostctl/crash-points --test '*' -- ",
        "cargo test --locked -p ghostctl --features ghostctl/sample,ghostctl/crash-points --doc",
        "rootfs/build ",
        "rootfs/check ",
        "kmod/build ",
        "kmod/check ",
        "tests/screens/check ",
        "tests/packages/check ",
        "cargo test --locked --profile trial -p ghost-lab -p ghost-console --features ghost-lab/e2e --test e2e -- ",
    ];
    for step in steps {
        assert_eq!(
            commands.iter().filter(|command| command.starts_with(step)).count(),
            1,
            "{step}: {commands:#?}"
        );
    }
}
