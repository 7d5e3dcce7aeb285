use ghost_contract::NfsVersion;

use super::*;
use crate::dhcp::{Advice, Kind, Network, Reach, Said};
use crate::doctor::facts::LiesOn;
use crate::doctor::facts::{Boundary, Export, Exported, Grant, Usage};
use crate::doctor::{State, worst};
use crate::ghostrc::Exports;
use crate::place::Place;

const GIB: u64 = 1 << 30;

fn space(free: u64) -> DiskSpace {
    DiskSpace { free, total: 100 * GIB, has_inodes: true }
}

fn writable(folder: &str) -> Writable {
    Writable { folder: folder.into(), tried: Ok(()) }
}

fn export(key: &'static str, path: &str) -> Export {
    Export {
        key,
        server: Ok([192, 168, 7, 1].into()),
        path: path.into(),
        version: NfsVersion::V3,
        nfs: Ok(()),
        exported: Ok(vec![Exported { path: "/tftpboot".into(), clients: vec!["192.168.7.0/24".to_owned()] }]),
        grants: vec![grant("192.168.7.0/24")],
        begins_in: None,
        usage: Usage::Write,
    }
}

fn grant(clients: &str) -> Grant {
    Grant {
        path: "/tftpboot".into(),
        clients: clients.to_owned(),
        may_write: true,
        is_root: true,
        checks_subtree: true,
    }
}

/// As the HOWTO's dhcpd.conf has it.
fn reach() -> Reach {
    let network = Network { address: [192, 168, 7, 0].into(), netmask: [255, 255, 255, 128].into() };
    let place = Box::new(Place::at(Path::new("/etc/dhcp/dhcpd.conf"), b"", 0));
    let next_server = Said { value: "192.168.7.1".to_owned(), is_certain: true, place };
    Reach { network: Some(network), next_server: Some(next_server), ..Reach::default() }
}

fn program(name: &'static str, is_needed: bool) -> Program {
    let found = Ok(format!("/usr/bin/{name}").into());
    Program { name, package: "package", purpose: "does it", is_needed, found }
}

fn advice(what: &str) -> Advice {
    Advice { what: what.to_owned(), mend: "mend it".to_owned() }
}

/// The set-up of the HOWTO, in order.
pub(in crate::doctor) fn facts() -> Facts {
    Facts {
        doubts: vec![],
        for_nobody: vec![],
        public_keys: vec![("/root/keys".into(), Ok(()))],
        hook_user: Some(("backup".to_owned(), Ok(()))),
        machines: [("192.168.7.1".to_owned(), Ok(true))].into(),
        boot_server: [192, 168, 7, 1].into(),
        dhcp: Dhcp {
            configuration: "/etc/dhcp/dhcpd.conf".into(),
            accepted: Ok(()),
            checker: "dhcpd -t -cf FILE".to_owned(),
            folder: writable("/etc/dhcp"),
            kind: Kind::Isc,
            because: "it runs",
            way: Ok("'/etc/init.d/dhcpd restart' can be run: /etc/init.d/dhcpd is there".to_owned()),
            running: Running::Ours,
            unread: vec![],
            unheard: vec![],
        },
        hosts: Ok(vec![Host {
            name: "john".to_owned(),
            ip: [192, 168, 7, 2].into(),
            interface: Ok("eth1".to_owned()),
            is_neighbour: true,
            near: None,
            nearer: None,
            beyond: None,
            reach: reach(),
            zero: vec![],
        }]),
        boot_files: vec![BootFile {
            name: "pxelinux.0".to_owned(),
            is_for_uefi: false,
            path: "/srv/tftp/pxelinux.0".into(),
            on_disk: Ok(vec![7; 512]),
            served: Ok(vec![7; 512]),
        }],
        over_http: vec![],
        base_root: BaseRoot {
            mountd_port: None,
            version: NfsVersion::V3,
            root: "/tftpboot/root".into(),
            folder: writable("/tftpboot/root"),
            missing: vec![],
            has_init: true,
            known_as: vec![],
            space: Ok(space(GIB)),
        },
        boundary: Boundary {
            exports: Exports::Common,
            trees: "/tftpboot/root.trees".into(),
            store_is_here: true,
            is_told: None,
            busy: [].into(),
            told: vec![],
            file_systems: None,
        },
        exports: vec![export("PXEADDR", "/tftpboot/root"), export("GHSTNFS", "/tftpboot/backup")],
        store: Store {
            folder: writable("/tftpboot/backup"),
            same_place: SamePlace::Same,
            space: Ok(space(50 * GIB)),
            largest_generation: Some(10 * GIB),
        },
        programs: vec![program("partclone.chkimg", true), program("qemu-img", false)],
        confinement: Ok(vec![]),
        state_folder: writable("/var/lib/ghost4linux"),
        may_send_frames: Ok(()),
    }
}

