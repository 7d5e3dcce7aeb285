//! Has a question answered by a process of its own, in namespaces of its own: it sees no network, and no process of it
//! outlives the answer.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// No answer is longer, bytes: an image's description has at most 16 MiB.
const LONGEST: u64 = 64 << 20;
/// How often it is looked whether the process may go on.
const OFTEN: Duration = Duration::from_millis(100);

/// What a process has of its own, and what it means if it has not.
const NAMESPACES: [(CloneFlags, &str); 4] = [
    (CloneFlags::CLONE_NEWPID, "a confined process could leave processes behind"),
    (CloneFlags::CLONE_NEWNET, "a confined process sees the network"),
    (CloneFlags::CLONE_NEWIPC, "a confined process sees other processes' shared memory"),
    (CloneFlags::CLONE_NEWUTS, "a confined process knows this machine's name"),
];

/// The process that is asked.
pub(crate) struct Asked<'a> {
    pub program: &'a Path,
    /// What it is called, as its first argument and in the list of processes.
    pub name: &'a str,
    pub arguments: &'a [&'a str],
    /// The folder that it is in.
    pub folder: BorrowedFd<'a>,
    /// Its standard output, and what is in the place of its standard error.
    pub output: [Option<File>; 2],
    /// Asked from time to time while there is no answer. With an error the process is ended.
    pub may_go_on: &'a (dyn Fn() -> io::Result<()> + Sync),
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answered {
    pub answer: Vec<u8>,
    /// What this machine lacks to keep the process apart, in words.
    pub lacks: Vec<String>,
}

/// Starts it, gives it the question on its standard input, which is a socket, and takes what it writes there. It and what it has
/// started are gone when this returns.
pub(crate) fn ask(asked: Asked<'_>, question: &[u8], until: Instant) -> anyhow::Result<Answered> {
    // A thread of its own: namespaces are a thread's, and a process ends with the thread that has started it.
    thread::scope(|scope| {
        let answered = scope.spawn(|| alone(asked, question, until)).join();
        answered.unwrap_or_else(|_| Err(anyhow!("a thread has a bug")))
    })
}

/// The same for a process that goes on when it has answered and closed its input: its number is given back, and whoever asked has to
/// see that it ends.
pub(crate) fn start(asked: Asked<'_>, question: &[u8], until: Instant) -> anyhow::Result<(Answered, u32)> {
    thread::scope(|scope| {
        let answered = scope.spawn(|| {
            let (answered, process) = answered(asked, question, until)?;
            Ok((answered, process.goes_on()?))
        });
        answered.join().unwrap_or_else(|_| Err(anyhow!("a thread has a bug")))
    })
}

fn alone(asked: Asked<'_>, question: &[u8], until: Instant) -> anyhow::Result<Answered> {
    answered(asked, question, until).map(|(answered, _ended_here)| answered)
}

fn answered(asked: Asked<'_>, question: &[u8], until: Instant) -> anyhow::Result<(Answered, Running)> {
    let lacks = NAMESPACES.iter().filter_map(|(namespace, means)| {
        let error = unshare(*namespace).err()?;
        Some(format!("the kernel gives no namespace ({error}): {means}"))
    });
    let lacks = lacks.collect();
    let (mut ours, theirs) = UnixStream::pair().context("there is no socket for a confined process")?;
    let ([output, error], may_go_on) = (asked.output, asked.may_go_on);
    let mut command = Command::new(asked.program);
    command
        .arg0(asked.name)
        .args(asked.arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C")
        .current_dir(format!("/proc/self/fd/{}", asked.folder.as_raw_fd()))
        .process_group(0)
        .stdin(OwnedFd::from(theirs))
        .stdout(output.map_or_else(Stdio::null, Stdio::from))
        .stderr(error.map_or_else(Stdio::null, Stdio::from));
    let process = Running(Some(command.spawn().context("a confined process cannot be started")?));
    // Our copies of its ends: only with them closed is its end noticed.
    drop(command);
    let begun = Instant::now();
    // One that has ended already is told of by its status.
    let asked = write(&mut ours, question, until);
    asked.or_else(ended_already).context("it takes no question")?;
    let answer = read(&ours, until, may_go_on).with_context(|| match Instant::now() >= until {
        true => format!("it was ended since it took longer than {} s", begun.elapsed().as_secs()),
        false => "it was ended".to_owned(),
    })?;
    if answer.is_empty() {
        let status = process.end().context("its end cannot be waited for")?;
        bail!("it ended without an answer ({status})");
    }
    Ok((Answered { answer, lacks }, process))
}

fn write(ours: &mut UnixStream, question: &[u8], until: Instant) -> io::Result<()> {
    ours.set_write_timeout(Some(left(until)))?;
    ours.write_all(question)?;
    ours.shutdown(Shutdown::Write)
}

fn ended_already(error: io::Error) -> io::Result<()> {
    let is_gone = matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
    );
    if is_gone { Ok(()) } else { Err(error) }
}

