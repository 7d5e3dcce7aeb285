//! An order for the tests of all crates: john's, issued at 1000 s and expiring at 2000 s of the server's clock. A test
//! changes what it is about.
//!
//! Behind the feature `sample`, which only dev-dependencies name.

#![allow(clippy::unwrap_used, reason = "for tests only, where a panic that says where is the message")]

use std::time::Duration;

use crate::order::{AtEnd, Deadlines, DosProgram, ImageStore, Imager, Order, TestSettings, VERSION, Watch};
use crate::{DiskChoice, Mode, Nonce, UnixTime};

/// John's order in this mode, with an image store.
#[must_use]
pub fn order(mode: Mode) -> Order {
    Order {
        version: VERSION,
        job: "20260123-142501-4f3a".parse().unwrap(),
        host: "john".parse().unwrap(),
        mac: "00:0a:eb:01:02:03".parse().unwrap(),
        mode,
        issued: UnixTime::from_millis(1_000_000),
        expires: UnixTime::from_millis(2_000_000),
        store: Some(ImageStore { server: [192, 168, 7, 1].into(), path: "/home/ghost".into() }),
        nonce: Nonce::new([7; 16]),
        imager: Some(Imager::DosboxX(DosProgram { command: "ghost.exe -fx".to_owned() })),
        disk: DiskChoice::First,
        generation: Some("20260101-000000-aaaa".parse().unwrap()),
        prompts: Vec::new(),
        watch: Watch {
            minimum_rate: 1024,
            window: Duration::from_secs(300),
            grace: Duration::from_secs(120),
            sample_every: Duration::from_secs(5),
            screenshot_every: Duration::from_secs(60),
            screenshots_kept: 10,
        },
        deadlines: Deadlines { job: Duration::from_secs(7200), ending: Duration::from_secs(60) },
        test: TestSettings {
            sleep: Duration::from_secs(60),
            authorized_keys: vec!["ssh-ed25519 A".to_owned()],
        },
        at_end: AtEnd::PowerOff,
    }
}
