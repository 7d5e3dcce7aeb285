//! An order for the tests: john's, issued at 1000 s and expiring at 2000 s of the server's clock.

use std::time::Duration;

use ghost_contract::order::{
    AtEnd, Deadlines, DosProgram, ImageStore, Imager, Order, TestSettings, VERSION, Watch,
};
use ghost_contract::{DiskChoice, Mode, Nonce, UnixTime};

/// John's order in this mode, with an image store.
pub(crate) fn order(mode: Mode) -> Order {
    let watch = Watch {
        minimum_rate: 1024,
        window: Duration::from_secs(300),
        grace: Duration::from_secs(120),
        sample_every: Duration::from_secs(5),
        screenshot_every: Duration::from_secs(60),
        screenshots_kept: 10,
    };
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
        watch,
        deadlines: Deadlines { job: Duration::from_secs(7200), ending: Duration::from_secs(60) },
        test: TestSettings {
            sleep: Duration::from_secs(60),
            authorized_keys: vec!["ssh-ed25519 A".to_owned()],
        },
        at_end: AtEnd::PowerOff,
    }
}

/// The same as it stands in the tree.
pub(crate) fn order_file(order: &Order) -> Option<Vec<u8>> {
    Some(order.to_json().unwrap().into_bytes())
}