fn no() -> Tried<()> {
    Err("Permission denied".to_owned())
}

/// What is found when one thing is spoiled, without what is good.
fn found(spoil: &dyn Fn(&mut Facts)) -> Vec<(Check, State)> {
    let mut facts = facts();
    spoil(&mut facts);
    let findings = judge(&facts);
    for finding in &findings {
        let says_how = finding.mend.is_some() != (finding.state == State::Good);
        assert!(says_how, "{finding}");
    }
    findings.iter().filter(|f| f.state != State::Good).map(|f| (f.check, f.state)).collect()
}

#[test]
fn the_howtos_set_up_is_good() {
    let findings = judge(&facts());
    assert_eq!(worst(&findings), State::Good);
    assert_eq!(findings.len(), 20, "{findings:#?}");
}

fn exported_to(facts: &mut Facts, clients: &[&str]) {
    let clients = clients.iter().map(|client| (*client).to_owned()).collect();
    facts.exports[0].exported = Ok(vec![Exported { path: "/tftpboot".into(), clients }]);
}

#[test]
fn exports_to_names_and_grants_of_other_clients_are_not_held_against_a_host() {
    for clients in [&["*.lab"][..], &[], &["192.168.8.0/24", "@clients"]] {
        assert_eq!(found(&|facts| exported_to(facts, clients)), [], "{clients:?}");
    }
    let other = |facts: &mut Facts| {
        facts.exports[0].grants = vec![grant("*"), Grant { is_root: false, ..grant("192.168.7.3") }];
    };
    assert_eq!(found(&other), []);
}

