//! Given what a real DHCP server really serves, whatever its configuration says, is it seen?

use std::fs;

use ghost_contract::MacAddress;

use super::boot_server::{BootServer, said};
use super::client::{Client, Gate};
use super::each_server::{EACH, at_once};
use super::proxy::Proxy;

/// Lets dhcpd read a copy of its own, as in a container, that is made anew while `follows` is there.
fn with_a_copy(server: &BootServer) {
    let service = fs::read_to_string(server.path("service")).unwrap();
    let folder = server.path("").display().to_string();
    let copies = format!(
        "[ ! -e {folder}follows ] || cp {folder}dhcp/dhcpd.conf {folder}copy\n\
         unshare --mount sh -ec 'mount --bind {folder}copy {folder}dhcp/dhcpd.conf; exec \"$@\"' sh /usr/sbin/dhcpd"
    );
    let changed = service.replace("/usr/sbin/dhcpd", &copies);
    assert_ne!(changed, service);
    fs::write(server.path("service"), changed).unwrap();
    fs::write(server.path("follows"), "").unwrap();
    assert!(
        server
            .network()
            .command(server.path("service").to_str().unwrap())
            .arg("restart")
            .status()
            .unwrap()
            .success()
    );
    fs::remove_file(server.path("restarts")).unwrap();
}

#[test]
fn a_swap_that_is_not_served_is_told_before_the_client_is_woken() {
    let server = BootServer::with_dhcpd(2);
    with_a_copy(&server);
    fs::remove_file(server.path("follows")).unwrap();
    let before = server.configured();
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    let words = "the DHCP server offers pc2 'nobackup' (says 192.168.7.1)";
    assert!(said(&output).contains(words), "{}", said(&output));
    assert!(!said(&output).contains("woken"), "{}", said(&output));
    assert_eq!(server.configured(), before);
    assert!(server.journal().is_empty(), "{}", said(&output));
    let by_hand = server.run(&["dhcp", "swap", "pc2"]);
    assert_eq!(by_hand.status.code(), Some(78), "{}", said(&by_hand));
    assert!(said(&by_hand).contains(words), "{}", said(&by_hand));
    assert_eq!(server.configured(), before);
}

#[test]
fn nothing_is_called_reverted_while_the_boot_file_is_served() {
    let server = BootServer::with_dhcpd(2);
    with_a_copy(&server);
    server.set("REVERT_DEADLINE", "4");
    let before = server.configured();
    let follows = server.path("follows");
    let stale = move || fs::remove_file(&follows).is_ok() || !follows.exists();
    let over = Gate::default();
    over.open();
    let _client = Client::working_until(&server, 2, stale, over.is_open());
    let output = server.run(&["test", "pc2"]);
    let words = "the DHCP server offers pc2 'pxelinux.0' (says 192.168.7.1)";
    assert!(said(&output).contains(words), "{}", said(&output));
    assert!(!said(&output).contains("pc2: reverted"), "{}", said(&output));
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert_eq!(server.configured(), before, "the bytes are back");
    assert_eq!(server.journal().len(), 1, "nothing closes the entry");
    let doctor = server.run(&["doctor"]);
    let seen =
        "offered: pc2: is offered 'pxelinux.0' (says 192.168.7.1), and the configuration says 'nobackup'";
    assert!(said(&doctor).contains(seen), "{}", said(&doctor));
    assert!(said(&doctor).contains("offered: pc3: is offered 'nobackup'"), "{}", said(&doctor));
    assert_ne!(server.run(&["dhcp", "revert", "pc2"]).status.code(), Some(0));
    fs::write(server.path("follows"), "").unwrap();
    let reverted = server.run(&["dhcp", "revert", "pc2"]);
    assert_eq!(reverted.status.code(), Some(0), "{}", said(&reverted));
    assert!(server.journal().is_empty() && server.serves(&before));
}

/// ISC dhcpd is above.
#[test]
fn with_each_server_a_swap_that_is_not_served_is_told_before_the_client_is_woken_and_undone() {
    at_once(EACH.into_iter().skip(1), |(name, start)| {
        let server = start(2);
        server.keep_a_copy();
        let before = server.configured();
        for words in [&["test", "pc2"][..], &["dhcp", "swap", "pc2"]] {
            let output = server.run(words);
            let text = said(&output);
            assert_eq!(output.status.code(), Some(78), "{name}: {words:?}: {text}");
            assert!(!text.contains("magic packets"), "{name}: {words:?}: {text}");
            // Its own file it serves all the time, so that there is nothing to be put right.
            assert_eq!(server.configured(), before, "{name}: {words:?}: {text}");
            assert!(server.journal().is_empty(), "{name}: {words:?}: {text}");
        }
    });
}

#[test]
fn a_dhcp_server_that_leads_clients_astray_is_named_where_one_never_comes_up_and_by_doctor() {
    let server = BootServer::with_dhcpd(2);
    server.set("UP_DEADLINE", "1");
    let before = server.configured();
    // Another machine's server gives pc2 an address that is not its own, and pc3 the right one.
    let given = [(2, 66), (3, 3)];
    let given = given.map(|(pc, last)| (MacAddress::new([2, 0, 0, 0, 0, pc]), [192, 168, 7, last].into()));
    let _other = Proxy::beside(server.network(), &server.path(""), given.into_iter());
    let words = "another DHCP server, 192.168.7.126, answers too, and offers the address 192.168.7.66 and no boot file";
    let [astray, well] = ["pc2", "pc3"].map(|host| server.run(&["test", host]));
    assert_eq!([astray.status.code(), well.status.code()], [Some(75); 2], "{}", said(&astray));
    assert!(said(&astray).contains(words), "{}", said(&astray));
    assert!(!said(&well).contains("another DHCP server, "), "{}", said(&well));
    assert_eq!(server.configured(), before);
    let doctor = said(&server.run(&["doctor"]));
    let of_hosts: Vec<&str> = doctor.lines().filter(|line| line.contains(words)).collect();
    assert_eq!(of_hosts.len(), 1, "{doctor}");
    assert!(of_hosts[0].contains("offered: pc2: "), "{doctor}");
}
