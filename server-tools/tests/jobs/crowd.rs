//! Many jobs in one program: what they cost, and that they share their edits. The clients are one thread.
//!
//! `make crowd` has a thousand clients of thirty thousand hosts at work for minutes and prints a table (docs/benches.md); a
//! few dozen of them are part of every test run.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Output};
use std::time::{Duration, Instant};

use ghost_contract::report::{Entry, Event, Outcome};
use ghost_contract::{MacAddress, Mode, Order, UnixTime, layout};

use super::boot_server::{BootServer, said};
use super::{dhcpd, proxy};

const LOOK_EVERY: Duration = Duration::from_millis(100);
const SAMPLE_EVERY: Duration = Duration::from_secs(5);

/// How many there are, and how long each of them works.
struct Size {
    clients: u32,
    hosts: u32,
    work: Duration,
}

impl Size {
    /// As the environment asks for.
    fn wanted() -> Self {
        let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
        let clients = number("CROWD", 30);
        Self {
            clients,
            hosts: number("CROWD_HOSTS", clients * 2),
            work: Duration::from_secs(number("CROWD_WORK", 2).into()),
        }
    }
}

/// Gives the boot server an address where the hosts are.
const ADDRESS: &str = "ip address add 10.255.255.1/8 dev br0";

/// Where the hosts are: 10.0.0.0/8, the last two numbers tell them apart.
pub(crate) fn ip(number: u32) -> [u8; 4] {
    [10, 1, u8::try_from(number >> 8).unwrap(), u8::try_from(number & 0xff).unwrap()]
}

pub(crate) fn mac(number: u32) -> [u8; 6] {
    let [_, _, high, low] = ip(number);
    [2, 1, 0, 0, high, low]
}

/// A line or more for each host.
fn of_each(hosts: u32, line: impl Fn(u32, MacAddress, std::net::Ipv4Addr) -> String) -> String {
    let line = |number| line(number, MacAddress::new(mac(number)), ip(number).into());
    (1..=hosts).map(line).collect()
}

/// A boot server with so many hosts; its DHCP service only counts.
pub(crate) fn with_hosts(hosts: u32) -> BootServer {
    let server = BootServer::with_hosts(1);
    let subnets = "next-server 192.168.7.1;\nsubnet 192.168.7.0 netmask 255.255.255.128 { }\nsubnet 10.0.0.0 netmask 255.0.0.0 { }\n";
    let hosts = of_each(hosts, |number, mac, ip| {
        format!(
            "host pc{number} {{\n  # a comment, as people write them\n  hardware ethernet {mac};\n  fixed-address {ip};\n  filename \"nobackup\";\n}}\n"
        )
    });
    fs::write(server.configuration(), format!("{subnets}{hosts}")).unwrap();
    server.network().run(ADDRESS);
    server
}

/// The same, and Kea, which runs, has them in a network that two subnets share.
fn with_kea(hosts: u32) -> BootServer {
    let server = BootServer::with_kea(1);
    let main = server.path("dhcp/kea-dhcp4.conf");
    let text = fs::read_to_string(&main).unwrap();
    let text = text.replace(
        "\"subnet4\": [",
        "\"shared-networks\": [ { \"name\": \"boot\", \"interface\": \"br0\", \"subnet4\": [",
    );
    let text = text.replace(
        "\"reservations\": [ <?",
        "\"reservations\": [ ] }, { \"id\": 3, \"subnet\": \"10.0.0.0/8\", \"reservations\": [ <?",
    );
    fs::write(&main, text.replace("/24\" } ]", "/24\" } ] } ]")).unwrap();
    let hosts = of_each(hosts, |number, mac, ip| {
        format!(
            "{{ \"hostname\": \"pc{number}\", // a comment, as people write them\n  \"hw-address\": \"{mac}\", \"ip-address\": \"{ip}\", \"boot-file-name\": \"nobackup\" }},\n"
        )
    });
    fs::write(server.configuration(), hosts).unwrap();
    serving(server)
}

