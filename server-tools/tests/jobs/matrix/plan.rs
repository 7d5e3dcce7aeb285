//! Which faults are tried: the calls that a whole job makes, counted, and places among them by a seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::case::{Case, Fault, Moment, server, traced};
use crate::boot_server::{BootServer, said};
use crate::client::{Behaviour, Client};
use crate::each_server::Start;
use crate::terminals::READERS;

/// How many system calls fail, and how many kills there are.
const FAILURES: usize = 340;
const KILLS: usize = 240;

/// The errors that a call may have.
const ERRORS: [(&str, &[&str]); 39] = [
    ("openat", &["EIO", "EACCES", "EMFILE", "EROFS", "ENOSPC"]),
    ("openat2", &["EIO", "EMFILE"]),
    ("read", &["EIO"]),
    ("write", &["EIO", "ENOSPC", "EDQUOT", "EPIPE"]),
    ("pwrite64", &["EIO", "ENOSPC"]),
    ("fsync", &["EIO", "ENOSPC"]),
    ("fdatasync", &["EIO", "ENOSPC"]),
    ("syncfs", &["EIO"]),
    ("rename", &["EIO", "ENOSPC", "EROFS", "EACCES"]),
    ("renameat", &["EIO", "ENOSPC"]),
    ("renameat2", &["EIO", "ENOSPC"]),
    ("linkat", &["EIO", "ENOSPC"]),
    ("unlink", &["EIO", "EROFS"]),
    ("unlinkat", &["EIO", "EROFS"]),
    ("mkdir", &["EIO", "ENOSPC", "EROFS"]),
    ("mkdirat", &["EIO", "ENOSPC"]),
    ("ftruncate", &["EIO"]),
    ("fchmod", &["EIO", "EPERM"]),
    ("fchown", &["EIO", "EPERM"]),
    ("fsetxattr", &["ENOSPC", "EPERM"]),
    ("fremovexattr", &["EIO"]),
    ("listxattr", &["EIO"]),
    ("flock", &["ENOLCK", "EIO"]),
    ("execve", &["ENOMEM", "EACCES"]),
    ("clone3", &["EAGAIN"]),
    ("clone", &["EAGAIN"]),
    ("vfork", &["EAGAIN"]),
    ("memfd_create", &["EMFILE"]),
    ("pidfd_open", &["EMFILE"]),
    ("socket", &["EMFILE", "EPERM"]),
    ("socketpair", &["EMFILE"]),
    ("sendto", &["ENOBUFS", "ENETDOWN"]),
    ("recvfrom", &["EIO", "ENETDOWN"]),
    ("poll", &["ENOMEM"]),
    ("inotify_add_watch", &["ENOSPC"]),
    ("getdents64", &["EIO"]),
    ("statx", &["EIO"]),
    ("readlink", &["EIO"]),
    ("lseek", &["EIO"]),
];

/// These also matter where they are about no file of the boot server.
const ANYWHERE: [&str; 2] = ["write", "openat"];

/// All cases of a campaign with one DHCP server.
pub(crate) struct Plan {
    dhcp: Start,
    failures: Vec<Fault>,
    kills: Vec<Fault>,
    others: Vec<Fault>,
}

impl Plan {
    pub(crate) fn new(dhcp: Start, seed: u64) -> Self {
        let Counted { anywhere, files, paths } = counted(dhcp);
        let paths: Arc<[String]> = paths.into();
        let mut chance = Chance(seed);
        // What is about no file of the boot server, such as a look through /proc, is only tried where nothing else is.
        let of_files = files.iter().map(|(call, count)| (call, *count, Arc::clone(&paths)));
        let matters = |call: &String| ANYWHERE.contains(&call.as_str()) || !files.contains_key(call);
        let of_others = anywhere.iter().filter(|(call, _)| matters(call));
        let of_others = of_others.map(|(call, count)| (call, *count, Arc::default()));
        let mut failing = Vec::new();
        for (call, count, paths) in of_files.clone().chain(of_others.clone()) {
            let errors =
                ERRORS.iter().find(|(known, _)| known == call).map_or(&[][..], |(_, errors)| *errors);
            failing.extend(errors.iter().map(|error| (call, *error, count, Arc::clone(&paths))));
        }
        let counts: Vec<usize> = failing.iter().map(|(_, _, count, _)| *count).collect();
        let failures = places(&counts, FAILURES, &mut chance).into_iter().map(|(which, at)| {
            let (call, error, _, paths) = &failing[which];
            let (call, paths) = ((*call).clone(), Arc::clone(paths));
            Fault::Fails { call, error, at, paths }
        });
        let failures = failures.collect();
        let killing: Vec<_> = of_files.chain(of_others).collect();
        let counts: Vec<usize> = killing.iter().map(|(_, count, _)| *count).collect();
        let kills = places(&counts, KILLS, &mut chance).into_iter().map(|(which, at)| {
            let (call, _, paths) = &killing[which];
            Fault::Killed { call: (*call).clone(), at, paths: Arc::clone(paths) }
        });
        let kills = kills.collect();
        Self { dhcp, failures, kills, others: others() }
    }

