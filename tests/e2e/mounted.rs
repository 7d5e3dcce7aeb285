//! `ghostctl images mount` of FAT, and of exFAT by a driver that the kernel of this machine may lack: it runs on a client,
//! whose kernel is Debian's, on a generation in the image store that the client has mounted over NFS.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;

use ghost_contract::image::{FileSystem, LinuxSettings};
use ghost_contract::order::Imager;
use ghost_contract::{HostName, JobId, Mode, layout};
use ghost_lab::config::repository;
use ghost_lab::lab::Pc;
use ghost_lab::{shell, wait};
use ghostctl::catalog::{Catalog, Facts};
use ghostctl::confined::Parser;

use crate::by_hand::now;
use crate::stage::{SOON, Stage};

/// What the client needs as a boot server is in a folder of its tree, and what changes there in its memory.
const KIT: &str = "/var/kit";
const DISK: &str = "/run/kit/disk";
const CACHE: &str = "/run/kit/cache";
const STATE: &str = "/run/kit/state";
/// Where a partition is looked into.
const PLACE: &str = "/mnt";
/// The partitions: number, what blkid calls the file system, and where make-fat-disk has put it.
const PARTITIONS: [(u32, &str, u32); 2] = [(1, "vfat", 1 << 20), (2, "exfat", 9 << 20)];
const LENGTH: u32 = 8 << 20;
/// A file with a name that is neither short nor ASCII, and one that does not compress.
const LETTER: &str = "Briefe an Jürgen/Größe und Gewicht.txt";
const NOISE: &str = "NOISE.BIN";

/// Looks from this client, which waits in mode test, into a generation with FAT and exFAT.
pub(crate) fn assert_fat_and_exfat_can_be_looked_into(stage: &Stage, john: &Pc<'_>) {
    let on_john = |command: &str| said(stage, john, command, 0);
    let host: HostName = "joe".parse().unwrap();
    copy_kit(stage, john);
    // Without udev nobody loads it, and losetup does not.
    on_john(&format!("modprobe loop && mkdir /run/kit && cp {KIT}/disk {DISK}"));
    make_generation(stage, john, &host);

    let ghostctl = format!("{KIT}/ghostctl --config {KIT}/ghostrc images");
    // The client is another boot server, which did not make it.
    let adopted = on_john(&format!("{ghostctl} adopt {host}"));
    assert!(adopted.contains("this boot server vouches for it from now on"), "{adopted}");
    // A file system that only the kernel's own driver reads is given to it where that is asked for.
    let exfat = format!("{ghostctl} mount --cache {CACHE} --partition 2 {host} {PLACE}");
    let refused = said(stage, john, &exfat, 2);
    assert!(refused.contains("only the kernel's own driver reads exfat here: --kernel"), "{refused}");
    for (number, kind, _) in PARTITIONS {
        let driver = if kind == "exfat" { "--kernel " } else { "" };
        let mounted =
            on_john(&format!("{ghostctl} mount --cache {CACHE} {driver}--partition {number} {host} {PLACE}"));
        assert!(mounted.contains(&format!("({kind}) is mounted at {PLACE}")), "{mounted}");
        on_john(&format!("diff -r {KIT}/files {PLACE}"));
        let refused = said(stage, john, &format!("touch {PLACE}/new '{PLACE}/{LETTER}'"), 1);
        assert_eq!(refused.matches("Read-only file system").count(), 2, "{refused}");
        on_john(&format!("{ghostctl} unmount {PLACE}"));
        assert_eq!(on_john(&format!("find {CACHE} {STATE}/mounts {PLACE} -mindepth 1")), "", "it is left");
    }
    wait::until("no loop device and no mount to be left", SOON, || {
        let left = on_john(&format!("losetup --list --noheadings && ! grep ' {PLACE} ' /proc/mounts"));
        left.is_empty().then_some(())
    })
    .unwrap();
    let verify = stage.ghostctl(&["images", "verify", host.as_str()]).unwrap();
    assert_eq!(verify.wait(SOON).unwrap(), 0, "{}", verify.text());
}

/// Fills the file systems, saves the disk with the client's imager, and makes that a generation, as a job does.
fn make_generation(stage: &Stage, john: &Pc<'_>, host: &HostName) {
    for (_, kind, start) in PARTITIONS {
        let options = format!("loop,offset={start},sizelimit={LENGTH},iocharset=utf8");
        // A hole in front, so that what is used does not just come first.
        let fill = format!("head -c 1M /dev/zero >hole && cp -r {KIT}/files/. . && rm hole");
        let command = format!(
            "mount -t {kind} -o {options} {DISK} {PLACE} && (cd {PLACE} && {fill}) && umount {PLACE}"
        );
        said(stage, john, &command, 0);
    }
    let catalog = Catalog::new(
        stage.folder().image_store(),
        stage.folder().state(),
        Parser::of(stage.ghostctl_program()),
    );
    let job: JobId = "20260123-142501-4f3a".parse().unwrap();
    catalog.stage(host, &job).unwrap();
    let staging = Path::new(layout::STORE_MOUNT_POINT).join(layout::staging(host, &job));
    let started = now();
    said(stage, john, &format!("ghost-imager backup --image {} --disk {DISK}", staging.display()), 0);
    let (mac, mode, ended) = (john.config().mac, Mode::Backup, now());
    let imager = Imager::Linux(LinuxSettings::default());
    let facts = Facts { mac, mode, imager, started, ended, checked: ended };
    let manifest = catalog.finish(host, &job, &facts).unwrap();
    let saved: Vec<FileSystem> = manifest.disks[0].file_systems.iter().map(|one| one.file_system).collect();
    assert_eq!(saved, [FileSystem::Fat, FileSystem::Exfat], "both by partclone");
}

/// Copies to the client what it needs as a boot server: `ghostctl`, its settings, a disk with empty file
/// systems, and what goes into them.
fn copy_kit(stage: &Stage, john: &Pc<'_>) {
    let folder = stage.folder().base_root().join(layout::tree_var(john.config().ip)).join("kit");
    let (letter, noise) = (folder.join("files").join(LETTER), folder.join("files").join(NOISE));
    fs::create_dir_all(letter.parent().unwrap()).unwrap();
    fs::write(letter, "Sehr geehrter Herr Müller,\r\n").unwrap();
    let mut bytes = vec![0; 3 << 20];
    File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    fs::write(noise, bytes).unwrap();
    shell::run(Command::new(repository().join("tests/disk/make-fat-disk")).arg(folder.join("disk"))).unwrap();
    fs::copy(stage.ghostctl_program(), folder.join("ghostctl")).unwrap();
    let store = layout::STORE_MOUNT_POINT;
    let settings = format!(
        "PXEADDR=192.168.7.1\nPXEBASE=/\nGHSTBASE={store}\nGHSTNFS=$PXEADDR:{store}\nDHCPD=/bin/true\n\
         ETHERWAKE=ether-wake\nDHCPDCONF={KIT}/dhcpd.conf\nSTATEDIR={STATE}\n"
    );
    fs::write(folder.join("ghostrc"), settings).unwrap();
    fs::copy(stage.folder().dhcpd_conf(), folder.join("dhcpd.conf")).unwrap();
}

/// What a command on the client says, which ends with this status.
#[track_caller]
fn said(stage: &Stage, john: &Pc<'_>, command: &str, status: i32) -> String {
    let running = stage.ssh(john.config().ip, command).unwrap();
    assert_eq!(running.wait(SOON).unwrap(), status, "{command}: {}", running.text());
    running.text()
}
