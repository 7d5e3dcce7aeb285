//! The imager `dosemu` on the virtual terminal, with a stand-in for DOSEmu 1.4 where an administrator puts DOSEmu.

use std::fs;

use ghost_contract::layout;
use ghost_contract::report::Event;
use ghost_lab::config::repository;
use ghost_lab::stand_in;

use crate::backup::{self, job};

#[test]
fn dosemu_on_the_virtual_terminal_backs_up_and_restores() {
    let stage = backup::stage("dosemu", &[("IMAGER", "dosemu")]);
    let john = stage.pc("john").unwrap();
    let program = stage.folder().base_root().join("usr/bin/dosemu.bin");
    fs::copy(repository().join("tests/dosemu-stand-in/dosemu.bin"), program).unwrap();
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
    let screens = fs::read_dir(generations[0].join(layout::SCREENS)).unwrap();
    let texts: Vec<String> = screens
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with("before-keys.txt"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert!(
        texts.iter().any(|text| text.contains("STAND-IN for DOSEmu") && text.contains("Mark")),
        "{texts:?}"
    );

    let destroyed = stand_in::disk(&stage, &john);
    let size = fs::metadata(&destroyed).unwrap().len();
    fs::write(destroyed, vec![0_u8; usize::try_from(size).unwrap()]).unwrap();
    assert_ne!(john.disk_sha256().unwrap(), disk);
    let (status, said) = job(&stage, &john, &["restore", "--yes", "john"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(john.disk_sha256().unwrap(), disk, "every byte is back");
}
