//! Given that the configuration is right again, and that the server which answers is not, is the job a success?

use std::fs;
use std::path::Path;
use std::process::{Child, Output};

use ghost_contract::sample::effects::copy_program;

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Client, Gate};
use super::each_server::at_once;

/// A job of pc2 whose client works, reverted and served.
fn at_work(server: &BootServer, may_end: &Gate) -> (Client, Child) {
    let (before, comes_up) = (server.configured(), Gate::default());
    let client = Client::working_until(server, 2, comes_up.is_open(), may_end.is_open());
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    fs::copy(server.configuration(), server.path("swapped")).unwrap();
    comes_up.open();
    let journal = server.journal().remove(0);
    let is_at_work = || fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"phase\":\"imaging\""));
    wait_until("it is reverted and the client works", || server.serves(&before) && is_at_work());
    (client, running)
}

/// Writes this into the restart command, in place of what it says there.
fn command(server: &BootServer, now: &str, then: &str) {
    let folder = server.path("").display().to_string();
    let service = fs::read_to_string(server.path("service")).unwrap();
    let changed = service.replace(now, &then.replace("FOLDER/", &folder));
    assert_ne!(changed, service);
    // A process that another thread starts may have it open.
    fs::write(server.path("service.new"), changed).unwrap();
    fs::set_permissions(
        server.path("service.new"),
        fs::metadata(server.path("service")).unwrap().permissions(),
    )
    .unwrap();
    fs::rename(server.path("service.new"), server.path("service")).unwrap();
}

/// What a person does who restarts the DHCP server.
fn restart(server: &BootServer) {
    let service = server.path("service");
    let status = server.network().command("bash").arg(service).arg("restart").status().unwrap();
    assert!(status.success());
}

fn ended(running: Child, may_end: &Gate) -> Output {
    may_end.open();
    running.wait_with_output().unwrap()
}

const STALE: &str = "the DHCP server offers pc2 'pxelinux.0' (says 192.168.7.1)";

#[test]
fn a_server_that_a_person_has_restarted_with_the_swapped_file_is_restarted_with_the_right_one() {
    let server = BootServer::with_dhcpd(2);
    let (before, may_end) = (server.configured(), Gate::default());
    let (_client, running) = at_work(&server, &may_end);
    fs::copy(server.path("swapped"), server.configuration()).unwrap();
    restart(&server);
    fs::write(server.configuration(), &before).unwrap();
    let output = ended(running, &may_end);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains(STALE), "{}", said(&output));
    assert!(server.serves(&before) && server.journal().is_empty(), "{}", said(&output));
}

#[test]
fn a_server_that_goes_on_to_serve_a_copy_made_meanwhile_is_no_success_until_it_is_mended() {
    let server = BootServer::with_dhcpd(2);
    server.set("REVERT_DEADLINE", "4");
    let (before, may_end) = (server.configured(), Gate::default());
    let (_client, running) = at_work(&server, &may_end);
    command(
        &server,
        "/usr/sbin/dhcpd -4 -q -cf FOLDER/dhcp/dhcpd.conf"
            .replace("FOLDER/", &server.path("").display().to_string())
            .as_str(),
        "/usr/sbin/dhcpd -4 -q -cf FOLDER/swapped",
    );
    restart(&server);
    let output = ended(running, &may_end);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains(STALE), "{}", said(&output));
    assert!(said(&output).contains("ghostctl dhcp revert pc2"), "{}", said(&output));
    assert_eq!(server.journal().len(), 1, "{}", said(&output));
    let recovered = server.run(&["recover"]);
    assert_ne!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert_eq!(server.journal().len(), 1, "{}", said(&recovered));
    command(
        &server,
        "-cf FOLDER/swapped".replace("FOLDER/", &server.path("").display().to_string()).as_str(),
        "-cf FOLDER/dhcp/dhcpd.conf",
    );
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert!(server.serves(&before) && server.journal().is_empty(), "{}", said(&recovered));
}

/// Lets dhcpd be a process of another name, as in a container that this machine does not look into.
fn under_another_name(server: &BootServer) {
    copy_program(Path::new("/usr/sbin/dhcpd"), &server.path("isc-server"));
    command(server, "/usr/sbin/dhcpd", "FOLDER/isc-server");
    command(server, "(dhcpd)", "(isc-server)");
    restart(server);
    fs::remove_file(server.path("restarts")).unwrap();
    // One that does nothing while `idle` is there.
    command(server, "flock 9\n", "flock 9\n[ ! -e FOLDER/idle ] || exit 0\n");
}

