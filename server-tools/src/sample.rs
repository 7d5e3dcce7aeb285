//! A boot server whose jobs are simulated, for the tests and benches of other crates: journal, reports, screens, records,
//! generations and runs, each written as real jobs write it.
//!
//! Compiled with the feature `sample`, which only dev-dependencies ask for.

#![allow(clippy::unwrap_used, reason = "for tests only, where a panic that says where is the message")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use ghost_contract::order::{AtEnd, DosProgram, Graphics, Imager};
use ghost_contract::report::{Entry as Line, Event, Outcome};
use ghost_contract::{Generation, HostName, JobId, MacAddress, Mode, Nonce, UnixTime, layout};

use crate::catalog::Catalog;
use crate::catalog::check::{Check, Damage};
use crate::catalog::disks::Pace;
use crate::catalog::manifest::{self, Manifest};
use crate::catalog::pieces::Piece;
use crate::cli::Asked;
use crate::job::{Ending, Identity, Phase};
use crate::run::figures::Figures;
use crate::site::Site;
use crate::state::journal::{Begun, Entry, Line as Journalled, VERSION};
use crate::state::record::{self, Record};
use crate::state::runs;
use crate::state::vouched::{self, How, Vouched};

/// A client by its number, which gives it its name and addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(pub u16);

/// What a job was and how it ended.
#[derive(Debug, Clone)]
pub struct Over {
    pub mode: Mode,
    pub began: UnixTime,
    pub took: Duration,
    pub outcome: Outcome,
    /// What its generation takes, bytes.
    pub bytes: Option<u64>,
}

#[derive(Debug)]
pub struct BootServer {
    site: Site,
    /// The journal's entries of the jobs that run.
    owned: BTreeMap<u16, (Entry, Identity)>,
    run: Option<runs::Record>,
}

impl Client {
    pub fn host(self) -> HostName {
        format!("pc{:03}", self.0).parse().unwrap()
    }

    pub const fn ip(self) -> Ipv4Addr {
        let [high, low] = self.0.to_be_bytes();
        Ipv4Addr::new(10, 7, high, low)
    }

    pub const fn mac(self) -> MacAddress {
        let [high, low] = self.0.to_be_bytes();
        MacAddress::new([2, 0, 0, 0, high, low])
    }

    fn identity(self, mode: Mode, began: UnixTime) -> Identity {
        let job = job_id(began, self.0);
        Identity { job, host: self.host(), mac: self.mac(), ip: self.ip(), mode }
    }
}

/// As jobs are named: by the time at which they began.
fn job_id(began: UnixTime, number: u16) -> JobId {
    let words = crate::calendar::for_people(began);
    let digits: String = words.chars().filter(char::is_ascii_digit).collect();
    format!("{}-{}-{number:04x}", &digits[..8], &digits[8..14]).parse().unwrap()
}

impl BootServer {
    /// A boot server below this folder, with so many clients in its DHCP configuration. `more`: further lines of its settings.
    pub fn new(folder: &Path, clients: u16, more: &str) -> Self {
        let path = folder.display();
        for below in ["base", "store", "state"] {
            fs::create_dir_all(folder.join(below)).unwrap();
        }
        let declared = (1..=clients).map(Client).map(|client| {
            let (host, mac, ip) = (client.host(), client.mac(), client.ip());
            format!("host {host} {{ hardware ethernet {mac}; fixed-address {ip}; filename \"nobackup\"; }}\n")
        });
        fs::write(folder.join("dhcpd.conf"), declared.collect::<String>()).unwrap();
        let ghostrc = format!(
            "PXEADDR=10.7.255.1\nPXEBASE={path}/base\nGHSTBASE={path}/store\nGHSTNFS=$PXEADDR:{path}/store\nDHCPD=true\n\
             DHCPSERVER=isc\nDHCPDCONF={path}/dhcpd.conf\nSTATEDIR={path}/state\n{more}"
        );
        fs::write(folder.join("ghostrc"), ghostrc).unwrap();
        let site = Site::open(&folder.join("ghostrc"), Duration::ZERO).unwrap();
        Self { site, owned: BTreeMap::new(), run: None }
    }

