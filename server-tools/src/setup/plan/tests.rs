//! Given a machine, what is there to do?

use std::path::Path;

use super::*;
use crate::dhcp::Change;
use crate::dhcp::isc::HostTable;

fn ghostrc() -> Ghostrc {
    let text = "PXEADDR=10.0.0.5\nPXEBASE=/srv/g/base\nEXPORTS=own\nGHSTBASE=/srv/ghost\nGHSTNFS=10.0.0.5:/srv/ghost\nDHCPD=x\n";
    Ghostrc::parse(Path::new("ghostrc"), text.as_bytes()).unwrap()
}

fn added(has_changes: bool) -> Added {
    let change =
        Change { file: "/etc/dhcp/dhcpd.conf".into(), read: Vec::new(), contents: b"subnet".to_vec() };
    Added {
        changes: if has_changes { vec![change] } else { Vec::new() },
        written: Vec::new(),
        known: Vec::new(),
        remarks: Vec::new(),
        restart: None,
        configuration: Box::new(HostTable::of_one_file(Path::new("x"), Vec::new())),
    }
}

fn unit(is_enabled: bool, is_active: bool) -> Unit {
    Unit { is_enabled, is_active }
}

/// A machine with the packages and nothing else.
fn fresh() -> Seen {
    let john = vec![("john".parse().unwrap(), Ipv4Addr::new(10, 0, 0, 2))];
    let units = ["isc-dhcp-server", "tftpd-hpa", "nfs-kernel-server"]
        .map(|name| (name.to_owned(), unit(false, false)));
    Seen {
        hosts: john.clone(),
        without_folders: john,
        missing_folders: vec!["/srv/ghost".into()],
        is_store_unmounted: false,
        base_root: Err("there is none".to_owned()),
        dhcp: crate::dhcp::Kind::Isc.traits(),
        dhcp_defaults: Some((b"# which\nINTERFACESv4=\"\"\nINTERFACESv6=\"\"\n".to_vec(), false)),
        networks: vec![network([10, 0, 0, 0])],
        networks_here: vec![],
        interface: Some(Listener { name: "eth0".to_owned(), address: Some([10, 0, 0, 5].into()) }),
        nfs: Some(Nfs::Kernel),
        wanted_nfs: Nfs::Kernel,
        other_nfs: None,
        exports: There::default(),
        pending: Vec::new(),
        is_to_take_up: false,
        units: Some(units.into()),
        is_dhcp_installed: true,
        running: Running::Nobody,
        has_port: None,
    }
}

fn network(address: [u8; 4]) -> Network {
    Network { address: address.into(), netmask: [255, 255, 255, 0].into() }
}

fn shown(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(ToString::to_string).collect()
}

#[test]
fn a_fresh_machine_gets_everything_in_the_order_in_which_it_is_needed() {
    let settings = FileStep { path: "/etc/ghostrc".into(), before: None, after: b"x".to_vec() };
    let first = First { settings: Some(settings), floppy: None };
    let plan = whole(&ghostrc(), first, &fresh(), &added(true), true).unwrap();
    assert_eq!(
        shown(&plan),
        [
            "write /etc/ghostrc",
            "make the folder /srv/ghost",
            "make the base root and the boot files from Debian's packages (ghostctl root build)",
            "change /etc/default/isc-dhcp-server",
            "write the DHCP configuration /etc/dhcp/dhcpd.conf, once the DHCP server's own checker accepts it",
            "make the folders of john",
            "write /etc/exports.d/ghost4linux.exports",
            "export /srv/g/base, /srv/ghost/john to 10.0.0.2",
            "export /srv/g/base.trees/10.0.0.2, /srv/ghost/.clients/john to 10.0.0.2",
            "have isc-dhcp-server run, now and after each boot",
            "have nfs-kernel-server run, now and after each boot",
            "have tftpd-hpa run, now and after each boot",
        ]
    );
    assert!(plan.remarks.is_empty(), "{:?}", plan.remarks);
}

