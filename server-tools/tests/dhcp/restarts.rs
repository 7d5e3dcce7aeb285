//! Given what the restart command really does, what is said of the DHCP server?
//!
//! Its processes are a script of the name `dhcpd`: nobody but root may open dhcpd's port, and only one may in a network.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ghost_contract::sample::effects::write_program;
use ghostctl::dhcp::Kind;
use ghostctl::dhcp::restart::{Gathering, RestartError, Restarts, Ticket};
use ghostctl::site::Site;

use crate::server::Server;

const JOHN: &str =
    "host john { hardware ethernet 0:1:2:3:4:5; fixed-address 10.0.0.2; filename \"nobackup\"; }";
const AT_ONCE: Gathering = Gathering { quiet: Duration::ZERO, longest: Duration::ZERO };

/// Starts a dhcpd that does nothing, and leaves its number.
const START: &str =
    "setsid FOLDER/dhcpd -q -cf FOLDER/dhcpd.conf >/dev/null 2>&1 </dev/null & echo $! > FOLDER/pid";
const STOP: &str = "[ ! -e FOLDER/pid ] || kill -9 $(cat FOLDER/pid); rm -f FOLDER/pid";

/// A server whose restart command does this.
struct Running(Server);

impl Running {
    fn new(restart: &[&str]) -> Self {
        let server = Server::new(&[("dhcpd.conf", JOHN)]);
        let running = Self(server);
        running.script("dhcpd", &["while :; do sleep 0.2; done"]);
        running.restarts_by(restart);
        running
    }

    fn restarts_by(&self, lines: &[&str]) {
        self.script("service", &[&["echo x >> FOLDER/restarts"], lines].concat());
    }

    fn script(&self, name: &str, lines: &[&str]) {
        let folder = self.0.path("").display().to_string();
        let text = format!("#!/bin/sh\n{}\n", lines.join("\n")).replace("FOLDER/", &folder);
        write_program(&self.0.path(name), &text);
    }

