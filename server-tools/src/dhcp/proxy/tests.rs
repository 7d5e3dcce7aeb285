use std::path::Path;

use super::*;
use crate::dhcp::adding::{Additions, NewHost, NewNetwork};
use crate::dhcp::{Back, Change, Configuration, Fault, Network, Swap, SwapError, Wanted};
use crate::ghostrc::Ghostrc;
use ghost_contract::HostName;

const FILE: &str = "/etc/ghost4linux/proxy.conf";
const CONFIGURATION: &str = "# kept as it is\r
port=0
dhcp-range=192.168.7.0,proxy,255.255.255.0
dhcp-ignore=tag:!pxelinux.0,tag:!shimx64.efi
pxe-service=tag:pxelinux.0,x86PC,\"Ghost4Linux\",pxelinux.0,192.168.7.1
pxe-service=tag:shimx64.efi,BC_EFI,\"Ghost4Linux\",shimx64.efi,192.168.7.1
pxe-service=tag:shimx64.efi,X86-64_EFI,\"Ghost4Linux\",shimx64.efi,192.168.7.1
dhcp-host=02:00:00:00:00:02, set:nobackup ,192.168.7.2,john # his
dhcp-host=02:00:00:00:00:03,set:nobackup,192.168.7.3,mary
";

fn settings(more: &str) -> Ghostrc {
    let text = "PXEADDR=192.168.7.1\nPXEBASE=/b\nGHSTBASE=/s\nGHSTNFS=192.168.7.1:/s\nDHCPSERVER=proxy\nFIRMWARE_mary=uefi\n";
    Ghostrc::parse(Path::new("/etc/ghostrc"), (text.to_owned() + more).as_bytes()).unwrap()
}

fn around() -> Around {
    Around { networks: Vec::new(), settings: Some(settings("")) }
}

fn table(text: &str) -> ClientTable {
    ClientTable::read(Path::new(FILE), text.into(), &around())
}

fn name(name: &str) -> HostName {
    name.parse().unwrap()
}

fn wanted(host: &str, boot_file: &str) -> Wanted {
    Wanted { host: name(host), boot_file: boot_file.to_owned() }
}

fn both() -> [Wanted; 2] {
    [wanted("john", "pxelinux.0"), wanted("mary", "shimx64.efi")]
}

/// The file with both swapped, and what undoes that.
fn swapped(text: &str) -> (String, Vec<(HostName, Swap)>) {
    let mut edit = swap(&table(text), &both());
    let swaps = both().into_iter().zip(edit.swaps).map(|(wanted, swap)| (wanted.host, swap.unwrap()));
    let contents = edit.changes.remove(0).contents;
    (String::from_utf8(contents).unwrap(), swaps.collect())
}

#[test]
fn a_swap_changes_one_word_of_a_line_and_its_revert_puts_every_byte_back() {
    let (contents, swaps) = swapped(CONFIGURATION);
    let expected = CONFIGURATION
        .replace("set:nobackup ,", "set:pxelinux.0 ,")
        .replace("set:nobackup,", "set:shimx64.efi,");
    assert_eq!(contents, expected);
    let reverts = revert(Path::new(FILE), contents.as_bytes(), &swaps);
    assert_eq!(reverts.contents.as_deref(), Some(CONFIGURATION.as_bytes()));
    assert_eq!(reverts.each, [Back::Put, Back::Put]);
    let put_back = table(&contents).put_back(&swaps);
    assert_eq!(put_back.changes[0].contents, CONFIGURATION.as_bytes());
    let again = revert(Path::new(FILE), CONFIGURATION.as_bytes(), &swaps);
    assert_eq!((again.contents, again.each), (None, vec![Back::Already, Back::Already]));
}

#[test]
fn who_is_offered_what_follows_the_tag() {
    let offered = |text: &str, host: &str| table(text).host(&name(host)).unwrap().offered;
    let (contents, _) = swapped(CONFIGURATION);
    assert_eq!(offered(CONFIGURATION, "john"), b"", "the proxy does not answer it");
    assert_eq!(offered(&contents, "john"), b"pxelinux.0");
    assert_eq!(offered(&contents, "mary"), b"shimx64.efi");
    let booting = |text: &str| {
        let table = table(text);
        let all = table.booting(&|_, _| true).map(|one| (one.name, one.boot_file));
        all.collect::<Vec<_>>()
    };
    assert_eq!(booting(CONFIGURATION), []);
    assert_eq!(booting(&contents)[0], ("john".to_owned(), "pxelinux.0".to_owned()));
    let twice = swap(&table(&contents), &both());
    assert!(matches!(twice.swaps[0], Err(SwapError::AlreadyBootFile { .. })) && twice.changes.is_empty());
}

