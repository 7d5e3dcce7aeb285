//! A large run whose `ghostctl` is killed in the middle: `recover` finishes it, and the run is taken up again without doing
//! anything twice. The clients are one thread.
//!
//! `make crowd` has a thousand clients and fifty jobs at a time, and prints what it cost; a few are part of every test run.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use ghost_contract::report::{Entry, Event, Outcome};
use ghost_contract::{JobId, MacAddress, Order, UnixTime, layout};
use rustix::process::{Pid, Signal, kill_process};

use super::boot_server::{BootServer, said};
use super::crowd::{Cost, ip, mac, with_hosts};

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// For all of it, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(1_800);

/// One that does each order once, as a real client does.
struct Client {
    number: u32,
    home: PathBuf,
    store: PathBuf,
    at_work: Option<Order>,
    claimed: BTreeSet<JobId>,
}

impl Client {
    fn of(server: &BootServer, number: u32) -> Self {
        let (home, store) = (server.path("base"), server.path("store"));
        Self { number, home, store, at_work: None, claimed: BTreeSet::new() }
    }

    fn below(&self, kind: &str, name: &str) -> PathBuf {
        self.home.join(format!("{}{kind}", Ipv4Addr::from(ip(self.number)))).join(name)
    }

    fn say(&self, event: Event) {
        let line = Entry { at: UnixTime::from_millis(0), uptime: 0, event }.to_line().unwrap();
        let report = OpenOptions::new().append(true).create(true).open(self.below("var", layout::REPORT));
        report.unwrap().write_all(line.as_bytes()).unwrap();
    }

    /// Boots if it is offered the boot file, works in the next turn, and goes off.
    fn live(&mut self, offered: &BTreeSet<u32>) {
        if let Some(order) = self.at_work.take() {
            let staging = self.store.join(layout::staging(&order.host, &order.job));
            fs::write(staging.join("image.gho"), "image").unwrap();
            self.say(Event::Ended { outcome: Outcome::Succeeded });
            return self.say(Event::PoweringOff { reboot: false });
        }
        if !offered.contains(&self.number) {
            return;
        }
        let Ok(bytes) = fs::read(self.below("etc", layout::ORDER)) else { return };
        let Ok(order) = Order::parse(&bytes) else { return };
        if self.claimed.insert(order.job.clone()) {
            let (mac, ip) = (MacAddress::new(mac(self.number)), ip(self.number).into());
            let (version, kernel, interface) = ("0".to_owned(), "6".to_owned(), "eth0".to_owned());
            self.say(Event::Up { version, kernel, interface, mac, ip });
            self.say(Event::OrderClaimed { job: order.job.clone(), mode: order.mode });
            self.at_work = Some(order);
        }
    }
}

/// Whom the DHCP server offers the boot file, by what it has taken up.
fn offered(server: &BootServer) -> BTreeSet<u32> {
    let served = fs::read_to_string(server.path("served")).unwrap_or_default();
    let mut host = 0;
    let mut offered = BTreeSet::new();
    for line in served.lines() {
        if let Some(rest) = line.strip_prefix("host pc") {
            host = rest.trim_end_matches(" {").parse().unwrap();
        } else if line.contains("pxelinux.0") {
            offered.insert(host);
        }
    }
    offered
}

fn count(server: &BootServer, below: &str) -> usize {
    fs::read_dir(server.path(below)).map_or(0, Iterator::count)
}

/// Lets the clients live until the program has ended, or until so many jobs have ended.
fn live(
    server: &BootServer,
    running: &mut Child,
    clients: &mut [Client],
    until: usize,
) -> (Cost, Option<ExitStatus>) {
    let (mut cost, started) = (Cost::default(), Instant::now());
    loop {
        if let Some(ended) = running.try_wait().unwrap() {
            return (cost, Some(ended));
        }
        if count(server, "state/jobs") >= until {
            return (cost, None);
        }
        assert!(started.elapsed() < DEADLINE, "the jobs do not end");
        cost.look(running.id());
        let offered = offered(server);
        clients.iter_mut().for_each(|client| client.live(&offered));
        std::thread::sleep(LOOK_EVERY);
    }
}

