//! What `doctor` looks at is looked at before every job: a job that would fail does not begin.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use ghost_contract::sample::effects::{copy_program, write_program};

use super::boot_server::{BootServer, said, wait_until};

/// A job is refused as a matter of configuration; nothing was touched, and these words are said.
fn refuses(server: &BootServer, words: &[&str]) {
    let before = server.configured();
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    for wanted in words {
        assert!(said(&output).contains(wanted), "{wanted}: {}", said(&output));
    }
    assert_eq!(server.configured(), before);
    assert_eq!(server.restarts(), 0);
    assert!(server.journal().is_empty() && server.nonces().is_empty());
}

#[test]
fn a_base_root_that_no_tree_can_be_made_from() {
    let server = BootServer::with_hosts(2);
    fs::remove_dir_all(server.path("base/var")).unwrap();
    refuses(&server, &["has no var", "mend: 'ghostctl root build' makes it"]);
}

#[test]
fn a_base_root_with_nothing_that_a_client_could_run() {
    let server = BootServer::with_hosts(2);
    fs::remove_file(server.path("base/sbin/ghost-init")).unwrap();
    refuses(&server, &["base has no sbin/ghost-init", "mend: run 'ghostctl root build'"]);
}

#[test]
fn mode_test_says_at_the_beginning_that_nobody_can_log_in() {
    let server = BootServer::with_hosts(2);
    let says = |mode: &str, words: &str| {
        let output = server.run(&[mode, "--dry-run", "pc2"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        said(&output).contains(words)
    };
    let nobody = "so nobody can log in by ssh in the 1800 s that it stays on (SLEEP)";
    server.set("SLEEP", "30m");
    assert!(
        says("test", "pc2: warning: SSHKEYS in ghostrc names no file of public keys, ")
            && says("test", nobody)
    );
    assert!(!says("backup", nobody));
    let keys = server.path("keys");
    fs::write(&keys, "# none yet\n").unwrap();
    server.set("SSHKEYS", keys.to_str().unwrap());
    assert!(says("test", &format!("{} (SSHKEYS) has no public key in it, {nobody}", keys.display())));
    fs::write(&keys, "ssh-ed25519 AAAA admin\n").unwrap();
    assert!(!says("test", nobody));
}

#[test]
fn a_boot_loader_that_names_another_root() {
    let server = BootServer::with_hosts(2);
    fs::create_dir(server.path("tftp/pxelinux.cfg")).unwrap();
    let base = server.path("base").display().to_string();
    let boot = |root: &str| {
        let text = format!("APPEND nfsroot=192.168.7.1:{root},vers=3\n");
        fs::write(server.path("tftp/pxelinux.cfg/default"), text).unwrap();
    };
    boot(&format!("{base}-of-before"));
    refuses(&server, &["-of-before, and the base root is 192.168.7.1:", "mend: write nfsroot=192.168.7.1:"]);
    // The same folder by another name.
    std::os::unix::fs::symlink(&base, server.path("link")).unwrap();
    for good in [server.path("link").display().to_string(), base] {
        boot(&good);
        let output = server.run(&["test", "--dry-run", "pc2"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
}

#[test]
fn a_boot_file_that_lies_there_and_does_not_come_over_tftp() {
    let server = BootServer::with_hosts(2);
    server.set("TFTPBASE", server.path("base").to_str().unwrap());
    fs::rename(server.path("tftp/pxelinux.0"), server.path("base/pxelinux.0")).unwrap();
    refuses(
        &server,
        &[
            "does not come over TFTP: the TFTP server at 192.168.7.1:69 refuses: File not found",
            "mend: start the TFTP server on the address of PXEADDR with the folder of TFTPBASE",
        ],
    );
}

#[test]
fn a_file_that_pxelinux_loads_after_itself_and_that_is_not_served() {
    let server = BootServer::with_hosts(1);
    fs::create_dir(server.path("tftp/pxelinux.cfg")).unwrap();
    let files = [
        ("pxelinux.0", "PXELINUX 6.04"),
        ("ldlinux.c32", "x"),
        (
            "pxelinux.cfg/default",
            "LABEL a\nCOM32 ifcpu64.c32\nLABEL b\nKERNEL vmlinuz\nINITRD initrd\nLABEL c\nCONFIG needs-64-bit.cfg\n",
        ),
        ("ifcpu64.c32", "ELF\0libcom32.c32\0"),
        ("libcom32.c32", "x"),
        ("needs-64-bit.cfg", "SAY no"),
        ("vmlinuz", "x"),
        ("initrd", "x"),
    ];
    for (name, contents) in files {
        fs::write(server.path("tftp").join(name), contents).unwrap();
    }
    let doctor = said(&server.run(&["doctor"]));
    for (name, contents) in files {
        assert!(
            doctor.contains(&format!("boot file: {name} is there and comes over TFTP")),
            "{name}: {doctor}"
        );
        fs::remove_file(server.path("tftp").join(name)).unwrap();
        refuses(
            &server,
            &[
                &format!("tftp/{name} cannot be read: No such file"),
                "'ghostctl root build' puts the boot files there",
            ],
        );
        fs::write(server.path("tftp").join(name), contents).unwrap();
    }
    fs::rename(
        server.path("tftp/pxelinux.cfg/default"),
        server.path("tftp/pxelinux.cfg/01-02-00-00-00-00-02"),
    )
    .unwrap();
    let doctor = said(&server.run(&["doctor"]));
    assert!(!doctor.contains("pxelinux.cfg"), "each client may have a configuration of its own: {doctor}");
}

/// A GRUB that has this folder built in, as `grub-mkimage` writes it.
fn grub(folder: &str) -> Vec<u8> {
    let length = u8::try_from(8 + folder.len() + 1).unwrap();
    let part = [&[3, 0, 0, 0, length, 0, 0, 0], folder.as_bytes(), &[0]].concat();
    let sizes = [24, 24 + u64::from(length)].map(u64::to_le_bytes).concat();
    [b"MZ".as_slice(), b"mimg", &[0; 4], &sizes, &part].concat()
}

#[test]
fn a_file_that_shim_and_grub_load_after_themselves_and_that_is_not_served() {
    let server = BootServer::with_hosts(2);
    server.set("FIRMWARE_pc2", "uefi");
    fs::create_dir(server.path("tftp/grub")).unwrap();
    let files: [(&str, &[u8]); 5] = [
        ("shimx64.efi", b"MZ\0UEFI SHIM\n$Version: 16.1 $"),
        ("grubx64.efi", &grub("/grub")),
        ("grub/grub.cfg", b"if linux /vmlinuz 'rw' $card; then\n  if initrd /initrd; then boot; fi\nfi\n"),
        ("vmlinuz", b"x"),
        ("initrd", b"x"),
    ];
    for (name, contents) in files {
        fs::write(server.path("tftp").join(name), contents).unwrap();
    }
    let doctor = said(&server.run(&["doctor"]));
    for (name, contents) in files {
        assert!(doctor.contains(&format!("{name} is there and comes over TFTP")), "{name}: {doctor}");
        fs::remove_file(server.path("tftp").join(name)).unwrap();
        refuses(
            &server,
            &[
                &format!("tftp/{name} cannot be read: No such file"),
                "'ghostctl root build' puts the boot files there",
            ],
        );
        let other = server.run(&["test", "--dry-run", "pc3"]);
        assert_eq!(other.status.code(), Some(0), "pc3 boots by BIOS: {}", said(&other));
        fs::write(server.path("tftp").join(name), contents).unwrap();
    }
    let dry = server.run(&["test", "--dry-run", "pc2"]);
    assert!(said(&dry).contains("would offer \"shimx64.efi\" instead of \"nobackup\""), "{}", said(&dry));

    server.set("BOOTFILE_pc2", "pxelinux.0");
    refuses(
        &server,
        &["tftp/pxelinux.0 is no program for UEFI", "BOOTFILE of the host in ghostrc to shimx64.efi"],
    );
}

#[test]
fn a_boot_file_of_the_hosts_own_is_the_one_that_is_asked_for() {
    let server = BootServer::with_hosts(2);
    server.set("BOOTFILE_pc2", "efi/ghost.efi");
    refuses(&server, &["efi/ghost.efi cannot be read"]);
    server.set("BOOTFILE_pc2", "pxelinux.0");
    server.set("BOOTFILE_pc3", "efi/ghost.efi");
    let output = server.run(&["test", "--dry-run", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "another host's is not: {}", said(&output));
}

#[test]
fn an_image_store_that_is_not_exported() {
    let server = BootServer::with_hosts(2);
    fs::write(server.path("exports"), server.path("base").to_str().unwrap()).unwrap();
    let text = format!("{} (GHSTNFS) is not exported", server.path("store").display());
    refuses(&server, &[&text, "to /etc/exports there"]);
}

#[test]
fn an_image_store_that_clients_see_elsewhere() {
    let server = BootServer::with_hosts(2);
    server.set("GHSTNFS", &format!("$PXEADDR:{}", server.path("base").display()));
    refuses(&server, &["GHSTNFS exports another folder of this machine", "to the same folder"]);
}

#[test]
fn servers_that_do_not_answer_are_waited_for_once_for_all_hosts() {
    let server = BootServer::with_hosts(40);
    server.set("GHSTNFS", &format!("192.168.7.99:{}", server.path("store").display()));
    server.network().run("ip addr add 192.168.7.99/25 dev br0");
    // The kernel takes the connections, and nobody answers them.
    let silent = server.network().inside(|| TcpListener::bind("192.168.7.99:111").unwrap());
    silent.set_nonblocking(true).unwrap();
    let asked = [1, 40].map(|count: u8| {
        let hosts: Vec<String> = (2..2 + count).map(|number| format!("pc{number}")).collect();
        let words: Vec<&str> = std::iter::once("test").chain(hosts.iter().map(String::as_str)).collect();
        let output = server.run(&words);
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
        assert!(said(&output).contains("the portmapper does not answer"), "{}", said(&output));
        std::iter::from_fn(|| silent.accept().ok()).count()
    });
    assert!(
        asked[0] > 0 && asked[0] == asked[1],
        "so often it was asked for one host and for forty: {asked:?}"
    );
}

/// The configuration with another beginning.
fn configure(server: &BootServer, first: &str) {
    let configured = String::from_utf8(server.configured()).unwrap();
    fs::write(server.configuration(), configured.replacen("next-server 192.168.7.1;", first, 1)).unwrap();
}

#[test]
fn a_configuration_in_which_a_swap_does_not_decide_what_is_booted() {
    for (first, words) in [
        ("", &["no 'next-server' says which machine", "add 'next-server 192.168.7.1;'"][..]),
        ("next-server 192.168.7.99;", &["from another machine than this boot server"]),
        ("next-server 192.168.7.1; option bootfile-name \"own.0\";", &["many boot ROMs load \"own.0\""]),
        (
            "next-server 192.168.7.1; option tftp-server-name \"192.168.7.99\";",
            &["'option tftp-server-name 192.168.7.99' has the boot file loaded from another machine"],
        ),
        ("next-server 192.168.7.1; deny booting;", &["'deny booting' keeps the DHCP server from answering"]),
    ] {
        let server = BootServer::with_hosts(1);
        configure(&server, first);
        refuses(&server, words);
    }
    let server = BootServer::with_hosts(1);
    let configured = String::from_utf8(server.configured()).unwrap();
    fs::write(server.configuration(), configured.replace("subnet 192.168.7.0", "subnet 192.168.6.0"))
        .unwrap();
    refuses(&server, &["no subnet of the DHCP configuration has the address"]);
}

#[test]
fn settings_with_which_a_job_would_fail() {
    let server = BootServer::with_hosts(2);
    server.set("UP_DEADLINE_pc2", "0");
    refuses(&server, &["pc2: UP_DEADLINE is 0", "mend: set it to a longer time"]);
    assert_eq!(server.run(&["test", "--dry-run", "pc3"]).status.code(), Some(0), "another host's is not");
    server.set("UP_DEADLINE_pc2", "60");
    server.set("SSHKEYS", "/nonexistent/keys");
    refuses(&server, &["/nonexistent/keys (SSHKEYS) cannot be read: No such file"]);
}

#[test]
fn a_unit_that_does_not_exist() {
    let server = BootServer::with_hosts(1);
    let systemctl = server.path("systemctl");
    write_program(&systemctl, "#!/bin/sh\necho LoadState=not-found\n");
    server.set("DHCPD", &format!("\"{} restart dhcpd4\"", systemctl.display()));
    refuses(&server, &["restarts nothing: systemd knows no unit dhcpd4"]);
}

#[test]
fn a_server_that_runs_with_another_file() {
    let server = BootServer::with_hosts(1);
    // The kernel takes a process' name from its file; a shell of that name waits here with dhcpd's arguments.
    let program = server.path("dhcpd-running/dhcpd");
    fs::create_dir(server.path("dhcpd-running")).unwrap();
    copy_program(Path::new("/bin/bash"), &program);
    let mut command = server.network().command(program.to_str().unwrap());
    let mut running =
        command.args(["-c", "read", "-cf", "/srv/dhcpd.conf"]).stdin(Stdio::piped()).spawn().unwrap();
    let name = format!("/proc/{}/comm", running.id());
    wait_until("it runs", || fs::read_to_string(&name).is_ok_and(|name| name == "dhcpd\n"));
    refuses(&server, &["reads /srv/dhcpd.conf, and ghostctl would edit", "set DHCPDCONF in ghostrc"]);
    running.kill().unwrap();
    running.wait().unwrap();
}

#[test]
fn keys_for_hosts_that_there_are_not_are_told_by_doctor() {
    let server = BootServer::with_hosts(1);
    server.set("UP_DEADLINE_pc9", "60");
    let output = server.run(&["doctor"]);
    assert!(
        said(&output).contains("UP_DEADLINE_pc9 is for a host that the DHCP configuration does not have"),
        "{}",
        said(&output)
    );
}

#[test]
fn an_export_that_lets_other_clients_in() {
    let server = BootServer::with_hosts(1);
    let folder = server.path("").display().to_string();
    fs::write(server.path("exports"), format!("{} 192.168.8.0/24", folder.trim_end_matches('/'))).unwrap();
    refuses(&server, &["is exported to 192.168.8.0/24, and not to pc2", "add the clients' network"]);
}

#[test]
fn settings_that_are_not_there() {
    let server = BootServer::with_hosts(1);
    fs::remove_file(server.path("ghostrc")).unwrap();
    for verb in [&["doctor"][..], &["backup", "pc1"], &["recover"]] {
        let output = server.run(verb);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(
            said.contains("there are no settings: 'ghostctl setup' makes ") && said.contains("--config"),
            "{said}"
        );
    }
}