/// The same with dnsmasq.
fn with_dnsmasq(hosts: u32) -> BootServer {
    let server = BootServer::with_dnsmasq(1);
    let main = server.path("dhcp/dnsmasq.conf");
    let declared =
        of_each(hosts, |number, mac, ip| format!("dhcp-host={mac},set:pc{number},{ip},pc{number}\n"));
    let text = fs::read_to_string(&main).unwrap();
    let text = text.replace("dhcp-host=", "dhcp-range=10.0.0.0,static,255.0.0.0\n#dhcp-host=");
    fs::write(&main, text + &declared).unwrap();
    let options = of_each(hosts, |number, _, _| {
        format!("tag:pc{number},option:bootfile-name,nobackup # as people write\n")
    });
    fs::write(server.configuration(), options).unwrap();
    serving(server)
}

/// The same with a proxy, beside a DHCP server that gives them their addresses.
fn with_proxy(hosts: u32) -> BootServer {
    let lines = of_each(hosts, |number, mac, ip| {
        format!("dhcp-host={mac},set:nobackup,{ip},pc{number} # a comment, as people write them\n")
    });
    let configuration = proxy::configuration(&format!("dhcp-range=10.0.0.0,proxy,255.0.0.0\n{lines}"));
    let machines = (1..=hosts).map(|number| (MacAddress::new(mac(number)), ip(number).into()));
    let server = BootServer::with_proxy_of(&configuration, machines);
    server.network().run(ADDRESS);
    server
}

/// The boot server, whose DHCP server has read its configuration anew.
fn serving(server: BootServer) -> BootServer {
    server.stop_dhcp();
    server.network().run(ADDRESS);
    server.start_dhcp();
    server
}

/// How far a client is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Off,
    Up,
    AtWork { since: Instant, samples: u32 },
    OffAgain,
}

/// A client that does its job without looking at what DHCP offers meanwhile.
struct Client {
    number: u32,
    tree: PathBuf,
    state: State,
}

impl Client {
    fn of(server: &BootServer, number: u32) -> Self {
        let ip = std::net::Ipv4Addr::from(ip(number));
        Self { number, tree: server.path(&format!("base/{ip}")), state: State::Off }
    }

    fn below(&self, kind: &str, name: &str) -> PathBuf {
        let mut path = self.tree.clone().into_os_string();
        path.push(kind);
        Path::new(&path).join(name)
    }

    fn say(&self, event: Event) {
        let line = Entry { at: UnixTime::from_millis(0), uptime: 0, event }.to_line().unwrap();
        let mut report =
            OpenOptions::new().append(true).create(true).open(self.below("var", layout::REPORT)).unwrap();
        report.write_all(line.as_bytes()).unwrap();
    }

    fn live(&mut self, work: Duration) {
        self.state = match self.state {
            State::Off => {
                let (mac, ip) = (MacAddress::new(mac(self.number)), ip(self.number).into());
                let (version, kernel, interface) = ("0".to_owned(), "6".to_owned(), "eth0".to_owned());
                self.say(Event::Up { version, kernel, interface, mac, ip });
                State::Up
            }
            State::Up => {
                let order = Order::parse(&fs::read(self.below("etc", layout::ORDER)).unwrap()).unwrap();
                self.say(Event::OrderClaimed { job: order.job, mode: Mode::Test });
                State::AtWork { since: Instant::now(), samples: 0 }
            }
            State::AtWork { since, .. } if since.elapsed() >= work => {
                self.say(Event::Ended { outcome: Outcome::Succeeded });
                self.say(Event::PoweringOff { reboot: false });
                State::OffAgain
            }
            State::AtWork { since, samples } if since.elapsed() >= SAMPLE_EVERY * (samples + 1) => {
                let moved = u64::from(samples) << 20;
                self.say(Event::Sampled { disk_read: moved, disk_written: 0, received: moved, sent: moved });
                State::AtWork { since, samples: samples + 1 }
            }
            same => same,
        };
    }
}

/// What the program has needed so far, as the kernel tells it (proc(5)).
#[derive(Default)]
pub(crate) struct Cost {
    /// KiB.
    pub(crate) peak: u64,
    /// Hundredths of a second.
    pub(crate) processor: u64,
    pub(crate) descriptors: usize,
}

impl Cost {
    pub(crate) fn look(&mut self, pid: u32) {
        let folder = Path::new("/proc").join(pid.to_string());
        let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok());
        self.peak = self.peak.max(peak.unwrap_or_default());
        let stat = fs::read_to_string(folder.join("stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_ascii_whitespace();
        let times = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap());
        self.processor = self.processor.max(times.sum());
        let open = fs::read_dir(folder.join("fd")).map_or(0, Iterator::count);
        self.descriptors = self.descriptors.max(open);
    }
}

