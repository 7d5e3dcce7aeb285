//! Given settings, exports and boot loaders, are the clients kept apart?

use ghost_contract::NfsVersion;

use super::*;
use crate::dhcp::Reach;
use crate::doctor::State;
use crate::doctor::facts::Grant;

const TOLD: &str =
    "APPEND ro nfsroot=192.168.7.1:/tftpboot/root,vers=3 ghost.trees=192.168.7.1:/tftpboot/root.trees quiet";
const TOLD_NOTHING: &str = "APPEND rw nfsroot=192.168.7.1:/tftpboot/root,vers=3 quiet";

fn host(name: &str, last: u8) -> Host {
    Host {
        name: name.to_owned(),
        ip: [192, 168, 7, last].into(),
        interface: Ok("eth1".to_owned()),
        is_neighbour: true,
        near: None,
        nearer: None,
        beyond: None,
        reach: Reach::default(),
        zero: vec![],
    }
}

fn exported(path: &str, clients: &[&str]) -> Exported {
    Exported { path: path.into(), clients: clients.iter().map(|client| (*client).to_owned()).collect() }
}

/// What is exported for john and joe.
fn as_printed() -> Vec<Exported> {
    vec![
        exported("/tftpboot/root", &["192.168.7.2", "192.168.7.3"]),
        exported("/tftpboot/root.trees/192.168.7.2", &["192.168.7.2", "192.168.7.1"]),
        exported("/tftpboot/root.trees/192.168.7.3", &["192.168.7.3/32"]),
    ]
}

/// John has a job.
fn nothing() -> Boundary {
    Boundary {
        exports: Exports::Common,
        trees: "/tftpboot/root.trees".into(),
        store_is_here: true,
        is_told: None,
        busy: [Ipv4Addr::new(192, 168, 7, 2)].into(),
        told: vec![],
        file_systems: None,
    }
}

fn judged(exports: Exports, told: &str, exported: Vec<Exported>, grants: Vec<Grant>) -> Vec<(State, String)> {
    let told = vec![("/srv/tftp/pxelinux.cfg/default".into(), told.to_owned())];
    let boundary_of = Boundary { exports, told, ..nothing() };
    let base_root = Export {
        key: "PXEADDR",
        server: Ok([192, 168, 7, 1].into()),
        path: "/tftpboot/root".into(),
        version: NfsVersion::V3,
        nfs: Ok(()),
        exported: Ok(exported),
        grants,
        begins_in: None,
        usage: if exports == Exports::Common { Usage::Write } else { Usage::Read },
    };
    let hosts = [host("john", 2), host("joe", 3)];
    let findings = boundary(&boundary_of, &[base_root], [192, 168, 7, 1].into(), &hosts);
    findings.into_iter().map(|finding| (finding.state, finding.found)).collect()
}

/// What is not good.
fn troubles(mut judged: Vec<(State, String)>) -> Vec<(State, String)> {
    judged.retain(|(state, _)| *state != State::Good);
    judged
}

fn own(told: &str, exported: Vec<Exported>) -> Vec<(State, String)> {
    judged(Exports::Own, told, exported, vec![])
}

#[test]
fn what_ghostctl_exports_prints_is_good() {
    let good = "each client can mount its own folder in /tftpboot/root.trees, and no other";
    assert_eq!(own(TOLD, as_printed()), [(State::Good, good.to_owned())]);
}

#[test]
fn a_client_whose_folder_is_not_exported_to_it_is_named() {
    for exports in [as_printed()[..2].to_vec(), {
        let mut of_another = as_printed();
        of_another[2].clients = vec!["192.168.7.9".to_owned()];
        of_another
    }] {
        let found = own(TOLD, exports);
        assert_eq!(
            found[0],
            (State::Bad, "joe cannot mount what is theirs in /tftpboot/root.trees".to_owned())
        );
    }
}

#[test]
fn a_folder_that_others_can_mount_is_named_however_they_come_to_it() {
    let open = "/tftpboot/root.trees/192.168.7.2 can be mounted by others than its client";
    for clients in [&["192.168.7.2", "192.168.7.3"][..], &["192.168.7.0/24"], &["*"], &[]] {
        let mut exports = as_printed();
        exports[1] = exported("/tftpboot/root.trees/192.168.7.2", clients);
        assert_eq!(own(TOLD, exports), [(State::Warning, open.to_owned())], "{clients:?}");
    }
    for above in ["/tftpboot", "/tftpboot/root.trees"] {
        let mut exports = as_printed();
        exports.push(exported(above, &["192.168.7.0/24"]));
        let found = own(TOLD, exports);
        assert!(
            matches!(&found[..], [(State::Warning, words)] if words.contains("192.168.7.2, ")),
            "{found:?}"
        );
    }
}

