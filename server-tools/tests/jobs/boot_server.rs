//! A boot server in a temporary folder: everything that ghostrc names, and a DHCP service that counts restarts.
//! It has a network of its own.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use ghost_contract::MacAddress;
use ghost_contract::sample::effects::write_program;
use ghostctl::catalog::Catalog;
use ghostctl::confined::Parser;
use rustix::process::{Pid, Signal, kill_process};

use super::dhcpd::{self, Dhcpd};
use super::dnsmasq::{self, Dnsmasq};
use super::kea::{self, Kea};
use super::network::Network;
use super::proxy::{self, Proxy};

pub(crate) struct BootServer {
    network: Network,
    /// The folders that have a file system of their own.
    mounted: RefCell<Vec<PathBuf>>,
    dhcp: Dhcp,
    folder: tempfile::TempDir,
}

/// What serves the configuration, and ends with the boot server.
enum Dhcp {
    /// Nobody; it is counted how often it should be taken up.
    Counted,
    Isc {
        _running: Dhcpd,
    },
    Kea {
        running: Kea,
    },
    Dnsmasq {
        running: Dnsmasq,
    },
    Proxy {
        _running: Proxy,
    },
}

/// Where it can be counted how often the DHCP server has taken its configuration up.
pub(crate) struct Restarts {
    log: PathBuf,
    /// What the lines hold that tell of one, in this order.
    marks: &'static [&'static str],
}

impl Restarts {
    pub(crate) fn count(&self) -> usize {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let next =
            |seen: usize, line: &str| seen + usize::from(line.contains(self.marks[seen % self.marks.len()]));
        log.lines().fold(0, next) / self.marks.len()
    }
}

impl Drop for BootServer {
    fn drop(&mut self) {
        for folder in self.mounted.borrow().iter() {
            let _gone = Command::new("umount").arg("--lazy").arg(folder).stderr(Stdio::null()).status();
        }
    }
}

impl BootServer {
    /// One with this many hosts, `pc2` at 192.168.7.2 and so on, and an odd one that always boots from the network.
    pub(crate) fn with_hosts(count: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new(folder.path());
        let server = Self { network, mounted: RefCell::default(), dhcp: Dhcp::Counted, folder };
        for folder in ["base/etc", "base/var/lib", "base/sbin", "store", "dhcp", "tftp"] {
            fs::create_dir_all(server.path(folder)).unwrap();
        }
        fs::write(server.path("base/sbin/ghost-init"), "PID 1").unwrap();
        let hosts: String = (2..2 + count).map(host).collect();
        let configuration = format!(
            "# kept as it is\r\nnext-server 192.168.7.1;\nsubnet 192.168.7.0 netmask 255.255.255.128 {{ }}\nsubnet 192.168.9.0 netmask 255.255.255.0 {{ }}\n{hosts}\
             host fakebox {{ hardware ethernet 2:0:0:0:0:ff; fixed-address 192.168.7.2; filename \"pxelinux.0\"; }}"
        );
        fs::write(server.configuration(), configuration).unwrap();
        fs::write(server.path("base/etc/hostname"), "client\n").unwrap();
        fs::write(server.path("tftp/pxelinux.0"), "boots").unwrap();
        fs::write(server.path("exports"), server.folder.path().to_str().unwrap()).unwrap();
        let service = format!(
            "#!/bin/sh\nwhile [ -e {0}/hold ]; do sleep 0.05; done\n[ ! -e {0}/broken ] || {{ echo no such luck; exit 1; }}\necho \"$1 $(date +%s.%N) $(grep -c pxelinux {0}/dhcp/dhcpd.conf)\" >> {0}/restarts\ncp {0}/dhcp/dhcpd.conf {0}/served\n",
            server.folder.path().display()
        );
        write_program(&server.path("service"), &service);
        let ghostrc = format!(
            "#!/bin/bash\nPXEADDR=192.168.7.1\nPXEBASE={0}/base\nGHSTBASE={0}/store\nGHSTNFS=$PXEADDR:{0}/store\nIMAGER=dosbox-x\n\
             DHCPD={0}/service\nDHCPDCONF={0}/dhcp/dhcpd.conf\nSTATEDIR={0}/state\nTFTPBASE={0}/tftp\nUP_DEADLINE=60\nOFF_LISTEN=0\nRESTART_DISTANCE=0\n",
            server.folder.path().display()
        );
        fs::write(server.path("ghostrc"), ghostrc).unwrap();
        server
    }

