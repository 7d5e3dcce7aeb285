//! kea-dhcp4.conf as tokens, lossless: put together they are the input again, whatever it is.
//!
//! JSON with comments and includes. Does not know values. The rules are those of Kea 2.2, found out by asking `kea-dhcp4 -t`:
//! - `#` and `//` begin a comment up to the end of the line, `/* */` encloses one.
//! - A string has no control characters, and escapes `\" \\ \/ \b \f \n \r \t` and `\u00` with two digits; no other.
//! - `<?include "FILE"?>` stands for what the file holds, wherever a token may stand. A path has no escapes.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// White space.
    Blank,
    Comment,
    /// `{`
    Open,
    /// `}`
    Close,
    /// `[`
    OpenList,
    /// `]`
    CloseList,
    Colon,
    Comma,
    /// A string with its quotes.
    Text,
    /// A number, `true`, `false` or `null`.
    Word,
    /// `<?include "FILE"?>`
    Include,
    Broken(TextFault),
}

/// What Kea refuses whatever stands around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    #[error("the string that begins here is not closed in its line")]
    Open,
    #[error("in this string a backslash is before something that it may not be before")]
    Escape,
    #[error("the comment that begins here is not closed")]
    Comment,
    #[error("this is no whole directive; write: <?include \"/etc/kea/FILE\"?>")]
    Include,
    #[error("this is nothing that JSON has")]
    Symbol,
}

/// A stretch of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: TokenKind,
    /// The offset of its first byte.
    pub start: usize,
    pub bytes: &'a [u8],
}

impl Token<'_> {
    /// The offset after its last byte.
    pub const fn end(&self) -> usize {
        self.start + self.bytes.len()
    }

    /// Whether it means something to Kea.
    pub fn is_meaningful(&self) -> bool {
        !matches!(self.kind, TokenKind::Blank | TokenKind::Comment)
    }
}

/// Gives one token after the other. Allocates nothing.
#[derive(Debug, Clone)]
pub struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let (kind, length) = first(rest);
        let token = Token { kind, start: self.at, bytes: &rest[..length] };
        self.at += length;
        Some(token)
    }
}

/// Whether the first thing that means something is `{`, which no statement of dhcpd.conf begins with.
pub(in crate::dhcp) fn begins_with_a_map(bytes: &[u8]) -> bool {
    Lexer::new(bytes).find(Token::is_meaningful).is_some_and(|token| token.kind == TokenKind::Open)
}

/// The first token of these bytes, which are some, and how long it is.
fn first(bytes: &[u8]) -> (TokenKind, usize) {
    let run = |is_part: fn(&u8) -> bool| bytes.iter().take_while(|byte| is_part(byte)).count();
    match bytes {
        [b' ' | b'\t' | b'\r' | b'\n', ..] => (TokenKind::Blank, run(|byte| b" \t\r\n".contains(byte))),
        [b'#', ..] | [b'/', b'/', ..] => (TokenKind::Comment, run(|byte| *byte != b'\n')),
        [b'/', b'*', inside @ ..] => match find(inside, b"*/") {
            Some(end) => (TokenKind::Comment, end + 4),
            None => (TokenKind::Broken(TextFault::Comment), bytes.len()),
        },
        [b'{', ..] => (TokenKind::Open, 1),
        [b'}', ..] => (TokenKind::Close, 1),
        [b'[', ..] => (TokenKind::OpenList, 1),
        [b']', ..] => (TokenKind::CloseList, 1),
        [b':', ..] => (TokenKind::Colon, 1),
        [b',', ..] => (TokenKind::Comma, 1),
        [b'"', ..] => text(bytes),
        [b'<', b'?', ..] => match included(bytes) {
            Some((_, length)) => (TokenKind::Include, length),
            None => (TokenKind::Broken(TextFault::Include), 2),
        },
        [byte, ..] if is_of_a_word(byte) => {
            let length = run(is_of_a_word);
            let kind = if is_word(&bytes[..length]) {
                TokenKind::Word
            } else {
                TokenKind::Broken(TextFault::Symbol)
            };
            (kind, length)
        }
        _ => (TokenKind::Broken(TextFault::Symbol), 1),
    }
}

const fn is_of_a_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

