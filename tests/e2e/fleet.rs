//! One night of a room: a group in one run, of which one PC is good, one stalls, and one does not wake. The record, the report,
//! the hook, the figures and the exit status all say so.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use ghost_contract::MacAddress;
use ghost_lab::{LabConfig, stand_in};
use serde_json::Value;

use crate::backup::{self, IMAGING, SMALL};
use crate::stage::{BOOT, SOON, Stage};

/// What moves less than this in a second stands still: anything does.
const NOTHING: &str = "1000000000000";

/// A room of three: john is good, joe stalls, and linuxbox does not wake. What else is special about it, the caller says.
pub(crate) fn room(name: &str, change: impl FnOnce(&mut LabConfig)) -> Stage {
    let settings = [
        ("IMAGER", "linux"),
        ("GROUP_room", "john joe linuxbox"),
        ("STALL_WINDOW_joe", "20"),
        ("STALL_RATE_joe", NOTHING),
        ("UP_DEADLINE_linuxbox", "20"),
    ];
    backup::stage_with(name, &settings, SMALL, |config| {
        // Slow enough to be at work for as long as the window.
        config.pcs[1].disk_rate = Some(256 << 10);
        config.pcs[2].mac = MacAddress::new([0x00, 0x50, 0xba, 0x15, 0xc0, 0xff]);
        change(config);
    })
}

/// Calls a hook that keeps each record in a file of its own.
fn with_hook(stage: &Stage) -> (std::path::PathBuf, std::path::PathBuf) {
    let (hooks, told) = (stage.folder().path().join("hooks.d"), stage.folder().path().join("told"));
    fs::create_dir(&hooks).unwrap();
    fs::create_dir(&told).unwrap();
    let hook = hooks.join("10-keep");
    fs::write(&hook, format!("#!/bin/sh\ncat > \"$(mktemp {}/XXXXXX)\"\n", told.display())).unwrap();
    fs::set_permissions(&hook, Permissions::from_mode(0o755)).unwrap();
    (hooks, told)
}

#[test]
fn a_room_of_three_with_one_that_stalls_and_one_that_does_not_wake() {
    let stage = room("room", |_| {});
    let [john, joe, linuxbox] = ["john", "joe", "linuxbox"].map(|name| stage.pc(name).unwrap());
    stand_in::fill_disk(&stage, &joe, SMALL).unwrap();
    let (hooks, told) = with_hook(&stage);
    let ghostrc = stage.folder().ghostrc();
    let metrics = stage.folder().path().join("ghost4linux.prom");
    let settings = fs::read_to_string(&ghostrc).unwrap();
    fs::write(&ghostrc, format!("{settings}HOOKS={}\nMETRICS={}\n", hooks.display(), metrics.display()))
        .unwrap();
    let original = stage.dhcpd_conf().unwrap();

    let ghostctl = stage.ghostctl(&["backup", "--group", "room"]).unwrap();
    let status = ghostctl.wait(BOOT + IMAGING).unwrap();
    let said = ghostctl.text();
    assert_eq!(status, 75, "the worst of them may be tried again: {said}");
    assert!(said.contains("john: succeeded") && said.contains("joe: stalled"), "{said}");
    assert!(said.contains("linuxbox: warning: it is tried again after the others"), "{said}");
    assert!([&john, &joe, &linuxbox].iter().all(|pc| pc.is_off().unwrap()), "{said}");
    stage.assert_dhcpd_conf(&original);

    let report = stage.ghostctl(&["report", "--json"]).unwrap();
    assert_eq!(report.wait(SOON).unwrap(), 1, "{}", report.text());
    let run: Value = serde_json::from_str(report.text().trim()).unwrap();
    assert_eq!((&run["succeeded"], &run["not_succeeded"]), (&1.into(), &2.into()), "{run}");
    let of = |place: usize, what: &str| run["jobs"][place][what].clone();
    assert_eq!((of(0, "exit"), of(1, "exit"), of(2, "exit")), (0.into(), 1.into(), 75.into()), "{run}");
    assert_eq!((of(0, "tries"), of(2, "tries")), (1.into(), 2.into()), "{run}");
    assert!(of(0, "bytes").as_u64().is_some_and(|bytes| bytes > 1 << 20), "{run}");

    let page = stage.folder().path().join("night.html");
    let html = stage.ghostctl(&["report", "--html", page.to_str().unwrap()]).unwrap();
    assert_eq!(html.wait(SOON).unwrap(), 1, "{}", html.text());
    let page = fs::read_to_string(page).unwrap();
    assert!(
        page.contains("stalled") && page.contains("data:image/png;base64,"),
        "joe's last screen is on it"
    );

    let records = fs::read_dir(told).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let records: Vec<Value> = records.map(|record| serde_json::from_slice(&record).unwrap()).collect();
    let count = |of: &str| records.iter().filter(|record| record["of"] == of).count();
    assert_eq!((count("job"), count("run")), (4, 1), "one for each try, and the run: {records:#?}");

    let metrics = fs::read_to_string(metrics).unwrap();
    for line in [
        "ghost4linux_last_job_success{host=\"john\",mode=\"backup\"} 1",
        "ghost4linux_last_job_success{host=\"joe\",mode=\"backup\"} 0",
        "ghost4linux_last_job_success{host=\"linuxbox\",mode=\"backup\"} 0",
        "ghost4linux_last_run_hosts_not_done{mode=\"backup\"} 2",
        "ghost4linux_swaps_outstanding 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
}
