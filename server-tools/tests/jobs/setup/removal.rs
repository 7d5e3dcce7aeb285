//! Given what setup made and what became of it since, does a removal harm nobody and finish what it began?

use std::fs;

use super::FRESH;
use super::machine::Machine;

const ADD: [&str; 6] = ["hosts", "add", "--yes", "pc7", "2:0:0:0:0:7", "192.168.7.7"];
const REMOVE: [&str; 3] = ["setup", "--remove", "--yes"];

#[test]
fn nothing_goes_while_a_host_is_swapped_by_hand() {
    let machine = Machine::with_dhcpd();
    machine.does(0, &ADD);
    machine.does(0, &["dhcp", "swap", "pc7"]);
    let swapped = machine.server().configured();
    let told = machine.does(78, &REMOVE);
    assert!(told.contains("pc7 was swapped by 'ghostctl dhcp swap'"), "{told}");
    assert!(told.contains("'ghostctl dhcp revert pc7'"), "{told}");
    // Neither does one of which the record is lost.
    for name in ["pc7.json", "pc7.json.copy"] {
        fs::remove_file(machine.path("state/by-hand").join(name)).unwrap();
    }
    let told = machine.does(78, &REMOVE);
    assert!(told.contains("pc7: DHCP offers it the boot file pxelinux.0"), "{told}");
    assert_eq!(machine.server().configured(), swapped);
}

#[test]
fn what_is_swapped_by_hand_is_told_to_the_package() {
    let machine = Machine::with_dhcpd();
    assert_eq!(machine.does(0, &["--json", "status", "--swapped"]), "");
    machine.does(0, &["dhcp", "swap", "pc2"]);
    let told = machine.does(0, &["--json", "status", "--swapped"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&told).unwrap()["host"], "pc2");
    let told = machine.does(0, &["status", "--swapped"]);
    assert!(told.starts_with("pc2 was swapped by 'ghostctl dhcp swap'"), "{told}");
    assert_eq!(machine.does(0, &["status"]), "no job is running\n");
}

#[test]
fn nothing_goes_while_a_run_uses_the_base_root() {
    let machine = Machine::with_dhcpd();
    machine.does(0, &ADD);
    let lock = fs::File::open(machine.path("state/base-root.lock"))
        .unwrap_or_else(|_| fs::File::create(machine.path("state/base-root.lock")).unwrap());
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockShared).unwrap();
    let told = machine.does(75, &["--lock-timeout", "0", "setup", "--remove", "--yes"]);
    assert!(told.contains("the clients' base root is in use by "), "{told}");
    assert!(machine.serves_host(7));
    drop(lock);
    machine.does(0, &REMOVE);
}

#[test]
fn defaults_are_put_back_before_the_dhcp_server_is_restarted() {
    let machine = Machine::with_dhcpd();
    machine.write("etc/default/isc-dhcp-server", "INTERFACESv4=\"\"\n");
    machine.does_after("", 0..=78, &["setup", "--yes", "--without-root", "--import", "/etc/machines.csv"]);
    let service = machine.text("service");
    machine.write(
        "service",
        &service
            .replacen("flock 9\n", "flock 9\ncp /etc/default/isc-dhcp-server FOLDER/seen\n", 1)
            .replace("FOLDER", machine.path("").to_str().unwrap()),
    );
    machine.does(0, &REMOVE);
    assert_eq!(machine.text("seen"), "INTERFACESv4=\"\"\n");
}

