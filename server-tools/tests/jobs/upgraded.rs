//! Given another version is installed while a job runs, does the job go on, and does that version finish what is left of it?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ghost_contract::sample::effects::copy_program;
use rustix::process::{Pid, Signal, kill_process};

use super::boot_server::{BootServer, said};
use super::client::{Behaviour, Client, Gate};
use super::saved_disk::SavedDisk;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// As long as the other one, so that it can take its place in a program.
const LATER: &str = "9.9.9";
/// What a program is called that checks an image, and what the later version calls it: neither can do that for the other.
const CONFINED: (&str, &str) = ("ghost4linux-confined", "ghost4linux-CONFINED");

/// A boot server with `ghostctl` installed on it.
struct Installed {
    server: BootServer,
    program: PathBuf,
}

impl Installed {
    fn new() -> Self {
        let server = BootServer::with_hosts(2);
        server.set("IMAGER", "linux");
        fs::create_dir(server.path("sbin")).unwrap();
        let program = server.path("sbin/ghostctl");
        copy_program(Path::new(env!("CARGO_BIN_EXE_ghostctl")), &program);
        Self { server, program }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.server.network().command("env");
        command.arg("--default-signal=HUP,INT,QUIT,TERM").arg(&self.program).arg("--config");
        command.arg(self.server.path("ghostrc")).args(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Puts a later version in its place, as dpkg does: the running one keeps the file that it was started from.
    fn upgrade(&self) {
        let mut program = fs::read(&self.program).unwrap();
        for (now, later) in [(VERSION, LATER), CONFINED] {
            assert_eq!(now.len(), later.len());
            let is_there = |(_, window): &(usize, &[u8])| *window == now.as_bytes();
            let places: Vec<usize> =
                program.windows(now.len()).enumerate().filter(is_there).map(|(at, _)| at).collect();
            assert!(!places.is_empty(), "{now} is nowhere");
            places.into_iter().for_each(|at| program[at..at + now.len()].copy_from_slice(later.as_bytes()));
        }
        let (later, new) = (self.server.path("later"), self.server.path("sbin/ghostctl.dpkg-new"));
        fs::write(&later, program).unwrap();
        copy_program(&later, &new);
        fs::rename(&new, &self.program).unwrap();
        let version = said(&self.run(&["--version"]));
        assert_eq!(version, format!("ghostctl {LATER}\n"));
    }
}

#[test]
fn a_backup_goes_on_and_the_later_version_takes_its_image_for_good() {
    let installed = Installed::new();
    let server = &installed.server;
    let before = server.configured();
    let _disk = SavedDisk::get();
    let upgraded = Gate::default();
    let client = Client::waiting(server, 2, Behaviour::SavesADisk, Box::new(upgraded.is_open()));
    let running = installed.command(&["backup", "pc2"]).spawn().unwrap();
    server.wait_until_swapped();
    installed.upgrade();
    // What it does from now on, the check of the image in a process of its own among it, it does as the version that it is.
    upgraded.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    drop(client);
    assert!(server.configured() == before && server.journal().is_empty() && server.nonces().is_empty());
    let verified = installed.run(&["images", "verify", "pc2"]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
}

#[test]
fn what_a_killed_one_has_left_the_later_version_finishes() {
    let installed = Installed::new();
    let server = &installed.server;
    let before = server.configured();
    let running = installed.command(&["backup", "pc2"]).spawn().unwrap();
    server.wait_until_swapped();
    installed.upgrade();
    let busy = installed.run(&["test", "pc2"]);
    assert_eq!(
        busy.status.code(),
        Some(75),
        "the later version sees the job of the earlier one: {}",
        said(&busy)
    );
    kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
    running.wait_with_output().unwrap();
    assert_ne!(server.configured(), before);
    let recovered = installed.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert!(server.configured() == before && server.journal().is_empty() && server.nonces().is_empty());
}
