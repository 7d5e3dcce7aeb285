//! Ghost draws, in letters of its own, and something goes wrong. However the imager ends, the client's console comes back.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ghost_contract::layout;
use ghost_contract::report::{Event, Outcome};

use super::{change_setting, draws, install, is_graphics};
use crate::backup::{self, job};
use crate::stage::{BOOT, SOON, Stage, files_called};
use crate::troubles::assert_no_generation;

/// Draws its question in letters that cannot be read, and then does nothing any more.
const HANGS: &str = r"-clone,mode=dump,src=1,dst=z:\image.gho -sure -fx -standinfont -standinhang";
/// Answered by time, so that it is drawn for as long before.
const MARK_AFTER: &str = "20";
/// Stands in place of the emulator, starts it, and kills it some time after DOS has started.
const KILLER: &str = "#!/bin/sh
# Kills dosemu.
\"$0.real\" \"$@\" &
while ! ls /run/ghost/dos/m | grep -qi started; do sleep 1; done
sleep 15
kill -KILL $!
sleep 1
";

/// The screenshots of the last job that john failed.
fn failed_screens(stage: &Stage) -> PathBuf {
    let names = backup::stored(stage);
    let last = names.iter().filter(|name| name.starts_with('.')).max().unwrap();
    stage.folder().image_store().join("john").join(last).join(layout::SCREENS)
}

fn assert_drawn_and_put_back(stage: &Stage, while_it_ran: &str) {
    let screens = failed_screens(stage);
    assert_eq!(is_graphics(&screens, while_it_ran), draws(stage), "what it drew was seen");
    assert!(!is_graphics(&screens, "-end"), "the console has come back");
}

#[test]
fn a_dosemu_that_hangs_or_is_killed_or_says_no_while_it_draws_gives_the_console_back() {
    let settings =
        [("IMAGER", "dosemu"), ("BACKUPCOMMAND", HANGS), ("MARK_AFTER", MARK_AFTER), ("STALL_WINDOW", "60")];
    let stage = backup::stage_with("dosemu-draws", &settings, backup::SMALL, |_| {});
    let john = stage.pc("john").unwrap();
    install(&stage, "1.4");
    let disk = john.disk_sha256().unwrap();

    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 1, "{said}");
    let report = stage.report(john.config().ip);
    let because = format!("{MARK_AFTER} s have passed");
    let keys = vec!["TAB".to_owned(), "ENTER".to_owned()];
    assert!(report.contains(&Event::KeysTyped { keys, because }), "{report:#?}");
    assert!(report.contains(&Event::Ended { outcome: Outcome::Stalled }), "{report:#?}");
    assert_drawn_and_put_back(&stage, "stalled");

    let fails = HANGS.replace("hang", "fail=30");
    change_setting(&stage, "BACKUPCOMMAND", &fails);
    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("the DOS program says"), "{said}");
    assert_drawn_and_put_back(&stage, "before-keys");

    change_setting(&stage, "BACKUPCOMMAND", HANGS);
    let emulator = files_called("dosemu.bin", &stage.folder().base_root().join("usr"))
        .into_iter()
        .chain(files_called("dosemu2.bin", &stage.folder().base_root().join("usr/libexec")))
        .next()
        .unwrap();
    fs::rename(&emulator, emulator.with_extension("bin.real")).unwrap();
    fs::write(&emulator, KILLER.replace("dosemu", emulator.file_stem().unwrap().to_str().unwrap())).unwrap();
    fs::set_permissions(&emulator, Permissions::from_mode(0o755)).unwrap();
    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("the emulator ended before the DOS program did"), "{said}");
    assert!(!is_graphics(&failed_screens(&stage), "-end"), "the console has come back");
    assert_no_generation(&stage);
    assert_eq!(john.disk_sha256().unwrap(), disk);
}

#[test]
fn a_job_that_is_cancelled_while_dosemu_draws_powers_the_client_off() {
    let settings = [("IMAGER", "dosemu"), ("BACKUPCOMMAND", HANGS), ("MARK_AFTER", MARK_AFTER)];
    let stage = backup::stage_with("dosemu-cancel", &settings, backup::SMALL, |_| {});
    let john = stage.pc("john").unwrap();
    install(&stage, "1.4");
    let ghostctl = stage.ghostctl(&["backup", "john"]).unwrap();
    stage.wait_report(&john, "keys typed at the question", BOOT, |event| {
        matches!(event, Event::KeysTyped { .. }).then_some(())
    });
    let cancel = stage.ghostctl(&["cancel", "john"]).unwrap();
    assert_eq!(cancel.wait(SOON).unwrap(), 0, "{}", cancel.text());
    assert_eq!(ghostctl.wait(BOOT).unwrap(), 1, "{}", ghostctl.text());
    john.wait_off(BOOT).unwrap();
    let by = "ghostctl cancel".to_owned();
    let report = stage.report(john.config().ip);
    assert!(report.contains(&Event::Ended { outcome: Outcome::Cancelled { by } }), "{report:#?}");
    assert_no_generation(&stage);
}
