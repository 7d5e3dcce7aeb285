//! Clients mount all with NFS 4.1 (`NFSVERSION=4.1`): john is backed up while joe is tested. The portmapper is gone before they boot,
//! so what they reach they reach by NFS' own port. A UEFI PC is backed up and restored with exports for the time of each job.

use ghost_contract::report::Event;
use ghost_lab::config::target_folder;
use ghost_lab::{Firmware, LabConfig, stand_in};

use crate::backup::{IMAGING, SMALL, job};
use crate::linux::wipe;
use crate::stage::{BOOT, OFF, SOON, Stage};

/// The version of each NFS mount, the name that the server knows the client by, and the owner of files on base root and tree.
const LOOK: &str = "awk '$3 ~ /^nfs/' /proc/mounts | sed 's/.*vers=\\([0-9.]*\\).*/vers=\\1/' | sort -u; \
    cat /sys/module/nfs/parameters/nfs4_unique_id; stat -c %u:%g /usr/sbin/ghost-imager /etc/ethers | sort -u";

fn with_nfs_4_1(config: &mut LabConfig, exports: &str) {
    let settings = [("NFSVERSION", "4.1"), ("EXPORTS", exports), ("IMAGER", "linux")];
    config.ghostrc.extend(settings.map(|(key, value)| (key.to_owned(), value.to_owned())));
    // `make nfs4` makes an initramfs with that version.
    config.netboot = target_folder().join("rootfs-nfs4/netboot");
}

#[test]
fn with_nfs_4_1_two_clients_work_at_the_same_time_by_its_port_alone() {
    let stage = Stage::with("nfs4", |config| with_nfs_4_1(config, "own"));
    let (john, joe) = (stage.pc("john").unwrap(), stage.pc("joe").unwrap());
    stand_in::fill_disk(&stage, &john, SMALL).unwrap();
    let (original, disk) = (stage.dhcpd_conf().unwrap(), john.disk_sha256().unwrap());
    let doctor = stage.ghostctl(&["doctor", "john", "joe"]).unwrap();
    doctor.wait(SOON).unwrap();
    let said = doctor.text();
    let of_nfs: Vec<&str> = said.lines().filter(|line| line.contains(" NFS export: ")).collect();
    // The lab is on one file system, and NFS-Ganesha does not look where a file lies.
    let (shared, of_nfs): (Vec<&str>, Vec<&str>) =
        of_nfs.into_iter().partition(|line| line.contains("can read whatever is on the same file system"));
    assert!(shared.len() == 1 && shared[0].starts_with("warning "), "{said}");
    assert!(of_nfs.len() == 4 && of_nfs.iter().all(|line| line.starts_with("good ")), "{said}");
    let killed = stage.run(&["pkill", "-KILL", "rpcbind"]).unwrap();
    assert_eq!(killed.wait(SOON).unwrap(), 0, "{}", killed.text());

    let test = stage.ghostctl(&["test", "joe"]).unwrap();
    stage.wait_report(&joe, "the test's start", BOOT, |event| {
        matches!(event, Event::TestStarted { .. }).then_some(())
    });
    let backup = stage.ghostctl(&["backup", "john"]).unwrap();
    assert_eq!(backup.wait(BOOT + IMAGING).unwrap(), 0, "{}", backup.text());
    john.wait_off(OFF).unwrap();
    assert_eq!(john.disk_sha256().unwrap(), disk);

    let look = stage.ssh(joe.config().ip, LOOK).unwrap();
    assert_eq!(look.wait(SOON).unwrap(), 0, "{}", look.text());
    let mac = joe.config().mac.to_string();
    assert_eq!(look.lines(), ["vers=4.1", mac.as_str(), "0:0"]);
    // What ssh makes of it does not count: the machine may go off before the command has answered.
    let _kill = stage.ssh(joe.config().ip, "pkill -x sleep").unwrap();
    joe.wait_off(OFF).unwrap();
    assert_eq!(test.wait(SOON).unwrap(), 0, "{}", test.text());
    stage.assert_dhcpd_conf(&original);
}

#[test]
fn with_nfs_4_1_a_uefi_pc_is_saved_and_restored_by_exports_of_its_job() {
    let stage = Stage::with("nfs4-uefi", |config| {
        with_nfs_4_1(config, "job");
        config.pcs[0].with_firmware(Firmware::Uefi);
    });
    let john = stage.pc("john").unwrap();
    stand_in::fill_disk(&stage, &john, SMALL).unwrap();
    let disk = john.disk_sha256().unwrap();
    let (status, said) = job(&stage, &john, &["backup", "john"]);
    assert_eq!(status, 0, "{said}");
    wipe(&stage, &john, SMALL, 0);
    let (status, said) = job(&stage, &john, &["restore", "--yes", "john"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(john.disk_sha256().unwrap(), disk, "every byte is back");
}
