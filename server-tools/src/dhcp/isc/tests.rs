use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::*;
use ghost_contract::{HostName, MacAddress};

const SAMPLE: &str = include_str!("sample.conf");

fn table(text: &str) -> HostTable {
    HostTable::read(Path::new("d.conf"), text.as_bytes().to_vec(), &mut |_| {
        Err(io::ErrorKind::NotFound.into())
    })
    .unwrap()
}

fn with_files(text: &str, files: &[(&str, &str)]) -> Result<HostTable, ReadError> {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    HostTable::read(Path::new("d.conf"), text.as_bytes().to_vec(), &mut |path| {
        let content = path.to_str().and_then(|path| files.get(path));
        content.map(|content| content.as_bytes().to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    })
}

fn name(text: &str) -> HostName {
    text.parse().unwrap()
}

fn mac(text: &str) -> MacAddress {
    text.parse().unwrap()
}

/// john with this in his block besides an address and a hardware address.
fn john(rest: &str) -> String {
    format!("host john {{ hardware ethernet 0:1:2:3:4:5; fixed-address 1.2.3.4; {rest} }}")
}

fn problem(text: &str) -> String {
    table(text).usable(&name("john")).unwrap_err().to_string()
}

#[test]
fn the_howtos_hosts_are_found() {
    let table = table(SAMPLE);
    let names: Vec<&str> = table.hosts().iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["john", "joe", "linuxbox", "fakebox"]);
    let john = table.usable(&name("john")).unwrap();
    assert_eq!(john.mac, mac("00:0a:eb:12:34:5f"));
    assert_eq!(john.ip.to_string(), "192.168.7.2");
    assert_eq!(john.filename, b"nobackup");
    assert_eq!(&SAMPLE[john.value], "\"nobackup\"");
    assert_eq!(john.shares_ip_with, Vec::<String>::new());
    let linuxbox = table.usable(&name("linuxbox")).unwrap();
    assert_eq!(linuxbox.shares_ip_with, ["fakebox"]);
    assert_eq!(table.usable(&name("fakebox")).unwrap().filename, b"pxelinux.0");
}

#[test]
fn what_can_be_understood_of_one_file_is_read_though_it_is_neither_whole_nor_right() {
    let text = "include \"/not/here\"; } host john{hardware ethernet 0:A:eb:12:34:5f;filename\"x\";}\nhost joe { hardware";
    let table = HostTable::of_one_file(Path::new("d"), text.as_bytes().to_vec());
    assert_eq!(table.clients().collect::<Vec<_>>(), [(name("john"), mac("00:0a:eb:12:34:5f"))]);
    assert_eq!(table.by_mac(mac("00:0A:EB:12:34:5F")).count(), 1);
}

#[test]
fn hosts_are_found_however_they_are_written() {
    for text in [
        "host john { hardware ethernet 0:1:2:3:4:5; fixed-address 1.2.3.4; filename \"x\"; }",
        "HOST john{Hardware\r\nEthernet 0:1 : 2:3:04:5;FIXED-ADDRESS 1 . 2.3.4;FileName\"x\";}",
        "host a { } host john # {\n { # }\nhardware ethernet 0:1:2:3:4:5 # ;\n; fixed-address 1.2.3.4; filename \"x\" ; } host b { }",
        "group { shared-network \"n{\" { subnet 1.0.0.0 netmask 255.0.0.0 { pool { range 1.0.0.1; host john { hardware ethernet 0:1:2:3:4:5; fixed-address 1.2.3.4; filename \"x\"; } } } } }",
        "option f code 200 = { integer 8, text }; key k { secret a/b==; }; host john { option host-name \"}\"; hardware ethernet 0:1:2:3:4:5; fixed-address 1.2.3.4; filename \"x\"; }",
        "switch (option a) { case \"x\": { } default: filename \"y\"; break; } host john { hardware ethernet 0:1:2:3:4:5; fixed-address 1.2.3.4; filename \"x\"; }",
    ] {
        let host = table(text).usable(&name("john")).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        assert_eq!((host.mac, host.filename.as_slice()), (mac("0:1:2:3:4:5"), &b"x"[..]), "{text}");
    }
}

