use std::time::Duration;

use super::*;
use ghost_contract::Mode;

const HOWTO: &str = include_str!("howto.ghostrc");

fn read(text: &str) -> anyhow::Result<Ghostrc> {
    Ghostrc::parse(Path::new("ghostrc"), text.as_bytes())
}

/// The HOWTO's file with lines added to it.
fn with(lines: &str) -> Ghostrc {
    read(&format!("{HOWTO}{lines}\n")).unwrap()
}

fn refusal(line: &str) -> String {
    read(line).unwrap_err().to_string()
}

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

#[test]
fn the_howtos_file_works_unchanged() {
    let ghostrc = read(HOWTO).unwrap();
    assert_eq!(ghostrc.boot_server, Ipv4Addr::new(192, 168, 7, 1));
    assert_eq!(ghostrc.base_root, Path::new("/tftpboot/root"));
    assert_eq!(ghostrc.store_folder, Path::new("/tftpboot/backup"));
    assert_eq!(
        ghostrc.store_export,
        Export { server: "192.168.7.1".to_owned(), path: PathBuf::from("/tftpboot/backup") }
    );
    assert_eq!(ghostrc.dhcp_restart.clone().unwrap().to_string(), "/etc/init.d/dhcpd restart");
    assert_eq!((ghostrc.dhcp_server, &ghostrc.dhcp_configuration, &ghostrc.dhcp_check), (None, &None, &None));
    assert_eq!(ghostrc.settings().interface.as_deref(), Some("eth1"));
    assert_eq!(ghostrc.settings().boot_file, "pxelinux.0");
    assert_eq!(ghostrc.warnings, []);
}

#[test]
fn what_the_howto_has_not_has_a_default() {
    let ghostrc = read(HOWTO).unwrap();
    assert_eq!(ghostrc.state_folder, Path::new("/var/lib/ghost4linux"));
    assert_eq!(ghostrc.settings().sleep, Duration::from_secs(3_600));
    assert_eq!(ghostrc.settings().command(Mode::Verify), r"-chkimg,z:\image.gho -sure -fx");
    assert_eq!(ghostrc.settings().command(Mode::Ghost), "");
}

#[test]
fn a_hosts_firmware_decides_what_it_is_offered_unless_its_boot_file_is_named() {
    let offered = |lines: &str, name| with(lines).for_host(&host(name)).boot_file;
    for (lines, john, joe) in [
        ("FIRMWARE_john=uefi", "shimx64.efi", "pxelinux.0"),
        ("FIRMWARE=uefi\nFIRMWARE_joe=bios", "shimx64.efi", "pxelinux.0"),
        ("BOOTFILE=pxelinux.0\nFIRMWARE_john=uefi", "shimx64.efi", "pxelinux.0"),
        ("FIRMWARE_john=uefi\nBOOTFILE=pxelinux.0", "shimx64.efi", "pxelinux.0"),
        ("BOOTFILE_john=ipxe.efi\nFIRMWARE=uefi", "ipxe.efi", "shimx64.efi"),
        ("FIRMWARE=uefi\nBOOTFILE=ipxe.efi", "ipxe.efi", "ipxe.efi"),
        ("BOOTFILE_john=shimx64.efi", "shimx64.efi", "pxelinux.0"),
    ] {
        assert_eq!((offered(lines, "john").as_str(), offered(lines, "joe").as_str()), (john, joe), "{lines}");
    }
}

#[test]
fn a_group_has_host_names_and_patterns() {
    let ghostrc = with("A=joe\nGROUP_lab1=\"john $A pc*\"\nGROUP_old=");
    let in_words = |members: &Vec<Member>| members.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(in_words(&ghostrc.groups()["lab1"]), ["john", "joe", "pc*"]);
    assert_eq!(in_words(&ghostrc.groups()["old"]), [""; 0]);
    assert_eq!(
        refusal("GROUP_lab1='john -joe'"),
        "ghostrc:1:12: GROUP_lab1: '-joe' is not a host name: it must begin with a letter or a digit\n    GROUP_lab1='john -joe'\n               ^"
    );
}

