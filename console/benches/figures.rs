//! What the console takes of the boot server while 300 clients are at work and ten people look: `make bench-console`.
//!
//! Each client takes a screenshot each minute and says each ten seconds how far it is. Each viewer loads the wall and the screens
//! on it, and then follows the news and loads each new screen; it is measured once all of them have the wall. Prints a table and judges
//! nothing. `SECONDS=120` is how long it looks.

#![allow(clippy::unwrap_used, reason = "a bench that panics says where")]

#[path = "../tests/simulated/mod.rs"]
#[allow(dead_code, reason = "the tests in a browser use the rest of it")]
mod simulated;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ghost_contract::report::Event;
use ghostctl::sample::{BootServer, Client};
use simulated::night::{CLIENTS, at_work};
use simulated::program::Program;
use simulated::screens::{self, Shown};

const VIEWERS: usize = 10;
/// A client's own times, seconds.
const SCREEN_EVERY: u64 = 60;
const SAY_EVERY: u64 = 10;
/// How long it may take until each viewer has loaded the wall and all screens on it.
const PATIENCE: Duration = Duration::from_secs(600);
/// After that, until the rest of what was begun for it has ended, seconds.
const SETTLED: u64 = 10;
/// The kernel counts processor time in hundredths of a second.
const TICKS: f64 = 100.0;

/// What the viewers have loaded.
#[derive(Default)]
struct Loaded {
    /// Viewers that have the whole wall.
    walls: AtomicUsize,
    news: AtomicU64,
    screens: AtomicU64,
}

fn main() {
    // `cargo bench` passes flags that are of no use here.
    let seconds = std::env::var("SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(120);
    let folder = simulated::folder();
    let mut server = BootServer::new(folder.path(), CLIENTS, "");
    for number in 1..=CLIENTS {
        at_work(&mut server, Client(number), 3);
    }
    let console = Program::start(folder.path(), &[]);
    let loaded = Arc::new(Loaded::default());
    for _ in 0..VIEWERS {
        let (place, token, loaded) = (console.place.clone(), console.token.clone(), Arc::clone(&loaded));
        std::thread::spawn(move || view(&place, &token, &loaded));
    }
    let drawn: Vec<Shown> = (0..100).map(screens::at_work).collect();
    let mut clock = Clock { begun: Instant::now(), second: 0 };
    let begun = Instant::now();
    while loaded.walls.load(Ordering::Relaxed) < VIEWERS {
        assert!(begun.elapsed() < PATIENCE, "not all viewers have the wall after {PATIENCE:?}");
        clock.works(&server, &drawn, clock.second + 1);
    }
    let first = (processor(console.pid()), clock.second);
    clock.works(&server, &drawn, clock.second + SETTLED);
    loaded.news.store(0, Ordering::Relaxed);
    loaded.screens.store(0, Ordering::Relaxed);
    let (before, begun) = (processor(console.pid()), Instant::now());
    clock.works(&server, &drawn, clock.second + seconds);
    let used = processor(console.pid()) - before;
    let took = begun.elapsed().as_secs_f64();
    println!("| `console`, {CLIENTS} clients, {VIEWERS} viewers, {took:.0} s | |");
    println!("|---|---:|");
    println!("| until all viewers had the wall, s | {} |", first.1);
    println!("| processor until then, s | {:.1} |", first.0);
    println!("| processor after that, s in a minute | {:.2} |", used / took * 60.0);
    println!("| processor after that, % of a core | {:.1} |", used / took * 100.0);
    println!("| memory now, MiB | {:.1} |", memory(console.pid(), "VmRSS:"));
    println!("| memory at most, MiB | {:.1} |", memory(console.pid(), "VmHWM:"));
    println!("| news to viewers, a second | {:.1} |", per_second(&loaded.news, took));
    println!("| screens to viewers, a second | {:.1} |", per_second(&loaded.screens, took));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    println!("| load average of the machine | {} |", load.split(' ').next().unwrap());
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn per_second(count: &AtomicU64, took: f64) -> f64 {
    count.load(Ordering::Relaxed) as f64 / took
}

/// The clients' time, second by second.
struct Clock {
    begun: Instant,
    second: u64,
}

impl Clock {
    /// Lets all clients work until this second.
    fn works(&mut self, server: &BootServer, drawn: &[Shown], until: u64) {
        while self.second < until {
            for number in 1..=CLIENTS {
                one(server, number, self.second, drawn);
            }
            self.second += 1;
            let next = self.begun + Duration::from_secs(self.second);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }
}

/// What a client does in this second, each at another one.
fn one(server: &BootServer, number: u16, second: u64, drawn: &[Shown]) {
    let (client, own) = (Client(number), second + u64::from(number));
    let uptime = 1_000 + second;
    let percent = (own / SAY_EVERY) % 100;
    if own.is_multiple_of(SCREEN_EVERY) {
        let shown = &drawn[usize::try_from(percent).unwrap()];
        server.shows(client, uptime, &format!("{:04}-interval", 10 + second), shown.parts());
    }
    if own.is_multiple_of(SAY_EVERY) {
        server.says(client, uptime, Event::Progressed(screens::progress(percent)));
    }
}

/// Seconds of a processor that a process has used.
fn processor(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / TICKS
}

fn memory(pid: u32, what: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// A person who looks at the wall.
fn view(place: &str, token: &str, loaded: &Loaded) {
    let wall = get(place, token, "/");
    load_screens(place, token, &wall, loaded);
    loaded.walls.fetch_add(1, Ordering::Relaxed);
    let events = BufReader::new(ask(place, token, "/events"));
    for line in events.lines().map_while(Result::ok) {
        if let Some(news) = line.strip_prefix("data: ") {
            loaded.news.fetch_add(1, Ordering::Relaxed);
            load_screens(place, token, news, loaded);
        }
    }
}

/// Loads each screen that is named in a page or in news, which a browser has not had yet.
fn load_screens(place: &str, token: &str, html: &str, loaded: &Loaded) {
    thread_local! { static KNOWN: std::cell::RefCell<std::collections::HashSet<String>> = std::cell::RefCell::default(); }
    for rest in html.split("/thumb/").skip(1) {
        let path = rest.split(['"', '\\']).next().unwrap_or_default();
        if KNOWN.with(|known| known.borrow_mut().insert(path.to_owned())) {
            get(place, token, &format!("/thumb/{path}"));
            loaded.screens.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn ask(place: &str, token: &str, path: &str) -> TcpStream {
    let address = place.strip_prefix("http://").unwrap().trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn get(place: &str, token: &str, path: &str) -> String {
    let mut answer = Vec::new();
    ask(place, token, path).read_to_end(&mut answer).unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{path}: {}",
        String::from_utf8_lossy(&answer[..80.min(answer.len())])
    );
    String::from_utf8_lossy(&answer).into_owned()
}