#[test]
fn syntax_errors_show_place_line_and_caret() {
    let error = with_files("# x\nhost john {\n  filename \"x\"\n}\n", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "d.conf:3:15: a ';' is missing here\n      filename \"x\"\n                  ^"
    );
    for (text, complaint) in [
        ("host a {", "d.conf:1:8: the '{' that stands here is not closed"),
        ("host a { } }", "d.conf:1:12: this '}' closes nothing"),
        ("host a { filename \"x; }", "d.conf:1:19: the string that begins here is not closed"),
        ("host a { } \u{0}", "d.conf:1:12: a statement begins with a word"),
        ("host a { };", "d.conf:1:11: dhcpd does not accept a ';'"),
        ("host { }", "d.conf:1:1: after 'host' comes one name"),
        ("host a b { }", "d.conf:1:1: after 'host' comes one name"),
        ("host \"a\" { }", "d.conf:1:1: after 'host' comes one name"),
        ("host a;", "d.conf:1:7: a block in braces is missing"),
        ("{ }", "d.conf:1:1: a statement is missing"),
        ("filename \"x\" { }", "d.conf:1:14: a ';' is missing before"),
        ("include a;", "d.conf:1:1: after 'include' comes"),
    ] {
        let error = with_files(text, &[]).unwrap_err().to_string();
        assert!(error.starts_with(complaint), "{text}: {error}");
    }
}

#[test]
fn included_files_belong_to_the_configuration() {
    let text = "group { filename \"g\"; include \"hosts.conf\"; }";
    let hosts = ("hosts.conf", "include \"/etc/john\";\nhost joe { }");
    let table = with_files(text, &[hosts, ("/etc/john", &john("filename \"x\";"))]).unwrap();
    let found = table.usable(&name("john")).unwrap();
    assert_eq!(found.file, Path::new("/etc/john"));
    let joe = table.by_name("joe").next().unwrap();
    assert_eq!(table.place_of(joe).to_string(), "hosts.conf:2:1");
    assert_eq!(table.files().count(), 3);
}

#[test]
fn what_cannot_be_included_is_an_error_where_it_is_included() {
    let missing = with_files("\n include \"a\";", &[]).unwrap_err().to_string();
    assert!(missing.starts_with("d.conf:2:2: cannot include a\n"), "{missing}");
    let wrong = with_files("include \"a\";", &[("a", "host x {")]).unwrap_err().to_string();
    assert!(wrong.starts_with("a:1:8: the '{'"), "{wrong}");
    let cycle = with_files("include \"a\";", &[("a", "include \"b\";"), ("b", " include \"a\";")]);
    assert!(cycle.unwrap_err().to_string().starts_with("b:1:2: a includes itself"));
    let ever_more = (0..40).map(|n| (format!("{n}"), format!("include \"{0}\"; include \"{0}\";", n + 1)));
    let ever_more: Vec<(String, String)> = ever_more.collect();
    let ever_more: Vec<(&str, &str)> = ever_more.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert!(matches!(with_files("include \"0\";", &ever_more), Err(ReadError::TooMany { .. })));
}

