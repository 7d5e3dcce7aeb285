//! An error that has been put into words, with all its causes, to be shown and reported.
//!
//! Does not know what failed: each module's own error enum says that.

use std::error::Error;
use std::fmt;

/// An error and its causes in one line, as in `cannot read /etc/fstab: no such file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// The failure of which only the words are known.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// The failure of a task whose time limit has passed.
    pub fn too_late() -> Self {
        Self::new("it took too long and was given up")
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut words = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            words.push_str(": ");
            words.push_str(&error.to_string());
            cause = error.source();
        }
        Self(words)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read {path}")]
    struct Unreadable {
        path: &'static str,
        source: std::fmt::Error,
    }

    #[test]
    fn the_whole_chain_stands_in_one_line() {
        let failure = Failure::from(Unreadable { path: "/etc/fstab", source: std::fmt::Error });
        assert_eq!(failure.to_string(), format!("cannot read /etc/fstab: {}", std::fmt::Error));
    }
}
