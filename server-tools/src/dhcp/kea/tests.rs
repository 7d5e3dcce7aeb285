//! What a configuration's reservations are taken for, and what an edit of one changes.

use std::io;
use std::path::Path;

use ghost_contract::HostName;
use proptest::prelude::*;

use super::lexer::Lexer;
use super::*;
use crate::dhcp::{Back, Configuration as _, Fault, Reach, Swap, SwapError, Wanted};

const FILE: &str = "/etc/kea/kea-dhcp4.conf";
const MORE: &str = "/etc/kea/hosts.json";

/// john in a subnet, joe in a subnet of a shared network, jim in another file, jane for all.
const CONF: &str = r#"# kept
{ "Dhcp4": { // kept
  "control-socket": { "socket-type": "unix", "socket-name": "/run/kea/kea4-ctrl-socket" },
  "next-server": "192.168.7.1", "reservations-global": true,
  "client-classes": [ { "name": "uefi", "test": "option[93].hex == 0x0007", "boot-file-name": "grub.efi",
    "option-data": [ { "name": "boot-file-name", "data": "class.efi" } ] } ],
  "subnet4": [ { "id": 1, "subnet": "192.168.7.0/24", "reservations": [
    { "hw-address": "02:00:00:00:00:02", "ip-address": "192.168.7.2", "hostname": "john", /* kept */ "boot-file-name" : "no\u0062ackup" }, # kept
    <?include "/etc/kea/hosts.json"?>
  ] } ],
  "shared-networks": [ { "name": "s", "next-server": "10.0.0.9", "subnet4": [ { "id": 2, "subnet": "10.0.0.0/24", "reservations": [
    { "hostname": "joe", "hw-address": "2:0:0:0:0:3", "ip-address": "10.0.0.3", "boot-file-name": "nobackup", "next-server": "10.0.0.1" } ] } ] } ],
  "reservations": [ { "hostname": "jane", "hw-address": "020000000005", "ip-address": "192.168.7.5", "boot-file-name": "nobackup" } ]
} }
"#;
const HOSTS: &str = "// jim's\n{ \"hostname\": \"jim\", \"hw-address\": \"02:00:00:00:00:04\", \"ip-address\": \"192.168.7.4\", \"boot-file-name\": \"nobackup\" },";

