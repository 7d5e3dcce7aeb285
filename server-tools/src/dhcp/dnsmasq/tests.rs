//! What a configuration's hosts are taken for, and what an edit of one changes.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ghost_contract::HostName;
use proptest::prelude::*;

use super::table::Around;
use super::*;
use crate::dhcp::{Back, Configuration as _, Fault, Network, Swap, SwapError, Wanted};
use crate::sys::process::{self, Process};

const FILE: &str = "/etc/dnsmasq.conf";
const HOSTS: &str = "/etc/dnsmasq.hosts";
const JOHN: &str = "/etc/ghost/john";
const OTHERS: &str = "/etc/ghost/others";

/// john has a file of his own among the options, joe and jim share one, jane has none.
const CONF: &str = "# kept
dhcp-range=set:lan,192.168.7.0,static
conf-dir=/etc/more/,*.conf
dhcp-hostsfile=/etc/dnsmasq.hosts
dhcp-optsdir=/etc/ghost
dhcp-boot=tag:lab,lab.0,,10.0.0.9
dhcp-option=tag:joe,option:server-ip-address,192.168.7.1
";
const MORE: &str =
    "dhcp-host=2:0:0:0:0:2,set:john,192.168.7.2,john\ndhcp-host=02:00:00:00:00:05,192.168.7.5,jane\n";
const OF_HOSTS: &str = "# hosts\r\n01-02:00:00:00:00:03 , set:joe,192.168.7.3,joe,12h # joe's\r\nset:jim,02-00-00-00-00-04,192.168.7.4,\"jim\"";
const OF_JOHN: &str = "# john's\ntag:john,option:bootfile-name, \"nobackup\"  # own\n";
const OF_OTHERS: &str = "tag:joe,67,nobackup\r\ntag:jim , tag:!never , option:bootfile-name , nobackup";

fn read(files: &[(&str, &str)]) -> Result<HostTable, ReadError> {
    let mut all = BTreeMap::from([
        (HOSTS, OF_HOSTS),
        (JOHN, OF_JOHN),
        (OTHERS, OF_OTHERS),
        ("/etc/more/a.conf", MORE),
        (FILE, CONF),
    ]);
    all.extend(files.iter().copied());
    let mut file = |path: &Path| {
        let found = all.get(path.to_str().unwrap()).copied().filter(|text| !text.is_empty());
        found.map(|text| text.as_bytes().to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    };
    let bytes = file(Path::new(FILE)).unwrap();
    let names: Vec<PathBuf> = all.keys().map(PathBuf::from).collect();
    let mut folder = |path: &Path| {
        let inside: Vec<PathBuf> = names.iter().filter(|name| name.parent() == Some(path)).cloned().collect();
        if inside.is_empty() { Err(io::ErrorKind::NotADirectory.into()) } else { Ok(inside) }
    };
    let own = Network { address: [192, 168, 7, 0].into(), netmask: [255, 255, 255, 128].into() };
    let around = Around { besides: None, networks: vec![own], server: Some([192, 168, 7, 1].into()) };
    HostTable::read(Path::new(FILE), bytes, &around, &mut Content { file: &mut file, folder: &mut folder })
}

fn table() -> HostTable {
    read(&[]).unwrap()
}

fn name(name: &str) -> HostName {
    name.parse().unwrap()
}

fn wanted(host: &str, boot_file: &str) -> Wanted {
    Wanted { host: name(host), boot_file: boot_file.to_owned() }
}

fn swapped(table: &HostTable) -> (Vec<crate::dhcp::Change>, Vec<(HostName, Swap)>) {
    let all = [wanted("john", "pxelinux.0"), wanted("joe", "a b.efi"), wanted("jim", "pxelinux.0")];
    let edit = edit::swap(table, &all);
    let swaps = all.iter().zip(edit.swaps).map(|(wanted, swap)| (wanted.host.clone(), swap.unwrap()));
    (edit.changes, swaps.collect())
}

#[test]
fn hosts_are_found_wherever_dnsmasq_reads_them() {
    let table = table();
    let names: Vec<&str> = table.hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["john", "jane", "joe", "jim"]);
    for (host, number, place) in [
        ("john", 2, "/etc/ghost/john:2:32"),
        ("joe", 3, "/etc/ghost/others:1:12"),
        ("jim", 4, "/etc/ghost/others:2:47"),
    ] {
        let found = table.host(&name(host)).unwrap();
        assert_eq!(found.mac.to_string(), format!("02:00:00:00:00:0{number}"));
        assert_eq!(found.ip.octets()[3], number);
        assert_eq!((found.offered.as_slice(), found.place.to_string().as_str()), (&b"nobackup"[..], place));
        let reach = table.reaches(&[(name(host), found.ip)]).remove(0);
        assert_eq!(
            reach.next_server.unwrap().value,
            "192.168.7.1",
            "the server itself, unless it says another"
        );
        assert_eq!(reach.network.unwrap().netmask.octets()[3], 128, "that of the machine's own network");
        assert!(reach.boot_file_option.is_none() && reach.booting_denied.is_none());
    }
    assert_eq!(table.files().len(), 5);
}

