//! Finds what an imager needs before it can be made ready: its disks and its folders.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ghost_contract::order::Order;
use ghost_contract::{DiskChoice, Mode, layout};

use crate::disk::{BlockDevice, Settling, Writes, hidden, may_bring_disks};
use crate::failure::Failure;
use crate::fstab::Mount;
use crate::imager::Needs;
use crate::job::Job;
use crate::sys::child::Children;
use crate::sys::console::Console;
use crate::sys::drivers::Drivers;
use crate::sys::{disks, file, modules, mount};
use crate::task::Undone;

/// How long each program may take that prepares something for the imager.
const PREPARATION_LIMIT: Duration = Duration::from_secs(60);
/// Pause between two looks for disks: most are there at once, others much later.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const LOOK_AGAIN_LATER: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(10);

/// The disks that the job is about, and which drivers could not be loaded. Drivers show their disks some time after they were
/// loaded, and a controller's driver may bring devices that want further ones.
pub(super) fn find_disks(
    choice: DiskChoice,
    writes: Writes,
    children: &Children,
) -> anyhow::Result<(Vec<BlockDevice>, Vec<Undone>)> {
    let started = Instant::now();
    let mut settling = Settling::new(choice.clone(), writes);
    let (mut drivers, mut lasting) = (Drivers::default(), None);
    loop {
        let asked = drivers.load_new(children);
        if drivers.lasting() != lasting.as_deref() {
            lasting = drivers.lasting().map(str::to_owned);
            lasting
                .iter()
                .for_each(|driver| Console::default().say(&format!("waiting for the driver {driver}")));
        }
        settling.note_awaited(awaited(&drivers, &asked), started.elapsed());
        settling.note_drivers(modules::loaded()?, started.elapsed());
        let devices = disks::all()?;
        let now = started.elapsed();
        if let Some(disks) = settling.observe(&devices, now) {
            hidden::require_none(&choice, &disks::raid_controllers()?)?;
            return Ok((disks, undone(asked, lasting)));
        }
        if settling.is_over(now) {
            return Err(settling.why(&devices, &disks::raid_controllers()?, now));
        }
        drivers.wait(if now < LATER { LOOK_AGAIN } else { LOOK_AGAIN_LATER });
    }
}

/// What may still bring disks, in words.
fn awaited(drivers: &Drivers, asked: &anyhow::Result<()>) -> Option<String> {
    if let Err(error) = asked {
        return Some(format!("drivers cannot be loaded: {error:#}"));
    }
    let load = drivers.left().find(|load| load.devices.iter().any(|alias| may_bring_disks(alias)))?;
    Some(format!("the driver {} is still being loaded", load.driver))
}

/// What was not done of loading drivers: the last error, and the driver that others wait for.
fn undone(asked: anyhow::Result<()>, lasting: Option<String>) -> Vec<Undone> {
    let failed =
        asked.err().map(|error| Undone { step: "load drivers".to_owned(), reason: Failure::of(error) });
    let lasting = lasting.map(|driver| Undone {
        step: format!("load the driver {driver}"),
        reason: Failure::new("it waits for its device"),
    });
    failed.into_iter().chain(lasting).collect()
}

/// Binds the folder of the images to its fixed place, so that the imager never sees a name that changes. Returns
/// the folder of the screenshots.
pub(super) fn bind_images(job: &Job, needs: &Needs) -> anyhow::Result<PathBuf> {
    let images = Path::new(needs.images);
    let Some(folder) = job.order.as_ref().and_then(|order| image_folder(job.mode, order)) else {
        return Ok(Path::new("/var").join(layout::OWN_SCREENS));
    };
    if !folder.is_dir() {
        bail!("the image store has no folder {}", folder.display());
    }
    mount::bind(&folder, images)?;
    if job.mode == Mode::Backup {
        return Ok(images.join(layout::SCREENS));
    }
    mount::protect(images)?;
    bind_scratch(job, needs)?;
    Ok(Path::new("/var").join(layout::OWN_SCREENS))
}

/// Binds the job's own folder in the store to its fixed place if a restore may need room there: the generation
/// itself is never written to.
fn bind_scratch(job: &Job, needs: &Needs) -> anyhow::Result<()> {
    match (&job.order, needs.scratch) {
        (Some(order), Some(scratch)) if job.mode == Mode::Restore && order.needs_scratch() => {
            let folder = layout::staging(&order.host, &order.job);
            mount::bind(&Path::new(layout::STORE_MOUNT_POINT).join(folder), Path::new(scratch))?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Where the images of a job are.
fn image_folder(mode: Mode, order: &Order) -> Option<PathBuf> {
    let store = Path::new(layout::STORE_MOUNT_POINT);
    let has_own_mount = order.store.as_ref().is_some_and(|store| store.generation.is_some());
    match mode {
        Mode::Backup => Some(store.join(layout::staging(&order.host, &order.job))),
        Mode::Verify | Mode::Restore if has_own_mount => Some(layout::GENERATION_MOUNT_POINT.into()),
        Mode::Verify | Mode::Restore => {
            let generation = order.generation.as_ref()?;
            Some(store.join(layout::generation(&order.host, generation)))
        }
        Mode::Test | Mode::Ghost => None,
    }
}

/// Mounts what the imager needs, unless something is mounted there.
pub(super) fn mount(wanted: &Mount) -> anyhow::Result<()> {
    file::make_folder(&wanted.target)?;
    mount::mount_unless_mounted(wanted)
}

/// Runs a program that prepares something for the imager.
pub(super) fn run(words: &[String], children: &Children) -> anyhow::Result<()> {
    let (program, arguments) = words.split_first().context("a preparation without a program")?;
    let mut command = Command::new(program);
    let run = children.run(command.args(arguments).stdin(Stdio::null()), PREPARATION_LIMIT);
    run.with_context(|| format!("cannot run {}", words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_that_is_mounted_by_itself_is_read_there() {
        let mut order = ghost_contract::sample::order(Mode::Restore);
        order.generation = Some("20260123-142501-4f3a".parse().unwrap());
        let folder = |order: &Order| image_folder(order.mode, order).unwrap();
        let below = layout::generation(&order.host, order.generation.as_ref().unwrap());
        assert_eq!(folder(&order), Path::new("/backup").join(below));
        order.store.as_mut().unwrap().generation = Some("/store/john/20260123-142501-4f3a".into());
        assert_eq!(folder(&order), Path::new(layout::GENERATION_MOUNT_POINT));
        order.mode = Mode::Backup;
        let staging = layout::staging(&order.host, &order.job);
        assert_eq!(folder(&order), Path::new("/backup").join(staging));
    }
}