    /// As [`Self::with_hosts`], and its DHCP service is ISC dhcpd, which runs already.
    pub(crate) fn with_dhcpd(count: u8) -> Self {
        let mut server = Self::with_hosts(count);
        fs::write(server.path("service"), dhcpd::service(server.folder.path())).unwrap();
        let service = server.path("service");
        // The script is read and not executed: a process that another thread starts may still have it open to write.
        run(server.network.command("bash").arg(service).arg("restart"));
        fs::remove_file(server.path("restarts")).unwrap();
        server.dhcp = Dhcp::Isc { _running: Dhcpd::of(server.folder.path()) };
        server
    }

    /// As [`Self::with_hosts`], and its DHCP server is Kea, which runs already and has the hosts in a file of their own.
    pub(crate) fn with_kea(count: u8) -> Self {
        let mut server = Self::with_hosts(count);
        fs::remove_file(server.configuration()).unwrap();
        server.set("DHCPDCONF", server.path("dhcp/kea-dhcp4.conf").to_str().unwrap());
        let hosts: String = (2..2 + count).map(kea::host).collect();
        fs::write(server.path("dhcp/hosts.json"), format!("// kept as it is\r\n{hosts}")).unwrap();
        fs::write(server.path("dhcp/kea-dhcp4.conf"), kea::configuration(server.folder.path())).unwrap();
        server.dhcp = Dhcp::Kea { running: Kea::start(&server.network, server.folder.path()) };
        server
    }

    /// As [`Self::with_kea`], with dnsmasq.
    pub(crate) fn with_dnsmasq(count: u8) -> Self {
        let mut server = Self::with_hosts(count);
        fs::remove_file(server.configuration()).unwrap();
        server.set("DHCPDCONF", server.path("dhcp/dnsmasq.conf").to_str().unwrap());
        let hosts: String = (2..2 + count).map(dnsmasq::host).collect();
        let options: String = (2..2 + count).map(dnsmasq::option).collect();
        fs::create_dir(server.path("dhcp/options")).unwrap();
        fs::write(server.path("dhcp/options/hosts"), format!("# kept as it is\r\n{options}")).unwrap();
        let configuration = dnsmasq::configuration(server.folder.path(), &hosts);
        fs::write(server.path("dhcp/dnsmasq.conf"), configuration).unwrap();
        server.dhcp = Dhcp::Dnsmasq { running: Dnsmasq::start(&server.network, server.folder.path()) };
        server
    }

    /// As [`Self::with_kea`], with a proxy of ours, and a DHCP server of another machine that gives the addresses.
    pub(crate) fn with_proxy(count: u8) -> Self {
        let hosts: String = (2..2 + count).map(proxy::host).collect();
        let mut server = Self::with_a_proxy(&proxy::configuration(&hosts));
        server.dhcp = Dhcp::Proxy { _running: Proxy::of(&server.network, server.folder.path(), count) };
        server
    }

    /// The same with this configuration, and another DHCP server that gives these machines their addresses.
    pub(crate) fn with_proxy_of(
        configuration: &str,
        machines: impl Iterator<Item = (MacAddress, Ipv4Addr)>,
    ) -> Self {
        let mut server = Self::with_a_proxy(configuration);
        server.dhcp =
            Dhcp::Proxy { _running: Proxy::beside(&server.network, server.folder.path(), machines) };
        server
    }

