//! Given a state folder as jobs leave it, what do those who watch see?

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use ghost_contract::report::{Entry as Line, Event};
use ghost_contract::{MacAddress, Mode, Nonce, UnixTime, layout};

use super::*;
use crate::job::Phase;
use crate::run::figures::tests::backup;
use crate::state::journal::{Begun, Entry, Line as Journalled, VERSION};
use crate::state::{paths, record};

struct BootServer {
    folder: tempfile::TempDir,
    site: Site,
}

impl BootServer {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        fs::write(folder.path().join("dhcpd.conf"), "").unwrap();
        fs::create_dir(folder.path().join("store")).unwrap();
        let ghostrc = format!(
            "PXEADDR=192.168.7.1\nPXEBASE={path}/base\nGHSTBASE={path}/store\nGHSTNFS=$PXEADDR:{path}/store\nDHCPD=true\n\
             DHCPSERVER=isc\nDHCPDCONF={path}/dhcpd.conf\nSTATEDIR={path}/state\n"
        );
        fs::write(folder.path().join("ghostrc"), ghostrc).unwrap();
        let site = Site::open(&folder.path().join("ghostrc"), Duration::ZERO).unwrap();
        Self { folder, site }
    }

    fn state(&self) -> &Path {
        &self.site.ghostrc.state_folder
    }

    /// A backup that images; it runs as long as what is yielded lives.
    fn images(&self, host: &str, number: u8) -> Entry {
        let begun = Begun {
            version: VERSION,
            identity: Identity {
                job: format!("job-of-{host}").parse().unwrap(),
                host: host.parse().unwrap(),
                mac: MacAddress::new([2, 0, 0, 0, 0, number]),
                ip: [192, 168, 7, number].into(),
                mode: Mode::Backup,
            },
            pid: 4711,
            at: UnixTime::from_millis(1_000),
            nonce: Nonce::new([number; 16]),
            generation: None,
            imager: None,
            deadline: None,
            at_end: None,
            exports: None,
        };
        let entry = Entry::claim(self.state(), begun).unwrap();
        let at = UnixTime::from_millis(2_000);
        entry.append(&Journalled::Phase { phase: Phase::Imaging, at }).unwrap();
        entry
    }

    /// What the client at this address says next.
    fn says(&self, number: u8, events: &[Event]) {
        let report = self.folder.path().join(format!("base/192.168.7.{number}var")).join(layout::REPORT);
        fs::create_dir_all(report.parent().unwrap()).unwrap();
        let mut file = fs::OpenOptions::new().append(true).create(true).open(report).unwrap();
        for (second, event) in (10..).zip(events) {
            let line = Line { at: UnixTime::from_millis(0), uptime: second * 1_000, event: event.clone() };
            file.write_all(line.to_line().unwrap().as_bytes()).unwrap();
        }
    }
}

fn sampled(sent: u64) -> Event {
    Event::Sampled { disk_read: 0, disk_written: 0, received: 0, sent }
}

fn shown(name: &str) -> Event {
    Event::ScreenshotTaken { name: name.to_owned(), source: "vga".to_owned(), passed_over: Vec::new() }
}

fn seen(tiles: &[Tile]) -> Vec<(&str, State)> {
    tiles.iter().map(|tile| (tile.host.as_str(), tile.state)).collect()
}

#[test]
fn those_with_trouble_come_first_and_a_host_has_one_tile() {
    let server = BootServer::new();
    let failed = record::Record { ending: None, ..backup("pc3", 300, 1) };
    for record in [backup("pc2", 100, 60), backup("pc3", 200, 60), failed, backup("pc4", 400, 60)] {
        record::keep(server.state(), &record, b"").unwrap();
    }
    let _runs = server.images("pc4", 4);
    drop(server.images("pc5", 5));
    let tiles = Overview::default().look(&server.site).unwrap();
    let expected =
        [("pc5", State::Abandoned), ("pc3", State::Failed), ("pc4", State::Running), ("pc2", State::Done)];
    assert_eq!(seen(&tiles), expected);
    assert_eq!(counts(&tiles), "1 abandoned, 1 failed, 1 running, 1 done");
    assert!(tiles[0].phase.contains("run 'ghostctl recover'"), "{}", tiles[0].phase);
}

#[test]
fn what_the_client_says_next_is_read_on_and_a_name_that_is_no_screenshots_is_not_taken() {
    let server = BootServer::new();
    let _runs = server.images("pc2", 2);
    let mut overview = Overview::default();
    assert_eq!(overview.look(&server.site).unwrap()[0].rate, None);
    server.says(2, &[sampled(1_000), sampled(3_000), shown("0001-interval"), shown("../../etc/passwd")]);
    let tile = overview.look(&server.site).unwrap().remove(0);
    assert_eq!((tile.rate, tile.screen.as_deref()), (Some(2_000), Some("0001-interval")));
    server.says(2, &[shown("0002-interval")]);
    assert_eq!(overview.look(&server.site).unwrap()[0].screen.as_deref(), Some("0002-interval"));
    // The whole again, for one who looks for the first time.
    assert_eq!(Overview::default().look(&server.site).unwrap()[0].screen.as_deref(), Some("0002-interval"));
}

#[test]
fn records_that_come_and_go_are_seen() {
    let server = BootServer::new();
    let mut overview = Overview::default();
    assert_eq!(overview.look(&server.site).unwrap(), []);
    // Its folder is there before its record is.
    let one = backup("pc2", 100, 60);
    fs::create_dir_all(paths::record(server.state(), &one.identity.job)).unwrap();
    assert_eq!(overview.look(&server.site).unwrap(), []);
    record::keep(server.state(), &one, b"").unwrap();
    assert_eq!(seen(&overview.look(&server.site).unwrap()), [("pc2", State::Done)]);
    record::keep(server.state(), &record::Record { ending: None, ..backup("pc2", 200, 1) }, b"").unwrap();
    assert_eq!(seen(&overview.look(&server.site).unwrap()), [("pc2", State::Failed)]);
    fs::remove_dir_all(paths::record(server.state(), &"job-200".parse().unwrap())).unwrap();
    assert_eq!(seen(&overview.look(&server.site).unwrap()), [("pc2", State::Done)]);
}
