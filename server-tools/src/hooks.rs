//! The administrator's own programs, which are told of jobs and runs that have ended (`HOOKS`).
//!
//! Each gets a record as JSON on standard input, with a time limit, and one after the other. What it says is kept and shown;
//! a hook that fails makes no job fail. They run with root's rights unless
//! HOOKUSER names a user, so no hook runs that another user could have written.
//!
//! ```text
//! a job has ended ──▶ queue ──thread──▶ each hook in turn ──▶ what it said
//! ```

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use ghost_contract::JobId;

use crate::ghostrc::Ghostrc;
use crate::output::plain::FromClient;
use crate::runner::lengthy::{Lengthy, Panicked};
use crate::state::runs::HookSaid;
use crate::sys::user::User;
use crate::sys::{private, service};

/// What became of the hooks that were called for one job, or for the run.
type Said = Vec<HookSaid>;

/// Calls hooks on a thread of its own, so that no job waits for one.
pub(crate) struct Hooks {
    caller: Caller,
    thread: Option<Lengthy<Said>>,
    /// What is said that was not asked for yet.
    unread: VecDeque<HookSaid>,
}

impl Hooks {
    pub(crate) fn of(ghostrc: &Ghostrc) -> Self {
        let (folder, deadline, user) =
            (ghostrc.hooks.clone(), ghostrc.hook_deadline, ghostrc.hook_user.clone());
        Self { caller: Caller { folder, deadline, user }, thread: None, unread: VecDeque::new() }
    }

    /// Has all hooks called with this record of a job; of the run, if none is named.
    pub(crate) fn call(&mut self, job: Option<JobId>, json: String) {
        if fs::symlink_metadata(&self.caller.folder).is_err() {
            return;
        }
        if self.thread.is_none() {
            self.thread = Lengthy::on_one_thread().ok();
        }
        let caller = self.caller.clone();
        let call = move || caller.call_all(job.as_ref(), &json);
        match &mut self.thread {
            Some(thread) => thread.begin(0, Box::new(call)),
            None => self.unread.extend(call()),
        }
    }

    /// What was said since the last call.
    pub(crate) fn take(&mut self) -> Said {
        let ended = self.thread.iter().flat_map(Lengthy::take);
        self.unread.extend(ended.flat_map(|(_, said)| said.unwrap_or_else(|Panicked| Vec::new())));
        self.unread.drain(..).collect()
    }

    /// Waits for those that were called. They end in time, as each has a time limit.
    pub(crate) fn finish(&mut self) -> Said {
        if let Some(thread) = &mut self.thread {
            thread.join();
        }
        let said = self.take();
        self.thread = None;
        said
    }
}

/// How hooks are called.
#[derive(Debug, Clone)]
struct Caller {
    folder: PathBuf,
    deadline: Duration,
    /// The user that hooks run as (HOOKUSER); root where none is set.
    user: Option<String>,
}

impl Caller {
    fn call_all(&self, job: Option<&JobId>, json: &str) -> Said {
        let said = |hook: String, became: anyhow::Result<String>| {
            let succeeded = became.is_ok();
            let output = became.unwrap_or_else(|error| format!("{error:#}"));
            // It may repeat what a client has said.
            HookSaid { hook, job: job.cloned(), succeeded, output: FromClient(output).to_string() }
        };
        let found = in_order(&self.folder).and_then(|found| Ok((found, self.user()?)));
        let (found, user) = match found {
            Ok(found) => found,
            Err(error) => return vec![said(self.folder.display().to_string(), Err(error))],
        };
        let call = |path: PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            said(name, self.call(&path, json, user.as_ref()))
        };
        found.into_iter().map(call).collect()
    }

    fn call(&self, path: &Path, json: &str, user: Option<&User>) -> anyhow::Result<String> {
        require_roots(path)?;
        let words = [path.display().to_string()];
        Ok(service::run_with_input(&words, json.as_bytes(), self.deadline, user)?)
    }

    /// One that is not there must not make its hooks run as root.
    fn user(&self) -> anyhow::Result<Option<User>> {
        self.user.as_deref().map(user).transpose()
    }
}

/// The user of this machine that hooks run as.
pub(crate) fn user(name: &str) -> anyhow::Result<User> {
    let found = User::named(name).with_context(|| format!("cannot look the user {name} up (HOOKUSER)"))?;
    found.with_context(|| format!("there is no user {name} (HOOKUSER), so no hook is run"))
}

/// The programs of the folder by name, which run-parts(8) would take as well: nothing that an editor or dpkg has left.
fn in_order(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let whole = fs::canonicalize(folder).with_context(|| format!("cannot use {}", folder.display()))?;
    whole.ancestors().try_for_each(require_roots)?;
    let listed = fs::read_dir(&whole).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let listed = listed.with_context(|| format!("cannot read {}", whole.display()))?;
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let named = listed.into_iter().filter(|entry| entry.file_name().to_str().is_some_and(is_name));
    let is_program = |path: &PathBuf| {
        let metadata = fs::symlink_metadata(path);
        metadata.is_ok_and(|metadata| !metadata.is_dir() && metadata.permissions().mode() & 0o111 != 0)
    };
    let mut found: Vec<PathBuf> = named.map(|entry| entry.path()).filter(is_program).collect();
    found.sort();
    Ok(found)
}