    fn with_a_proxy(configuration: &str) -> Self {
        let server = Self::with_hosts(1);
        fs::remove_file(server.configuration()).unwrap();
        server.set("DHCPSERVER", "proxy");
        server.set("DHCPDCONF", server.path("dhcp/proxy.conf").to_str().unwrap());
        fs::write(server.path("dhcp/proxy.conf"), configuration).unwrap();
        fs::write(server.path("service"), proxy::service(server.folder.path())).unwrap();
        let service = server.path("service");
        run(server.network.command("bash").arg(service).arg("restart"));
        fs::remove_file(server.path("restarts")).unwrap();
        server
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// The store of this server, read by the program that is tested.
    pub(crate) fn catalog(&self) -> Catalog {
        let parser = Parser::of(env!("CARGO_BIN_EXE_ghostctl"));
        Catalog::new(self.path("store"), self.path("state"), parser)
    }

    /// The file that the hosts are in.
    pub(crate) fn configuration(&self) -> PathBuf {
        match self.dhcp {
            Dhcp::Kea { .. } => self.path("dhcp/hosts.json"),
            Dhcp::Dnsmasq { .. } => self.path("dhcp/options/hosts"),
            Dhcp::Proxy { .. } => self.path("dhcp/proxy.conf"),
            _ => self.path("dhcp/dhcpd.conf"),
        }
    }

    /// What stands in that file of a host that is offered the boot file.
    pub(crate) fn offered_line(&self, number: u8) -> String {
        match self.dhcp {
            Dhcp::Kea { .. } => kea::host(number).replace("nobackup", "pxelinux.0"),
            Dhcp::Dnsmasq { .. } => dnsmasq::swapped(number),
            Dhcp::Proxy { .. } => proxy::swapped(number),
            _ => format!("filename \"pxelinux.0\"; # pc{number}\n"),
        }
    }

    /// Keeps the DHCP server from taking anything up, until [`Self::take_up_again`].
    pub(crate) fn never_take_up(&self) {
        match &self.dhcp {
            Dhcp::Kea { running } => running.hide_socket(),
            Dhcp::Dnsmasq { running } => running.stop(),
            _ => fs::write(self.path("broken"), "").unwrap(),
        }
    }

    pub(crate) fn take_up_again(&self) {
        match &self.dhcp {
            Dhcp::Kea { running } => running.show_socket(),
            Dhcp::Dnsmasq { running } => running.start_again(&self.network),
            _ => fs::remove_file(self.path("broken")).unwrap(),
        }
    }

    /// Ends the DHCP server. Kea and dnsmasq are started by [`Self::start_dhcp`], the others by each restart.
    pub(crate) fn stop_dhcp(&self) {
        match &self.dhcp {
            Dhcp::Kea { running } => running.stop(),
            Dhcp::Dnsmasq { running } => running.stop(),
            Dhcp::Proxy { .. } => self.end("proxy.pid"),
            Dhcp::Isc { .. } => self.end("dhcpd.pid"),
            Dhcp::Counted => {}
        }
    }

    /// Ends the daemon that has this file.
    fn end(&self, pid_file: &str) {
        let pid = fs::read_to_string(self.path(pid_file)).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        let stat = PathBuf::from(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        wait_until("it has ended", || !fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z")));
        fs::remove_file(self.path(pid_file)).unwrap();
    }

    pub(crate) fn restart_dhcp(&self) {
        match &self.dhcp {
            Dhcp::Kea { .. } | Dhcp::Dnsmasq { .. } => {
                self.stop_dhcp();
                self.start_dhcp();
            }
            _ => run(self.network.command("bash").arg(self.path("service")).arg("restart")),
        }
    }

    /// Lets no restart start the server, until [`Self::start_dhcp`].
    pub(crate) fn never_start(&self) {
        fs::write(self.path("broken"), "").unwrap();
    }

    pub(crate) fn start_dhcp(&self) {
        match &self.dhcp {
            Dhcp::Kea { running } => running.start_again(&self.network),
            Dhcp::Dnsmasq { running } => running.start_again(&self.network),
            _ => {
                fs::remove_file(self.path("broken")).unwrap();
                self.restart_dhcp();
            }
        }
    }

    pub(crate) fn configured(&self) -> Vec<u8> {
        fs::read(self.configuration()).unwrap()
    }

    /// How often the DHCP service was restarted.
    pub(crate) fn restarts(&self) -> usize {
        self.counted().count()
    }

    pub(crate) fn counted(&self) -> Restarts {
        match self.dhcp {
            Dhcp::Kea { .. } => Restarts { log: self.path("kea/log"), marks: &kea::RELOADS },
            Dhcp::Dnsmasq { .. } => Restarts { log: self.path("dnsmasq/log"), marks: &dnsmasq::RELOADS },
            _ => Restarts { log: self.path("restarts"), marks: &[""] },
        }
    }

    /// As another `ghostctl` that restarts the DHCP server: until this is dropped nobody begins a restart, and those who are
    /// ready for one gather.
    pub(crate) fn at_a_restart(&self) -> fs::File {
        let folder = self.path("state/restart");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).unwrap();
        let mut options = fs::File::options();
        let lock =
            options.write(true).create(true).truncate(false).mode(0o600).open(folder.join("restart.lock"));
        let lock = lock.unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
        lock
    }

    /// Waits until a job has swapped and its restart is done.
    pub(crate) fn wait_until_swapped(&self) {
        wait_until("it is swapped", || self.restarts() > 0);
    }

    /// The entries of the journal.
    pub(crate) fn journal(&self) -> Vec<PathBuf> {
        names(&self.path("state/journal"))
    }

    /// The nonces in the image store, of all clients or of one.
    pub(crate) fn nonces(&self) -> Vec<PathBuf> {
        let mut nonces = names(&self.path("store/.ghost4linux"));
        for host in names(&self.path("store")).into_iter().chain(names(&self.path("store/.clients"))) {
            nonces.extend(names(&host.join(".ghost4linux")));
        }
        nonces
    }

    /// The folder in which the tree of the client at 192.168.7.`number` lies.
    pub(crate) fn home_of_tree(&self, number: u8) -> PathBuf {
        let own = || self.path(&format!("base.trees/192.168.7.{number}"));
        if self.keeps_clients_apart() { own() } else { self.path("base") }
    }

    /// The folder in which clients have their folders to write to.
    pub(crate) fn written_to(&self) -> PathBuf {
        if self.keeps_clients_apart() { self.path("store/.clients") } else { self.path("store") }
    }

    fn keeps_clients_apart(&self) -> bool {
        let settings = fs::read_to_string(self.path("ghostrc")).unwrap();
        settings.lines().any(|line| matches!(line, "EXPORTS=own" | "EXPORTS=job"))
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        // Whoever runs the tests may ignore them, as nohup and a shell's `&` do.
        self.command_whose_signals_are(&["--default-signal=HUP,INT,QUIT,TERM"], words)
    }

    /// The same, with signals as these options of env(1) have them.
    pub(crate) fn command_whose_signals_are<S: AsRef<OsStr>>(
        &self,
        signals: &[&str],
        words: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = self.network.command("env");
        command.args(signals).arg(env!("CARGO_BIN_EXE_ghostctl")).arg("--config");
        // For the checker that it starts.
        command.envs(kea::FOLDERS.map(|variable| (variable, self.path("kea"))));
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.arg(self.path("ghostrc")).args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Gives a folder, with what is in it, a small file system of its own.
    pub(crate) fn mount(&self, below: &str) {
        let (folder, kept) = (self.path(below), self.path(&format!("{below}.kept")));
        fs::create_dir_all(&folder).unwrap();
        fs::rename(&folder, &kept).unwrap();
        fs::create_dir(&folder).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(&folder));
        self.mounted.borrow_mut().push(folder.clone());
        run(Command::new("cp").arg("-a").arg(kept.join(".")).arg(&folder));
        // It watches the folder that was there.
        if let Dhcp::Dnsmasq { running } = &self.dhcp {
            running.stop();
            running.start_again(&self.network);
        }
    }

    /// Lets nobody open a file to write in a folder until [`Self::writable`]. Whoever has one open goes on.
    pub(crate) fn read_only(&self, below: &str) {
        let folder = self.path(below);
        run(Command::new("mount").arg("--bind").args([&folder, &folder]));
        run(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(&folder));
        self.mounted.borrow_mut().push(folder);
    }

    pub(crate) fn writable(&self, below: &str) {
        run(Command::new("umount").arg("--lazy").arg(self.path(below)));
    }

    /// Leaves no room in a folder with a file system of its own, until [`Self::room`].
    pub(crate) fn full(&self, below: &str) {
        use std::io::Write;
        let mut filler = fs::File::create(self.path(below).join("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    pub(crate) fn room(&self, below: &str) {
        fs::remove_file(self.path(below).join("filler")).unwrap();
    }

    /// Whether DHCP serves this, as far as the service has been restarted since it was written. A real dhcpd is asked.
    pub(crate) fn serves(&self, configuration: &[u8]) -> bool {
        match self.dhcp {
            Dhcp::Isc { .. } => dhcpd::serves(&self.network, &dhcpd::hosts(configuration)),
            Dhcp::Kea { .. } => dhcpd::serves(&self.network, &kea::hosts(configuration)),
            Dhcp::Dnsmasq { .. } => dhcpd::serves(&self.network, &dnsmasq::hosts(configuration)),
            Dhcp::Proxy { .. } => proxy::serves(&self.network, configuration),
            Dhcp::Counted => fs::read(self.path("served")).is_ok_and(|served| served == configuration),
        }
    }

    /// Whether this is what the client at 192.168.7.`number` is offered. A proxy names it only if it is the boot file.
    pub(crate) fn offers(&self, number: u8, boot_file: &str) -> bool {
        match self.dhcp {
            Dhcp::Proxy { .. } => proxy::is_answered(&self.network, number) == (boot_file == "pxelinux.0"),
            _ => dhcpd::serves(&self.network, &[(number, boot_file.to_owned())]),
        }
    }

    /// Has the DHCP server read a copy of its own from now on, as in a container.
    pub(crate) fn keep_a_copy(&self) {
        run(Command::new("cp").arg("-a").arg(self.path("dhcp")).arg(self.path("copy")));
        self.restart_dhcp();
        if let Err(error) = fs::remove_file(self.path("restarts")) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
    }

    /// Lets a setting be another one.
    pub(crate) fn set(&self, key: &str, value: &str) {
        let settings = fs::read_to_string(self.path("ghostrc")).unwrap();
        fs::write(self.path("ghostrc"), format!("{settings}{key}={value}\n")).unwrap();
    }

    pub(crate) const fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn start(&self, words: &[&str]) -> Child {
        self.command(words).spawn().unwrap()
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }
}

fn host(number: u8) -> String {
    format!(
        "host pc{number} {{\n  hardware ethernet 02:00:00:00:00:{number:02X};\n  fixed-address 192.168.7.{number};\n  \
         filename \"nobackup\"; # pc{number}\n}}\n"
    )
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

fn names(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).map(|listed| listed.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
}

/// What a run said, for messages of failed tests.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(180);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
