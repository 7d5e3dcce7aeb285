//! What people are told of jobs, as messages with fields for systemd-journald: `journalctl HOST=john`, `journalctl JOB=…`.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ghost_contract::{HostName, JobId, Mode};

use super::plain::{self, FromClient};
use crate::job::{Identity, Note, Phase};
use crate::sys::journald::{self, Journald};

/// So many messages wait for a journald that is slow; the oldest go first.
const KEPT: usize = 10_000;
/// How long it is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(1);
/// The values of PRIORITY, as syslog(3) has them.
const ERROR: &str = "3";
const WARNING: &str = "4";
const NOTICE: &str = "5";
const INFORMATION: &str = "6";

/// Where messages go, and which job each host has.
#[derive(Debug)]
pub(super) struct Messages {
    journald: Journald,
    stands_for_output: bool,
    jobs: Mutex<HashMap<HostName, OfJob>>,
    /// What it had no room for yet.
    waiting: Mutex<VecDeque<Vec<u8>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct OfJob {
    job: JobId,
    mode: Mode,
    phase: Phase,
}

impl Messages {
    /// None where no journald is.
    pub(super) fn connect() -> Option<Self> {
        let journald = Journald::connect(Path::new(journald::SOCKET))?;
        let stands_for_output = journald::has_standard_output();
        Some(Self::to(journald, stands_for_output))
    }

    fn to(journald: Journald, stands_for_output: bool) -> Self {
        Self { journald, stands_for_output, jobs: Mutex::default(), waiting: Mutex::default() }
    }

    /// From now on what is told of this host is about this job.
    pub(super) fn begin(&self, Identity { host, job, mode, .. }: &Identity) {
        let of_job = OfJob { job: job.clone(), mode: *mode, phase: Phase::Probing };
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone(), of_job);
    }

    /// Sends a note. Says whether it stands in the journal, so that standard output, if that goes there too, need not say it again.
    pub(super) fn tell(&self, host: &HostName, note: &Note) -> bool {
        let of_job = {
            let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Note::Phase { phase }, Some(known)) = (note, jobs.get_mut(host)) {
                known.phase = *phase;
            }
            jobs.get(host).cloned()
        };
        if note.is_reading() {
            return false;
        }
        let fields = fields(host, of_job.as_ref(), note);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back(journald::datagram(&fields));
        if waiting.len() > KEPT {
            waiting.pop_front();
        }
        self.send(&mut waiting) && self.stands_for_output
    }

    /// Sends what there is room for. Says whether all of it was taken.
    fn send(&self, waiting: &mut VecDeque<Vec<u8>>) -> bool {
        let mut is_taken = true;
        while let Some(first) = waiting.front() {
            match self.journald.send(first) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // One that is gone, or that does not take this one, gets no other for it.
                sent => is_taken &= sent.is_ok(),
            }
            waiting.pop_front();
        }
        is_taken
    }
}

impl Drop for Messages {
    /// A journald that is only slow gets what is left.
    fn drop(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let mut waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        self.send(&mut waiting);
        while !waiting.is_empty() && Instant::now() < deadline {
            self.journald.wait_for_room(deadline.saturating_duration_since(Instant::now()));
            self.send(&mut waiting);
        }
    }
}

/// The fields of a message. Pure.
fn fields(host: &HostName, of_job: Option<&OfJob>, note: &Note) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("MESSAGE", plain::lines(&format!("{host}: {note}")).into_owned()),
        ("PRIORITY", priority(note).to_owned()),
        ("SYSLOG_IDENTIFIER", "ghostctl".to_owned()),
        ("HOST", host.to_string()),
    ];
    if let Some(OfJob { job, mode, phase }) = of_job {
        fields.push(("JOB", job.to_string()));
        fields.push(("MODE", mode.to_string()));
        fields.push(("PHASE", FromClient(phase.as_str()).to_string()));
    }
    fields
}

/// How much a note is worth a look. Pure.
fn priority(note: &Note) -> &'static str {
    match note {
        Note::Ended { ending, left: None, .. } if ending.is_success() => NOTICE,
        Note::Ended { .. } | Note::NotBegun { .. } | Note::Trouble { .. } | Note::Unwritten { .. } => ERROR,
        Note::DiskAtStake | Note::Insists { .. } => ERROR,
        Note::Warning { .. } | Note::Stranger { .. } | Note::OtherUp { .. } | Note::NeverAnswered => WARNING,
        Note::Muttered { .. } => WARNING,
        _ => INFORMATION,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    use crate::job::Ending;
    use ghost_contract::MacAddress;
    use ghost_contract::report::Outcome;

    fn identity() -> Identity {
        Identity {
            job: "20261129-1".parse().unwrap(),
            host: "john".parse().unwrap(),
            mac: MacAddress::new([2, 0, 0, 0, 0, 1]),
            ip: [192, 168, 7, 2].into(),
            mode: Mode::Backup,
        }
    }

    fn received(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[test]
    fn a_message_has_its_jobs_fields_and_the_phase_that_it_is_in() {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("socket")).unwrap();
        let journald = Journald::connect(&folder.path().join("socket")).unwrap();
        let messages = Messages::to(journald, true);
        let host = identity().host;
        assert!(messages.tell(&host, &Note::NotBegun { reason: "no\x1b[2J\nHOST=joe".to_owned() }));
        let told = received(&socket);
        // A value with a line end is preceded by its length, so that it begins no field of its own.
        assert!(told.starts_with("MESSAGE\n") && told.contains("\n  HOST=joe\nPRIORITY=3\n"), "{told:?}");
        assert!(
            told.ends_with("SYSLOG_IDENTIFIER=ghostctl\nHOST=john\n") && !told.contains('\x1b'),
            "{told:?}"
        );
        messages.begin(&identity());
        messages.tell(&host, &Note::Phase { phase: Phase::Imaging });
        let told = received(&socket);
        assert!(told.ends_with("HOST=john\nJOB=20261129-1\nMODE=backup\nPHASE=imaging\n"), "{told:?}");
        let ending = Ending::Done { outcome: Outcome::Succeeded };
        messages.tell(&host, &Note::Ended { ending, left: None, lacks: None });
        let expected = "MESSAGE=john: succeeded\nPRIORITY=5\nSYSLOG_IDENTIFIER=ghostctl\nHOST=john\nJOB=20261129-1\nMODE=backup\nPHASE=imaging\n";
        assert_eq!(received(&socket), expected);
    }

    #[test]
    fn a_journald_that_takes_nothing_holds_nothing_up_and_one_that_is_gone_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Journald::connect(&folder.path().join("none")).is_none());
        let socket = UnixDatagram::bind(folder.path().join("socket")).unwrap();
        let journald = Journald::connect(&folder.path().join("socket")).unwrap();
        let messages = Messages::to(journald, true);
        let host = identity().host;
        let tell = || messages.tell(&host, &Note::Waking);
        assert!(tell());
        assert!((0..100_000).any(|_| !tell()), "it is full at some time, and then standard output says it");
        assert!(!tell() && !tell());
        let waiting = messages.waiting.lock().unwrap().len();
        assert_eq!(waiting, 3, "those are sent when there is room");
        (0..=waiting).for_each(|_| drop(received(&socket)));
        assert!(tell(), "and before what comes next");
        assert_eq!(messages.waiting.lock().unwrap().len(), 0);
        drop(socket);
        assert!(!tell());
    }
}
