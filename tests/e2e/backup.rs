//! A DOS program under a real DOS emulator backs up a disk, checks it, and restores it after it was destroyed. The
//! scenario uses nothing but `ghostctl`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ghost_contract::layout;
use ghost_contract::report::{Event, Outcome};
use ghost_lab::lab::Pc;
use ghost_lab::{Firmware, LabConfig, shell, stand_in, wait};

use crate::dosemu;
use crate::stage::{BOOT, SOON, Stage};
use crate::uefi::{LOCKED_DOWN, NOTICES};

/// What an imager may take for a disk, on an emulated PC on a busy machine.
pub(crate) const IMAGING: Duration = Duration::from_secs(1800);
/// Size of the disk in MiB where every byte has to come back, unless the variable `SIZE` says otherwise.
pub(crate) const SIZE: u32 = 256;
/// The same where it is the end of the job that matters.
pub(crate) const SMALL: u32 = 64;
/// Every sector, so that every byte can be compared: Ghost 2003 leaves out what files do not use, unless told otherwise.
const ALL_SECTORS: &str = r"-clone,mode=dump,src=1,dst=z:\image.gho -ir -auto -sure -fx";

/// A lab whose base root has the template floppy with the stand-in, and in which john has a disk with files. The imager
/// is dosbox-x unless the settings say otherwise.
pub(crate) fn stage(name: &str, settings: &[(&str, &str)]) -> Stage {
    stage_with(name, settings, SMALL, |_| {})
}

