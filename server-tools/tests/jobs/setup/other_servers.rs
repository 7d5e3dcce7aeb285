//! Kea, dnsmasq and a proxy: does what is added to their configuration get served, and is it gone again afterwards?

use std::fs;

use ghost_contract::sample::effects::write_program;
use rustix::process::{Pid, Signal, kill_process};

use super::super::boot_server::wait_until;
use super::machine::Machine;
use super::{FRESH, held};

const PC7: [&str; 6] = ["hosts", "add", "--yes", "pc7", "2:0:0:0:0:7", "192.168.7.7"];

fn fresh(server: &str) -> Vec<&str> {
    let setup = ["setup", "--yes", "--dhcp-server", server, "--subnet", "192.168.7.0/25"];
    [&setup[..], &["--import", "/etc/machines.csv"]].concat()
}

/// Without a server that runs `doctor` finds much to mend with some, so that the status is not 0.
fn comes_and_goes(server: &str, status: i32, files: &[(&str, &str)]) {
    let machine = Machine::fresh();
    let before = held(&machine);
    let said = machine.does(status, &fresh(server));
    for (file, line) in files {
        assert!(
            machine.text(file).lines().any(|there| there.trim() == *line),
            "{line}: {}",
            machine.text(file)
        );
        assert!(said.contains(line), "it was shown: {line}: {said}");
    }
    assert!(machine.text("etc/ghostrc").contains(&format!("DHCPSERVER={server} ")));
    assert!(said.contains("\ngood     hosts: 2 can have jobs: pc2, pc3\n"), "{said}");
    let made = held(&machine);
    let said = machine.does(status, &fresh(server));
    assert!(said.contains("nothing is to be changed\n") && held(&machine) == made, "{said}");
    machine.does(0, &["setup", "--remove", "--yes"]);
    let now: Vec<_> = held(&machine).into_iter().filter(|file| !file.0.ends_with("ghostctl-lock")).collect();
    assert_eq!(now, before);
}

#[test]
fn kea_gets_a_whole_configuration_which_goes_again() {
    let pc3 = r#"{ "hostname": "pc3", "hw-address": "02:00:00:00:00:03", "ip-address": "192.168.7.3", "boot-file-name": "nobackup" }"#;
    let main = "etc/kea/kea-dhcp4.conf";
    comes_and_goes("kea", 78, &[(main, "\"subnet\": \"192.168.7.0/25\","), (main, pc3)]);
}

/// As Kea's package has it, without its comments and most of what it shows.
const KEAS_EXAMPLE: &str = r#"{ "Dhcp4": {
    "interfaces-config": { "interfaces": [ ] },
    "lease-database": { "type": "memfile", "lfc-interval": 3600 },
    "option-data": [
        { "name": "domain-name-servers", "data": "192.0.2.1, 192.0.2.2" },
        { "name": "boot-file-name", "data": "EST5EDT4\\,M3.2.0/02:00\\,M11.1.0/02:00" }
    ],
    "subnet4": [ { "subnet": "192.0.2.0/24", "pools": [ { "pool": "192.0.2.1 - 192.0.2.200" } ],
        "reservations": [ { "hw-address": "1a:1b:1c:1d:1e:1f", "ip-address": "192.0.2.201" } ] } ]
} }
"#;

#[test]
fn keas_own_example_is_not_added_to() {
    let machine = Machine::fresh();
    machine.write("etc/kea/kea-dhcp4.conf", KEAS_EXAMPLE);
    let before = held(&machine);
    let said = machine.does(78, &fresh("kea"));
    let way = "'mv /etc/kea/kea-dhcp4.conf /etc/kea/kea-dhcp4.conf.example', and give the command again";
    assert!(said.contains("is Kea's own example") && said.contains(way), "{said}");
    assert_eq!(held(&machine), before);
    fs::rename(machine.path("etc/kea/kea-dhcp4.conf"), machine.path("etc/kea/kea-dhcp4.conf.example"))
        .unwrap();
    let said = machine.does(78, &fresh("kea"));
    assert!(!said.contains("BAD      booting"), "{said}");
    // With the option out of it, it is a configuration as any other.
    let machine = Machine::fresh();
    let option = KEAS_EXAMPLE.lines().find(|line| line.contains("EST5EDT4")).unwrap();
    machine.write("etc/kea/kea-dhcp4.conf", &KEAS_EXAMPLE.replace(&format!(",\n{option}"), ""));
    let said = machine.does(78, &fresh("kea"));
    assert!(
        said.contains("\ngood     hosts: 2 can have jobs: pc2, pc3\n") && !said.contains("BAD      booting"),
        "{said}"
    );
}