#[test]
fn a_configuration_that_is_changed_meanwhile_stays() {
    let machine = Machine::fresh();
    machine.write("etc/systemd/system/tftpd-hpa.service", "[Service]\n");
    machine.does_after("mkdir -p /run/systemd/system", 0..=0, &FRESH);
    let subnet = "subnet 10.1.0.0 netmask 255.255.255.0 { range 10.1.0.9 10.1.0.20; }";
    machine.write("at-stop", &format!("echo '{subnet}' >> /etc/dhcp/dhcpd.conf\n"));
    let told = machine.does_after("mkdir -p /run/systemd/system", 75..=75, &REMOVE);
    assert!(told.contains("/etc/dhcp/dhcpd.conf has been changed since"), "{told}");
    assert!(machine.text("etc/dhcp/dhcpd.conf").ends_with(&format!("{subnet}\n")));
    assert!(machine.path("etc/ghostrc").exists());
    fs::remove_file(machine.path("at-stop")).unwrap();
    machine.does_after("mkdir -p /run/systemd/system", 0..=0, &REMOVE);
    assert_eq!(machine.text("etc/dhcp/dhcpd.conf"), format!("{subnet}\n"));
}

#[test]
fn a_restart_that_fails_is_made_up_for() {
    let machine = Machine::with_dhcpd();
    machine.does(0, &ADD);
    machine.server().never_take_up();
    let told = machine.does_after("", 1..=78, &REMOVE);
    assert!(told.contains("no such luck") && told.contains("left undone"), "{told}");
    assert!(machine.serves_host(7));
    machine.server().take_up_again();
    let told = machine.does(0, &REMOVE);
    assert!(!told.contains("has been changed since"), "{told}");
    assert!(!machine.serves_host(7), "{told}");
    assert!(machine.does(0, &REMOVE).contains("nothing is to be taken away"));
}

#[test]
fn a_set_up_that_was_killed_before_the_restart_is_made_up_for() {
    let machine = Machine::with_dhcpd();
    machine.is_killed_at("setup-before-take-up", &ADD);
    let before = machine.server().restarts();
    let told = machine.does(0, &ADD);
    assert!(machine.server().restarts() > before && machine.serves_host(7), "{told}");
    assert!(machine.does(0, &ADD).contains("nothing is to be changed"));
}

#[test]
fn a_network_that_others_live_in_by_now_stays() {
    let machine = Machine::fresh();
    machine.write("etc/dhcp/dhcpd.conf", "# mine\nsubnet 10.1.0.0 netmask 255.255.255.0 { }\n");
    machine.does(0, &FRESH);
    machine.append(
        "etc/dhcp/dhcpd.conf",
        "host printer { hardware ethernet 2:0:0:0:0:77; fixed-address 192.168.7.77; }\n",
    );
    let told = machine.does(0, &REMOVE);
    assert!(told.contains("the network of printer stays"), "{told}");
    let left = machine.text("etc/dhcp/dhcpd.conf");
    assert!(left.contains("subnet 192.168.7.0 ") && !left.contains("host pc2"), "{left}");
}

#[test]
fn a_base_root_of_root_build_goes_too_and_one_of_others_is_named() {
    let machine = Machine::fresh();
    let without_root: Vec<&str> = FRESH.iter().copied().chain(["--without-root"]).collect();
    machine.does_after("", 0..=78, &without_root);
    machine.does(0, &["root", "build"]);
    assert!(machine.path("tftp/vmlinuz").exists());
    let told = machine.does(0, &REMOVE);
    assert!(!machine.path("srv/ghost4linux").exists() && !machine.path("tftp/vmlinuz").exists(), "{told}");

    let machine = Machine::fresh();
    machine.does_after("", 0..=78, &without_root);
    fs::create_dir_all(machine.path("srv/ghost4linux/base")).unwrap();
    machine.does(0, &["root", "build"]);
    let told = machine.does(0, &REMOVE);
    assert!(told.contains("the base root /srv/ghost4linux/base stays"), "{told}");
    assert!(!machine.path("tftp/vmlinuz").exists() && machine.path("srv/ghost4linux/base").exists());
}