#[test]
fn what_others_have_changed_meanwhile_is_kept() {
    let (contents, swaps) = swapped(CONFIGURATION);
    let of = |text: &str| revert(Path::new(FILE), text.as_bytes(), &swaps);
    let more = contents.replace("# his\n", "# his own\ndhcp-host=02:00:00:00:00:09,set:x,a\nhalf=\"\n");
    let expected =
        CONFIGURATION.replace("# his\n", "# his own\ndhcp-host=02:00:00:00:00:09,set:x,a\nhalf=\"\n");
    assert_eq!(of(&more).contents.unwrap(), expected.as_bytes());
    let another = of(&contents.replace("set:pxelinux.0 ", "set:other.0 "));
    assert!(matches!(&another.each[0], Back::Gone(fault) if fault.what.contains("'other.0'")), "{another:?}");
    let gone = of(&contents.replace("john", "jim"));
    assert!(matches!(&gone.each[0], Back::Gone(_)));
    let renamed = table(&contents.replace("john", "jim")).put_back(&swaps);
    assert_eq!(renamed.each[0], Some(Back::Put), "by its hardware address");
    let two_tags = of(&contents.replace("set:pxelinux.0 ", "set:pxelinux.0,set:b "));
    assert!(matches!(&two_tags.each[0], Back::Unclear(_)));
}

/// What is wrong with john in this configuration.
fn fault(text: &str) -> String {
    let Err(Fault { what, .. }) = table(text).host(&name("john")) else { panic!("it is usable: {text}") };
    what
}

#[test]
fn a_configuration_that_others_would_notice_is_refused_with_what_to_write() {
    let without = |line: &str| {
        assert!(CONFIGURATION.contains(line), "{line}");
        CONFIGURATION.replace(line, "")
    };
    for (text, words) in [
        (without(",proxy"), "would give addresses"),
        (without("port=0\n"), "would answer DNS too; write port=0"),
        (
            without("dhcp-ignore=tag:!pxelinux.0,tag:!shimx64.efi\n"),
            "would answer machines that are no clients; write dhcp-ignore=tag:!pxelinux.0,tag:!shimx64.efi",
        ),
        (CONFIGURATION.to_owned() + "conf-dir=/etc/dnsmasq.d\n", "is one file"),
        (CONFIGURATION.to_owned() + "dhcp-range=10.0.0.1,10.0.0.9\n", "would give addresses"),
    ] {
        let what = fault(&text);
        assert!(what.contains(words), "{words}: {what}");
        assert!(swap(&table(&text), &both()).changes.is_empty());
    }
}

#[test]
fn a_client_that_a_swap_would_not_reach_is_told_with_what_to_write() {
    let john = "set:nobackup ,";
    for (from, to, words) in [
        (john, "", "has no tag"),
        (john, "set:nobackup,set:b,", "a second tag"),
        (john, "\"set:nobackup\",", "in quotes"),
        (",192.168.7.2", "", "has no address"),
        (
            "tag:!pxelinux.0,",
            "tag:!other,",
            "pxe-service=tag:pxelinux.0,x86PC,\"Ghost4Linux\",pxelinux.0,192.168.7.1 and dhcp-ignore=tag:!pxelinux.0,tag:!shimx64.efi",
        ),
        ("x86PC", "IA64_EFI", "cannot be offered 'pxelinux.0' by the proxy"),
        (john, "set:shimx64.efi,", "is answered by the proxy though it is not swapped"),
    ] {
        assert!(CONFIGURATION.contains(from), "{from}");
        let what = fault(&CONFIGURATION.replacen(from, to, 1));
        assert!(what.contains(words), "{words}: {what}");
    }
    let listed = table(&CONFIGURATION.replacen(john, "", 1)).list();
    assert!(listed[0].problem.as_ref().unwrap().starts_with("has no tag"), "{listed:?}");
    assert!(listed[1].problem.is_none() && listed[1].offered.is_none());
}