#[test]
fn dnsmasq_gets_a_whole_configuration_which_goes_again() {
    comes_and_goes(
        "dnsmasq",
        78,
        &[
            ("etc/dnsmasq.conf", "dhcp-range=set:ghost4linux-192.168.7.0,192.168.7.0,static,255.255.255.128"),
            ("etc/dnsmasq.conf", "dhcp-host=02:00:00:00:00:03,set:pc3,192.168.7.3,pc3"),
            ("etc/dnsmasq.d/ghost4linux/ghost4linux", "tag:pc3,option:bootfile-name,nobackup"),
        ],
    );
}

#[test]
fn a_proxy_gets_a_whole_configuration_which_goes_again() {
    let main = "etc/ghost4linux/proxy.conf";
    comes_and_goes(
        "proxy",
        0,
        &[
            (main, "port=0"),
            (main, "dhcp-range=192.168.7.0,proxy,255.255.255.128"),
            (main, "dhcp-ignore=tag:!pxelinux.0,tag:!shimx64.efi"),
            (main, "dhcp-host=02:00:00:00:00:03,set:nobackup,192.168.7.3,pc3"),
        ],
    );
}

#[test]
fn a_kea_that_runs_serves_a_new_host_and_refuses_what_its_checker_does() {
    let machine = Machine::with_kea();
    let (main, hosts) = (machine.text("dhcp/kea-dhcp4.conf"), machine.text("dhcp/hosts.json"));
    let said = machine.does(0, &PC7);
    assert!(said.contains("+{ \"hostname\": \"pc7\", \"hw-address\": \"02:00:00:00:00:07\""), "{said}");
    assert_eq!(machine.text("dhcp/kea-dhcp4.conf"), main);
    assert!(
        machine.text("dhcp/hosts.json").starts_with(hosts.trim_end()),
        "{}",
        machine.text("dhcp/hosts.json")
    );
    assert!(machine.serves_host(7));

    machine.write(
        "dhcp/kea-dhcp4.conf",
        &main.replace("\"next-server\"", "\"no-such-key\": 1, \"next-server\""),
    );
    let hosts = machine.text("dhcp/hosts.json");
    let said = machine.does(78, &["hosts", "add", "--yes", "pc8", "2:0:0:0:0:8", "192.168.7.8"]);
    assert!(said.contains("the DHCP server would not accept the edited configuration"), "{said}");
    assert_eq!(machine.text("dhcp/hosts.json"), hosts);
}

/// Ends the dnsmasq that was started in the place of the one that the boot server has.
struct Ends<'a>(&'a Machine);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        let pid = self.0.text("dnsmasq/pid").trim().parse().ok().and_then(Pid::from_raw);
        let Some(pid) = pid else { return };
        let _gone = kill_process(pid, Signal::KILL);
        // It has its port until then.
        if !std::thread::panicking() {
            wait_until("dnsmasq has ended", || {
                fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z"))
            });
        }
    }
}

#[test]
fn a_dnsmasq_that_runs_is_started_again_for_a_new_host_and_serves_it() {
    let machine = Machine::with_dnsmasq();
    let _ends = Ends(&machine);
    let (main, options) = (machine.text("dhcp/dnsmasq.conf"), machine.text("dhcp/options/hosts"));
    let said = machine.does(0, &PC7);
    let restart = format!("and run '{} restart'\n", machine.path("service").display());
    assert!(
        said.lines().any(|line| line.starts_with("will change the DHCP")) && said.contains(&restart),
        "{said}"
    );
    assert_eq!(
        machine.text("dhcp/dnsmasq.conf"),
        format!("{main}\ndhcp-host=02:00:00:00:00:07,set:pc7,192.168.7.7,pc7\n")
    );
    assert!(machine.text("dhcp/options/hosts").starts_with(&options));
    assert!(machine.serves_host(7));

    // The line of a host is read by the checker, too.
    machine.append("dhcp/dnsmasq.conf", "no-such-option=1\n");
    let main = machine.text("dhcp/dnsmasq.conf");
    let said = machine.does(78, &["hosts", "add", "--yes", "pc8", "2:0:0:0:0:8", "192.168.7.8"]);
    let place = format!("{}", machine.path("dhcp/dnsmasq.conf").display());
    assert!(said.contains("would not accept the edited configuration") && said.contains(&place), "{said}");
    assert_eq!(machine.text("dhcp/dnsmasq.conf"), main);
    assert!(!fs::exists(machine.path("dhcp/ghost4linux-options")).unwrap());
}

