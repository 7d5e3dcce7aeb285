//! dhcpd.conf as tokens, lossless: put together they are the input again, whatever it is.
//!
//! Does not know statements. The rules are those of dhcpd 4.4.3, found out by asking `dhcpd -t`:
//! - `#` begins a comment, except in a string, and only a line feed ends it (a lone carriage return does not).
//!   `//` and `/* */` are no comments.
//! - A string may hold anything, line feeds too. `\` escapes: `\x` with two hexadecimal digits, `\0` to `\3`
//!   with two octal digits, else one character.
//! - The byte 0xFF is the end of the file to dhcpd (it reads bytes as signed): it ends a comment, breaks a
//!   string, and makes dhcpd pass over whatever follows it elsewhere.

/// What dhcpd takes for the end of its file.
const END_OF_FILE: u8 = 0xff;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// White space.
    Blank,
    /// From `#` to the end of the line, without the line feed.
    Comment,
    /// A keyword, a name or a number: letters, digits, `-`, `_`.
    Word,
    /// A string with its quotes.
    Text,
    /// `{`
    Open,
    /// `}`
    Close,
    /// `;`
    Semicolon,
    /// Any other single byte.
    Symbol,
    /// A string that dhcpd refuses.
    Broken(TextFault),
    /// A byte that dhcpd takes for the end of the file.
    EndMark,
}

/// Why dhcpd refuses a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// There is no second quote.
    #[error("the string that begins here is not closed")]
    Open,
    /// A numeric escape without its two further digits.
    #[error(
        "in this string '\\x' is not followed by two hexadecimal digits, or '\\0' to '\\3' by two octal ones"
    )]
    Escape,
}

/// A stretch of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// The offset of its first byte.
    pub start: usize,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl Token<'_> {
    /// The offset after its last byte.
    pub const fn end(&self) -> usize {
        self.start + self.bytes.len()
    }

    /// Whether it is this keyword; dhcpd does not care for letter case.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.bytes.eq_ignore_ascii_case(word.as_bytes())
    }

    /// Whether it is this single byte.
    pub fn is_symbol(&self, symbol: u8) -> bool {
        self.kind == TokenKind::Symbol && self.bytes == [symbol]
    }
}

/// Gives one token after the other. Allocates nothing.
#[derive(Debug, Clone)]
pub struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    /// All tokens of the input, white space and comments included.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The tokens of a stretch of the input that mean something, with their offsets in the whole input.
    pub fn meaningful(bytes: &'a [u8], stretch: std::ops::Range<usize>) -> impl Iterator<Item = Token<'a>> {
        let lexer = Self { bytes: bytes.get(..stretch.end).unwrap_or(bytes), at: stretch.start };
        lexer.filter(|token| !matches!(token.kind, TokenKind::Blank | TokenKind::Comment))
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let start = self.at;
        let rest = self.bytes.get(start..)?;
        let (kind, length) = scan(rest)?;
        let bytes = rest.get(..length)?;
        self.at += length;
        Some(Token { kind, start, bytes })
    }
}

/// The kind and the length of the token that begins here; `None` at the end.
fn scan(rest: &[u8]) -> Option<(TokenKind, usize)> {
    let while_it = |belongs: fn(u8) -> bool| rest.iter().position(|b| !belongs(*b)).unwrap_or(rest.len());
    Some(match *rest.first()? {
        b'{' => (TokenKind::Open, 1),
        b'}' => (TokenKind::Close, 1),
        b';' => (TokenKind::Semicolon, 1),
        b'#' => (TokenKind::Comment, comment_length(rest)),
        b'"' => text(rest),
        END_OF_FILE => (TokenKind::EndMark, 1),
        byte if is_blank(byte) => (TokenKind::Blank, while_it(is_blank)),
        byte if is_word_byte(byte) && byte != b'_' => (TokenKind::Word, while_it(is_word_byte)),
        _ => (TokenKind::Symbol, 1),
    })
}

/// The white space of C's `isspace`.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn comment_length(rest: &[u8]) -> usize {
    match rest.iter().position(|b| matches!(*b, b'\n' | END_OF_FILE)) {
        Some(end) if rest.get(end) == Some(&END_OF_FILE) => end + 1,
        Some(end) => end,
        None => rest.len(),
    }
}

/// The string at the beginning of `rest`. A broken one ends where a whole one would.
fn text(rest: &[u8]) -> (TokenKind, usize) {
    let mut kind = TokenKind::Text;
    let mut at = 1;
    loop {
        match rest.get(at) {
            Some(b'"') => return (kind, at + 1),
            Some(b'\\') => match escape(rest.get(at + 1..).unwrap_or_default()) {
                Some((length, _byte)) => at += 1 + length,
                None => {
                    kind = TokenKind::Broken(TextFault::Escape);
                    at += 1;
                }
            },
            Some(&END_OF_FILE) | None => return (TokenKind::Broken(TextFault::Open), at),
            Some(_) => at += 1,
        }
    }
}

