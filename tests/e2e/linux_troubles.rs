//! What can happen to the imager of a fresh installation in the middle of its work: a generation that was good stays
//! good, and a disk that is half written is said to be so.

use std::fs::{self, File};
use std::io::{self, Read};

use ghost_contract::image::Phase;
use ghost_contract::report::Event;
use ghost_lab::lab::Pc;
use ghost_lab::running::Running;
use ghost_lab::stand_in;
use nix::sys::signal::Signal;

use crate::backup::{job, stored};
use crate::linux::{only_generation, wipe};
use crate::stage::{BOOT, SOON, Stage};

/// Size of the disk in MiB.
const SIZE: u32 = 64;
/// So many bytes a second of it: slow enough to be caught while it is read or written.
const RATE: u64 = 2 << 20;
/// An image store that has room enough to begin with and not for the image, MiB.
const FULL: u32 = 72;
/// Size of a disk without a table, full of what cannot be compressed, MiB.
const NOISE: u64 = 96;

/// Waits until john's imager is in this phase. Before he is on, his report is that of the job before.
fn wait_for(stage: &Stage, john: &Pc<'_>, wanted: Phase) {
    john.wait_on(SOON).unwrap();
    stage.wait_report(john, wanted.as_str(), BOOT, |event| match event {
        Event::Progressed(progress) if progress.phase == wanted => Some(()),
        _ => None,
    });
}

/// An administrator who sees that the machine is dead: how long `ghostctl` would wait by itself is seen elsewhere.
fn give_up(ghostctl: &Running) {
    ghostctl.signal(Signal::SIGINT).unwrap();
    assert_ne!(ghostctl.wait(SOON).unwrap(), 0, "{}", ghostctl.text());
}

#[test]
fn a_power_cut_in_a_backup_or_a_restore_loses_nothing_that_was_good() {
    let stage = Stage::with("cut-linux", |config| config.pcs[0].disk_rate = Some(RATE));
    let john = stage.pc("john").unwrap();
    stand_in::fill_disk(&stage, &john, SIZE).unwrap();
    let disk = john.disk_sha256().unwrap();
    let original = stage.dhcpd_conf().unwrap();
    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 0, "{said}");
    let good = only_generation(&stage);

    let ghostctl = stage.ghostctl(&["backup", "john"]).unwrap();
    wait_for(&stage, &john, Phase::Reading);
    john.cut_power().unwrap();
    give_up(&ghostctl);
    let names = stored(&stage);
    let generations: Vec<_> = names.iter().filter(|name| !name.starts_with('.')).collect();
    assert_eq!(generations, [good.file_name().unwrap().to_str().unwrap()], "{names:?}");

    wipe(&stage, &john, SIZE, 0);
    let ghostctl = stage.ghostctl(&["restore", "--yes", "john"]).unwrap();
    wait_for(&stage, &john, Phase::Writing);
    john.cut_power().unwrap();
    give_up(&ghostctl);
    let said = ghostctl.text();
    assert!(said.contains("the disk is incomplete, or may be, and must not be used"), "{said}");
    let last = stage.ghostctl(&["status", "--last", "john"]).unwrap();
    last.wait(SOON).unwrap();
    assert!(last.text().contains("must not be used"), "{}", last.text());
    stage.assert_dhcpd_conf(&original);
    // What was half written cannot be booted by accident: its table comes last.
    let half_written = fs::read(stand_in::disk(&stage, &john)).unwrap();
    assert!(half_written[..512].iter().all(|byte| *byte == 0), "{:?}", &half_written[..512]);

    let (status, said) = job(&stage, &john, &["restore", "--yes", "john"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(john.disk_sha256().unwrap(), disk);
}

#[test]
fn a_full_image_store_fails_the_backup_with_the_reason() {
    let stage = Stage::with("full-linux", |config| config.store_mebibytes = Some(FULL));
    let john = stage.pc("john").unwrap();
    let mut noise = File::open("/dev/urandom").unwrap().take(NOISE << 20);
    io::copy(&mut noise, &mut File::create(stand_in::disk(&stage, &john)).unwrap()).unwrap();
    let disk = john.disk_sha256().unwrap();
    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    let list = stage.ghostctl(&["images", "list", "john"]).unwrap();
    assert_eq!(list.wait(SOON).unwrap(), 0, "{}", list.text());
    assert_eq!(list.lines(), Vec::<String>::new());
    assert_eq!(john.disk_sha256().unwrap(), disk);
}
