//! The little of the shell's language that `/etc/ghostrc` may use: assignments, quotes, comments, `$NAME`.
//!
//! Does not know which keys there are. Nothing is executed and nothing is taken from the environment: what
//! the shell would do beyond this is a [`Misread`], with the offset at which it stands.

use std::collections::HashMap;

/// One `KEY=VALUE`, quotes removed and names expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    /// The name on the left.
    pub(super) key: String,
    /// What the shell would assign to it.
    pub(super) value: String,
    pub(super) key_at: usize,
    pub(super) value_at: usize,
}

/// Something that is not an assignment, and its offset.
pub(super) type Misread = (usize, String);

const NOT_A_NAME: &str = "'$' is not followed by a name; write '\\$' for the character itself";

/// Something that the shell would run, redirect or make an array of.
fn executes(character: char) -> String {
    format!(
        "'{character}' would have to be executed; this file is only read, quote it if it is part of the value"
    )
}

fn open_quote(quote: char) -> String {
    format!("the quote {quote} that begins here is not closed on this line")
}

/// All assignments of a file in their order.
pub(super) fn assignments(bytes: &[u8]) -> Result<Vec<Assignment>, Misread> {
    let mut reader = Reader { bytes, at: 0, defined: HashMap::new() };
    let mut found = Vec::new();
    let mut exporting = false;
    while let Some(gap) = reader.skip_to_word() {
        exporting = exporting && gap == Gap::Blank;
        let key_at = reader.at;
        let key = reader.name().ok_or_else(|| reader.not_an_assignment(key_at))?;
        if reader.eat(b'=') {
            let value_at = reader.at;
            let value = reader.value()?;
            reader.defined.insert(key.clone(), value.clone());
            found.push(Assignment { key, value, key_at, value_at });
        } else if key == "export" && matches!(reader.peek(), Some(b' ' | b'\t')) {
            exporting = true;
            continue;
        } else if !(exporting && reader.at_word_end() && reader.defined.contains_key(&key)) {
            return Err(reader.not_an_assignment(key_at));
        }
        reader.eat_separator();
    }
    Ok(found)
}

