//! What DOS reads before AUTOEXEC.BAT: CONFIG.SYS, or FDCONFIG.SYS where FreeDOS finds one.
//!
//! DOSEmu's LREDIR needs drive letters up to Z:. A job needs a DOS that starts AUTOEXEC.BAT and asks nothing. A file
//! that would start something else is replaced as a whole, since even a menu is dangerous: it chooses by itself after a
//! time, and the default choice of FreeDOS' own floppy installs to the hard disk.

use super::AUTOEXEC;

/// FreeDOS reads this one instead of [`CONFIG`], if it is there.
pub(super) const FREEDOS_CONFIG: &str = "FDCONFIG.SYS";
pub(super) const CONFIG: &str = "CONFIG.SYS";
/// Only FreeDOS boots with a file of this name.
pub(super) const FREEDOS_KERNEL: &str = "KERNEL.SYS";
/// Without it, letters end at E:, and LREDIR says that Z: is an invalid drive.
const LAST_DRIVE: &[u8] = b"LASTDRIVE=Z\r\n";
/// Stands in place of a file that starts something else. REM and these keys are read by every DOS.
const PLAIN: &[u8] = b"REM Written in place of one that did not start with AUTOEXEC.BAT\r\n\
    FILES=30\r\nBUFFERS=20\r\nLASTDRIVE=Z\r\nSHELL=A:\\COMMAND.COM A:\\ /E:1024 /P\r\n";
/// The end of a text file, for programs that are older than files with a length.
const CTRL_Z: u8 = 0x1A;

/// What has become of a configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Startup {
    pub(super) content: Vec<u8>,
    /// The line because of which it was replaced as a whole.
    pub(super) in_the_way: Option<String>,
}

/// The configuration with drive letters up to Z:, and with AUTOEXEC.BAT as what is started.
pub(super) fn prepare(config: &[u8]) -> Startup {
    let text = config.split(|byte| *byte == CTRL_Z).next().unwrap_or_default();
    if let Some(line) = lines(text).find(|line| starts_something_else(line)) {
        let line = String::from_utf8_lossy(line).trim().to_owned();
        return Startup { content: PLAIN.to_vec(), in_the_way: Some(line) };
    }
    let mut content: Vec<u8> = text
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| !Setting::of(line).is_some_and(|setting| setting.key.starts_with("LASTDRIVE")))
        .flatten()
        .copied()
        .collect();
    if !content.is_empty() && !content.ends_with(b"\n") {
        content.extend_from_slice(b"\r\n");
    }
    content.extend_from_slice(LAST_DRIVE);
    Startup { content, in_the_way: None }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

/// A line `KEY=VALUE`, in capitals.
struct Setting {
    key: String,
    value: String,
    /// Whether it is read for some choices of a menu only, or after a question.
    is_conditional: bool,
}

impl Setting {
    /// FreeDOS puts `!`, `?` and the digits of a menu's choices before a key.
    fn of(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line).to_ascii_uppercase();
        let line = line.trim();
        let key_at =
            line.find(|letter: char| !letter.is_ascii_digit() && !matches!(letter, '!' | '?' | ' '))?;
        let (before, setting) = line.split_at(key_at);
        let end =
            setting.find(|letter: char| letter == '=' || letter.is_whitespace()).unwrap_or(setting.len());
        let (key, value) = setting.split_at(end);
        let value = value.trim_start_matches(|letter: char| letter == '=' || letter.is_whitespace());
        Some(Self { key: key.to_owned(), value: value.to_owned(), is_conditional: before.contains('?') })
    }
}

/// Whether a line shows a menu, asks a question, or starts anything but AUTOEXEC.BAT.
fn starts_something_else(line: &[u8]) -> bool {
    let Some(setting) = Setting::of(line) else { return false };
    // A block of MS-DOS is [NAME], and one of them is its menu.
    if setting.key.starts_with("MENU") || setting.key.starts_with('[') {
        return true;
    }
    if setting.key.starts_with([';', '#']) || setting.key == "REM" {
        return false;
    }
    setting.is_conditional || (setting.key.starts_with("SHELL") && !is_plain_shell(&setting.value))
}

