//! Given a machine, does `ghostctl setup` make a boot server of it, once and as it was shown, and take that away again?
//!
//! The machine is this one with folders of its own in the places of /etc, /srv, /home, /var/lib and /run, so that the real paths are written to and nothing of
//! this machine is. dhcpd checks what is written; `exportfs`, `systemctl` and what makes a base root are stand-ins.

mod at_once;
mod called;
mod elsewhere;
mod exported;
mod machine;
mod of_2005;
mod other_servers;
mod removal;
mod units;

use std::fs;

use machine::Machine;

const FRESH: [&str; 6] = ["setup", "--yes", "--subnet", "192.168.7.0/25", "--import", "/etc/machines.csv"];

/// As Debian's package has it, without most of the comments: no network is declared.
const DEBIANS: &str = "# dhcpd.conf\n\noption domain-name \"example.org\";\noption domain-name-servers ns1.example.org, ns2.example.org;\n\n\
    default-lease-time 600;\nmax-lease-time 7200;\n\nddns-update-style none;\n\n#authoritative;\n\n#subnet 10.152.187.0 netmask 255.255.255.0 {\n#}\n";

/// What every file in these folders holds.
fn held(machine: &Machine) -> Vec<(String, Vec<u8>)> {
    machine.files(&["etc", "srv", "tftp"])
}

#[test]
fn a_fresh_machine_becomes_a_boot_server_once() {
    let machine = Machine::fresh();
    let said = machine.does(0, &FRESH);
    let ghostrc = machine.text("etc/ghostrc");
    assert!(ghostrc.contains("PXEADDR=192.168.7.1 ") && ghostrc.contains("EXPORTS=job "), "{ghostrc}");
    let dhcpd = machine.text("etc/dhcp/dhcpd.conf");
    assert!(dhcpd.contains("subnet 192.168.7.0 netmask 255.255.255.128 {"), "{dhcpd}");
    assert!(dhcpd.contains("host pc2 {\n        hardware ethernet 02:00:00:00:00:02;\n        fixed-address 192.168.7.2;\n        filename \"nobackup\";\n}"), "{dhcpd}");
    let exports = machine.text("etc/exports.d/ghost4linux.exports");
    assert!(
        exports.contains("/srv/ghost4linux/base 192.168.7.2(ro,")
            && !exports.contains("rw,")
            && exports.lines().filter(|line| line.starts_with('/')).count() == 1,
        "the rest is exported while a client has a job: {exports}"
    );
    let base = "/srv/ghost4linux/base 192.168.7.2\n/srv/ghost4linux/base 192.168.7.3\n";
    assert_eq!(machine.text("exports"), format!("/srv\n{base}"));
    assert!(
        machine.path("srv/ghost/pc2").is_dir()
            && machine.path("srv/ghost4linux/base.trees/192.168.7.3").is_dir()
    );
    assert_eq!(machine.text("tftp/vmlinuz"), "a kernel");
    // In what was shown beforehand is all that was written, and it ends with what doctor says.
    for line in ghostrc.lines().chain(dhcpd.lines()).chain(exports.lines()) {
        assert!(said.contains(&format!("    +{line}")), "{line}: {said}");
    }
    assert!(said.contains("\ngood     hosts: 2 can have jobs: pc2, pc3\n"), "{said}");
    // No dhcpd runs here: setup could not have started one without systemd.
    let start = "start the DHCP server, and have it listen on the interface that leads to it";
    assert!(said.ends_with(&format!("next     pc2: {start}\nnext     pc3: {start}\n")), "{said}");

    let before = held(&machine);
    let said = machine.does(0, &FRESH);
    assert!(said.contains("nothing is to be changed\n") && held(&machine) == before, "{said}");
    let said = machine.does(0, &["setup", "--yes"]);
    assert!(said.contains("nothing is to be changed\n") && held(&machine) == before, "{said}");
}

