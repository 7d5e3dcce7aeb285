//! Given a dhcpd.conf, what do new hosts make of it?

use std::path::Path;

use super::*;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

fn table(text: &str) -> HostTable {
    let mut content = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
    HostTable::read(Path::new("/etc/dhcp/dhcpd.conf"), text.as_bytes().to_vec(), &mut content).unwrap()
}

fn host(name: &str, last: u8) -> NewHost {
    NewHost {
        name: name.parse().unwrap(),
        mac: ghost_contract::MacAddress::new([2, 0, 0, 0, 0, last]),
        ip: [10, 0, 0, last].into(),
        no_boot_file: "nobackup".to_owned(),
    }
}

fn added(text: &str, hosts: &[NewHost]) -> anyhow::Result<(String, Draft)> {
    let asked = Additions {
        boot_server: SERVER,
        network: None,
        hosts: hosts.to_vec(),
        no_boot_file: "nobackup".to_owned(),
    };
    let draft = super::hosts(&table(text), &asked)?;
    let contents = draft.changes.first().map_or(text.as_bytes(), |change| &change.contents);
    Ok((String::from_utf8(contents.to_vec()).unwrap(), draft))
}

const SUBNET: &str = "subnet 10.0.0.0 netmask 255.255.255.0 { next-server 10.0.0.5; }\n";
const PC9: &str = "\nhost pc9 {\n        hardware ethernet 02:00:00:00:00:09;\n        fixed-address 10.0.0.9;\n        filename \"nobackup\";\n}\n";

#[test]
fn a_new_host_comes_after_all_that_is_there() {
    for (before, gap) in [(SUBNET.to_owned(), ""), (format!("{SUBNET}# no end of line"), "\n")] {
        let (text, draft) = added(&before, &[host("pc9", 9)]).unwrap();
        assert_eq!(text, format!("{before}{gap}{PC9}"));
        let out = crate::dhcp::adding::taken_out(text.as_bytes(), &draft.written.iter().collect::<Vec<_>>());
        assert_eq!((String::from_utf8(out.0).unwrap(), out.1.len()), (before, 0));
    }
    let windows = SUBNET.replace('\n', "\r\n");
    assert_eq!(
        added(&windows, &[host("pc9", 9)]).unwrap().0,
        format!("{windows}{}", PC9.replace('\n', "\r\n"))
    );
}

#[test]
fn where_no_machine_is_named_to_fetch_from_the_entry_names_it() {
    for said in ["", "next-server 10.0.0.99;", "if known { next-server 10.0.0.5; }"] {
        let subnet = format!("subnet 10.0.0.0 netmask 255.255.255.0 {{ {said} }}\n");
        assert!(
            added(&subnet, &[host("pc9", 9)]).unwrap().0.ends_with("        next-server 10.0.0.5;\n}\n"),
            "{said}"
        );
    }
}

#[test]
fn clients_that_are_there_are_told_in_their_own_entries_where_to_fetch_from_if_nothing_says_it() {
    let entry = |last: u8, file: &str| {
        format!(
            "host pc{last} {{ hardware ethernet 2:0:0:0:0:{last}; fixed-address 10.0.0.{last}; filename \"{file}\"; }}\n"
        )
    };
    let subnet =
        "subnet 10.0.0.0 netmask 255.255.255.0 { filename \"phones.cfg\"; range 10.0.0.90 10.0.0.99; }\n";
    // A machine that boots another file is no client: nothing that it is offered changes, nor what the telephones are.
    let grown = format!("{subnet}{}{}", entry(7, "nobackup"), entry(8, "thin.0"));
    let (text, draft) = added(&grown, &[]).unwrap();
    let told = entry(7, "nobackup").replace(" }", " next-server 10.0.0.5; }");
    assert_eq!(text, format!("{subnet}{told}{}", entry(8, "thin.0")));
    let out = crate::dhcp::adding::taken_out(text.as_bytes(), &draft.written.iter().collect::<Vec<_>>());
    assert_eq!((String::from_utf8(out.0).unwrap(), out.1.len()), (grown.clone(), 0));
    assert_eq!(added(&text, &[]).unwrap().0, text, "and a second time nothing is added");
    let elsewhere = grown.replace("range", "next-server tftp.example.org; range");
    assert_eq!(added(&elsewhere, &[]).unwrap().0, elsewhere, "another machine is left as it is");
    // One that is asked for is a client, whatever it boots.
    let (text, _) = added(&format!("{subnet}{}", entry(8, "thin.0")), &[host("pc8", 8)]).unwrap();
    assert_eq!(text, format!("{subnet}{}", entry(8, "thin.0").replace(" }", " next-server 10.0.0.5; }")));
    // One that lacks both gets both.
    let bare =
        format!("{subnet}host pc9 {{\n\thardware ethernet 2:0:0:0:0:9;\n\tfixed-address 10.0.0.9;\n}}\n")
            .replace(" filename \"phones.cfg\";", "");
    let (text, _) = added(&bare, &[host("pc9", 9)]).unwrap();
    assert!(text.ends_with("10.0.0.9;\n\tfilename \"nobackup\";\n\tnext-server 10.0.0.5;\n}\n"), "{text}");
}

