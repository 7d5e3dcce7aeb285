//! Exports that go on between jobs, by a file of ours: tells Linux' own NFS server of these, and of nothing else.
//!
//! `exportfs -ra` is not for that: it withdraws what others export by hand, as a cluster's agents do, and it fails for any line of theirs
//! that has a fault. What a command has done is what the server lists afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;

use super::for_job::is_listed;
use super::here::table;
use super::{Access, Wanted};
use crate::doctor::exports::exported;
use crate::doctor::facts::{Exported, few};
use crate::ghostrc::Ghostrc;
use crate::octal::unescaped;
use crate::sys::service;

const EXPORTFS: &str = "exportfs";

/// One folder for one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) path: PathBuf,
    pub(crate) ip: Ipv4Addr,
    options: String,
}

impl Line {
    /// How exportfs(8) is told of it. A path that is not UTF-8 is left to the file.
    fn target(&self) -> Option<String> {
        self.path.to_str().map(|path| format!("{}:{path}", self.ip))
    }

    fn is_listed(&self, listed: &[Exported]) -> bool {
        is_listed(&Wanted::of_one(self.path.clone(), Access::Read, self.ip), listed)
    }
}

/// What a file of exports(5) exports to single clients.
pub(crate) fn of_file(text: &[u8]) -> Vec<Line> {
    let text = String::from_utf8_lossy(text).replace("\\\n", " ");
    let of_line = |line: &str| {
        let mut words = line.split_whitespace();
        let path = words.next().map(|path| unescaped(path.as_bytes())).unwrap_or_default();
        let one = move |word: &str| {
            let (ip, options) = word.strip_suffix(')')?.split_once('(')?;
            Some(Line { path: path.clone(), ip: ip.parse().ok()?, options: options.to_owned() })
        };
        words.filter_map(one).collect::<Vec<_>>()
    };
    text.lines().filter(|line| line.starts_with('/')).flat_map(of_line).collect()
}

/// The commands after which these are exported.
pub(crate) fn exporting(lines: &[Line]) -> Vec<Vec<String>> {
    let mut by_options: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in lines {
        by_options.entry(&line.options).or_default().extend(line.target());
    }
    let command = |(options, targets): (&str, Vec<String>)| {
        [EXPORTFS, "-o", options].map(str::to_owned).into_iter().chain(targets).collect()
    };
    by_options.into_iter().filter(|(_, targets)| !targets.is_empty()).map(command).collect()
}

/// The command after which none of these is.
pub(crate) fn withdrawing(lines: &[Line]) -> Option<Vec<String>> {
    let targets: Vec<String> = lines.iter().filter_map(Line::target).collect();
    let command = || [EXPORTFS, "-u"].map(str::to_owned).into_iter().chain(targets.clone()).collect();
    (!targets.is_empty()).then(command)
}

/// Whether this command is for exportfs(8), of whatever version of ours.
pub(crate) fn is_exportfs(words: &[String]) -> bool {
    words.first().is_some_and(|program| program == EXPORTFS)
}

/// Whether a command exports, and what it is about; none if it is no command of this version's.
pub(crate) fn read(words: &[String]) -> Option<(bool, Vec<Line>)> {
    let (exports, options, targets) = match words {
        [program, verb, options, targets @ ..] if program == EXPORTFS && verb == "-o" => {
            (true, options.as_str(), targets)
        }
        [program, verb, targets @ ..] if program == EXPORTFS && verb == "-u" => (false, "", targets),
        _ => return None,
    };
    let line = |target: &String| {
        let (ip, path) = target.split_once(':')?;
        Some(Line { path: path.into(), ip: ip.parse().ok()?, options: options.to_owned() })
    };
    Some((exports, targets.iter().filter_map(line).collect()))
}

/// What such a command does, for people.
pub(crate) fn in_words(words: &[String]) -> Option<String> {
    let (exports, lines) = read(words)?;
    let verb = if exports { "export" } else { "stop exporting" };
    Some(format!("{verb} {} to {}", paths(&lines), clients(&lines)))
}