#[test]
fn what_is_to_come_over_http_makes_the_boot_files_of_a_server_anew_once() {
    let machine = Machine::fresh();
    machine.does(0, &FRESH);
    let over_http = ["setup", "--yes", "--http-boot"];
    let said = machine.does(0, &over_http);
    assert!(said.contains("+HTTPBOOT=yes ") && said.contains("done: make the base root"), "{said}");
    assert_eq!(machine.text("tftp/grub/grub.cfg"), "linux (http,1)/vmlinuz\n");
    for words in [&over_http[..], &over_http[..2]] {
        let said = machine.does(0, words);
        assert!(said.contains("nothing is to be changed\n"), "{said}");
    }
}

#[test]
fn what_setup_made_goes_and_the_machine_is_as_it_was() {
    let machine = Machine::fresh();
    let before = held(&machine);
    machine.does(0, &FRESH);
    fs::write(machine.path("srv/ghost/pc2/image"), "an image").unwrap();
    let said = machine.does(0, &["setup", "--remove", "--yes"]);
    assert!(said.contains("note: /srv/ghost and its images stay as they are"), "{said}");
    let image = ("srv/ghost/pc2/image".to_owned(), b"an image".to_vec());
    let now: Vec<_> = held(&machine)
        .into_iter()
        .filter(|file| *file != image && !file.0.ends_with("ghostctl-lock"))
        .collect();
    assert_eq!(now, before);
    assert!(!machine.path("varlib/ghost4linux/setup.json").exists());
    assert!(!machine.path("srv/ghost4linux/base").exists());
}

#[test]
fn what_an_administrator_changed_since_stays() {
    let machine = Machine::fresh();
    machine.does(0, &FRESH);
    machine.append("etc/ghostrc", "GROUP_lab1='pc2 pc3'\n");
    machine.append(
        "etc/dhcp/dhcpd.conf",
        "host printer { hardware ethernet 2:0:0:0:0:77; fixed-address 192.168.7.77; }\n",
    );
    machine.append("tftp/vmlinuz", ", another one");
    let said = machine.does(0, &["setup", "--remove", "--yes"]);
    assert!(said.contains("/etc/ghostrc has been changed since, so it stays"), "{said}");
    assert!(said.contains("/vmlinuz is not as it was copied, so it stays"), "{said}");
    let dhcpd = machine.text("etc/dhcp/dhcpd.conf");
    let printer = "host printer { hardware ethernet 2:0:0:0:0:77; fixed-address 192.168.7.77; }\n";
    assert!(dhcpd.ends_with(printer) && dhcpd.contains("\nsubnet 192.168.7.0 "), "{dhcpd}");
    assert!(!dhcpd.contains("host pc"), "{dhcpd}");
    assert!(machine.text("etc/ghostrc").contains("GROUP_lab1"));
    assert_eq!(machine.text("tftp/vmlinuz"), "a kernel, another one");
}

#[test]
fn without_a_yes_nothing_is_done() {
    let machine = Machine::fresh();
    let before = machine.files(&["etc", "srv", "tftp", "varlib"]);
    let said = machine.does(2, &["setup", "--subnet", "192.168.7.0/25"]);
    assert!(
        said.contains("will write the DHCP configuration /etc/dhcp/dhcpd.conf")
            && said.contains("give --yes"),
        "{said}"
    );
    machine.does(0, &["setup", "--dry-run", "--subnet", "192.168.7.0/25"]);
    machine.does(2, &["setup", "--yes", "--import", "/etc/nothing.csv"]);
    machine.does(2, &["setup", "--remove", "--yes", "--dhcp-configuration", "/etc/dhcp/other.conf"]);
    fs::write(machine.path("etc/bad.csv"), "pc1,1,2\n").unwrap();
    let said = machine.does(2, &["setup", "--yes", "--import", "/etc/bad.csv"]);
    assert!(said.contains("/etc/bad.csv:1:1: this line is neither"), "{said}");
    fs::remove_file(machine.path("etc/bad.csv")).unwrap();
    assert_eq!(machine.files(&["etc", "srv", "tftp", "varlib"]), before);
}

