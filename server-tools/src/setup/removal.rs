//! Takes away what was made: exactly that, and only where nobody has changed it since. Pure.
//!
//! The image store is never touched, and neither is the state folder, which knows of jobs.

mod dhcp;
mod files;

use std::path::{Path, PathBuf};

use super::exported;
use crate::dhcp::adding::Written;
use crate::dhcp::{Change, Configuration, Traits};
use crate::state::made::Made;

/// One thing that is taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undo {
    /// Does not start at boot any more, and does not run now.
    Unit {
        name: String,
        disables: bool,
        stops: bool,
    },
    /// The DHCP configuration without what was put in.
    Dhcp(Vec<Change>),
    /// A file of the DHCP configuration as a whole. The change says what it held when it was shown, and leaves nothing.
    RemoveDhcp(Change),
    /// The DHCP server serves what is left, if it runs.
    TakeUp,
    /// The DHCP server is not restarted: without a network it would end.
    NoTakeUp,
    /// A file gets its earlier contents; without any it goes.
    File {
        path: PathBuf,
        now: Vec<u8>,
        earlier: Option<Vec<u8>>,
    },
    /// A file stays, and is changed.
    Edit {
        words: String,
        path: PathBuf,
        now: Vec<u8>,
        after: Vec<u8>,
    },
    Run(Vec<String>),
    /// Those boot files that are as they were copied.
    BootFiles,
    BaseRoot(PathBuf),
    Folder(PathBuf),
}

#[derive(Debug, Default)]
pub(crate) struct Removal {
    pub(crate) steps: Vec<Undo>,
    /// What stays, and why.
    pub(crate) left: Vec<String>,
    /// What is not in the DHCP configuration any more.
    pub(crate) gone: Vec<Written>,
}

/// What the files hold now.
pub(crate) type Now<'a> = &'a dyn Fn(&Path) -> anyhow::Result<Option<Vec<u8>>>;

/// The DHCP configuration as it would be with these changes; none if there would be none.
pub(crate) type WithChanges<'a> = &'a dyn Fn(&[Change]) -> anyhow::Result<Option<Box<dyn Configuration>>>;

/// What the plan asks of the machine.
pub(crate) struct Around<'a> {
    pub(crate) now: Now<'a>,
    pub(crate) dhcp: &'a Traits,
    pub(crate) configuration: WithChanges<'a>,
    /// Whether the DHCP server is here, which checks what is edited.
    pub(crate) is_dhcp_installed: bool,
    /// The base root that the settings name, if it is there.
    pub(crate) base_root: Option<PathBuf>,
    /// Whether boot files were copied into the TFTP server's folder.
    pub(crate) has_boot_files: bool,
    /// Why the NFS or TFTP server of this name has to go on without what was made.
    pub(crate) serves_others: &'a dyn Fn(&str) -> anyhow::Result<Option<String>>,
}

/// `settings` is the file that says where all else is.
pub(crate) fn plan(
    made: &Made,
    settings: &Path,
    store: &Path,
    around: &Around<'_>,
) -> anyhow::Result<Removal> {
    let mut removal = Removal::default();
    let now = around.now;
    let dhcp = removal.dhcp(made, around)?;
    removal.units(made, &dhcp, around)?;
    // The settings last: until then the rest can be taken away by another run.
    removal.files_but(made, settings, now)?;
    // An earlier run has taken the file away, and failed at the command.
    for words in made.pending.iter().filter(|words| exported::is_after_removal(words)) {
        let step = Undo::Run(words.clone());
        if !removal.steps.contains(&step) {
            removal.steps.push(step);
        }
    }
    // A DHCP server that is restarted for it reads its other files too.
    removal.steps.extend(dhcp);
    if around.has_boot_files {
        removal.steps.push(Undo::BootFiles);
    }
    if let Some(base) = around.base_root.as_ref().filter(|base| made.base_root.as_ref() != Some(base)) {
        let words =
            "stays, with what belongs to it beside it: it was there before 'ghostctl setup' and 'root build'";
        removal.left.push(format!("the base root {} {words}", base.display()));
    }
    if let Some(base) = &made.base_root {
        if store.starts_with(base) {
            removal.left.push(format!("{} stays, since the image store is in it", base.display()));
        } else {
            removal.steps.push(Undo::BaseRoot(base.clone()));
        }
    }
    let folders = made.folders.iter().rev().filter(|folder| !store.starts_with(folder));
    removal.steps.extend(folders.cloned().map(Undo::Folder));
    removal.file(made, settings, now)?;
    removal.left.push(format!("{} and its images stay as they are", store.display()));
    Ok(removal)
}

