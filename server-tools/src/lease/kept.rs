//! The leases in the store: `.leases/HOST/NUMBER`. No client can mount that folder where clients are kept apart.
//!
//! A file is opened anew for each look, since an NFS client asks the server for a file's times when it is opened.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use ghost_contract::{HostName, JobId, UnixTime};

use super::{Busy, Lease, Seen, ServerId, Verdict, judge, still_counts};
use crate::exit::{Exit, WithExit as _};
use crate::site::Site;
use crate::state::server;
use crate::sys::folder::Folder;
use crate::sys::{clock, random, touch};

const LEASES: &str = ".leases";
const ROOT_ONLY: u32 = 0o700;
/// No lease is larger.
const LARGEST: u64 = 4 << 10;
/// How often another look is taken when another server was faster.
const LOOKS: usize = 8;

/// The leases of all hosts, for one boot server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leases {
    store: PathBuf,
    own: ServerId,
    name: String,
    expires: Duration,
}

/// A lease that this boot server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    leases: Leases,
    host: HostName,
    number: u64,
    lease: Lease,
}

impl Held {
    /// Says that this boot server still works on the host. False if it may not any more.
    pub(crate) fn renew(&self) -> anyhow::Result<bool> {
        let Self { leases, host, number, lease } = self;
        let cannot =
            || format!("cannot renew the lease of {host} in {}", leases.store.join(LEASES).display());
        let renewed = leases.folder(host).and_then(|folder| {
            let Some(folder) = folder else { return Ok(false) };
            if !still_counts(&look(&folder)?, *number, lease) {
                return Ok(false);
            }
            touch::now(&folder.file(number.to_string())?)?;
            Ok(true)
        });
        renewed.with_context(cannot)
    }
}

impl Leases {
    pub(crate) fn of(site: &Site) -> anyhow::Result<Self> {
        let own =
            server::own(&site.ghostrc.state_folder).context("cannot tell this boot server from others")?;
        let store = site.ghostrc.store_folder.clone();
        Ok(Self { store, own, name: server::name(), expires: site.ghostrc.lease })
    }

    /// Takes the host for a job, unless another boot server works on it. `is_open` says whether a job of this one has not ended.
    pub(crate) fn take(
        &self,
        host: &HostName,
        job: &JobId,
        is_open: &dyn Fn(&JobId) -> bool,
    ) -> anyhow::Result<Held> {
        let lease = Lease {
            server: self.own.clone(),
            name: self.name.clone(),
            job: job.clone(),
            since: clock::now(),
        };
        let cannot = || format!("cannot take the lease of {host} in {}", self.store.join(LEASES).display());
        let folder = self.make(host).with_context(cannot)?;
        for _ in 0..LOOKS {
            let seen = look(&folder).with_context(cannot)?;
            // Where there is none, the time does not matter.
            let now = if seen.is_empty() { clock::now() } else { now(&folder).with_context(cannot)? };
            let number = match judge(&seen, now, &self.own, self.expires, is_open) {
                Verdict::Take { number } => number,
                Verdict::Busy(seen) => return Err(self.busy(host, seen, now)),
            };
            if !make(&folder, number, &lease).with_context(cannot)? {
                continue;
            }
            let seen = look(&folder).with_context(cannot)?;
            if still_counts(&seen, number, &lease) {
                let mut older = seen.iter().filter(|seen| seen.number < number);
                older.try_for_each(|seen| remove(&folder, seen.number)).with_context(cannot)?;
                return Ok(Held { leases: self.clone(), host: host.clone(), number, lease });
            }
            remove(&folder, number).with_context(cannot)?;
        }
        let words = format!("{host} is being taken by several boot servers at once");
        Err(anyhow::Error::msg(words).exit(Exit::Busy))
    }

    fn busy(&self, host: &HostName, seen: Seen, now: UnixTime) -> anyhow::Error {
        let (age, kept) = (now.since(seen.renewed), seen.renewed.since(now));
        anyhow::Error::new(Busy { host: host.clone(), seen, age, kept, expires: self.expires })
            .exit(Exit::Busy)
    }

    /// Keeps the host for a job whose client works on without a ghostctl that renews the lease, for as long as it may. False if
    /// another boot server may have it already.
    pub(crate) fn keep(&self, host: &HostName, job: &JobId, time: Duration) -> anyhow::Result<bool> {
        let cannot = || format!("cannot keep the lease of {host} in {}", self.store.join(LEASES).display());
        let Some(folder) = self.folder(host).with_context(cannot)? else { return Ok(false) };
        let seen = look(&folder).with_context(cannot)?;
        let last = seen.iter().max_by_key(|seen| seen.number);
        let is_ours = |lease: &Lease| lease.server == self.own && lease.job == *job;
        let Some(last) = last.filter(|last| last.says.as_ref().is_some_and(is_ours)) else {
            return Ok(false);
        };
        let until = now(&folder).with_context(cannot)?.plus(time);
        let file = folder.file(last.number.to_string()).with_context(cannot)?;
        touch::at(&file, until).with_context(cannot)?;
        Ok(true)
    }

