//! Which of DOSEmu's own commands, LREDIR and EXITEMU, are on a floppy, and which DOSEmu they belong to.
//!
//! The commands do nothing but call the emulator. DOSEmu 1.4 refuses calls of dosemu2's commands, and the other way
//! round.

use std::fmt;

use super::extract::BootFile;

/// What a template's AUTOEXEC.BAT calls. dosbox-x has no use for them.
const COMMANDS: [&str; 2] = ["LREDIR", "EXITEMU"];
/// How names of programs end.
const PROGRAMS: [&str; 2] = ["COM", "EXE"];
/// How 1.4 calls the emulator: `mov al, 0C0h; mov ah, VERSION; int 0E6h`. The number of dosemu2 is a higher one.
const VERSION_OF_1_4: u8 = 2;

/// A DOSEmu whose commands refuse to work under the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dosemu {
    /// DOSEmu 1.4, whose calls carry the number 2.
    Version1,
    /// dosemu2, whose calls carry a higher number.
    Version2,
}

impl fmt::Display for Dosemu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version1 => "DOSEmu 1.4",
            Self::Version2 => "dosemu2",
        })
    }
}

/// What a floppy has of DOSEmu's commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    /// Those that are not on it.
    pub missing: Vec<&'static str>,
    /// Whose LREDIR it is, where that can be seen.
    pub of: Option<Dosemu>,
}

impl Commands {
    /// What is among these files.
    pub(super) fn among(files: &[BootFile]) -> Self {
        let found = |command: &str| {
            files.iter().find(|file| {
                PROGRAMS.iter().any(|end| file.path.eq_ignore_ascii_case(&format!("{command}.{end}")))
            })
        };
        let missing = COMMANDS.into_iter().filter(|command| found(command).is_none()).collect();
        Self { missing, of: found(COMMANDS[0]).and_then(|file| owner(&file.content)) }
    }
}

/// Whose command it is, by its call of the emulator.
fn owner(program: &[u8]) -> Option<Dosemu> {
    program.windows(6).find_map(|code| match code {
        [0xB0, 0xC0, 0xB4, VERSION_OF_1_4, 0xCD, 0xE6] => Some(Dosemu::Version1),
        [0xB0, 0xC0, 0xB4, _, 0xCD, 0xE6] => Some(Dosemu::Version2),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &[u8]) -> BootFile {
        BootFile { path: path.to_owned(), content: content.into() }
    }

    #[test]
    fn whose_commands_they_are_is_seen_in_their_call_of_the_emulator() {
        for (code, of) in [
            (&b"MZ\xB0\xC0\xB4\x02\xCD\xE6\xB0\xC1"[..], Some(Dosemu::Version1)),
            (b"\x90\xB0\xC0\xB4\x03\xCD\xE6\x72\x08", Some(Dosemu::Version2)),
            (b"something else", None),
        ] {
            let commands = Commands::among(&[file("LREDIR.COM", code), file("EXITEMU.EXE", b"e")]);
            assert_eq!(commands, Commands { missing: vec![], of });
        }
    }

    #[test]
    fn what_is_not_there_is_told() {
        let commands = Commands::among(&[file("UTIL/LREDIR.COM", b"l"), file("exitemu.com", b"e")]);
        assert_eq!(commands, Commands { missing: vec!["LREDIR"], of: None });
    }
}
