//! A file of settings in which every key stands behind a `#`, with what it is for and its default. Pure.

use crate::ghostrc::reference::{KEYS, Key, Scope};

const HEAD: &str = "# The settings of a Ghost4Linux boot server: every key, with its default where it has one. ghostrc(5) says more.
#
# 'ghostctl setup' writes /etc/ghostrc. Take from here what you need besides, without the '#'; what stays behind one is the default.
";
/// So wide is a line of it at most, where its words let it.
const WIDTH: usize = 120;

/// The title of a part, and which keys are in it.
type Part<'a> = (&'a str, &'a dyn Fn(&Key) -> bool);

pub(super) fn text() -> String {
    let mut text = HEAD.to_owned();
    let parts: [Part<'_>; 3] = [
        ("These must be set", &|key| key.scope == Scope::Server && key.default.is_none()),
        ("Of the boot server as a whole", &|key| key.scope == Scope::Server && key.default.is_some()),
        ("Of all hosts; of john alone with its name behind the key: UP_DEADLINE_john=20m", &|key| {
            key.scope == Scope::Host
        }),
    ];
    for (title, is_in_it) in parts {
        text.push_str(&format!("\n\n## {title}\n"));
        KEYS.iter().filter(|key| is_in_it(key)).for_each(|key| text.push_str(&entry(key)));
    }
    text
}

fn entry(key: &Key) -> String {
    let default = key.default.unwrap_or_default();
    // Some are told in words.
    let is_value = !default.is_empty() && !default.contains(' ');
    let told = if default.is_empty() || is_value { String::new() } else { format!(" Default: {default}.") };
    let value = if is_value { default } else { key.value };
    format!("\n{}#{}={value}\n", wrapped(&format!("{}.{told}", key.meaning)), key.name)
}

/// The words as comments.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghostrc::Ghostrc;
    use std::path::Path;

    #[test]
    fn every_key_is_in_it_once_and_what_it_shows_as_a_default_can_be_set() {
        let text = text();
        let mut settings =
            String::from("PXEADDR=192.168.7.1\nPXEBASE=/b\nGHSTBASE=/s\nGHSTNFS=/s\nDHCPD=/d\n");
        for key in KEYS {
            let start = format!("#{}=", key.name);
            let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(&start)).collect();
            assert_eq!(lines.len(), 1, "{}", key.name);
            if key.default.is_some_and(|default| lines[0] == format!("#{}={default}", key.name)) {
                settings.push_str(&format!("{}\n", &lines[0][1..]));
            }
        }
        assert!(settings.contains("\nUP_DEADLINE=10m\n") && settings.contains("\nSTATEDIR=/"), "{settings}");
        let ghostrc = Ghostrc::parse(Path::new("ghostrc"), settings.as_bytes()).unwrap();
        assert!(ghostrc.warnings.is_empty(), "{:?}", ghostrc.warnings);
        assert!(text.lines().all(|line| line.is_empty() || line.starts_with('#')), "{text}");
    }
}