/// Whether a command interpreter is COMMAND.COM, stays, and begins with AUTOEXEC.BAT.
fn is_plain_shell(command: &str) -> bool {
    let mut words = command.split_whitespace();
    let program = words.next().unwrap_or_default();
    let name = program.rsplit(['\\', '/', ':']).next().unwrap_or_default();
    let mut stays = false;
    for word in words {
        match word.split_once('=').unwrap_or((word, AUTOEXEC)) {
            ("/P", batch) if batch.rsplit(['\\', '/', ':']).next() == Some(AUTOEXEC) => stays = true,
            // A batch file of its own, a command, or none.
            ("/P" | "/K" | "/C" | "/D", _) => return false,
            _ => {}
        }
    }
    stays && matches!(name, "COMMAND.COM" | "COMMAND")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(config: &str) -> String {
        let startup = prepare(config.as_bytes());
        assert_eq!(startup.in_the_way, None, "{config}");
        String::from_utf8(startup.content).unwrap()
    }

    #[test]
    fn letters_reach_to_z_and_all_other_lines_stay() {
        for (config, expected) in [
            ("", "LASTDRIVE=Z\r\n"),
            ("FILES=20\r\n", "FILES=20\r\nLASTDRIVE=Z\r\n"),
            ("FILES=20", "FILES=20\r\nLASTDRIVE=Z\r\n"),
            ("LASTDRIVE=Z\r\nFILES=20\r\n", "FILES=20\r\nLASTDRIVE=Z\r\n"),
            ("lastdrive = e\r\nFILES=20\r\n", "FILES=20\r\nLASTDRIVE=Z\r\n"),
            ("!LASTDRIVEHIGH=G\r\nDOS=HIGH\r\n\u{1a}junk", "DOS=HIGH\r\nLASTDRIVE=Z\r\n"),
            (";?DEVICE=\\FDOS\\EMM386.EXE\r\n", ";?DEVICE=\\FDOS\\EMM386.EXE\r\nLASTDRIVE=Z\r\n"),
        ] {
            assert_eq!(prepared(config), expected, "{config:?}");
        }
    }

    #[test]
    fn bytes_of_any_code_page_are_kept() {
        let startup = prepare(b"REM \x81\x84\r\n");
        assert_eq!(startup.content, b"REM \x81\x84\r\nLASTDRIVE=Z\r\n");
    }

    #[test]
    fn a_shell_that_begins_with_autoexec_bat_stays() {
        for shell in [
            "SHELL=A:\\COMMAND.COM /E:512 /MSG /P",
            "shell = command.com a:\\ /p",
            "SHELLHIGH=\\COMMAND.COM /E:256 /P=A:\\AUTOEXEC.BAT",
        ] {
            assert_eq!(prepared(&format!("{shell}\r\n")), format!("{shell}\r\nLASTDRIVE=Z\r\n"));
        }
    }

    #[test]
    fn a_file_that_starts_something_else_is_replaced() {
        for line in [
            "MENU   1. Install to harddisk using FreeDOS SETUP (default)",
            "MENUDEFAULT=1,120",
            "12345?!SHELL=A:\\COMMAND.COM A:\\ /E:2048 /F /MSG /P=A:\\FREEDOS\\FDAUTO.BAT",
            "SHELL=A:\\COMMAND.COM /P=A:\\FREEDOS\\FDAUTO.BAT",
            "SHELL=A:\\COMMAND.COM",
            "SHELL=A:\\COMMAND.COM /D /P",
            "SHELL=A:\\COMMAND.COM /P /K SETUP.BAT",
            "SHELL=A:\\4DOS.COM /P",
            "?DEVICE=A:\\DRIVER\\HIMEM.EXE",
            "[MENU]",
        ] {
            let startup = prepare(format!("FILES=20\r\n{line}\r\n").as_bytes());
            assert_eq!(startup.in_the_way.as_deref(), Some(line));
            let content = String::from_utf8(startup.content).unwrap();
            assert!(content.contains("LASTDRIVE=Z\r\n") && content.contains("/P\r\n"), "{content}");
            assert_eq!(prepare(content.as_bytes()).in_the_way, None, "what replaces it is in no way itself");
        }
    }
}