#[test]
fn of_the_store_each_client_has_the_folder_of_its_name() {
    let judged = |exported: Vec<Exported>| {
        let boundary_of = Boundary { exports: Exports::Own, ..nothing() };
        let store = Export {
            key: "GHSTNFS",
            server: Ok([192, 168, 7, 9].into()),
            path: "/backup".into(),
            version: NfsVersion::V3,
            nfs: Ok(()),
            exported: Ok(exported),
            grants: vec![],
            begins_in: None,
            usage: Usage::InParts,
        };
        let findings =
            boundary(&boundary_of, &[store], [192, 168, 7, 1].into(), &[host("john", 2), host("joe", 3)]);
        findings.into_iter().map(|finding| (finding.state, finding.found)).collect::<Vec<_>>()
    };
    let johns = ["/backup/.clients/john", "/backup/john"].map(|path| exported(path, &["192.168.7.2"]));
    let joes = ["/backup/.clients/joe", "/backup/joe"].map(|path| exported(path, &["192.168.7.3"]));
    let good = judged([johns.clone(), joes].concat());
    assert_eq!(
        good,
        [(State::Good, "each client can mount its own folder in /backup, and no other".to_owned())]
    );
    let lacks = judged(johns.to_vec());
    assert_eq!(lacks, [(State::Bad, "joe cannot mount what is theirs in /backup".to_owned())]);
    let whole = judged([johns.to_vec(), vec![exported("/backup", &["*"])]].concat());
    assert!(
        matches!(&whole[..], [(State::Warning, said)] if said.starts_with("/backup/.clients/john, /backup/john, ")),
        "{whole:?}"
    );
}

#[test]
fn what_is_exported_for_a_job_may_be_there_while_there_is_one_and_not_else() {
    let job = |exported| judged(Exports::Job, TOLD, exported, vec![]);
    let base = exported("/tftpboot/root", &["192.168.7.2", "192.168.7.3"]);
    let johns = exported("/tftpboot/root.trees/192.168.7.2", &["192.168.7.2", "192.168.7.1"]);
    let joes = exported("/tftpboot/root.trees/192.168.7.3", &["192.168.7.3"]);
    let good =
        "each client can mount its own folder in /tftpboot/root.trees while it has a job, and no other";
    for exports in [vec![base.clone()], vec![base.clone(), johns.clone()]] {
        assert_eq!(job(exports), [(State::Good, good.to_owned())]);
    }
    let left = "/tftpboot/root.trees/192.168.7.3 can be mounted by its client though no job runs";
    assert_eq!(job(vec![base.clone(), johns, joes]), [(State::Warning, left.to_owned())]);
    let found =
        job(vec![base, exported("/tftpboot/root.trees/192.168.7.2", &["192.168.7.2", "192.168.7.3"])]);
    assert!(
        matches!(&found[..], [(State::Warning, said)] if said.ends_with("by others than its client")),
        "{found:?}"
    );
}

#[test]
fn a_base_root_that_clients_can_write_to_is_told() {
    let grant = |clients: &str, may_write| Grant {
        path: "/tftpboot/root".into(),
        clients: clients.to_owned(),
        may_write,
        is_root: true,
        checks_subtree: true,
    };
    let found = judged(Exports::Own, TOLD, as_printed(), vec![grant("192.168.7.2", true), grant("*", false)]);
    assert_eq!(
        troubles(found),
        [(State::Warning, "john can write to the base root /tftpboot/root".to_owned())]
    );
}

#[test]
fn boot_loader_and_settings_must_say_the_same() {
    let elsewhere = TOLD.replace("root.trees", "trees");
    for (exports, told, words) in [
        (Exports::Own, TOLD_NOTHING, "does not say ghost.trees="),
        (Exports::Own, elsewhere.as_str(), "and trees are made in 192.168.7.1:/tftpboot/root.trees"),
        (Exports::Common, TOLD, "do not look for their trees in the base root"),
    ] {
        let found = troubles(judged(exports, told, as_printed(), vec![]));
        assert!(matches!(&found[..], [(State::Bad, said)] if said.contains(words)), "{found:?}");
    }
    assert_eq!(judged(Exports::Common, TOLD_NOTHING, vec![], vec![]), []);
    assert_eq!(
        judged(Exports::Own, "LABEL another\nKERNEL memtest", as_printed(), vec![]).len(),
        1,
        "it is none of ours"
    );
    let grub = "linux /vmlinuz 'ro' 'nfsroot=192.168.7.1:/tftpboot/root' 'ghost.trees=192.168.7.1:/tftpboot/root.trees'";
    assert_eq!(own(grub, as_printed())[0].0, State::Good);
}