fn read_with(conf: &str, hosts: &str) -> Result<HostTable, ReadError> {
    let mut content = |path: &Path| match path.to_str() {
        Some(MORE) => Ok(hosts.as_bytes().to_vec()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    HostTable::read(Path::new(FILE), conf.as_bytes().to_vec(), &mut content)
}

fn table() -> HostTable {
    read_with(CONF, HOSTS).unwrap()
}

fn name(name: &str) -> HostName {
    name.parse().unwrap()
}

fn wanted(host: &str) -> Wanted {
    Wanted { host: name(host), boot_file: "pxelinux.0".to_owned() }
}

fn why(conf: &str, host: &str) -> String {
    Fault::to_string(&read_with(conf, HOSTS).unwrap().usable(&name(host)).unwrap_err())
}

#[test]
fn hosts_are_found_wherever_kea_looks_for_them() {
    let table = table();
    let hosts = ["john", "jim", "joe", "jane"];
    assert_eq!(table.hosts().iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), hosts);
    let of = |host: &str| table.host(&name(host)).unwrap();
    assert_eq!(
        (of("john").mac.to_string(), of("john").ip),
        ("02:00:00:00:00:02".to_owned(), [192, 168, 7, 2].into())
    );
    assert_eq!(of("john").offered, b"nobackup", "escapes are resolved");
    assert_eq!(of("joe").mac.to_string(), "02:00:00:00:00:03");
    assert_eq!(of("jane").mac.to_string(), "02:00:00:00:00:05");
    assert_eq!(
        (of("jim").file.as_path(), of("jim").place.to_string()),
        (Path::new(MORE), format!("{MORE}:2:104"))
    );
    assert!(table.list().iter().all(|host| host.problem.is_none()), "{:?}", table.list());
    assert_eq!(control::socket(&table).as_deref(), Some(Path::new("/run/kea/kea4-ctrl-socket")));
}

#[test]
fn what_is_missing_or_odd_is_said_with_what_to_write() {
    let john = |from: &str, to: &str| {
        let conf = CONF.replace(from, to);
        assert_ne!(conf, CONF);
        why(&conf, "john")
    };
    let file = "/* kept */ \"boot-file-name\" : \"no\\u0062ackup\"";
    for (told, words) in [
        (why(CONF, "John"), "host John is not in the DHCP configuration; is john meant?"),
        (
            john("\"hostname\": \"joe\"", "\"hostname\": \"john\""),
            "has a second reservation, the first one is at /etc/kea/kea-dhcp4.conf:8:5",
        ),
        (
            john("\"hw-address\": \"02:00:00:00:00:02\"", "\"client-id\": \"01:02\""),
            "is known by 'client-id'",
        ),
        (john("02:00:00:00:00:02", "02:00:00:00:00:02:02"), "has no Ethernet address here"),
        (
            john("02:00:00:00:00:02", "00:00:00:00:00:00"),
            "has the hardware address 00:00:00:00:00:00, which no network card has",
        ),
        (john("02:00:00:00:00:02", "ffffffffffff"), "has the hardware address ff:ff:ff:ff:ff:ff, which no"),
        (john("\"ip-address\": \"192.168.7.2\", ", ""), "has no address; write"),
        (john("\"192.168.7.2\"", "\"john.lab\""), "has no IPv4 address here"),
        (john(file, "\"x\": 1"), "has no boot-file-name of its own, it inherits this one"),
        (
            john(file, "\"boot-file-name\": \"a\", \"boot-file-name\": \"b\""),
            "has a second boot-file-name here",
        ),
        (john(file, "\"boot-file-name\": 1"), "has a boot file here that is no string"),
        (
            john("\"id\": 1,", "\"id\": 1, \"reservations-in-subnet\": false,"),
            "its subnet has reservations switched off",
        ),
        (
            john("\"id\": 1,", "\"id\": 1, \"reservation-mode\": \"disabled\","),
            "its subnet has reservations switched off",
        ),
        (
            john(
                "\"next-server\": \"192",
                "\"host-reservation-identifiers\": [ \"duid\" ], \"next-server\": \"192",
            ),
            "does not name hw-address",
        ),
        (
            why(&CONF.replace("-global\": true", "-global\": false"), "jane"),
            "its subnet does not say \"reservations-global\": true",
        ),
        (
            why(&CONF.replace("{ // kept", "{ \"hosts-databases\": [ { \"type\": \"mysql\" } ],"), "jill"),
            "in a database too (hosts-database)",
        ),
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let none = CONF.replace(file, "\"x\": 1").replace("\"boot-file-name\": \"grub.efi\"", "\"y\": 1");
    assert!(why(&none, "john").contains("has no boot-file-name; write into its reservation"));
    let same = read_with(CONF, &HOSTS.replace(":04", ":02")).unwrap();
    let told = same.usable(&name("john")).unwrap_err().to_string();
    assert!(told.contains("has the hardware address of jim at /etc/kea/hosts.json:2:1"), "{told}");
}

#[test]
fn a_swap_changes_one_value_in_its_own_file_and_comes_back_byte_for_byte() {
    let table = table();
    let edit =
        edit::swap(&table, &[wanted("john"), wanted("jim"), wanted("joe"), wanted("jane"), wanted("nobody")]);
    assert!(matches!(edit.swaps[4], Err(SwapError::NotUsable(_))));
    let all: Vec<(HostName, Swap)> = ["john", "jim", "joe", "jane"]
        .into_iter()
        .zip(edit.swaps)
        .map(|(host, swap)| (name(host), swap.unwrap()))
        .collect();
    let expected =
        CONF.replace("\"no\\u0062ackup\"", "\"pxelinux.0\"").replace("\"nobackup\"", "\"pxelinux.0\"");
    for change in &edit.changes {
        let text = String::from_utf8(change.contents.clone()).unwrap();
        let (before, after) = match change.file == Path::new(MORE) {
            true => (HOSTS, HOSTS.replace("nobackup", "pxelinux.0")),
            false => (CONF, expected.clone()),
        };
        assert_eq!(text, after);
        let of_file: Vec<_> = all.iter().filter(|(_, swap)| swap.file == change.file).cloned().collect();
        let back = edit::revert(&change.file, &change.contents, &of_file);
        assert_eq!(back.contents.as_deref(), Some(before.as_bytes()));
        assert!(back.each.iter().all(|back| *back == Back::Put));
        let again = edit::revert(&change.file, before.as_bytes(), &of_file);
        assert_eq!((again.contents, again.each), (None, vec![Back::Already; of_file.len()]));
    }
    assert_eq!(edit.changes.len(), 2);
    let swapped = read_with(&expected, &HOSTS.replace("nobackup", "pxelinux.0")).unwrap();
    let put = edit::put_back(&swapped, &all);
    assert!(put.each.iter().all(|back| *back == Some(Back::Put)), "{:?}", put.each);
    let contents: Vec<&[u8]> = put.changes.iter().map(|change| change.contents.as_slice()).collect();
    assert_eq!(contents, [HOSTS.as_bytes(), CONF.as_bytes()]);
    let already = edit::swap(&swapped, &[wanted("john")]).swaps.remove(0).unwrap_err();
    assert!(already.to_string().contains("is offered the boot file 'pxelinux.0' already"), "{already}");
}

#[test]
fn a_revert_of_what_another_person_has_changed_meanwhile() {
    let edit = edit::swap(&table(), &[wanted("john")]);
    let swap = edit.swaps.into_iter().next().unwrap().unwrap();
    let swapped = String::from_utf8(edit.changes[0].contents.clone()).unwrap();
    let back = |now: &str| edit::revert(Path::new(FILE), now.as_bytes(), &[(name("john"), swap.clone())]);
    type Is = fn(&Back) -> bool;
    let (gone, unclear): (Is, Is) =
        (|back| matches!(back, Back::Gone(_)), |back| matches!(back, Back::Unclear(_)));
    let table: [(&str, String, Is); 6] = [
        ("another value", swapped.replace("pxelinux.0", "theirs"), gone),
        ("renamed", swapped.replace("\"john\"", "\"johnny\""), gone),
        ("twice", swapped.replace("\"joe\"", "\"john\"").replace("2:0:0:0:0:3", "2:0:0:0:0:2"), unclear),
        ("broken before it", swapped.replace("\"control-socket\": {", "\"control-socket\" {"), unclear),
        ("cut in it", swapped.split("\"boot-file-name\" : ").next().unwrap().to_owned(), unclear),
        ("no file", swapped.replace("\"boot-file-name\" : \"pxelinux.0\"", "\"x\": 1"), gone),
    ];
    for (what, now, is_it) in table {
        let reverts = back(&now);
        assert!(is_it(&reverts.each[0]), "{what}: {:?}", reverts.each);
        assert_eq!(reverts.contents, None, "{what}");
    }
    let reservation = r#"{ "hostname": "john", "hw-address": "2:0:0:0:0:2", "boot-file-name": "theirs" }"#;
    let of_yesterday = format!(r#"{{ "subnet4": [ {{ "reservations": [ {reservation} ] }} ] }}"#);
    let alike = [
        format!(r#""user-context": {reservation}"#),
        format!(r#""user-context": {{ "reservations": [ {reservation} ] }}"#),
        format!(r#""user-context": {{ "Dhcp4": {of_yesterday} }}"#),
        format!(r#""user-context": {of_yesterday}"#),
        format!(r#""shared-networks": [ {of_yesterday} ]"#),
        format!(r#""pools": [ {of_yesterday} ]"#),
    ];
    for alike in alike {
        let now = swapped.replace("\"id\": 1,", &format!("\"id\": 1, {alike},"));
        assert_ne!(now, swapped);
        assert_eq!(back(&now).each, [Back::Put], "what only looks like a reservation is none: {alike}");
    }
    let namesake = swapped.replace("\"joe\"", "\"john\"");
    assert_eq!(back(&namesake).each, [Back::Put], "of two of one name, the one with its hardware address");
    let broken_behind = format!("{} }}", swapped.trim_end());
    assert_eq!(back(&broken_behind).each, [Back::Put], "what is broken behind it keeps nothing swapped");
    let moved = read_with(&swapped.replace("\"john\"", "\"johnny\""), HOSTS).unwrap();
    let put = edit::put_back(&moved, &[(name("john"), swap.clone())]);
    assert_eq!(put.each, [Some(Back::Put)], "found by its hardware address");
    let inherits =
        swapped.replace("\"boot-file-name\" : \"pxelinux.0\"", "\"x\": 1").replace("grub.efi", "pxelinux.0");
    let inherits = read_with(&inherits, HOSTS).unwrap();
    assert!(matches!(edit::put_back(&inherits, &[(name("john"), swap)]).each[0], Some(Back::Unclear(_))));
}

#[test]
fn what_else_decides_what_is_booted() {
    let reach = |conf: &str, host: &str| {
        let table = read_with(conf, HOSTS).unwrap();
        let ip = table.host(&name(host)).unwrap().ip;
        table.reaches(&[(name(host), ip)]).remove(0)
    };
    let said =
        |said: &Option<crate::dhcp::Said>| said.as_ref().map(|said| (said.value.clone(), said.is_certain));
    let of_john = reach(CONF, "john");
    assert_eq!(of_john.network.unwrap().address.octets(), [192, 168, 7, 0]);
    assert_eq!(said(&of_john.next_server), Some(("192.168.7.1".to_owned(), true)));
    assert_eq!(said(&of_john.boot_file_option), Some(("class.efi".to_owned(), false)));
    assert_eq!(said(&reach(CONF, "joe").next_server), Some(("10.0.0.1".to_owned(), true)));
    assert_eq!(reach(CONF, "jane").network.unwrap().address.octets(), [192, 168, 7, 0]);
    let option = |space: &str| {
        format!("\"id\": 1, \"option-data\": [ {{ \"code\": 67, {space} \"data\": \"o.0\" }} ],")
    };
    let of_subnet = reach(&CONF.replace("\"id\": 1,", &option("")), "john");
    assert_eq!(said(&of_subnet.boot_file_option), Some(("o.0".to_owned(), true)));
    let elsewhere = reach(&CONF.replace("\"id\": 1,", &option("\"space\": \"x\",")), "john");
    assert_eq!(said(&elsewhere.boot_file_option), Some(("class.efi".to_owned(), false)));
    assert!(of_john.has_no_router && of_subnet.has_no_router);
    for option in ["\"name\": \"routers\"", "\"code\": 3"] {
        let router = format!("\"id\": 1, \"option-data\": [ {{ {option}, \"data\": \"192.168.7.9\" }} ],");
        assert!(!reach(&CONF.replace("\"id\": 1,", &router), "john").has_no_router, "{option}");
        let for_all = router.replace("\"id\": 1,", "");
        assert!(
            !reach(
                &CONF.replace(
                    "\"next-server\": \"192.168.7.1\",",
                    &format!("\"next-server\": \"192.168.7.1\", {for_all}")
                ),
                "john"
            )
            .has_no_router
        );
    }
    let dropped = reach(
        &CONF.replace("\"hostname\": \"john\"", "\"hostname\": \"john\", \"client-classes\": [ \"DROP\" ]"),
        "john",
    );
    assert_eq!(said(&dropped.booting_denied), Some(("DROP".to_owned(), true)));
    let maybe: Reach = reach(&CONF.replace("\"uefi\"", "\"DROP\""), "john");
    assert_eq!(said(&maybe.booting_denied), Some(("DROP".to_owned(), false)));
}

#[test]
fn what_kea_would_not_read_is_told_with_its_place() {
    for (conf, hosts, words) in [
        (CONF.replace("\"subnet4\":", "\"subnet4\""), HOSTS, "':' should be here"),
        (CONF.to_owned(), "{ \"hostname\" }", "/etc/kea/hosts.json:1:14: ':' should be here"),
        (CONF.replace("hosts.json", "nosuch"), HOSTS, "cannot include /etc/kea/nosuch"),
        (CONF.to_owned(), "<?include \"/etc/kea/hosts.json\"?>", "too many files include each other"),
        (CONF.replace("Dhcp4", "Dhcp6"), HOSTS, "a configuration of kea-dhcp4 begins with"),
        (format!("{CONF} {{ }}"), HOSTS, "nothing may follow it"),
        (String::new(), HOSTS, "a value should be here"),
    ] {
        let told = read_with(&conf, hosts).unwrap_err().to_string();
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn what_kea_serves_is_compared_host_for_host() {
    let table = table();
    let answer = |file: &str| {
        let reservation = |mac: &str, ip: &str, file: &str| {
            format!(
                "{{ \"hw-address\": \"{mac}\", \"ip-address\": \"{ip}\", \"boot-file-name\": \"{file}\" }}"
            )
        };
        let (john, jim) = (
            reservation("02:00:00:00:00:02", "192.168.7.2", file),
            reservation("02:00:00:00:00:04", "192.168.7.4", "nobackup"),
        );
        let (joe, jane) = (
            reservation("02:00:00:00:00:03", "10.0.0.3", "nobackup"),
            reservation("02:00:00:00:00:05", "192.168.7.5", "nobackup"),
        );
        format!(
            "{{ \"result\": 0, \"arguments\": {{ \"Dhcp4\": {{ \"subnet4\": [ {{ \"reservations\": [ {john}, {jim} ] }} ], \"reservations\": [ {jane} ], \
             \"shared-networks\": [ {{ \"subnet4\": [ {{ \"reservations\": [ {joe} ] }} ] }} ] }} }} }}"
        )
    };
    let served = |text: &str| control::granted(text.as_bytes()).unwrap();
    assert_eq!(control::difference(&table, &served(&answer("nobackup"))), None);
    let difference = control::difference(&table, &served(&answer("pxelinux.0"))).unwrap();
    assert_eq!(difference, "in the file 02:00:00:00:00:02 is offered 'nobackup'");
    let refused = control::granted(b"{ \"result\": 1, \"text\": \"/x:1:2: syntax error\" }").unwrap_err();
    assert_eq!(refused.to_string(), "it refuses: /x:1:2: syntax error");
    assert!(control::granted(b"no").is_err() && control::granted(b"[]").is_err());
}

proptest! {
    #[test]
    fn tokens_put_together_are_the_input(input: Vec<u8>) {
        let tokens: Vec<u8> = Lexer::new(&input).flat_map(|token| token.bytes.to_vec()).collect();
        prop_assert_eq!(tokens, input);
    }
}