#[test]
fn quotes_and_names_mean_what_they_mean_to_the_shell() {
    for (line, value) in [
        (r"X=plain", "plain"),
        (r"X=", ""),
        (r"X='a $A `b`' # comment", "a $A `b`"),
        (r#"X="a $A ${A}b""#, "a 1 1b"),
        (r"X=$A$A", "11"),
        (r#"X=a"b c"'d e'f"#, "ab cd ef"),
        (r#"X="\$A \" \\ \` z:\image""#, r#"$A " \ ` z:\image"#),
        (r"X=a\ b\$", "a b$"),
        (r"X=a#b", "a#b"),
        (r"  export X=1 ; Y=2", "1"),
        ("X=\"a\\\nb\"", "ab"),
        ("X=a\\\nb", "ab"),
        (r"X=*.{a,b}?", "*.{a,b}?"),
        ("X=1\nexport X", "1"),
        ("X=1\r", "1"),
        ("X='ü'", "ü"),
    ] {
        assert_eq!(with(&format!("A=1\n{line}")).variable("X"), Some(value), "{line}");
    }
}

#[test]
fn nothing_is_executed_and_nothing_is_taken_from_the_environment() {
    for (line, complaint) in [
        ("X=`id`", "f:1:3: '`' would have to be executed"),
        ("X=\"`id`\"", "f:1:4: '`' would have to be executed"),
        ("X=$(id)", "f:1:3: '$' would have to be executed"),
        ("X=a|b", "f:1:4: '|' would have to be executed"),
        ("X=(a b)", "f:1:3: '(' would have to be executed"),
        ("X=a&", "f:1:4: '&' would have to be executed"),
        ("X=$HOME/a", "f:1:3: HOME is not defined above"),
        ("X=${X:-a}", "f:1:3: '$' is not followed by a name"),
        ("X=$1", "f:1:3: '$' is not followed by a name"),
        ("X=~/a", "f:1:3: '~' is not expanded"),
        (r"X=z:\image", "f:1:5: a backslash before a letter"),
        ("X='a\nb'", "f:1:3: the quote ' that begins here is not closed"),
        ("X=\"a", "f:1:3: the quote \" that begins here is not closed"),
        ("\n  wakeup john", "f:2:3: 'wakeup' is not KEY=VALUE"),
        ("X+=1", "f:1:1: 'X+=1' is not KEY=VALUE"),
        ("X=1 export", "f:1:5: 'export' is not KEY=VALUE"),
        ("export X", "f:1:8: 'X' is not KEY=VALUE"),
        ("export\nX", "f:1:1: 'export' is not KEY=VALUE"),
        ("A=1;;", "f:1:5: ';' is not KEY=VALUE"),
        ("[ -f x ]", "f:1:1: '[' is not KEY=VALUE"),
        ("X=$X", "f:1:3: X is not defined above"),
    ] {
        let complaint = complaint.replacen('f', "ghostrc", 1);
        assert!(refusal(line).starts_with(&complaint), "{line}: {}", refusal(line));
    }
}

#[test]
fn comments_may_be_in_any_character_set_but_values_are_utf_8() {
    let latin = [HOWTO.as_bytes(), b"# f\xfcr alle \xff\r\nX='\xfc'\n"].concat();
    let refused = Ghostrc::parse(Path::new("f"), &latin).unwrap_err().to_string();
    assert!(refused.contains(":3: the value is not UTF-8"), "{refused}");
}

#[test]
fn a_complaint_shows_the_line_and_a_caret() {
    assert_eq!(
        refusal("# x\nexport UP_DEADLINE=soon"),
        "ghostrc:2:20: UP_DEADLINE is 'soon', which is not a time: whole seconds, or a number with s, m, h or d, as in 90s or 12h\n\
         \x20   export UP_DEADLINE=soon\n\
         \x20                      ^"
    );
}

#[test]
fn a_value_of_another_type_is_refused() {
    for line in [
        "PXEADDR=server",
        "PXEBASE=root",
        "GHSTBASE=",
        "GHSTNFS=",
        "GHSTNFS='a b:/c'",
        "DHCPD=",
        "DHCPDCONF=dhcpd.conf",
        "DHCPD=\"sh -c 'x y'\"",
        "ETHERWAKE='ether-wake -i /'",
        "ETHERWAKE='ether-wake -p x'",
        "FIRMWARE=efi",
        "FIRMWARE_john=",
        "BOOTFILE=",
        "BOOTFILE='a b'",
        "INTERFACE=",
        "INTERFACE=abcdefghijklmnop",
        "SECUREON=x",
        "SSHKEYS=keys",
        "LUKSKEY=key",
        "SLEEP=-1",
        "SLEEP=+1",
        "SLEEP=1w",
        "SLEEP=99999999999999999999",
        "SLEEP=9999999999999999999d",
        "SLEEP=",
        "STALL_RATE=1k",
        "GENERATIONS=0",
        "KEEP_DAYS=x",
        "IMAGER=ghost",
        "IMAGER_john=ghost",
    ] {
        let refused = refusal(line);
        assert!(refused.contains("which is not") && refused.contains('^'), "{line}: {refused}");
    }
}

#[test]
fn what_is_missing_is_named_with_an_example() {
    assert_eq!(
        refusal("PXEADDR=1.2.3.4"),
        "ghostrc: PXEBASE is not set; write for example PXEBASE=/tftpboot/root"
    );
}

#[test]
fn the_dhcp_servers_command_is_a_script_or_a_whole_line() {
    for (value, command) in [
        ("/etc/init.d/dhcpd", "/etc/init.d/dhcpd restart"),
        ("/etc/init.d/dhcpd restart", "/etc/init.d/dhcpd restart"),
        ("systemctl restart isc-dhcp-server", "systemctl restart isc-dhcp-server"),
        ("service isc-dhcp-server", "service isc-dhcp-server restart"),
    ] {
        assert_eq!(with(&format!("DHCPD='{value}'")).dhcp_restart.unwrap().to_string(), command);
    }
}

#[test]
fn the_image_store_can_be_written_short() {
    for (value, server, path) in [
        ("192.168.7.9:/images", "192.168.7.9", "/images"),
        ("store:/images", "store", "/images"),
        ("192.168.7.9", "192.168.7.9", "/tftpboot/backup"),
        ("/images", "192.168.7.1", "/images"),
    ] {
        let export = with(&format!("GHSTNFS={value}")).store_export;
        assert_eq!((export.server.as_str(), export.path.as_path()), (server, Path::new(path)));
    }
}

#[test]
fn times_have_units() {
    for (value, seconds) in [("90", 90), ("90s", 90), ("15m", 900), ("12h", 43_200), ("7d", 604_800)] {
        assert_eq!(
            with(&format!("UP_DEADLINE={value}")).settings().up_deadline,
            Duration::from_secs(seconds)
        );
    }
}

#[test]
fn a_host_can_have_settings_for_itself() {
    let ghostrc = with("UP_DEADLINE_john=15m\nUP_DEADLINE=60\nIMAGER_PC_12=dosemu\nSLEEP_3com=5");
    assert_eq!(ghostrc.for_host(&host("john")).up_deadline, Duration::from_secs(900));
    assert_eq!(ghostrc.for_host(&host("joe")).up_deadline, Duration::from_secs(60));
    assert_eq!(ghostrc.for_host(&host("PC-12")).imager, Some(ImagerName::Dosemu));
    assert_eq!(ghostrc.for_host(&host("3com")).sleep, Duration::from_secs(5));
    assert_eq!(ghostrc.warnings, []);
}

#[test]
fn the_former_word_for_the_linux_imager_is_understood() {
    for word in ["linux", "partclone"] {
        let ghostrc = with(&format!("IMAGER={word}"));
        assert_eq!(ghostrc.settings().imager, Some(ImagerName::Linux), "{word}");
        assert_eq!(ghostrc.warnings, []);
    }
}

#[test]
fn what_the_wake_program_was_given_is_heeded() {
    let ghostrc = with("ETHERWAKE='/usr/sbin/ether-wake -ieth2 -p 1.2.3.4'");
    assert_eq!(ghostrc.settings().interface.as_deref(), Some("eth2"));
    assert_eq!(ghostrc.settings().secure_on.as_ref().map(SecureOn::bytes), Some(&[1, 2, 3, 4][..]));
    assert_eq!(with("INTERFACE=eth3").settings().interface.as_deref(), Some("eth3"));
}

#[test]
fn a_misspelt_key_is_a_warning_and_other_keys_are_the_administrators() {
    let ghostrc = with("BOOTFIEL=x\nMYDIR=/srv");
    assert_eq!(ghostrc.variable("MYDIR"), Some("/srv"));
    let warnings: Vec<String> = ghostrc.warnings.iter().map(Warning::to_string).collect();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("BOOTFIEL is not a setting; is BOOTFILE meant?"), "{}", warnings[0]);
}

#[test]
fn a_password_is_not_shown() {
    let shown = format!("{:?}", with("SECUREON=00:11:22:33:44:55").settings().secure_on);
    assert_eq!(shown, "Some(SecureOn(6 bytes))");
}

#[test]
fn every_documented_key_is_known_and_every_key_is_documented() {
    for key in Settings::KEYS {
        assert!(reference::KEYS.iter().any(|documented| documented.name == key), "{key}");
        let refused = Settings::default().set(key, "\u{0}");
        assert_ne!(refused, Err("a setting that a host can have for itself"), "{key}");
    }
}

#[test]
fn no_bytes_make_it_panic() {
    proptest::proptest!(|(bytes: Vec<u8>)| { let _any = Ghostrc::parse(Path::new("f"), &bytes); });
    proptest::proptest!(|(text in r#"([A-C]|=|\$|\{|\}|"|'|\\|#|;|\n|\r| |export |é|`|/){0,60}"#)| { let _any = read(&text); });
}
