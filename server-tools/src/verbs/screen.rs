//! `ghostctl screen`: what a client's monitor shows, or showed last.

#![allow(clippy::disallowed_methods, reason = "a picture that was asked for as a file is written as it is")]

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use ghost_contract::{HostName, JobId, Mode, layout};
use serde::Serialize;

use crate::catalog::screens::{self, LARGEST};
use crate::cli::{Pictures, ScreenArgs};
use crate::exit::{Exit, WithExit};
use crate::job::Identity;
use crate::output::picture::{self, Graphics};
use crate::output::{Form, Output};
use crate::site::Site;
use crate::state::journal;
use crate::state::record;
use crate::sys::folder::Folder;
use crate::sys::{clock, environment, terminal};
use crate::tree::Tree;

/// How long a client may take to answer a request: it looks every few seconds, and a picture may take ten.
const PATIENCE: Duration = Duration::from_secs(45);
/// Between two looks for a new screenshot.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A host's job, running or over.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subject {
    identity: Identity,
    tree: Tree,
    runs: bool,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    host: &'a HostName,
    job: &'a JobId,
    name: &'a str,
    picture: PathBuf,
    text: Option<String>,
    page: PathBuf,
}

pub(super) fn run(site: &Site, arguments: &ScreenArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let subject = find(site, &arguments.host)?;
    let before = subject.newest(site)?;
    let name = if arguments.now { Some(ask(site, &subject, before.as_deref())?) } else { before };
    match &name {
        Some(name) => show(site, &subject, name, arguments, output)?,
        None if arguments.follow && subject.runs => {}
        None => return Err(subject.without_screenshot()),
    }
    if arguments.follow {
        follow(site, &subject, name, arguments, output)?;
    }
    Ok(Exit::Done)
}

