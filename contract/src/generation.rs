//! The name of one finished backup of one client in the image store.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::text_form;

/// The folder name of a generation: the name of the job that made it. Safe as one component of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Generation(crate::JobId);

impl Generation {
    /// The generation that this job makes when it succeeds.
    pub const fn of_job(job: crate::JobId) -> Self {
        Self(job)
    }

    /// The name as text, one component of a path.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Generation {
    type Err = crate::job::JobError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_form!(Generation, |generation| generation.0.into());
