//! A file system that is written to between the look at it and the reading: what partclone knows of it is old then.

use std::fs;

use ghost_contract::image::LinuxSettings;
use ghost_imaging::backup;
use ghost_imaging::board::Board;
use ghost_imaging::plan::maps::Maps;

use crate::disk::{MIB, blank, noise, run};

#[test]
fn a_file_that_was_written_after_the_look_ends_the_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, file) = (folder.path().join("disk"), folder.path().join("file"));
    blank(&disk, 64 * MIB);
    run("mkfs.ext4", &["-q", "-F", disk.to_str().unwrap()]);
    fs::write(&file, noise(1, 3 * MIB)).unwrap();

    let (settings, board) = (LinuxSettings::default(), Board::default());
    let image = folder.path().join("image");
    let ready = backup::prepare(&image, &disk, (&settings, None), &mut Maps::default(), &board).unwrap();
    let write = format!("write {} late", file.display());
    run("debugfs", &["-w", "-R", &write, disk.to_str().unwrap()]);
    let error = format!("{:#}", backup::save(ready, &board).unwrap_err());

    assert!(
        error.contains("was not saved: partclone finds") && error.contains("the file system says"),
        "{error}"
    );
    assert!(!image.join("disk.json").exists(), "there is no image");
}
