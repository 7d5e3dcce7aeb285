//! A night in which 300 clients are backed up: most are done, some are at work, a few are in trouble.

use std::path::Path;
use std::time::Duration;

use ghost_contract::report::{Event, Outcome};
use ghost_contract::{Mode, UnixTime};
use ghostctl::job::Phase;
use ghostctl::sample::{BootServer, Client, Over};

use super::screens::{self, Shown};

pub(crate) const CLIENTS: u16 = 300;
/// 2026-11-28 22:00 UTC.
const EVENING: UnixTime = UnixTime::from_millis(1_795_903_200_000);
const HOUR: u64 = 3_600;
/// So many seconds lie between two screens.
const MINUTE: u64 = 60;
/// How many screens each client at work has shown.
const SHOWN: u64 = 12;
const GIB: u64 = 1 << 30;

/// The clients in trouble, and why.
const FAILED: [(u16, &str); 4] = [
    (
        23,
        "the imager ended with status 1: cannot write disk0/02-ntfs.partclone.zst.014: No space left on device",
    ),
    (118, "cannot read the disk: 3 places from byte 81,604,378,624 on"),
    (207, "the NTFS on partition 2 was not shut down cleanly: start Windows once, and shut it down"),
    (266, "cannot mount the image store: Connection timed out"),
];
const STALLED: u16 = 141;
const ABANDONED: u16 = 59;

fn at(seconds: u64) -> UnixTime {
    EVENING.plus(Duration::from_secs(seconds))
}

/// Those that are at work: one in six.
pub(crate) fn works(number: u16) -> bool {
    number.is_multiple_of(6)
}

/// How far a client at work is.
fn percent(number: u16) -> u64 {
    4 + u64::from(number) * 7 % 93
}

fn good(number: u16, began: UnixTime) -> Over {
    let took = Duration::from_secs(HOUR / 2 + u64::from(number) * 37 % HOUR);
    let bytes = (31 + u64::from(number) * 11 % 170) * GIB + u64::from(number) * 77_777_777;
    Over { mode: Mode::Backup, began, took, outcome: Outcome::Succeeded, bytes: Some(bytes) }
}

fn bad(number: u16, outcome: Outcome) -> Over {
    Over { outcome, bytes: None, took: Duration::from_secs(900), ..good(number, began(number)) }
}

fn began(number: u16) -> UnixTime {
    at(300 + u64::from(number) * 41)
}

/// What a boot server has below this folder in the middle of that night.
pub(crate) fn night(folder: &Path) -> BootServer {
    let mut server = BootServer::new(folder, CLIENTS, "GENERATIONS=7\n");
    let end = screens::at_work(100);
    let all: Vec<Client> = (1..=CLIENTS).map(Client).collect();
    a_week(&mut server, &all, &end);
    server.run_begins(at(0), &all);
    for number in 1..=CLIENTS {
        one(&mut server, number, &end);
    }
    server
}

/// The runs of the nights before, and what they made.
fn a_week(server: &mut BootServer, all: &[Client], end: &Shown) {
    for night in (1..=2).rev() {
        let evening = UnixTime::from_millis(EVENING.as_millis() - night * 24 * HOUR * 1_000);
        server.run_begins(evening, all);
        for client in all {
            let over = good(client.0, evening.plus(Duration::from_secs(300 + u64::from(client.0) * 41)));
            server.ended(*client, &over, Some(end.parts()));
            server.run_has(*client, over.began, Some(&over));
            let is_damaged = client.0 == 88 && night == 2;
            if client.0.is_multiple_of(9) || is_damaged {
                server.checked(*client, &over, over.began.plus(Duration::from_secs(12 * HOUR)), is_damaged);
            }
        }
        server.run_ends(evening.plus(Duration::from_secs(6 * HOUR)));
    }
}

fn one(server: &mut BootServer, number: u16, end: &Shown) {
    let client = Client(number);
    if let Some((_, reason)) = FAILED.iter().find(|(failed, _)| *failed == number) {
        let over = bad(number, Outcome::Failed { reason: (*reason).to_owned() });
        let screen = screens::error(&reason.chars().take(64).collect::<String>());
        server.ended(client, &over, Some(screen.parts()));
        server.run_has(client, over.began, Some(&over));
    } else if number == STALLED {
        let over = bad(number, Outcome::Stalled);
        server.ended(client, &over, Some(screens::at_work(61).parts()));
        server.run_has(client, over.began, Some(&over));
    } else if works(number) || number == ABANDONED {
        at_work(server, client, SHOWN);
        server.run_has(client, began(number), None);
        if number == ABANDONED {
            server.abandon(client);
        }
    } else {
        let over = good(number, began(number));
        server.ended(client, &over, Some(end.parts()));
        server.run_has(client, over.began, Some(&over));
    }
}

/// A client's backup, from its first screen on.
pub(crate) fn at_work(server: &mut BootServer, client: Client, screens: u64) {
    server.begins(client, Mode::Backup, began(client.0), Phase::Imaging);
    let to_come = percent(client.0);
    for minute in 1..=screens {
        let percent = to_come * minute / screens;
        let uptime = minute * MINUTE;
        let sent = percent * 1_400 * (1 << 20) + minute % 5 * (900 << 20);
        let read = 3 * sent / 2;
        server.says(
            client,
            uptime,
            Event::Sampled { disk_read: read, disk_written: 0, received: 1 << 20, sent },
        );
        let shown = screens::at_work(percent);
        server.shows(client, uptime, &format!("{minute:04}-interval"), shown.parts());
    }
    server.says(client, screens * MINUTE + 1, Event::Progressed(screens::progress(to_come)));
}
