//! A PC whose disk is encrypted, by the client's own kernel and tools: with the key, what is in it is saved by what is used, and
//! restored into a container that the same key opens. The key is nowhere afterwards.

use std::fs;
use std::net::Ipv4Addr;

use ghost_contract::layout;
use ghost_contract::report::Event;

use crate::backup::{job, stored};
use crate::linux::{only_generation, wipe};
use crate::stage::{BOOT, OFF, SOON, Stage, files_called};

const JOHN: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 2);
/// Size of the disk in MiB.
const SIZE: u32 = 96;
const KEY: &[u8] = b"what the administrator has in a file\n";
/// Loads the disk's driver, which mode test has no use for.
const DRIVERS: &str = "for again in 1 2 3; do modprobe -abq $(cat /sys/bus/*/devices/*/modalias) || true; done; modprobe -a sd_mod dm-crypt;
    deadline=$(($(date +%s) + 60)); until [ -b /dev/sda ]; do [ $(date +%s) -lt $deadline ] || exit 9; sleep 0.2; done";
/// A key derivation that an emulated processor can do.
const MAKE: &str =
    "cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/sda /run/key";
const OPEN: &str = "cryptsetup open --key-file /run/key /dev/sda inside";
const FILL: &str = "mkfs.ext4 -q /dev/mapper/inside && mount /dev/mapper/inside /mnt && head -c 5000000 /dev/urandom >/mnt/file && umount /mnt";
const READ: &str = "e2fsck -fn /dev/mapper/inside >/dev/null && mount -o ro /dev/mapper/inside /mnt && sha256sum /mnt/file && umount /mnt";
const CLOSE: &str = "cryptsetup close inside";

/// Runs commands on john in mode test, the key being in /run/key, and gives their last line.
fn on_john(stage: &Stage, commands: &[&str]) -> String {
    let john = stage.pc("john").unwrap();
    let ghostctl = stage.ghostctl(&["test", "john"]).unwrap();
    john.wait_on(SOON).unwrap();
    stage.wait_report(&john, "the test's start", BOOT, |event| match event {
        Event::TestStarted { ssh_port: Some(22), .. } => Some(()),
        _ => None,
    });
    let key = format!("printf '%s' '{}' >/run/key", std::str::from_utf8(KEY).unwrap());
    let script = [&[key.as_str(), DRIVERS], commands].concat().join(" && ");
    let ssh = stage.ssh(JOHN, &format!("export DM_DISABLE_UDEV=1; {script}")).unwrap();
    assert_eq!(ssh.wait(BOOT).unwrap(), 0, "{}", ssh.text());
    assert_eq!(stage.ghostctl(&["cancel", "john"]).unwrap().wait(SOON).unwrap(), 0);
    ghostctl.wait(BOOT).unwrap();
    john.wait_off(OFF).unwrap();
    ssh.lines().pop().unwrap()
}

#[test]
fn a_disk_in_luks_is_saved_by_what_is_used_and_restored_into_a_container_that_the_key_opens() {
    let stage = Stage::with("encrypted", |config| {
        config.ghostrc.insert("SLEEP".to_owned(), "900".to_owned());
    });
    let john = stage.pc("john").unwrap();
    wipe(&stage, &john, SIZE, 0);
    let key = stage.folder().path().join("john.key");
    fs::write(&key, KEY).unwrap();
    let key = key.to_str().unwrap();
    let file = on_john(&stage, &[MAKE, OPEN, FILL, READ, CLOSE]);
    assert!(file.ends_with("/mnt/file"), "{file}");

    let (status, said) = job(&stage, &john, &["backup", "--luks-key", key, "john"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("NOT ENCRYPTED"), "{said}");
    assert_eq!(stored(&stage).len(), 1);
    let folder = only_generation(&stage).join(layout::disk(0));
    let bytes: u64 =
        fs::read_dir(folder).unwrap().map(|piece| piece.unwrap().metadata().unwrap().len()).sum();
    assert!(
        bytes < u64::from(SIZE) << 19,
        "{bytes} bytes: encrypted, all of it would be saved, and could not be packed"
    );
    let key_name = layout::LUKS_KEY.rsplit('/').next().unwrap();
    assert!(
        files_called(key_name, &stage.folder().base_root()).is_empty(),
        "the key is left on the boot server"
    );

    wipe(&stage, &john, SIZE, 0xE5);
    let (status, said) = job(&stage, &john, &["restore", "--yes", "--luks-key", key, "john"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(on_john(&stage, &[OPEN, READ, CLOSE]), file);
}