    pub(crate) fn all(self) -> Vec<Case> {
        // The last are tried first: they take longest.
        cases(self.dhcp, [self.failures, self.kills, self.others].concat())
    }

    /// A few of each kind, far apart.
    pub(crate) fn sample(self, count: usize) -> Vec<Case> {
        let few = |faults: Vec<Fault>| {
            let step = (faults.len() / count).max(1);
            faults.into_iter().skip(step / 2).step_by(step).take(count).collect::<Vec<_>>()
        };
        cases(self.dhcp, [few(self.failures), few(self.kills), few(self.others)].concat())
    }
}

fn cases(dhcp: Start, faults: Vec<Fault>) -> Vec<Case> {
    faults.into_iter().map(|fault| Case { dhcp, fault }).collect()
}

/// Folders that cannot be written to at each moment of a job, and terminals that do not take what is said.
fn others() -> Vec<Fault> {
    let mut faults: Vec<Fault> = READERS.into_iter().map(Fault::Terminal).collect();
    for folder in ["dhcp", "state"] {
        for is_full in [true, false] {
            let moments = [Moment::Before, Moment::Swapped, Moment::Imaging];
            faults.extend(moments.map(|moment| Fault::Folder { folder, is_full, moment }));
        }
    }
    faults
}

/// How often the thread that makes a call most often makes it in a whole job.
struct Counted {
    anywhere: BTreeMap<String, usize>,
    /// Only calls about files of the boot server.
    files: BTreeMap<String, usize>,
    /// Those files, below the boot server's folder.
    paths: Vec<String>,
}

fn counted(dhcp: Start) -> Counted {
    let (anywhere, paths) = counted_among(dhcp, &[]);
    let (files, _) = counted_among(dhcp, &paths);
    // Otherwise it is not ghostctl whose calls were counted, and no fault would ever meet it.
    let is_seen = ["rename", "renameat", "renameat2"].iter().any(|call| files.contains_key(*call));
    assert!(is_seen, "with {} a whole job renames no file of the boot server: {files:?}", dhcp.0);
    Counted { anywhere, files, paths }
}

/// The counts, and the files of the boot server in them that have the same name in every job.
fn counted_among(dhcp: Start, paths: &[String]) -> (BTreeMap<String, usize>, Vec<String>) {
    let server = server(dhcp);
    let folder = server.path("").display().to_string();
    let _client = Client::off(&server, 2, Behaviour::Succeeds);
    let log = server.path("calls");
    let mut options = vec!["-e".to_owned(), "trace=all".to_owned(), "-y".to_owned(), "-s4096".to_owned()];
    options.extend(among(&server, paths));
    let output = traced(&server, &options, log.to_str().unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "without a fault: {}", said(&output));
    let mut of_threads: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let log = std::fs::read(log).unwrap();
    let log = String::from_utf8_lossy(&log);
    let mut found = BTreeSet::new();
    for line in log.lines() {
        if let Some(of_thread) = call(line) {
            *of_threads.entry(of_thread).or_default() += 1;
        }
        let named = line.split(&folder).skip(1).filter_map(|rest| rest.split(['"', '>', '(']).next());
        found.extend(named.filter(|path| !path.is_empty() && !path.contains(['\\', ' '])).map(str::to_owned));
    }
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for ((_, call), count) in of_threads {
        let most = made.entry(call.to_owned()).or_default();
        *most = count.max(*most);
    }
    (made, found.into_iter().collect())
}

/// Has strace look only at calls about these files; at all calls if there are none.
pub(crate) fn among(server: &BootServer, paths: &[String]) -> Vec<String> {
    paths.iter().flat_map(|path| ["-P".to_owned(), server.path(path).display().to_string()]).collect()
}

/// Thread and name of the call that begins in a line of strace: `4711 openat(AT_FDCWD, …`.
fn call(line: &str) -> Option<(&str, &str)> {
    let (thread, rest) = line.split_once(' ')?;
    let (name, _) = rest.trim_start().split_once('(')?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && !name.is_empty()).then_some((thread, name))
}

/// So many places among calls that are made so often: as many of each, unless it is made less often, and spread over all
/// of them.
fn places(counts: &[usize], wanted: usize, chance: &mut Chance) -> Vec<(usize, usize)> {
    let mut shares = vec![0; counts.len()];
    let mut left = wanted;
    while left > 0 && shares.iter().zip(counts).any(|(share, count)| share < count) {
        for (share, count) in shares.iter_mut().zip(counts) {
            if *share < *count && left > 0 {
                *share += 1;
                left -= 1;
            }
        }
    }
    let spread = shares.into_iter().zip(counts).enumerate().flat_map(|(which, (share, count))| {
        let places: Vec<_> =
            (0..share).map(|part| (part * count / share, (part + 1) * count / share)).collect();
        places.into_iter().map(move |part| (which, part))
    });
    spread.map(|(which, (from, to))| (which, 1 + from + chance.below(to - from))).collect()
}

/// Numbers that look like chance (splitmix64), the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }
}
