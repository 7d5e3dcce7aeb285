//! What has to be known before an imager can be started: which disk, which folders, which program.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ghost_contract::order::{Imager, Order};
use ghost_contract::{Mode, bootdisk, layout};

use crate::disk::{self, BlockDevice, Settling};
use crate::failure::Failure;
use crate::fstab::{Mount, MountFlag};
use crate::imager::dos::Commission;
use crate::imager::dosemu::{self, Flavour, Installed};
use crate::imager::{Launch, dosbox_x, partclone};
use crate::job::Job;
use crate::sys::child::Children;
use crate::sys::{disks, file, modules, mount};

/// How long the drivers may take until they show a disk.
const DISK_LIMIT: Duration = Duration::from_secs(20);
/// Between two looks at whether a disk is there.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The disks that the job is about. Drivers show their disks some time after they were loaded, and a controller's
/// driver may bring devices that want further ones.
pub(super) fn find_disks(job: &Job, children: &Children) -> Result<Vec<BlockDevice>, Failure> {
    let started = Instant::now();
    // A check of an image is as good on a machine whose disk is broken or gone.
    if job.mode == Mode::Verify && matches!(job.imager(), Some(Imager::Partclone(_))) {
        return Ok(Vec::new());
    }
    let choice = job.disk();
    let mut settling = Settling::new(choice.clone());
    loop {
        modules::load_for_devices(children)?;
        let devices = disks::all()?;
        if let Some(disks) = settling.observe(&devices, started.elapsed()) {
            return Ok(disks);
        }
        if started.elapsed() >= DISK_LIMIT {
            disk::choose(&devices, &choice)?;
            return Err(Failure::new(format!("it cannot be said which disk is {choice}: they come and go")));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Makes the folder of the images seen at its fixed place, so that the imager never sees a name that changes. Gives
/// the folder of the screenshots.
pub(super) fn bind_images(job: &Job, images: &Path) -> Result<PathBuf, Failure> {
    let Some(folder) = job.order.as_ref().and_then(|order| image_folder(job.mode, order)) else {
        return Ok(Path::new("/var").join(layout::OWN_SCREENS));
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
    bind_scratch(job)?;
    Ok(Path::new("/var").join(layout::OWN_SCREENS))
}

/// Makes the job's own folder in the store seen at its fixed place, if a restore may need room there: the generation
/// is not written to by anybody.
fn bind_scratch(job: &Job) -> Result<(), Failure> {
    match &job.order {
        Some(order) if job.mode == Mode::Restore && order.needs_scratch() => {
            let folder = layout::staging(&order.host, &order.job);
            mount::bind(&Path::new(layout::STORE_MOUNT_POINT).join(folder), Path::new(partclone::SCRATCH))?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Where the images of a job are, below the image store.
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
pub(super) fn plan(job: &Job, disks: &[BlockDevice]) -> Result<Launch, Failure> {
    match job.imager() {
        Some(Imager::Partclone(settings)) => {
            let devices: Vec<PathBuf> = disks.iter().map(device).collect();
            Ok(partclone::prepare(job.mode, &devices, settings)?)
        }
        Some(Imager::DosboxX(program)) => {
            let (disk, device) = one_disk(disks)?;
            let commission = commission(job, &program.command, disk, &device);
            Ok(dosbox_x::prepare(&commission, bootdisk::extract(template()?)?)?)
        }
        Some(Imager::Dosemu(program)) => plan_dosemu(job, &program.command, disks),
        None => plan_dosemu(job, "", disks),
    }
}

fn plan_dosemu(job: &Job, command: &str, disks: &[BlockDevice]) -> Result<Launch, Failure> {
    let (disk, device) = one_disk(disks)?;
    let template = template()?;
    let (path, flavour) = installed_dosemu()?;
    if flavour == Flavour::Dosemu2 {
        mount_shared_memory()?;
    }
    let commission = commission(job, command, disk, &device);
    Ok(dosemu::prepare(&commission, Installed { path, flavour }, template)?)
}

fn commission<'a>(job: &Job, command: &'a str, disk: &BlockDevice, device: &'a Path) -> Commission<'a> {
    Commission { mode: job.mode, command, disk: device, disk_size: disk.size }
}

/// The only disk of a job with a DOS program, and its device.
fn one_disk(disks: &[BlockDevice]) -> Result<(&BlockDevice, PathBuf), Failure> {
    match disks {
        [disk] => Ok((disk, device(disk))),
        _ => Err(Failure::new("a DOS program works on one disk, and the order is for all of several")),
    }
}

fn device(disk: &BlockDevice) -> PathBuf {
    Path::new("/dev").join(&disk.name)
}

fn template() -> Result<Vec<u8>, Failure> {
    Ok(file::bytes(&Path::new("/").join(layout::TEMPLATE_FLOPPY))?)
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