#[test]
fn of_several_networks_the_clients_is_taken_and_a_strange_one_refused() {
    let machine = Machine::fresh();
    machine.does_after("ip link add wan type dummy && ip addr add 203.0.113.9/24 dev wan && ip link set wan up && ip route add default via 203.0.113.1", 0..=0, &FRESH);
    assert!(machine.text("etc/ghostrc").contains("PXEADDR=192.168.7.1 "));
    let machine = Machine::fresh();
    let said = machine.does(2, &["setup", "--yes", "--subnet", "10.9.0.0/24"]);
    assert!(
        said.contains("no interface of this machine has an address in 10.9.0.0/24: give --address"),
        "{said}"
    );
}

#[test]
fn readmes_order_holds_on_debian_as_it_is() {
    let machine = Machine::fresh();
    machine.write("etc/dhcp/dhcpd.conf", DEBIANS);
    let said = machine.does(0, &["setup", "--yes"]);
    assert!(said.contains("if this machine shall be its DHCP server, give --subnet NETWORK first"), "{said}");
    assert_eq!(machine.text("etc/dhcp/dhcpd.conf"), DEBIANS);
    let said = machine.does(78, &["hosts", "add", "--yes", "pc7", "2:0:0:0:0:7", "192.168.7.7"]);
    assert!(said.contains("192.168.7.7; 'ghostctl setup --subnet NETWORK' declares one"), "{said}");
    machine.does(0, &FRESH);
    let now = machine.text("etc/dhcp/dhcpd.conf");
    assert!(
        now.starts_with(DEBIANS) && now.contains("\nsubnet 192.168.7.0 ") && now.contains("host pc3 {"),
        "{now}"
    );
}

#[test]
fn setup_asks_for_the_network_on_debian_as_it_is() {
    let machine = Machine::fresh();
    machine.write("etc/dhcp/dhcpd.conf", DEBIANS);
    let (status, said) = machine.answers(&["", "", "", "192.168.7.0/25", "", "yes"], &["setup"]);
    assert!(
        said.contains("The DHCP configuration has no network. ")
            && said.contains("192.168.7.0/25, or no [no]: "),
        "{said}"
    );
    assert_eq!(status, Some(0), "{said}");
    assert!(machine.text("etc/dhcp/dhcpd.conf").contains("\nsubnet 192.168.7.0 "), "{said}");
    assert!(!said.contains("give --subnet NETWORK first"), "{said}");
}

#[test]
fn boot_files_of_others_are_told_before_anything_is_made() {
    let machine = Machine::fresh();
    machine.write("tftp/pxelinux.cfg/default", "boots an installer");
    let before = machine.files(&["etc", "srv", "tftp", "varlib"]);
    let said = machine.does(78, &FRESH);
    assert!(
        said.contains("not ours: pxelinux.cfg/default. ") && said.contains("setup --address, --tftp"),
        "{said}"
    );
    assert!(!said.contains("stand-in for rootfs/build"), "{said}");
    assert_eq!(machine.files(&["etc", "srv", "tftp", "varlib"]), before);
    // The TFTP server of these tests does not serve it.
    machine.does(78, &[&FRESH[..], &["--tftp", "/srv/ghost4linux/netboot"]].concat());
    assert_eq!(machine.text("srv/ghost4linux/netboot/pxelinux.cfg/default"), "default\n");
    assert_eq!(machine.text("tftp/pxelinux.cfg/default"), "boots an installer");
}

#[test]
fn json_is_json_in_both_directions() {
    let machine = Machine::fresh();
    for words in [
        ["--json", "setup", "--yes", "--import", "/etc/machines.csv", "--subnet", "192.168.7.0/25"]
            .as_slice(),
        &["--json", "setup", "--remove", "--yes"],
    ] {
        let said = machine.does(0, words);
        assert!(said.lines().count() > 5, "{said}");
        for line in said.lines() {
            assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
        }
    }
}

