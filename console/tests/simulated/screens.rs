//! What the clients' monitors show: the imager's own screen, drawn as `ghost-init` draws a text console.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ghost_contract::image::{Phase, Progress};
use ghost_imaging::screen::large;
use ghost_init::screen::{Attribute, Cell, Screen, TextScreen};

const COLUMNS: usize = 80;
const ROWS: usize = 25;

/// The picture and the text of one screen.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) png: Vec<u8>,
    pub(crate) text: String,
}

impl Shown {
    pub(crate) fn parts(&self) -> (&[u8], &str) {
        (&self.png, &self.text)
    }
}

/// How far a backup is that has read so many percent of a disk of 240 GiB.
pub(crate) fn progress(percent: u64) -> Progress {
    let total = 240 << 30;
    let rate = (96 + percent % 31) << 20;
    // Rounded up, so that as many percent are seen.
    let done = (total * percent).div_ceil(100);
    Progress {
        phase: Phase::Reading,
        disk: 0,
        disks: 1,
        region: 3,
        regions: 5,
        subject: "partition 2: ntfs \"Windows\"".to_owned(),
        done,
        total,
        rate,
        eta: Some((total - done) / rate),
    }
}

/// The same for all clients: each is drawn once.
pub(crate) fn at_work(percent: u64) -> Shown {
    thread_local! { static DRAWN: RefCell<BTreeMap<u64, Shown>> = RefCell::default(); }
    DRAWN.with_borrow_mut(|drawn| drawn.entry(percent).or_insert_with(|| draw_at_work(percent)).clone())
}

fn draw_at_work(percent: u64) -> Shown {
    let lines = large(&progress(percent), "Ghost4Linux");
    let plain = lines.replace("\x1b[H", "").replace("\x1b[K", "").replace("\x1b[J", "");
    drawn(&plain.replace('\r', ""), 0x07)
}

/// An error of a program of DOS: white on blue.
pub(crate) fn error(words: &str) -> Shown {
    let box_of = |text: &str| format!("      │ {text:<64} │\n");
    let rule = "─".repeat(66);
    let lines = format!(
        "\n\n\n\n\n\n\n      ┌{rule}┐\n{}{}{}{}      └{rule}┘\n",
        box_of("Application error"),
        box_of(""),
        box_of(words),
        box_of("Press any key to continue ...")
    );
    drawn(&lines, 0x1F)
}

fn drawn(text: &str, attribute: u8) -> Shown {
    let mut lines = text.lines();
    let mut cells = Vec::with_capacity(COLUMNS * ROWS);
    for _ in 0..ROWS {
        let line = lines.next().unwrap_or_default().chars().chain(std::iter::repeat(' '));
        cells.extend(line.take(COLUMNS).map(|character| Cell { character, attribute: Attribute(attribute) }));
    }
    let screen = TextScreen::new(COLUMNS, cells, None);
    Shown { text: screen.text(), png: Screen::Text(screen).png().unwrap() }
}
