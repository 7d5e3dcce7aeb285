//! Edits of real files, with dhcpd itself as the checker.

use std::fs;
use std::path::PathBuf;

use ghostctl::dhcp::offer::Reverted;
use ghostctl::exit::Exit;
use nix::mount::{MntFlags, MsFlags};

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

/// A file system over a folder, until this is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn over(folder: PathBuf, flags: MsFlags, options: Option<&str>) -> Self {
        let source = options.map_or_else(|| folder.clone(), |_| PathBuf::from("tmpfs"));
        let kind = options.map(|_| "tmpfs");
        nix::mount::mount(Some(&source), &folder, kind, flags, options).unwrap();
        Self(folder)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        nix::mount::umount2(&self.0, MntFlags::MNT_DETACH).unwrap();
    }
}

#[test]
fn a_read_only_folder_is_for_the_administrator_to_mend() {
    let server = Server::new(&[("dhcpd.conf", &format!("host john {{ {JOHN} }}"))]);
    // Locks and journal are elsewhere.
    server.swap().map(|swapped| server.revert(swapped)).unwrap();
    let folder = server.path("");
    let _bound = Mounted::over(folder.clone(), MsFlags::MS_BIND, None);
    let _state = Mounted::over(server.path("state"), MsFlags::empty(), Some("size=1m"));
    let remount = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    nix::mount::mount(None::<&str>, &folder, None::<&str>, remount, None::<&str>).unwrap();
    let error = server.try_to_swap().unwrap_err();
    assert_eq!(Exit::of(&error), Exit::Configuration, "{error:#}");
    assert!(format!("{error:#}").ends_with("mount it for reading and writing"), "{error:#}");
}

#[test]
fn a_full_disk_leaves_the_file_as_it_is_and_nothing_beside_it() {
    let server = Server::new(&[("dhcpd.conf", "")]);
    fs::create_dir(server.path("small")).unwrap();
    let _small = Mounted::over(server.path("small"), MsFlags::empty(), Some("size=64k"));
    let hosts = format!("# {}\nhost john {{ {JOHN} }}", "x".repeat(20_000));
    fs::write(server.path("small/hosts.conf"), &hosts).unwrap();
    let main = format!("include \"{}\";", server.path("small/hosts.conf").display());
    fs::write(server.path("dhcpd.conf"), main).unwrap();
    let swapped = server.swap().unwrap();
    server.revert(swapped);
    fs::write(server.path("small/filler"), vec![0; 36_000]).unwrap();
    let said = server.swap().unwrap_err();
    assert!(said.contains("No space left on device") || said.contains("no storage space"), "{said}");
    assert_eq!(server.text("small/hosts.conf"), hosts);
    assert_eq!(fs::read_dir(server.path("small")).unwrap().count(), 2);
}

#[test]
fn an_immutable_file_is_for_the_administrator_to_mend() {
    let server = Server::new(&[("dhcpd.conf", &format!("host john {{ {JOHN} }}"))]);
    let chattr = |flag: &str| {
        std::process::Command::new("chattr")
            .arg(flag)
            .arg(server.path("dhcpd.conf"))
            .status()
            .unwrap()
            .success()
    };
    if !chattr("+i") {
        eprintln!("this file system knows no immutable files");
        return;
    }
    let refused = server.try_to_swap();
    assert!(chattr("-i"));
    let error = refused.unwrap_err();
    assert_eq!(Exit::of(&error), Exit::Configuration, "{error:#}");
    assert!(format!("{error:#}").contains("is it immutable (lsattr, chattr -i)"), "{error:#}");
    assert_eq!(server.names(), ["dhcpd.conf"]);
    server.swap().map(|swapped| server.revert(swapped)).unwrap();
}
