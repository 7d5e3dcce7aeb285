//! The folder of a disk's image: its description, its table for people, its checksums.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use ghost_contract::checksum::Sha256;
use ghost_contract::image::DiskImage;
use ghost_contract::layout::{CHECKSUMS, DISK_IMAGE, TABLE_DUMP};
use sha2::Digest;

use crate::source::Source;
use crate::sys::file;

/// A description is never larger than this, bytes; a larger one is not read.
const LARGEST: u64 = 16 << 20;

/// Makes the folder of an image, which must be empty if it is there.
pub fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot write {}", folder.display()))?;
    let mut entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    ensure!(entries.next().is_none(), "{} is not empty: an image never overwrites another", folder.display());
    Ok(())
}

/// Writes the description, the table and the list of checksums; with them an image is whole.
pub fn finish(folder: &Path, image: &DiskImage, table: &[u8]) -> Result<()> {
    let description = image.to_json().context("the description cannot be written as JSON")?;
    let sums = checksums(image, sha256(table), sha256(description.as_bytes()));
    for (name, bytes) in
        [(TABLE_DUMP, table), (CHECKSUMS, sums.as_bytes()), (DISK_IMAGE, description.as_bytes())]
    {
        let path = folder.join(name);
        file::replace(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// As [`description`], if it is the one that the boot server vouches for; any if the server knows none.
pub fn vouched<'a>(source: impl Into<Source<'a>>, sum: Option<Sha256>) -> Result<DiskImage> {
    let source = source.into();
    let bytes = read(source, DISK_IMAGE)?;
    if sum.is_some_and(|sum| sum != sha256(&bytes)) {
        bail!(
            "{} is not the one that the boot server vouches for: it was changed after the backup",
            source.path(DISK_IMAGE).display()
        );
    }
    described(source, &bytes)
}

/// The description in this folder, as it was written.
pub fn description<'a>(source: impl Into<Source<'a>>) -> Result<DiskImage> {
    vouched(source, None)
}

/// The description that these bytes are, if it and the table are as the list of checksums says.
fn described(source: Source<'_>, bytes: &[u8]) -> Result<DiskImage> {
    let [path, sums, dump] = [DISK_IMAGE, CHECKSUMS, TABLE_DUMP].map(|name| source.path(name));
    let listing = read(source, CHECKSUMS)?;
    if listed(&listing, &sums, DISK_IMAGE)? != sha256(bytes) {
        bail!(not_as_written(&path));
    }
    let dumped = sha256(&read(source, TABLE_DUMP)?);
    if listed(&listing, &sums, TABLE_DUMP)? != dumped {
        bail!(not_as_written(&dump));
    }
    let image = DiskImage::parse(bytes).with_context(|| cannot_be_believed(&path))?;
    let expected = checksums(&image, dumped, sha256(bytes));
    ensure!(
        listing == expected.as_bytes(),
        "{} does not say the same as {}: one of them was changed",
        sums.display(),
        path.display()
    );
    Ok(image)
}

/// The list of checksums of an image whose table dump and description have these.
fn checksums(image: &DiskImage, dump: Sha256, description: Sha256) -> String {
    let mut sums = String::new();
    for piece in image.streams().flat_map(|stream| &stream.pieces) {
        sums += &line(piece.sha256, &piece.file);
    }
    sums + &line(dump, TABLE_DUMP) + &line(description, DISK_IMAGE)
}

fn not_as_written(path: &Path) -> String {
    format!("{} is not as it was written: its checksum differs", path.display())
}

fn cannot_be_believed(path: &Path) -> String {
    format!("{} cannot be believed", path.display())
}

fn listed(listing: &[u8], sums: &Path, file: &str) -> Result<Sha256> {
    let text = String::from_utf8_lossy(listing);
    let named = text.lines().filter_map(|line| line.split_once("  ")).find(|(_, name)| *name == file);
    let (sum, _) = named.with_context(|| format!("{} has no checksum of {file}", sums.display()))?;
    Sha256::try_from(sum.to_owned()).with_context(|| cannot_be_believed(sums))
}

fn read(source: Source<'_>, name: &str) -> Result<Vec<u8>> {
    let read = || -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        source.open(name)?.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().with_context(|| format!("cannot read {}", source.path(name).display()))
}

fn line(sum: Sha256, file: &str) -> String {
    format!("{sum}  {file}\n")
}

fn sha256(bytes: &[u8]) -> Sha256 {
    Sha256::new(sha2::Sha256::digest(bytes).into())
}