/// The same machine with all that done.
fn set_up() -> Seen {
    let own = exported::steps(&ghostrc(), &fresh().hosts, Some(Nfs::Kernel), &There::default()).unwrap().0;
    let Step::File(file) = own[0].clone() else { panic!("{own:?}") };
    let units = fresh().units.unwrap().into_keys().map(|name| (name, unit(true, true)));
    Seen {
        without_folders: Vec::new(),
        missing_folders: Vec::new(),
        base_root: Ok(()),
        dhcp_defaults: Some((b"INTERFACESv4=\"eth0\"\n".to_vec(), true)),
        exports: There { own: Some((file.after, true)), has_base_root: true, ..There::default() },
        units: Some(units.collect()),
        ..fresh()
    }
}

#[test]
fn on_a_machine_that_is_set_up_there_is_nothing_to_do() {
    let plan = whole(&ghostrc(), First::default(), &set_up(), &added(false), false).unwrap();
    assert_eq!(shown(&plan), Vec::<String>::new());
}

#[test]
fn what_one_failure_left_undone_is_what_the_next_run_does() {
    let broken = Seen { base_root: Err("TFTP does not serve its vmlinuz".to_owned()), ..set_up() };
    assert_eq!(shown(&whole(&ghostrc(), First::default(), &broken, &added(false), false).unwrap()).len(), 1);
    let refused = Seen { pending: vec![vec!["exportfs".to_owned(), "-ra".to_owned()]], ..set_up() };
    let plan = whole(&ghostrc(), First::default(), &refused, &added(false), false).unwrap();
    assert_eq!(
        shown(&plan),
        [
            "export /srv/g/base, /srv/ghost/john to 10.0.0.2",
            "export /srv/g/base.trees/10.0.0.2, /srv/ghost/.clients/john to 10.0.0.2",
        ]
    );
    let mut stopped = set_up();
    stopped.units.as_mut().unwrap().insert("tftpd-hpa".to_owned(), unit(true, false));
    let plan = whole(&ghostrc(), First::default(), &stopped, &added(false), false).unwrap();
    assert_eq!(shown(&plan), ["have tftpd-hpa run, now and after each boot"]);
}

#[test]
fn a_server_that_reads_its_hosts_when_it_starts_is_started_again_if_it_runs() {
    let restart = vec!["systemctl".to_owned(), "restart".to_owned(), "dnsmasq".to_owned()];
    let added = || Added { restart: Some(restart.clone()), ..added(true) };
    let restarted = |running: Running| {
        let seen = Seen { running, ..set_up() };
        let plan = for_hosts(&ghostrc(), &seen, &added()).unwrap();
        shown(&plan).iter().any(|step| step.ends_with("accepts it, and run 'systemctl restart dnsmasq'"))
    };
    assert_eq!((restarted(Running::Ours), restarted(Running::Nobody)), (true, false));
}

#[test]
fn where_another_program_has_the_port_only_the_dhcp_configuration_is_refused() {
    let taken = Seen { has_port: Some("dnsmasq (process 7)".to_owned()), ..set_up() };
    let error = for_hosts(&ghostrc(), &taken, &added(true)).unwrap_err();
    assert!(
        error.to_string().starts_with("dnsmasq (process 7) has the DHCP port of this machine"),
        "{error}"
    );
    assert!(whole(&ghostrc(), First::default(), &taken, &added(false), false).is_ok());
}

#[test]
fn an_nfs_server_is_not_started_beside_another_that_runs() {
    let beside = Seen { other_nfs: Some(Nfs::Ganesha), ..fresh() };
    let plan = whole(&ghostrc(), First::default(), &beside, &added(true), true).unwrap();
    let nfs: Vec<String> =
        shown(&plan).into_iter().filter(|step| step.contains("nfs") || step.contains("exports")).collect();
    assert_eq!(nfs, Vec::<String>::new());
    let words = "nfs-kernel-server is not started and nothing is exported, since nfs-ganesha runs here and has its port: set NFSSERVER=ganesha";
    assert!(plan.remarks.iter().any(|remark| remark.starts_with(words)), "{:?}", plan.remarks);
}

