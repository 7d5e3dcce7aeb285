//! Edits of real files, with dhcpd itself as the checker.

use std::fs;

use ghostctl::dhcp::offer::Reverted;

use crate::server::Server;

const JOHN: &str = "hardware ethernet 0:1:2:3:4:5; fixed-address 10.0.0.2; filename \"nobackup\";";

#[test]
fn an_included_file_that_needs_what_the_main_file_defines_is_edited() {
    let hosts = format!("host john {{ {JOHN} option room \"12\"; }}");
    let main =
        "option room code 200 = text;\nsubnet 10.0.0.0 netmask 255.0.0.0 { include \"FOLDER/more.conf\"; }";
    let more = "include \"FOLDER/hosts.conf\";";
    let server = Server::new(&[("dhcpd.conf", main), ("more.conf", more), ("hosts.conf", &hosts)]);
    let before = server.text("dhcpd.conf");
    let swapped = server.swap().unwrap();
    assert_eq!(server.text("hosts.conf"), hosts.replace("nobackup", "pxelinux.0"));
    assert_eq!(server.revert(swapped), Reverted::Restored);
    assert_eq!((server.text("hosts.conf"), server.text("dhcpd.conf")), (hosts, before));
    assert_eq!(server.names(), ["dhcpd.conf", "hosts.conf", "more.conf"]);
}

#[test]
fn a_relative_include_is_relative_to_the_root_wherever_ghostctl_is_called() {
    let server = Server::new(&[("hosts.conf", &format!("host john {{ {JOHN} }}")), ("dhcpd.conf", "")]);
    let relative = server.path("hosts.conf").strip_prefix("/").unwrap().display().to_string();
    fs::write(server.path("dhcpd.conf"), format!("include \"{relative}\";")).unwrap();
    let swapped = server.swap().unwrap();
    assert!(server.text("hosts.conf").contains("pxelinux.0"));
    assert_eq!(server.revert(swapped), Reverted::Restored);
}

#[test]
fn what_dhcpd_refuses_is_told_by_the_names_of_the_files_themselves() {
    let hosts = format!("host john {{ {JOHN} }}\nno such statement;");
    let server = Server::new(&[("dhcpd.conf", "include \"FOLDER/hosts.conf\";"), ("hosts.conf", &hosts)]);
    let said = server.swap().unwrap_err();
    assert!(said.contains(&format!("{} line ", server.path("hosts.conf").display())), "{said}");
    assert!(!said.contains("ghostctl-check"), "{said}");
    assert_eq!(server.text("hosts.conf"), hosts);
    assert_eq!(server.names(), ["dhcpd.conf", "hosts.conf"]);
}

#[test]
fn copies_that_a_crash_has_left_are_in_nobodys_way() {
    let server = Server::new(&[("dhcpd.conf", &format!("host john {{ {JOHN} }}"))]);
    fs::write(server.path(".ghostctl-check-0-dhcpd.conf"), "left").unwrap();
    server.swap().unwrap();
    assert_eq!(server.names(), ["dhcpd.conf"]);
}

#[test]
fn a_fifo_instead_of_a_file_is_refused_at_once() {
    let server = Server::new(&[("dhcpd.conf", "include \"FOLDER/hosts.conf\";")]);
    nix::unistd::mkfifo(&server.path("hosts.conf"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let said = server.swap().unwrap_err();
    assert!(
        said.contains("dhcpd.conf:1:1: cannot include") && said.ends_with("it is not a regular file"),
        "{said}"
    );
}
