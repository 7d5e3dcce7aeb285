//! Which files were hit where a disk could not be read.

use serde::{Deserialize, Serialize};

/// What was hit in one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// The partition's number; none on a disk without a table.
    pub partition: Option<u32>,
    /// The logical volume in it, `vg/root`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// The files, by the names that the file system has for them, without control characters. Whoever used the
    /// client chose these names.
    pub files: Vec<String>,
    /// Why it is not known of all places which file they belong to, in words; none if it is.
    pub unknown: Option<String>,
}