impl Removal {
    /// Each service is as it was before. One that serves others by now goes on.
    fn units(&mut self, made: &Made, dhcp: &[Undo], around: &Around<'_>) -> anyhow::Result<()> {
        for (name, before) in &made.units {
            let is_dhcp = name == around.dhcp.unit;
            let rest = dhcp::rest(dhcp, around)?;
            if is_dhcp && around.dhcp.needs_network && !rest.has_network {
                // It would fail at the next start, whether or not it ran before.
                self.steps.push(Undo::Unit { name: name.clone(), disables: !before.is_enabled, stops: true });
                continue;
            }
            let others = match is_dhcp {
                true => rest.has_others.then(|| "its configuration has more than what was put in".to_owned()),
                false => (around.serves_others)(name)?,
            };
            if before.is_enabled {
                self.left.push(format!("{name} goes on: it was enabled before setup too"));
            } else if let Some(why) = others {
                self.left.push(format!("{name} goes on: {why}"));
            } else {
                let stops = !before.is_active;
                self.steps.push(Undo::Unit { name: name.clone(), disables: true, stops });
            }
        }
        Ok(())
    }
}

fn first_line(text: &str) -> &str {
    let says_something = |line: &&str| line.contains(char::is_alphanumeric) && !line.starts_with('#');
    text.lines().find(says_something).unwrap_or_default().trim()
}

impl std::fmt::Display for Undo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unit { name, disables: false, .. } => {
                write!(f, "stop {name}, which has no network left; it still starts at boot, as before")
            }
            Self::Unit { name, stops: true, .. } => write!(f, "stop {name}, now and at boot, as before"),
            Self::Unit { name, stops: false, .. } => {
                write!(f, "keep {name} from starting at boot, as before")
            }
            Self::Dhcp(changes) => {
                let files: Vec<String> =
                    changes.iter().map(|change| change.file.display().to_string()).collect();
                write!(f, "take out of {} what was put in", files.join(", "))
            }
            Self::RemoveDhcp(change) => write!(f, "remove {}", change.file.display()),
            Self::TakeUp => f.write_str("have the DHCP server take that up, if it runs"),
            Self::NoTakeUp => {
                f.write_str("leave the DHCP server without a restart, since it has no network left")
            }
            Self::File { path, earlier: None, .. } => write!(f, "remove {}", path.display()),
            Self::File { path, .. } => write!(f, "put {} back as it was", path.display()),
            Self::Edit { words, .. } => f.write_str(words),
            Self::Run(words) => f.write_str(&super::command(words)),
            Self::BootFiles => f.write_str("remove the boot files that are as they were copied"),
            Self::BaseRoot(path) => write!(f, "remove the base root {}", path.display()),
            Self::Folder(path) => write!(f, "remove the folder {}, if it is empty", path.display()),
        }
    }
}

impl Undo {
    /// What it makes of the DHCP configuration.
    fn changes(&self) -> Vec<Change> {
        match self {
            Self::Dhcp(changes) => changes.clone(),
            Self::RemoveDhcp(change) => vec![change.clone()],
            _ => Vec::new(),
        }
    }

    /// Lines that show what changes in files that stay.
    pub(crate) fn diff(&self) -> Vec<String> {
        match self {
            Self::Dhcp(changes) => {
                let of =
                    |change: &Change| super::diff::lines(&change.file, Some(&change.read), &change.contents);
                changes.iter().flat_map(of).collect()
            }
            Self::File { path, now, earlier: Some(after) } | Self::Edit { path, now, after, .. } => {
                super::diff::lines(path, Some(now), after)
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
