//! The name by which people know a client: the name of its `host` entry in the DHCP configuration.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::text_form;

/// A host name that is safe to use as one component of a path.
///
/// Letters, digits, `-`, `_` and `.`, beginning with a letter or digit; so it can never be `..` or hold a slash. No dot follows
/// another. Each label has at most 63 characters (RFC 1035 §2.3.4), the whole at most [`HostName::LONGEST`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// Why a text is not a host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostNameError {
    /// Nothing at all, or more than [`HostName::LONGEST`] characters.
    #[error("a host name has 1 to {longest} characters, this one has {0}", longest = HostName::LONGEST)]
    Length(usize),
    /// Too much between two dots.
    #[error("'{0}' is not a host name: a part of it between dots has more than 63 characters")]
    Label(String),
    /// Nothing between two dots, which no DHCP server reads.
    #[error("'{0}' is not a host name: there is nothing between two of its dots")]
    NoLabel(String),
    /// A character that does not belong into a host name.
    #[error("'{0}' is not a host name: '{1}' is not a letter, digit, '-', '_' or '.'")]
    Character(String, char),
    /// The first character is `-`, `_` or `.`.
    #[error("'{0}' is not a host name: it must begin with a letter or a digit")]
    Beginning(String),
}

impl HostName {
    /// Characters of the longest name. A file's name has at most 255 (`NAME_MAX`), and some are made of a host's name and an
    /// ending.
    pub const LONGEST: usize = 230;

    /// The name as text, as the host table has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name by which the kernel of the host may know it: at most 64 characters (sethostname(2)), else the first label.
    pub fn for_kernel(&self) -> &str {
        let (label, _domain) = self.0.split_once('.').unwrap_or((&self.0, ""));
        if self.0.len() <= 64 { &self.0 } else { label }
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !(1..=Self::LONGEST).contains(&text.len()) {
            return Err(HostNameError::Length(text.chars().count()));
        }
        let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some(stranger) = text.chars().find(|c| !belongs(*c)) {
            return Err(HostNameError::Character(text.to_owned(), stranger));
        }
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(HostNameError::Beginning(text.to_owned()));
        }
        if text.contains("..") {
            return Err(HostNameError::NoLabel(text.to_owned()));
        }
        if text.split('.').any(|label| label.len() > 63) {
            return Err(HostNameError::Label(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_form!(HostName, |name| name.0);

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
    fn a_name_may_be_long_and_its_labels_may_not() {
        let label = "a".repeat(63);
        let long: HostName = format!("{label}.{label}").parse().unwrap();
        assert_eq!(long.for_kernel(), label);
        assert_eq!("lab.example.org".parse::<HostName>().unwrap().for_kernel(), "lab.example.org");
        assert!(matches!(format!("b.{label}a").parse::<HostName>(), Err(HostNameError::Label(_))));
        let too_long = [label.as_str(); 4].join(".");
        assert_eq!(too_long.parse::<HostName>(), Err(HostNameError::Length(255)));
    }

    #[test]
    fn nothing_that_could_lead_out_of_a_folder_is_a_name() {
        assert_eq!("".parse::<HostName>(), Err(HostNameError::Length(0)));
        assert_eq!("..".parse::<HostName>(), Err(HostNameError::Beginning("..".to_owned())));
        assert_eq!(".incoming".parse::<HostName>(), Err(HostNameError::Beginning(".incoming".to_owned())));
        assert_eq!("joh..".parse::<HostName>(), Err(HostNameError::NoLabel("joh..".to_owned())));
        assert_eq!("a/b".parse::<HostName>(), Err(HostNameError::Character("a/b".to_owned(), '/')));
        assert_eq!("jöhn".parse::<HostName>(), Err(HostNameError::Character("jöhn".to_owned(), 'ö')));
        assert!("a".repeat(64).parse::<HostName>().is_err());
    }
}