    /// Gives the host free that a job of this boot server has. Another server's lease stays.
    pub(crate) fn release(&self, host: &HostName, job: &JobId) -> anyhow::Result<()> {
        let cannot =
            || format!("cannot give up the lease of {host} in {}", self.store.join(LEASES).display());
        let Some(folder) = self.folder(host).with_context(cannot)? else { return Ok(()) };
        let is_ours = |lease: &Lease| lease.server == self.own && lease.job == *job;
        let seen = look(&folder).with_context(cannot)?.into_iter();
        let mut ours = seen.filter(|seen| seen.says.as_ref().is_some_and(is_ours));
        ours.try_for_each(|seen| remove(&folder, seen.number)).with_context(cannot)
    }

    fn make(&self, host: &HostName) -> io::Result<Folder> {
        let mut folder = Folder::open(&self.store)?;
        for name in [LEASES, host.as_str()] {
            match folder.make_folder(name, ROOT_ONLY) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made?,
            }
            folder = folder.folder(name)?;
        }
        Ok(folder)
    }

    fn folder(&self, host: &HostName) -> io::Result<Option<Folder>> {
        match Folder::open(&self.store)?.folder(PathBuf::from(LEASES).join(host.as_str())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }
}

/// All leases of a host.
fn look(folder: &Folder) -> io::Result<Vec<Seen>> {
    let mut seen = Vec::new();
    for entry in folder.entries()? {
        let Some(number) = entry.path.to_str().and_then(|name| name.parse().ok()) else { continue };
        let file = match folder.file(&entry.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        let renewed = touch::changed(&file)?;
        let bytes = folder.read(&entry.path, LARGEST).unwrap_or_default();
        seen.push(Seen { number, renewed, says: serde_json::from_slice(&bytes).ok() });
    }
    Ok(seen)
}

/// What the store's own clock says: when a file is made there now.
fn now(folder: &Folder) -> io::Result<UnixTime> {
    let name = format!(".now-{}", u64::from_ne_bytes(random::bytes()?));
    let made = folder.create(&name).and_then(|file| touch::now(&file));
    let now = made.and_then(|()| touch::changed(&folder.file(&name)?));
    let removed = folder.remove_file(&name);
    let now = now?;
    removed?;
    Ok(now)
}

/// Makes the lease of this number. False if another server was faster.
fn make(folder: &Folder, number: u64, lease: &Lease) -> io::Result<bool> {
    let mut file: File = match folder.create(number.to_string()) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        created => created?,
    };
    let bytes = serde_json::to_vec(lease)?;
    let written = file.write_all(&bytes).and_then(|()| file.sync_all()).and_then(|()| touch::now(&file));
    if let Err(error) = written.and_then(|()| folder.sync()) {
        // Without its words it would keep everyone out until it expires.
        remove(folder, number)?;
        return Err(error);
    }
    Ok(true)
}

