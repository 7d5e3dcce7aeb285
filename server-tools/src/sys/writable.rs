//! Tries whether a folder can be written to. Its mode does not tell: root passes every mode, and is then refused by a
//! read-only mount or an export that squashes root.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Makes a file in the folder and takes it away again.
pub(crate) fn probe(folder: &Path) -> io::Result<()> {
    let file = folder.join(format!(".ghostctl-probe-{}", std::process::id()));
    File::options().write(true).create_new(true).open(&file)?;
    fs::remove_file(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        probe(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(probe(Path::new("/proc")).is_err());
    }
}
