//! What `ntfsresize --info` and `resize2fs -P` say of how small a file system can be.

/// The least that an NTFS can be shrunk to, bytes, from what `ntfsresize --info` says. It says nothing of it when
/// there is nothing that could be cut off.
pub(crate) fn ntfs_minimum(said: &str) -> Option<u64> {
    number_after(said, "You might resize at ").or_else(|| number_after(said, "Current volume size: "))
}

/// The least that an ext can be shrunk to, in its blocks, from what `resize2fs -P` says.
pub(crate) fn ext_minimum(said: &str) -> Option<u64> {
    number_after(said, "Estimated minimum size of the filesystem: ")
}

fn number_after(said: &str, words: &str) -> Option<u64> {
    let behind = said.lines().find_map(|line| line.trim().strip_prefix(words))?;
    behind.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "Current volume size: 62910976 bytes (63 MB)\nCurrent device size: 62914560 bytes (63 MB)\n\
        Checking filesystem consistency ...\nSpace in use       : 24 MB (37.5%)\n\
        You might resize at 23584768 bytes or 24 MB (freeing 39 MB).\n";

    #[test]
    fn the_least_that_an_ntfs_can_be() {
        assert_eq!(ntfs_minimum(INFO), Some(23_584_768));
        assert_eq!(ntfs_minimum("Current volume size: 62910976 bytes (63 MB)\n"), Some(62_910_976));
        assert_eq!(ntfs_minimum("ERROR: Volume is inconsistent\n"), None);
    }

    #[test]
    fn the_least_that_an_ext_can_be() {
        assert_eq!(ext_minimum("Estimated minimum size of the filesystem: 4061\n"), Some(4061));
        assert_eq!(ext_minimum("Please run 'e2fsck -f e.fs' first.\n"), None);
    }
}