#[test]
fn a_configuration_that_has_grown_keeps_every_byte() {
    let machine = Machine::fresh();
    let grown = "# of 1998 to now\r\nddns-update-style none;\r\nsubnet 192.168.7.0 netmask 255.255.255.128 {\r\n  range 192.168.7.100 192.168.7.120;\r\n\
                 \x20 group { next-server 192.168.7.1; host pc9 { hardware ethernet 2:0:0:0:0:9; fixed-address 192.168.7.9; filename \"nobackup\"; } }\r\n}\r\n";
    machine.write("etc/dhcp/dhcpd.conf", grown);
    machine.write("etc/default/isc-dhcp-server", "INTERFACESv4=\"\"\nINTERFACESv6=\"\"\n");
    machine.does(0, &["setup", "--yes", "--import", "/etc/machines.csv"]);
    let now = machine.text("etc/dhcp/dhcpd.conf");
    assert!(now.starts_with(grown) && now.ends_with("}\r\n") && now.contains("host pc3 {\r\n"), "{now:?}");
    assert_eq!(machine.text("etc/default/isc-dhcp-server"), "INTERFACESv4=\"br0\"\nINTERFACESv6=\"\"\n");
    machine.does(0, &["setup", "--remove", "--yes"]);
    assert_eq!(machine.text("etc/dhcp/dhcpd.conf"), grown);
    assert_eq!(machine.text("etc/default/isc-dhcp-server"), "INTERFACESv4=\"\"\nINTERFACESv6=\"\"\n");
}

#[test]
fn a_dhcpd_with_other_networks_goes_on_listening_on_their_interfaces() {
    let grown = "subnet 10.1.0.0 netmask 255.255.255.0 { range 10.1.0.10 10.1.0.99; }\nsubnet 192.168.7.0 netmask 255.255.255.128 { }\n";
    let one = grown.lines().last().unwrap();
    for (configuration, defaults) in
        [(grown, "INTERFACESv4=\"\"\n"), (one, "INTERFACES=\"eth1\"\nINTERFACESv4=\"\"\n")]
    {
        let machine = Machine::fresh();
        machine.write("etc/dhcp/dhcpd.conf", configuration);
        machine.write("etc/default/isc-dhcp-server", defaults);
        machine.does(0, &["setup", "--yes", "--import", "/etc/machines.csv"]);
        assert!(machine.text("etc/dhcp/dhcpd.conf").contains("host pc3 {"));
        assert_eq!(machine.text("etc/default/isc-dhcp-server"), defaults);
    }
}

#[test]
fn a_second_network_on_another_interface_is_served_and_its_clients_are_looked_for_there() {
    let machine = Machine::fresh();
    machine.write("etc/default/isc-dhcp-server", "INTERFACESv4=\"\"\nINTERFACESv6=\"\"\n");
    machine.does(0, &[&FRESH[..], &["--interface", "br0"]].concat());
    assert!(!machine.text("etc/ghostrc").contains("INTERFACE="), "{}", machine.text("etc/ghostrc"));
    let link = "ip link add eth1 type veth peer name far1 && ip addr add 10.1.0.1/24 dev eth1 && ip link set eth1 up && ip link set far1 up";
    let said = machine.does_after(link, 2..=2, &["setup", "--yes", "--interface", "eth1"]);
    assert!(
        said.contains("--interface contradicts PXEADDR in ghostrc, which is an address of br0"),
        "{said}"
    );
    machine.write("etc/more.csv", "jane,02:00:00:00:00:33,10.1.0.33\n");
    let second =
        ["setup", "--yes", "--interface", "eth1", "--subnet", "10.1.0.0/24", "--import", "/etc/more.csv"];
    machine.does(0, &second);
    let defaults = "INTERFACESv4=\"br0 eth1\"\nINTERFACESv6=\"\"\n";
    assert_eq!(machine.text("etc/default/isc-dhcp-server"), defaults);
    // PXEADDR is in the first network, and this machine itself leads there.
    let subnet = "subnet 10.1.0.0 netmask 255.255.255.0 {\n        option routers 10.1.0.1;\n";
    assert!(machine.text("etc/dhcp/dhcpd.conf").contains(subnet), "{}", machine.text("etc/dhcp/dhcpd.conf"));
    // The interface is known by the network, too.
    let said = machine.does(0, &[&second[..2], &second[4..]].concat());
    assert!(said.contains("nothing is to be changed\n"), "{said}");
    assert!(said.contains("192.168.7.1 (PXEADDR) is not in 10.1.0.0/24: "), "{said}");
    machine.without("etc/dhcp/dhcpd.conf", "        option routers 10.1.0.1;\n");
    let said = machine.does(0, &["doctor"]);
    let words = "warning  booting: jane: the boot server's address 192.168.7.1 (PXEADDR) is not in the network 10.1.0.0/24, and that network";
    let mend = "mend: write 'option routers 10.1.0.1;', which is this machine's address there, into";
    assert!(said.contains(words) && said.contains(mend), "{said}");
    machine.append("etc/ghostrc", "INTERFACE=br0\n");
    let said = machine.does(78, &["doctor"]);
    let words = "BAD      wake: jane: magic packets leave by br0, but its network is on eth1\n         mend: set INTERFACE_jane=eth1";
    assert!(said.contains(words) && !said.contains("is behind a router"), "{said}");
}

