//! The version of NFS in which clients mount: the base root, their own folders and the image store.

use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

/// The port that NFS servers have (RFC 7530 §3.1; of version 3 by custom, RFC 1813 §2.8).
const PORT: u16 = 2049;

/// The words of mount options (nfs(5), `vers`), and of the setting `NFSVERSION`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NfsVersion {
    /// Needs the ports of the portmapper, of mountd and of NFS.
    #[default]
    #[serde(rename = "3")]
    V3,
    /// Clients need port 2049 of the server, and no other.
    #[serde(rename = "4.1")]
    V4_1,
}

impl NfsVersion {
    const ALL: [Self; 2] = [Self::V3, Self::V4_1];

    /// The version that is written so.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.word() == word)
    }

    /// The version as mount options and `NFSVERSION` write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::V3 => "3",
            Self::V4_1 => "4.1",
        }
    }

    /// What clients mount with. Locks are the client's own in version 3, since it has no lock daemon; version 4 needs none. With the
    /// ports of NFS and of mountd no portmapper is asked (nfs(5), `port` and `mountport`); version 4 has no mountd.
    pub fn mount_options(self, mountd_port: Option<NonZeroU16>) -> String {
        match (self, mountd_port) {
            (Self::V3, None) => "vers=3,tcp,nolock".to_owned(),
            (Self::V3, Some(port)) => format!("vers=3,tcp,nolock,port={PORT},mountport={port}"),
            (Self::V4_1, _) => "vers=4.1,tcp".to_owned(),
        }
    }

    /// Whether it is the version that an order does not need to name.
    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_written_as_it_is_read_everywhere() {
        for version in NfsVersion::ALL {
            assert_eq!(NfsVersion::parse(version.word()), Some(version));
            assert_eq!(serde_json::to_string(&version).unwrap(), format!("\"{}\"", version.word()));
            assert!(version.mount_options(None).starts_with(&format!("vers={},", version.word())));
        }
        let port = NonZeroU16::new(20_048);
        assert_eq!(NfsVersion::V3.mount_options(port), "vers=3,tcp,nolock,port=2049,mountport=20048");
        assert_eq!(NfsVersion::V4_1.mount_options(port), "vers=4.1,tcp");
        for word in ["", "4", "4.2", "v3", "03"] {
            assert_eq!(NfsVersion::parse(word), None, "{word}");
        }
    }
}
