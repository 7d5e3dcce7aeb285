//! The imager `dosemu` on the virtual terminal: with stand-ins for DOSEmu 1.4 and dosemu2, which refuse what the real ones
//! refuse, or with an administrator's own DOSEmu.

mod graphics;

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use ghost_contract::bootdisk::{self, AUTOEXEC, GHOST};
use ghost_contract::layout;
use ghost_contract::report::{Event, Outcome};
use ghost_lab::config::{DiskBus, repository};
use ghost_lab::lab::Pc;
use ghost_lab::{shell, stand_in, wait};

use crate::backup::{self, IMAGING, job};
use crate::by_hand;
use crate::stage::{BOOT, Stage, files_called};

/// Writes its question.
const ASKS: &str = r"-clone,mode=dump,src=1,dst=z:\image.gho -sure -fx";
/// Draws its question in mode 12h.
const DRAWS_AND_ASKS: &str = r"-clone,mode=dump,src=1,dst=z:\image.gho -sure -fx -standingraphics";

/// The floppy that goes with an administrator's own DOSEmu, which is in the base root then: `make e2e IMAGER=dosemu
/// OVERLAY=DIR FLOPPY=IMG`. Without it there are stand-ins.
pub(crate) fn own_floppy() -> Option<PathBuf> {
    let floppy = std::env::var_os("FLOPPY").map(|path| repository().join(path))?;
    assert!(floppy.is_file(), "there is no such floppy image: {}", floppy.display());
    Some(floppy)
}

/// Sees to a DOSEmu in the base root of this lab: the administrator's own, whose floppy gets the stand-in for GHOST.EXE, or
/// a stand-in of this flavour.
pub(crate) fn install(stage: &Stage, flavour: &str) {
    let Some(floppy) = own_floppy() else {
        let make_overlay = repository().join("tests/dosemu-stand-in/make-overlay");
        shell::run(Command::new(make_overlay).arg(flavour).arg(stage.folder().base_root())).unwrap();
        return;
    };
    let (template, ghost) = (stand_in::template(stage), stage.folder().base_root().join("tmp").join(GHOST));
    fs::write(&ghost, bootdisk::read(fs::read(&template).unwrap(), GHOST).unwrap()).unwrap();
    fs::copy(floppy, &template).unwrap();
    put(stage, &ghost, GHOST);
}

/// Whether what a DOS program draws is seen: under DOSEmu 1.4, if the client has a VGA.
fn draws(stage: &Stage) -> bool {
    files_called("dosemu2.bin", &stage.folder().base_root().join("usr/libexec")).is_empty()
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

/// Whether the last picture whose name has this in it is of mode 12h, and not of text.
fn is_graphics(screens: &Path, name: &str) -> bool {
    /// Width and height of a PNG come first in it (PNG specification, 11.2.2).
    const SIZE: std::ops::Range<usize> = 16..24;
    let names = fs::read_dir(screens).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let last = names.filter(|file| file.contains(name) && file.ends_with(".png")).max().unwrap();
    let picture = fs::read(screens.join(last)).unwrap();
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
    let (width, height) = picture[SIZE].split_at(4);
    (number(width), number(height)) == (640, 480)
}

/// Of a key that is set twice the last counts.
pub(crate) fn change_setting(stage: &Stage, key: &str, value: &str) {
    let mut ghostrc = fs::read_to_string(stage.folder().ghostrc()).unwrap();
    ghostrc.push_str(&format!("{key}=\"{value}\"\n"));
    fs::write(stage.folder().ghostrc(), ghostrc).unwrap();
}

/// Puts a file on the template floppy of a lab, by this name in DOS.
fn put(stage: &Stage, file: &Path, name: &str) {
    let template = stand_in::template(stage);
    shell::run(Command::new("mcopy").arg("-o").arg("-i").arg(template).arg(file).arg(format!("::/{name}")))
        .unwrap();
}

/// A backup whose question is drawn, if that can be seen here, and a restore.
fn backs_up_and_restores(name: &str, flavour: &str, bus: DiskBus, mebibytes: u32) {
    let settings = [("IMAGER", "dosemu"), ("BACKUPCOMMAND", DRAWS_AND_ASKS)];
    let stage = backup::stage_with(name, &settings, mebibytes, |config| config.pcs[0].disk_bus = bus);
    let john = stage.pc("john").unwrap();
    install(&stage, flavour);
    let draws = draws(&stage);
    if !draws {
        change_setting(&stage, "BACKUPCOMMAND", ASKS);
    }
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
    let screens = generations[0].join(layout::SCREENS);
    let texts = texts(&screens, "before-keys");
    assert!(
        texts.iter().any(|text| text.contains("has not been marked") && text.contains("Mark")),
        "{texts:?}"
    );
    assert_eq!(is_graphics(&screens, "before-keys"), draws, "what was drawn was seen");
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
    assert!(
        !console.contains("it is still there after"),
        "the imager's session has ended with it: {console}"
    );
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
    backs_up_and_restores("dosemu", "1.4", DiskBus::Sata, backup::SMALL);
}

#[test]
fn dosemu2_or_your_own_backs_up_and_restores_a_disk_on_nvme() {
    backs_up_and_restores("dosemu2", "2", DiskBus::Nvme, backup::SMALL);
}

/// It leaves its own marks, beside the image, and none of ours.
#[test]
fn the_batch_file_of_the_howto_is_enough() {
    let stage = backup::stage_with("howto-floppy", &[("IMAGER", "dosemu")], backup::SMALL, |_| {});
    let john = stage.pc("john").unwrap();
    install(&stage, "1.4");
    put(&stage, &repository().join("tests/dos/HOWTO.BAT"), AUTOEXEC);
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
        texts(&screens, "").iter().any(|text| text.contains("Press Esc or Q")).then_some(())
    })
    .unwrap();
    john.press_keys(&["q"]).unwrap();
    john.wait_off(IMAGING).unwrap();
    let report = stage.report(john.config().ip);
    assert!(report.contains(&Event::Ended { outcome: Outcome::Succeeded }), "{report:#?}");
    assert!(!report.iter().any(|event| matches!(event, Event::OrderClaimed { .. })), "{report:#?}");
    assert_eq!(john.disk_sha256().unwrap(), disk);
}
