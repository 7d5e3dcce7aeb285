//! Given the settings that are there and what a person wants, what goes into the file?

use super::*;

fn around() -> Surroundings {
    Surroundings {
        address: Some([10, 0, 0, 5].into()),
        tftp: Some("/srv/tftp".into()),
        kind: Kind::Isc,
        is_routed: false,
        other_interface: None,
    }
}

fn read(text: &str) -> Ghostrc {
    Ghostrc::parse(Path::new("ghostrc"), text.as_bytes()).unwrap()
}

#[test]
fn a_new_file_is_read_back_as_it_was_meant() {
    let wishes =
        Wishes { store: Some("/images of all".into()), firmware: Some(Firmware::Uefi), ..Wishes::default() };
    let text = new(&wishes, &around()).unwrap();
    let ghostrc = read(&text);
    assert_eq!(ghostrc.boot_server, Ipv4Addr::new(10, 0, 0, 5));
    assert_eq!((ghostrc.base_root, ghostrc.store_folder), (BASE.into(), PathBuf::from("/images of all")));
    assert_eq!(ghostrc.store_export.path, Path::new("/images of all"));
    assert!(ghostrc.warnings.is_empty(), "{text}");
    let kea = Surroundings { kind: Kind::Kea, ..around() };
    let wishes = Wishes { dhcp_configuration: Some("/x/kea.conf".into()), ..Wishes::default() };
    let ghostrc = read(&new(&wishes, &kea).unwrap());
    assert_eq!((ghostrc.dhcp_server, ghostrc.dhcp_restart), (Some(Kind::Kea), None));
    let wishes = Wishes { dhcp_server: Some(Kind::Isc), ..Wishes::default() };
    let ghostrc = read(&new(&wishes, &around()).unwrap());
    assert_eq!((ghostrc.dhcp_server, ghostrc.dhcp_restart.is_some()), (Some(Kind::Isc), true));
}

#[test]
fn kernel_and_initramfs_come_over_http_only_where_that_is_wished() {
    let wishes = Wishes { http_boot: true, ..Wishes::default() };
    let over_http = |text: &str| read(text).of_base_root.get(HTTP_BOOT).cloned();
    assert_eq!(over_http(&new(&wishes, &around()).unwrap()).as_deref(), Some("yes"));
    let usual = new(&Wishes::default(), &around()).unwrap();
    assert_eq!(over_http(&usual), None);
    let lines = missing(&read(&usual), &wishes, &around(), &Old::default()).unwrap();
    assert!(lines.starts_with("HTTPBOOT=yes ") && lines.lines().count() == 1, "{lines}");
    let [yes, no] = ["yes", "no"].map(|word| read(&format!("{usual}HTTPBOOT={word}\n")));
    assert_eq!(missing(&yes, &wishes, &around(), &Old::default()).unwrap(), "");
    let error = missing(&no, &wishes, &around(), &Old::default()).unwrap_err();
    assert!(error.to_string().starts_with("--http-boot contradicts HTTPBOOT"), "{error}");
}

#[test]
fn what_cannot_be_written_is_refused() {
    for store in ["images", "/it's", "/a\nb"] {
        assert!(
            new(&Wishes { store: Some(store.into()), ..Wishes::default() }, &around()).is_err(),
            "{store}"
        );
    }
    let nowhere = Surroundings { address: None, ..around() };
    let error = new(&Wishes::default(), &nowhere).unwrap_err();
    assert_eq!(Exit::of(&error), Exit::Usage);
}