#[test]
fn what_is_spoiled_is_found_and_nothing_else() {
    use State::{Bad, Warning};
    type Spoil = fn(&mut Facts);
    let table: [(Spoil, Check, State); 53] = [
        (|f| f.base_root.has_init = false, Check::BaseRoot, Bad),
        (
            |f| f.boundary.told = vec![("/x".into(), "nfsroot=192.168.7.1:/old".to_owned())],
            Check::BaseRoot,
            Bad,
        ),
        (|f| f.hosts.as_mut().unwrap()[0].is_neighbour = false, Check::Wake, Bad),
        (|f| f.for_nobody.push("UP_DEADLINE_jhon".to_owned()), Check::Settings, Warning),
        (|f| f.hosts.as_mut().unwrap()[0].zero = vec!["UP_DEADLINE"], Check::Settings, Bad),
        (|f| f.public_keys[0].1 = no(), Check::PublicKeys, Bad),
        (|f| f.hook_user = Some(("gone".to_owned(), no())), Check::Hooks, Warning),
        (|f| f.dhcp.way = Err(advice("systemd knows no unit dhcp")), Check::DhcpRestart, Bad),
        (|f| f.dhcp.running = Running::Others(vec!["/srv/dhcpd.conf".into()]), Check::DhcpServer, Bad),
        (|f| f.dhcp.running = Running::Nobody, Check::DhcpServer, Warning),
        (|f| f.dhcp.running = Running::Unknown("too many open files".to_owned()), Check::DhcpServer, Warning),
        (|f| f.hosts.as_mut().unwrap()[0].reach.next_server = None, Check::Booting, Bad),
        (|f| f.machines.iter_mut().for_each(|(_, here)| *here = Ok(false)), Check::Booting, Bad),
        (|f| exported_to(f, &["192.168.8.0/24"]), Check::Export, Bad),
        (|f| f.exports[0].grants = vec![Grant { is_root: false, ..grant("*") }], Check::Export, Bad),
        (
            |f| {
                f.exports[0].version = NfsVersion::V4_1;
                f.exports[0].begins_in = Some("/srv/nfs4".into());
            },
            Check::Export,
            Bad,
        ),
        (
            |f| {
                let by_4_1 = "nfsroot=192.168.7.1:/tftpboot/root,vers=4.1,tcp";
                f.boundary.told = vec![("/x".into(), by_4_1.to_owned())];
            },
            Check::BaseRoot,
            Bad,
        ),
        (|f| f.exports[0].grants = vec![Grant { may_write: false, ..grant("*") }], Check::Export, Bad),
        (
            |f| f.exports[0].grants = vec![grant("*"), Grant { is_root: false, ..grant("192.168.7.2") }],
            Check::Export,
            Bad,
        ),
        (|f| f.doubts.push("PXEADR".to_owned()), Check::Settings, Warning),
        (|f| f.dhcp.accepted = no(), Check::DhcpConfiguration, Bad),
        (|f| f.dhcp.unread = vec![advice("dhcp-optsdir names nothing")], Check::DhcpConfiguration, Warning),
        (|f| f.dhcp.folder.tried = no(), Check::DhcpFolder, Bad),
        (|f| f.dhcp.way = Err(advice("it is not executable")), Check::DhcpRestart, Bad),
        (|f| f.hosts = Ok(vec![]), Check::Hosts, Warning),
        (|f| f.hosts = Err("dhcpd.conf:3:7: '}' is missing".to_owned()), Check::Hosts, Bad),
        (|f| f.boot_files[0].on_disk = Ok(vec![]), Check::BootFile, Bad),
        (|f| f.boot_files[0].on_disk = Err("no such file".to_owned()), Check::BootFile, Warning),
        (|f| f.boot_files[0].served = Err("no answer".to_owned()), Check::BootFile, Bad),
        (|f| f.boot_files[0].is_for_uefi = true, Check::BootFile, Bad),
        (|f| f.boot_files[0].served = Ok(vec![8; 512]), Check::BootFile, Bad),
        (|f| f.base_root.folder.tried = no(), Check::BaseRoot, Bad),
        (|f| f.base_root.missing = vec!["etc"], Check::BaseRoot, Bad),
        (|f| f.base_root.space = Ok(space(0)), Check::BaseRoot, Bad),
        (|f| f.exports[0].server = Err("unknown name".to_owned()), Check::Export, Bad),
        (|f| f.exports[0].nfs = no(), Check::Export, Bad),
        (|f| f.exports[1].path = "/elsewhere".into(), Check::Export, Bad),
        (|f| f.exports[1].exported = Err("mountd does not answer".to_owned()), Check::Export, Warning),
        (|f| f.store.folder.tried = no(), Check::Store, Bad),
        (|f| f.store.same_place = SamePlace::Different, Check::SamePlace, Bad),
        (|f| f.store.same_place = SamePlace::NotHere, Check::SamePlace, Warning),
        (|f| f.store.same_place = SamePlace::Unknown("no".to_owned()), Check::SamePlace, Warning),
        (|f| f.store.space = Err("no such file".to_owned()), Check::Room, Bad),
        (|f| f.store.space = Ok(space(5 * GIB)), Check::Room, Warning),
        (|f| f.store.space = Ok(DiskSpace { has_inodes: false, ..space(GIB) }), Check::Room, Bad),
        (|f| f.programs[0].found = Err("it is in no folder of PATH".to_owned()), Check::Programs, Bad),
        (|f| f.programs[1].found = Err("it is in no folder of PATH".to_owned()), Check::Programs, Warning),
        (|f| f.confinement = Ok(vec!["the kernel has no Landlock".to_owned()]), Check::Confinement, Warning),
        (|f| f.confinement = Err("it ended without an answer".to_owned()), Check::Confinement, Bad),
        (|f| f.state_folder.tried = no(), Check::StateFolder, Bad),
        (|f| f.may_send_frames = no(), Check::Wake, Bad),
        (|f| f.hosts.as_mut().unwrap()[0].nearer = Some("eth2".to_owned()), Check::Wake, Bad),
        (|f| f.hosts.as_mut().unwrap()[0].interface = Err("no route".to_owned()), Check::Wake, Bad),
    ];
    for (spoil, check, state) in table {
        assert_eq!(found(&spoil), [(check, state)]);
    }
}