#[test]
fn a_swap_changes_one_value_and_comes_back_byte_for_byte() {
    let table = table();
    let (changes, all) = swapped(&table);
    assert_eq!(changes.len(), 2);
    for change in &changes {
        let text = String::from_utf8(change.contents.clone()).unwrap();
        let (before, after) = match change.file == Path::new(JOHN) {
            true => (OF_JOHN, OF_JOHN.replace("\"nobackup\"", "pxelinux.0")),
            false => {
                let joe = OF_OTHERS.replace("67,nobackup", "67,\"a b.efi\"");
                (OF_OTHERS, joe.replace(" nobackup", " pxelinux.0"))
            }
        };
        assert_eq!(text, after);
        let of_file: Vec<_> = all.iter().filter(|(_, swap)| swap.file == change.file).cloned().collect();
        let back = edit::revert(&change.file, &change.contents, &of_file);
        assert_eq!(back.contents.as_deref(), Some(before.as_bytes()));
        assert!(back.each.iter().all(|back| *back == Back::Put), "{:?}", back.each);
        let again = edit::revert(&change.file, before.as_bytes(), &of_file);
        assert_eq!((again.contents, again.each), (None, vec![Back::Already; of_file.len()]));
    }
    let text = |at: usize| std::str::from_utf8(&changes[at].contents).unwrap();
    let now = read(&[(JOHN, text(0)), (OTHERS, text(1))]).unwrap();
    for (host, file) in [("john", "pxelinux.0"), ("joe", "a b.efi"), ("jim", "pxelinux.0")] {
        assert_eq!(now.host(&name(host)).unwrap().offered, file.as_bytes());
        let already = edit::swap(&now, &[wanted(host, file)]).swaps.remove(0).unwrap_err();
        assert!(matches!(already, SwapError::AlreadyBootFile { .. }), "{already}");
    }
    let booting: Vec<String> =
        now.booting(&|_, file| file == b"pxelinux.0").map(|booting| booting.name).collect();
    assert_eq!(booting, ["john", "jim"]);
    let put = now.put_back(&all);
    assert!(put.each.iter().all(|back| *back == Some(Back::Put)), "{:?}", put.each);
    let contents: Vec<&[u8]> = put.changes.iter().map(|change| change.contents.as_slice()).collect();
    assert_eq!(contents, [OF_JOHN.as_bytes(), OF_OTHERS.as_bytes()]);
}