#[test]
fn a_host_that_is_there_is_left_and_one_that_lacks_its_file_gets_it() {
    let head = "host pc9 { hardware ethernet 2:0:0:0:0:9; fixed-address 10.0.0.9;";
    let whole = format!("{SUBNET}{head} filename \"x\"; }}\n");
    let (text, draft) = added(&whole, &[host("pc9", 9)]).unwrap();
    assert_eq!((text, draft.known.len()), (whole, 1));
    let short = format!("{SUBNET}{head} }} # c\n");
    let (text, draft) = added(&short, &[host("pc9", 9)]).unwrap();
    assert_eq!(text, format!("{SUBNET}{head} filename \"nobackup\"; }} # c\n"));
    let out = crate::dhcp::adding::taken_out(text.as_bytes(), &draft.written.iter().collect::<Vec<_>>());
    assert_eq!(String::from_utf8(out.0).unwrap(), short);
    let long = format!(
        "{SUBNET}host pc9 {{\n\thardware ethernet 2:0:0:0:0:9;\n\tfixed-address 10.0.0.9; # the card's\n}}\n"
    );
    let (text, _) = added(&long, &[host("pc9", 9)]).unwrap();
    assert!(text.contains("\tfixed-address 10.0.0.9;\n\tfilename \"nobackup\"; # the card's\n}"), "{text}");
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let there = "host a { hardware ethernet 2:0:0:0:0:7; fixed-address 10.0.0.7; filename \"nobackup\"; }\n";
    let inherits =
        "group { filename \"menu.0\"; host b { hardware ethernet 2:0:0:0:0:8; fixed-address 10.0.0.8; } }\n";
    let text = format!("{SUBNET}{there}{inherits}");
    let same_mac = NewHost { mac: host("a", 7).mac, ..host("c", 10) };
    for (new, words) in [
        (host("a", 9), ":2:1: there is a host a with other addresses"),
        (host("A", 7), ":2:1: there is a host a with other addresses"),
        (same_mac, ":2:1: c cannot be added, since host a has the hardware address 02:00:00:00:00:07"),
        (NewHost { ip: [10, 0, 0, 7].into(), ..host("c", 10) }, "since host a has the address 10.0.0.7"),
        (
            NewHost { ip: [10, 0, 1, 7].into(), ..host("c", 10) },
            "no subnet of the DHCP configuration has its address 10.0.1.7",
        ),
        (
            NewHost { ip: [10, 0, 0, 0].into(), ..host("c", 10) },
            "10.0.0.0 is no host's address in the network 10.0.0.0/24",
        ),
        (NewHost { ip: [10, 0, 0, 255].into(), ..host("c", 10) }, "10.0.0.255 is no host's address"),
        (NewHost { ip: SERVER, ..host("c", 10) }, "10.0.0.5 is the boot server's own address"),
        (host("b", 8), "inherits this one"),
    ] {
        let error = added(&text, std::slice::from_ref(&new)).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
    let error = added(&text, &[host("a", 9), host("b", 8)]).unwrap_err().to_string();
    assert!(error.contains("a with other addresses") && error.contains("inherits"), "all at once: {error}");
}

#[test]
fn a_name_that_dhcpd_does_not_read_is_refused() {
    let text = "subnet 10.0.0.0 netmask 255.255.255.0 { next-server 10.0.0.5; }\n";
    let error = added(text, &[host("pc._7.lan", 9)]).unwrap_err().to_string();
    assert!(error.contains("pc._7.lan: dhcpd reads no name in which '_' follows a dot"), "{error}");
    assert!(added(text, &[host("p_c.7_", 9)]).is_ok());
}

#[test]
fn an_address_that_any_machine_may_get_is_told() {
    let text = "subnet 10.0.0.0 netmask 255.255.255.0 { pool { range 10.0.0.9 10.0.0.20; } next-server 10.0.0.5; }\n";
    let (_, draft) = added(text, &[host("pc8", 8), host("pc9", 9)]).unwrap();
    assert_eq!(draft.remarks.len(), 1, "{:?}", draft.remarks);
    assert!(draft.remarks[0].starts_with("pc9: 10.0.0.9 is among those"), "{:?}", draft.remarks);
}

#[test]
fn a_network_is_declared_once_and_never_over_another() {
    let wanted = |address: [u8; 4], netmask: [u8; 4]| NewNetwork {
        network: Network { address: address.into(), netmask: netmask.into() },
        router: Some([10, 0, 0, 1].into()),
        interface: None,
    };
    let new = network(&table(""), SERVER, &wanted([10, 0, 0, 0], [255, 255, 255, 0])).unwrap();
    let text = String::from_utf8(new.changes[0].contents.clone()).unwrap();
    assert!(
        text.contains("subnet 10.0.0.0 netmask 255.255.255.0 {\n        option routers 10.0.0.1;\n"),
        "{text}"
    );
    assert!(
        network(&table(&text), SERVER, &wanted([10, 0, 0, 0], [255, 255, 255, 0]))
            .unwrap()
            .changes
            .is_empty()
    );
    for other in [wanted([10, 0, 0, 0], [255, 255, 0, 0]), wanted([10, 0, 0, 128], [255, 255, 255, 128])] {
        let error = network(&table(&text), SERVER, &other).unwrap_err().to_string();
        assert!(error.contains("has the network 10.0.0.0/24 there already"), "{error}");
    }
    // A subnet in the midst of the wanted one, which its first and its last address are not in.
    let within = table("subnet 10.0.5.0 netmask 255.255.255.0 { range 10.0.5.10 10.0.5.99; }\n");
    let error = network(&within, SERVER, &wanted([10, 0, 0, 0], [255, 255, 0, 0])).unwrap_err().to_string();
    assert!(error.contains("has the network 10.0.5.0/24 there already"), "{error}");
}
