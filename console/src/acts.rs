//! What people may do from the pages: each act is a verb of `ghostctl`, run as a person would run it.
//!
//! ```text
//! form ──Act::of──▶ Act ──words──▶ ghostctl VERB HOST, in a unit of its own where systemd runs
//! ```
//! A job that was begun here goes on when the console ends.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use ghost_contract::{HostName, UnixTime};
use ghostctl::overview::pages;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use crate::door::Who;
use crate::log;

/// So many acts are shown.
const SHOWN: usize = 200;
/// So much of what one says is kept: its end, bytes.
const KEPT: usize = 4 << 10;
/// So many run at the same time.
const AT_ONCE: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Cancel,
    Look,
    Backup,
    Verify,
    Test,
    Restore,
}

/// A form, as it comes from the page.
#[derive(Debug, Deserialize)]
pub struct Form {
    pub act: Kind,
    pub host: String,
    pub word: String,
    /// The name of the host, typed by hand: only a restore needs it.
    #[serde(default)]
    pub typed: String,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub kind: Kind,
    pub host: HostName,
}

impl Act {
    /// Why it is not done, otherwise.
    pub fn of(form: &Form) -> Result<Self, &'static str> {
        let host: HostName = form.host.parse().map_err(|_| "that is not the name of a host")?;
        if form.kind_needs_name() && form.typed.trim() != host.as_str() {
            return Err(
                "a restore overwrites the disk: type the name of the host to go on. Nothing was done",
            );
        }
        Ok(Self { kind: form.act, host })
    }

    /// The words after `ghostctl`.
    pub(crate) fn words(&self) -> Vec<&str> {
        let host = self.host.as_str();
        match self.kind {
            Kind::Cancel => vec!["cancel", "--", host],
            Kind::Look => vec!["screen", "--now", "--picture", "never", "--", host],
            Kind::Backup => vec!["backup", "--", host],
            Kind::Verify => vec!["verify", "--", host],
            Kind::Test => vec!["test", "--", host],
            Kind::Restore => vec!["restore", "--yes", "--", host],
        }
    }

    pub const fn verb(&self) -> &'static str {
        match self.kind {
            Kind::Cancel => "cancel",
            Kind::Look => "look now",
            Kind::Backup => "backup",
            Kind::Verify => "verify",
            Kind::Test => "test",
            Kind::Restore => "restore",
        }
    }
}

impl Form {
    const fn kind_needs_name(&self) -> bool {
        matches!(self.act, Kind::Restore)
    }
}

/// What became of an act.
#[derive(Debug, Clone)]
pub struct Done {
    pub act: Act,
    pub who: Who,
    pub at: UnixTime,
    /// None while it runs.
    pub became: Option<String>,
    number: u64,
}

/// Does acts, and keeps what became of the last ones.
#[derive(Debug)]
pub struct Acts {
    program: PathBuf,
    config: PathBuf,
    in_units: bool,
    done: Mutex<VecDeque<Done>>,
}

impl Acts {
    /// `in_units`: whether systemd runs, which then starts what is done here. What holds this program holds no job then.
    pub fn new(program: PathBuf, config: PathBuf, in_units: bool) -> Self {
        Self { program, config, in_units, done: Mutex::default() }
    }

    /// The last acts of a host, the newest first.
    pub fn of(&self, host: &HostName) -> Vec<Done> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.iter().rev().filter(|one| one.act.host == *host).cloned().collect()
    }

    /// Begins it. The answer is only whether it was begun.
    pub fn begin(self: &Arc<Self>, act: Act, who: Who) -> Result<(), String> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if done.iter().filter(|one| one.became.is_none()).count() >= AT_ONCE {
            return Err(format!("{AT_ONCE} acts run already: try again later"));
        }
        log::line(&format!("{} asks for: {} {}", who.0, act.verb(), act.host));
        let mut command = self.command(&act.words());
        let child = command.spawn().map_err(|error| {
            let words = format!("{} cannot be run: {error}", self.program.display());
            log::line(&words);
            words
        })?;
        let number = done.back().map_or(0, |last| last.number + 1);
        done.push_back(Done { act: act.clone(), who, at: pages::now(), became: None, number });
        if done.len() > SHOWN {
            // One that runs is counted, and is still to be told of: fewer run than are shown.
            let ended = done.iter().position(|one| one.became.is_some());
            ended.and_then(|ended| done.remove(ended));
        }
        let acts = Arc::clone(self);
        tokio::spawn(async move {
            let became = ended(child).await;
            log::line(&format!("{} {}: {became}", act.verb(), act.host));
            acts.note(number, became);
        });
        Ok(())
    }

    fn note(&self, number: u64, became: String) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = done.iter_mut().find(|one| one.number == number) {
            one.became = Some(became);
        }
    }

    /// What `doctor` finds, one JSON object a line.
    pub async fn doctor(&self) -> anyhow::Result<String> {
        let output = self.command(&["--json", "doctor"]).kill_on_drop(true).output().await?;
        let found = String::from_utf8_lossy(&output.stdout).into_owned();
        if found.trim().is_empty() {
            anyhow::bail!("ghostctl doctor says: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(found)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = if self.in_units {
            let mut command = Command::new("systemd-run");
            command.args(["--quiet", "--collect", "--pipe", "--wait", "--service-type=exec", "--"]);
            command.arg(&self.program);
            command
        } else {
            Command::new(&self.program)
        };
        command.arg("--config").arg(&self.config).args(words);
        // A group of its own, so that Ctrl-C ends the console and no job.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Whether systemd runs here.
pub fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Waits for it; its status, and the last that it said.
async fn ended(mut child: tokio::process::Child) -> String {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err, status) = tokio::join!(end_of(out), end_of(err), child.wait());
    let said = [out, err].map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    let said = said.into_iter().filter(|said| !said.is_empty()).collect::<Vec<_>>().join("\n");
    match status {
        Ok(status) if status.success() => format!("done. {said}"),
        Ok(status) => format!("not done ({status}). {said}"),
        Err(error) => format!("it is not known how it ended ({error}). {said}"),
    }
}

/// Reads all, and keeps the end.
async fn end_of(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let Some(mut stream) = stream else { return Vec::new() };
    let (mut kept, mut some) = (VecDeque::with_capacity(KEPT), [0; 1024]);
    while let Ok(read @ 1..) = stream.read(&mut some).await {
        kept.extend(&some[..read]);
        kept.drain(..kept.len().saturating_sub(KEPT));
    }
    kept.into()
}

#[cfg(test)]
mod tests;
