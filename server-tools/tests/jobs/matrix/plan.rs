//! Which faults are tried: the calls that a whole job makes, counted, and places among them by a seed.

use std::collections::BTreeMap;

use super::case::{Case, Moment, server, traced};
use crate::boot_server::said;
use crate::client::{Behaviour, Client};
use crate::faults::READERS;

/// How many system calls fail, and how many kills there are.
const FAILURES: usize = 340;
const KILLS: usize = 240;

/// The errors that a call may have. A name stands for all calls that begin so.
const ERRORS: [(&str, &[&str]); 39] = [
    ("openat", &["EIO", "EACCES", "EMFILE", "EROFS", "ENOSPC"]),
    ("openat2", &["EIO", "EMFILE"]),
    ("read", &["EIO"]),
    ("write", &["EIO", "ENOSPC"]),
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

/// All cases of a campaign.
pub(crate) struct Plan {
    failures: Vec<Case>,
    kills: Vec<Case>,
    others: Vec<Case>,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let made = counted();
        let mut chance = Chance(seed);
        let errors = ERRORS.iter().flat_map(|(call, errors)| errors.iter().map(move |error| (*call, *error)));
        let pairs: Vec<(&str, &str)> = errors.filter(|(call, _)| made.contains_key(*call)).collect();
        let counts: Vec<usize> = pairs.iter().map(|(call, _)| made[*call]).collect();
        let failures = places(&counts, FAILURES, &mut chance).into_iter().map(|(pair, at)| {
            let (call, error) = pairs[pair];
            Case::Fails { call: call.to_owned(), error, at }
        });
        let failures = failures.collect();
        let calls: Vec<(&String, &usize)> = made.iter().collect();
        let counts: Vec<usize> = calls.iter().map(|(_, count)| **count).collect();
        let kills = places(&counts, KILLS, &mut chance)
            .into_iter()
            .map(|(call, at)| Case::Killed { call: calls[call].0.clone(), at });
        let kills = kills.collect();
        Self { failures, kills, others: others() }
    }

    pub(crate) fn all(self) -> Vec<Case> {
        // The last are tried first: they take longest.
        [self.failures, self.kills, self.others].concat()
    }

    /// A few of each kind, far apart.
    pub(crate) fn sample(self, count: usize) -> Vec<Case> {
        let few = |cases: Vec<Case>| {
            let step = (cases.len() / count).max(1);
            cases.into_iter().skip(step / 2).step_by(step).take(count).collect::<Vec<_>>()
        };
        [few(self.failures), few(self.kills), few(self.others)].concat()
    }
}

/// Folders that cannot be written to at each moment of a job, and terminals that do not take what is said.
fn others() -> Vec<Case> {
    let mut cases: Vec<Case> = READERS.into_iter().map(Case::Terminal).collect();
    for folder in ["dhcp", "state"] {
        for is_full in [true, false] {
            let moments = [Moment::Before, Moment::Swapped, Moment::Imaging];
            cases.extend(moments.map(|moment| Case::Folder { folder, is_full, moment }));
        }
    }
    cases
}

/// How often the thread that makes a call most often makes it in a whole job.
fn counted() -> BTreeMap<String, usize> {
    let server = server();
    let _client = Client::off(&server, 2, Behaviour::Succeeds);
    let log = server.path("calls");
    let output = traced(&server, &["-e", "trace=all"], log.to_str().unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "without a fault: {}", said(&output));
    let mut of_threads: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let log = std::fs::read_to_string(log).unwrap();
    for (thread, call) in log.lines().filter_map(call) {
        *of_threads.entry((thread, call)).or_default() += 1;
    }
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for ((_, call), count) in of_threads {
        let most = made.entry(call.to_owned()).or_default();
        *most = count.max(*most);
    }
    made
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
