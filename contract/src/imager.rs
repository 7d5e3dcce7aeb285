//! The imagers that exist, with the words for them in settings, orders and manifests.
//!
//! Adding an imager starts here, with a variant of [`Imager`] and its word in [`ImagerName`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::image::{LinuxSettings, SmallerDisk};

/// The Linux imager was called after one of its tools once. Settings, orders and manifests of that time still say so.
const FORMER_NAME_OF_LINUX: &str = "partclone";

/// Which imaging program is run, with the settings that only it understands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Imager {
    /// DOSEmu 1.4 or dosemu2, whichever is installed, with a DOS program on a boot floppy.
    Dosemu(DosProgram),
    /// dosbox-x, headless, with a DOS program from the boot floppy.
    DosboxX(DosProgram),
    /// `ghost-imager`, with the tools that are in the base root.
    #[serde(alias = "partclone")]
    Linux(LinuxSettings),
}

/// How a DOS imaging program is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DosProgram {
    /// The command line that goes into AUTOEXEC.BAT as `BackUpCommand`; empty in mode `ghost`.
    pub command: String,
    /// What DOSEmu may show. dosbox-x shows nothing on the client's own screen.
    #[serde(default)]
    pub graphics: Graphics,
}

/// What a DOS program may show on the client's screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Graphics {
    /// All that its VGA can, where the client has one that is displayed; else text.
    #[default]
    Vga,
    /// Text only: of what a program draws, nothing can be seen.
    Text,
}

impl Imager {
    /// The imager of this name, with the settings that it understands: those of the Linux imager, or the command line of
    /// a DOS program.
    #[must_use]
    pub fn new(name: ImagerName, linux: &LinuxSettings, program: DosProgram) -> Self {
        match name {
            ImagerName::Linux => Self::Linux(linux.clone()),
            ImagerName::DosboxX => Self::DosboxX(program),
            ImagerName::Dosemu => Self::Dosemu(program),
        }
    }

    /// The word for it, as in `/etc/ghostrc`.
    pub const fn name(&self) -> ImagerName {
        match self {
            Self::Dosemu(_) => ImagerName::Dosemu,
            Self::DosboxX(_) => ImagerName::DosboxX,
            Self::Linux(_) => ImagerName::Linux,
        }
    }

    /// Whether it is about some partitions of a disk only.
    pub fn is_partial(&self) -> bool {
        matches!(self, Self::Linux(settings) if !settings.partitions.is_empty())
    }

    /// Whether a restore may need room for a scratch file in the image store.
    pub fn needs_scratch(&self) -> bool {
        matches!(self, Self::Linux(settings) if settings.smaller_disk == SmallerDisk::Shrink)
    }
}

/// An imager without its settings: what ghostrc and the screen name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImagerName {
    /// The word `linux`, for [`Imager::Linux`].
    Linux,
    /// The word `dosbox-x`, for [`Imager::DosboxX`].
    DosboxX,
    /// The word `dosemu`, for [`Imager::Dosemu`].
    Dosemu,
}

impl ImagerName {
    /// What is said to be wanted where a word names no imager.
    pub const WANTED: &str = "an imager: linux, dosbox-x and dosemu are";
    const ALL: [Self; 3] = [Self::Linux, Self::DosboxX, Self::Dosemu];

    /// The imager if none is set. An administrator who has put the HOWTO's template floppy into the base
    /// root has Ghost and wants to go on with it; all others have only the Linux imager.
    pub const fn without_a_setting(has_template_floppy: bool) -> Self {
        if has_template_floppy { Self::DosboxX } else { Self::Linux }
    }

    /// The imager of this word.
    pub fn parse(text: &str) -> Option<Self> {
        let word = if text == FORMER_NAME_OF_LINUX { Self::Linux.as_str() } else { text };
        Self::ALL.into_iter().find(|imager| imager.as_str() == word)
    }

    /// The word for it in `/etc/ghostrc`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::DosboxX => "dosbox-x",
            Self::Dosemu => "dosemu",
        }
    }

    /// Whether its images describe their disks, in the `disk.json` of [`crate::image`]. Only then can the boot server look
    /// into them; no other imager may write a folder with the name of such a disk.
    pub const fn describes_disks(self) -> bool {
        matches!(self, Self::Linux)
    }

    /// The proper name of the DOS emulator that runs Norton Ghost. `None` for an imager that needs no DOS.
    pub const fn emulator(self) -> Option<&'static str> {
        match self {
            Self::Linux => None,
            Self::DosboxX => Some("DOSBox-X"),
            Self::Dosemu => Some("DOSEmu"),
        }
    }
}

impl fmt::Display for ImagerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_imager_is_known_by_its_word() {
        for imager in ImagerName::ALL {
            assert_eq!(ImagerName::parse(imager.as_str()), Some(imager));
        }
        assert_eq!(ImagerName::parse("ghost"), None);
        assert!(ImagerName::ALL.iter().all(|imager| ImagerName::WANTED.contains(imager.as_str())));
    }

    #[test]
    fn orders_and_manifests_use_the_words_of_the_settings() {
        let program = DosProgram { command: String::new(), graphics: Graphics::Vga };
        for name in ImagerName::ALL {
            let imager = Imager::new(name, &LinuxSettings::default(), program.clone());
            let written = serde_json::to_value(&imager).unwrap();
            assert_eq!((written["name"].as_str(), imager.name()), (Some(name.as_str()), name));
        }
    }

    #[test]
    fn an_order_that_says_nothing_of_graphics_has_them() {
        let old = r#"{"name": "dosemu", "command": ""}"#;
        let program = DosProgram { command: String::new(), graphics: Graphics::Vga };
        assert_eq!(serde_json::from_str::<Imager>(old).unwrap(), Imager::Dosemu(program));
    }

    #[test]
    fn the_former_name_of_the_linux_imager_is_still_understood() {
        assert_eq!(ImagerName::parse("partclone"), Some(ImagerName::Linux));
        let old = r#"{"name": "partclone", "compression_level": 9}"#;
        let expected = Imager::Linux(LinuxSettings { compression_level: 9, ..LinuxSettings::default() });
        assert_eq!(serde_json::from_str::<Imager>(old).unwrap(), expected);
    }
}
