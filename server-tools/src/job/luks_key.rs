//! The key of encrypted partitions that an administrator gives for a job. It is in no order, journal, record or image, and
//! nothing prints it: it goes from the administrator's file into the client's tree, and from there with the order.

use std::fmt;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};

use crate::sys::regular;

/// cryptsetup takes no longer one (`--keyfile-size`).
const LONGEST: u64 = 8 << 20;

#[derive(Clone)]
pub(crate) struct LuksKey(Arc<[u8]>);

impl LuksKey {
    /// That in this file, all bytes of it.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let name = || format!("cannot read the key in {}", path.display());
        let mut bytes = Vec::new();
        let file = match regular::open(path) {
            Err(error) if matches!(error.kind(), ErrorKind::IsADirectory | ErrorKind::InvalidInput) => {
                bail!("{} is no file with a key", path.display())
            }
            opened => opened.with_context(name)?,
        };
        file.take(LONGEST + 1).read_to_end(&mut bytes).with_context(name)?;
        ensure!(!bytes.is_empty(), "the key in {} is empty", path.display());
        ensure!(bytes.len() as u64 <= LONGEST, "the key in {} is longer than 8 MiB", path.display());
        Ok(Self(bytes.into()))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for LuksKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LuksKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_of_the_file_are_the_key_and_it_is_not_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "secret\n").unwrap();
        let key = LuksKey::read(&path).unwrap();
        assert_eq!((key.bytes(), format!("{key:?}")), (&b"secret\n"[..], "LuksKey(…)".to_owned()));
    }

    #[test]
    fn what_can_be_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(LuksKey::read(&path).is_err());
        assert!(LuksKey::read(folder.path()).unwrap_err().to_string().ends_with("is no file with a key"));
        // Without a writer it would be waited for without end.
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(LuksKey::read(&fifo).unwrap_err().to_string().ends_with("is no file with a key"));
        std::fs::write(&path, "").unwrap();
        assert!(LuksKey::read(&path).unwrap_err().to_string().ends_with("is empty"));
        std::fs::File::options().write(true).open(&path).unwrap().set_len(LONGEST + 1).unwrap();
        assert!(LuksKey::read(&path).unwrap_err().to_string().ends_with("is longer than 8 MiB"));
    }
}
