//! The users of this machine, and programs that run as one of them.
#![allow(unsafe_code, reason = "the standard library cannot give a child the groups of a user")]

use std::ffi::CString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use nix::unistd::{Gid, Uid, getgrouplist, setgid, setgroups, setuid};

/// Where a user's programs are.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    name: String,
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    home: PathBuf,
}

impl User {
    /// None if there is no such user.
    pub(crate) fn named(name: &str) -> io::Result<Option<Self>> {
        let Some(user) = nix::unistd::User::from_name(name)? else { return Ok(None) };
        let groups = getgrouplist(&CString::new(name)?, user.gid)?;
        Ok(Some(Self { name: user.name, uid: user.uid, gid: user.gid, groups, home: user.dir }))
    }

    /// The one as whom a process runs, by proc(5): it may have other groups than its user has.
    pub(crate) fn of_process(pid: u32) -> io::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let (uid, gid, groups) = ids(&status).ok_or(io::ErrorKind::InvalidData)?;
        let known = nix::unistd::User::from_uid(uid)?;
        let name = known.map_or_else(|| uid.to_string(), |user| user.name);
        Ok(Self { name, uid, gid, groups, home: PathBuf::from("/") })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Has the command run as this user, with nothing of this program's environment.
    pub(crate) fn runs(&self, command: &mut Command) {
        command.env_clear().env("PATH", PATH).env("HOME", &self.home);
        command.env("USER", &self.name).env("LOGNAME", &self.name).env("SHELL", "/bin/sh");
        let (uid, gid, groups) = (self.uid, self.gid, self.groups.clone());
        // The user goes last: afterwards the groups could not be changed any more.
        let become_it = move || -> io::Result<()> {
            setgroups(&groups)?;
            setgid(gid)?;
            Ok(setuid(uid)?)
        };
        // SAFETY: between fork(2) and exec(2) only setgroups(2), setgid(2) and setuid(2) are called, which allocate nothing; the child
        // has one thread.
        unsafe { command.pre_exec(become_it) };
    }
}

/// The ids by which a process is judged when it opens files, the fourth of each kind, and its groups.
fn ids(status: &str) -> Option<(Uid, Gid, Vec<Gid>)> {
    let numbers = |key: &str| -> Option<Vec<u32>> {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_ascii_whitespace().map(|number| number.parse().ok()).collect()
    };
    let groups = numbers("Groups:")?.into_iter().map(Gid::from_raw).collect();
    let last = |key: &str| numbers(key)?.get(3).copied();
    Some((Uid::from_raw(last("Uid:")?), Gid::from_raw(last("Gid:")?), groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(user: &User, script: &str) -> String {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("SECRET", "x");
        user.runs(&mut command);
        String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn a_program_has_the_ids_the_groups_and_the_home_of_its_user_and_nothing_else() {
        let user = User::named("daemon").unwrap().unwrap();
        let ids = said(&user, "id -u; id -g; id -G; echo $HOME $USER $LOGNAME; env | grep -c SECRET");
        let by_id = Command::new("id").args(["-G", "daemon"]).output().unwrap();
        let groups = String::from_utf8(by_id.stdout).unwrap();
        let expected = format!("1\n1\n{}\n{} daemon daemon\n0", groups.trim(), user.home.display());
        assert_eq!(ids, expected);
        // Whatever groups the one who runs this has.
        let one_of_more = User { groups: vec![user.gid, Gid::from_raw(12_345)], ..user.clone() };
        assert_eq!(said(&one_of_more, "id -G"), "1 12345");
        assert_eq!(said(&user, "grep CapEff /proc/self/status"), "CapEff:\t0000000000000000");
    }

    #[test]
    fn a_process_is_judged_by_the_ids_that_it_opens_files_with() {
        let status = "Name:\tdnsmasq\nUid:\t0\t1\t2\t3\nGid:\t4\t5\t6\t7\nFDSize:\t64\nGroups:\t8 9 \n";
        let (uid, gid, groups) = ids(status).unwrap();
        assert_eq!((uid.as_raw(), gid.as_raw()), (3, 7));
        assert_eq!(groups, [8, 9].map(Gid::from_raw));
        assert_eq!(ids("Name:\tx\n"), None);
        assert_eq!(User::of_process(std::process::id()).unwrap().uid, Uid::effective());
    }

    #[test]
    fn a_user_that_is_not_there_is_none() {
        assert_eq!(User::named("no-such-user").unwrap(), None);
    }
}
