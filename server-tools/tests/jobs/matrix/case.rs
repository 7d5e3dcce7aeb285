//! One fault, and the job that meets it at a boot server with one of the DHCP servers.

use std::fmt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::plan::among;
use super::verdict::{Verdict, judge};
use crate::boot_server::{BootServer, wait_until};
use crate::client::{Behaviour, Client, Gate};
use crate::each_server::Start;
use crate::terminals::Reader;

/// No job may take longer, whatever stands in its way.
const LONGEST: Duration = Duration::from_secs(600);

/// What stands in the way, at a boot server with this DHCP server.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) dhcp: Start,
    pub(crate) fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// In each thread of `ghostctl` the system call fails that is the so-manyth of its kind, among those about these files if
    /// there are any.
    Fails {
        call: String,
        error: &'static str,
        at: usize,
        paths: Arc<[String]>,
    },
    /// `ghostctl` is killed when one of its threads makes this system call.
    Killed {
        call: String,
        at: usize,
        paths: Arc<[String]>,
    },
    /// A folder cannot be written to from this moment on.
    Folder {
        folder: &'static str,
        is_full: bool,
        moment: Moment,
    },
    Terminal(Reader),
}

/// When a fault begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    Swapped,
    Imaging,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.dhcp.0, self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fails { call, error, at, paths } => {
                write!(f, "{call}{}#{at} gives {error}", what(paths))
            }
            Self::Killed { call, at, paths } => write!(f, "killed at {call}{}#{at}", what(paths)),
            Self::Folder { folder, is_full, moment } => {
                let how = if *is_full { "full" } else { "read-only" };
                write!(f, "{folder} is {how} ({moment:?})")
            }
            Self::Terminal(reader) => write!(f, "terminal {reader:?}"),
        }
    }
}

impl Fault {
    fn kind(&self) -> String {
        match self {
            Self::Fails { call, error, paths, .. } => format!("{call}{} {error}", what(paths)),
            Self::Killed { .. } => "kill -9".to_owned(),
            Self::Folder { folder, is_full, .. } => {
                format!("{folder} {}", if *is_full { "full" } else { "read-only" })
            }
            Self::Terminal(_) => "terminal lost or blocked".to_owned(),
        }
    }
}

impl Case {
    /// The row of the table.
    pub(crate) fn kind(&self) -> String {
        format!("{} {}", self.dhcp.0, self.fault.kind())
    }

    /// Whether the words of the job may be what the fault has taken.
    pub(crate) fn takes_words(&self) -> bool {
        match &self.fault {
            Fault::Fails { call, .. } => call == "write",
            Fault::Killed { .. } | Fault::Folder { .. } => false,
            Fault::Terminal(_) => true,
        }
    }

    pub(crate) fn run(&self) -> Verdict {
        let server = server(self.dhcp);
        match &self.fault {
            Fault::Fails { call, error, at, paths } => {
                self.traced(&server, call, &format!("error={error}:when={at}"), paths)
            }
            Fault::Killed { call, at, paths } => {
                self.traced(&server, call, &format!("signal=KILL:when={at}"), paths)
            }
            Fault::Folder { folder, is_full, moment } => self.in_folder(&server, folder, *is_full, *moment),
            Fault::Terminal(reader) => self.at_terminal(&server, *reader),
        }
    }

    fn traced(&self, server: &BootServer, call: &str, fault: &str, paths: &[String]) -> Verdict {
        let before = server.configured();
        let _client = Client::off(server, 2, Behaviour::Succeeds);
        let mut options = among(server, paths);
        options.extend(["-e".to_owned(), format!("trace={call}")]);
        options.extend(["-e".to_owned(), format!("inject={call}:{fault}")]);
        let output = output_of(traced(server, &options, "/dev/null").spawn().unwrap());
        judge(self, server, &before, output)
    }

    fn in_folder(&self, server: &BootServer, folder: &str, is_full: bool, moment: Moment) -> Verdict {
        server.mount(folder);
        let before = server.configured();
        let (begin, end): (&dyn Fn(), &dyn Fn()) = if is_full {
            (&|| server.full(folder), &|| server.room(folder))
        } else {
            (&|| server.read_only(folder), &|| server.writable(folder))
        };
        let (up, over) = (Gate::default(), Gate::default());
        let _client = Client::working_until(server, 2, up.is_open(), over.is_open());
        if moment == Moment::Before {
            begin();
        }
        let running = server.command(JOB).spawn().unwrap();
        let is_swapped = || server.restarts() > 0;
        if moment == Moment::Swapped {
            wait_until("it is swapped", is_swapped);
            begin();
        }
        up.open();
        let journal = server.path("state/journal/192.168.7.2.jsonl");
        let is_imaging =
            || std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"phase\":\"imaging\""));
        if moment == Moment::Imaging {
            wait_until("it is at its work", is_imaging);
            begin();
        }
        over.open();
        let output = output_of(running);
        end();
        judge(self, server, &before, output)
    }

    fn at_terminal(&self, server: &BootServer, reader: Reader) -> Verdict {
        let before = server.configured();
        let gone = Gate::default();
        let _client = Client::waiting(server, 2, Behaviour::Succeeds, Box::new(gone.is_open()));
        let (running, kept) = reader.start(server);
        let is_swapped = wait(|| server.restarts() > 0);
        let kept = if reader == Reader::Lost { Vec::new() } else { kept };
        gone.open();
        let output = output_of(running);
        drop(kept);
        assert!(is_swapped, "{self}: the job did not begin");
        judge(self, server, &before, output)
    }
}

const fn what(paths: &[String]) -> &'static str {
    if paths.is_empty() { "" } else { " of a file" }
}

/// What is asked for in every case.
const JOB: [&str; 2] = ["backup", "pc2"];

pub(crate) fn server((_, start): Start) -> BootServer {
    let server = start(2);
    server.set("REVERT_DEADLINE", "15");
    server
}

/// The job under strace, without the programs that it starts: what fails is a system call of its own.
pub(crate) fn traced(server: &BootServer, options: &[String], log: &str) -> Command {
    let asked = server.command(JOB);
    let words: Vec<_> = asked.get_args().collect();
    // strace leaves a process alone once that starts another program, so what leads to ghostctl comes before it.
    let ghostctl = words.iter().position(|word| *word == env!("CARGO_BIN_EXE_ghostctl")).unwrap();
    let mut command = Command::new(asked.get_program());
    command.envs(asked.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(&words[..ghostctl]);
    command.args(["strace", "-f", "-qq", "-b", "execve", "-o", log]).args(options).args(&words[ghostctl..]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Whether something becomes so while a job may run.
fn wait(is_so: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + LONGEST;
    while Instant::now() < deadline {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// What a job said and how it ended. One that does not end is killed, which its verdict tells.
fn output_of(running: Child) -> Option<Output> {
    let pid = rustix::process::Pid::from_child(&running);
    let (ended, has_ended) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || ended.send(running.wait_with_output().unwrap()).unwrap());
        has_ended.recv_timeout(LONGEST).ok().or_else(|| {
            let _just_ended = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            None
        })
    })
}
