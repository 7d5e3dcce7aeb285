//! `ghostctl images mount`, `unmount` and `export`: what is in the images of disks.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use ghost_contract::checksum::Sha256;
use ghost_contract::image::DiskImage;
use ghost_contract::{Generation, HostName};
use serde::Serialize;

use crate::catalog::Catalog;
use crate::catalog::exporting::{self, Format};
use crate::catalog::inside::Disk;
use crate::catalog::listing::Listed;
use crate::catalog::mounting::{self, By, Mounted, Wanted};
use crate::cli::{DiskImageArgs, ExportArgs, LATEST, MountArgs};
use crate::exit::{Exit, WithExit};
use crate::job::bytes::bytes;
use crate::output::{Form, Output};
use crate::site::Site;
use crate::sys::clock;

pub(super) fn mount(
    site: &Site,
    catalog: &Catalog,
    arguments: &MountArgs,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let Chosen { generation, index, folder, vouched, image } = chosen(catalog, &arguments.image)?;
    let choice = mounting::choose(&image, arguments.partition)?;
    let wanted = Wanted {
        parser: catalog.parser(),
        host: &arguments.image.host,
        generation: &generation,
        disk: index,
        image: &folder,
        vouched,
        choice: &choice,
        by: if arguments.kernel { By::Kernel } else { By::Confined },
        folder: &arguments.folder,
        cache: &arguments.cache,
    };
    let mounted = mounting::mount(&site.ghostrc.state_folder, &wanted, clock::now())?;
    tell(&mounted, "is mounted at", output);
    Ok(Exit::Done)
}

pub(super) fn unmount(site: &Site, folder: &Path, output: &mut Output) -> anyhow::Result<Exit> {
    let mounted = mounting::unmount(&site.ghostrc.state_folder, folder)?;
    tell(&mounted, "is no longer mounted at", output);
    Ok(Exit::Done)
}

/// Removes what a crash has left of mounts; yields how many there were.
pub(super) fn recover(site: &Site, output: &mut Output) -> anyhow::Result<usize> {
    let removed = mounting::recover(&site.ghostrc.state_folder)?;
    removed.iter().for_each(|one| {
        tell(one, "was left mounted by a crash; the mount and its cache file are removed; it was at", output)
    });
    Ok(removed.len())
}

fn tell(mounted: &Mounted, what: &str, output: &mut Output) {
    if output.form() == Form::Json {
        return output.json(mounted);
    }
    let Mounted { host, generation, disk, partition, file_system, folder, .. } = mounted;
    let part = partition.map_or_else(String::new, |number| format!(", partition {number}"));
    output.line(&format!(
        "{host}: {generation}, disk {disk}{part} ({file_system}) {what} {}",
        folder.display()
    ));
}

/// What was exported, for programs.
#[derive(Serialize)]
struct Exported<'a> {
    host: &'a HostName,
    generation: &'a Generation,
    disk: u32,
    file: &'a Path,
    /// Of the disk, bytes.
    size: u64,
}

pub(super) fn export(catalog: &Catalog, arguments: &ExportArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let ExportArgs { image: DiskImageArgs { host, .. }, format, file } = arguments;
    let Chosen { generation, index, folder, vouched, image } = chosen(catalog, &arguments.image)?;
    exporting::export(catalog.parser(), (&folder, &image, vouched), *format, file)?;
    let size = image.disk.size;
    if output.form() == Form::Json {
        output.json(&Exported { host, generation: &generation, disk: index, file, size });
        return Ok(Exit::Done);
    }
    let (size, file) = (bytes(size), file.display());
    output.line(&format!("{host}: {generation}, disk {index} ({size}), was written to {file}"));
    if *format == Format::Raw {
        output.line("  it has holes where nothing is: copy it with 'cp --sparse=always' or 'rsync --sparse'");
    }
    Ok(Exit::Done)
}

/// The image of a disk that is meant.
struct Chosen {
    generation: Generation,
    index: u32,
    folder: PathBuf,
    vouched: Sha256,
    image: DiskImage,
}

/// The generation that was named, or the newest good one, and its disk.
fn chosen(catalog: &Catalog, arguments: &DiskImageArgs) -> anyhow::Result<Chosen> {
    let DiskImageArgs { host, generation, disk_number } = arguments;
    let one = match generation.as_ref().filter(|named| named.as_str() != LATEST) {
        Some(named) => catalog.show(host, named.clone())?,
        None => {
            let mut all = catalog.list_host(host)?;
            let newest = all.iter().rposition(Listed::is_good_and_whole);
            let newest = newest.or_else(|| all.iter().rposition(Listed::is_good));
            match newest {
                Some(index) => all.swap_remove(index),
                None => return Err(super::none(host, &all)),
            }
        }
    };
    let (generation, manifest) = (one.generation, one.manifest?);
    let disks = catalog.disks(host, &generation, &manifest)?;
    let there = disks.len();
    let Some(Disk { index, folder, vouched, image }) =
        disks.into_iter().find(|disk| disk.index == *disk_number)
    else {
        let imager = manifest.imager.name();
        let why = if imager.describes_disks() {
            anyhow!("{generation} has {there} disks, counted from 0, and none with the number {disk_number}")
        } else {
            let by = imager
                .emulator()
                .map_or_else(|| imager.to_string(), |emulator| format!("Norton Ghost, run by {emulator}"));
            anyhow!(
                "{generation} was made by {by}, and no other program knows what is in it: restore it to a client, or back the client up with the imager linux"
            )
        };
        return Err(why.exit(Exit::Usage));
    };
    let image = image.context("the image is damaged; 'ghostctl images verify' says how")?;
    Ok(Chosen { generation, index, folder, vouched, image })
}
