//! A job lasts longer than the lease of its client's address, which the boot loader has handed over or the client has got by itself:
//! `make leases`.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ghost_contract::report::Event;
use ghost_lab::lab::Pc;
use ghost_lab::{DhcpServer, wait};

use crate::boot_files::own_configuration;
use crate::stage::{BOOT, OFF, SOON, Stage};

/// dnsmasq's shortest lease.
const LEASE: Duration = Duration::from_secs(120);
/// So often a lease is granted again in more than its time: clients ask when half of it is over.
const RENEWALS: usize = 4;
/// Longer than that.
const SLEEP: &str = "900";

/// A lab with this DHCP server, which is started anew with leases as short as that.
fn stage(name: &str, server: DhcpServer) -> Stage {
    let stage = Stage::with(name, |config| {
        config.serve_dhcp_by(server);
        config.ghostrc.insert("SLEEP".to_owned(), SLEEP.to_owned());
        config.ghostrc.insert("OFF_LISTEN".to_owned(), "5".to_owned());
    });
    let (file, usual, short) = match server {
        DhcpServer::Dnsmasq => ("etc/dnsmasq.conf", "255.255.255.128,6h", "255.255.255.128,2m"),
        // dhcpd's leases are 300 s at least, unless none may be as long as that.
        _ => ("etc/dhcpd.conf", "max-lease-time 43200", "max-lease-time 120"),
    };
    let path = stage.folder().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches(usual).count(), 1, "{text}");
    fs::write(&path, text.replace(usual, short)).unwrap();
    stage
}

/// How often the server has granted this PC its address.
fn grants(stage: &Stage, log: &str, pc: &Pc<'_>) -> usize {
    let (mac, ip) = (pc.config().mac.to_string(), pc.config().ip.to_string());
    let said = fs::read_to_string(stage.folder().join(log)).unwrap_or_default();
    said.lines().filter(|line| line.contains("DHCPACK") && line.contains(&mac) && line.contains(&ip)).count()
}

/// Has john, whose boot loader hands its address over, and joe, whose does not, do a job, until both have renewed their leases for
/// longer than one lasts.
fn both_renew(stage: &Stage, log: &str) {
    let [john, joe] = ["john", "joe"].map(|name| stage.pc(name).unwrap());
    let usual = fs::read_to_string(stage.folder().tftp().join("pxelinux.cfg/default")).unwrap();
    assert_eq!(usual.matches("IPAPPEND 3").count(), 1, "{usual}");
    fs::write(own_configuration(stage, &joe), usual.replace("IPAPPEND 3", "IPAPPEND 2")).unwrap();
    let ghostctl = stage.ghostctl(&["test", "john", "joe"]).unwrap();
    let both = [(john, "give eth0 the address 192.168.7.2"), (joe, "get an address for eth0 by DHCP")];
    for (pc, got) in both {
        stage.wait_report(&pc, "the test's start", BOOT, |event| {
            matches!(event, Event::TestStarted { .. }).then_some(())
        });
        assert!(pc.console().unwrap().contains(got), "{}", pc.console().unwrap());
    }
    let before = both.map(|(pc, _)| grants(stage, log, &pc));
    for ((pc, _), before) in both.into_iter().zip(before) {
        let what = format!("the lease of {} to be renewed", pc.config().name);
        let enough = || (grants(stage, log, &pc) >= before + RENEWALS).then_some(());
        wait::until(&what, LEASE * 4, enough).unwrap();
        let has = stage.ssh(pc.config().ip, "busybox ip address show dev eth0").unwrap();
        assert_eq!(has.wait(SOON).unwrap(), 0, "{}", has.text());
        assert_eq!(has.text().matches("inet ").count(), 1, "{}", has.text());
        assert!(has.text().contains(&format!("inet {}/25 ", pc.config().ip)), "{}", has.text());
    }
    for (pc, _) in both {
        pc.press_power_button().unwrap();
        pc.wait_off(OFF).unwrap();
    }
    assert_eq!(ghostctl.wait(BOOT).unwrap(), 1, "{}", ghostctl.text());
}

#[test]
fn a_job_that_is_longer_than_the_lease_keeps_its_address_with_dhcpd() {
    let stage = stage("leases", DhcpServer::Isc);
    let service = stage.folder().dhcpd_service();
    let restart = stage.run(&[service.as_os_str(), "restart".as_ref()]).unwrap();
    assert_eq!(restart.wait(SOON).unwrap(), 0, "{}", restart.text());
    both_renew(&stage, "log/dhcpd.log");
}

#[test]
fn a_job_that_is_longer_than_the_lease_keeps_its_address_with_dnsmasq() {
    let stage = stage("leases-dnsmasq", DhcpServer::Dnsmasq);
    let kill = stage.run(&["pkill", "-KILL", "dnsmasq"]).unwrap();
    assert_eq!(kill.wait(SOON).unwrap(), 0, "{}", kill.text());
    let [program, conf] =
        ["sbin/dnsmasq", "etc/dnsmasq.conf"].map(|file| stage.folder().join(file).display().to_string());
    let _dnsmasq = stage.run(&[program.as_str(), "--keep-in-foreground", "-C", &conf]).unwrap();
    both_renew(&stage, "log/dnsmasq.log");
    // A line begins with when the lease ends: it is one of the renewed, and was never out of the file.
    let leases = fs::read_to_string(stage.folder().join("run/dnsmasq.leases")).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for name in ["john", "joe"] {
        let mac = stage.pc(name).unwrap().config().mac.to_string();
        let line = leases.lines().find(|line| line.contains(&mac)).unwrap_or_else(|| panic!("{leases}"));
        let ends: u64 = line.split(' ').next().unwrap().parse().unwrap();
        assert!(ends > now, "{line}: it is {now}");
    }
}