/// As another machine of the test has it, with a network of its own on eth1.
const ETH1: &str = "ip link add eth1 type veth peer name far1 && ip addr add 10.1.0.1/24 dev eth1 && ip link set eth1 up && ip link set far1 up";

#[test]
fn interfaces_that_an_earlier_version_left_out_are_named_by_setup_and_told_by_doctor() {
    let machine = Machine::fresh();
    let far = "subnet 10.1.0.0 netmask 255.255.255.0 { }\nhost printer { hardware ethernet 2:0:0:0:0:77; fixed-address 10.1.0.77; }\n";
    machine.write("etc/default/isc-dhcp-server", "INTERFACESv4=\"\"\n");
    // It named the one that it was about, and the other network was overlooked.
    machine.does(0, &FRESH);
    machine.append("etc/dhcp/dhcpd.conf", far);
    assert_eq!(machine.text("etc/default/isc-dhcp-server"), "INTERFACESv4=\"br0\"\n");
    let said = machine.does_after(ETH1, 0..=78, &["doctor"]);
    let words = "warning  DHCP server: printer: the DHCP server does not listen on eth1, which is in their network, but on br0 only\n         \
                 mend: add eth1 to those that INTERFACESv4 in /etc/default/isc-dhcp-server names, and restart isc-dhcp-server\n";
    assert!(said.contains(words), "{said}");
    let said = machine.does_after(ETH1, 0..=78, &["setup", "--yes"]);
    assert_eq!(machine.text("etc/default/isc-dhcp-server"), "INTERFACESv4=\"br0 eth1\"\n", "{said}");
    assert!(!machine.does(0, &["doctor"]).contains("does not listen on"));
}

#[test]
fn a_dnsmasq_of_the_sites_own_that_listens_elsewhere_than_where_a_client_is_is_told() {
    let machine = Machine::fresh();
    machine
        .write("etc/dnsmasq.conf", "port=0\ninterface=eth9\ndhcp-range=192.168.7.0,static,255.255.255.128\n");
    let setup = [&FRESH[..2], &["--dhcp-server", "dnsmasq"], &FRESH[4..]].concat();
    let said = machine.does_after("", 0..=78, &setup);
    let words = "warning  DHCP server: pc2, pc3: the DHCP server does not listen on br0, which is in their network, but on eth9 only\n         \
                 mend: add br0 to those that interface= in /etc/dnsmasq.conf names, and restart dnsmasq\n";
    assert!(said.contains(words), "{said}");
    machine.append("etc/dnsmasq.conf", "interface=br0\n");
    assert!(!machine.does_after("", 0..=78, &["doctor"]).contains("does not listen on"));
}

