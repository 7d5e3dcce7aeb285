//! Given the settings and two clients, what is to be exported?

use super::*;

const BY_3: Served = Served { boot_server: Ipv4Addr::new(192, 168, 7, 1), version: NfsVersion::V3 };

fn ghostrc(more: &str) -> Ghostrc {
    let text = format!(
        "PXEADDR=192.168.7.1\nPXEBASE=/tftpboot/root\nGHSTBASE=/backup\nGHSTNFS=192.168.7.1:/backup\nDHCPD=dhcpd\n{more}"
    );
    Ghostrc::parse(Path::new("ghostrc"), text.as_bytes()).unwrap()
}

fn hosts() -> Vec<(HostName, Ipv4Addr)> {
    vec![
        ("john".parse().unwrap(), [192, 168, 7, 2].into()),
        ("joe".parse().unwrap(), [192, 168, 7, 3].into()),
    ]
}

#[test]
fn with_exports_of_their_own_the_base_root_is_read_only_and_each_client_writes_to_its_folder_alone() {
    assert_eq!(
        for_nfsd(&of_boot_server(&ghostrc("EXPORTS=own\n"), &hosts())),
        "/tftpboot/root 192.168.7.2(ro,sync,no_root_squash,subtree_check) \\\n    \
             192.168.7.3(ro,sync,no_root_squash,subtree_check)\n\
         /tftpboot/root.trees/192.168.7.2 192.168.7.2(rw,sync,no_root_squash,subtree_check)\n\
         /tftpboot/root.trees/192.168.7.3 192.168.7.3(rw,sync,no_root_squash,subtree_check)\n"
    );
}

#[test]
fn of_the_store_each_client_writes_to_a_folder_of_its_own_and_reads_its_generations() {
    assert_eq!(
        for_nfsd(&of_store(&ghostrc("EXPORTS=own\n"), &hosts())),
        "/backup/.clients/john 192.168.7.2(rw,sync,no_root_squash,subtree_check)\n\
         /backup/john 192.168.7.2(ro,sync,no_root_squash,subtree_check)\n\
         /backup/.clients/joe 192.168.7.3(rw,sync,no_root_squash,subtree_check)\n\
         /backup/joe 192.168.7.3(ro,sync,no_root_squash,subtree_check)\n"
    );
    assert_eq!(of_store(&ghostrc(""), &hosts())[0].path, Path::new("/backup"));
}

#[test]
fn for_the_time_of_a_job_its_client_gets_what_that_job_needs() {
    let ghostrc = ghostrc("EXPORTS=job\n");
    let always = for_nfsd(&of_boot_server(&ghostrc, &hosts()));
    assert_eq!(always.lines().filter(|line| line.starts_with('/')).count(), 1, "the base root: {always}");
    assert!(!always.contains("rw"), "{always}");
    assert_eq!(of_store(&ghostrc, &hosts()), []);
    let john = Identity {
        job: "20260123-142501-4f3a".parse().unwrap(),
        host: "john".parse().unwrap(),
        mac: ghost_contract::MacAddress::new([2; 6]),
        ip: [192, 168, 7, 2].into(),
        mode: ghost_contract::Mode::Restore,
    };
    let generation = "20260101-000000-aaaa".parse().unwrap();
    assert_eq!(
        for_nfsd(&of_job(&ghostrc, &john, Some(&generation))),
        "/tftpboot/root.trees/192.168.7.2 192.168.7.2(rw,sync,no_root_squash,subtree_check)\n\
         /backup/.clients/john 192.168.7.2(rw,sync,no_root_squash,subtree_check)\n\
         /backup/john/20260101-000000-aaaa 192.168.7.2(ro,sync,no_root_squash,subtree_check)\n"
    );
    assert_eq!(of_job(&ghostrc, &john, None).len(), 2, "and no generation that it does not read");
}

#[test]
fn what_another_machine_exports_is_the_administrators_to_export() {
    let ghostrc = ghostrc("EXPORTS=job\nGHSTNFS=192.168.7.9:/backup\n");
    assert_eq!(of_store(&ghostrc, &hosts()).len(), 4);
}

