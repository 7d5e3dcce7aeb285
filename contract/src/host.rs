//! The name by which people know a client: the name of its `host` entry in the DHCP configuration.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A host name that is safe to use as one component of a path.
///
/// Letters, digits, `-`, `_` and `.`, at most 63 characters (RFC 1035 §2.3.4 for one label), beginning
/// with a letter or digit; so it can never be `..` or hold a slash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// Why a text is not a host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostNameError {
    /// Nothing at all, or more than 63 characters.
    #[error("a host name has 1 to 63 characters, this one has {0}")]
    Length(usize),
    /// A character that does not belong into a host name.
    #[error("'{0}' is not a host name: '{1}' is not a letter, digit, '-', '_' or '.'")]
    Character(String, char),
    /// The first character is `-`, `_` or `.`.
    #[error("'{0}' is not a host name: it must begin with a letter or a digit")]
    Beginning(String),
}

impl HostName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !(1..=63).contains(&text.len()) {
            return Err(HostNameError::Length(text.chars().count()));
        }
        let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some(stranger) = text.chars().find(|c| !belongs(*c)) {
            return Err(HostNameError::Character(text.to_owned(), stranger));
        }
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(HostNameError::Beginning(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for HostName {
    type Error = HostNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_machines_are_names() {
        for text in ["john", "PC-12", "lab.example.org", "3com", "a_b"] {
            assert!(text.parse::<HostName>().is_ok(), "{text}");
        }
    }

    #[test]
    fn nothing_that_could_lead_out_of_a_folder_is_a_name() {
        assert_eq!("".parse::<HostName>(), Err(HostNameError::Length(0)));
        assert_eq!("..".parse::<HostName>(), Err(HostNameError::Beginning("..".to_owned())));
        assert_eq!(".incoming".parse::<HostName>(), Err(HostNameError::Beginning(".incoming".to_owned())));
        assert_eq!("a/b".parse::<HostName>(), Err(HostNameError::Character("a/b".to_owned(), '/')));
        assert_eq!("jöhn".parse::<HostName>(), Err(HostNameError::Character("jöhn".to_owned(), 'ö')));
        assert!("a".repeat(64).parse::<HostName>().is_err());
    }
}
