//! A place in a text file, and how people are shown it.
//!
//! Knows no grammar: bytes and an offset in, `file:line:column` and the line with a caret out. Used for every
//! complaint about a file that a person has written.

use std::fmt;
use std::path::{Path, PathBuf};

/// How much of a long line is shown on either side of the caret, in characters.
const SHOWN: usize = 60;

/// A place in a file, with the line that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1. A byte that is not UTF-8 counts as one.
    pub column: usize,
    /// The line, without its end.
    pub text: String,
}

impl Place {
    /// The place of the byte at `offset`; an offset past the end means the end.
    pub fn at(file: &Path, bytes: &[u8], offset: usize) -> Self {
        let before = bytes.get(..offset).unwrap_or(bytes);
        Self::in_line(file, bytes, offset, before.iter().filter(|b| **b == b'\n').count())
    }

    /// The same where the number of lines before it is known.
    fn in_line(file: &Path, bytes: &[u8], offset: usize, lines_before: usize) -> Self {
        let (before, after) = bytes.split_at(offset.min(bytes.len()));
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1);
        let end = after.iter().position(|b| *b == b'\n').map_or(bytes.len(), |length| before.len() + length);
        let line = bytes.get(start..end).unwrap_or_default();
        let ahead = before.get(start..).unwrap_or_default();
        Self {
            file: file.to_owned(),
            line: lines_before + 1,
            column: String::from_utf8_lossy(ahead).chars().count() + 1,
            text: String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned(),
        }
    }

    /// The line and, below it, a caret under the place; of a long line only what is near the caret.
    pub fn excerpt(&self) -> String {
        let first = self.column.saturating_sub(SHOWN + 1);
        let shown = self.text.chars().skip(first).take(2 * SHOWN);
        let cut = |is_cut: bool| if is_cut { "…" } else { "" };
        let after = cut(self.text.chars().count() > first + 2 * SHOWN);
        let line: String = shown.map(printable).collect();
        let blank = self.text.chars().skip(first).take(self.column - 1 - first);
        let blank: String = blank.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let before = cut(first > 0);
        let margin = if first > 0 { " " } else { "" };
        format!("    {before}{line}{after}\n    {margin}{blank}^")
    }
}

/// Where the lines of a file end, so that many places in it can be told without counting from its beginning for each.
#[derive(Debug, Clone)]
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The place of the byte at `offset` in the bytes that these are the lines of.
    pub(crate) fn place(&self, file: &Path, bytes: &[u8], offset: usize) -> Place {
        Place::in_line(file, bytes, offset, self.0.partition_point(|end| *end < offset))
    }
}

/// Control characters would move the caret, or the terminal's mind.
fn printable(c: char) -> char {
    if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &[u8], offset: usize) -> Place {
        Place::at(Path::new("f"), text, offset)
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        let place = place(b"one\n\ttwo three\r\nfour", 9);
        assert_eq!(place.to_string(), "f:2:6");
        assert_eq!(place.excerpt(), "    \ttwo three\n    \t    ^");
    }

    #[test]
    fn the_end_of_a_file_is_a_place() {
        assert_eq!(place(b"", 0).excerpt(), "    \n    ^");
        assert_eq!(place(b"ab", 99).to_string(), "f:1:3");
        assert_eq!(place(b"ab\n", 3).to_string(), "f:2:1");
    }

    #[test]
    fn a_place_by_known_lines_is_the_same() {
        let text = b"one\n\n\ttwo three\r\nfour\n";
        let lines = Lines::of(text);
        for offset in 0..text.len() + 2 {
            assert_eq!(lines.place(Path::new("f"), text, offset), place(text, offset), "{offset}");
        }
    }

    #[test]
    fn columns_are_characters_and_strange_bytes_count_as_one() {
        assert_eq!(place("jöhn x".as_bytes(), 6).column, 6);
        assert_eq!(place(b"j\xf6hn x", 5).column, 6);
    }

    #[test]
    fn of_a_long_line_only_what_is_near_is_shown() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let excerpt = place(text.as_bytes(), 500).excerpt();
        let (line, caret) = excerpt.split_once('\n').unwrap();
        assert_eq!(line.chars().position(|c| c == 'X'), caret.chars().position(|c| c == '^'));
        assert!(line.chars().count() < 130, "{line}");
    }

    #[test]
    fn no_control_character_reaches_the_terminal() {
        assert!(!place(b"a\x1b[2Jb", 1).excerpt().contains('\u{1b}'));
    }
}
