//! What `ghostctl images export` writes is the disk: the raw file to the byte, and the qcow2 boots in a virtual machine.

use std::fs;

use ghost_lab::lab::Pc;
use ghost_lab::{LabConfig, stand_in};

use crate::linux_systems::boot;
use crate::stage::{SOON, Stage};

/// The disk of the virtual machine, in its folder. It is there once a scenario has exported it.
const DISK: &str = "exported.qcow2";

/// Makes joe a virtual machine: no PC that is backed up, and its first choice is the disk that will be exported.
pub(crate) fn add_virtual_machine(config: &mut LabConfig) {
    let drive = format!("file={DISK},format=qcow2,if=none,id=exported");
    let words = ["-drive", &drive, "-device", "virtio-blk-pci,drive=exported,bootindex=0"];
    config.pcs[1].more.extend(words.map(str::to_owned));
}

/// Exports john's newest generation, which is one of a disk with the small Linux, and boots it as joe.
pub(crate) fn assert_is_the_disk_and_boots(stage: &Stage, john: &Pc<'_>) {
    let joe = stage.pc("joe").unwrap();
    let folder = stage.folder().pc(&joe.config().name);
    let export = |format: &str, name: &str| {
        let file = folder.join(name);
        let words = ["images", "export", "--format", format, "john", file.to_str().unwrap()];
        let export = stage.ghostctl(&words).unwrap();
        assert_eq!(export.wait(SOON).unwrap(), 0, "{}", export.text());
        file
    };
    let raw = fs::read(export("raw", "exported.raw")).unwrap();
    // What no file system uses was zero, and is in the file.
    assert!(raw == fs::read(stand_in::disk(stage, john)).unwrap(), "the raw file is not the disk");
    export("qcow2", DISK);
    boot(&joe);
}
