//! Which files a configuration of GRUB names. It is read as GRUB's shell does, but nothing is evaluated: what a branch that
//! is not taken names is found too, and a name with a variable in it is not known. Pure.

use std::iter::Peekable;
use std::str::Chars;

/// What a configuration names, as a TFTP server is asked for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// Kernels, initrds and programs.
    pub loaded: Vec<String>,
    pub configurations: Vec<String>,
}

/// Words that stand before a command.
const BEFORE: [&str; 12] =
    ["if", "then", "else", "elif", "while", "until", "do", "{", "}", "!", "fi", "done"];

pub(crate) fn files(text: &str) -> Named {
    let mut named = Named::default();
    for command in commands(text) {
        let words = command.iter().skip_while(|word| BEFORE.contains(&word.as_str()));
        let mut words = words.map(String::as_str);
        match words.next().unwrap_or_default() {
            "linux" | "linux16" | "linuxefi" | "chainloader" => {
                named.loaded.extend(words.find_map(on_server))
            }
            "initrd" | "initrd16" | "initrdefi" => named.loaded.extend(words.filter_map(on_server)),
            "configfile" | "source" | "." => named.configurations.extend(words.find_map(on_server)),
            _ => {}
        }
    }
    named
}

/// The path of a file on the server that GRUB came from; none if it is an option, elsewhere or only known to GRUB.
fn on_server(word: &str) -> Option<String> {
    let path = word.strip_prefix("(tftp)").unwrap_or(word);
    (path.starts_with('/') && !path.contains('$')).then(|| path.to_owned())
}

/// The words of each command, without quotes. A brace that ends a menu entry's first line ends a command too.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.peek().copied() {
        match next {
            '\n' | ';' | '|' | '&' => {
                rest.next();
                commands.push(Vec::new());
            }
            '#' => while rest.next_if(|character| *character != '\n').is_some() {},
            _ if next.is_whitespace() => {
                rest.next();
            }
            _ => {
                let word = word(&mut rest);
                let opens = word == "{";
                if let Some(command) = commands.last_mut() {
                    command.push(word);
                }
                if opens {
                    commands.push(Vec::new());
                }
            }
        }
    }
    commands
}

fn word(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::new();
    let mut quote = None;
    while let Some(next) = rest.peek().copied() {
        if quote.is_none() && (next.is_whitespace() || matches!(next, ';' | '|' | '&')) {
            break;
        }
        rest.next();
        match (next, quote) {
            ('\'' | '"', None) => quote = Some(next),
            (_, Some(begun)) if next == begun => quote = None,
            // A line that ends so goes on in the next one.
            ('\\', None | Some('"')) => word.extend(rest.next().filter(|escaped| *escaped != '\n')),
            _ => word.push(next),
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let Named { loaded, configurations } = files(text);
        (loaded, configurations)
    }

    #[test]
    fn commands_are_found_wherever_they_stand() {
        for text in [
            "linux /v quiet\ninitrd /i",
            "  if linux /v 'root=/dev/nfs' $card; then initrd /i; fi",
            "menuentry 'Linux; linux /no' --class x {\n\tlinuxefi (tftp)/v \\\n  quiet\n\tinitrdefi \"/i\"\n}",
            "menuentry 'x' { linux /v; initrd /i; }",
            "# linux /no\necho linux /no; ! linux16 --x /v && initrd16 /i # initrd /no",
        ] {
            assert_eq!(read(text).0, ["/v", "/i"], "{text}");
        }
        assert_eq!(read("initrd /a /b").0, ["/a", "/b"]);
        assert_eq!(
            read("source /x.cfg\nif true; then configfile /y.cfg; fi\n. /z.cfg").1,
            ["/x.cfg", "/y.cfg", "/z.cfg"]
        );
    }

    #[test]
    fn what_is_elsewhere_or_known_to_grub_only_is_not_asked_for() {
        for text in [
            "linux (http,192.168.7.1)/v",
            "linux $prefix/v",
            "chainloader (hd0,gpt1)/EFI/BOOT/BOOTX64.EFI",
            "configfile",
            "linux 'unclosed /v",
            "linux \\",
        ] {
            assert_eq!(read(text), (vec![], vec![]), "{text}");
        }
    }
}
