//! The imager `dosemu` on the virtual terminal, with stand-ins for DOSEmu 1.4 and dosemu2 where an administrator puts
//! DOSEmu. They refuse what the real 1.4 refuses.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;

use ghost_contract::layout;
use ghost_contract::report::{Event, Outcome};
use ghost_lab::config::repository;
use ghost_lab::lab::Pc;
use ghost_lab::{shell, stand_in, wait};

use crate::backup::{self, IMAGING, job};
use crate::by_hand;
use crate::stage::{BOOT, Stage, files_called};

/// Lays a stand-in over the base root of this lab.
pub(crate) fn install(stage: &Stage, flavour: &str) {
    let make_overlay = repository().join("tests/dosemu-stand-in/make-overlay");
    shell::run(Command::new(make_overlay).arg(flavour).arg(stage.folder().base_root())).unwrap();
}

/// The texts of all screenshots in a folder whose names have this in them.
fn texts(screens: &Path, name: &str) -> Vec<String> {
    let entries = fs::read_dir(screens).into_iter().flatten().map(|entry| entry.unwrap().path());
    let wanted = entries.filter(|path| {
        let file = path.file_name().unwrap().to_string_lossy();
        file.contains(name) && file.ends_with(".txt")
    });
    wanted.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Makes the disk of a PC that is off one that DOSEmu 1.4 ends at, since its partitions end in cylinder 0, and of which it
/// would never reach the end, whatever the geometry is: its number of sectors is odd.
fn make_awkward(stage: &Stage, pc: &Pc<'_>) {
    /// The four entries of the partition table, and in each the place of its last sector.
    const ENDS: [u64; 4] = [446 + 5, 462 + 5, 478 + 5, 494 + 5];
    let path = stand_in::disk(stage, pc);
    let mut disk = File::options().write(true).open(path).unwrap();
    for end in ENDS {
        disk.seek(SeekFrom::Start(end)).unwrap();
        disk.write_all(&[0; 3]).unwrap();
    }
    disk.seek(SeekFrom::End(0)).unwrap();
    disk.write_all(&[0xA5; 512]).unwrap();
}

/// Puts this batch file on the template floppy of a lab.
fn put_batch(stage: &Stage, batch: &Path) {
    let template = stand_in::template(stage);
    shell::run(Command::new("mcopy").arg("-o").arg("-i").arg(template).arg(batch).arg("::/AUTOEXEC.BAT"))
        .unwrap();
}

fn backs_up_and_restores(name: &str, flavour: &str, mebibytes: u32, shown: &str) {
    let stage = backup::stage_with(name, &[("IMAGER", "dosemu")], mebibytes, |_| {});
    let john = stage.pc("john").unwrap();
    install(&stage, flavour);
    make_awkward(&stage, &john);
    let disk = john.disk_sha256().unwrap();

    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(john.disk_sha256().unwrap(), disk, "a backup does not touch the disk");
    let keys = vec!["TAB".to_owned(), "ENTER".to_owned()];
    let because = "the screen shows 'Mark'".to_owned();
    let report = stage.report(john.config().ip);
    assert!(report.contains(&Event::KeysTyped { keys, because }), "{report:#?}");
    let store = stage.folder().image_store().join("john");
    let generations: Vec<_> = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(generations.len(), 1, "{generations:?}");
    assert!(generations[0].join(layout::MANIFEST).is_file());
    let texts = texts(&generations[0].join(layout::SCREENS), "before-keys");
    assert!(texts.iter().any(|text| text.contains(shown) && text.contains("Mark")), "{texts:?}");

    assert_eq!(first_screenshot(&report), ("/dev/ghostvga".to_owned(), vec![]));

    backup::destroy(&stage, &john);
    let modules = stage.folder().base_root().join("lib/modules");
    let module = files_called("ghostvga.ko", &modules);
    fs::remove_file(&module[0]).unwrap();
    let (status, said) = job(&stage, &john, &["restore", "--yes", "john"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(john.disk_sha256().unwrap(), disk, "every byte is back");
    let (source, passed_over) = first_screenshot(&stage.report(john.config().ip));
    assert_eq!((source.as_str(), passed_over.len()), ("/dev/mem", 1), "{passed_over:?}");
    assert!(passed_over[0].starts_with("/dev/ghostvga: "), "{passed_over:?}");
    let console = john.whole_console().unwrap();
    assert!(!console.contains("was left behind"), "the imager's session has ended with it: {console}");
}

/// Where the first screenshot was read from, and which sources were passed over.
fn first_screenshot(report: &[Event]) -> (String, Vec<String>) {
    let taken = report.iter().find_map(|event| match event {
        Event::ScreenshotTaken { source, passed_over, .. } => Some((source.clone(), passed_over.clone())),
        _ => None,
    });
    taken.unwrap_or_else(|| panic!("no screenshot: {report:#?}"))
}

#[test]
fn dosemu_1_4_on_the_virtual_terminal_backs_up_and_restores() {
    backs_up_and_restores("dosemu", "1.4", backup::SIZE, "STAND-IN for DOSEmu 1.4");
}

#[test]
fn dosemu2_on_the_virtual_terminal_backs_up_and_restores() {
    backs_up_and_restores("dosemu2", "2", backup::SMALL, "STAND-IN for dosemu2");
}

/// It leaves its own marks, beside the image, and none of ours.
#[test]
fn the_batch_file_of_the_howto_is_enough() {
    let stage = backup::stage_with("howto-floppy", &[("IMAGER", "dosemu")], backup::SMALL, |_| {});
    let john = stage.pc("john").unwrap();
    install(&stage, "1.4");
    put_batch(&stage, &repository().join("tests/dos/HOWTO.BAT"));
    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 0, "{said}");
}

#[test]
fn a_dos_without_drives_up_to_z_never_calls_ghost_and_that_is_said() {
    let stage = backup::stage_with("no-lastdrive", &[("IMAGER", "dosemu")], backup::SMALL, |_| {});
    let john = stage.pc("john").unwrap();
    install(&stage, "1.4");
    shell::run(Command::new("mdel").arg("-i").arg(stand_in::template(&stage)).arg("::/CONFIG.SYS")).unwrap();
    let disk = john.disk_sha256().unwrap();
    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("LASTDRIVE=Z"), "{said}");
    assert_eq!(john.disk_sha256().unwrap(), disk, "Ghost was not called");
    let stored = backup::stored(&stage);
    assert!(stored.iter().all(|name| name.starts_with(".failed-")), "nothing is called good: {stored:?}");
}

#[test]
fn a_flag_alone_starts_the_imager_for_a_person_at_the_screen() {
    let stage = Stage::with("ghost-flag", |config| config.kernel_flags = vec!["ghost.mode=ghost".to_owned()]);
    let john = stage.pc("john").unwrap();
    stand_in::set_up(&stage, &john, backup::SMALL).unwrap();
    install(&stage, "1.4");
    let disk = john.disk_sha256().unwrap();
    by_hand::swap(&stage, john.config());
    by_hand::make_tree(&stage, john.config());
    john.switch_on().unwrap();
    let screens = stage.folder().base_root().join(layout::tree_var(john.config().ip)).join("ghost/screens");
    wait::until("Ghost's menu on john's screen", BOOT, || {
        texts(&screens, "").iter().any(|text| text.contains("Q: quit")).then_some(())
    })
    .unwrap();
    john.press_keys(&["q"]).unwrap();
    john.wait_off(IMAGING).unwrap();
    let report = stage.report(john.config().ip);
    assert!(report.contains(&Event::Ended { outcome: Outcome::Succeeded }), "{report:#?}");
    assert!(!report.iter().any(|event| matches!(event, Event::OrderClaimed { .. })), "{report:#?}");
    assert_eq!(john.disk_sha256().unwrap(), disk);
}
