//! Has the administrator told by mail what became of a run, or why none has begun.

use anyhow::Context as _;
use ghost_contract::Mode;

use crate::exit::Exit;
use crate::mail::{self, Picture, Post};
use crate::output::Output;
use crate::run::RunId;
use crate::run::summary::Summary;
use crate::site::Site;
use crate::state::runs;
use crate::sys::clock;
use crate::verbs::runs::films::last_screens;

/// Sends the mail about a run that is over, if one is wanted. False if it could not be sent; people are told why.
pub(super) fn of_run(site: &Site, run: &RunId, warn: &mut dyn FnMut(&str)) -> bool {
    let Some(post) = Post::of(&site.ghostrc) else { return true };
    let sent = write(site, run, &post).and_then(|message| mail::send(&post, &message));
    sent.inspect_err(|error| warn(&format!("{error:#}"))).is_ok()
}

fn write(site: &Site, run: &RunId, post: &Post) -> anyhow::Result<Vec<u8>> {
    let (contents, is_owned) = runs::look(&site.ghostrc.state_folder, run)?;
    let summary = Summary::of(contents, is_owned).context("there is no mail, as the run has no record")?;
    // A mail without pictures is better than none.
    let found = last_screens(site, &summary).unwrap_or_default().into_iter();
    let pictures = found.filter_map(|(host, png)| Some(Picture { host, png: png.ok()? })).collect();
    mail::of_run(post, &summary, pictures, clock::now())
}

/// Sends the mail that says why no job was begun. A person at a terminal reads that there, and one who has mistyped a name gets no
/// mail about it.
pub(in crate::verbs) fn not_begun(site: &Site, mode: Mode, error: &anyhow::Error, output: &mut Output) {
    let is_read = rustix::termios::isatty(rustix::stdio::stderr()) || Exit::of(error) == Exit::Usage;
    let Some(post) = Post::of(&site.ghostrc).filter(|_| !is_read) else { return };
    let message = mail::not_begun(&post, mode, error, clock::now());
    if let Err(error) = message.and_then(|message| mail::send(&post, &message)) {
        output.line(&format!("warning: {error:#}"));
    }
}
