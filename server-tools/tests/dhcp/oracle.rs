//! dhcpd itself says whether our reading of a file is right: `dhcpd -t -cf FILE`.

use std::path::Path;
use std::process::{Command, Stdio};

use ghost_contract::HostName;
use ghostctl::dhcp::isc::HostTable;
use ghostctl::dhcp::{Wanted, isc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::configurations::configuration;

const GOOD: [&[u8]; 45] = [
    b"",
    b"# only a comment",
    b"host a { filename \"x;{}#\\\"y\"; }",
    b"host a { filename \"a\\x41\\101\\q\"; }",
    b"host a { filename \"a\nb\"; }",
    b"host a { filename \"x\" ; } host b{filename \"y\";}",
    b"HOST a { FileName \"x\"; }",
    b"host a { # comment }\n}",
    b"host a\r\n{\r\n filename \"x\";\r\n}\r\n",
    b"host\x0bb\x0c{}",
    b"host a.b.c {} host d . e {} host f. {} host 192 {} host host {} host filename {}",
    b"host john {} host JOHN {}",
    b"host a { hardware ethernet 0 : 1 : 2:a:B:c; fixed-address 1 . 2 . 3 . 4; }",
    b"host a { } # \xff\nhost b {}",
    b"host a { filename \"\xfe\"; } # \xfe",
    b"host a { filename \"a\0b\"; } # \0",
    b"host a { } \r# c\rhost a { }",
    b"host a { } # c\r }\nhost b { }",
    b"key k { algorithm hmac-md5; secret aGVs/bG8=; }; zone x. { primary 127.0.0.1; }",
    b"option foo code 200 = array of { integer 8, ip-address }; host a {}",
    b"class \"c\" { match hardware; } subclass \"c\" 1:0:11:22:33:44:56 { filename \"x\"; }",
    b"if known { filename \"x\"; } elsif exists host-name { } else { filename \"z\"; }",
    b"if known { filename \"x\"; } else if exists host-name { filename \"y\"; }",
    b"switch (option host-name) { case \"a\": filename \"x\"; break; default: filename \"y\"; }",
    b"subnet 10.0.0.0 netmask 255.0.0.0 { pool { range 10.0.0.1 10.0.0.2; host a {} } }",
    b"% option docsis.oro local;\nhost a { }",
    b"%",
    b"%;",
    b"% }",
    b"% {",
    b"% { { }",
    b"default-lease-time 600; % nonsense",
    b"host a { % filename \"z\"; filename \"y\"; }",
    b"% host a { }\nhost a { }",
    b"group { % { } host a { } }",
    b"% \"a;b\" } host a { }",
    b"% # ;\n ;",
    b"class \"x\" { % a; }",
    b"on expiry;",
    b"group { on expiry or release; host a { on commit; } }",
    b"\0host a { }",
    b" \0\n host a { }",
    b"# x\n\0default-lease-time 600;",
    b"\0% x;",
    b"host aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb { }",
];

const BAD: [&[u8]; 43] = [
    b"host a { filename \"unterminated; }",
    b"host a { filename \"x\" }",
    b"host a { filename \"\\x4\"; }",
    b"host a { filename \"\\xzz\"; }",
    b"host a { filename \"\\0\"; }",
    b"host a { filename \"\\18\"; }",
    b"host a { filename \"\\199\"; }",
    b"host a { filename \"a\xffb\"; }",
    b"host \"a\" { }",
    b"host a b { }",
    b"host { }",
    b"host a;",
    b"host a {};",
    b"host a { ",
    b"host a } {",
    b"host a { { } }",
    b"host a { # \xff x\n }",
    b"host a { // x\n }",
    b"}",
    b"{ }",
    b";",
    b"zone x. { primary 127.0.0.1; };",
    b"if known filename \"x\";",
    b"filename \"x\" { }",
    b"include a;",
    b"% ; }",
    b"% \"x",
    b"%% foo; }",
    b"% { } }",
    b"group { % x }",
    b"subnet 10.0.0.0 netmask 255.0.0.0 { % x }",
    b"% host a { }\nhost b {",
    b"on expiry",
    b"on expiry { };",
    b"if known;",
    b"\0",
    b"\0;",
    b"\0}",
    b"\0 # c",
    b"\0\0host a { }",
    b"\0{ }",
    b"host a { } \0",
    b"host a { \0 }",
];

fn dhcpd_accepts(folder: &Path, bytes: &[u8]) -> bool {
    let file = folder.join("dhcpd.conf");
    std::fs::write(&file, bytes).unwrap();
    let mut dhcpd = Command::new("dhcpd");
    let path = format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default());
    dhcpd.env("PATH", path).args(["-t", "-cf"]).arg(&file).current_dir(folder);
    let status = dhcpd.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.expect("dhcpd is needed to test against: install the Debian package isc-dhcp-server").success()
}

/// Reads with included files of the folder, as dhcpd does from its working folder.
fn read(folder: &Path, bytes: &[u8]) -> Result<HostTable, ghostctl::dhcp::isc::ReadError> {
    HostTable::read(Path::new("dhcpd.conf"), bytes.to_vec(), &mut |path| std::fs::read(folder.join(path)))
}

#[test]
fn we_call_right_and_wrong_what_dhcpd_does() {
    let folder = tempfile::tempdir().unwrap();
    for (files, accepted) in [(&GOOD[..], true), (&BAD[..], false)] {
        for file in files {
            let text = String::from_utf8_lossy(file);
            assert_eq!(dhcpd_accepts(folder.path(), file), accepted, "dhcpd: {text}");
            let ours = read(folder.path(), file);
            assert_eq!(ours.is_ok(), accepted, "we: {text}: {:?}", ours.err().map(|error| error.to_string()));
        }
    }
}

#[test]
fn we_find_included_files_where_dhcpd_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir(path.join("sub")).unwrap();
    std::fs::write(path.join("beside.conf"), "host beside { }").unwrap();
    std::fs::write(path.join("sub/outer.conf"), "include \"sub/inner.conf\";").unwrap();
    std::fs::write(path.join("sub/wrong.conf"), "include \"inner.conf\";").unwrap();
    std::fs::write(path.join("sub/inner.conf"), "host inner { }").unwrap();
    std::fs::write(path.join("sub/open.conf"), "host open {").unwrap();
    for (text, accepted) in [
        ("include \"beside.conf\";", true),
        ("include \"sub/outer.conf\";", true),
        ("include \"sub/wrong.conf\";", false),
        ("group { include \"be\\x73ide.conf\"; }", true),
        ("include \"sub/open.conf\"; }", false),
        ("include \"missing\";", false),
    ] {
        assert_eq!(dhcpd_accepts(path, text.as_bytes()), accepted, "dhcpd: {text}");
        assert_eq!(read(path, text.as_bytes()).is_ok(), accepted, "we: {text}");
    }
}

#[test]
fn dhcpd_accepts_what_the_generator_makes_before_and_after_a_swap() {
    let folder = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&configuration(), |configuration| {
        prop_assert!(dhcpd_accepts(folder.path(), &configuration.bytes));
        let host: HostName = configuration.hosts[0].parse().unwrap();
        let table = read(folder.path(), &configuration.bytes).unwrap();
        let edit = isc::swap(&table, &[Wanted { host, boot_file: "pxelinux.0".to_owned() }]);
        prop_assert!(dhcpd_accepts(folder.path(), &edit.changes[0].contents));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
