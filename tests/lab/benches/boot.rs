//! How long a virtual PC takes from its power button until PID 1 is up: by our own stage 1, by the NFS roots of initramfs-tools and of
//! dracut on the same root and kernel, and to an empty /init, which is the limit. By BIOS and by UEFI.
//!
//! `make bench-boot` builds the base root that this needs, with these two in it, beside the usual one. Each is booted twice: as
//! fast as it goes, for the wall time, and with QEMU's `-icount`, by which the PC's own clock counts its instructions (2 ns each)
//! while it is not idle, so that what else the machine does hardly matters.
//!
//! `WAYS=2` leaves these two out, and with them the base root of its own; `FIRMWARE=bios` or `uefi` leaves the other one out.
//!
//! Prints a table; asserts nothing. Needs root and what `tests/host-packages` lists.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ghost_lab::config::SERVER;
use ghost_lab::lab::{SWITCHED_ON, keep_failure};
use ghost_lab::{Firmware, Lab, LabConfig, shell, wait};

use nix::sys::signal::Signal;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// From the power button until PID 1 is up, and from there to off.
const BOOT: Duration = Duration::from_secs(900);
const SOON: Duration = Duration::from_secs(120);
const ICOUNT: [&str; 2] = ["-icount", "shift=1"];

/// What has the root mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Empty,
    Own,
    InitramfsTools,
    Dracut,
}

impl Way {
    const ALL: [Self; 4] = [Self::Empty, Self::Own, Self::InitramfsTools, Self::Dracut];

    const fn name(self) -> &'static str {
        match self {
            Self::Empty => "an empty /init",
            Self::Own => "ghost-init",
            Self::InitramfsTools => "initramfs-tools",
            Self::Dracut => "dracut",
        }
    }

    /// What the kernel is told besides.
    fn flags(self) -> Vec<String> {
        let flags = match self {
            Self::InitramfsTools => "ghost.debug root=/dev/nfs boot=nfs ip=dhcp init=/sbin/ghost-init",
            Self::Dracut => "ghost.debug ip=dhcp rd.shell=0 init=/sbin/ghost-init",
            Self::Own | Self::Empty => "ghost.debug",
        };
        flags.split(' ').map(str::to_owned).collect()
    }

    /// The last that its console shows of what is measured.
    const fn end(self) -> &'static str {
        match self {
            Self::Empty => EMPTY_INIT,
            Self::Own | Self::InitramfsTools | Self::Dracut => "ghost-init: up as ",
        }
    }
}

/// What an empty /init says, with the time since the kernel's start behind it.
const EMPTY_INIT: &str = "empty-init ";
const EMPTY_SCRIPT: &str = "#!/busybox sh\n/busybox mkdir /proc && /busybox mount -t proc proc /proc\nread -r uptime idle </proc/uptime\n\
    echo \"empty-init $uptime s\"\n/busybox poweroff -f\n";
/// What pxelinux and GRUB say first.
const LOADERS: [&str; 2] = ["PXELINUX", "GRUB"];
/// The first and the last line with the PC's own time that PID 1 prints until it is up.
const FIRST_STEP: &str = "start the watchdogs …";
const STEP_BEHIND_UP: &str = "make the shared root read-only …";

/// Seconds since the power button, and since the kernel's start by the PC's own clock.
#[derive(Debug, Default)]
struct Taken {
    loader: Option<f64>,
    init: Option<f64>,
    up: f64,
    own_init: Option<f64>,
    own_up: Option<f64>,
}