/// Refuses what another than root could have written, or put in this place.
fn require_roots(path: &Path) -> anyhow::Result<()> {
    let metadata =
        fs::symlink_metadata(path).with_context(|| format!("cannot look at {}", path.display()))?;
    if !metadata.is_dir() && !metadata.is_file() {
        bail!("{} is not a regular file, so it is not run", path.display());
    }
    if metadata.uid() != 0 {
        bail!("{} does not belong to root, so no hook there is run", path.display());
    }
    // In such a folder what is root's stays in its place.
    let is_kept_in_place = metadata.is_dir() && private::only_owners_rename(&metadata);
    if private::is_open_to_others(&metadata) && !is_kept_in_place {
        bail!(
            "{} can be written by others than root, so no hook there is run: chmod go-w it",
            path.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::symlink;

    use ghost_contract::sample::effects::write_program;

    const LONG: Duration = Duration::from_secs(30);

    fn with(hooks: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in hooks {
            write_program(&folder.path().join(name), &format!("#!/bin/sh\n{script}\n"));
        }
        folder
    }

    fn called(folder: &Path, deadline: Duration) -> Vec<(String, bool, String)> {
        called_as(folder, deadline, None)
    }

    fn called_as(folder: &Path, deadline: Duration, user: Option<&str>) -> Vec<(String, bool, String)> {
        let caller = Caller { folder: folder.to_owned(), deadline, user: user.map(str::to_owned) };
        let said = caller.call_all(None, "{\"record\": 1}");
        said.into_iter().map(|said| (said.hook, said.succeeded, said.output)).collect()
    }

    #[test]
    fn each_program_gets_the_record_and_what_it_says_is_kept() {
        let folder = with(&[
            ("20-b", "echo no; exit 3"),
            ("10-a", "cat"),
            ("left.dpkg-old", "echo old"),
            ("x~", "echo x"),
        ]);
        fs::write(folder.path().join("README"), "not executable").unwrap();
        let said = called(folder.path(), LONG);
        assert_eq!(said[0], ("10-a".to_owned(), true, "{\"record\": 1}".to_owned()));
        assert!(said[1].0 == "20-b" && !said[1].1 && said[1].2.ends_with("saying: no"), "{said:?}");
        assert_eq!(said.len(), 2, "{said:?}");
    }

    #[test]
    fn a_user_of_their_own_is_who_they_run_as_and_one_that_is_missing_keeps_them_from_running() {
        let folder = with(&[("10-who", "cat; id -u; echo $HOME; echo ${GHOSTCTL_TEST-unset}")]);
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let said = called_as(folder.path(), LONG, Some("nobody"));
        assert_eq!(said[0].2, "{\"record\": 1}65534 /nonexistent unset", "{said:?}");
        let refused = called_as(folder.path(), LONG, Some("no-such-user"));
        let [(_, false, why)] = &refused[..] else { panic!("{refused:?}") };
        assert_eq!(why, "there is no user no-such-user (HOOKUSER), so no hook is run");
        // It cannot end, stop or read anything of root's.
        let folder = with(&[("10-kill", "kill -0 $PPID && echo it can; cat /etc/shadow")]);
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let said = called_as(folder.path(), LONG, Some("nobody"));
        assert!(!said[0].1 && !said[0].2.contains("it can"), "{said:?}");
    }

    #[test]
    fn one_that_reads_nothing_says_too_much_or_does_not_end_holds_nothing_up() {
        let folder =
            with(&[("a", "exit 0"), ("b", "yes | head -c 100000; printf '\\033[2J'"), ("c", "sleep 1000")]);
        let json = "x".repeat(1 << 20);
        let caller =
            Caller { folder: folder.path().to_owned(), deadline: Duration::from_secs(3), user: None };
        let said = caller.call_all(None, &json);
        assert!(said[0].succeeded, "{:?}", said[0]);
        assert!(said[1].output.len() < 8_000 && !said[1].output.contains('\x1b'), "{:?}", said[1]);
        assert!(!said[2].succeeded && said[2].output.contains("did not end within 3 s"), "{:?}", said[2]);
    }

    #[test]
    fn nothing_runs_that_another_could_have_written() {
        let mark = |folder: &Path| format!("touch {}/ran", folder.display());
        type Spoil = fn(&Path);
        let cases: [(Spoil, &str); 5] = [
            (|folder| fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap(), "by others"),
            (|folder| fs::set_permissions(folder, Permissions::from_mode(0o770)).unwrap(), "by others"),
            (
                |folder| fs::set_permissions(folder.join("hook"), Permissions::from_mode(0o757)).unwrap(),
                "by others",
            ),
            (
                |folder| std::os::unix::fs::chown(folder.join("hook"), Some(7), None).unwrap(),
                "belong to root",
            ),
            (
                |folder| {
                    fs::rename(folder.join("hook"), folder.join("hook.real")).unwrap();
                    symlink(folder.join("hook.real"), folder.join("hook")).unwrap();
                },
                "not a regular file",
            ),
        ];
        for (spoil, why) in cases {
            let folder = with(&[]);
            write_program(&folder.path().join("hook"), &format!("#!/bin/sh\n{}\n", mark(folder.path())));
            spoil(folder.path());
            let said = called(folder.path(), LONG);
            assert!(!said[0].1 && said[0].2.contains(why), "{why}: {said:?}");
            assert!(!folder.path().join("ran").exists(), "{why}");
        }
        // One above it that others can write is as bad.
        let above = with(&[]);
        let folder = above.path().join("hooks.d");
        fs::create_dir(&folder).unwrap();
        write_program(&folder.join("hook"), "#!/bin/sh\n");
        fs::set_permissions(above.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(!called(&folder, LONG)[0].1);
    }
}
