//! linuxbox and fakebox have one IP address between them, and fakebox always boots over the network.

use std::fs;
use std::os::unix::fs::MetadataExt;

use ghost_contract::report::{Event, Outcome};

use crate::stage::{BOOT, SOON, Stage};

/// Configuration error, by the table of exit codes.
const CONFIGURATION: i32 = 78;

#[test]
fn linuxbox_is_tested_with_a_warning() {
    let stage = Stage::with("linuxbox", |config| {
        config.ghostrc.insert("SLEEP".to_owned(), "1".to_owned());
    });
    let linuxbox = stage.pc("linuxbox").unwrap();
    let original = stage.dhcpd_conf().unwrap();
    let ghostctl = stage.ghostctl(&["test", "linuxbox"]).unwrap();
    assert_eq!(ghostctl.wait(BOOT).unwrap(), 0, "{}", ghostctl.text());
    let warned = |line: &String| line.contains("warning") && line.contains("fakebox");
    assert!(ghostctl.lines().iter().any(warned), "{}", ghostctl.text());
    assert!(linuxbox.is_off().unwrap());
    let report = stage.report(linuxbox.config().ip);
    assert!(report.contains(&Event::Identified { host: "linuxbox".parse().unwrap() }), "{report:#?}");
    assert!(report.contains(&Event::Ended { outcome: Outcome::Succeeded }), "{report:#?}");
    stage.assert_dhcpd_conf(&original);
}

#[test]
fn fakebox_already_offers_the_boot_file_and_nothing_is_touched() {
    let stage = Stage::new("fakebox");
    let fakebox = stage.pc("fakebox").unwrap();
    let conf = stage.folder().dhcpd_conf();
    let identity = || {
        let metadata = fs::metadata(&conf).unwrap();
        (metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), fs::read(&conf).unwrap())
    };
    let before = identity();
    let trees = || fs::read_dir(stage.folder().base_root()).unwrap().count();
    let trees_before = trees();
    let ghostctl = stage.ghostctl(&["test", "fakebox"]).unwrap();
    assert_eq!(ghostctl.wait(SOON).unwrap(), CONFIGURATION, "{}", ghostctl.text());
    assert!(ghostctl.text().contains("pxelinux.0"), "the reason: {}", ghostctl.text());
    assert_eq!(identity(), before);
    assert_eq!(trees(), trees_before);
    assert_eq!(stage.dhcpd_service_calls().unwrap(), ["start"]);
    assert!(fakebox.is_off().unwrap());
    assert!(fakebox.status().unwrap().wakes.is_empty());
}
