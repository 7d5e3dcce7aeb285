//! What people see, and what they ask of the console.

use ghost_console::parsers as requests;
use ghost_contract::HostName;
use ghostctl::parsers;

/// A terminal is sent sixels and nothing else, and not without a bound.
pub fn picture(input: &[u8]) {
    let Some(sequence) = parsers::picture(input) else { return };
    let body = sequence.strip_prefix("\x1bPq").and_then(|rest| rest.strip_suffix("\x1b\\\n"));
    assert!(body.is_some_and(|body| body.bytes().all(|byte| (b'!'..=b'~').contains(&byte))));
}

/// Whatever a client says, a terminal only shows it, and it begins no line.
pub fn shown(input: &[u8]) {
    let said = String::from_utf8_lossy(input);
    let [line, lines, screen, json] = parsers::shown(&said);
    let is_plain = |c: char| {
        !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}')
    };
    assert!(line.chars().all(is_plain) && json.chars().all(is_plain));
    assert!(lines.chars().all(|c| is_plain(c) || matches!(c, '\n' | '\t')));
    assert!(lines.split('\n').skip(1).all(|line| line.is_empty() || line.starts_with(' ')));
    assert!(screen.chars().all(|c| is_plain(c) || matches!(c, '\n' | '\x1b')));
    let only_colours = screen.split('\x1b').skip(1).all(|sequence| {
        let numbers = sequence.strip_prefix('[').and_then(|rest| rest.split_once('m'));
        numbers.is_some_and(|(numbers, _)| numbers.bytes().all(|b| b.is_ascii_digit() || b == b';'))
    });
    assert!(only_colours);
}

/// A form does no more than one act with one host, and a restore only where the host's name was typed. Nobody is let in who does
/// not know the token, and a proxy's word is a name that can be shown.
pub fn console(input: &[u8]) {
    if let Some((words, typed)) = requests::form(input) {
        let [verb, .., end, host] = &words[..] else { panic!("{words:?}") };
        assert!(end == "--" && host.parse::<HostName>().is_ok(), "{words:?}");
        assert!(verb != "restore" || typed.trim() == host, "{words:?}");
    }
    let [by_token, by_proxy] = requests::door(input);
    let text = String::from_utf8_lossy(input);
    assert!(by_token.is_none() || text.contains(requests::TOKEN) || text.contains(&requests::session()));
    let is_plain = |who: &String| who.bytes().all(|byte| matches!(byte, b' '..=b'~')) && who.len() <= 128;
    assert!(by_proxy.as_ref().is_none_or(is_plain), "{by_proxy:?}");
}
