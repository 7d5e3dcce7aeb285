//! A disk that a job must not write refuses writes until it is put back. Needs root, for a loop device.
#![allow(clippy::unwrap_used, reason = "all of this target is tests: a panic that says where is the message")]

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use ghost_init::sys::read_only::ReadOnly;

/// A disk that is a file.
struct Disk {
    device: PathBuf,
    _file: tempfile::NamedTempFile,
}

impl Disk {
    fn new() -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 20).unwrap();
        let output = Command::new("losetup").args(["--find", "--show"]).arg(file.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { device: PathBuf::from(String::from_utf8(output.stdout).unwrap().trim()), _file: file }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A loop device keeps it for whoever has it next.
        let writable = Command::new("blockdev").arg("--setrw").arg(&self.device).status();
        assert!(writable.is_ok_and(|status| status.success()), "{} is left", self.device.display());
        let ended = Command::new("losetup").arg("--detach").arg(&self.device).status();
        assert!(ended.is_ok_and(|status| status.success()), "{} is left", self.device.display());
    }
}

fn write(device: &Path) -> io::Result<()> {
    let mut disk = OpenOptions::new().read(true).write(true).open(device)?;
    disk.write_all(&[7; 512])?;
    disk.sync_all()
}

#[test]
fn a_disk_that_is_read_only_refuses_to_be_written_until_it_is_put_back() {
    let disk = Disk::new();
    write(&disk.device).unwrap();
    let read_only = ReadOnly::make(&disk.device).unwrap();
    assert_eq!(write(&disk.device).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    File::open(&disk.device).unwrap();
    read_only.put_back().unwrap();
    write(&disk.device).unwrap();
}

#[test]
fn a_disk_that_was_read_only_before_stays_so() {
    let disk = Disk::new();
    ReadOnly::make(&disk.device).unwrap();
    ReadOnly::make(&disk.device).unwrap().put_back().unwrap();
    assert!(write(&disk.device).is_err());
}

#[test]
fn what_is_no_disk_is_an_error_that_names_it() {
    let error = ReadOnly::make(Path::new("/dev/null")).unwrap_err().to_string();
    assert_eq!(error, "cannot ask whether /dev/null may be written");
}
