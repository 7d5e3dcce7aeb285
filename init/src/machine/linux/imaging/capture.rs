//! Takes screenshots of an imager: its own picture if it draws on no monitor, else what the monitor shows.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::TryLockError;
use std::time::Duration;

use anyhow::bail;
use evdev::KeyCode;

use super::{Bench, Ready, locked};
use crate::imager::Display;
use crate::machine::linux::monitor;
use crate::screen::Screen;
use crate::screen::album::Frame;
use crate::sys::imager as processes;
use crate::sys::{clock, file, screens};
use crate::task::{Finding, Glance};

/// How long an imager may take to write a picture of its screen.
const PICTURE_LIMIT: Duration = Duration::from_secs(6);
/// The endings of the files of a screenshot.
const ENDINGS: [&str; 3] = ["png", "txt", "ansi"];

/// A screen that is to be kept.
struct Shot {
    screen: Screen,
    /// What the program wrote, used as the text if the picture cannot be read.
    written: Option<String>,
    source: &'static str,
    /// The sources that could not show the screen, and why.
    passed_over: Vec<String>,
}

impl Bench {
    /// Saves what is on the screen. Only one capture runs at a time: if one hangs, later ones fail and do not hang too.
    pub(in super::super) fn capture(&self, name: String) -> anyhow::Result<Finding> {
        let ready = self.ready()?;
        let mut album = match ready.album.try_lock() {
            Ok(album) => album,
            Err(TryLockError::Poisoned(album)) => album.into_inner(),
            Err(TryLockError::WouldBlock) => {
                bail!("the previous screenshot is still being taken");
            }
        };
        let Shot { screen, written, source, passed_over } = shot(&ready)?;
        let picture = screen.png()?;
        let characters = screen.characters();
        let coloured = characters.as_ref().map(|characters| characters.coloured());
        let frame = Frame {
            name: name.clone(),
            at: clock::uptime(),
            source: source.to_owned(),
            text: characters.map(|characters| characters.text()).or(written),
            fingerprint: fingerprint(&picture),
        };
        let files = [
            Some(&picture[..]),
            frame.text.as_deref().map(str::as_bytes),
            coloured.as_deref().map(str::as_bytes),
        ];
        for (ending, content) in ENDINGS.into_iter().zip(files) {
            let path = |name: &str| ready.screens.join(format!("{name}.{ending}"));
            let alike = album.like(frame.fingerprint).map(path);
            content.map_or(Ok(()), |content| screens::save(&path(&name), content, alike))?;
        }
        locked(&self.heard).drain(..).for_each(|entry| album.hear(&entry));
        album.add(frame);
        screens::make_latest(&ready.screens, &ready.screens.join(format!("{name}.png")))?;
        screens::write_page(&ready.screens, &album.page())?;
        Ok(Finding::Captured { name, source: source.to_owned(), passed_over })
    }

    pub(in super::super) fn remove(&self, name: &str) -> anyhow::Result<Finding> {
        let ready = self.ready()?;
        for ending in ENDINGS {
            file::remove(&ready.screens.join(format!("{name}.{ending}")))?;
        }
        if let Ok(mut album) = ready.album.try_lock() {
            album.remove(name);
        }
        Ok(Finding::Done)
    }
}

fn fingerprint(picture: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    picture.hash(&mut hasher);
    hasher.finish()
}

/// What can be read on the imager's screen. Reading the console's cells disturbs least, so they come first.
pub(super) fn text(ready: &Ready, glance: Glance) -> anyhow::Result<Option<String>> {
    match ready.imager.display() {
        Display::Monitor => Ok(None),
        Display::MonitorWithQuestions => Ok(monitor::look_for_text()?.screen.text()),
        Display::OwnPictures { folder, keys, .. } => {
            let drawn = match glance {
                Glance::Quick => None,
                Glance::Close => own_picture(ready, Path::new(folder), keys)?,
            };
            let read = drawn.and_then(|picture| Screen::Png(picture).text());
            let texts: Vec<String> = ready.imager.written(&ready.files)?.into_iter().chain(read).collect();
            Ok((!texts.is_empty()).then(|| texts.join("\n")))
        }
    }
}

fn shot(ready: &Ready) -> anyhow::Result<Shot> {
    if let Display::OwnPictures { by, folder, keys } = ready.imager.display()
        && let Some(picture) = own_picture(ready, Path::new(folder), keys)?
    {
        let written = ready.imager.written(&ready.files)?;
        return Ok(Shot { screen: Screen::Png(picture), written, source: by, passed_over: Vec::new() });
    }
    let found = monitor::look()?;
    Ok(Shot {
        screen: found.screen,
        written: None,
        source: found.source.as_str(),
        passed_over: found.passed_over.iter().map(ToString::to_string).collect(),
    })
}

/// The picture that the imager makes of its own screen, if it still runs.
fn own_picture(ready: &Ready, folder: &Path, keys: &[KeyCode]) -> anyhow::Result<Option<Vec<u8>>> {
    if !locked(&ready.session).is_some_and(processes::is_there) {
        return Ok(None);
    }
    let before = processes::files(folder)?;
    ready.keyboard()?.press(keys)?;
    let Some(path) = processes::wait_for_new_file(folder, &before, PICTURE_LIMIT)? else { return Ok(None) };
    let picture = file::bytes(&path)?;
    file::remove(&path)?;
    Ok(Some(picture))
}
