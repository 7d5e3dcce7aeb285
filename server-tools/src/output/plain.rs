//! The one filter between what a client wrote and the administrator's terminal, log or program.
//!
//! [`FromClient`] is for what a client says: one line, of a bounded length. `output` writes [`Filtered`] text only, whoever says
//! it, so what was not marked cannot command a terminal or begin a line of its own either.

use std::borrow::Cow;
use std::fmt::{self, Write};

use ghost_contract::bounds;

use super::picture::{self, Graphics};

/// What stands for a character that is not shown.
const NOT_SHOWN: char = char::REPLACEMENT_CHARACTER;

/// Something that a client said, wrote or named, in one line of plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FromClient<T>(pub T);

impl<T: fmt::Display> fmt::Display for FromClient<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = OneLine { to: f, room: bounds::SAYING, left_out: 0 };
        write!(line, "{}", self.0)?;
        match line.left_out {
            0 => Ok(()),
            left_out => write!(f, "… (and {left_out} more characters)"),
        }
    }
}

/// Text that may be written to a terminal, a log or a program. Nothing outside of this filter can make it.
#[derive(Debug)]
pub(super) struct Filtered(String);

impl Filtered {
    /// For people.
    pub(super) fn lines(text: &str) -> Self {
        Self(lines(text).into_owned())
    }

    /// For programs.
    pub(super) fn json(text: &str) -> Self {
        Self(json(text).into_owned())
    }

    /// A client's screen in its colours.
    pub(super) fn screen(text: &str) -> Self {
        Self(screen(text).trim_end().to_owned())
    }

    /// A picture, encoded so that none of its bytes is taken for a command.
    pub(super) fn picture(png: &[u8], graphics: Graphics) -> anyhow::Result<Self> {
        Ok(Self(picture::sequence(png, graphics)?.trim_end().to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

struct OneLine<'a, 'b> {
    to: &'a mut fmt::Formatter<'b>,
    room: usize,
    left_out: usize,
}

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.room == 0 {
                self.left_out += 1;
                continue;
            }
            self.room -= 1;
            self.to.write_char(within_a_line(character))?;
        }
        Ok(())
    }
}

/// Text of any length, in one line.
pub fn one_line(text: &str) -> String {
    text.chars().map(within_a_line).collect()
}

const fn within_a_line(character: char) -> char {
    match character {
        '\n' | '\t' => ' ',
        character if is_plain(character) => character,
        _ => NOT_SHOWN,
    }
}

/// Whether whatever shows this character only shows it. Not so are control characters (C0, DEL, C1), those that turn the
/// direction of writing, end a line, or stand for nothing that can be seen.
const fn is_plain(character: char) -> bool {
    !matches!(character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text of one or more lines. Whatever is not the first line begins with a blank, so that a name with a line end in it is
/// not taken for a line that the program has begun.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    let mut ends = text.match_indices('\n').map(|(at, _)| at + 1);
    let is_indented = ends.all(|at| !text[at..].starts_with(|first: char| !matches!(first, ' ' | '\n')));
    if is_indented && text.chars().all(|character| is_plain(character) || matches!(character, '\n' | '\t')) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            plain.push('\n');
            plain.push_str(if line.is_empty() || line.starts_with(' ') { "" } else { "  " });
        }
        plain.extend(line.chars().map(|one| if is_plain(one) || one == '\t' { one } else { NOT_SHOWN }));
    }
    Cow::Owned(plain)
}

/// JSON in one line, with an escape for every character that is not plain: a program reads the same text, a terminal only
/// shows it.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_plain(character) {
            plain.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing into a string cannot fail.
            let _ = write!(plain, "\\u{unit:04x}");
        }
    }
    Cow::Owned(plain)
}

/// The text of a client's screen: line ends and colours (`ESC [ numbers m`) are left of all that is not plain.
pub(crate) fn screen(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let colours = rest.strip_prefix("\x1b[").and_then(|after| {
            let end = after.find(|c: char| !c.is_ascii_digit() && c != ';')?;
            after[end..].starts_with('m').then_some(end + "\x1b[m".len())
        });
        let length = colours.unwrap_or(character.len_utf8());
        if colours.is_some() || character == '\n' || is_plain(character) {
            shown.push_str(&rest[..length]);
        }
        rest = &rest[length..];
    }
    shown
}

/// Text in lines, such as a client's screen without colours: line ends are left of all that is not plain.
pub fn lines_of_screen(text: &str) -> String {
    text.chars().filter(|character| *character == '\n' || is_plain(*character)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: [&str; 12] = [
        "\x1b]0;t\x07",
        "\x1b[2J",
        "\u{9b}2J",
        "\u{90}q\u{9c}",
        "\r",
        "\x08",
        "\x7f",
        "\0",
        "\u{202e}doog\u{2066}",
        "\u{2028}joe: succeeded",
        "\u{e0041}",
        "\u{200f}",
    ];

    fn is_printable(text: &str) -> bool {
        text.chars().all(|c| !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e0000}'..='\u{e007f}'))
    }

    #[test]
    fn nothing_that_a_client_says_commands_a_terminal() {
        for words in HOSTILE {
            let said = format!("a{words}é b");
            for shown in [FromClient(&said).to_string(), lines(&said).into_owned(), screen(&said)] {
                assert!(is_printable(&shown), "{said:?}: {shown:?}");
                assert!(shown.starts_with('a') && shown.ends_with("é b"), "{shown:?}");
            }
            let told = serde_json::to_string(&said).unwrap();
            let told = json(&told);
            assert!(is_printable(&told), "{said:?}: {told:?}");
            assert_eq!(serde_json::from_str::<String>(&told).unwrap(), said, "a program reads what was said");
        }
    }

    #[test]
    fn a_client_says_one_line_and_not_too_long_a_one() {
        assert_eq!(FromClient("no\njoe: succeeded\ttoo").to_string(), "no joe: succeeded too");
        let long = "é".repeat(bounds::SAYING + 7);
        let shown = FromClient(&long).to_string();
        assert!(shown.ends_with("é… (and 7 more characters)"), "{}", &shown[shown.len() - 40..]);
    }

    #[test]
    fn no_line_of_a_text_looks_as_if_the_program_had_begun_it() {
        assert_eq!(lines("pc2: a\npc3: succeeded\n\n    b\n\tc"), "pc2: a\n  pc3: succeeded\n\n    b\n  \tc");
        let ours = "dhcpd.conf:3:1: unexpected\n    \thost john\n    \t^";
        assert!(
            matches!(lines(ours), Cow::Borrowed(same) if same == ours),
            "the caret stays below its place"
        );
    }

    #[test]
    fn colours_are_the_only_sequences_that_a_screen_may_have() {
        let colours = "\x1b[93;44mGhost\x1b[0m é\n";
        assert_eq!(screen(colours), colours);
        assert_eq!(screen("a\x1b]0;title\x07b\x1b[2Jc\x1b[\u{9b}31md\r\x1b"), "a]0;titleb[2Jc[31md");
        assert_eq!(screen("\x1b[12"), "[12");
    }
}
