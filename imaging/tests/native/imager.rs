//! Running `ghost-imager` as PID 1 does.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use ghost_contract::checksum::Sha256;
use ghost_contract::image::{DiskImage, Ending, TargetDisk};

/// A command line for a disk.
pub(crate) fn command(verb: &str, image: &Path, disk: Option<&Path>, settings: &str) -> Command {
    let file = |name: &str| image.with_extension(name);
    fs::write(file("settings"), settings).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ghost-imager"));
    command.arg(verb).arg("--image").arg(image);
    for name in ["settings", "progress", "result"] {
        command.arg(format!("--{name}")).arg(file(name));
    }
    if let Some(disk) = disk {
        command.arg("--disk").arg(disk);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// How it ended; its exit status must say the same.
pub(crate) fn imager(verb: &str, image: &Path, disk: Option<&Path>, settings: &str) -> Ending {
    let status = command(verb, image, disk, settings).status().unwrap();
    let ending: Ending = serde_json::from_slice(&fs::read(image.with_extension("result")).unwrap()).unwrap();
    assert_eq!(status.success(), matches!(ending, Ending::Done { .. }), "{status}, {ending:?}");
    ending
}

/// The notes of a run that must succeed.
pub(crate) fn done(verb: &str, image: &Path, disk: Option<&Path>, settings: &str) -> Vec<String> {
    match imager(verb, image, disk, settings) {
        Ending::Done { notes, .. } => notes,
        Ending::Failed { reason, .. } => panic!("{verb}: {reason}"),
    }
}

/// The reason of a run that must fail, and what this means for the disk.
pub(crate) fn failed(verb: &str, image: &Path, disk: Option<&Path>, settings: &str) -> (String, TargetDisk) {
    match imager(verb, image, disk, settings) {
        Ending::Failed { reason, target } => (reason, target),
        Ending::Done { .. } => panic!("{verb} was done"),
    }
}

pub(crate) fn description(image: &Path) -> DiskImage {
    DiskImage::parse(&fs::read(image.join("disk0/disk.json")).unwrap()).unwrap()
}

/// The checksums of all pieces: two images of the same content have the same.
pub(crate) fn sums(image: &Path) -> Vec<Sha256> {
    let image = description(image);
    image.streams().flat_map(|stream| &stream.pieces).map(|piece| piece.sha256).collect()
}
