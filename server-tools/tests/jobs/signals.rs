//! Given what the kernel, a shell or a service may do to a program that runs, does a swap stay?

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Child;

use ghost_contract::sample::effects::write_program;
use nix::pty::openpty;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate, swapped_test};

#[test]
fn whatever_signal_would_end_it_a_job_reverts_first() {
    let signals = [
        Signal::USR1,
        Signal::USR2,
        Signal::ALARM,
        Signal::XCPU,
        Signal::VTALARM,
        Signal::PROF,
        Signal::POWER,
        Signal::IO,
        Signal::STKFLT,
    ];
    std::thread::scope(|scope| {
        for signal in signals {
            scope.spawn(move || {
                let server = BootServer::with_hosts(2);
                let before = server.configured();
                let running = server.start(&["test", "pc2"]);
                server.wait_until_swapped();
                kill_process(Pid::from_child(&running), signal).unwrap();
                let output = running.wait_with_output().unwrap();
                assert_eq!(output.status.code(), Some(1), "{signal:?}: {} {}", output.status, said(&output));
                assert!(said(&output).contains("cancelled by SIG"), "{signal:?}: {}", said(&output));
                assert_eq!(server.configured(), before, "{signal:?}");
                assert!(server.serves(&before) && server.journal().is_empty(), "{signal:?}");
            });
        }
    });
}

#[test]
fn a_limit_on_the_size_of_files_is_told_as_a_full_disk_is() {
    let server = BootServer::with_hosts(2);
    server.set("REVERT_DEADLINE", "2");
    let before = server.configured();
    let limited = Gate::default();
    let (_client, running) = swapped_test(&server, &limited);
    let maximum = getrlimit(Resource::Fsize).maximum;
    prlimit(Some(Pid::from_child(&running)), Resource::Fsize, Rlimit { current: Some(100), maximum })
        .unwrap();
    limited.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), None, "{}", said(&output));
    assert_ne!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("File too large"), "{}", said(&output));
    assert!(said(&output).contains("ghostctl dhcp revert pc2"), "{}", said(&output));
    let recovered = server.run(&["recover"]);
    assert!(server.serves(&before), "{}", said(&recovered));
    assert_eq!(server.configured(), before);
}

/// Starts a test of pc2 in the background of a terminal of its own, as `ghostctl test pc2 &` does.
fn in_the_background(server: &BootServer, set_up: &str) -> Child {
    let terminal = openpty(None, None).unwrap();
    let (own, job) = (server.path(""), server.command(["test", "pc2"]));
    let script = format!(
        "{set_up}; set -m; \"$@\" & echo $! > {0}/pid; wait $!; echo $? > {0}/ended.new; mv {0}/ended.new {0}/ended",
        own.display()
    );
    let mut shell = std::process::Command::new("setsid");
    shell.args(["--ctty", "--wait", "bash", "-c", &script, "bash"]);
    shell.arg(job.get_program()).args(job.get_args());
    shell.stdout(terminal.slave.try_clone().unwrap()).stderr(terminal.slave.try_clone().unwrap());
    let started = shell.stdin(terminal.slave).spawn().unwrap();
    drop(shell);
    // Somebody looks at it until it is closed.
    std::thread::spawn(move || io::copy(&mut File::from(terminal.master), &mut io::sink()));
    started
}

#[test]
fn a_terminal_that_stops_those_in_the_background_does_not_stop_a_job() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let _client = Client::off(&server, 2, Behaviour::Succeeds);
    let mut shell = in_the_background(&server, "stty tostop");
    wait_until("the job has ended", || server.path("ended").exists());
    assert!(shell.wait().unwrap().success());
    assert_eq!(std::fs::read_to_string(server.path("ended")).unwrap(), "0\n");
    assert_eq!(server.configured(), before);
    assert!(server.serves(&before) && server.journal().is_empty());
}