/// No time at all would mean to wait for ever.
fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// What it writes until it closes its end.
fn read(ours: &UnixStream, until: Instant, may_go_on: &dyn Fn() -> io::Result<()>) -> io::Result<Vec<u8>> {
    let (mut answer, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        may_go_on()?;
        ours.set_read_timeout(Some(left(until).min(OFTEN)))?;
        match (&*ours).read(&mut buffer) {
            Ok(0) => return Ok(answer),
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // It is gone, with our question unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(answer),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < until => {}
            Err(error) => return Err(error),
        }
        if u64::try_from(answer.len()).is_ok_and(|length| length > LONGEST) {
            return Err(io::Error::other(format!("it has more than {LONGEST} bytes")));
        }
    }
}

/// A process that is ended when this is dropped, with all that it has started: it is the first of its namespace, and where it
/// has none, of its group.
#[derive(Debug)]
struct Running(Option<Child>);

impl Running {
    /// Lets it live.
    fn goes_on(mut self) -> anyhow::Result<u32> {
        self.0.take().map(|process| process.id()).context("the confined process is gone")
    }

    /// Ends it, if it has not ended already, and says how it ended.
    fn end(mut self) -> io::Result<ExitStatus> {
        self.0.take().map_or_else(|| Err(io::ErrorKind::NotFound.into()), kill)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // How it ended is of no interest any more.
        let _ended = self.0.take().map(kill);
    }
}

/// Its number is its own until it is waited for, so nobody else is ended.
fn kill(mut process: Child) -> io::Result<ExitStatus> {
    let group = i32::try_from(process.id()).map_err(io::Error::other)?;
    // Nobody of the group may be left.
    let _gone = killpg(Pid::from_raw(group), Signal::SIGKILL);
    process.wait()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, until: Instant) -> anyhow::Result<Vec<u8>> {
        let folder = File::open("/").unwrap();
        let program = Path::new("/bin/sh");
        let asked = Asked {
            program,
            name: "sh",
            arguments: &["-c", script],
            folder: std::os::fd::AsFd::as_fd(&folder),
            output: [None, None],
            may_go_on: &|| Ok(()),
        };
        ask(asked, b"question", until).map(|answered| answered.answer)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn the_answer_is_what_it_writes_to_its_input_and_it_knows_no_network() {
        assert_eq!(shell("cat >&0", soon()).unwrap(), b"question");
        let interfaces = shell("cat /proc/net/dev >&0", soon()).unwrap();
        let interfaces = String::from_utf8(interfaces).unwrap();
        let names: Vec<&str> =
            interfaces.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim()).collect();
        assert_eq!(names, ["lo"]);
    }

    #[test]
    fn one_that_never_ends_is_ended_with_all_that_it_has_started() {
        let script = "setsid sleep 4711 & wait; sleep 4711";
        let error = shell(script, Instant::now() + Duration::from_millis(500)).unwrap_err();
        assert!(format!("{error:#}").starts_with("it was ended since it took longer than"), "{error:#}");
        let sleeps = |entry: std::io::Result<std::fs::DirEntry>| {
            std::fs::read(entry.ok()?.path().join("cmdline")).ok().filter(|line| line == b"sleep\x004711\0")
        };
        assert_eq!(std::fs::read_dir("/proc").unwrap().filter_map(sleeps).count(), 0);
    }

    #[test]
    fn one_that_may_not_go_on_is_ended_and_why_is_told() {
        let folder = File::open("/").unwrap();
        let asked = Asked {
            program: Path::new("/bin/sleep"),
            name: "sleep",
            arguments: &["4713"],
            folder: std::os::fd::AsFd::as_fd(&folder),
            output: [None, None],
            may_go_on: &|| Err(io::Error::other("no room")),
        };
        let error = ask(asked, b"question", soon()).unwrap_err();
        assert_eq!(format!("{error:#}"), "it was ended: no room");
    }

    #[test]
    fn one_that_ends_without_a_word_is_an_error_that_says_how() {
        let error = shell("exit 7", soon()).unwrap_err();
        assert_eq!(error.to_string(), "it ended without an answer (exit status: 7)");
    }

    #[test]
    fn one_that_reads_no_question_is_not_waited_for_longer_than_its_time() {
        let folder = File::open("/").unwrap();
        let asked = Asked {
            program: Path::new("/bin/sleep"),
            name: "sleep",
            arguments: &["4712"],
            folder: std::os::fd::AsFd::as_fd(&folder),
            output: [None, None],
            may_go_on: &|| Ok(()),
        };
        let until = Instant::now() + Duration::from_millis(300);
        let error = ask(asked, &vec![0; 16 << 20], until).unwrap_err();
        assert!(format!("{error:#}").starts_with("it takes no question"), "{error:#}");
    }

    #[test]
    fn one_that_never_stops_talking_is_not_listened_to_for_ever() {
        let error = shell("exec cat /dev/zero >&0", soon()).unwrap_err();
        assert!(format!("{error:#}").ends_with(&format!("it has more than {LONGEST} bytes")), "{error:#}");
    }
}