#[test]
fn how_far_a_swap_reaches() {
    let reach = |text: &str, ip: [u8; 4]| table(text).reaches(&[(name("john"), ip.into())]).remove(0);
    let good = reach(CONFIGURATION, [192, 168, 7, 2]);
    assert_eq!(good.network.unwrap().to_string(), "192.168.7.0/24");
    assert_eq!(good.next_server.unwrap().value, "192.168.7.1");
    assert!(reach(CONFIGURATION, [10, 0, 0, 2]).network.is_none());
    let elsewhere = CONFIGURATION.replace("pxelinux.0,192.168.7.1", "pxelinux.0,192.168.7.9");
    assert_eq!(reach(&elsewhere, [192, 168, 7, 2]).next_server.unwrap().value, "192.168.7.9");
    let own = CONFIGURATION.replace("pxelinux.0,192.168.7.1", "pxelinux.0");
    assert_eq!(reach(&own, [192, 168, 7, 2]).next_server.unwrap().value, "192.168.7.1");
}

fn added(there: Option<&str>, network: bool, hosts: &[(&str, u8)]) -> anyhow::Result<(String, usize)> {
    let network = network.then(|| NewNetwork {
        network: Network { address: [192, 168, 7, 0].into(), netmask: [255, 255, 255, 0].into() },
        router: None,
        interface: Some("eth0".to_owned()),
    });
    let host = |(host, number): &(&str, u8)| NewHost {
        name: name(host),
        mac: format!("02:00:00:00:00:{number:02x}").parse().unwrap(),
        ip: [192, 168, 7, *number].into(),
        no_boot_file: "nobackup".to_owned(),
    };
    let hosts = hosts.iter().map(host).collect();
    let asked = Additions {
        boot_server: [192, 168, 7, 1].into(),
        network,
        hosts,
        no_boot_file: "nobackup".to_owned(),
    };
    let (draft, table) = adding::added(Path::new(FILE), there.map(str::as_bytes), &asked, &around())?;
    let contents = match draft.changes.as_slice() {
        [Change { contents, .. }] => contents.clone(),
        _ => there.unwrap_or_default().into(),
    };
    let usable = table.list().into_iter().filter(|one| one.problem.is_none()).count();
    Ok((String::from_utf8(contents).unwrap(), usable))
}

#[test]
fn a_whole_configuration_is_written_in_which_clients_can_be_swapped() {
    let (text, usable) = added(None, true, &[("john", 2), ("mary", 3)]).unwrap();
    assert_eq!(usable, 2, "{text}");
    assert!(super::table::is_a_proxys(text.as_bytes()));
    assert_eq!(swapped(&text).0.matches("set:shimx64.efi,192.168.7.3,mary\n").count(), 1);
    let (again, _) = added(Some(&text), true, &[("john", 2)]).unwrap();
    assert_eq!(again, text, "all of that is there");
    let (more, usable) = added(Some(text.trim_end()), false, &[("eve", 4)]).unwrap();
    assert_eq!((more, usable), (text + "\ndhcp-host=02:00:00:00:00:04,set:nobackup,192.168.7.4,eve\n", 3));
}

#[test]
fn a_second_network_is_listened_in_where_others_are_named() {
    let of = |interfaces: &str| CONFIGURATION.replace("192.168.7.0,proxy", "10.1.0.0,proxy") + interfaces;
    let range = "dhcp-range=192.168.7.0,proxy,255.255.255.0\r\n";
    for (before, added_lines) in [
        ("", range.to_owned()),
        ("interface=eth1,eth0\n", range.to_owned()),
        ("interface=eth1\n", format!("interface=eth0\r\n{range}")),
    ] {
        let (text, _) = added(Some(&of(before)), true, &[]).unwrap();
        assert_eq!(text, format!("{}\r\n{added_lines}", of(before)), "{before}");
    }
}

#[test]
fn what_contradicts_the_configuration_is_not_added() {
    assert!(added(None, false, &[("john", 2)]).unwrap_err().to_string().contains("--subnet"));
    for host in [("john", 4), ("eve", 2), ("JOHN", 4)] {
        let error = added(Some(CONFIGURATION), false, &[host]).unwrap_err().to_string();
        assert!(error.starts_with("/etc/ghost4linux/proxy.conf:8:11: "), "{error}");
    }
    let within =
        CONFIGURATION.replace("192.168.7.0,proxy,255.255.255.0", "192.168.7.64,proxy,255.255.255.192");
    let error = added(Some(&within), true, &[]).unwrap_err().to_string();
    assert!(error.contains("has the network 192.168.7.64/26 there already"), "{error}");
}

#[test]
fn a_proxys_configuration_is_told_from_another_of_dnsmasq() {
    assert!((TRAITS.is_its)(CONFIGURATION.as_bytes()));
    assert!(!(TRAITS.is_its)(CONFIGURATION.replace(",proxy", "").as_bytes()));
    assert!(!(TRAITS.is_its)(b"subnet 192.168.7.0 netmask 255.255.255.0 { }"));
}