#[test]
fn in_common_all_write_to_the_base_root() {
    let wanted = of_boot_server(&ghostrc(""), &hosts());
    assert_eq!(
        wanted,
        [Wanted { path: "/tftpboot/root".into(), access: Access::Write, clients: addresses(&hosts()) }]
    );
}

#[test]
fn nobody_writes_to_what_another_may_mount() {
    let ghostrc = ghostrc("EXPORTS=own\n");
    let mut wanted = of_boot_server(&ghostrc, &hosts());
    wanted.extend(of_store(&ghostrc, &hosts()));
    assert_eq!(wanted.len(), 7);
    for one in wanted.iter().filter(|one| one.access == Access::Write) {
        assert_eq!(one.clients.len(), 1, "{one:?}");
        let others = wanted.iter().filter(|other| *other != one);
        assert!(others.into_iter().all(|other| !one.path.starts_with(&other.path)), "{one:?}");
    }
}

#[test]
fn where_there_is_no_client_nothing_is_exported_to_everybody() {
    // In /etc/exports a path without clients is open to all.
    let wanted = of_boot_server(&ghostrc("EXPORTS=own\n"), &[]);
    assert_eq!(for_nfsd(&wanted), "");
    assert_eq!(for_ganesha(&wanted, BY_3).unwrap(), "");
}

#[test]
fn ganesha_gives_nobody_access_but_the_clients_that_are_named() {
    let text = for_ganesha(&of_boot_server(&ghostrc("EXPORTS=own\n"), &hosts()), BY_3).unwrap();
    let blocks: Vec<&str> = text.split("EXPORT {").skip(1).collect();
    assert_eq!(blocks.len(), 3);
    assert!(blocks.iter().all(|block| block.contains("\n    Access_Type = None;\n")));
    let listed = "CLIENT { Clients = 192.168.7.1; Access_Type = MDONLY_RO; }";
    assert!(
        blocks.iter().all(|block| block.contains(listed)),
        "the boot server may list them, and read nothing"
    );
    assert!(blocks[0].contains("Export_Id = 4000;") && blocks[2].contains("Export_Id = 4002;"));
    assert!(blocks[0].contains("CLIENT { Clients = 192.168.7.2, 192.168.7.3; Access_Type = RO;"));
    assert!(blocks[2].contains("Path = \"/tftpboot/root.trees/192.168.7.3\";"));
    assert!(blocks[2].contains("CLIENT { Clients = 192.168.7.3; Access_Type = RW;"));
}

#[test]
fn by_version_4_ganesha_serves_the_paths_that_clients_name_and_goes_on_listing_them() {
    let by_4_1 = Served { version: NfsVersion::V4_1, ..BY_3 };
    let text = for_ganesha(&of_boot_server(&ghostrc(""), &hosts()), by_4_1).unwrap();
    let lines = ["Path = \"/tftpboot/root\";", "Pseudo = \"/tftpboot/root\";", "Protocols = 3, 4;"];
    assert!(lines.iter().all(|line| text.contains(line)), "{text}");
    assert_eq!(Served::by(&ghostrc("NFSVERSION=4.1\n")).version, NfsVersion::V4_1);
}

#[test]
fn an_odd_path_adds_no_line_and_no_block() {
    let odd = |path: &str| Wanted { path: path.into(), access: Access::Read, clients: addresses(&hosts()) };
    let lines = for_nfsd(&[odd("/my root\n/ *(rw)#\"\\")]);
    assert!(lines.starts_with("/my\\040root\\012/\\040*(rw)\\043\\042\\134 192.168.7.2(ro,"), "{lines}");
    for path in ["/a\"; Access_Type = RW; #", "/a\nb"] {
        assert!(for_ganesha(&[odd(path)], BY_3).is_err(), "{path}");
    }
}

#[test]
fn more_exports_than_ganesha_has_numbers_for_are_refused() {
    let host = |number| (format!("pc{number}").parse().unwrap(), Ipv4Addr::from_bits(number));
    let hosts: Vec<_> = (0..62_000_u32).map(host).collect();
    assert!(for_ganesha(&of_boot_server(&ghostrc("EXPORTS=own\n"), &hosts), BY_3).is_err());
}