#[test]
fn a_server_whose_process_is_not_seen_here_is_asked_all_the_same() {
    let server = BootServer::with_dhcpd(2);
    under_another_name(&server);
    server.set("REVERT_DEADLINE", "4");
    let before = server.configured();
    let idle = server.path("idle");
    let over = Gate::default();
    over.open();
    let _client = Client::working_until(&server, 2, move || fs::write(&idle, "").is_ok(), over.is_open());
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains(STALE), "{}", said(&output));
    assert!(!said(&output).contains("pc2: reverted"), "{}", said(&output));
    assert_eq!((server.configured(), server.journal().len()), (before.clone(), 1), "{}", said(&output));
    for words in [&["recover"][..], &["dhcp", "revert", "pc2"]] {
        let tried = server.run(words);
        assert_ne!(tried.status.code(), Some(0), "{words:?}: {}", said(&tried));
        assert_eq!(server.journal().len(), 1, "{words:?}: {}", said(&tried));
    }
    fs::remove_file(server.path("idle")).unwrap();
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert!(server.serves(&before) && server.journal().is_empty(), "{}", said(&recovered));

    assert_eq!(server.run(&["dhcp", "swap", "pc2"]).status.code(), Some(0));
    fs::write(server.path("idle"), "").unwrap();
    let reverted = server.run(&["dhcp", "revert", "pc2"]);
    assert_eq!(reverted.status.code(), Some(78), "{}", said(&reverted));
    assert!(said(&reverted).contains(STALE), "{}", said(&reverted));
    fs::remove_file(server.path("idle")).unwrap();
    let reverted = server.run(&["dhcp", "revert", "pc2"]);
    assert_eq!(reverted.status.code(), Some(0), "{}", said(&reverted));
    assert!(server.serves(&before));
}

/// Makes a boot server with so many hosts.
type Start = fn(u8) -> BootServer;

/// Which server ends, whether it can be started again, and its name. No setting names a way to start Kea or dnsmasq.
const ENDED: [(Start, bool, &str); 6] = [
    (BootServer::with_dhcpd, true, "dhcpd"),
    (BootServer::with_dhcpd, false, "dhcpd"),
    (BootServer::with_proxy, true, "dnsmasq"),
    (BootServer::with_proxy, false, "dnsmasq"),
    (BootServer::with_kea, false, "Kea"),
    (BootServer::with_dnsmasq, false, "dnsmasq"),
];

#[test]
fn a_server_that_has_ended_since_the_revert_is_started_again_or_it_is_no_success() {
    at_once(ENDED, |(start, can_be_started, name)| {
        let server = start(2);
        server.set("REVERT_DEADLINE", "4");
        let (before, may_end) = (server.configured(), Gate::default());
        let (_client, running) = at_work(&server, &may_end);
        server.stop_dhcp();
        if !can_be_started {
            server.never_start();
        }
        let output = ended(running, &may_end);
        let words = said(&output);
        assert!(words.contains(&format!("{name} does not run any more")), "{words}");
        assert_eq!(output.status.code(), Some(if can_be_started { 0 } else { 78 }), "{words}");
        assert_eq!(server.journal().is_empty(), can_be_started, "{words}");
        if !can_be_started {
            server.start_dhcp();
            let recovered = server.run(&["recover"]);
            assert_eq!(recovered.status.code(), Some(0), "{name}: {}", said(&recovered));
        }
        assert!(server.serves(&before) && server.journal().is_empty(), "{words}");
    });
}

#[test]
fn where_no_answer_can_be_heard_that_is_said_once() {
    let server = BootServer::with_dhcpd(2);
    server
        .network()
        .run("ip link add other type veth peer name end && ip link set end up && ip link set other up && ip addr add 192.168.7.9/25 dev other noprefixroute");
    server.set("INTERFACE", "other");
    let over = Gate::default();
    over.open();
    let _client = Client::working_until(&server, 2, || true, over.is_open());
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(
        said(&output).matches("what DHCP really offers it cannot be heard").count(),
        1,
        "{}",
        said(&output)
    );
}

#[test]
fn a_host_that_was_put_back_is_called_so_and_asked_for_though_a_second_entry_has_another_value() {
    let server = BootServer::with_dhcpd(2);
    let conf = server.configuration();
    let twice = move || {
        let now = fs::read_to_string(&conf).unwrap();
        let more =
            "host twice { hardware ethernet 2:0:0:0:0:2; fixed-address 192.168.7.99; filename \"n\"; }\n";
        fs::write(&conf, format!("{now}\n{more}")).is_ok()
    };
    let once = std::sync::Once::new();
    let twice = move || {
        once.call_once(|| assert!(twice()));
        true
    };
    let over = Gate::default();
    over.open();
    let _client = Client::working_until(&server, 2, twice, over.is_open());
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("pc2: reverted: DHCP offers what it did before"), "{}", said(&output));
    assert!(!said(&output).contains("so it was left alone"), "{}", said(&output));
}
