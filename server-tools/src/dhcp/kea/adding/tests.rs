//! Given a kea-dhcp4.conf, what do new hosts make of it?

use std::io;
use std::path::Path;

use super::*;
use crate::dhcp::adding::taken_out;
use crate::dhcp::{Configuration as _, Network};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const MAIN: &str = "/etc/kea/kea-dhcp4.conf";
const MORE: &str = "/etc/kea/hosts.json";

/// A main file, and one that it may include.
type Files = (String, String);

fn table((main, more): &Files) -> HostTable {
    let mut content = |path: &Path| match path.to_str() {
        Some(MORE) => Ok(more.as_bytes().to_vec()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    HostTable::read(Path::new(MAIN), main.as_bytes().to_vec(), &mut content).unwrap()
}

fn host(name: &str, last: u8) -> NewHost {
    NewHost {
        name: name.parse().unwrap(),
        mac: ghost_contract::MacAddress::new([2, 0, 0, 0, 0, last]),
        ip: [10, 0, 0, last].into(),
        no_boot_file: "nobackup".to_owned(),
    }
}

fn asked(hosts: &[NewHost]) -> Additions {
    Additions {
        boot_server: SERVER,
        network: None,
        hosts: hosts.to_vec(),
        no_boot_file: "nobackup".to_owned(),
    }
}

/// The files afterwards, and what was put into them.
fn added(files: &Files, asked: &Additions) -> anyhow::Result<(Files, Draft)> {
    let (mut files, mut all) = (files.clone(), Draft::default());
    for edit in [interface, network, hosts, next_server] {
        let draft = edit(&table(&files), asked)?;
        for change in &draft.changes {
            let file = if change.file == Path::new(MAIN) { &mut files.0 } else { &mut files.1 };
            *file = String::from_utf8(change.contents.clone()).unwrap();
        }
        all = all.then(draft);
    }
    for host in &asked.hosts {
        table(&files).usable(&host.name).unwrap();
    }
    Ok((files, all))
}

/// What is left when all that was put in is taken out again.
fn without(files: &Files, draft: &Draft) -> Files {
    let out = |path: &str, now: &str| {
        let of_file: Vec<_> =
            draft.written.iter().filter(|written| written.file == Path::new(path)).collect();
        let (contents, left) = taken_out(now.as_bytes(), &of_file);
        assert!(left.is_empty(), "{left:?}");
        String::from_utf8(contents).unwrap()
    };
    (out(MAIN, &files.0), out(MORE, &files.1))
}

/// What `reservations` becomes by two new hosts.
fn both(reservations: &str) -> String {
    let main = format!(
        "{{ \"Dhcp4\": {{\n  \"subnet4\": [ {{ \"subnet\": \"10.0.0.0/24\", \"next-server\": \"10.0.0.5\",\n    \"reservations\": {reservations} }} ]\n}} }}\n"
    );
    let before = (main, "// none\n".to_owned());
    let (files, draft) = added(&before, &asked(&[host("a", 1), host("b", 2)])).unwrap();
    assert_eq!(without(&files, &draft), before, "{reservations}");
    let again = added(&files, &asked(&[host("a", 1), host("b", 2)])).unwrap();
    assert_eq!((again.0 == files, again.1.known.len()), (true, 2), "a second time nothing is added");
    let (start, rest) = files.0.split_once("\"reservations\": ").unwrap();
    assert!(before.0.starts_with(start));
    rest.strip_suffix(" } ]\n} }\n").unwrap().to_owned()
}

const A: &str = r#"{ "hostname": "a", "hw-address": "02:00:00:00:00:01", "ip-address": "10.0.0.1", "boot-file-name": "nobackup" }"#;
const B: &str = r#"{ "hostname": "b", "hw-address": "02:00:00:00:00:02", "ip-address": "10.0.0.2", "boot-file-name": "nobackup" }"#;
const C: &str = r#"{ "hostname": "c", "hw-address": "02:00:00:00:00:03" }"#;

#[test]
fn new_hosts_come_behind_the_last_one_and_look_like_it() {
    assert_eq!(both("[ ]"), format!("[\n        {A},\n        {B}\n     ]"));
    assert_eq!(both("[\n    ]"), format!("[\n        {A},\n        {B}\n    ]"));
    assert_eq!(both(&format!("[ {C} ]")), format!("[ {C},\n    {A},\n    {B} ]"));
    assert_eq!(
        both(&format!("[\n\t{C} // c's\n\t// the end\n\t]")),
        format!("[\n\t{C}, // c's\n\t{A},\n\t{B}\n\t// the end\n\t]")
    );
    assert_eq!(
        both(&format!("[\n\t{C}, /* c's */ # own\n\t]")),
        format!("[\n\t{C}, /* c's */ # own\n\t{A},\n\t{B},\n\t]"),
        "where there is a comma behind the last one, there is one afterwards"
    );
}

#[test]
fn lines_of_windows_stay_such_behind_a_comment_too() {
    for behind in [" # c's", ",  // c's", ""] {
        let main = format!(
            "{{ \"Dhcp4\": {{\n  \"subnet4\": [ {{ \"subnet\": \"10.0.0.0/24\", \"next-server\": \"10.0.0.5\",\n    \"reservations\": [\n\t{C}{behind}\n\t] }} ]\n}} }}\n"
        );
        let before = (main.replace('\n', "\r\n"), String::new());
        let (files, draft) = added(&before, &asked(&[host("a", 1)])).unwrap();
        assert_eq!(
            files.0.matches("\r\n").count(),
            files.0.matches(['\r', '\n']).count() / 2,
            "{:?}",
            files.0
        );
        assert!(!files.0.contains("\r\r") && files.0.contains(&format!("\r\n\t{A}")), "{:?}", files.0);
        assert_eq!(without(&files, &draft), before);
    }
}

#[test]
fn a_subnet_without_reservations_and_a_configuration_without_subnets_get_them() {
    let main = |subnets: &str| (format!("{{ \"Dhcp4\": {{\n    {subnets} }} }}\n"), String::new());
    let before = main("\"subnet4\": [ { \"subnet\": \"10.0.0.0/24\" } ]");
    let (files, draft) = added(&before, &asked(&[host("a", 1)])).unwrap();
    let own = A.replace(" }", ", \"next-server\": \"10.0.0.5\" }");
    assert!(files.0.contains("\"subnet\": \"10.0.0.0/24\",\n") && files.0.contains(&own), "{}", files.0);
    assert_eq!(without(&files, &draft), before);

    let network = NewNetwork {
        network: Network { address: [10, 0, 0, 0].into(), netmask: [255, 255, 255, 0].into() },
        router: Some([10, 0, 0, 1].into()),
        interface: Some("eth0".to_owned()),
    };
    let with_network = Additions { network: Some(network), ..asked(&[host("a", 7)]) };
    for before in [main("\"valid-lifetime\": 600"), (EMPTY.to_owned(), String::new())] {
        let (files, draft) = added(&before, &with_network).unwrap();
        let table = table(&files);
        assert_eq!(table.subnets[0].0, with_network.network.as_ref().unwrap().network, "{}", files.0);
        assert!(files.0.contains("\"interfaces\": [ \"eth0\" ]"), "{}", files.0);
        assert!(files.0.contains("{ \"name\": \"routers\", \"data\": \"10.0.0.1\" }"), "{}", files.0);
        assert_eq!(without(&files, &draft), before);
        let (again, _) = added(&files, &with_network).unwrap();
        assert_eq!(again, files, "a second time nothing is added");
    }
}

#[test]
fn a_second_network_gets_a_number_of_its_own_and_none_goes_over_another() {
    let before = (
        "{ \"Dhcp4\": { \"interfaces-config\": { \"interfaces\": [ \"eth1/10.9.0.1\" ] },\n  \"subnet4\": [\n    { \"id\": 7, \"subnet\": \"10.9.0.0/24\" }\n  ] } }"
            .to_owned(),
        String::new(),
    );
    let wanted = |address: [u8; 4], bits: u32| Additions {
        network: Some(NewNetwork {
            network: Network { address: address.into(), netmask: (u32::MAX << (32 - bits)).into() },
            router: None,
            interface: Some("eth0".to_owned()),
        }),
        ..asked(&[])
    };
    let (files, draft) = added(&before, &wanted([10, 0, 0, 0], 24)).unwrap();
    assert!(files.0.contains("    },\n    {\n") || files.0.contains("},\n    {\n"), "{}", files.0);
    assert!(files.0.contains("\"id\": 8,"), "{}", files.0);
    assert!(draft.remarks[0].contains("Kea listens on other interfaces than eth0"), "{:?}", draft.remarks);
    assert_eq!(without(&files, &draft), before);
    // In the last one the subnet is in the midst, where its first and its last address are not.
    for other in [wanted([10, 9, 0, 0], 16), wanted([10, 9, 0, 128], 25), wanted([10, 0, 0, 0], 8)] {
        let error = added(&before, &other).unwrap_err().to_string();
        assert!(error.contains("has the network 10.9.0.0/24 there already"), "{error}");
    }
}

#[test]
fn a_host_goes_into_the_file_that_the_others_are_in() {
    let main = format!(
        "{{ \"Dhcp4\": {{ \"next-server\": \"10.0.0.5\", \"subnet4\": [ {{ \"subnet\": \"10.0.0.0/24\", \"reservations\": [ <?include \"{MORE}\"?> ] }} ] }} }}"
    );
    for (more, after) in
        [(format!("{C}\n"), format!("{C},\n{A}\n")), (format!("{C}, # c\n"), format!("{C}, # c\n{A},\n"))]
    {
        let before = (main.clone(), more);
        let (files, draft) = added(&before, &asked(&[host("a", 1)])).unwrap();
        assert_eq!(files, (main.clone(), after));
        assert_eq!(without(&files, &draft), before);
    }
}

#[test]
fn a_host_that_lacks_only_its_boot_file_gets_it() {
    let of = |host: &str| {
        format!(
            "{{ \"Dhcp4\": {{ \"subnet4\": [ {{ \"subnet\": \"10.0.0.0/24\", \"next-server\": \"10.0.0.5\", \"reservations\": [\n {host} ] }} ] }} }}"
        )
    };
    let short = r#"{ "hostname": "a", "hw-address": "2:0:0:0:0:1", "ip-address": "10.0.0.1" }"#;
    let before = (of(short), String::new());
    let (files, draft) = added(&before, &asked(&[host("a", 1)])).unwrap();
    assert_eq!(files.0, of(&short.replace("0.1\" }", "0.1\", \"boot-file-name\": \"nobackup\" }")));
    assert_eq!(without(&files, &draft), before);
    // One that lacks both gets both.
    let [before, short] =
        [before.0.as_str(), short].map(|text| text.replace(" \"next-server\": \"10.0.0.5\",", ""));
    let before = (before, String::new());
    let (files, draft) = added(&before, &asked(&[host("a", 1)])).unwrap();
    let both = short.replace(" }", ", \"boot-file-name\": \"nobackup\", \"next-server\": \"10.0.0.5\" }");
    assert_eq!(files.0, before.0.replace(&short, &both));
    assert_eq!(without(&files, &draft), before);
}

#[test]
fn clients_that_are_there_are_told_in_their_own_reservations_where_to_fetch_from_if_nothing_says_it() {
    let of = |more: &str, a: &str| {
        let thin = B.replace("nobackup", "thin.0");
        (
            format!(
                "{{ \"Dhcp4\": {{{more} \"subnet4\": [ {{ \"subnet\": \"10.0.0.0/24\", \"reservations\": [ {a}, {thin} ] }} ] }} }}"
            ),
            String::new(),
        )
    };
    let before = of("", A);
    let (files, draft) = added(&before, &asked(&[])).unwrap();
    let told = A.replace(" }", ", \"next-server\": \"10.0.0.5\" }");
    assert_eq!(files, of("", &told), "what boots another file is no client");
    assert_eq!(without(&files, &draft), before);
    assert_eq!(added(&files, &asked(&[])).unwrap().0, files, "and a second time nothing is added");
    let elsewhere = of(" \"next-server\": \"10.0.0.99\",", A);
    assert_eq!(added(&elsewhere, &asked(&[])).unwrap().0, elsewhere, "another machine is left as it is");
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let files = (
        format!(
            "{{ \"Dhcp4\": {{ \"subnet4\": [ {{ \"subnet\": \"10.0.0.0/24\", \"reservations\": [\n {A} ] }} ] }} }}"
        ),
        String::new(),
    );
    let same_mac = NewHost { mac: host("a", 1).mac, ..host("c", 10) };
    for (new, words) in [
        (host("a", 9), ":2:2: there is a host a with other addresses"),
        (host("A", 1), ":2:2: there is a host a with other addresses"),
        (same_mac, ":2:2: c cannot be added, since host a has the hardware address 02:00:00:00:00:01"),
        (NewHost { ip: [10, 0, 0, 1].into(), ..host("c", 10) }, "since host a has the address 10.0.0.1"),
        (NewHost { ip: [10, 0, 1, 7].into(), ..host("c", 10) }, "no subnet of the DHCP configuration has"),
        (NewHost { ip: [10, 0, 0, 255].into(), ..host("c", 10) }, "10.0.0.255 is no host's address"),
        (NewHost { ip: SERVER, ..host("c", 10) }, "10.0.0.5 is the boot server's own address"),
    ] {
        let error = hosts(&table(&files), &asked(std::slice::from_ref(&new))).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn a_reservation_that_kea_would_not_look_at_is_told() {
    let files = (
        "{ \"Dhcp4\": { \"host-reservation-identifiers\": [ \"duid\" ], \"subnet4\": [ { \"subnet\": \"10.0.0.0/24\" } ] } }"
            .to_owned(),
        String::new(),
    );
    let draft = hosts(&table(&files), &asked(&[host("a", 1)])).unwrap();
    let text = String::from_utf8(draft.changes[0].contents.clone()).unwrap();
    let after = table(&(text, String::new()));
    let error = crate::dhcp::adding::require_usable(&after, &asked(&[host("a", 1)]).hosts).unwrap_err();
    assert!(error.to_string().contains("does not name hw-address"), "{error}");
    assert!(after.host(&"a".parse().unwrap()).is_err());
}