#[test]
fn what_a_host_lacks_is_said_with_what_to_write() {
    for (text, complaint) in [
        ("".to_owned(), "host john is not in the DHCP configuration"),
        (
            "host John { }".to_owned(),
            "host john is not in the DHCP configuration; dhcpd tells letter case apart, is John meant?",
        ),
        (
            "host john { }\nhost john { }".to_owned(),
            "d.conf:2:1: host john is declared a second time, the first time at d.conf:1:1",
        ),
        ("host john { }".to_owned(), "d.conf:1:1: host john has no hardware address"),
        (
            "host john { hardware ethernet 0:0:0:0:0:0; fixed-address 1.2.3.4; filename \"a\"; }".to_owned(),
            "d.conf:1:13: host john has the hardware address 00:00:00:00:00:00, which no network card has",
        ),
        (
            "host john { hardware ethernet ff:ff:ff:ff:ff:FF; fixed-address 1.2.3.4; filename \"a\"; }"
                .to_owned(),
            "d.conf:1:13: host john has the hardware address ff:ff:ff:ff:ff:ff, which no network card has",
        ),
        (
            "host john { hardware token-ring 0:1:2:3:4:5; }".to_owned(),
            "d.conf:1:13: host john has no Ethernet address here",
        ),
        (
            "host john { hardware ethernet 0:1:2:3:4; }".to_owned(),
            "d.conf:1:13: host john has no Ethernet address here",
        ),
        (
            "host john { hardware ethernet 0:1:2:3:4:5; hardware ethernet 0:1:2:3:4:6; }".to_owned(),
            "d.conf:1:44: host john has a second hardware",
        ),
        (
            format!("host joe {{ hardware ethernet 00:01:02:03:04:05; }}\n{}", john("")),
            "d.conf:2:1: host john has the hardware address of joe at d.conf:1:1",
        ),
        (
            "host john { hardware ethernet 0:1:2:3:4:5; }".to_owned(),
            "d.conf:1:1: host john has no fixed address",
        ),
        (
            "host john { hardware ethernet 0:1:2:3:4:5; fixed-address john.lan; }".to_owned(),
            "d.conf:1:44: host john needs one IPv4 address in plain numbers",
        ),
        (
            "host john { hardware ethernet 0:1:2:3:4:5; fixed-address 1.2.3.4, 1.2.3.5; }".to_owned(),
            "d.conf:1:44: host john needs one IPv4",
        ),
        (
            "host john { hardware ethernet 0:1:2:3:4:5; fixed-address 01.2.3.4; }".to_owned(),
            "d.conf:1:44: host john needs one IPv4",
        ),
        (
            "host john { hardware ethernet 0:1:2:3:4:5; fixed-address 1.2.3.4; fixed-address 1.2.3.4; }"
                .to_owned(),
            "d.conf:1:67: host john has a second fixed",
        ),
        (john(""), "d.conf:1:1: host john has no filename; write into its entry: filename \"nobackup\";"),
        (
            format!("filename \"x\";\n{}", john("")),
            "d.conf:1:1: host john has no filename of its own, it inherits this one, which cannot be changed for one host; write into its entry at d.conf:2:1",
        ),
        (
            format!("group {{\n{}\n filename \"x\"; }}", john("")),
            "d.conf:3:2: host john has no filename of its own",
        ),
        (format!("group {{ filename \"x\"; }}\n{}", john("")), "d.conf:2:1: host john has no filename;"),
        (
            john("if known { filename \"x\"; }"),
            "d.conf:1:78: host john is offered this file under a condition only",
        ),
        (
            john("switch (x) { case 1: filename \"x\"; }"),
            "d.conf:1:80: host john is offered this file under a condition only",
        ),
        (john("filename \"x\"; filename \"y\";"), "d.conf:1:81: host john has a second filename"),
        (
            john("filename \"x\"; if known { filename \"y\"; }"),
            "d.conf:1:92: host john has a second filename",
        ),
        (
            john("filename \"x\"; option server.filename \"y\";"),
            "d.conf:1:81: host john has a second filename",
        ),
        (
            john("supersede server.filename \"y\";"),
            "d.conf:1:67: host john has a file name here that is not one string",
        ),
        (
            john("filename = concat(\"a\", \"b\");"),
            "d.conf:1:67: host john has a file name here that is not one string",
        ),
        (john("filename x;"), "d.conf:1:67: host john has a file name here that is not one string"),
    ] {
        let said = problem(&text);
        assert!(said.starts_with(complaint), "{text}: {said}");
        assert!(said.contains('^') || said.starts_with("host john is not in"), "{said}");
    }
}

#[test]
fn a_filename_that_comes_with_an_include_is_not_the_hosts_own() {
    let inside = with_files(&john("include \"f\";"), &[("f", "filename \"x\";")]).unwrap();
    assert_eq!(inside.usable(&name("john")).unwrap_err().flaw, Flaw::Include);
    let around = with_files("group {\n filename \"x\";\n include \"f\"; }", &[("f", &john(""))]).unwrap();
    let problem = around.usable(&name("john")).unwrap_err();
    assert!(problem.to_string().starts_with("d.conf:2:2: host john has no filename of its own"), "{problem}");
    assert!(problem.to_string().contains("at f:1:1"), "{problem}");
}

#[test]
fn lists_show_what_a_host_is_offered() {
    let table = table(SAMPLE);
    let offered: Vec<_> = table.hosts().iter().map(|host| table.offered_file(host).unwrap()).collect();
    assert_eq!(offered, [&b"nobackup"[..], b"nobackup", b"nobackup", b"pxelinux.0"]);
}

#[test]
fn no_bytes_make_it_panic() {
    proptest::proptest!(|(text in r#"(host|a|\{|\}|;|"|\\|#|\n| |include|filename|option|case|:|if|0:1:2:3:4:5|hardware ethernet|key){0,40}"#)| {
        let table = HostTable::of_one_file(Path::new("f"), text.into_bytes());
        let _any = table.usable(&name("a"));
    });
}