fn paths(lines: &[Line]) -> String {
    let paths: BTreeSet<String> = lines.iter().map(|line| line.path.display().to_string()).collect();
    few(paths.iter().map(String::as_str))
}

pub(crate) fn clients(lines: &[Line]) -> String {
    let ips: BTreeSet<Ipv4Addr> = lines.iter().map(|line| line.ip).collect();
    let ips: Vec<String> = ips.iter().map(ToString::to_string).collect();
    few(ips.iter().map(String::as_str))
}

/// Those that are not exported; all if nobody can tell.
pub(crate) fn not_listed(ghostrc: &Ghostrc, lines: Vec<Line>) -> Vec<Line> {
    let listed = listed(ghostrc).unwrap_or_default();
    lines.into_iter().filter(|line| !line.is_listed(&listed)).collect()
}

/// Runs a command of these. A server that does not run yet reads the file when it starts.
pub(crate) fn run(ghostrc: &Ghostrc, words: &[String], deadline: Duration) -> anyhow::Result<()> {
    let said = service::run(words, deadline);
    let (Some((exports, lines)), Some(listed)) = (read(words), listed(ghostrc)) else {
        said?;
        return Ok(());
    };
    match lines.iter().find(|line| line.is_listed(&listed) != exports) {
        None => Ok(()),
        Some(line) => {
            said?;
            let is = if exports { "is not exported" } else { "is still exported" };
            let words = "though exportfs says that all is done; 'showmount --exports' shows what is";
            Err(anyhow!("{} {is} to {}, {words}", line.path.display(), line.ip))
        }
    }
}

/// What the server says that it exports; what it was told, if it does not answer.
fn listed(ghostrc: &Ghostrc) -> Option<Vec<Exported>> {
    exported(IpAddr::V4(ghostrc.boot_server), ghostrc.mountd_port).ok().or_else(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exports::for_nfsd;

    #[test]
    fn what_is_written_into_the_file_is_read_from_it() {
        let clients = [[10, 0, 0, 2].into(), [10, 0, 0, 3].into()];
        let wanted = [
            Wanted { path: "/srv/my base \\1".into(), access: Access::Read, clients: clients.into() },
            Wanted::of_one("/b".into(), Access::Write, clients[0]),
        ];
        let lines = of_file(format!("# ours\n{}", for_nfsd(&wanted)).as_bytes());
        let all: Vec<_> = lines.iter().map(|line| (line.path.to_str().unwrap(), line.ip)).collect();
        assert_eq!(
            all,
            [("/srv/my base \\1", clients[0]), ("/srv/my base \\1", clients[1]), ("/b", clients[0])]
        );
        let commands = exporting(&lines);
        assert_eq!(commands.len(), 2, "one for each set of options: {commands:?}");
        assert!(commands[0][2].starts_with("ro,") && commands[1][2].starts_with("rw,"));
        assert_eq!(commands[0][3..], ["10.0.0.2:/srv/my base \\1", "10.0.0.3:/srv/my base \\1"]);
        assert_eq!(in_words(&commands[0]).unwrap(), "export /srv/my base \\1 to 10.0.0.2, 10.0.0.3");
        assert_eq!(read(&commands[0]).unwrap(), (true, lines[..2].to_vec()));
        let withdrawing = withdrawing(&lines).unwrap();
        assert_eq!(withdrawing[..3], ["exportfs", "-u", "10.0.0.2:/srv/my base \\1"]);
        assert_eq!(
            in_words(&withdrawing).unwrap(),
            "stop exporting /b, /srv/my base \\1 to 10.0.0.2, 10.0.0.3"
        );
        assert!(super::withdrawing(&[]).is_none() && exporting(&[]).is_empty());
    }

    #[test]
    fn lines_of_others_are_left_to_them() {
        let text = b"/home *(rw) 10.0.0.9\n/b 10.0.0.0/24(ro) 10.0.0.2(ro)\n#/c 10.0.0.2(ro)\n/d\n";
        let lines: Vec<_> = of_file(text).into_iter().map(|line| line.path).collect();
        assert_eq!(lines, [PathBuf::from("/b")]);
        assert!(read(&["exportfs", "-ra"].map(str::to_owned)).is_none());
    }
}
