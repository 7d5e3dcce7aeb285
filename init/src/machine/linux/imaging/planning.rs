//! What has to be known before an imager can be started: which disk, which folders, which program.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ghost_contract::order::{Imager, Order};
use ghost_contract::{Mode, layout};

use crate::bootdisk;
use crate::disk::{self, BlockDevice, Settling};
use crate::failure::Failure;
use crate::fstab::{Mount, MountFlag};
use crate::imager::dosemu::{self, Flavour, Installed};
use crate::imager::{Commission, Emulator, IMAGES, Launch, TEMPLATE, dosbox_x};
use crate::job::Job;
use crate::sys::child::Children;
use crate::sys::{disks, file, modules, mount};

/// How long the drivers may take until they show a disk.
const DISK_LIMIT: Duration = Duration::from_secs(20);
/// Between two looks at whether a disk is there.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Where screenshots are kept when a job writes no generation, below the client's `/var`.
const OWN_SCREENS: &str = "/var/ghost/screens";

/// The first disk. Drivers show their disks some time after they were loaded, and a controller's
/// driver may bring devices that want further ones.
pub(super) fn find_disk(children: &Children) -> Result<BlockDevice, Failure> {
    let started = Instant::now();
    let mut settling = Settling::default();
    loop {
        modules::load_for_devices(children)?;
        let devices = disks::all()?;
        if let Some(disk) = settling.observe(&devices, started.elapsed()) {
            return Ok(disk);
        }
        if started.elapsed() >= DISK_LIMIT {
            disk::first(&devices)?;
            return Err(Failure::new("it cannot be said which disk is the first: they come and go"));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Makes the folder of the images seen at its fixed place, so that DOS never sees a name that changes. Gives
/// the folder of the screenshots.
pub(super) fn bind_images(job: &Job) -> Result<PathBuf, Failure> {
    let images = Path::new(IMAGES);
    let Some(folder) = job.order.as_ref().and_then(|order| image_folder(job.mode, order)) else {
        return Ok(PathBuf::from(OWN_SCREENS));
    };
    let folder = Path::new(layout::STORE_MOUNT_POINT).join(folder);
    if !folder.is_dir() {
        return Err(Failure::new(format!("the image store has no folder {}", folder.display())));
    }
    mount::bind(&folder, images)?;
    if job.mode == Mode::Backup {
        return Ok(images.join(layout::SCREENS));
    }
    mount::protect(images)?;
    Ok(PathBuf::from(OWN_SCREENS))
}

/// What DOS has as Z:, below the image store.
fn image_folder(mode: Mode, order: &Order) -> Option<PathBuf> {
    match mode {
        Mode::Backup => Some(layout::staging(&order.host, &order.job)),
        Mode::Verify | Mode::Restore => {
            order.generation.as_ref().map(|generation| layout::generation(&order.host, generation))
        }
        Mode::Test | Mode::Ghost => None,
    }
}

/// How the order's imager is started. Without an order it is DOSEmu, for a person at the screen.
pub(super) fn plan(job: &Job, disk: &BlockDevice) -> Result<(Emulator, Launch), Failure> {
    let template = file::bytes(Path::new(TEMPLATE))?;
    let device = Path::new("/dev").join(&disk.name);
    let commission = |command| Commission { mode: job.mode, command, disk: &device, disk_size: disk.size };
    let command = match job.order.as_ref().and_then(|order| order.imager.as_ref()) {
        Some(Imager::DosboxX(program)) => {
            let launch = dosbox_x::prepare(&commission(&program.command), bootdisk::extract(template)?)?;
            return Ok((Emulator::DosboxX, launch));
        }
        Some(Imager::Dosemu(program)) => program.command.as_str(),
        None => "",
    };
    let (path, flavour) = installed_dosemu()?;
    if flavour == Flavour::Dosemu2 {
        mount_shared_memory()?;
    }
    let launch = dosemu::prepare(&commission(command), Installed { path, flavour }, template)?;
    Ok((Emulator::Dosemu, launch))
}

/// dosemu2 keeps the memory of its DOS there.
fn mount_shared_memory() -> Result<(), Failure> {
    let target = PathBuf::from("/dev/shm");
    file::make_folder(&target)?;
    mount::mount_unless_mounted(&Mount {
        source: "tmpfs".to_owned(),
        target,
        kind: "tmpfs".to_owned(),
        flags: vec![MountFlag::NoSuid, MountFlag::NoDev],
        options: "mode=1777".to_owned(),
    })?;
    Ok(())
}

fn installed_dosemu() -> Result<(&'static Path, Flavour), Failure> {
    for path in dosemu::PROGRAMS.map(Path::new) {
        if let Some(program) = file::read(path)? {
            return Ok((path, Flavour::of(path, &program)?));
        }
    }
    Err(Failure::new(format!("DOSEmu is not installed: there is none of {}", dosemu::PROGRAMS.join(", "))))
}
