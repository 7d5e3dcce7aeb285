//! The mail that tells the administrator what became of a run (`MAILTO`): words, and the last screenshots of what failed.
//!
//! [`message`] is pure. [`send`] gives it to sendmail, with a time limit. A mail that cannot be sent is told, and makes the exit
//! status not 0: what it was to tell would otherwise go unheard.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use ghost_contract::{HostName, Mode, UnixTime};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::raw::Raw;

use crate::ghostrc::Ghostrc;
use crate::job::bytes::bytes;
use crate::output::plain::{self, one_line};
use crate::run::page as words;
use crate::run::summary::{Became, OfHost, Summary};
use crate::state::server;
use crate::sys::service;

/// How long sendmail may take. It puts a mail into its queue, or hands it to another server.
const DEADLINE: Duration = Duration::from_secs(120);
/// No more screenshots are attached, nor more bytes of them: many servers take no mail of 10 MB.
const PICTURES: usize = 20;
const BYTES_OF_PICTURES: usize = 5 << 20;
/// RFC 5322: no line is longer, its end aside.
const LONGEST_LINE: usize = 998;

/// To whom mail goes, from whom it is, and what sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Post {
    pub to: Vec<String>,
    pub from: String,
    pub sendmail: PathBuf,
}

/// The last screenshot of a host's job, drawn anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub host: HostName,
    pub png: Vec<u8>,
}

impl Post {
    /// None if no mail is wanted.
    pub(crate) fn of(ghostrc: &Ghostrc) -> Option<Self> {
        if ghostrc.mail_to.is_empty() {
            return None;
        }
        let from = ghostrc.mail_from.clone().unwrap_or_else(|| format!("root@{}", server::name()));
        Some(Self { to: ghostrc.mail_to.clone(), from, sendmail: ghostrc.sendmail.clone() })
    }
}

/// The mail about a run that is over.
pub(crate) fn of_run(
    post: &Post,
    summary: &Summary,
    pictures: Vec<Picture>,
    now: UnixTime,
) -> anyhow::Result<Vec<u8>> {
    let Summary { begun, succeeded, not_succeeded, jobs, .. } = summary;
    let hosts = if jobs.len() == 1 { "1 host".to_owned() } else { format!("{} hosts", jobs.len()) };
    let became = if *not_succeeded == 0 {
        format!("{succeeded} done")
    } else {
        format!("{not_succeeded} NOT done, {succeeded} done")
    };
    let subject = format!("{} of {hosts}: {became}", begun.mode);
    let (pictures, left_out) = bounded(pictures);
    message(post, &subject, &text(summary, left_out), pictures, now)
}

/// The mail about a run that could not even begin.
pub(crate) fn not_begun(
    post: &Post,
    mode: Mode,
    error: &anyhow::Error,
    now: UnixTime,
) -> anyhow::Result<Vec<u8>> {
    let subject = format!("{mode}: NOT begun");
    let text =
        format!("On {} no job was begun:\n\n{}\n", server::name(), plain::lines(&format!("{error:#}")));
    message(post, &subject, &text, Vec::new(), now)
}

/// Gives the mail to sendmail, whose recipients stand in its headers.
pub(crate) fn send(post: &Post, message: &[u8]) -> anyhow::Result<()> {
    let command = [post.sendmail.display().to_string(), "-i".to_owned(), "-t".to_owned()];
    service::run_with_input(&command, message, DEADLINE, None)
        .with_context(|| format!("no mail was sent to {} (MAILTO)", post.to.join(", ")))?;
    Ok(())
}

fn text(summary: &Summary, left_out: usize) -> String {
    let mut text = format!("{}\n\n", words::heading(summary));
    let (not_done, done): (Vec<&OfHost>, Vec<&OfHost>) =
        summary.jobs.iter().partition(|one| !one.became.is_done());
    for one in not_done.into_iter().chain(done) {
        text.push_str(&format!("{}: {}{}\n", one.host, one_line(&words::result(&one.became)), figures(one)));
    }
    for said in summary.hooks.iter().filter(|said| !said.succeeded) {
        text.push_str(&format!("\nthe hook {} failed: {}\n", said.hook, one_line(&said.output)));
    }
    if left_out > 0 {
        text.push_str(&format!("\n{left_out} more screenshots are left out.\n"));
    }
    let run = &summary.begun.run;
    text + &format!("\nOn {}: ghostctl report --html report.html {run}\n", server::name())
}

fn figures(one: &OfHost) -> String {
    let Became::Ended(ended) = &one.became else { return String::new() };
    let size = ended.figures.bytes.map(|size| format!(", {}", bytes(size))).unwrap_or_default();
    format!(" ({}{size})", words::took(ended.figures.seconds))
}

/// As many as a mail may have, and how many more there are.
fn bounded(mut pictures: Vec<Picture>) -> (Vec<Picture>, usize) {
    let all = pictures.len();
    let mut room = BYTES_OF_PICTURES;
    pictures.retain(|picture| {
        let fits = picture.png.len() <= room;
        room -= if fits { picture.png.len() } else { 0 };
        fits
    });
    pictures.truncate(PICTURES);
    let left_out = all - pictures.len();
    (pictures, left_out)
}

fn message(
    post: &Post,
    subject: &str,
    text: &str,
    pictures: Vec<Picture>,
    now: UnixTime,
) -> anyhow::Result<Vec<u8>> {
    let seconds = i64::try_from(now.as_millis() / 1_000).unwrap_or_default();
    let addresses = post.to.iter().map(|to| Address::new_address(None::<String>, to.as_str())).collect();
    let mut mail = MessageBuilder::new()
        .from(Address::new_address(Some("Ghost4Linux"), post.from.as_str()))
        .to(Address::new_list(addresses))
        .subject(one_line(subject))
        .date(seconds)
        .message_id(format!("{}.ghost4linux@{}", now.as_millis(), server::name()))
        // Nobody's holiday answers (RFC 3834).
        .header("Auto-Submitted", Raw::new("auto-generated"))
        .text_body(text);
    for Picture { host, png } in pictures {
        mail = mail.attachment("image/png", format!("{host}.png"), png);
    }
    let written = mail.write_to_vec().context("cannot write the mail")?;
    // Sendmail takes lines as Unix has them.
    let lines: Vec<u8> = written.split(|byte| *byte == b'\r').flatten().copied().collect();
    if lines.split(|byte| *byte == b'\n').any(|line| line.len() > LONGEST_LINE) {
        bail!("a bug in ghostctl: the mail has a line that is too long");
    }
    Ok(lines)
}

#[cfg(test)]
mod tests;
