//! Starting Debian's tools and taking up what they say. None of them outlives us, none waits for ever.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a tool may take that only looks at something. A disk with read errors keeps it waiting for long.
pub(crate) const LOOKING: Duration = Duration::from_secs(600);
/// How long a tool may take that changes a whole file system.
pub(crate) const RESIZING: Duration = Duration::from_secs(4 * 3600);
/// How often it is looked whether one has ended.
const TICK: Duration = Duration::from_millis(5);
/// As much of what a tool says is kept.
const KEPT: usize = 8 << 10;
/// Of these the last ones are in an error.
const SAID_LINES: usize = 4;

/// Why a tool did not do what it was started for.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It is not there, or cannot be started.
    #[error("cannot start {0}: is its package installed?")]
    Start(String, #[source] io::Error),
    /// Its end cannot be waited for.
    #[error("cannot wait for {0}")]
    Wait(String, #[source] io::Error),
    #[error("{program} failed ({status}){}", after_colon(.said))]
    Failed {
        program: String,
        status: ExitStatus,
        /// The last lines that it said.
        said: String,
    },
    #[error("{program} was ended since it took longer than {} s", .after.as_secs())]
    TooLong { program: String, after: Duration },
}

fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// What a tool has said that has ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub output: Vec<u8>,
    /// The last lines on its standard error.
    pub errors: String,
    pub status: ExitStatus,
}

/// A tool that runs. Ended when dropped.
#[derive(Debug)]
pub struct Running {
    program: String,
    child: Child,
    said: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts it with its standard error to us; the other two are the caller's to set.
    pub fn start(command: &mut Command) -> Result<Self, ProgramError> {
        Self::start_heard(command, |_| {})
    }

    /// The same, with somebody who hears every line of its standard error.
    pub fn start_heard(
        command: &mut Command,
        listener: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self, ProgramError> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.env("LC_ALL", "C").stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| ProgramError::Start(program.clone(), error))?;
        let said = child.stderr.take().map(|errors| thread::spawn(move || tail(errors, listener)));
        Ok(Self { program, child, said })
    }

    /// The process, for its pipes.
    pub const fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub fn program(&self) -> &str {
        &self.program
    }

    /// Waits for its end, however it ends. Its pipes must be at their end.
    pub fn end(&mut self, deadline: Duration) -> Result<(ExitStatus, String), ProgramError> {
        let start = Instant::now();
        let status = loop {
            let polled = self.child.try_wait();
            match polled.map_err(|error| ProgramError::Wait(self.program.clone(), error))? {
                Some(status) => break status,
                None if start.elapsed() > deadline => {
                    return Err(ProgramError::TooLong { program: self.program.clone(), after: deadline });
                }
                None => thread::sleep(TICK),
            }
        };
        let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        Ok((status, said))
    }

    /// Waits until it has done its work.
    pub fn succeed(mut self, deadline: Duration) -> Result<(), ProgramError> {
        let (status, said) = self.end(deadline)?;
        if status.success() {
            return Ok(());
        }
        Err(ProgramError::Failed { program: self.program.clone(), status, said: last_lines(&said) })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or nobody wants its result any more.
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// Whether a tool of this name is there.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Runs a tool to its end, and takes up what it says.
pub(crate) fn run(command: &mut Command, deadline: Duration) -> Result<Said, ProgramError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let (sender, receiver) = mpsc::channel();
    if let Some(mut output) = running.child().stdout.take() {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = output.read_to_end(&mut bytes).map(|_| bytes);
            // Nobody listens any more after the deadline.
            let _late = sender.send(read);
        });
    }
    let output = match receiver.recv_timeout(deadline) {
        Ok(read) => read.map_err(|error| ProgramError::Wait(program, error))?,
        Err(RecvTimeoutError::Timeout) => return Err(ProgramError::TooLong { program, after: deadline }),
        Err(RecvTimeoutError::Disconnected) => Vec::new(),
    };
    let (status, errors) = running.end(deadline)?;
    Ok(Said { output, errors: last_lines(&errors), status })
}

/// Runs a tool that must succeed.
pub(crate) fn must(command: &mut Command, deadline: Duration) -> Result<Vec<u8>, ProgramError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let said = run(command, deadline)?;
    if said.status.success() {
        return Ok(said.output);
    }
    Err(ProgramError::Failed { program, status: said.status, said: said.errors })
}

