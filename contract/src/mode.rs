//! What a job is to do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The mode of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Write the client's first disk to a new generation.
    Backup,
    /// Check a generation against itself; the disk is not touched.
    Verify,
    /// Write a generation back to the client's first disk. Never started by a command-line flag.
    Restore,
    /// Start a shell server and wait; the disk is not touched.
    Test,
    /// Start the imager without a command, for a person at the client's own screen and keyboard.
    Ghost,
}

/// A word that is not a mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a mode; the modes are backup, verify, restore, test and ghost")]
pub struct ModeError(pub String);

impl Mode {
    /// All modes, in the order in which help texts list them.
    pub const ALL: [Self; 5] = [Self::Backup, Self::Verify, Self::Restore, Self::Test, Self::Ghost];

    /// The word for it in orders, on command lines and on screens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Verify => "verify",
            Self::Restore => "restore",
            Self::Test => "test",
            Self::Ghost => "ghost",
        }
    }

    /// Whether a job of this mode cannot do its work without the image store.
    pub const fn needs_image_store(self) -> bool {
        match self {
            Self::Backup | Self::Verify | Self::Restore => true,
            Self::Test | Self::Ghost => false,
        }
    }
}

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or_else(|| ModeError(text.to_owned()))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_read_back_from_its_word() {
        for mode in Mode::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
            assert_eq!(serde_json::to_string(&mode).unwrap(), format!("\"{mode}\""));
        }
        assert_eq!("Backup".parse::<Mode>(), Err(ModeError("Backup".to_owned())));
    }
}