    fn state(&self) -> &Path {
        &self.site.ghostrc.state_folder
    }

    /// A job that has come to this phase. It runs as long as this value lives, or until it is abandoned or ends.
    pub fn begins(&mut self, client: Client, mode: Mode, at: UnixTime, phase: Phase) {
        let identity = client.identity(mode, at);
        let begun = Begun {
            version: VERSION,
            identity: identity.clone(),
            pid: std::process::id(),
            at,
            nonce: Nonce::new([7; 16]),
            generation: None,
            imager: Some(imager()),
            deadline: None,
            at_end: Some(AtEnd::PowerOff),
            exports: None,
        };
        let entry = Entry::claim(self.state(), begun).unwrap();
        entry.append(&Journalled::Phase { phase, at: at.plus(Duration::from_secs(75)) }).unwrap();
        if mode == Mode::Backup {
            Catalog::of(&self.site.ghostrc).stage(&identity.host, &identity.job).unwrap();
        }
        self.owned.insert(client.0, (entry, identity));
    }

    /// The `ghostctl` of its job is gone.
    pub fn abandon(&mut self, client: Client) {
        drop(self.owned.remove(&client.0));
    }

    /// What the client says next, with its uptime in seconds.
    pub fn says(&self, client: Client, uptime: u64, event: Event) {
        let report = self.site.trees().join(format!("{}var", client.ip())).join(layout::REPORT);
        fs::create_dir_all(report.parent().unwrap()).unwrap();
        let line = Line { at: UnixTime::from_millis(0), uptime: uptime * 1_000, event };
        let mut file = fs::OpenOptions::new().append(true).create(true).open(report).unwrap();
        file.write_all(line.to_line().unwrap().as_bytes()).unwrap();
    }

    /// A screenshot of the job that runs: the files, and the line of the report.
    pub fn shows(&self, client: Client, uptime: u64, name: &str, (png, text): (&[u8], &str)) {
        let (_, identity) = &self.owned[&client.0];
        let staged = self.site.ghostrc.store_folder.join(identity.host.as_str());
        let folder = staged.join(format!(".incoming-{}", identity.job)).join(layout::SCREENS);
        write_screen(&folder, name, png, text);
        let event = Event::ScreenshotTaken {
            name: name.to_owned(),
            source: "/dev/ghostvga".to_owned(),
            passed_over: Vec::new(),
        };
        self.says(client, uptime, event);
    }

    /// A job that is over, with its record; what it took of the screen last; a generation if it was a good backup.
    pub fn ended(&mut self, client: Client, over: &Over, screen: Option<(&[u8], &str)>) {
        let identity = client.identity(over.mode, over.began);
        self.owned.remove(&client.0);
        let at = |seconds| over.began.plus(Duration::from_secs(seconds));
        let ended = over.began.plus(over.took);
        let is_good = over.outcome == Outcome::Succeeded;
        let record = Record {
            identity: identity.clone(),
            began: over.began,
            ended,
            phases: vec![(Phase::Swapped, at(2)), (Phase::Imaging, at(75)), (Phase::GoingOff, ended)],
            ending: Some(Ending::Done { outcome: over.outcome.clone() }),
            troubles: Vec::new(),
            sample: None,
            image: None,
            bytes: over.bytes,
            swap: None,
        };
        record::keep(self.state(), &record, b"").unwrap();
        if over.mode != Mode::Backup {
            return;
        }
        let name = if is_good { identity.job.to_string() } else { format!(".failed-{}", identity.job) };
        let folder = self.site.ghostrc.store_folder.join(identity.host.as_str()).join(name);
        if let Some((png, text)) = screen {
            write_screen(&folder.join(layout::SCREENS), "0001-end", png, text);
        }
        if is_good {
            self.generation(&folder, &identity, over, ended);
        }
    }