    /// One whose dhcpd runs: nobody has seen it before, so that nobody else waits for it.
    fn started() -> Self {
        let server = Self::new(&[STOP, START]);
        server.restart().unwrap();
        let process = Path::new("/proc").join(server.0.text("pid").trim());
        let says = |file: &str| fs::read_to_string(process.join(file)).unwrap_or_default();
        // The kernel changes a process' name before its arguments.
        let has_begun = || says("comm") == "dhcpd\n" && says("cmdline").contains("dhcpd.conf");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !has_begun() {
            assert!(Instant::now() < deadline, "dhcpd does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// An edit, and the restart after it.
    fn restart(&self) -> Result<(), RestartError> {
        serve(&self.0.site, self.ticket())
    }

    fn ticket(&self) -> Ticket {
        Restarts::of(&self.0.site).draw(Default::default())
    }

    fn count(&self) -> usize {
        fs::read_to_string(self.0.path("restarts")).unwrap_or_default().lines().count()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.script("service", &[STOP]);
        std::process::Command::new(self.0.path("service")).status().unwrap();
    }
}

fn serve(site: &Site, ticket: Ticket) -> Result<(), RestartError> {
    Restarts::of(site).serve(ticket, site, AT_ONCE)
}

/// The error and its causes.
fn said(error: &RestartError) -> String {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    let deeper = error.source().and_then(Error::source).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {cause}: {deeper}")
}

#[test]
fn a_restart_that_makes_another_process_is_good() {
    let server = Running::new(&[STOP, START]);
    server.restart().unwrap();
    server.restart().unwrap();
    server.restart().unwrap();
    assert_eq!(server.count(), 3);
}

#[test]
fn a_command_that_restarts_nothing_is_told() {
    let server = Running::started();
    server.restarts_by(&["exit 0"]);
    let error = server.restart().unwrap_err();
    assert!(matches!(error, RestartError::Failed(_)));
    assert!(said(&error).contains("dhcpd is still the process"), "{}", said(&error));
}

#[test]
fn a_server_that_does_not_run_afterwards_is_told_each_time_until_it_does() {
    let server = Running::started();
    server.restarts_by(&[STOP]);
    for _ in 0..2 {
        let error = server.restart().unwrap_err();
        assert!(said(&error).contains("dhcpd does not run"), "{}", said(&error));
    }
    server.restarts_by(&[STOP, START]);
    server.restart().unwrap();
}

#[test]
fn a_server_is_left_alone_while_its_checker_refuses_the_configuration() {
    let server = Running::started();
    fs::write(server.0.path("dhcpd.conf"), format!("{JOHN} half an edit {{")).unwrap();
    let ticket = server.ticket();
    let error = serve(&server.0.site, ticket).unwrap_err();
    assert!(matches!(error, RestartError::Refused(_)), "{error}");
    assert!(said(&error).contains("dhcpd.conf line 1"), "{}", said(&error));
    assert_eq!(server.count(), 1, "it was not restarted");
    assert!(Path::new("/proc").join(server.0.text("pid").trim()).exists(), "it runs on");
    fs::write(server.0.path("dhcpd.conf"), JOHN).unwrap();
    serve(&server.0.site, ticket).unwrap();
    assert_eq!(server.count(), 2, "once it is mended the same edit is served");
}

#[test]
fn a_checker_that_cannot_be_asked_is_not_said_to_refuse() {
    let mut server = Running::started();
    let settings = server.0.text("ghostrc").replace("/usr/sbin/dhcpd -t", "/nonexistent/dhcpd -t");
    fs::write(server.0.path("ghostrc"), settings).unwrap();
    server.0.site = Site::open(&server.0.path("ghostrc"), Duration::from_secs(5)).unwrap();
    let error = server.restart().unwrap_err();
    assert!(said(&error).contains("the configuration could not be checked"), "{}", said(&error));
    assert!(!said(&error).contains("refuses"), "{}", said(&error));
    assert!(Path::new("/proc").join(server.0.text("pid").trim()).exists(), "it runs on");
}

#[test]
fn without_a_state_folder_the_server_is_restarted_all_the_same() {
    let server = Running::new(&[STOP, START]);
    fs::write(server.0.path("state"), "a file where a folder should be").unwrap();
    server.restart().unwrap();
    server.restart().unwrap();
    assert_eq!(server.count(), 2);
}

#[test]
fn restarts_keep_their_distance() {
    let server = Running::new(&["cut -d' ' -f1 /proc/uptime >> FOLDER/times"]);
    let settings = server.0.text("ghostrc").replace("RESTART_DISTANCE=0", "RESTART_DISTANCE=1");
    fs::write(server.0.path("ghostrc"), settings).unwrap();
    let site = Site::open(&server.0.path("ghostrc"), Duration::from_secs(5)).unwrap();
    for _ in 0..3 {
        serve(&site, server.ticket()).unwrap();
    }
    let times: Vec<f64> = server.0.text("times").lines().map(|line| line.parse().unwrap()).collect();
    // The kernel tells hundredths.
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 0.98), "{times:?}");
}

#[test]
fn a_number_that_no_edit_can_follow_costs_restarts_and_nothing_else() {
    let server = Running::new(&[STOP, START]);
    server.restart().unwrap();
    fs::write(server.0.path("state/restart/served"), format!("{}\n", u64::MAX)).unwrap();
    server.restart().unwrap();
    server.restart().unwrap();
    assert_eq!(server.count(), 3);
}

#[test]
fn a_restart_of_one_server_is_none_of_another() {
    let server = Running::new(&[STOP, START]);
    // The first makes the folder in which edits are counted.
    server.restart().unwrap();
    let of_kea = Restarts::of(&server.0.site).draw(Kind::Kea);
    server.restart().unwrap();
    // There is no Kea, which is told when it is asked.
    let error = serve(&server.0.site, of_kea).unwrap_err();
    assert!(said(&error).to_lowercase().contains("kea"), "{}", said(&error));
}