/// Another server may have removed it.
fn remove(folder: &Folder, number: u64) -> io::Result<()> {
    match folder.remove_file(number.to_string()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::thread;

    struct Store(tempfile::TempDir);

    impl Store {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn server(&self, own: &str, expires: u64) -> Leases {
            let expires = Duration::from_secs(expires);
            Leases {
                store: self.0.path().into(),
                own: ServerId(own.to_owned()),
                name: own.to_owned(),
                expires,
            }
        }

        /// Lets the store's clock be so far ahead of the last renewal.
        fn age(&self, host: &HostName, number: u64, seconds: u64) {
            let path = self.0.path().join(LEASES).join(host.as_str()).join(number.to_string());
            let file = File::options().write(true).open(path).unwrap();
            let then = file.metadata().unwrap().modified().unwrap() - Duration::from_secs(seconds);
            file.set_modified(then).unwrap();
        }

        fn names(&self, host: &HostName) -> Vec<String> {
            let listed = std::fs::read_dir(self.0.path().join(LEASES).join(host.as_str())).unwrap();
            listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    fn john() -> HostName {
        "john".parse().unwrap()
    }

    fn job(name: &str) -> JobId {
        name.parse().unwrap()
    }

    #[test]
    fn a_host_is_one_servers_until_it_gives_it_up() {
        let store = Store::new();
        let (one, two) = (store.server("one", 300), store.server("two", 300));
        let held = one.take(&john(), &job("a"), &|_| false).unwrap();
        let refused = two.take(&john(), &job("b"), &|_| false).unwrap_err();
        assert_eq!(Exit::of(&refused), Exit::Busy);
        assert!(
            refused.to_string().starts_with("john has the job a of the boot server one since"),
            "{refused}"
        );
        assert!(held.renew().unwrap());
        two.release(&john(), &job("a")).unwrap();
        one.release(&john(), &job("b")).unwrap();
        assert!(held.renew().unwrap(), "only the job's own server gives it up");
        one.release(&john(), &job("a")).unwrap();
        assert_eq!(store.names(&john()), Vec::<String>::new());
        assert!(two.take(&john(), &job("b"), &|_| false).is_ok());
    }

    #[test]
    fn an_expired_lease_is_taken_over_and_its_owner_learns_that() {
        let store = Store::new();
        let (one, two) = (store.server("one", 300), store.server("two", 300));
        let held = one.take(&john(), &job("a"), &|_| false).unwrap();
        store.age(&john(), 1, 299);
        assert!(two.take(&john(), &job("b"), &|_| false).is_err());
        assert!(held.renew().unwrap());
        store.age(&john(), 1, 299);
        assert!(two.take(&john(), &job("b"), &|_| false).is_err(), "it was renewed");
        store.age(&john(), 1, 2);
        let theirs = two.take(&john(), &job("b"), &|_| false).unwrap();
        assert_eq!(store.names(&john()), ["2"]);
        assert!(!held.renew().unwrap() && theirs.renew().unwrap());
        one.release(&john(), &job("a")).unwrap();
        assert_eq!(store.names(&john()), ["2"]);
    }

    #[test]
    fn a_host_whose_client_works_on_is_kept_for_so_long_and_no_longer() {
        let store = Store::new();
        let (one, two) = (store.server("one", 300), store.server("two", 300));
        one.take(&john(), &job("a"), &|_| false).unwrap();
        store.age(&john(), 1, 250);
        let hour = Duration::from_secs(3_600);
        assert!(one.keep(&john(), &job("a"), hour).unwrap());
        store.age(&john(), 1, 3_500);
        let refused = two.take(&john(), &job("b"), &|_| false).unwrap_err();
        assert!(refused.to_string().contains("whose ghostctl is gone"), "{refused}");
        store.age(&john(), 1, 390);
        assert!(two.take(&john(), &job("b"), &|_| false).is_err(), "290 s after the hour");
        store.age(&john(), 1, 20);
        let theirs = two.take(&john(), &job("b"), &|_| false).unwrap();
        assert!(!one.keep(&john(), &job("a"), hour).unwrap(), "it is another's now");
        assert!(theirs.renew().unwrap());
        one.release(&john(), &job("a")).unwrap();
        assert_eq!(store.names(&john()), ["2"]);
    }

    #[test]
    fn of_many_that_take_a_host_at_once_one_succeeds() {
        for expired in [false, true] {
            let store = Store::new();
            if expired {
                store.server("old", 300).take(&john(), &job("old"), &|_| false).unwrap();
                store.age(&john(), 1, 301);
            }
            let gate = Barrier::new(8);
            let took = thread::scope(|scope| {
                let take = |number: usize| {
                    let (server, gate) = (store.server(&number.to_string(), 300), &gate);
                    scope.spawn(move || {
                        gate.wait();
                        server.take(&john(), &job(&format!("job-{number}")), &|_| false).is_ok()
                    })
                };
                let threads: Vec<_> = (0..8).map(take).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).filter(|took| *took).count()
            });
            assert_eq!(took, 1, "expired: {expired}");
            assert_eq!(store.names(&john()).len(), 1);
        }
    }

    #[test]
    fn what_is_no_lease_is_no_obstacle_and_an_unwritten_one_is() {
        let store = Store::new();
        let one = store.server("one", 300);
        let folder = one.make(&john()).unwrap();
        folder.create(".now-1").unwrap();
        folder.create("x").unwrap();
        folder.create("3").unwrap();
        let refused = one.take(&john(), &job("a"), &|_| false).unwrap_err();
        assert!(
            refused.to_string().starts_with("another boot server has just begun a job of john"),
            "{refused}"
        );
        store.age(&john(), 3, 301);
        assert_eq!(one.take(&john(), &job("a"), &|_| false).unwrap().number, 4);
    }
}