fn main() -> Outcome {
    println!("| firmware | way | loader s | PID 1 s | up s | × | PID 1 s, icount | up s, icount | × |");
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|");
    let ways = std::env::var("WAYS").map_or(Ok(Way::ALL.len()), |text| text.parse())?;
    let firmwares = match std::env::var("FIRMWARE") {
        Ok(word) => vec![word.parse()?],
        Err(_) => vec![Firmware::Bios, Firmware::Uefi],
    };
    for firmware in firmwares {
        let mut limits: Option<(f64, f64)> = None;
        for way in Way::ALL.into_iter().take(ways) {
            let wall = boot(way, firmware, &[])?;
            let counted = boot(way, firmware, &ICOUNT)?;
            let own_up = counted.own_up.unwrap_or_default();
            let (limit, own_limit) = *limits.get_or_insert((wall.up, own_up));
            println!(
                "| {firmware} | {} | {} | {} | {:.1} | {:.2} | {} | {own_up:.1} | {:.2} |",
                way.name(),
                told(wall.loader),
                told(wall.init),
                wall.up,
                wall.up / limit,
                told(counted.own_init),
                own_up / own_limit,
            );
        }
    }
    Ok(())
}

fn told(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}"))
}

fn boot(way: Way, firmware: Firmware, more: &[&str]) -> Outcome<Taken> {
    let mut config = LabConfig::new("bench-boot".parse()?);
    config.kernel_flags = way.flags();
    config.ghostrc.insert("SLEEP".to_owned(), "1".to_owned());
    config.pcs[0].with_firmware(firmware);
    config.pcs[0].more = more.iter().map(|word| (*word).to_owned()).collect();
    let lab = Lab::up(config, Path::new(env!("CARGO_BIN_EXE_lab")))?;
    let taken = prepare(&lab, way).and_then(|()| measure(&lab, way));
    if taken.is_err() {
        eprintln!("the lab's logs and screens are kept in {}", keep_failure(&lab)?.display());
    }
    lab.down()?;
    taken
}

fn measure(lab: &Lab, way: Way) -> Outcome<Taken> {
    let john = lab.pc("john")?;
    let job = lab.ghostctl(&["test", "john"])?;
    wait::until("john to be on", SOON, || john.console().ok()?.contains(SWITCHED_ON).then_some(()))
        .map_err(|error| format!("{error}; ghostctl said: {}", job.text()))?;
    let on = Instant::now();
    let mut taken = Taken::default();
    wait::until("the end of the boot", BOOT, || {
        let said = john.console().ok()?;
        let now = on.elapsed().as_secs_f64();
        let first_seen = |seen: &mut Option<f64>, words: &str| {
            if seen.is_none() && said.contains(words) {
                *seen = Some(now);
            }
        };
        LOADERS.into_iter().for_each(|words| first_seen(&mut taken.loader, words));
        first_seen(&mut taken.init, if way == Way::Empty { EMPTY_INIT } else { "ghost-init: version" });
        taken.up = now;
        said.contains(way.end()).then_some(())
    })?;
    john.wait_off(BOOT)?;
    let said = john.console()?;
    (taken.own_init, taken.own_up) = match way {
        Way::Empty => (behind(&said, EMPTY_INIT), behind(&said, EMPTY_INIT)),
        Way::Own | Way::InitramfsTools | Way::Dracut => {
            (before(&said, FIRST_STEP), before(&said, STEP_BEHIND_UP))
        }
    };
    if way == Way::Empty {
        // Nobody is up, so it would wait for john.
        job.signal(Signal::SIGTERM)?;
    }
    job.wait(SOON)?;
    Ok(taken)
}

/// `4.56` of `empty-init 4.56 s`.
fn behind(said: &str, words: &str) -> Option<f64> {
    said.split_once(words)?.1.split_whitespace().next()?.parse().ok()
}

/// `4.56` of `ghost-init: 4560 ms: start the watchdogs …`.
fn before(said: &str, step: &str) -> Option<f64> {
    let line = said.lines().find(|line| line.contains(step))?;
    let milliseconds: f64 = line.split_once(" ms: ")?.0.rsplit(' ').next()?.parse().ok()?;
    Some(milliseconds / 1000.0)
}