/// Each new one, until the job is over.
fn follow(
    site: &Site,
    subject: &Subject,
    mut shown: Option<String>,
    arguments: &ScreenArgs,
    output: &mut Output,
) -> anyhow::Result<()> {
    loop {
        let is_over =
            running(site, &subject.identity.host)?.is_none_or(|now| now.identity.job != subject.identity.job);
        let newest = subject.newest(site)?;
        if let Some(name) = newest.filter(|name| shown.as_ref() != Some(name)) {
            show(site, subject, &name, arguments, output)?;
            shown = Some(name);
        }
        if is_over {
            return Ok(());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Has the client take one now; gives its name.
fn ask(site: &Site, subject: &Subject, before: Option<&str>) -> anyhow::Result<String> {
    if !subject.runs {
        let not_running =
            anyhow!("{} has no running job, so its screen cannot be seen now", subject.identity.host);
        return Err(not_running.exit(Exit::Usage));
    }
    if subject.identity.mode == Mode::Test {
        let Identity { host, mode, .. } = &subject.identity;
        return Err(anyhow!("the job of {host} is a {mode}, which takes no screenshots").exit(Exit::Usage));
    }
    subject.tree.ask_for_screen(&clock::now().as_millis().to_string())?;
    let deadline = clock::uptime() + PATIENCE;
    while clock::uptime() < deadline {
        let is_new = |name: &String| is_answer(name) && before.is_none_or(|before| before < name.as_str());
        if let Some(name) = subject.names(site)?.into_iter().rev().find(is_new) {
            return Ok(name);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Err(anyhow!("{} has not answered with a screenshot in time", subject.identity.host).exit(Exit::Busy))
}

fn is_answer(name: &str) -> bool {
    name.split_once('-').is_some_and(|(_, what_for)| what_for == layout::ASKED_SCREEN)
}

/// The host's job that runs, or else its last one.
fn find(site: &Site, host: &HostName) -> anyhow::Result<Subject> {
    if let Some(subject) = running(site, host)? {
        return Ok(subject);
    }
    let records = record::all(&site.ghostrc.state_folder)?.whole;
    let last = records.into_iter().rfind(|record| record.identity.host == *host);
    let last = last.ok_or_else(|| anyhow!("{host} has had no job yet").exit(Exit::Usage))?;
    let tree = site.tree(last.identity.ip);
    Ok(Subject { identity: last.identity, tree, runs: false })
}

fn running(site: &Site, host: &HostName) -> anyhow::Result<Option<Subject>> {
    for seen in journal::look_at_all(&site.ghostrc.state_folder)? {
        if let Some(begun) =
            seen.says.state.map(|state| state.begun).filter(|begun| begun.identity.host == *host)
        {
            let tree = site.tree(begun.identity.ip);
            return Ok(Some(Subject { identity: begun.identity, tree, runs: true }));
        }
    }
    Ok(None)
}

impl Subject {
    /// The folder of its screenshots, if it has taken any.
    fn folder(&self, site: &Site) -> anyhow::Result<Option<(PathBuf, Folder)>> {
        screens::of(&site.ghostrc, &self.identity).with_context(|| cannot_read(&self.tree.var()))
    }

    /// The names of its last screenshots without ending, the oldest first.
    fn names(&self, site: &Site) -> anyhow::Result<Vec<String>> {
        let Some((path, folder)) = self.folder(site)? else { return Ok(Vec::new()) };
        Ok(screens::names(&folder).with_context(|| cannot_read(&path))?.names)
    }

    fn without_screenshot(&self) -> anyhow::Error {
        anyhow!("there is no screenshot of the job {} of {}", self.identity.job, self.identity.host)
    }

    fn newest(&self, site: &Site) -> anyhow::Result<Option<String>> {
        Ok(self.names(site)?.pop())
    }
}

fn cannot_read(folder: &Path) -> String {
    format!("cannot read the screenshots in {}", folder.display())
}

fn show(
    site: &Site,
    subject: &Subject,
    name: &str,
    arguments: &ScreenArgs,
    output: &mut Output,
) -> anyhow::Result<()> {
    let Identity { host, job, .. } = &subject.identity;
    let (path, folder) = subject.folder(site)?.ok_or_else(|| subject.without_screenshot())?;
    let read = |ending: &str| match folder.read(format!("{name}.{ending}"), LARGEST) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some).with_context(|| cannot_read(&path)),
    };
    let text =
        |ending: &str| anyhow::Ok(read(ending)?.map(|text| String::from_utf8_lossy(&text).into_owned()));
    let picture = path.join(format!("{name}.png"));
    if let Some(file) = &arguments.png {
        return write_png(file, &read("png")?.unwrap_or_default());
    }
    if output.form() == Form::Json {
        let page = path.join(layout::SCREENS_PAGE);
        output.json(&Shown { host, job, name, picture, text: text("txt")?, page });
        return Ok(());
    }
    output.line(&format!("{host}: {job}, screenshot {name}: {}", picture.display()));
    if let Some(graphics) = graphics(arguments.picture) {
        return output.picture(&read("png")?.unwrap_or_default(), graphics);
    }
    let coloured = if io::stdout().is_terminal() { text("ansi")? } else { None };
    match coloured.map_or_else(|| text("txt"), |text| Ok(Some(text)))? {
        Some(shown) => output.screen(&shown),
        None => output.line("(there is nothing to read on it; see the picture)"),
    }
    Ok(())
}

/// How pictures are shown here, if they are.
fn graphics(wanted: Pictures) -> Option<Graphics> {
    let variable = |name| std::env::var(name).unwrap_or_default();
    match wanted {
        Pictures::Never => None,
        Pictures::Kitty => Some(Graphics::Kitty),
        Pictures::Sixel => Some(Graphics::Sixel),
        Pictures::Auto if !io::stdout().is_terminal() => None,
        Pictures::Auto if speaks_kitty(&variable("TERM"), &variable("TERM_PROGRAM")) => Some(Graphics::Kitty),
        Pictures::Auto => picture::answers_sixel(&terminal::attributes()).then_some(Graphics::Sixel),
    }
}

/// Terminals that have kitty's protocol and say who they are.
fn speaks_kitty(term: &str, program: &str) -> bool {
    term.contains("kitty") || term.contains("ghostty") || matches!(program, "WezTerm" | "ghostty")
}

fn write_png(file: &Path, picture: &[u8]) -> anyhow::Result<()> {
    let written = if file == Path::new("-") {
        let is_shown = io::stdout().is_terminal();
        ensure!(
            !is_shown,
            "--png - writes the client's bytes as they are, and a terminal might obey them: redirect the output"
        );
        io::stdout().lock().write_all(picture)
    } else {
        let mode = environment::callers_mode();
        let opened = File::options().write(true).create(true).truncate(true).mode(mode).open(file);
        opened.and_then(|mut file| file.write_all(picture))
    };
    written.with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::screens::is_numbered;

    #[test]
    fn screenshots_are_told_from_other_files_and_answers_from_other_screenshots() {
        assert!(is_numbered("0001-interval") && is_numbered("12345-asked"));
        assert!(!is_numbered("latest") && !is_numbered("-x") && !is_numbered("a1-x"));
        assert!(
            !is_numbered("0001-\x1b[2J") && !is_numbered("0001-a\njoe: succeeded") && !is_numbered("0001-")
        );
        assert!(is_answer("0007-asked") && !is_answer("0007-interval"));
    }

    #[test]
    fn terminals_with_kittys_protocol_are_known() {
        assert!(speaks_kitty("xterm-kitty", "") && speaks_kitty("xterm-256color", "WezTerm"));
        assert!(!speaks_kitty("xterm-256color", "") && !speaks_kitty("linux", "tmux"));
    }
}
