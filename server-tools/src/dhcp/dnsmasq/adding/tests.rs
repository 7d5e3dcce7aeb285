//! Given a configuration of dnsmasq, what do new hosts make of it?

use std::collections::BTreeMap;
use std::io;

use super::super::table::Around as Surroundings;
use super::super::{Content, edit};
use super::*;
use crate::dhcp::adding::{require_usable, taken_out};
use crate::dhcp::{Back, Wanted};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const MAIN: &str = "/etc/dnsmasq.conf";
const OWN: &str = "/etc/dnsmasq.d/ghost4linux";
const RANGE: &str = "dhcp-range=10.0.0.100,10.0.0.120,255.255.255.0\n";

type Files = BTreeMap<PathBuf, String>;

fn files(main: &str) -> Files {
    BTreeMap::from([(MAIN.into(), main.to_owned())])
}

fn table(files: &Files) -> HostTable {
    let mut file = |path: &Path| {
        files.get(path).map(|text| text.clone().into_bytes()).ok_or_else(|| io::ErrorKind::NotFound.into())
    };
    let mut folder = |path: &Path| {
        let inside: Vec<PathBuf> = files.keys().filter(|name| name.parent() == Some(path)).cloned().collect();
        if inside.is_empty() { Err(io::ErrorKind::NotADirectory.into()) } else { Ok(inside) }
    };
    let main = file(Path::new(MAIN)).unwrap();
    let around = Surroundings { besides: None, networks: Vec::new(), server: Some(SERVER) };
    let mut content = Content { file: &mut file, folder: &mut folder };
    HostTable::read(Path::new(MAIN), main, &around, &mut content).unwrap()
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

fn added(before: &Files, asked: &Additions) -> anyhow::Result<(Files, Draft)> {
    let (mut files, mut all) = (before.clone(), Draft::default());
    let own = |table: &HostTable, asked: &Additions| hosts(table, asked, Path::new(OWN));
    for edit in [&network as &dyn Fn(&HostTable, &Additions) -> anyhow::Result<Draft>, &own] {
        let draft = edit(&table(&files), asked)?;
        for change in &draft.changes {
            files.insert(change.file.clone(), String::from_utf8(change.contents.clone()).unwrap());
        }
        all = all.then(draft);
    }
    require_usable(&table(&files), &asked.hosts)?;
    Ok((files, all))
}

fn without(files: &Files, draft: &Draft) -> Files {
    let out = |(path, now): (&PathBuf, &String)| {
        let of_file: Vec<_> = draft.written.iter().filter(|written| written.file == *path).collect();
        let (contents, left) = taken_out(now.as_bytes(), &of_file);
        assert!(left.is_empty(), "{left:?}");
        (path.clone(), String::from_utf8(contents).unwrap())
    };
    files.iter().map(out).filter(|(_, text)| !text.is_empty()).collect()
}

#[test]
fn a_new_host_has_a_line_that_is_read_at_the_start_and_one_that_is_read_again() {
    let before = files(RANGE);
    let (after, draft) = added(&before, &asked(&[host("pc9", 9)])).unwrap();
    assert_eq!(
        after[Path::new(MAIN)],
        format!(
            "{RANGE}\n# What is in the files of this folder dnsmasq reads again without a restart.\ndhcp-optsdir={OWN}\ndhcp-host=02:00:00:00:00:09,set:pc9,10.0.0.9,pc9\n"
        )
    );
    let boot_files = PathBuf::from(format!("{OWN}/ghost4linux"));
    assert_eq!(after[&boot_files], "tag:pc9,option:bootfile-name,nobackup\n");
    assert_eq!(without(&after, &draft), before);

    let (more, draft) = added(&after, &asked(&[host("pc8", 8)])).unwrap();
    assert!(
        more[Path::new(MAIN)].ends_with("\n\ndhcp-host=02:00:00:00:00:08,set:pc8,10.0.0.8,pc8\n"),
        "{more:?}"
    );
    assert_eq!(without(&more, &draft), after);
    assert_eq!(added(&more, &asked(&[host("pc8", 8), host("pc9", 9)])).unwrap().0, more);
}

#[test]
fn only_the_second_of_the_lines_changes_when_it_is_swapped() {
    let (after, _) = added(&files(RANGE), &asked(&[host("pc8", 8), host("pc9", 9)])).unwrap();
    let wanted = Wanted { host: "pc9".parse().unwrap(), boot_file: "pxelinux.0".to_owned() };
    let edit = edit::swap(&table(&after), &[wanted]);
    let swap = edit.swaps[0].clone().unwrap();
    assert_eq!(edit.changes.len(), 1);
    let now = &edit.changes[0].contents;
    assert_eq!(
        String::from_utf8_lossy(now),
        "tag:pc8,option:bootfile-name,nobackup\ntag:pc9,option:bootfile-name,pxelinux.0\n"
    );
    let back = edit::revert(&edit.changes[0].file, now, &[("pc9".parse().unwrap(), swap)]);
    assert_eq!(
        (back.each.as_slice(), back.contents.unwrap()),
        (&[Back::Put][..], edit.changes[0].read.clone())
    );
}

#[test]
fn boot_files_go_where_others_are() {
    let main = format!("{RANGE}dhcp-optsdir=/etc/ghost\n");
    let mut before = files(&main);
    let (after, _) = added(&before, &asked(&[host("a", 1)])).unwrap();
    assert!(after.contains_key(Path::new("/etc/ghost/ghost4linux")), "an empty folder: {after:?}");
    before.insert("/etc/ghost/others".into(), "# mine".to_owned());
    let (after, draft) = added(&before, &asked(&[host("a", 1)])).unwrap();
    assert_eq!(after[Path::new("/etc/ghost/others")], "# mine\n\ntag:a,option:bootfile-name,nobackup\n");
    assert!(!after[Path::new(MAIN)].contains(OWN));
    assert_eq!(without(&after, &draft), before);
}

#[test]
fn a_network_is_declared_once_and_never_over_another() {
    let wanted = |address: [u8; 4], netmask: [u8; 4], router: Option<Ipv4Addr>| Additions {
        network: Some(NewNetwork {
            network: Network { address: address.into(), netmask: netmask.into() },
            router,
            interface: None,
        }),
        ..asked(&[host("a", 1)])
    };
    let own = wanted([10, 0, 0, 0], [255, 255, 255, 0], Some([10, 0, 0, 254].into()));
    let (after, draft) = added(&files("# mine\n"), &own).unwrap();
    let text = &after[Path::new(MAIN)];
    assert!(text.contains("\ndhcp-range=set:ghost4linux-10.0.0.0,10.0.0.0,static,255.255.255.0\n"), "{text}");
    assert!(text.contains("\ndhcp-option=tag:ghost4linux-10.0.0.0,option:router,10.0.0.254\n"), "{text}");
    assert_eq!(without(&after, &draft), files("# mine\n"));
    assert_eq!(added(&after, &own).unwrap().0, after);
    assert!(added(&files(RANGE), &own).unwrap().0[Path::new(MAIN)].starts_with(RANGE));
    let none = wanted([10, 0, 0, 0], [255, 255, 255, 0], None);
    let (after, _) = added(&files(""), &none).unwrap();
    assert!(after[Path::new(MAIN)].contains("option:router\n"), "else dnsmasq names itself: {after:?}");
    for (address, netmask) in [([10, 0, 0, 0], [255, 255, 0, 0]), ([10, 0, 0, 128], [255, 255, 255, 128])] {
        let error = added(&files(RANGE), &wanted(address, netmask, None)).unwrap_err().to_string();
        assert!(error.contains("has the network 10.0.0.0/24 there already"), "{error}");
    }
    let within = files("dhcp-range=10.0.5.10,10.0.5.99,255.255.255.0\n");
    let error = added(&within, &wanted([10, 0, 0, 0], [255, 255, 0, 0], None)).unwrap_err().to_string();
    assert!(error.contains("has the network 10.0.5.0/24 there already"), "{error}");
}

#[test]
fn what_cannot_be_is_refused() {
    let there = "dhcp-host=2:0:0:0:0:1,set:a,10.0.0.1,a\n";
    let main = format!("{RANGE}{there}dhcp-optsdir={OWN}\n");
    let mut before = files(&main);
    before.insert(format!("{OWN}/x").into(), "tag:a,option:bootfile-name,nobackup\n".to_owned());
    let refused = |before: &Files, new: &NewHost| {
        added(before, &asked(std::slice::from_ref(new))).unwrap_err().to_string()
    };
    for (new, words) in [
        (host("a", 9), "/etc/dnsmasq.conf:2:11: there is a host a with other addresses"),
        (NewHost { mac: host("a", 1).mac, ..host("c", 10) }, "since host a has the hardware address 02:"),
        (NewHost { ip: [10, 0, 0, 1].into(), ..host("c", 10) }, "since host a has the address 10.0.0.1"),
        (NewHost { ip: [10, 0, 1, 7].into(), ..host("c", 10) }, "no subnet of the DHCP configuration has"),
        (NewHost { ip: [10, 0, 0, 255].into(), ..host("c", 10) }, "10.0.0.255 is no host's address"),
    ] {
        let error = refused(&before, &new);
        assert!(error.contains(words), "{words}: {error}");
    }
    let for_all = files(&format!("{RANGE}dhcp-boot=menu.0\n"));
    let error = refused(&for_all, &host("c", 10));
    assert!(error.contains("have no dhcp-boot hold for it"), "{error}");
    let known = added(&before, &asked(&[host("a", 1)])).unwrap();
    assert_eq!((known.0 == before, known.1.known.len()), (true, 1));
}

#[test]
fn a_host_that_lacks_only_its_boot_file_gets_it() {
    let before = files(&format!("{RANGE}dhcp-host=2:0:0:0:0:1,set:a,10.0.0.1,a\n"));
    let (after, draft) = added(&before, &asked(&[host("a", 1)])).unwrap();
    assert_eq!(after[Path::new(&format!("{OWN}/ghost4linux"))], "tag:a,option:bootfile-name,nobackup\n");
    assert_eq!(without(&after, &draft), before);
    let untagged = files(&format!("{RANGE}dhcp-host=2:0:0:0:0:1,10.0.0.1,a\n"));
    let error = added(&untagged, &asked(&[host("a", 1)])).unwrap_err().to_string();
    assert!(error.contains("is offered no boot file"), "{error}");
}