/// A tool that runs and has written its first bytes.
#[derive(Debug)]
pub(crate) struct Begun<const N: usize> {
    pub running: Running,
    /// The rest of what it writes.
    pub output: ChildStdout,
    /// What it has written first.
    pub bytes: [u8; N],
}

/// Starts a tool whose standard output is a pipe and waits for its first bytes; gives its last words if it ends
/// before them.
pub(crate) fn beginning<const N: usize>(
    command: &mut Command,
    deadline: Duration,
    listener: impl FnMut(&str) + Send + 'static,
) -> Result<Result<Begun<N>, String>, ProgramError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut running = Running::start_heard(command, listener)?;
    let (sender, receiver) = mpsc::channel();
    if let Some(mut output) = running.child().stdout.take() {
        thread::spawn(move || {
            let mut bytes = [0; N];
            let read = output.read_exact(&mut bytes).map(|()| (bytes, output));
            // Nobody listens any more after the deadline.
            let _late = sender.send(read);
        });
    }
    match receiver.recv_timeout(deadline) {
        Ok(Ok((bytes, output))) => Ok(Ok(Begun { running, output, bytes })),
        Err(RecvTimeoutError::Timeout) => Err(ProgramError::TooLong { program, after: deadline }),
        Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => Ok(Err(last_lines(&running.end(deadline)?.1))),
    }
}

/// Reads to the end, line by line, and keeps the last of it.
fn tail(errors: impl Read, mut listener: impl FnMut(&str)) -> String {
    let (mut errors, mut kept, mut line) = (BufReader::new(errors), String::new(), Vec::new());
    while errors.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line);
        listener(&text);
        kept.push_str(&text);
        let surplus =
            kept.char_indices().map(|(at, _)| at).find(|at| kept.len() - at <= KEPT).unwrap_or(kept.len());
        kept.drain(..surplus);
        line.clear();
    }
    kept
}

/// The last lines, in one, without progress lines that overwrite themselves.
pub(crate) fn last_lines(said: &str) -> String {
    let lines = said.lines().map(|line| line.rsplit('\r').next().unwrap_or_default().trim());
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("Elapsed:")).collect();
    lines.get(lines.len().saturating_sub(SAID_LINES)..).unwrap_or_default().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_a_tool_says_is_in_the_error() {
        let error = must(&mut shell("echo one >&2; echo two >&2; exit 3"), LOOKING).unwrap_err();
        assert_eq!(error.to_string(), "sh failed (exit status: 3): one; two");
    }

    #[test]
    fn a_tool_that_is_not_there_is_named() {
        let error = run(&mut Command::new("no-such-tool"), LOOKING).unwrap_err();
        assert_eq!(error.to_string(), "cannot start no-such-tool: is its package installed?");
    }

    #[test]
    fn a_tool_that_does_not_end_is_ended() {
        let start = Instant::now();
        let error = run(&mut shell("exec sleep 60"), Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, ProgramError::TooLong { .. }), "{error}");
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn every_line_is_heard_and_the_last_are_kept() {
        let heard = std::sync::Arc::new(std::sync::Mutex::new(0));
        let count = heard.clone();
        let mut command = shell("for n in $(seq 3000); do echo line $n >&2; done");
        let mut running = Running::start_heard(&mut command, move |_| *count.lock().unwrap() += 1).unwrap();
        let (_, said) = running.end(LOOKING).unwrap();
        assert_eq!(*heard.lock().unwrap(), 3000);
        assert!(said.ends_with("line 2999\nline 3000\n") && said.len() <= KEPT, "{} bytes", said.len());
    }

    #[test]
    fn a_beginning_is_enough() {
        let begin = |script: &str| {
            beginning::<4>(shell(script).stdin(Stdio::null()).stdout(Stdio::piped()), LOOKING, |_| {})
                .unwrap()
        };
        let mut endless = begin("exec yes").unwrap();
        assert_eq!(&endless.bytes, b"y\ny\n");
        endless.output.read_exact(&mut endless.bytes).unwrap();
        assert_eq!(&endless.bytes, b"y\ny\n");
        assert_eq!(begin("printf abc; echo why >&2").unwrap_err(), "why");
    }

    #[test]
    fn a_line_that_overwrites_itself_counts_as_its_last_state() {
        assert_eq!(last_lines("a\n   10%\r   20%\rdone\n\nElapsed: 1\n"), "a; done");
    }
}