#[test]
fn a_store_on_another_machine_is_good_where_it_is_mounted() {
    let with = |lies_on: LiesOn| {
        found(&|facts: &mut Facts| {
            let export = "nas:/images".to_owned();
            facts.store.same_place = SamePlace::Elsewhere { export, lies_on: lies_on.clone() };
        })
    };
    assert_eq!(with(LiesOn::Export), []);
    assert_eq!(with(LiesOn::OwnDisk("ext4".to_owned())), [(Check::SamePlace, State::Bad)]);
    assert_eq!(with(LiesOn::Unknown("no".to_owned())), [(Check::SamePlace, State::Warning)]);
}

#[test]
fn a_finding_is_shown_with_how_to_mend_it() {
    let finding = Finding::bad(Check::BootFile, "it is empty", "copy it anew");
    assert_eq!(finding.to_string(), "BAD      boot file: it is empty\n         mend: copy it anew");
}

#[test]
fn without_hosts_nothing_is_said_of_magic_packets() {
    let mut facts = facts();
    facts.hosts.as_mut().unwrap().clear();
    let wake: Vec<Finding> = judge(&facts).into_iter().filter(|one| one.check == Check::Wake).collect();
    assert_eq!(wake, []);
}

#[test]
fn of_many_hosts_the_first_are_named() {
    let mut facts = facts();
    let hosts = facts.hosts.as_mut().unwrap();
    *hosts = vec![hosts[0].clone(); 10];
    let shown = judge(&facts).iter().any(|finding| finding.found.ends_with("john and 2 more"));
    assert!(shown, "{:#?}", judge(&facts));
}

#[test]
fn a_host_behind_a_router_that_no_magic_packet_gets_through_is_told_with_both_ways_out() {
    let mut facts = facts();
    let host = &mut facts.hosts.as_mut().unwrap()[0];
    (host.is_neighbour, host.beyond) = (false, None);
    let findings = judge(&facts);
    let [bad] = &findings.iter().filter(|one| one.state != State::Good).collect::<Vec<_>>()[..] else {
        panic!("{findings:#?}")
    };
    assert_eq!((bad.check, bad.state), (Check::Wake, State::Bad));
    assert!(bad.found.starts_with("john: magic packets do not get through the router"), "{bad}");
    let mend = bad.mend.as_deref().unwrap();
    assert!(mend.contains("declare the subnet") && mend.contains("WAKE_RELAY"), "{bad}");
    facts.hosts.as_mut().unwrap()[0].beyond = Some([192, 168, 9, 255].into());
    let findings = judge(&facts);
    assert_eq!(worst(&findings), State::Good);
    let words = "through routers to 192.168.9.255; whether these pass them on cannot be seen from here";
    assert!(findings.iter().any(|one| one.found.contains(words)), "{findings:#?}");
}