/// The length of what follows a backslash, and the byte that it means.
fn escape(rest: &[u8]) -> Option<(usize, u8)> {
    let digit =
        |at: usize, base: u32| char::from(*rest.get(at)?).to_digit(base).and_then(|d| u8::try_from(d).ok());
    Some(match *rest.first()? {
        b'x' => (3, digit(1, 16)? << 4 | digit(2, 16)?),
        first @ b'0'..=b'3' => (3, (first - b'0') << 6 | digit(1, 8)? << 3 | digit(2, 8)?),
        b't' => (1, b'\t'),
        b'r' => (1, b'\r'),
        b'n' => (1, b'\n'),
        b'b' => (1, 0x08),
        END_OF_FILE => return None,
        byte => (1, byte),
    })
}

/// What a string means: its quotes removed and its escapes resolved. For a broken string as much as can be
/// understood.
pub fn unquote(token: &[u8]) -> Vec<u8> {
    let inside = token.strip_prefix(b"\"").unwrap_or(token);
    let mut inside = inside.strip_suffix(b"\"").unwrap_or(inside);
    let mut value = Vec::with_capacity(inside.len());
    while let Some((&first, rest)) = inside.split_first() {
        let escaped = (first == b'\\').then(|| escape(rest)).flatten();
        let (length, byte) = escaped.unwrap_or((0, first));
        value.push(byte);
        inside = rest.get(length..).unwrap_or_default();
    }
    value
}

/// A string that means this.
pub fn quote(value: &[u8]) -> Vec<u8> {
    let mut token = vec![b'"'];
    for &byte in value {
        match byte {
            b'"' | b'\\' => token.extend([b'\\', byte]),
            b' '..=b'~' => token.push(byte),
            _ => token.extend(format!("\\{byte:03o}").bytes()),
        }
    }
    token.push(b'"');
    token
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds(input: &[u8]) -> Vec<TokenKind> {
        Lexer::new(input).map(|token| token.kind).filter(|kind| *kind != TokenKind::Blank).collect()
    }

    #[test]
    fn strings_hide_what_would_else_mean_something() {
        use TokenKind::{Semicolon, Text, Word};
        assert_eq!(kinds(br#"filename "a;{}#\"b";"#), [Word, Text, Semicolon]);
        assert_eq!(kinds(b"a \"x\ny\" b"), [Word, Text, Word]);
    }

    #[test]
    fn a_comment_ends_at_a_line_feed_only() {
        use TokenKind::{Comment, EndMark, Symbol, Word};
        assert_eq!(kinds(b"a # b ; } \" \r c\nd"), [Word, Comment, Word]);
        assert_eq!(kinds(b"// a"), [Symbol, Symbol, Word]);
        assert_eq!(kinds(b"# \xff a\n \xff"), [Comment, Word, EndMark]);
    }

    #[test]
    fn strings_that_dhcpd_refuses_are_broken() {
        for text in [r#""\x4""#, r#""\xzz""#, r#""\18""#, r#""\199""#, r#""\0a""#] {
            assert_eq!(kinds(text.as_bytes()), [TokenKind::Broken(TextFault::Escape)], "{text}");
        }
        for text in [&b"\"abc"[..], b"\"abc\\\"", b"\"abc\\", b"\"a\xffb"] {
            assert_eq!(kinds(text).first(), Some(&TokenKind::Broken(TextFault::Open)));
        }
    }

    #[test]
    fn escapes_mean_what_they_mean_to_dhcpd() {
        assert_eq!(unquote(br#""a\x41\101\q\"\\\n""#), b"aAAq\"\\\n");
    }

    proptest! {
        #[test]
        fn tokens_put_together_are_the_input(input: Vec<u8>) {
            let tokens: Vec<u8> = Lexer::new(&input).flat_map(|token| token.bytes.to_vec()).collect();
            prop_assert_eq!(tokens, input);
        }

        #[test]
        fn tokens_of_what_looks_like_a_configuration_too(input in r#"(\\|"|x|0|7|#|\{|\}|;|\n|a| |\.){0,40}"#) {
            let tokens: Vec<u8> = Lexer::new(input.as_bytes()).flat_map(|token| token.bytes.to_vec()).collect();
            prop_assert_eq!(tokens, input.into_bytes());
        }

        #[test]
        fn what_is_quoted_is_one_string_that_means_the_same(value: Vec<u8>) {
            let quoted = quote(&value);
            prop_assert_eq!(kinds(&quoted), vec![TokenKind::Text]);
            prop_assert_eq!(unquote(&quoted), value);
        }
    }
}
