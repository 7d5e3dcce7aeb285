//! The exit statuses of the program, and how an error carries one.
//!
//! The numbers above 63 are those of sysexits.h, which scripts know. An error that knows its status says so where it is made
//! or passed on (`.exit(Exit::Usage)`); the mark adds nothing to what people read. [`Exit::of`] finds it wherever it is in
//! the chain. An error without a mark is judged by its causes, and is a plain failure if they say nothing.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io;
use std::process::ExitCode;

use crate::sys::lock::LockError;

/// How a run of `ghostctl` ended. Of two endings the greater one is the one to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    /// What was asked for was begun and did not work.
    Failed = 1,
    /// What was asked for cannot be meant.
    Usage = 2,
    /// `EX_SOFTWARE`.
    Bug = 70,
    /// `EX_TEMPFAIL`: another program is at it, or it took too long.
    Busy = 75,
    /// `EX_NOPERM`.
    NotPermitted = 77,
    /// `EX_CONFIG`: the settings, the DHCP configuration or a service must be mended.
    Configuration = 78,
}

impl Exit {
    const ALL: [Self; 7] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Bug,
        Self::Busy,
        Self::NotPermitted,
        Self::Configuration,
    ];

    /// The number that a shell sees.
    pub const fn status(self) -> u8 {
        self as u8
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "the job ran and failed",
            Self::Usage => "wrong usage",
            Self::Bug => "a bug in ghostctl",
            Self::Busy => "busy or timed out: try again",
            Self::NotPermitted => "not permitted",
            Self::Configuration => "the configuration or the DHCP service must be mended",
        }
    }

    /// All of them, for `--help` and the manual page.
    pub fn table() -> String {
        Self::ALL.into_iter().fold("Exit status:".to_owned(), |mut table, exit| {
            // Writing into a string cannot fail.
            let _ = write!(table, "\n  {:<3} {}", exit.status(), exit.meaning());
            table
        })
    }

    /// What this error ends the program with: the outermost mark, or what a cause without a mark says.
    pub fn of(error: &anyhow::Error) -> Self {
        Self::said_by(error).unwrap_or(Self::Failed)
    }

    fn said_by(error: &anyhow::Error) -> Option<Self> {
        let marked = error.chain().find_map(|cause| cause.downcast_ref::<Marked>());
        marked.map(|marked| marked.exit).or_else(|| error.chain().find_map(told_by))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

fn told_by(cause: &(dyn Error + 'static)) -> Option<Exit> {
    if let Some(LockError::Busy { .. }) = cause.downcast_ref() {
        return Some(Exit::Busy);
    }
    let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    cause.downcast_ref().is_some_and(denied).then_some(Exit::NotPermitted)
}

/// Gives an error, or that of a result, the exit status that it ends the program with.
pub trait WithExit {
    /// The same with the mark.
    type Marked;

    fn exit(self, exit: Exit) -> Self::Marked;

    /// The mark only where neither another one nor a cause says how the program ends.
    fn exit_by_default(self, exit: Exit) -> Self::Marked;
}

impl WithExit for anyhow::Error {
    type Marked = Self;

    fn exit(self, exit: Exit) -> Self {
        Self::new(Marked { exit, error: self })
    }

    fn exit_by_default(self, exit: Exit) -> Self {
        if Exit::said_by(&self).is_some() { self } else { self.exit(exit) }
    }
}

impl<T, E: Into<anyhow::Error>> WithExit for Result<T, E> {
    type Marked = anyhow::Result<T>;

    fn exit(self, exit: Exit) -> anyhow::Result<T> {
        self.map_err(|error| error.into().exit(exit))
    }

    fn exit_by_default(self, exit: Exit) -> anyhow::Result<T> {
        self.map_err(|error| error.into().exit_by_default(exit))
    }
}

/// The error or cause of this type, also behind a mark.
pub(crate) fn cause<T: Error + Send + Sync + 'static>(error: &anyhow::Error) -> Option<&T> {
    error.chain().find_map(|found| {
        let behind = || cause(&found.downcast_ref::<Marked>()?.error);
        found.downcast_ref().or_else(behind)
    })
}

/// Stands for the error in it: it says the same, and has the same causes.
struct Marked {
    exit: Exit,
    error: anyhow::Error,
}

impl fmt::Debug for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.error, f)
    }
}

impl fmt::Display for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl Error for Marked {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context as _, anyhow};
    use std::path::PathBuf;
    use std::time::Duration;

    fn denied() -> io::Error {
        io::Error::from(io::ErrorKind::PermissionDenied)
    }

    #[test]
    fn the_mark_is_found_and_never_read() {
        let error: anyhow::Error = Err::<(), _>(denied())
            .context("cannot open the file")
            .exit(Exit::Usage)
            .context("cannot begin")
            .unwrap_err();
        assert_eq!(Exit::of(&error), Exit::Usage);
        assert_eq!(format!("{error:#}"), "cannot begin: cannot open the file: permission denied");
    }

    #[test]
    fn the_outermost_mark_counts() {
        let error = anyhow!("no").exit(Exit::Failed).context("why").exit(Exit::Configuration);
        assert_eq!(Exit::of(&error), Exit::Configuration);
        assert_eq!(format!("{error:#}"), "why: no");
    }

    #[test]
    fn a_marked_error_without_causes_is_said_once() {
        assert_eq!(format!("{:#}", anyhow!("john has no job").exit(Exit::Usage)), "john has no job");
    }

    #[test]
    fn causes_speak_where_there_is_no_mark() {
        let busy = LockError::Busy {
            path: PathBuf::from("/run/lock"),
            holder: "ghostctl".to_owned(),
            waited: Duration::ZERO,
        };
        for (error, expected) in [
            (anyhow::Error::new(busy).context("cannot swap"), Exit::Busy),
            (anyhow::Error::new(denied()).context("cannot swap"), Exit::NotPermitted),
            (anyhow::Error::new(io::Error::from(io::ErrorKind::NotFound)), Exit::Failed),
            (anyhow!("no"), Exit::Failed),
        ] {
            assert_eq!(Exit::of(&error), expected, "{error:#}");
        }
    }

    #[test]
    fn a_default_gives_way_to_marks_and_causes() {
        for (error, expected) in [
            (anyhow!("no"), Exit::Configuration),
            (anyhow!("no").exit(Exit::Usage).context("cannot begin"), Exit::Usage),
            (anyhow::Error::new(denied()).context("cannot begin"), Exit::NotPermitted),
        ] {
            assert_eq!(Exit::of(&error.exit_by_default(Exit::Configuration)), expected);
        }
    }

    #[test]
    fn of_many_endings_the_worst_is_reported() {
        assert!(Exit::ALL.is_sorted(), "scripts are told the greatest number of a run with many hosts");
        assert_eq!(Exit::ALL.map(Exit::status), [0, 1, 2, 70, 75, 77, 78]);
    }
}
