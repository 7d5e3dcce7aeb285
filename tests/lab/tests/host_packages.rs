//! What `scripts/install-host-packages` asks Debian for, and what it leaves running. Stand-ins take the place of apt,
//! dpkg and systemd; nothing is installed.

#![allow(clippy::unwrap_used, reason = "all of this target is tests: a panic that says where is the message")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use ghost_contract::sample::effects::write_program;
use ghost_lab::config::repository;

/// As long as apt's answers for packages that many archives have: longer than a pipe holds.
const LONG: usize = 100_000;

/// A Debian machine of which the script sees what the test says.
struct Machine(tempfile::TempDir);

impl Machine {
    /// `rustc` is the version that Debian has under that name; beside it there is 1.96 as `rustc-web`.
    fn new(rustc: &str) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        let asked = machine.path("asked").display().to_string();
        machine.program("id", "echo 0");
        machine.program(
            "apt-cache",
            &format!(
                "case $2 in *-web) version=1.96.0 ;; *) version={rustc}+dfsg1-2 ;; esac
                 printf '%s:\\n  Installed: (none)\\n  Candidate: %s\\n' \"$2\" \"$version\"
                 head -c {LONG} /dev/zero | tr '\\0' x"
            ),
        );
        // Once something is installed, there is a new Rust.
        machine.program("apt-get", &format!("case \"$*\" in *install*) echo \"$*\" >>{asked} ;; esac"));
        machine.program("cargo", &format!("[ -e {asked} ] && echo 'cargo 1.96.0' || echo 'cargo 1.63.0'"));
        let list =
            format!("printf '%s\\n' {0}/etc/init.d/nfsd {0}/lib/systemd/system/nfsd.service", machine.root());
        // What was asked for last is there, and what the package "rival" was removed for.
        let state = format!(
            "last=$(tail -n 1 {asked} 2>/dev/null); for package; do :; done
             case \" $last \" in *\" $package \"*) echo installed ;; *\" nfsd \"*) [ $package = rival ] && echo config-files || echo \"$STATE\" ;;
             *) if [ $package = rival ] || [ -n \"$last\" ]; then echo installed; else echo \"$STATE\"; fi ;; esac"
        );
        machine.program("dpkg-query", &format!("case $1 in -L) {list} ;; *) {state} ;; esac"));
        for program in ["systemctl", "update-rc.d"] {
            machine
                .program(program, &format!("echo {program} \"$@\" >>{}", machine.path("switched").display()));
        }
        let units = machine.path("lib/systemd/system");
        fs::create_dir_all(&units).unwrap();
        fs::write(units.join("nfsd.service"), "[Unit]\n[Install]\nWantedBy=multi-user.target\n").unwrap();
        fs::write(machine.path("list"), "nfsd\n").unwrap();
        machine
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn root(&self) -> String {
        self.0.path().display().to_string()
    }

    fn program(&self, name: &str, script: &str) {
        write_program(&self.path(name), &format!("#!/bin/sh\n{script}\n"));
    }

    /// Runs the script where the listed package is in this state; gives what apt was asked for and what was switched.
    fn install(&self, state: &str) -> (String, String) {
        let output = Command::new(repository().join("scripts/install-host-packages"))
            .arg(self.path("list"))
            .env("PATH", format!("{}:{}", self.root(), std::env::var("PATH").unwrap()))
            .env("POLICY", self.path("policy-rc.d"))
            .env("STATE", state)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(!self.path("policy-rc.d").exists(), "servers may be started again afterwards");
        let read = |file| fs::read_to_string(self.path(file)).unwrap_or_default();
        (read("asked"), read("switched"))
    }
}

#[test]
fn a_debian_whose_own_rust_is_too_old_gives_its_current_one() {
    let (asked, _) = Machine::new("1.85.0").install("not-installed");
    let wanted = "install nfsd cargo-web rustc-web rustfmt-web rust-web-clippy\n";
    assert!(asked.ends_with(wanted), "{asked}");
}

#[test]
fn a_debian_with_a_new_rust_gives_that() {
    let (asked, _) = Machine::new("1.97.0").install("not-installed");
    assert!(asked.ends_with("install nfsd cargo rustc rustfmt rust-clippy\n"), "{asked}");
}

#[test]
fn a_server_that_the_script_installs_is_not_started_at_the_next_boot() {
    let machine = Machine::new("1.85.0");
    let (_, switched) = machine.install("not-installed");
    assert_eq!(switched, "update-rc.d nfsd disable\nsystemctl --quiet disable nfsd.service\n");
}

#[test]
fn what_apt_removes_for_the_sake_of_another_is_installed_again() {
    let machine = Machine::new("1.97.0");
    fs::write(machine.path("list"), "nfsd\nrival\n").unwrap();
    let (asked, _) = machine.install("not-installed");
    let [first, again] = &asked.lines().collect::<Vec<_>>()[..] else { panic!("{asked}") };
    assert!(!first.contains("rival") && again.ends_with("install rival"), "{asked}");
}

#[test]
fn a_server_that_was_there_stays_as_it_was() {
    let (asked, switched) = Machine::new("1.85.0").install("installed");
    assert!(!asked.contains("nfsd"), "{asked}");
    assert_eq!(switched, "");
}