/// What stood between one word and the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// Blanks: the words belong to one command.
    Blank,
    /// The end of a line.
    Line,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    defined: HashMap<String, String>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn peek_after(&self) -> Option<u8> {
        self.bytes.get(self.at + 1).copied()
    }

    fn eat(&mut self, wanted: u8) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    /// Blanks, comments and ends of lines; `None` at the end of the file.
    fn skip_to_word(&mut self) -> Option<Gap> {
        let mut gap = Gap::Blank;
        loop {
            match (self.peek()?, self.peek_after()) {
                (b' ' | b'\t', _) => self.at += 1,
                (b'\n', _) => {
                    gap = Gap::Line;
                    self.at += 1;
                }
                (b'\r' | b'\\', Some(b'\n')) => self.at += 1 + usize::from(self.peek() == Some(b'\\')),
                (b'#', _) => self.skip_comment(),
                _ => return Some(gap),
            }
        }
    }

    fn skip_comment(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    }

    /// A `;` may follow a command, as in the shell.
    fn eat_separator(&mut self) {
        while self.eat(b' ') || self.eat(b'\t') {}
        self.eat(b';');
    }

    fn name(&mut self) -> Option<String> {
        let rest = self.bytes.get(self.at..)?;
        let first = rest.first()?;
        if !(first.is_ascii_alphabetic() || *first == b'_') {
            return None;
        }
        let belongs = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let length = rest.iter().position(|b| !belongs(b)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).map(|name| String::from_utf8_lossy(name).into_owned())
    }

    fn at_word_end(&self) -> bool {
        match self.peek() {
            None | Some(b' ' | b'\t' | b'\n' | b';') => true,
            Some(b'\r') => self.peek_after() == Some(b'\n'),
            Some(_) => false,
        }
    }

    /// For the complaint the whole word, so that it says `wakeup`, not `w`.
    fn not_an_assignment(&self, start: usize) -> Misread {
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        let word = String::from_utf8_lossy(rest.get(..length).unwrap_or_default()).into_owned();
        (start, format!("'{word}' is not KEY=VALUE; this file is read, never executed"))
    }

    fn value(&mut self) -> Result<String, Misread> {
        let start = self.at;
        let mut value = Vec::new();
        while !self.at_word_end() {
            self.piece(start, &mut value)?;
        }
        String::from_utf8(value).map_err(|_not_utf8| (start, "the value is not UTF-8".to_owned()))
    }

    /// One quoted stretch, one expansion or one character outside quotes.
    fn piece(&mut self, start: usize, value: &mut Vec<u8>) -> Result<(), Misread> {
        let at = self.at;
        let Some(byte) = self.peek() else { return Ok(()) };
        self.at += 1;
        match byte {
            b'\'' => self.single_quoted(at, value),
            b'"' => self.double_quoted(at, value),
            b'\\' => self.escaped(at, value),
            b'$' => self.expanded(at, value),
            b'~' if at == start || self.bytes.get(at - 1) == Some(&b':') => {
                Err((at, "'~' is not expanded; write the folder's whole path".to_owned()))
            }
            b'`' | b'(' | b')' | b'|' | b'&' | b'<' | b'>' | 0 => Err((at, executes(char::from(byte)))),
            _ => {
                value.push(byte);
                Ok(())
            }
        }
    }

    fn single_quoted(&mut self, opened_at: usize, value: &mut Vec<u8>) -> Result<(), Misread> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|b| matches!(b, b'\'' | b'\n' | 0));
        let inside = length.and_then(|length| rest.get(..length)).unwrap_or_default();
        self.at += inside.len();
        if !self.eat(b'\'') {
            return Err((opened_at, open_quote('\'')));
        }
        value.extend_from_slice(inside);
        Ok(())
    }

    fn double_quoted(&mut self, opened_at: usize, value: &mut Vec<u8>) -> Result<(), Misread> {
        loop {
            let at = self.at;
            let Some(byte) = self.peek() else { return Err((opened_at, open_quote('"'))) };
            self.at += 1;
            match byte {
                b'"' => return Ok(()),
                b'\n' => return Err((opened_at, open_quote('"'))),
                b'$' => self.expanded(at, value)?,
                b'`' | 0 => return Err((at, executes(char::from(byte)))),
                b'\\' => match self.peek() {
                    Some(b'\n') => self.at += 1,
                    Some(escaped @ (b'$' | b'`' | b'"' | b'\\')) => {
                        value.push(escaped);
                        self.at += 1;
                    }
                    _ => value.push(b'\\'),
                },
                _ => value.push(byte),
            }
        }
    }

    /// A backslash outside quotes. The shell drops it before a letter, which nobody means who writes
    /// `z:\image.gho`.
    fn escaped(&mut self, at: usize, value: &mut Vec<u8>) -> Result<(), Misread> {
        match self.peek() {
            Some(b'\n') => self.at += 1,
            Some(byte) if byte.is_ascii_punctuation() || byte == b' ' || byte == b'\t' => {
                value.push(byte);
                self.at += 1;
            }
            _ => {
                return Err((
                    at,
                    "a backslash before a letter or a digit; put the value into single quotes".to_owned(),
                ));
            }
        }
        Ok(())
    }

    /// What follows a `$`.
    fn expanded(&mut self, at: usize, value: &mut Vec<u8>) -> Result<(), Misread> {
        if self.peek() == Some(b'(') {
            return Err((at, executes('$')));
        }
        let in_braces = self.eat(b'{');
        let name = self.name().ok_or_else(|| (at, NOT_A_NAME.to_owned()))?;
        if in_braces && !self.eat(b'}') {
            return Err((at, NOT_A_NAME.to_owned()));
        }
        let undefined = || format!("{name} is not defined above; names are not taken from the environment");
        let known = self.defined.get(&name).ok_or_else(|| (at, undefined()))?;
        value.extend_from_slice(known.as_bytes());
        Ok(())
    }
}