/// Puts the way's initrd where the PCs load it.
fn prepare(lab: &Lab, way: Way) -> Outcome {
    let (root, tftp) = (lab.folder().base_root(), lab.folder().tftp());
    match way {
        Way::Own => Ok(()),
        Way::Empty => empty_initrd(&tftp),
        Way::InitramfsTools => without_address(&tftp).and_then(|()| initrd_of_initramfs_tools(&root, &tftp)),
        Way::Dracut => without_address(&tftp)
            .and_then(|()| edit(&tftp, with_root_of_dracut))
            .and_then(|()| initrd_of_dracut(&root, &tftp)),
    }
}

/// The address that loaders add as `ip=` has fewer fields than the others want.
fn without_address(tftp: &Path) -> Outcome {
    edit(tftp, |text| text.replace("IPAPPEND 3", "IPAPPEND 2").replace(" $address ", " "))
}

/// dracut's own form, with the version that the lab serves.
fn with_root_of_dracut(text: &str) -> String {
    text.replace("nfsroot=", "root=nfs:").replace(",vers=3,tcp,nolock", ":vers=3,nolock")
}

/// Changes what the boot loaders read.
fn edit(tftp: &Path, change: impl Fn(&str) -> String) -> Outcome {
    for name in ["pxelinux.cfg/default", "grub/grub.cfg"] {
        let file = tftp.join(name);
        fs::write(&file, change(&fs::read_to_string(&file)?))?;
    }
    Ok(())
}

fn empty_initrd(tftp: &Path) -> Outcome {
    let folder = tftp.with_extension("empty");
    fs::create_dir(&folder)?;
    fs::copy("/bin/busybox", folder.join("busybox"))?;
    fs::write(folder.join("init"), EMPTY_SCRIPT)?;
    let pack = "chmod 755 init && mkdir dev && mknod dev/console c 5 1 && find . | cpio --quiet -o -H newc | zstd -q";
    let out = tftp.join("initrd");
    shell::run(Command::new("sh").args(["-ec", &format!("{pack} >\"$0\"")]).arg(out).current_dir(folder))?;
    Ok(())
}

/// As Debian's live systems and the first versions of this project had it.
fn initrd_of_initramfs_tools(root: &Path, tftp: &Path) -> Outcome {
    let settings = root.join("etc/initramfs-tools/initramfs.conf");
    let text = fs::read_to_string(&settings)?;
    fs::write(
        &settings,
        format!("{text}\nMODULES=netboot\nBOOT=nfs\nNFSROOT={SERVER}:{}\n", root.display()),
    )?;
    // The base root has no udev, so its cards are named.
    fs::write(root.join("etc/initramfs-tools/modules"), "8139cp\nvirtio_pci\nvirtio_net\n")?;
    initrd_by(root, tftp, "mkinitramfs -o /tmp/initrd \"$0\"")
}

/// For PCs in general, as ours is, without what mounts local disks.
fn initrd_of_dracut(root: &Path, tftp: &Path) -> Outcome {
    initrd_by(
        root,
        tftp,
        "mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t devtmpfs devtmpfs /dev && \
         dracut --quiet --no-hostonly --add nfs --omit 'btrfs crypt dm dmraid lvm mdraid multipath plymouth' /tmp/initrd \"$0\"",
    )
}

/// Runs this in the base root, with the kernel's version as its argument and mounts of its own, and takes what it has made.
fn initrd_by(root: &Path, tftp: &Path, script: &str) -> Outcome {
    let kernel =
        fs::read_dir(root.join("usr/lib/modules"))?.next().ok_or("the base root has no kernel")??;
    let made: PathBuf = root.join("tmp/initrd");
    let words = ["--mount", "chroot"];
    shell::run(
        Command::new("unshare").args(words).arg(root).args(["sh", "-ec", script]).arg(kernel.file_name()),
    )?;
    let initrd = tftp.join("initrd");
    fs::copy(made, &initrd)?;
    // dracut's is for root alone, and in.tftpd is not root.
    fs::set_permissions(&initrd, Permissions::from_mode(0o644))?;
    Ok(())
}
