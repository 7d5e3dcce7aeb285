//! What the console says of itself, to standard error: systemd keeps it.

#![allow(clippy::print_stderr, clippy::disallowed_methods, reason = "the one place, and it filters")]

use std::io::Write as _;

use ghostctl::overview::one_line;

/// Writes one line. Whatever it repeats of others cannot begin another one, or command a terminal.
pub fn line(text: &str) {
    // Nobody is left to be told that nobody reads.
    let _unread = writeln!(std::io::stderr(), "{}", one_line(text));
}
