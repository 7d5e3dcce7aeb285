//! A person's word that a disk may be overwritten.

use std::io::{self, BufRead, IsTerminal, Write};

use ghost_contract::HostName;

/// Why nothing is overwritten.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmationError {
    /// There is nobody to ask.
    #[error(
        "a restore overwrites a disk, and nobody is here to confirm it: give --yes, or run it at a terminal"
    )]
    NobodyToAsk,
    /// Something else was typed.
    #[error("'{typed}' is not '{host}': nothing was done")]
    OtherName {
        /// What was typed.
        typed: String,
        /// The host's name.
        host: HostName,
    },
    /// The terminal.
    #[error("cannot ask for confirmation")]
    Terminal(#[source] io::Error),
}

/// Has the name of each host typed.
///
/// # Errors
/// At the first that is not typed.
pub(super) fn ask_for_names(hosts: &[HostName]) -> Result<(), ConfirmationError> {
    if !io::stdin().is_terminal() {
        return Err(ConfirmationError::NobodyToAsk);
    }
    hosts.iter().try_for_each(|host| ask(host, &mut io::stdin().lock(), &mut io::stderr()))
}

fn ask(
    host: &HostName,
    answers: &mut impl BufRead,
    screen: &mut impl Write,
) -> Result<(), ConfirmationError> {
    let mut typed = String::new();
    write!(screen, "All that is on the first disk of {host} will be lost. Type its name to go on: ")
        .and_then(|()| screen.flush())
        .and_then(|()| answers.read_line(&mut typed))
        .map_err(ConfirmationError::Terminal)?;
    let typed = typed.trim();
    if typed == host.as_str() {
        return Ok(());
    }
    Err(ConfirmationError::OtherName { typed: typed.to_owned(), host: host.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Result<(), ConfirmationError> {
        ask(&"john".parse().unwrap(), &mut text.as_bytes(), &mut Vec::new())
    }

    #[test]
    fn only_the_hosts_own_name_is_a_yes() {
        assert!(answer("john\n").is_ok());
        for text in ["joe\n", "y\n", "yes\n", "\n", "", "John\n"] {
            assert!(matches!(answer(text), Err(ConfirmationError::OtherName { .. })), "{text:?}");
        }
    }

    #[test]
    fn the_question_says_what_will_be_lost() {
        let mut screen = Vec::new();
        ask(&"john".parse().unwrap(), &mut "john\n".as_bytes(), &mut screen).unwrap();
        let expected = "All that is on the first disk of john will be lost. Type its name to go on: ";
        assert_eq!(String::from_utf8(screen).unwrap(), expected);
    }
}
