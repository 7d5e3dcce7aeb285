//! An error in words, with all its causes, to be shown and reported.
//!
//! On their way up errors are `anyhow`, and each level adds what was being done. A `Failure` is made where an event or
//! a line for a person needs the words: the chain of causes is put into words here and nowhere else.

use std::fmt;

/// An error and its causes in one line, as in `cannot read /etc/fstab: no such file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure that has words and no cause.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// The failure that an error is, of whatever type.
    pub fn of(error: impl Into<anyhow::Error>) -> Self {
        error.into().into()
    }

    /// The failure of a task whose time limit has passed.
    pub fn too_late() -> Self {
        Self::new("it took too long and was given up")
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self(format!("{error:#}"))
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

    #[test]
    fn the_whole_chain_stands_in_one_line() {
        let error = anyhow::Error::from(std::fmt::Error).context("cannot read /etc/fstab");
        assert_eq!(Failure::from(error).to_string(), format!("cannot read /etc/fstab: {}", std::fmt::Error));
    }
}