#[test]
fn a_dnsmasq_that_does_not_come_up_again_gets_its_configuration_back_and_serves_it() {
    let machine = Machine::with_dnsmasq();
    let _ends = Ends(&machine);
    let (main, options) = (machine.text("dhcp/dnsmasq.conf"), machine.text("dhcp/options/hosts"));
    // As one that finds what it needs taken: the one that ran is gone then.
    let refuses = "#!/bin/sh\nif grep -q pc7 FOLDER/dhcp/dnsmasq.conf; then\npid=$(cat FOLDER/dnsmasq/pid)\nkill -9 $pid\n\
                   while grep -q '^[0-9]* (dnsmasq) [^ZX]' /proc/$pid/stat 2>/dev/null; do sleep 0.02; done\n\
                   echo 'failed to bind DHCP server socket' >&2; exit 2; fi\n\
                   exec /usr/sbin/dnsmasq --conf-file=FOLDER/dhcp/dnsmasq.conf\n";
    let folder = machine.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    write_program(&machine.path("service"), &refuses.replace("FOLDER", folder));
    let said = machine.does(78, &PC7);
    assert!(said.contains("the DHCP server did not take the changes up, so they were undone"), "{said}");
    assert!(said.contains("failed to bind DHCP server socket"), "{said}");
    assert_eq!(machine.text("dhcp/dnsmasq.conf"), main);
    assert_eq!(machine.text("dhcp/options/hosts"), options);
    assert!(machine.serves_host(2) && !machine.serves_host(7), "{said}");
}

#[test]
fn where_another_server_has_the_dhcp_port_nothing_is_edited() {
    let machine = Machine::fresh();
    fs::create_dir(machine.path("dnsmasq")).unwrap();
    machine.write("etc/dnsmasq.conf", "port=0\n");
    machine
        .write("etc/other.conf", "port=0\nuser=root\ndhcp-range=192.168.7.90,192.168.7.99\nleasefile-ro\n");
    let _ends = Ends(&machine);
    let start = "/usr/sbin/dnsmasq --conf-file=/etc/other.conf --pid-file=FOLDER/dnsmasq/pid";
    let said = machine.does_after(start, 78..=78, &fresh("dnsmasq"));
    let pid = machine.text("dnsmasq/pid");
    let words =
        format!("dnsmasq (process {}) has the DHCP port of this machine (UDP 67) already", pid.trim());
    assert!(said.contains(&words), "{said}");
    assert_eq!(machine.text("etc/dnsmasq.conf"), "port=0\n");
    assert!(!machine.path("etc/ghostrc").exists(), "{said}");
    // One that shares the port is for another interface.
    machine.write("etc/dnsmasq.conf", "port=0\nbind-dynamic\n");
    machine.append("etc/other.conf", "bind-dynamic\ninterface=lo\n");
    drop(_ends);
    let _ends = Ends(&machine);
    let said = machine.does_after(start, 0..=78, &fresh("dnsmasq"));
    assert!(machine.text("etc/dnsmasq.conf").contains("dhcp-host=02:00:00:00:00:03"), "{said}");
}

/// As `dnsmasq-base` alone brings it, for the names of virtual machines.
#[test]
fn a_dnsmasq_that_knows_no_client_is_not_taken_for_the_dhcp_server() {
    let machine = Machine::fresh();
    fs::create_dir(machine.path("dnsmasq")).unwrap();
    machine.write("etc/names.conf", "user=root\nport=0\n");
    let _ends = Ends(&machine);
    let start = "/usr/sbin/dnsmasq --conf-file=/etc/names.conf --pid-file=FOLDER/dnsmasq/pid";
    let said = machine.does_after(start, 0..=0, &FRESH);
    assert!(machine.text("etc/dhcp/dhcpd.conf").contains("host pc2 {"), "{said}");
    assert!(!machine.text("etc/ghostrc").contains("DHCPSERVER="), "{}", machine.text("etc/ghostrc"));
    let said = machine.does_after("", 0..=78, &["doctor"]);
    let words = "it is taken for ISC dhcpd, since no server with clients is seen to run, and its configuration is there";
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_client_of_a_proxy_is_declared_by_one_command_with_the_address_that_the_other_server_gives_it() {
    let machine = Machine::with_proxy();
    let before = machine.text("dhcp/proxy.conf");
    let said = machine.does(0, &["hosts", "add", "--yes", "pc3", "2:0:0:0:0:3"]);
    let words = "192.168.7.3 is the address that the DHCP server 192.168.7.126 gives 02:00:00:00:00:03 now";
    assert!(said.contains(words), "{said}");
    // As the lines of that file end.
    let line = "\r\ndhcp-host=02:00:00:00:00:03,set:nobackup,192.168.7.3,pc3\r\n";
    assert_eq!(machine.text("dhcp/proxy.conf"), format!("{before}{line}"));
    assert!(!machine.does(0, &["hosts"]).contains("pc3: "), "it can have jobs");
    let added = machine.text("dhcp/proxy.conf");
    let said = machine.does(0, &["hosts", "add", "--yes", "pc3", "2:0:0:0:0:3", "192.168.7.3"]);
    assert!(said.contains("nothing is to be changed"), "{said}");
    assert_eq!(machine.text("dhcp/proxy.conf"), added);
}
