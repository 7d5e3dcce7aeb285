//! Given a generation whose file system a hostile client has made, what does looking into it reach, and what does it take?

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ghost_contract::sample::effects::unmount;

use crate::boot_server::{BootServer, said};
use crate::saved_disk::{SavedDisk, run};

use super::mounts::{assert_is_confined, is_running};
use super::{GENERATION, Store};

/// Makes an ext4 one that no Linux has written: a folder that is in itself, devices, a program of root's, a file of 3 TiB, a
/// link that is longer than any path, and a name that speaks to a terminal.
fn make_hostile(ext4: &Path) {
    let script = ext4.with_file_name("hostile.debugfs");
    let commands = "ln <2> home/john/again\nmknod disk b 8 0\nmknod memory c 1 1\nsif home/john/letter mode 0104755\n\
                    sif noise size 3298534883328\nsif way-out size 60000\nln home/john/letter \"\x1b[2J\"\n";
    fs::write(&script, commands).unwrap();
    run("debugfs", &["-w", "-f", script.to_str().unwrap(), ext4.to_str().unwrap()]);
}

#[test]
fn a_hostile_file_system_is_looked_into_and_reaches_nothing() {
    let (server, disk) = (BootServer::with_hosts(1), Arc::new(SavedDisk::with(&make_hostile)));
    disk.put_generation(&server, GENERATION);
    let store = Store { server, disk };
    let (folder, cache) = (store.mount_point(), store.server.path("cache"));
    let (at, cache) = (folder.to_str().unwrap(), cache.to_str().unwrap());
    let mounted = store.images(&["mount", "--cache", cache, "--partition", "1", "pc2", at]);
    assert_eq!(mounted.status.code(), Some(0), "{}", said(&mounted));
    let server = store.server_of_the_mount();
    let deep = folder.join("home/john/again/home/john/again/home/john/letter");
    assert_eq!(fs::read(deep).unwrap(), b"Dear Jane", "a folder in itself is only deep");
    for device in ["disk", "memory"] {
        let opened = File::open(folder.join(device)).unwrap_err();
        assert_eq!(opened.kind(), std::io::ErrorKind::PermissionDenied, "{device}");
    }
    assert!(Command::new(folder.join("home/john/letter")).status().is_err(), "no program of it is run");
    let mut bytes = vec![1; 4_096];
    let far = File::open(folder.join("noise")).and_then(|noise| noise.read_at(&mut bytes, 2 << 40));
    assert!(far.is_err() || bytes[..far.unwrap()].iter().all(|byte| *byte == 0), "nothing is behind its end");
    assert!(fs::read_link(folder.join("way-out")).is_err(), "a link is not longer than a path");
    assert!(fs::read_dir(&folder).unwrap().all(|entry| entry.is_ok()));
    assert_is_confined(server);
    assert_eq!(fs::read(folder.join("home/john/letter")).unwrap(), b"Dear Jane", "and it is still served");
    let unmounted = store.images(&["unmount", at]);
    assert_eq!(unmounted.status.code(), Some(0), "{}", said(&unmounted));
    store.assert_nothing_is_mounted();
    assert!(!is_running(server));
}

#[test]
fn what_an_image_is_unpacked_to_never_takes_the_last_of_the_room() {
    let store = Store::new();
    let (folder, cache) = (store.mount_point(), store.server.path("cache"));
    fs::create_dir(&cache).unwrap();
    // As if what was unpacked so far had nearly filled it.
    run("mount", &["-t", "tmpfs", "-o", "size=64m", "tmpfs", cache.to_str().unwrap()]);
    let _unmounted = Mount(cache.clone());
    fs::write(cache.join("filler"), vec![7; 57 << 20]).unwrap();
    let words =
        ["mount", "--cache", cache.to_str().unwrap(), "--partition", "1", "pc2", folder.to_str().unwrap()];
    let refused = store.images(&words);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let why = "less than 8388608 bytes are left on the file system that it is unpacked to";
    assert!(said(&refused).contains(why), "{}", said(&refused));
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 1, "nothing of it is left");
    fs::remove_file(cache.join("filler")).unwrap();
    store.assert_nothing_is_mounted();
    let mounted = store.images(&words);
    assert_eq!(mounted.status.code(), Some(0), "{}", said(&mounted));
    assert_eq!(store.images(&["unmount", folder.to_str().unwrap()]).status.code(), Some(0));
}

/// Unmounts when it is dropped.
struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}