    fn generation(&self, folder: &Path, identity: &Identity, over: &Over, ended: UnixTime) {
        fs::create_dir_all(folder).unwrap();
        let bytes = over.bytes.unwrap_or_default();
        let sha256 = manifest::sum(identity.job.as_str().as_bytes());
        let manifest = Manifest {
            version: manifest::VERSION,
            host: identity.host.clone(),
            mac: identity.mac,
            job: identity.job.clone(),
            mode: identity.mode,
            imager: imager(),
            started: over.began,
            ended,
            checked: ended.plus(Duration::from_secs(90)),
            disks: Vec::new(),
            pace: Pace::of(&[], bytes, over.took),
            bytes,
            pieces: vec![Piece { path: "disk.gho".to_owned(), size: bytes, sha256 }],
        };
        let json = manifest.to_json().unwrap();
        fs::write(folder.join(layout::MANIFEST), &json).unwrap();
        let vouched = Vouched {
            at: ended,
            generation: Generation::of_job(identity.job.clone()),
            manifest: manifest::sum(json.as_bytes()),
            how: How::Made,
        };
        vouched::vouch(self.state(), &identity.host, &vouched).unwrap();
    }

    /// A check of the generation that this client's job made; it finds a piece that was changed, or nothing.
    pub fn checked(&self, client: Client, made: &Over, at: UnixTime, is_damaged: bool) {
        let generation = Generation::of_job(job_id(made.began, client.0));
        let damage = is_damaged.then(|| Damage::Checksum { path: "disk.gho".to_owned() });
        let check = Check { at, damage: damage.into_iter().collect() };
        Catalog::of(&self.site.ghostrc).keep(&client.host(), &generation, &check).unwrap();
    }

    /// A run of backups of these clients begins. It goes on as long as this value lives, or until it is ended.
    pub fn run_begins(&mut self, at: UnixTime, clients: &[Client]) {
        let begun = runs::Begun {
            run: job_id(at, 0).to_string().parse().unwrap(),
            mode: Mode::Backup,
            at,
            pid: std::process::id(),
            hosts: clients.iter().map(|client| client.host()).collect(),
            parallel: crate::run::room::TO_BEGIN_WITH,
            until: None,
            already_on: false,
            asked: Asked::default(),
        };
        self.run = Some(runs::Record::begin(self.state(), begun).unwrap());
    }

    /// A job of the run has begun, and has ended if it is said how.
    pub fn run_has(&self, client: Client, at: UnixTime, over: Option<&Over>) {
        let record = self.run.as_ref().unwrap();
        let (host, job) = (client.host(), job_id(at, client.0));
        record.append(&runs::Line::JobBegun { host: host.clone(), job: job.clone(), at }).unwrap();
        let Some(over) = over else { return };
        let ending = Ending::Done { outcome: over.outcome.clone() };
        let figures = Figures {
            seconds: over.took.as_secs(),
            bytes: over.bytes,
            rate: over.bytes.map(|bytes| bytes / over.took.as_secs().max(1)),
        };
        let is_good = over.outcome == Outcome::Succeeded;
        let ended = runs::Ended {
            host,
            job,
            began: over.began,
            ended: over.began.plus(over.took),
            words: ending.to_string(),
            ending: Some(ending),
            exit: u8::from(!is_good),
            figures,
            image: None,
            screen: (!is_good).then(|| "0001-end".to_owned()),
        };
        record.append(&runs::Line::JobEnded(Box::new(ended))).unwrap();
    }

    pub fn run_ends(&mut self, at: UnixTime) {
        let record = self.run.take().unwrap();
        record.append(&runs::Line::Ended { at, exit: 1 }).unwrap();
    }
}

fn write_screen(folder: &Path, name: &str, png: &[u8], text: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(format!("{name}.png")), png).unwrap();
    fs::write(folder.join(format!("{name}.txt")), text).unwrap();
}

fn imager() -> Imager {
    Imager::DosboxX(DosProgram { command: "ghost.exe -fx".to_owned(), graphics: Graphics::default() })
}