#[test]
fn a_file_that_is_there_gets_only_what_it_lacks() {
    let there = read("PXEADDR=10.0.0.5\nPXEBASE=/srv/base\nGHSTBASE=/b\nGHSTNFS=10.0.0.5:/b\nDHCPD=x\n");
    let around = Surroundings { tftp: Some("/tftpboot".into()), ..around() };
    let lines = missing(&there, &Wishes::default(), &around, &Old::default()).unwrap();
    assert!(lines.starts_with("TFTPBASE=/tftpboot ") && lines.lines().count() == 1, "{lines}");
    let both =
        appended(b"PXEADDR=10.0.0.5\nPXEBASE=/srv/base\nGHSTBASE=/b\nGHSTNFS=10.0.0.5:/b\nDHCPD=x", &lines);
    let again = read(std::str::from_utf8(&both).unwrap());
    assert_eq!(missing(&again, &Wishes::default(), &around, &Old::default()).unwrap(), "");
    let kea = Wishes { dhcp_server: Some(Kind::Kea), ..Wishes::default() };
    let lines = missing(&again, &kea, &around, &Old::default()).unwrap();
    assert!(lines.starts_with("DHCPSERVER=kea "), "{lines}");
    let isc = read(
        "PXEADDR=10.0.0.5\nPXEBASE=/srv/base\nGHSTBASE=/b\nGHSTNFS=10.0.0.5:/b\nDHCPD=x\nDHCPSERVER=isc\n",
    );
    let error = missing(&isc, &kea, &around, &Old::default()).unwrap_err();
    assert!(error.to_string().starts_with("--dhcp-server contradicts DHCPSERVER"), "{error}");
    let other = Wishes { store: Some("/c".into()), ..Wishes::default() };
    let error = missing(&there, &other, &around, &Old::default()).unwrap_err();
    assert!(error.to_string().starts_with("--store contradicts GHSTBASE"), "{error}");
}

#[test]
fn a_flag_that_contradicts_the_file_is_refused_and_one_that_it_lacks_is_added() {
    let base = "PXEADDR=10.0.0.5\nPXEBASE=/srv/base\nGHSTBASE=/b\nGHSTNFS=10.0.0.5:/b\nDHCPD=x\n";
    let other = Wishes {
        firmware: Some(Firmware::Uefi),
        interface: Some("eth1".to_owned()),
        dhcp_configuration: Some("/etc/dhcp/other.conf".into()),
        ..Wishes::default()
    };
    let only = |of: &str| Wishes {
        firmware: other.firmware.filter(|_| of == "--firmware"),
        interface: other.interface.clone().filter(|_| of == "--interface"),
        dhcp_configuration: other.dhcp_configuration.clone().filter(|_| of == "--dhcp-configuration"),
        ..Wishes::default()
    };
    for (flag, line, same) in [
        ("--firmware", "FIRMWARE=bios", "FIRMWARE=uefi"),
        ("--interface", "INTERFACE=eth0", "INTERFACE=eth1"),
        ("--dhcp-configuration", "DHCPDCONF=/etc/dhcp/dhcpd.conf", "DHCPDCONF=/etc/dhcp/other.conf"),
    ] {
        let key = line.split('=').next().unwrap();
        let lines = |there: &str| {
            missing(&read(&format!("{base}{there}\n")), &only(flag), &around(), &Old::default())
        };
        let error = lines(line).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{flag} contradicts {key} in ghostrc")), "{error}");
        assert_eq!(Exit::of(&error), Exit::Usage);
        assert_eq!(lines(same).unwrap(), "", "{flag}");
        let added = lines("").unwrap();
        assert!(added.starts_with(&format!("{same} ")) && added.lines().count() == 1, "{flag}: {added}");
    }
}

#[test]
fn an_interface_that_the_routes_lead_by_is_not_named_for_all_clients() {
    let eth1 = Wishes { interface: Some("eth1".to_owned()), ..Wishes::default() };
    let routed = Surroundings { is_routed: true, ..around() };
    let named = |around: &Surroundings| read(&new(&eth1, around).unwrap()).settings().interface.clone();
    assert_eq!((named(&around()), named(&routed)), (Some("eth1".to_owned()), None));
    let there = read(&new(&Wishes::default(), &routed).unwrap());
    assert_eq!(missing(&there, &eth1, &routed, &Old::default()).unwrap(), "");
    // Without a further network the flag would change nothing.
    let second = Surroundings { other_interface: Some("eth0".to_owned()), ..routed };
    let error = missing(&there, &eth1, &second, &Old::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("--interface contradicts PXEADDR in ghostrc, which is an address of eth0"),
        "{error}"
    );
    let network = crate::setup::network("10.1.0.0/24").ok();
    let with_network = Wishes { network, ..eth1.clone() };
    assert_eq!(missing(&there, &with_network, &second, &Old::default()).unwrap(), "");
}