fn start(server: &BootServer, words: &[String]) -> Child {
    let said_in = File::options().append(true).create(true).open(server.path("said")).unwrap();
    server.command(words).stdout(said_in.try_clone().unwrap()).stderr(said_in).spawn().unwrap()
}

fn print(part: &str, cost: &Cost, seconds: u64, restarts: usize) {
    let processor = format!("{}.{:02}", cost.processor / 100, cost.processor % 100);
    println!(
        "{part:>8} {:>9} {processor:>8} {:>12} {restarts:>9} {seconds:>6}",
        cost.peak >> 10,
        cost.descriptors
    );
}

#[test]
fn a_large_run_that_is_killed_in_the_middle_is_recovered_and_taken_up_again() {
    let number = |name: &str, default: u32| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (size, parallel) = (number("CROWD_KILLED", 16), number("CROWD_PARALLEL", 4));
    let server = with_hosts(size);
    server.set("UP_DEADLINE", "600");
    let before = server.configured();
    let mut clients: Vec<Client> = (1..=size).map(|number| Client::of(&server, number)).collect();
    let flags = |words: &[&str]| -> Vec<String> {
        let parallel = parallel.to_string();
        words.iter().copied().chain(["--parallel", &parallel]).map(str::to_owned).collect()
    };
    let hosts = (1..=size).map(|number| format!("pc{number}"));
    let words: Vec<String> = flags(&["backup"]).into_iter().chain(hosts).collect();

    println!(
        "{:>8} {:>9} {:>8} {:>12} {:>9} {:>6}",
        "part", "peak MiB", "CPU s", "descriptors", "restarts", "s"
    );
    let started = Instant::now();
    let mut running = start(&server, &words);
    let half = usize::try_from(size / 2).unwrap();
    let (cost, ended) = live(&server, &mut running, &mut clients, half);
    assert!(ended.is_none(), "it ended too soon: {}", fs::read_to_string(server.path("said")).unwrap());
    kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
    running.wait().unwrap();
    print("killed", &cost, started.elapsed().as_secs(), server.restarts());
    assert!(!server.journal().is_empty(), "some were at work");
    // Those at work lose their power with it.
    clients.iter_mut().for_each(|client| client.at_work = None);

    let started = Instant::now();
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert!(server.configured() == before && server.serves(&before) && server.journal().is_empty());
    print("recover", &Cost::default(), started.elapsed().as_secs(), server.restarts());
    let done_before = generations(&server, size);
    assert!(done_before.iter().filter(|names| names.len() == 1).count() >= half / 2, "{done_before:?}");

    let runs = server.run(&["runs", "--json"]);
    let run: serde_json::Value = serde_json::from_slice(&runs.stdout).unwrap();
    let (started, restarts) = (Instant::now(), server.restarts());
    let mut running = start(&server, &flags(&["backup", "--resume", run["run"].as_str().unwrap()]));
    let (cost, ended) = live(&server, &mut running, &mut clients, usize::MAX);
    let words = fs::read_to_string(server.path("said")).unwrap();
    assert_eq!(ended.and_then(|ended| ended.code()), Some(0), "{words}");
    print("resumed", &cost, started.elapsed().as_secs(), server.restarts() - restarts);
    assert!(server.configured() == before && server.serves(&before) && server.journal().is_empty());
    let done = generations(&server, size);
    assert!(done.iter().all(|names| names.len() == 1), "each is done once: {done:?}");
    let kept = done_before.iter().zip(&done).all(|(before, now)| before.is_empty() || before == now);
    assert!(kept, "what was done before the crash is not done again");
}

/// The finished generations of each host.
fn generations(server: &BootServer, size: u32) -> Vec<Vec<String>> {
    let of = |number: u32| {
        let listed = fs::read_dir(server.path(&format!("store/pc{number}"))).into_iter().flatten();
        let names = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.starts_with('.')).collect()
    };
    (1..=size).map(of).collect()
}
