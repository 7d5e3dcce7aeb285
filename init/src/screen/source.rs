//! Where a screen is read from: the first source that can say what the monitor shows, and why those before it
//! could not.
//!
//! ```text
//! /dev/ghostvga ─▶ /dev/mem ─▶ /dev/vcsa1 ─▶ /dev/dri ─▶ /dev/fb0 ─▶ nothing
//! ```
//!
//! The nearer a source is to the monitor, the earlier it is asked. An imager that draws on no monitor makes its own picture,
//! which replaces all of these. Does not know how a source is read.

use std::fmt;

use anyhow::bail;

use crate::failure::Failure;

/// Something that a screen can be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The kernel module ghostvga: registers and planes of a VGA, all of one moment.
    Ghostvga,
    /// A VGA's memory and ports, or the linear frame buffer of a VESA mode, from user space.
    VideoMemory,
    /// The cells of the first virtual terminal.
    Console,
    /// What a display driver of the kernel (DRM) scans out.
    Kms,
    /// The memory of a frame buffer driver.
    FrameBuffer,
}

impl Source {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 5] =
        [Self::Ghostvga, Self::VideoMemory, Self::Console, Self::Kms, Self::FrameBuffer];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ghostvga => "/dev/ghostvga",
            Self::VideoMemory => "/dev/mem",
            Self::Console => "/dev/vcsa1",
            Self::Kms => "/dev/dri",
            Self::FrameBuffer => "/dev/fb0",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A source that could not say what the monitor shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    pub source: Source,
    pub reason: Failure,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.reason)
    }
}

/// What was read, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T> {
    /// What stands on the screen.
    pub screen: T,
    pub source: Source,
    pub passed_over: Vec<PassedOver>,
}

fn reasons(passed_over: &[PassedOver]) -> String {
    passed_over.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Asks one source after the other.
pub fn first<T>(
    sources: &[Source],
    mut look: impl FnMut(Source) -> anyhow::Result<T>,
) -> anyhow::Result<Found<T>> {
    let mut passed_over = Vec::new();
    for source in sources {
        match look(*source) {
            Ok(screen) => return Ok(Found { screen, source: *source, passed_over }),
            Err(error) => passed_over.push(PassedOver { source: *source, reason: error.into() }),
        }
    }
    bail!("no source can say what the screen shows ({})", reasons(&passed_over))
}

/// What was told last of where screens are read from: the same reasons are told once, and not every minute.
#[derive(Debug, Default)]
pub struct SourceNews {
    told: Option<(String, Vec<String>)>,
}

impl SourceNews {
    /// Of the sources that were passed over, those that are worth telling: all if anything is new, else none.
    pub fn news(&mut self, source: &str, passed_over: Vec<String>) -> Vec<String> {
        let now = Some((source.to_owned(), passed_over.clone()));
        if self.told == now {
            return Vec::new();
        }
        self.told = now;
        passed_over
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn the_first_that_can_say_is_taken_and_those_before_it_are_named() {
        for (what, refusing, expected) in [
            ("a text console on VGA with the module", 0, "/dev/ghostvga"),
            ("no module", 1, "/dev/mem"),
            ("lockdown: no module and no /dev/mem", 2, "/dev/vcsa1"),
            ("a program that draws with KMS", 3, "/dev/dri"),
            ("a program that draws on a frame buffer", 4, "/dev/fb0"),
        ] {
            let refuses = |source: Source| Source::ALL[..refusing].contains(&source);
            let look = |source| if refuses(source) { Err(anyhow!("no")) } else { Ok(source) };
            let found = first(&Source::ALL, look).unwrap();
            assert_eq!((found.source.as_str(), found.screen), (expected, found.source), "{what}");
            let asked: Vec<_> = found.passed_over.iter().map(|passed| passed.source).collect();
            assert_eq!(asked, Source::ALL[..refusing], "{what}");
        }
    }

    #[test]
    fn nobody_is_asked_after_the_first_who_knows() {
        let mut asked = Vec::new();
        let found = first(&Source::ALL, |source| {
            asked.push(source);
            if source == Source::Console { Ok(()) } else { Err(anyhow!("not here")) }
        });
        assert!(found.is_ok());
        assert_eq!(asked, [Source::Ghostvga, Source::VideoMemory, Source::Console]);
    }

    #[test]
    fn when_nobody_knows_all_reasons_are_told() {
        let error = first(&[Source::Console, Source::Kms], |source| Err::<(), _>(anyhow!("no {source}")))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "no source can say what the screen shows (/dev/vcsa1: no /dev/vcsa1; /dev/dri: no /dev/dri)"
        );
    }

    #[test]
    fn why_a_source_was_passed_over_is_told_when_it_is_new() {
        let mut sources = SourceNews::default();
        let mut news = |source, reasons: &[&str]| {
            sources.news(source, reasons.iter().map(|reason| (*reason).to_owned()).collect())
        };
        assert_eq!(news("/dev/mem", &["no module"]), ["no module"]);
        assert_eq!(news("/dev/mem", &["no module"]), [""; 0]);
        assert_eq!(news("/dev/vcsa1", &["no module", "lockdown"]), ["no module", "lockdown"]);
        assert_eq!(news("/dev/ghostvga", &[]), [""; 0]);
        assert_eq!(news("/dev/mem", &["no module"]), ["no module"]);
    }
}