#[test]
fn ctrl_z_waits_until_nothing_is_swapped() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let (pressed, done) = (Gate::default(), Gate::default());
    let _client = Client::working_until(&server, 2, pressed.is_open(), done.is_open());
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    kill_process(Pid::from_child(&running), Signal::TSTP).unwrap();
    pressed.open();
    wait_until("it is reverted all the same", || server.serves(&before));
    let journal = server.journal().remove(0);
    let is_at_work = || std::fs::read_to_string(&journal).unwrap().contains("\"phase\":\"imaging\"");
    wait_until("the client works", is_at_work);
    kill_process(Pid::from_child(&running), Signal::TSTP).unwrap();
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", running.id())).unwrap();
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
    };
    wait_until("it stands still as any program does", || state() == Some('T'));
    kill_process(Pid::from_child(&running), Signal::CONT).unwrap();
    done.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let told = "pc2: warning: Ctrl-Z (SIGTSTP): not while DHCP offers the boot file";
    assert_eq!(said(&output).matches(told).count(), 1, "{}", said(&output));
    assert_eq!(server.configured(), before);
}

#[test]
fn what_nohup_lets_a_job_ignore_is_ignored() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let hung_up = Gate::default();
    let _client = Client::waiting(&server, 2, Behaviour::Succeeds, Box::new(hung_up.is_open()));
    let running =
        server.command_whose_signals_are(&["--ignore-signal=HUP"], ["test", "pc2"]).spawn().unwrap();
    server.wait_until_swapped();
    kill_process(Pid::from_child(&running), Signal::HUP).unwrap();
    hung_up.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(server.configured(), before);
}

#[test]
fn a_signal_that_was_blocked_when_it_began_stops_a_job_all_the_same() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let running =
        server.command_whose_signals_are(&["--block-signal=TERM,HUP"], ["test", "pc2"]).spawn().unwrap();
    server.wait_until_swapped();
    kill_process(Pid::from_child(&running), Signal::TERM).unwrap();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("cancelled by SIGTERM"), "{}", said(&output));
    assert_eq!(server.configured(), before);
}

/// A test of pc2 that has swapped and whose restart of the DHCP server does not end before `hold` is removed.
fn held_up_in_its_restart(server: &BootServer) -> Child {
    let (service, began) = (server.path("service"), server.path("began"));
    let script = std::fs::read_to_string(&service).unwrap();
    let says_so = format!("#!/bin/sh\ntouch {}\n", began.display());
    write_program(&service, &script.replace("#!/bin/sh\n", &says_so));
    std::fs::write(server.path("hold"), "").unwrap();
    let running = server.start(&["test", "pc2"]);
    wait_until("it is swapped and the restart has begun", || began.exists());
    running
}

#[test]
fn a_stop_puts_the_entry_back_at_once_though_the_restart_hangs() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let running = held_up_in_its_restart(&server);
    kill_process(Pid::from_child(&running), Signal::TERM).unwrap();
    wait_until("it is put back", || server.configured() == before);
    assert!(server.path("hold").exists() && server.restarts() == 0, "the restart still hangs");
    std::fs::remove_file(server.path("hold")).unwrap();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(server.serves(&before) && server.journal().is_empty(), "{}", said(&output));
    assert_eq!(server.restarts(), 2, "the one that hung, and the one with the entry put back");
}

#[test]
fn a_client_that_is_up_has_its_entry_put_back_at_once_though_the_restart_hangs() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    // DHCP serves the swap already, though its restart does not end.
    std::fs::write(server.path("restarts"), "").unwrap();
    let client = Client::working_until(&server, 2, || true, || true);
    let running = held_up_in_its_restart(&server);
    std::fs::write(server.path("restarts"), "restart\n").unwrap();
    wait_until("it is put back", || server.configured() == before);
    assert_eq!(server.restarts(), 1, "the restart still hangs");
    std::fs::remove_file(server.path("hold")).unwrap();
    let output = running.wait_with_output().unwrap();
    drop(client);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(server.serves(&before) && server.journal().is_empty(), "{}", said(&output));
}

#[test]
fn a_real_time_signal_stops_a_job_as_others_do() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    let sent = std::process::Command::new("bash")
        .args(["-c", &format!("kill -s RTMIN+3 {}", running.id())])
        .status();
    assert!(sent.unwrap().success());
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{} {}", output.status, said(&output));
    assert!(said(&output).contains("cancelled by SIGRTMIN+3"), "{}", said(&output));
    assert_eq!(server.configured(), before);
}