/// Lets the clients live until the program has ended.
fn live(server: &BootServer, mut running: Child, size: &Size) -> (Cost, Output) {
    let mut clients: Vec<Client> = (1..=size.clients).map(|number| Client::of(server, number)).collect();
    let mut cost = Cost::default();
    let deadline = Instant::now() + size.work + Duration::from_secs(600);
    while running.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the jobs do not end");
        cost.look(running.id());
        if server.restarts() > 0 {
            // They all come up before the next restart begins.
            let _another =
                clients.iter().any(|client| client.state == State::Off).then(|| server.at_a_restart());
            clients.iter_mut().for_each(|client| client.live(size.work));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    (cost, running.wait_with_output().unwrap())
}

#[test]
fn what_many_jobs_in_one_program_cost() {
    let (server, before) = crowd(with_hosts);
    assert!(server.serves(&before));
}

#[test]
fn what_many_jobs_in_one_program_cost_with_kea() {
    let (server, _) = crowd(with_kea);
    assert_own_files_are_offered(&server);
}

#[test]
fn what_many_jobs_in_one_program_cost_with_dnsmasq() {
    let (server, _) = crowd(with_dnsmasq);
    assert_own_files_are_offered(&server);
}

#[test]
fn what_many_jobs_in_one_program_cost_with_a_proxy() {
    let (server, _) = crowd(with_proxy);
    for number in [1, Size::wanted().clients] {
        assert!(!server.network().inside(|| proxy::answers(mac(number))), "pc{number}");
    }
}

/// By the first and the last of them.
fn assert_own_files_are_offered(server: &BootServer) {
    for number in [1, Size::wanted().clients] {
        let offered = server.network().inside(|| dhcpd::offered(mac(number)));
        assert_eq!(offered.as_deref(), Some("nobackup"), "pc{number}");
    }
}

/// A boot server after the jobs, and the file of its hosts as it was before.
fn crowd(start: fn(u32) -> BootServer) -> (BootServer, Vec<u8>) {
    let size = Size::wanted();
    let server = start(size.hosts);
    let (before, restarts) = (server.configured(), server.restarts());
    let hosts = (1..=size.clients).map(|number| format!("pc{number}"));
    let mut command = server.command(
        ["test", "--parallel", &size.clients.to_string()].map(str::to_owned).into_iter().chain(hosts),
    );
    let said_in = fs::File::create(server.path("said")).unwrap();
    let started = Instant::now();
    // A pipe that nobody reads meanwhile would fill up.
    let running = command.stdout(said_in.try_clone().unwrap()).stderr(said_in).spawn().unwrap();
    let (cost, output) = live(&server, running, &size);
    let words = fs::read_to_string(server.path("said")).unwrap() + &said(&output);
    assert_eq!(output.status.code(), Some(0), "{words}");
    assert_eq!(server.configured(), before);
    assert!(server.journal().is_empty());
    let restarts = server.restarts() - restarts;
    let mebibytes = |kibibytes: u64| format!("{}.{}", kibibytes >> 10, ((kibibytes & 0x3ff) * 10) >> 10);
    let file = u64::try_from(before.len()).unwrap() >> 10;
    println!(
        "{:>8} {:>8} {:>8} {:>9} {:>11} {:>8} {:>12} {:>9} {:>6}",
        "clients", "hosts", "file MiB", "peak MiB", "above file", "CPU s", "descriptors", "restarts", "s"
    );
    println!(
        "{:>8} {:>8} {:>8} {:>9} {:>11} {:>8} {:>12} {:>9} {:>6}",
        size.clients,
        size.hosts,
        mebibytes(file),
        mebibytes(cost.peak),
        mebibytes(cost.peak.saturating_sub(file)),
        format!("{}.{:02}", cost.processor / 100, cost.processor % 100),
        cost.descriptors,
        restarts,
        started.elapsed().as_secs(),
    );
    assert!(restarts <= 3, "swaps share one restart, and reverts two at most: {restarts}");
    // Each job holds its entry of the journal open, since the lock on it tells that it lives.
    let jobs = usize::try_from(size.clients).unwrap();
    assert!(cost.descriptors < jobs + 100, "one for each job, and no more: {}", cost.descriptors);
    (server, before)
}