#[test]
fn what_dhcpd_does_not_accept_is_not_written() {
    let machine = Machine::fresh();
    let odd =
        "subnet 192.168.7.0 netmask 255.255.255.128 { next-server 192.168.7.1; }\nno-such-statement 7;\n";
    machine.write("etc/dhcp/dhcpd.conf", odd);
    let said = machine.does(78, &["setup", "--yes", "--import", "/etc/machines.csv"]);
    assert!(said.contains("the DHCP server would not accept the edited configuration"), "{said}");
    assert!(
        said.contains("left undone: make the folders of pc2, pc3") && said.contains("give the command again"),
        "{said}"
    );
    assert_eq!(machine.text("etc/dhcp/dhcpd.conf"), odd);
    machine.write("etc/dhcp/dhcpd.conf", odd.lines().next().unwrap());
    machine.does(0, &["setup", "--yes", "--import", "/etc/machines.csv"]);
    machine.does(0, &["setup", "--remove", "--yes"]);
    assert_eq!(machine.text("etc/dhcp/dhcpd.conf"), odd.lines().next().unwrap());
}

#[test]
fn whatever_fails_is_told_with_what_is_left_and_mended_by_another_run() {
    for (what, spoil, mend) in [
        ("read-only", "mount --bind /etc/dhcp /etc/dhcp && mount -o remount,bind,ro /etc/dhcp", ""),
        (
            "full",
            "mount -t tmpfs -o size=4k tmpfs /etc/exports.d && head -c 4096 /dev/zero >/etc/exports.d/full",
            "",
        ),
        ("refused", "touch FOLDER/exportfs-refuses", "rm FOLDER/exportfs-refuses"),
    ] {
        let machine = Machine::fresh();
        machine.write("etc/dhcp/empty", "");
        fs::create_dir(machine.path("etc/exports.d")).unwrap();
        let said = machine.does_after(spoil, 1..=78, &FRESH);
        assert!(said.contains("done: write /etc/ghostrc\n"), "{what}: {said}");
        assert!(
            said.contains("ghostctl: cannot ") && said.contains("give the command again"),
            "{what}: {said}"
        );
        if what != "refused" {
            assert!(said.contains("left undone: "), "{what}: {said}");
        }
        let said = machine.does_after(mend, 0..=0, &FRESH);
        assert!(said.contains("good     hosts: 2 can have jobs"), "{what}: {said}");
        assert!(machine.text("exports").ends_with("/srv/ghost4linux/base 192.168.7.3\n"), "{what}");
    }
}

#[test]
fn a_new_host_comes_with_its_exports() {
    let machine = Machine::fresh();
    machine.does(0, &FRESH);
    let before = machine.text("etc/dhcp/dhcpd.conf");
    machine.does(2, &["hosts", "add", "pc7", "2:0:0:0:0:7", "192.168.7.7"]);
    assert_eq!(machine.text("etc/dhcp/dhcpd.conf"), before);
    let said = machine.does(0, &["hosts", "add", "--yes", "pc7", "2:0:0:0:0:7", "192.168.7.7"]);
    assert!(said.contains("    +host pc7 {\n"), "{said}");
    assert!(machine.text("etc/dhcp/dhcpd.conf").starts_with(&before));
    assert!(machine.text("etc/exports.d/ghost4linux.exports").contains("    192.168.7.7(ro,"));
    assert!(machine.path("srv/ghost/.clients/pc7").is_dir());
    assert!(machine.text("exports").contains("/srv/ghost4linux/base 192.168.7.7\n"));
    let said = machine.does(0, &["hosts", "add", "--yes", "pc7", "2:0:0:0:0:7", "192.168.7.7"]);
    assert!(said.contains("nothing is to be changed\n"), "{said}");
    let said = machine.does(78, &["hosts", "add", "--yes", "pc8", "2:0:0:0:0:7", "192.168.7.8"]);
    assert!(said.contains("since host pc7 has the hardware address"), "{said}");
}

#[test]
fn a_server_that_runs_takes_new_hosts_up() {
    let machine = Machine::with_dhcpd();
    assert!(!machine.serves_host(7));
    machine.does(0, &["hosts", "add", "--yes", "pc7", "2:0:0:0:0:7", "192.168.7.7"]);
    assert!(machine.serves_host(7));
}
