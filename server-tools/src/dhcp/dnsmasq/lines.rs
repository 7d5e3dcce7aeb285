//! The lines of dnsmasq's files that say something, and what is between the commas, as stretches of the input.
//!
//! Nothing here is wrong: what dnsmasq would refuse is no line. Quotes hide commas and number signs, and only inside them a
//! backslash means something.

use std::ops::Range;

/// The lines that say something, without the blanks around them and the comment behind them.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    let whole = bytes.split_inclusive(|byte| *byte == b'\n').map(move |line| {
        let range = start..start + line.len();
        start = range.end;
        range
    });
    whole.filter_map(|range| {
        let length = meaningful(&bytes[range.clone()])?;
        let line = trimmed(bytes, range.start..range.start + length);
        (!line.is_empty()).then_some(line)
    })
}

/// How long a line is without its comment, which begins with a number sign behind a blank; none where a quote is not closed.
fn meaningful(line: &[u8]) -> Option<usize> {
    let (mut at, mut is_after_blank) = (0, true);
    while let Some(byte) = line.get(at) {
        match byte {
            b'"' => {
                at = closing(line, at)?;
                is_after_blank = false;
            }
            b'#' if is_after_blank => return Some(at),
            byte => is_after_blank = byte.is_ascii_whitespace(),
        }
        at += 1;
    }
    Some(line.len())
}

/// Where the quote is closed that is opened here.
fn closing(bytes: &[u8], opened: usize) -> Option<usize> {
    let mut at = opened + 1;
    loop {
        match bytes.get(at..)? {
            [b'"', ..] => return Some(at),
            [b'\\', escaped, ..] if is_escaped(*escaped) => at += 2,
            [_, ..] => at += 1,
            [] => return None,
        }
    }
}

const fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'"' | b't' | b'n' | b'e' | b'b' | b'r' | b'\\')
}

fn trimmed(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let inside = &bytes[range.clone()];
    let before = inside.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let after = inside[before..].iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    range.start + before..range.end - after
}

/// What stands between the commas of such a line, or of a stretch of one.
pub fn items(bytes: &[u8], line: Range<usize>) -> Vec<Range<usize>> {
    let (mut items, mut start, mut at) = (Vec::new(), line.start, line.start);
    while at < line.end {
        match bytes[at] {
            b'"' => at = closing(&bytes[..line.end], at).unwrap_or(line.end),
            b',' => {
                items.push(trimmed(bytes, start..at));
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    items.push(trimmed(bytes, start..line.end));
    items
}

/// The name of the option that a line of the configuration sets, and what it is set to.
pub fn option(bytes: &[u8], line: Range<usize>) -> (Range<usize>, Range<usize>) {
    let equals = bytes[line.clone()].iter().position(|byte| *byte == b'=').map(|at| line.start + at);
    let Some(equals) = equals else { return (line.clone(), line.end..line.end) };
    (trimmed(bytes, line.start..equals), trimmed(bytes, equals + 1..line.end))
}

/// Whether each line sets an option, and there is one: a configuration of dnsmasq.
pub(in crate::dhcp) fn are_options(bytes: &[u8]) -> bool {
    let is_option = |line: Range<usize>| {
        let (name, _) = option(bytes, line);
        bytes[name].iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
    };
    let mut all = lines(bytes).map(is_option).peekable();
    all.peek().is_some() && all.all(|is_option| is_option)
}

/// What this means, without quotes.
pub fn unquote(item: &[u8]) -> Vec<u8> {
    let (mut meant, mut is_quoted, mut rest) = (Vec::with_capacity(item.len()), false, item);
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, rest) {
            (b'"', _) => is_quoted = !is_quoted,
            (b'\\', [escaped, after @ ..]) if is_quoted && is_escaped(*escaped) => {
                meant.push(unescaped(*escaped));
                rest = after;
            }
            _ => meant.push(*byte),
        }
    }
    meant
}

const fn unescaped(byte: u8) -> u8 {
    match byte {
        b't' => b'\t',
        b'n' => b'\n',
        b'r' => b'\r',
        b'b' => 8,
        b'e' => 27,
        _ => byte,
    }
}

/// An item that means this: as it is, where nothing in it means anything else.
pub fn quote(meant: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:@+".contains(byte) || !byte.is_ascii();
    if !meant.is_empty() && meant.iter().all(is_plain) {
        return meant.to_vec();
    }
    let mut text = vec![b'"'];
    for byte in meant {
        match byte {
            b'"' | b'\\' => text.extend([b'\\', *byte]),
            b'\t' => text.extend(b"\\t"),
            b'\n' => text.extend(b"\\n"),
            b'\r' => text.extend(b"\\r"),
            _ => text.push(*byte),
        }
    }
    text.push(b'"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<&str> {
        lines(text.as_bytes()).map(|line| &text[line]).collect()
    }

    #[test]
    fn a_line_says_what_dnsmasq_takes_from_it() {
        assert_eq!(said("# a\n\n \t\n b,c # d\r\ne#f\r\n\"g # h\" #i"), ["b,c", "e#f", "\"g # h\""]);
        assert_eq!(said("a=\"b\nc\n"), ["c"], "a quote that is not closed is an error");
        let text = " a , \"b,c\" ,, d\\,\"e\\\"f,\"";
        let line = lines(text.as_bytes()).next().unwrap();
        let items: Vec<&str> = items(text.as_bytes(), line).into_iter().map(|item| &text[item]).collect();
        assert_eq!(items, ["a", "\"b,c\"", "", "d\\", "\"e\\\"f,\""]);
        let pair = |text: &str| {
            let (name, value) = option(text.as_bytes(), 0..text.len());
            (text[name].to_owned(), text[value].to_owned())
        };
        assert_eq!(pair("dhcp-boot = a=b"), ("dhcp-boot".to_owned(), "a=b".to_owned()));
        assert_eq!(pair("bogus-priv"), ("bogus-priv".to_owned(), String::new()));
    }

    #[test]
    fn an_item_means_what_it_was_made_of() {
        for meant in [&b"nobackup"[..], b"", b"a b", b"a\"b\\c", b"z:\\x,#\t\n", "jöhn".as_bytes()] {
            let item = quote(meant);
            assert_eq!(unquote(&item), meant);
            assert_eq!(items(&item, 0..item.len()), std::slice::from_ref(&(0..item.len())));
        }
        assert_eq!(unquote(b"a\\b\"\\\"\\t\"c"), b"a\\b\"\tc", "a backslash outside quotes is one");
    }

    #[test]
    fn its_configuration_is_told_from_others() {
        assert!(are_options(b"# a\ndhcp-range=192.168.7.0,static\nbogus-priv\n"));
        for other in [&b"# only a comment\n"[..], b"authoritative;\n", b"next-server 192.168.7.1;", b"{ }"] {
            assert!(!are_options(other), "{}", String::from_utf8_lossy(other));
        }
    }
}