#[test]
fn recover_runs_once_at_boot_and_need_not_run_now() {
    let mut seen = set_up();
    seen.units.as_mut().unwrap().insert("ghost4linux-recover".to_owned(), unit(true, false));
    assert!(whole(&ghostrc(), First::default(), &seen, &added(false), false).unwrap().steps.is_empty());
}

#[test]
fn a_dhcp_server_without_a_network_is_not_started() {
    let empty = Seen { hosts: Vec::new(), without_folders: Vec::new(), networks: Vec::new(), ..fresh() };
    let plan = whole(&ghostrc(), First::default(), &empty, &added(false), false).unwrap();
    assert!(!shown(&plan).iter().any(|step| step.contains("dhcp")), "{:?}", shown(&plan));
}

#[test]
fn a_dhcp_server_that_runs_or_serves_other_networks_listens_where_it_did() {
    let listens = |seen: &Seen| {
        let plan = whole(&ghostrc(), First::default(), seen, &added(true), false).unwrap();
        shown(&plan).iter().any(|step| step == "change /etc/default/isc-dhcp-server")
    };
    assert!(listens(&fresh()));
    let others = Running::Others(vec!["/etc/other.conf".into()]);
    for running in [Running::Ours, others, Running::Unknown("no /proc".to_owned())] {
        assert!(!listens(&Seen { running: running.clone(), ..fresh() }), "{running:?}");
    }
    let networks = vec![network([10, 0, 0, 0]), network([10, 0, 1, 0])];
    assert!(!listens(&Seen { networks, ..fresh() }));
}

#[test]
fn a_network_on_another_interface_is_answered_too_or_it_is_told_what_to_do() {
    let second = |is_ours, running| Seen {
        interface: Some(Listener { name: "eth1".to_owned(), address: Some([10, 0, 1, 5].into()) }),
        networks: vec![network([10, 0, 0, 0]), network([10, 0, 1, 0])],
        dhcp_defaults: Some((b"INTERFACESv4=\"eth0\"\n".to_vec(), is_ours)),
        running,
        ..set_up()
    };
    let planned = |seen: &Seen, has_changes| {
        whole(&ghostrc(), First::default(), seen, &added(has_changes), false).unwrap()
    };
    // The restart for the new subnet comes behind it.
    let steps = shown(&planned(&second(true, Running::Ours), true));
    assert_eq!(steps[0], "change /etc/default/isc-dhcp-server");
    assert!(steps[1].starts_with("change the DHCP configuration") && steps.len() == 2, "{steps:?}");
    // What a run that was broken off has left.
    let steps = shown(&planned(&second(true, Running::Ours), false));
    assert_eq!(steps, ["change /etc/default/isc-dhcp-server", "run 'x restart'"]);
    let steps = shown(&planned(&second(true, Running::Nobody), false));
    assert_eq!(steps, ["change /etc/default/isc-dhcp-server"]);
    let told = planned(&second(false, Running::Ours), false);
    assert_eq!(shown(&told), Vec::<String>::new());
    let words = "/etc/default/isc-dhcp-server: ISC dhcpd listens on eth0 and not on eth1";
    assert!(told.remarks[0].starts_with(words), "{:?}", told.remarks);
}

#[test]
fn what_this_machine_lacks_is_told() {
    let bare = Seen { nfs: None, units: None, is_dhcp_installed: false, dhcp_defaults: None, ..fresh() };
    let plan = whole(&ghostrc(), First::default(), &bare, &added(false), false).unwrap();
    let told = plan.remarks.join("\n");
    for words in
        ["apt-get install nfs-kernel-server", "apt-get install isc-dhcp-server", "systemd does not run here"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
}