/// The same, with a disk of so many MiB and something else changed.
pub(crate) fn stage_with(
    name: &str,
    settings: &[(&str, &str)],
    mebibytes: u32,
    change: impl FnOnce(&mut LabConfig),
) -> Stage {
    let stage = Stage::with(name, |config| {
        let settings = [("IMAGER", "dosbox-x")].iter().chain(settings);
        config.ghostrc.extend(settings.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        change(config);
    });
    stand_in::set_up(&stage, &stage.pc("john").unwrap(), mebibytes).unwrap();
    stage
}

/// Overwrites the disk of a PC that is off.
pub(crate) fn destroy(stage: &Stage, pc: &Pc<'_>) {
    let (path, disk) = (stand_in::disk(stage, pc), pc.disk_sha256().unwrap());
    let size = fs::metadata(&path).unwrap().len();
    fs::write(path, vec![0_u8; usize::try_from(size).unwrap()]).unwrap();
    assert_ne!(pc.disk_sha256().unwrap(), disk);
}

/// The names in john's folder of the image store.
pub(crate) fn stored(stage: &Stage) -> Vec<String> {
    stored_of(stage, "john")
}

/// The names in this PC's folder of the image store.
pub(crate) fn stored_of(stage: &Stage, name: &str) -> Vec<String> {
    let entries = fs::read_dir(stage.folder().image_store().join(name)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs a job on john to its end; gives its exit status and what `ghostctl` said.
pub(crate) fn job(stage: &Stage, john: &Pc<'_>, words: &[&str]) -> (i32, String) {
    let original = stage.dhcpd_conf().unwrap();
    let ghostctl = stage.ghostctl(words).unwrap();
    let status = ghostctl.wait(BOOT + IMAGING).unwrap();
    assert!(john.is_off().unwrap(), "{}", ghostctl.text());
    stage.assert_dhcpd_conf(&original);
    (status, ghostctl.text())
}

#[test]
fn a_disk_is_backed_up_through_dos_verified_destroyed_and_restored() {
    let size = std::env::var("SIZE").map_or(SIZE, |size| size.parse().unwrap());
    // An imager and a floppy that an administrator has: `make e2e IMAGER=dosemu OVERLAY=DIR FLOPPY=IMG`.
    let imager = std::env::var("IMAGER").unwrap_or_else(|_| "dosbox-x".to_owned());
    let floppy = dosemu::own_floppy();
    let mut settings = vec![("IMAGER", imager.as_str())];
    settings.extend(floppy.is_some().then_some(("BACKUPCOMMAND", ALL_SECTORS)));
    let stage = stage_with("backup", &settings, size, |_| {});
    if let Some(floppy) = &floppy {
        fs::copy(floppy, stand_in::template(&stage)).unwrap();
    }
    let john = stage.pc("john").unwrap();
    let disk = john.disk_sha256().unwrap();

    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(john.disk_sha256().unwrap(), disk, "a backup does not touch the disk");
    let first = stored(&stage);
    assert_eq!(first.len(), 1, "{first:?}");
    let generation = stage.folder().image_store().join("john").join(&first[0]);
    let report = stage.report(john.config().ip);
    if floppy.is_none() {
        let keys = vec!["TAB".to_owned(), "ENTER".to_owned()];
        let because = "the screen shows 'Mark'".to_owned();
        assert!(report.contains(&Event::KeysTyped { keys, because }), "{report:#?}");
        assert_screens_show_the_stand_in(&generation.join(layout::SCREENS));
    }
    assert!(generation.join(layout::MANIFEST).is_file());

    let (status, said) = job(&stage, &john, &["verify", "john"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(john.disk_sha256().unwrap(), disk, "a verify does not touch the disk");

    destroy(&stage, &john);
    let (status, said) = job(&stage, &john, &["restore", "--yes", "john"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(john.disk_sha256().unwrap(), disk, "every byte is back");

    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 0, "{said}");
    let both = stored(&stage);
    assert_eq!((both.len(), &both[0]), (2, &first[0]), "a second backup keeps the first");
}

/// There is a picture, and what was on the screen as text, of the question and of the end.
fn assert_screens_show_the_stand_in(screens: &Path) {
    let names: Vec<String> = fs::read_dir(screens)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let with_keys = names.iter().find(|name| name.ends_with("before-keys.png")).unwrap();
    let picture = fs::read(screens.join(with_keys)).unwrap();
    assert!(picture.starts_with(b"\x89PNG"), "{names:?}");
    let text = fs::read_to_string(screens.join(with_keys.replace(".png", ".txt"))).unwrap();
    assert!(text.contains("STAND-IN") && text.contains("Mark"), "{text}");
}

#[test]
fn an_imager_that_draws_its_question_and_hangs_is_seen_now_and_stalled_and_the_machine_goes_off() {
    let hangs = r"-clone,mode=dump,src=1,dst=z:\image.gho -sure -fx -standindraw -standinhang";
    // With Secure Boot, where the kernel lets nobody at the video memory.
    let stage = stage_with("hang", &[("BACKUPCOMMAND", hangs), ("STALL_WINDOW", "60")], SMALL, |config| {
        config.kernel_flags.push(NOTICES.to_owned());
        config.pcs[0].with_firmware(Firmware::SecureBoot);
    });
    let john = stage.pc("john").unwrap();
    let (ip, disk) = (john.config().ip, john.disk_sha256().unwrap());
    let original = stage.dhcpd_conf().unwrap();
    let ghostctl = stage.ghostctl(&["backup", "john"]).unwrap();
    let because = "the screen shows 'Mark'".to_owned();
    let keys = vec!["TAB".to_owned(), "ENTER".to_owned()];
    stage.wait_report(&john, "keys typed at a question that was drawn", BOOT, |event| {
        (*event == Event::KeysTyped { keys: keys.clone(), because: because.clone() }).then_some(())
    });
    // It takes a moment until the program has read the keys.
    wait::until("the program's percentage to be seen now", SOON, || {
        let now = stage.ghostctl(&["screen", "--now", "john"]).unwrap();
        assert_eq!(now.wait(SOON).unwrap(), 0, "{}", now.text());
        (now.text().contains("-asked") && now.text().contains("Percent complete")).then_some(())
    })
    .unwrap();

    let status = ghostctl.wait(BOOT).unwrap();
    let said = ghostctl.text();
    assert_eq!(status, 1, "{said}");
    assert!(john.is_off().unwrap(), "{said}");
    stage.assert_dhcpd_conf(&original);
    let report = stage.report(ip);
    let last = stage.ghostctl(&["screen", "--json", "john"]).unwrap();
    assert_eq!(last.wait(SOON).unwrap(), 0, "{}", last.text());
    assert!(last.text().contains("-end\","), "{}", last.text());
    assert!(report.contains(&Event::Ended { outcome: Outcome::Stalled }), "{report:#?}");
    assert!(report.iter().any(|event| matches!(event, Event::Sampled { .. })), "{report:#?}");
    assert!(said.contains("stalled"), "{said}");
    let said = john.console().unwrap();
    assert!(said.contains(LOCKED_DOWN), "{said}");
    assert!(stored(&stage).iter().all(|name| name.starts_with('.')), "{:?}", stored(&stage));
    assert_eq!(john.disk_sha256().unwrap(), disk);
}

#[test]
fn what_the_program_says_went_wrong_is_the_outcome() {
    let fails = r"-clone,mode=dump,src=1,dst=z:\image.gho -sure -fx -standinfail=30";
    let stage = stage("program-error", &[("BACKUPCOMMAND", fails)]);
    let john = stage.pc("john").unwrap();
    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("the DOS program says"), "{said}");
    assert!(stored(&stage).iter().all(|name| name.starts_with('.')), "{:?}", stored(&stage));

    // A template without the program: nothing is started.
    let template = stand_in::template(&stage);
    shell::run(Command::new("mdel").arg("-i").arg(template).arg("::/GHOST.EXE")).unwrap();
    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("GHOST.EXE"), "{said}");
    let report = stage.report(john.config().ip);
    assert!(!report.iter().any(|event| matches!(event, Event::ImagerStarted { .. })), "{report:#?}");
}