#[test]
fn of_a_list_only_the_host_that_was_changed_stays() {
    for (server, file) in [
        ("isc", "etc/dhcp/dhcpd.conf"),
        ("kea", "etc/kea/kea-dhcp4.conf"),
        ("dnsmasq", "etc/dnsmasq.conf"),
        ("proxy", "etc/ghost4linux/proxy.conf"),
    ] {
        for (changed, other) in [("pc2", "pc3"), ("pc3", "pc2")] {
            let machine = Machine::fresh();
            let setup = [&FRESH[..], &["--dhcp-server", server]].concat();
            machine.does_after("", 0..=78, &setup);
            let number = changed.trim_start_matches("pc");
            let text = machine.text(file);
            let (mac, new) = (format!("02:00:00:00:00:0{number}"), format!("02:00:00:00:00:3{number}"));
            assert_eq!(text.matches(&mac).count(), 1, "{server}: {text}");
            machine.write(file, &text.replace(&mac, &new));
            let told = machine.does_after("", 0..=0, &REMOVE);
            let words = format!("{changed} has been changed since, so it stays; remove it by hand");
            assert!(told.contains(&words), "{server}, {changed}: {told}");
            let left = machine.text(file);
            assert!(left.contains(&new) && !left.contains(other), "{server}, {changed}: {left}");
        }
    }
}

#[test]
fn a_host_that_was_commented_out_takes_no_line_of_others_with_it() {
    let machine = Machine::fresh();
    machine.does_after("", 0..=78, &[&FRESH[..], &["--dhcp-server", "dnsmasq"]].concat());
    let text = machine
        .text("etc/dnsmasq.conf")
        .replace("dhcp-host=02:00:00:00:00:03", "#dhcp-host=02:00:00:00:00:03");
    machine.write("etc/dnsmasq.conf", &(text + "domain-needed\n"));
    machine.does(0, &REMOVE);
    let left = machine.text("etc/dnsmasq.conf");
    assert_eq!(left, "#dhcp-host=02:00:00:00:00:03,set:pc3,192.168.7.3,pc3\ndomain-needed\n");
}

#[test]
fn a_list_that_an_earlier_version_wrote_as_one_goes_too() {
    let machine = Machine::fresh();
    machine.does(0, &FRESH);
    // It noted all hosts of a command as one.
    let path = "varlib/ghost4linux/setup.json";
    let noted = machine.text(path);
    let mut made: serde_json::Value = serde_json::from_str(noted.rsplit_once(' ').unwrap().0).unwrap();
    let written = made["written"].as_array_mut().unwrap();
    let mut one: Option<serde_json::Value> = None;
    written.retain(|stretch| {
        let text = stretch["text"].as_str().unwrap();
        if !text.contains("host pc") {
            return true;
        }
        let all = one.as_ref().map_or("", |one| one["text"].as_str().unwrap()).to_owned() + text;
        one = Some(serde_json::json!({ "file": stretch["file"], "text": all, "was": "" }));
        false
    });
    written.extend(one);
    machine.write(path, &made.to_string());
    machine.does(0, &REMOVE);
    assert!(!machine.path("etc/dhcp/dhcpd.conf").exists() && !machine.path(path).exists());
}

#[test]
fn a_dhcp_server_whose_package_is_gone_holds_nothing_else_up() {
    let machine = Machine::fresh();
    machine.write("etc/dhcp/dhcpd.conf", "# mine\n");
    machine.does(0, &FRESH);
    let configured = machine.text("etc/dhcp/dhcpd.conf");
    let told = machine.does_after("mount --bind /dev/null /usr/sbin/dhcpd", 0..=0, &REMOVE);
    assert!(
        told.contains("note: what was put into /etc/dhcp/dhcpd.conf stays, since ISC dhcpd is gone"),
        "{told}"
    );
    assert_eq!(machine.text("etc/dhcp/dhcpd.conf"), configured);
    assert!(!machine.path("etc/ghostrc").exists() && !machine.path("srv/ghost4linux").exists(), "{told}");
    // Set up again, it is known what can be taken out.
    machine.does(0, &FRESH);
    machine.does(0, &REMOVE);
    assert_eq!(machine.text("etc/dhcp/dhcpd.conf"), "# mine\n");
}
