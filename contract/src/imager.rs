//! The imagers by name, as settings, orders and reports call them.

use std::fmt;

/// An imaging program by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImagerName {
    /// Linux's own.
    Partclone,
    /// dosbox-x.
    DosboxX,
    /// DOSEmu 1.4 or dosemu2.
    Dosemu,
}

impl ImagerName {
    /// The imager of an administrator who has not set one. Whoever has put the HOWTO's template floppy into the base
    /// root has Ghost, and wants to go on with it; everybody else has nothing but partclone.
    #[must_use]
    pub const fn without_a_setting(has_template_floppy: bool) -> Self {
        if has_template_floppy { Self::DosboxX } else { Self::Partclone }
    }

    /// The imager of this word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Partclone, Self::DosboxX, Self::Dosemu].into_iter().find(|imager| imager.as_str() == text)
    }

    /// The word for it in `/etc/ghostrc`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Partclone => "partclone",
            Self::DosboxX => "dosbox-x",
            Self::Dosemu => "dosemu",
        }
    }
}

impl fmt::Display for ImagerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
