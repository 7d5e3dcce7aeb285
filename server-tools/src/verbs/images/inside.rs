//! `ghostctl images mount`, `unmount` and `export`: what is in the images of disks.

use std::path::{Path, PathBuf};

use ghost_contract::image::DiskImage;
use ghost_contract::{Generation, HostName};
use ghost_imaging::board::Board;
use serde::Serialize;

use super::ImagesError;
use crate::catalog::Catalog;
use crate::catalog::exporting::{self, ExportingError, Format};
use crate::catalog::inside::Disk;
use crate::catalog::listing::Listed;
use crate::catalog::mounting::{self, Mounted, MountingError, Wanted};
use crate::cli::{DiskImageArgs, ExportArgs, MountArgs};
use crate::job::note::bytes;
use crate::output::{Form, Output};
use crate::site::Site;
use crate::sys::clock;

/// Why an image cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub enum InsideError {
    #[error(
        "{generation} was made by Norton Ghost, run by {imager}, and only Ghost knows what is in it: restore it to a client, or back the client up with the imager linux"
    )]
    Opaque { generation: Generation, imager: &'static str },
    #[error("{generation} has {there} disks, counted from 0, and none with the number {asked_for}")]
    NoDisk { generation: Generation, there: usize, asked_for: u32 },
    /// The image says nothing of itself.
    #[error("the image is damaged; 'ghostctl images verify' says how")]
    Damaged(#[source] anyhow::Error),
    #[error(transparent)]
    Mounting(#[from] MountingError),
    #[error(transparent)]
    Exporting(#[from] ExportingError),
}

impl InsideError {
    /// Whether something else has to be asked for.
    pub(super) const fn is_usage(&self) -> bool {
        use MountingError::{NoPartition, NotMountable, NotOurs, Taken, WhichPartition};
        match self {
            Self::Opaque { .. } | Self::NoDisk { .. } | Self::Exporting(ExportingError::Taken(_)) => true,
            Self::Mounting(error) => matches!(
                error,
                NoPartition { .. } | NotMountable { .. } | NotOurs(_) | Taken(_) | WhichPartition(_)
            ),
            Self::Damaged(_) | Self::Exporting(_) => false,
        }
    }
}

pub(super) fn mount(
    site: &Site,
    catalog: &Catalog,
    arguments: &MountArgs,
    output: &mut Output,
) -> Result<u8, ImagesError> {
    let Chosen { generation, index, folder, image } = chosen(catalog, &arguments.image)?;
    let choice =
        mounting::choose(&image.table, &image.regions, arguments.partition).map_err(InsideError::from)?;
    let wanted = Wanted {
        host: &arguments.image.host,
        generation: &generation,
        disk: index,
        image: &folder,
        choice: &choice,
        folder: &arguments.folder,
        cache: &arguments.cache,
    };
    let mounted = mounting::mount(&site.ghostrc.state_folder, &wanted, clock::now());
    let mounted = mounted.map_err(InsideError::from)?;
    tell(&mounted, "is mounted at", output);
    Ok(0)
}

pub(super) fn unmount(site: &Site, folder: &Path, output: &mut Output) -> Result<u8, ImagesError> {
    let mounted = mounting::unmount(&site.ghostrc.state_folder, folder).map_err(InsideError::from)?;
    tell(&mounted, "is no longer mounted at", output);
    Ok(0)
}

/// Removes what a crash has left of mounts; yields how many there were.
pub(super) fn recover(site: &Site, output: &mut Output) -> Result<usize, ImagesError> {
    let removed = mounting::recover(&site.ghostrc.state_folder).map_err(InsideError::from)?;
    removed.iter().for_each(|one| {
        tell(one, "had been mounted before a crash; its cache file was removed; it was at", output)
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

pub(super) fn export(
    catalog: &Catalog,
    arguments: &ExportArgs,
    output: &mut Output,
) -> Result<u8, ImagesError> {
    let ExportArgs { image: DiskImageArgs { host, .. }, format, file } = arguments;
    let Chosen { generation, index, folder, image } = chosen(catalog, &arguments.image)?;
    exporting::export(&folder, *format, file, &Board::default()).map_err(InsideError::from)?;
    let size = image.disk.size;
    if output.form() == Form::Json {
        output.json(&Exported { host, generation: &generation, disk: index, file, size });
        return Ok(0);
    }
    let (size, file) = (bytes(size), file.display());
    output.line(&format!("{host}: {generation}, disk {index} ({size}), was written to {file}"));
    if *format == Format::Raw {
        output.line("  it has holes where nothing is: copy it with 'cp --sparse=always' or 'rsync --sparse'");
    }
    Ok(0)
}

/// The image of a disk that is meant.
struct Chosen {
    generation: Generation,
    index: u32,
    folder: PathBuf,
    image: DiskImage,
}

/// The generation that was named, or the newest good one, and its disk.
fn chosen(catalog: &Catalog, arguments: &DiskImageArgs) -> Result<Chosen, ImagesError> {
    let DiskImageArgs { host, generation, disk_number } = arguments;
    let one = match generation {
        Some(named) => catalog.show(host, named.clone())?,
        None => {
            let newest = catalog.list_host(host)?.into_iter().rfind(Listed::is_good);
            newest.ok_or_else(|| ImagesError::None(host.clone()))?
        }
    };
    let generation = one.generation;
    let disks = catalog.disks(host, &generation)?;
    let there = disks.len();
    let Some(Disk { index, folder, image }) = disks.into_iter().find(|disk| disk.index == *disk_number)
    else {
        return Err(match one.manifest?.imager.name().emulator() {
            Some(imager) => InsideError::Opaque { generation, imager },
            None => InsideError::NoDisk { generation, there, asked_for: *disk_number },
        }
        .into());
    };
    Ok(Chosen { generation, index, folder, image: image.map_err(InsideError::Damaged)? })
}
