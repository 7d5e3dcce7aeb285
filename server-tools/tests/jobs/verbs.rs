//! What the other verbs show and change.

use std::os::unix::fs::PermissionsExt as _;

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client};

#[test]
fn a_job_is_seen_in_the_status_cancelled_and_remembered() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    let status = server.run(&["status"]);
    assert!(said(&status).contains(&format!("(pid {})", running.id())), "{}", said(&status));
    let cancelled = server.run(&["cancel", "pc2"]);
    assert_eq!(cancelled.status.code(), Some(0), "{}", said(&cancelled));
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(server.configured(), before);
    let last = server.run(&["status", "--last", "pc2"]);
    assert!(said(&last).contains("cancelled by ghostctl cancel"), "{}", said(&last));
    let status = server.run(&["status"]);
    assert_eq!(said(&status), "no job is running\n");
}

#[test]
fn a_cancel_without_a_job_says_so() {
    let server = BootServer::with_hosts(1);
    let output = server.run(&["cancel", "pc2"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said(&output), "ghostctl: pc2 has no job\n");
}

#[test]
fn an_entry_swapped_by_hand_stays_so_until_it_is_reverted_by_hand() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let swapped = server.run(&["dhcp", "swap", "pc3"]);
    assert_eq!(swapped.status.code(), Some(0), "{}", said(&swapped));
    let changed = server.configured();
    assert_ne!(changed, before);
    assert_eq!(server.run(&["recover"]).status.code(), Some(0));
    assert_eq!(server.configured(), changed, "recovery leaves it alone");
    assert_eq!(server.run(&["test", "pc3"]).status.code(), Some(78), "a job does not touch it");
    let reverted = server.run(&["dhcp", "revert", "pc3"]);
    assert_eq!(reverted.status.code(), Some(0), "{}", said(&reverted));
    assert_eq!(server.configured(), before);
    assert_eq!(server.run(&["dhcp", "revert", "pc3"]).status.code(), Some(1));
}

/// With another boot file the entry does not look swapped any more.
#[test]
fn a_second_swap_by_hand_does_not_take_the_first_ones_boot_file_for_the_original() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    assert_eq!(server.run(&["dhcp", "swap", "pc3"]).status.code(), Some(0));
    let swapped = server.configured();
    server.set("BOOTFILE_pc3", "other.0");
    let again = server.run(&["dhcp", "swap", "pc3"]);
    assert_eq!(again.status.code(), Some(78), "{}", said(&again));
    assert!(said(&again).contains("'ghostctl dhcp revert pc3' puts its entry back"), "{}", said(&again));
    assert_eq!(server.configured(), swapped);
    assert_eq!(server.run(&["dhcp", "revert", "pc3"]).status.code(), Some(0));
    assert_eq!(server.configured(), before);
    assert_eq!(
        server.run(&["dhcp", "swap", "pc3"]).status.code(),
        Some(0),
        "what is reverted can be swapped"
    );
}