#[test]
fn what_is_missing_or_odd_is_said_with_what_to_write() {
    let why = |files: &[(&str, &str)], host: &str| {
        Fault::to_string(&read(files).unwrap().usable(&name(host)).unwrap_err())
    };
    let hosts = |text: &str| why(&[(HOSTS, text)], "joe");
    let file_of_options = CONF.replace("dhcp-optsdir=/etc/ghost", "dhcp-optsfile=/etc/ghost/others");
    for (told, words) in [
        (why(&[], "Joe"), "host Joe is not in the DHCP configuration; is joe meant?"),
        (why(&[], "jane"), "tag:jane,option:bootfile-name,nobackup; and set:jane into this line"),
        (hosts("02:00:00:00:00:03,192.168.7.3,joe"), "is offered no boot file"),
        (hosts("02:00:00:00:00:03,set:joe,joe"), "has no address; write it behind"),
        (hosts("id:01:02,set:joe,192.168.7.3,joe"), "has no Ethernet address here"),
        (hosts("0:0:0:0:0:0,set:joe,192.168.7.3,joe"), "00:00:00:00:00:00, which no network card has"),
        (hosts("2:0:0:0:0:3,2:0:0:0:0:9,set:joe,192.168.7.3,joe"), "has a second hardware address"),
        (
            hosts("2:0:0:0:0:2,set:joe,192.168.7.3,joe"),
            "the hardware address of john at /etc/more/a.conf:1:11",
        ),
        (hosts("2:0:0:0:0:3,set:joe,192.168.7.3,joe\n2:0:0:0:0:4,192.168.7.3,joe"), "has a second line"),
        (hosts("2:0:0:0:0:3,set:joe,192.168.7.3,joe,ignore"), "its line says 'ignore'"),
        (
            hosts("2:0:0:0:0:3,set:joe,set:lab,192.168.7.3,joe"),
            "/etc/dnsmasq.conf:6:11: host joe is offered its boot",
        ),
        (why(&[(OTHERS, "tag:lan,67,a")], "joe"), "is offered no boot file"),
        (why(&[(OTHERS, "67,a")], "joe"), "/etc/ghost/others:1:4: host joe is offered its boot file by this"),
        (why(&[(JOHN, "tag:john,67,a\ntag:john,67,b")], "john"), "has a second boot file here"),
        (why(&[(FILE, &file_of_options)], "joe"), "may crash by that while host joe has a tag in a file"),
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let missing = read(&[(FILE, &CONF.replace("conf-dir", "conf-file"))]).unwrap_err().to_string();
    assert!(missing.starts_with("/etc/dnsmasq.conf:3:11: cannot read /etc/more/"), "{missing}");
    assert!(read(&[(HOSTS, "")]).is_ok(), "dnsmasq goes on without a file of hosts");
}

#[test]
fn a_revert_of_what_another_person_has_changed_meanwhile() {
    let (changes, all) = swapped(&table());
    let others = String::from_utf8(changes[1].contents.clone()).unwrap();
    let back = |now: &str| edit::revert(Path::new(OTHERS), now.as_bytes(), &all[2..]);
    let broken = format!("\"half\n{others}\ntag:half,");
    let reverts = back(&broken);
    assert_eq!(reverts.each, [Back::Put], "what is broken keeps nothing swapped");
    assert_eq!(reverts.contents.unwrap(), broken.replace("pxelinux.0", "nobackup").into_bytes());
    let Back::Gone(gone) = &back("# gone").each[0] else { panic!() };
    assert!(gone.what.contains("no line 'tag:jim,option:bootfile-name'"), "{gone}");
    let theirs = back(&others.replace("pxelinux.0", "theirs"));
    assert!(matches!(&theirs.each[0], Back::Gone(fault) if fault.what == "host jim is offered 'theirs' now"));
    assert_eq!(theirs.contents, None);

    let put = |files: &[(&str, &str)]| read(files).unwrap().put_back(&all[2..]).each.remove(0);
    let renamed = (
        OF_HOSTS.replace("\"jim\"", "jimmy").replace("set:jim", "set:jimmy"),
        others.replace("tag:jim ", "tag:jimmy"),
    );
    assert_eq!(
        put(&[(HOSTS, &renamed.0), (OTHERS, &renamed.1)]),
        Some(Back::Put),
        "found by its hardware address"
    );
    assert_eq!(put(&[(OTHERS, "# gone"), (JOHN, &others)]), Some(Back::Put), "in another file");
    let for_all = others.replace("tag:jim , tag:!never ,", "");
    let Some(Back::Unclear(fault)) = put(&[(OTHERS, &for_all)]) else { panic!() };
    assert!(fault.to_string().contains("/etc/ghost/others:2:"), "{fault}");
    assert!(fault.what.contains("host jim is offered 'pxelinux.0' by what stands here"), "{fault}");
}

#[test]
fn what_keeps_a_swap_from_reaching_its_host() {
    let reach = |more: &str| {
        let table = read(&[(FILE, &format!("{CONF}{more}\n"))]).unwrap();
        table.reaches(&[(name("joe"), [192, 168, 7, 3].into())]).remove(0)
    };
    assert_eq!(reach("dhcp-ignore=tag:joe").booting_denied.unwrap().value, "dhcp-ignore=tag:joe");
    assert!(reach("dhcp-ignore=tag:!known").booting_denied.is_none());
    assert!(reach("dhcp-boot=x.0").boot_file_option.is_some(), "the same is said twice then");
    assert_eq!(reach("dhcp-boot=tag:joe,a,,10.0.0.9").next_server.unwrap().value, "10.0.0.9");
    assert!(!reach("").has_no_router, "dnsmasq names itself");
    for none in ["dhcp-option=option:router", "dhcp-option=tag:lan,3", "dhcp-option=tag:joe,option:router"] {
        assert!(reach(none).has_no_router, "{none}");
        let one = format!("{none}\n{none},192.168.7.9,192.168.7.8");
        assert!(!reach(&one).has_no_router, "{one}");
    }
    assert!(!reach("dhcp-option=tag:other,option:router").has_no_router);
    assert_eq!(reach("dhcp-option=66,10.0.0.8").tftp_server_option.unwrap().value, "10.0.0.8");
}

proptest! {
    #[test]
    fn lines_and_items_are_stretches_of_the_input(input: Vec<u8>) {
        let mut end = 0;
        for line in lines::lines(&input) {
            prop_assert!(end <= line.start && line.end <= input.len());
            end = line.end;
            for item in lines::items(&input, line.clone()) {
                prop_assert!(line.start <= item.start && item.end <= line.end);
            }
        }
    }
}

#[test]
fn a_checker_is_no_server_of_the_configuration_that_it_looks_at() {
    let read = |line: &str| {
        let identity = process::identity(std::process::id()).unwrap();
        let arguments = line.split(' ').map(Into::into).collect();
        server::served_by(&Process { identity, arguments, folder: "/srv".into() })
    };
    assert_eq!(read("dnsmasq -k -C own.conf"), [PathBuf::from("/srv/own.conf")]);
    assert_eq!(read("/usr/sbin/dnsmasq -k"), [PathBuf::from(FILE)]);
    assert!(read("dnsmasq --test -C own.conf").is_empty());
}
