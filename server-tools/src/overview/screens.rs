//! The screenshots of a job, as they may be shown: pictures drawn anew, texts filtered.

use std::io;

use anyhow::{Context as _, anyhow};
use ghost_contract::bounds;

pub use crate::catalog::screens::Names;
use crate::catalog::screens::{self, LARGEST};
use crate::job::Identity;
use crate::output::{picture, plain};
use crate::site::Site;
use crate::sys::folder::Folder;

/// No text of a screen is larger: a screen of letters has some thousands of them.
const LARGEST_TEXT: u64 = 256 << 10;
const CANNOT_READ: &str = "cannot read the screenshots";

/// The names of the last screenshots of a job.
pub fn names(site: &Site, identity: &Identity) -> anyhow::Result<Names> {
    let found = screens::of(&site.ghostrc, identity).context(CANNOT_READ)?;
    let names = found.map(|(_, folder)| screens::names(&folder)).transpose().context(CANNOT_READ)?;
    Ok(names.unwrap_or_default())
}

/// The name of the last one; none if there is none, or if they cannot be read.
pub(super) fn last(site: &Site, identity: &Identity) -> Option<String> {
    screens::last(&site.ghostrc, identity).ok().flatten()
}

/// A screenshot as a PNG of our own making, at most so many dots wide. None if there is none of this name.
pub fn picture(
    site: &Site,
    identity: &Identity,
    name: &str,
    widest: Option<u32>,
) -> anyhow::Result<Option<Vec<u8>>> {
    let file = file(site, identity, name, "png", LARGEST)?;
    file.map(|file| drawn_anew(&file, widest)).transpose()
}

fn drawn_anew(file: &[u8], widest: Option<u32>) -> anyhow::Result<Vec<u8>> {
    picture::require_at_most(file, bounds::CONSOLE_DOTS, "too many to be shown here")?;
    widest.map_or_else(|| picture::redrawn(file), |widest| picture::redrawn_small(file, widest))
}

/// What there is to read on a screenshot, without colours. None if there is nothing.
pub fn text(site: &Site, identity: &Identity, name: &str) -> anyhow::Result<Option<String>> {
    let text = file(site, identity, name, "txt", LARGEST_TEXT)?;
    Ok(text.map(|text| plain::lines_of_screen(&String::from_utf8_lossy(&text))))
}

fn file(
    site: &Site,
    identity: &Identity,
    name: &str,
    ending: &str,
    limit: u64,
) -> anyhow::Result<Option<Vec<u8>>> {
    if !screens::is_numbered(name) {
        return Err(anyhow!("it has no name of a screenshot"));
    }
    let Some((_, folder)) = screens::of(&site.ghostrc, identity).context(CANNOT_READ)? else {
        return Ok(None);
    };
    read(&folder, &format!("{name}.{ending}"), limit).context(CANNOT_READ)
}

fn read(folder: &Folder, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
    match folder.read(name, limit) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_is_larger_than_the_console_has_room_for_is_not_decoded() {
        for widest in [None, Some(480)] {
            let refused = |width: u32, height: u32| {
                let mut file = Vec::new();
                // The size stands in the header, and there are no dots.
                png::Encoder::new(&mut file, width, height).write_header().unwrap();
                drawn_anew(&file, widest).unwrap_err().to_string()
            };
            let words = "the screenshot claims to have 4096 x 2161 dots, too many to be shown here";
            assert_eq!(refused(4_096, 2_161), words);
            assert!(!refused(4_096, 2_160).contains("claims"), "{}", refused(4_096, 2_160));
        }
    }
}