#[test]
fn a_backup_is_listed_shown_and_can_be_restored_only_when_asked_for() {
    let server = BootServer::with_hosts(1);
    let client = Client::off(&server, 2, Behaviour::Succeeds);
    let output = server.run(&["backup", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    drop(client);
    let hosts = server.run(&["hosts", "--json"]);
    assert!(!said(&hosts).contains("\"host\":\"pc2\",\"mac\":\"02:00:00:00:00:02\",\"ip\":\"192.168.7.2\",\"offered\":\"nobackup\",\"last_good_backup\":null"), "{}", said(&hosts));
    let listed = server.run(&["images", "list"]);
    assert!(said(&listed).contains("good"), "{}", said(&listed));
    let before = server.configured();
    let restarts = server.restarts();
    let unasked = server.command(["restore", "pc2"]).stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(unasked.status.code(), Some(2), "{}", said(&unasked));
    assert_eq!((server.configured(), server.restarts()), (before, restarts));
    let would = server.run(&["restore", "--yes", "--dry-run", "pc2"]);
    assert!(said(&would).contains("run restore of 2"), "{}", said(&would));
}

#[test]
fn the_screen_is_shown_on_request_while_a_job_runs_and_the_newest_one_after_it() {
    let server = BootServer::with_hosts(1);
    let nobody = server.run(&["screen", "pc2"]);
    assert_eq!(
        (nobody.status.code(), said(&nobody)),
        (Some(2), "ghostctl: pc2 has had no job yet\n".to_owned())
    );
    let client = Client::off(&server, 2, Behaviour::ShowsItsScreen);
    let running = server.start(&["backup", "pc2"]);
    wait_until("there is a screenshot", || server.run(&["screen", "pc2"]).status.success());
    let newest = server.run(&["screen", "pc2"]);
    assert!(said(&newest).contains("0001-interval.png\nGhost is at work\n"), "{}", said(&newest));
    let follower = server.start(&["screen", "--follow", "pc2"]);
    let now = server.run(&["screen", "--now", "--json", "pc2"]);
    assert!(said(&now).contains("\"name\":\"0002-asked\""), "{}", said(&now));
    assert!(said(&now).contains("\"text\":\"Ghost is at 42 %\\n\""), "{}", said(&now));
    assert_eq!(running.wait_with_output().unwrap().status.code(), Some(0));
    drop(client);

    let followed = follower.wait_with_output().unwrap();
    assert_eq!(followed.status.code(), Some(0), "{}", said(&followed));
    assert!(said(&followed).ends_with("Ghost is at 42 %\n"), "{}", said(&followed));
    let last = server.run(&["screen", "--png", "-", "pc2"]);
    assert_eq!(said(&last), "PNG of Ghost is at 42 %\n");
    // It is as private as whoever asks for it has it.
    let mut privately = server.network().command("sh");
    privately.args(["-c", "umask 077 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_ghostctl"), "--config"]);
    privately.arg(server.path("ghostrc")).args(["screen", "--png"]).arg(server.path("picture")).arg("pc2");
    assert!(privately.status().unwrap().success());
    assert_eq!(std::fs::metadata(server.path("picture")).unwrap().permissions().mode() & 0o777, 0o600);
    // They are a client's bytes, which may be commands.
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut command = server.command(["screen", "--png", "-", "pc2"]);
    let shown = command.stdout(terminal.slave).stderr(std::process::Stdio::piped()).output().unwrap();
    assert!(said(&shown).contains("a terminal might obey them: redirect the output"), "{}", said(&shown));
    assert_ne!(shown.status.code(), Some(0));
    let too_late = server.run(&["screen", "--now", "pc2"]);
    assert_eq!(too_late.status.code(), Some(2));
    assert!(said(&too_late).contains("has no running job"), "{}", said(&too_late));
}

#[test]
fn packets_go_to_hosts_and_to_any_address() {
    let server = BootServer::with_hosts(1);
    let output = server.run(&["wake", "pc2", "00:0a:eb:12:34:5f"]);
    assert_eq!(
        said(&output),
        "pc2: magic packets for 02:00:00:00:00:02 sent out of br0\n\
         00:0a:eb:12:34:5f: magic packets for 00:0a:eb:12:34:5f sent out of br0\n"
    );
}

#[test]
fn an_interface_that_nothing_leaves_is_told_and_nothing_is_called_sent() {
    let server = BootServer::with_hosts(1);
    for (change, reason) in [
        ("ip link set switch down", "the interface br0 has no carrier"),
        ("ip link set br0 down", "the interface br0 is down; 'ip link set br0 up' starts it"),
    ] {
        server.network().run(change);
        server.set("INTERFACE", "br0");
        let woken = server.run(&["wake", "pc2"]);
        assert_eq!(woken.status.code(), Some(78), "{}", said(&woken));
        assert!(said(&woken).contains(reason) && !said(&woken).contains("sent out"), "{}", said(&woken));
        let before = server.configured();
        let job = server.run(&["test", "pc2"]);
        assert_eq!(job.status.code(), Some(78), "it is no want of rights: {}", said(&job));
        assert!(said(&job).contains(reason) && server.configured() == before, "{}", said(&job));
    }
}

#[test]
fn packets_leave_by_the_port_of_a_bridge_which_has_no_address() {
    let server = BootServer::with_hosts(1);
    server
        .network()
        .run("ip link add bridge type bridge && ip link set switch master bridge && ip link set bridge up");
    server.set("INTERFACE", "switch");
    let woken = server.run(&["wake", "pc2"]);
    assert_eq!(woken.status.code(), Some(0), "{}", said(&woken));
    assert!(said(&woken).contains("sent out of switch"), "{}", said(&woken));
}

#[test]
fn packets_for_a_client_behind_a_router_go_to_its_subnets_broadcast_address_or_to_a_relay() {
    let server = BootServer::with_hosts(1);
    let configured = String::from_utf8(server.configured()).unwrap();
    std::fs::write(server.configuration(), configured.replace("192.168.7.2;\n", "192.168.9.2;\n")).unwrap();
    let _behind = server.network().with_a_client_behind_a_gateway();
    let woken = server.run(&["wake", "pc2"]);
    assert_eq!(
        said(&woken),
        "pc2: magic packets for 02:00:00:00:00:02 sent out of br0 and to 192.168.9.255\n"
    );
    server.set("WAKE_RELAY_pc2", "192.168.9.77");
    let woken = server.run(&["wake", "--json", "pc2"]);
    assert!(said(&woken).contains("\"beyond\":\"192.168.9.77\""), "{}", said(&woken));
    let near = server.run(&["wake", "--dry-run", "00:0a:eb:12:34:5f"]);
    assert!(!said(&near).contains("and to"), "{}", said(&near));
}

#[test]
fn what_the_imager_cannot_do_is_refused_before_anything_is_touched() {
    let server = BootServer::with_hosts(1);
    server.set("IMAGER", "linux");
    let before = server.configured();
    for (words, reason) in [
        (vec!["ghost", "pc2"], "pc2: mode ghost starts Norton Ghost for a person"),
        (vec!["backup", "--disk", "sda", "pc2"], "'sda' does not name a disk"),
        (vec!["backup", "--disk", "first", "--all-disks", "pc2"], "cannot be used with"),
    ] {
        let output = server.run(&words);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", said(&output));
        assert!(said(&output).contains(reason), "{words:?}: {}", said(&output));
    }
    server.set("IMAGER", "dosemu");
    let output = server.run(&["backup", "--rescue", "pc2"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("--rescue is for the imager linux, and this job's is dosemu"),
        "{}",
        said(&output)
    );
    assert_eq!(server.configured(), before);
    let would = server.run(&["backup", "--dry-run", "--all-disks", "pc2"]);
    assert_eq!(would.status.code(), Some(2), "{}", said(&would));
    server.set("IMAGER", "linux");
    let would = server.run(&["backup", "--dry-run", "--all-disks", "--rescue", "pc2"]);
    assert!(said(&would).contains("run backup on it with linux; nothing was changed"), "{}", said(&would));
}

#[test]
fn what_a_stop_and_a_recovery_would_do_is_said_and_nothing_is_done() {
    let server = BootServer::with_hosts(1);
    let before = server.configured();
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    let would = server.run(&["cancel", "--dry-run", "pc2"]);
    assert_eq!(would.status.code(), Some(0), "{}", said(&would));
    assert!(said(&would).contains("nothing was changed"), "{}", said(&would));
    rustix::process::kill_process(rustix::process::Pid::from_child(&running), rustix::process::Signal::KILL)
        .unwrap();
    let killed = running.wait_with_output().unwrap();
    assert_eq!(killed.status.code(), None, "it went on until then: {}", said(&killed));
    let would = server.run(&["recover", "--dry-run"]);
    assert!(said(&would).contains("would revert the DHCP entry"), "{}", said(&would));
    assert_ne!(server.configured(), before, "nothing was done");
    assert_eq!(server.journal().len(), 1);
    assert_eq!(server.run(&["recover"]).status.code(), Some(0));
    assert_eq!(server.configured(), before);
    assert_eq!(said(&server.run(&["recover", "--dry-run"])), "no job was left by a crash\n");
}