fn is_word(bytes: &[u8]) -> bool {
    matches!(bytes, b"true" | b"false" | b"null")
        || std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<f64>().is_ok_and(f64::is_finite))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn text(bytes: &[u8]) -> (TokenKind, usize) {
    let (mut at, mut is_right) = (1, true);
    loop {
        match bytes.get(at..).unwrap_or_default() {
            [b'"', ..] => {
                let kind = if is_right { TokenKind::Text } else { TokenKind::Broken(TextFault::Escape) };
                return (kind, at + 1);
            }
            [b'\\', b'u', b'0', b'0', high, low, ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                at += 6;
            }
            [b'\\', escaped, ..] if *escaped >= b' ' => {
                is_right &= b"\"\\/bfnrt".contains(escaped);
                at += 2;
            }
            [byte, ..] if *byte >= b' ' && *byte != b'\\' => at += 1,
            _ => return (TokenKind::Broken(TextFault::Open), at),
        }
    }
}

/// Where in a whole directive at the beginning of these bytes the path is, without quotes, and how long the directive is.
pub(super) fn included(bytes: &[u8]) -> Option<(std::ops::Range<usize>, usize)> {
    let blank =
        |from: usize| from + bytes[from..].iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
    let follows = |from: usize, word: &[u8]| bytes[from..].starts_with(word).then_some(from + word.len());
    let opened = follows(0, b"<?")?;
    let named = follows(blank(opened), b"include")?;
    let start = follows(blank(named), b"\"")?;
    let length = bytes[start..].iter().position(|byte| matches!(byte, b'"' | b'\n'))?;
    let closed = follows(start + length, b"\"").filter(|_| length > 0)?;
    let end = follows(blank(closed), b"?>")?;
    Some((start..start + length, end))
}

/// What a string with its quotes means.
pub fn unquote(text: &[u8]) -> Vec<u8> {
    let inside = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    let (mut meant, mut rest) = (Vec::with_capacity(inside.len()), inside);
    loop {
        let (byte, after) = match rest {
            [] => return meant,
            [b'\\', b'u', b'0', b'0', high, low, after @ ..] => {
                (hexadecimal(*high) * 16 + hexadecimal(*low), after)
            }
            [b'\\', escaped, after @ ..] => (unescaped(*escaped), after),
            [byte, after @ ..] => (*byte, after),
        };
        meant.push(byte);
        rest = after;
    }
}

const fn unescaped(byte: u8) -> u8 {
    match byte {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => byte,
    }
}

fn hexadecimal(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or_default()
}

/// A string that means this.
pub fn quote(meant: &[u8]) -> Vec<u8> {
    let mut text = vec![b'"'];
    for byte in meant {
        match byte {
            b'"' | b'\\' => text.extend([b'\\', *byte]),
            0..b' ' => text.extend(format!("\\u00{byte:02x}").bytes()),
            _ => text.push(*byte),
        }
    }
    text.push(b'"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_means_what_it_was_made_of() {
        for meant in [&b"nobackup"[..], b"", b"a\"b\\c", b"z:\\x\x01\n", "jöhn".as_bytes()] {
            let text = quote(meant);
            assert_eq!(first(&text), (TokenKind::Text, text.len()));
            assert_eq!(unquote(&text), meant);
        }
        assert_eq!(unquote(br#""\u0041\n\/\"""#), b"A\n/\"");
    }

    #[test]
    fn tokens_are_what_kea_takes_them_for() {
        use TokenKind::{Broken, Comma, Comment, Include, Text, Word};
        let table: [(&[u8], TokenKind, usize); 14] = [
            (b"# a\nb", Comment, 3),
            (b"// a\nb", Comment, 4),
            (b"/* a\n*/b", Comment, 7),
            (b"/* a", Broken(TextFault::Comment), 4),
            (b"\"a\\\"b\":", Text, 6),
            (b"\"a\nb\"", Broken(TextFault::Open), 2),
            (b"\"a\\x\"", Broken(TextFault::Escape), 5),
            (b"\"\\u0141\"", Broken(TextFault::Escape), 8),
            (b"-1.5e3,", Word, 6),
            (b"true", Word, 4),
            (b"True", Broken(TextFault::Symbol), 4),
            (b",,", Comma, 1),
            (b"<? include  \"/etc/x y\"\n?>,", Include, 25),
            (b"<?include x?>", Broken(TextFault::Include), 2),
        ];
        for (bytes, kind, length) in table {
            assert_eq!(first(bytes), (kind, length), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
