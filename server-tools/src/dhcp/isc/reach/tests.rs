//! Given a configuration, what is certain, possible or missing for john at 192.168.7.2?

use std::path::Path;

use super::*;

fn reach(configuration: &str, included: &str) -> Reach {
    let mut content = |_: &Path| Ok(included.as_bytes().to_vec());
    let table = HostTable::read(Path::new("/dhcpd.conf"), configuration.as_bytes().to_vec(), &mut content);
    let john = ("john".parse().unwrap(), Ipv4Addr::new(192, 168, 7, 2));
    table.unwrap().reaches(&[john]).remove(0)
}

fn john(own: &str) -> String {
    format!(
        "host john {{ hardware ethernet 0:1:80:5c:37:d4; fixed-address 192.168.7.2; filename \"nobackup\"; {own} }}\n"
    )
}

/// The value and whether it is certain.
fn value(said: &Option<Said>) -> Option<(&str, bool)> {
    said.as_ref().map(|said| (said.value.as_str(), said.is_certain))
}

#[test]
fn what_stands_nearest_to_the_host_wins() {
    let subnet = "subnet 192.168.7.0 netmask 255.255.255.128 { next-server 10.0.0.1; }\n";
    let around = format!("next-server 10.0.0.9;\n{subnet}");
    let nearest = |text: &str| {
        let reach = reach(text, "");
        value(&reach.next_server).map(|(value, certain)| (value.to_owned(), certain))
    };
    let is = |address: &str| Some((address.to_owned(), true));
    assert_eq!(nearest(&john("")), None);
    assert_eq!(nearest(&format!("next-server 10.0.0.9;\n{}", john(""))), is("10.0.0.9"));
    assert_eq!(nearest(&format!("{around}{}", john(""))), is("10.0.0.1"));
    assert_eq!(
        nearest(&format!("{around}group {{ next-server boot.lab; group {{ {} }} }}", john(""))),
        is("boot.lab")
    );
    assert_eq!(nearest(&format!("{around}{}", john("next-server 10.0.0.3;"))), is("10.0.0.3"));
    assert_eq!(nearest(&john("next-server 10.0.0.3; next-server 10.0.0.4;")), is("10.0.0.4"));
}

#[test]
fn the_shared_network_around_a_subnet_counts_and_another_subnet_does_not() {
    let text = format!(
        "shared-network s {{ option tftp-server-name \"10.0.0.5\"; subnet 192.168.7.0 netmask 255.255.255.0 {{ }} \
         subnet 10.0.0.0 netmask 255.0.0.0 {{ next-server 10.0.0.1; }} }}\n{}",
        john("")
    );
    let reach = reach(&text, "");
    assert_eq!(value(&reach.tftp_server_option), Some(("10.0.0.5", true)));
    assert_eq!(value(&reach.next_server), None);
}

#[test]
fn a_router_may_be_told_anywhere_around_the_host() {
    let subnet = |inside: &str| format!("subnet 192.168.7.0 netmask 255.255.255.128 {{ {inside} }}\n");
    let routers = "option routers 192.168.7.1, 192.168.7.9;";
    assert!(reach(&format!("{}{}", subnet(""), john("")), "").has_no_router);
    for text in [
        format!("{}{}", subnet(routers), john("")),
        format!("{}{}", subnet(""), john(routers)),
        format!("{routers}\n{}{}", subnet(""), john("")),
    ] {
        assert!(!reach(&text, "").has_no_router, "{text}");
    }
}

#[test]
fn the_smallest_network_with_the_address_is_its_own() {
    let text = format!(
        "subnet 192.168.0.0 netmask 255.255.0.0 {{ }}\nsubnet 192.168.7.0 netmask 255.255.255.128 {{ }}\n{}",
        john("")
    );
    let network = reach(&text, "").network.unwrap();
    assert_eq!(network.broadcast(), Ipv4Addr::new(192, 168, 7, 127));
    assert_eq!(reach(&john(""), "").network, None);
}

#[test]
fn options_are_found_however_they_are_set_and_declarations_are_none() {
    for own in [
        "option bootfile-name \"other.0\";",
        "option dhcp.bootfile-name \"other.0\";",
        "supersede bootfile-name = \"other.0\";",
        "OPTION BootFile-Name \"other.0\";",
    ] {
        assert_eq!(value(&reach(&john(own), "").boot_file_option), Some(("other.0", true)), "{own}");
    }
    let declared = format!("option bootfile-name code 67 = text;\n{}", john(""));
    assert_eq!(reach(&declared, "").boot_file_option, None);
}

#[test]
fn what_holds_for_some_clients_is_possible_and_not_certain() {
    let class =
        format!("class \"pxe\" {{ option bootfile-name \"a\"; next-server 10.0.0.1; }}\n{}", john(""));
    let class = reach(&class, "");
    assert_eq!(value(&class.boot_file_option), Some(("a", false)));
    assert_eq!(value(&class.next_server), Some(("10.0.0.1", false)));
    let condition = format!(
        "subnet 192.168.7.0 netmask 255.255.255.0 {{ if exists agent.circuit-id {{ next-server 10.0.0.1; }} }}\n{}",
        john("")
    );
    assert_eq!(value(&reach(&condition, "").next_server), Some(("10.0.0.1", false)));
    let of_its_own = format!("class \"pxe\" {{ next-server 10.0.0.1; }}\n{}", john("next-server 10.0.0.2;"));
    assert_eq!(value(&reach(&of_its_own, "").next_server), Some(("10.0.0.2", true)));
}

#[test]
fn booting_can_be_denied_around_the_host_and_allowed_nearer_to_it() {
    assert_eq!(
        value(&reach(&format!("deny booting;\n{}", john("")), "").booting_denied),
        Some(("deny", true))
    );
    assert_eq!(value(&reach(&john("ignore booting;"), "").booting_denied), Some(("ignore", true)));
    assert_eq!(reach(&format!("deny booting;\n{}", john("allow booting;")), "").booting_denied, None);
    assert_eq!(reach(&format!("deny unknown-clients;\n{}", john("")), "").booting_denied, None);
}

#[test]
fn what_is_included_stands_where_the_include_stands() {
    let text =
        format!("subnet 192.168.7.0 netmask 255.255.255.0 {{ include \"/boot.conf\"; }}\n{}", john(""));
    let said = reach(&text, "next-server 10.0.0.1;\n").next_server.unwrap();
    assert_eq!(said.place.to_string(), "/boot.conf:1:1");
    let inside = reach(
        "subnet 192.168.7.0 netmask 255.255.255.0 { next-server 10.0.0.1; }\ngroup { next-server 10.0.0.2; include \"/hosts\"; }",
        &john(""),
    );
    assert_eq!(value(&inside.next_server), Some(("10.0.0.2", true)));
}
