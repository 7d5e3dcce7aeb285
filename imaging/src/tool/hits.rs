//! What the tools of file systems say of the files that a place belongs to. Names come from the disk: anything may be in them.

use std::collections::BTreeSet;

/// What belongs to no file: tables of blocks and inodes, a journal.
pub(crate) const OWN: &str = "the file system's own tables";
/// Characters of a name that are kept.
const LONGEST: usize = 1000;

/// A name from the disk for people: control characters are replaced, and the end of a long one is left out.
pub(crate) fn readable(name: &str) -> String {
    let shown =
        |character: char| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character };
    name.chars().take(LONGEST).map(shown).collect()
}

/// The files in what `ntfscluster --sector` says: `Inode 64 /NOISE.BIN/$DATA`.
pub(crate) fn ntfscluster(said: &str) -> BTreeSet<String> {
    let lines = said.lines().filter_map(|line| line.strip_prefix("Inode ")?.split_once(' '));
    lines.map(|(_, path)| readable(path.strip_suffix("/$DATA").unwrap_or(path))).collect()
}

/// The inodes in what `debugfs -R icheck` says, and whether a block belongs to none: `1030⇥8`, `5⇥<block not found>`.
pub(crate) fn icheck(said: &str) -> (BTreeSet<u64>, bool) {
    let found = said.lines().filter_map(|line| line.split_once('\t'));
    let (mut inodes, mut has_own) = (BTreeSet::new(), false);
    for (_, inode) in found.filter(|(block, _)| block.parse::<u64>().is_ok()) {
        match inode.parse::<u64>() {
            Ok(inode) => drop(inodes.insert(inode)),
            Err(_) => has_own = true,
        }
    }
    (inodes, has_own)
}

/// The names in what `debugfs -R ncheck` says of these inodes: `13⇥/d/NOISE.BIN`. One that has no name is a table of the
/// file system itself, such as its journal.
pub(crate) fn ncheck(said: &str, inodes: &BTreeSet<u64>) -> BTreeSet<String> {
    let lines = said.lines().filter_map(|line| line.split_once('\t'));
    let named = lines.filter_map(|(inode, name)| Some((inode.parse::<u64>().ok()?, name)));
    let named: Vec<(u64, &str)> = named.filter(|(inode, _)| inodes.contains(inode)).collect();
    let nameless = inodes.iter().filter(|inode| !named.iter().any(|(found, _)| found == *inode));
    let own = nameless.map(|_| OWN.to_owned());
    // It puts a slash in front of a path that begins with one.
    let path =
        |name: &str| readable(name.strip_prefix('/').filter(|rest| rest.starts_with('/')).unwrap_or(name));
    own.chain(named.iter().map(|(_, name)| path(name))).collect()
}

/// What a block of an XFS is used for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Use {
    /// Its group …
    pub group: u64,
    /// … and its number in the group.
    pub block: u64,
    pub name: String,
}

/// What `xfs_db` says for `blockuse -n`, a line a block: `block 30 (0/30) type data inode 131 NOISE.BIN`.
pub(crate) fn blockuse(said: &str) -> Vec<Use> {
    let used = |line: &str| {
        let (place, what) = line.strip_prefix("block ")?.split_once(" (")?.1.split_once(") type ")?;
        let (group, block) = place.split_once('/')?;
        let name = what.split_once(" inode ").map_or_else(
            || OWN.to_owned(),
            |(_, inode)| {
                let name = inode.split_once(' ').map(|(_, name)| name.to_owned());
                readable(&name.unwrap_or_else(|| format!("inode {inode}")))
            },
        );
        Some(Use { group: group.parse().ok()?, block: block.parse().ok()?, name })
    };
    said.lines().filter_map(used).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn each_tool_is_understood() {
        let said = "Inode 64 /NOISE.BIN/$DATA\nInode 5 /./$INDEX_ALLOCATION($I30)\n* 2 inodes found\n";
        assert_eq!(ntfscluster(said), set(&["/NOISE.BIN", "/./$INDEX_ALLOCATION($I30)"]));
        let said = "Block\tInode number\n5\t7\n1030\t13\n9000\t<block not found>\n";
        assert_eq!(icheck(said), ([7, 13].into(), true));
        let said = "Inode\tPathname\n13\t//NOISE.BIN\n14\t/not/asked\n";
        assert_eq!(ncheck(said, &[7, 13].into()), set(&["/NOISE.BIN", OWN]));
        let said = "block 30 (0/30) type data inode 131 NOISE.BIN\nblock 65541 (1/5) type btrefcnt\n";
        let used = |group, block, name: &str| Use { group, block, name: name.to_owned() };
        assert_eq!(blockuse(said), [used(0, 30, "NOISE.BIN"), used(1, 5, OWN)]);
    }

    #[test]
    fn a_name_cannot_speak_to_a_terminal() {
        let found = ntfscluster("Inode 64 /a\u{1b}[31mb\u{7}/$DATA\n");
        assert_eq!(found, set(&["/a\u{FFFD}[31mb\u{FFFD}"]));
        assert_eq!(readable(&"x".repeat(5000)).len(), LONGEST);
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_a_tool_says_breaks_it(said in ".*") {
            let (inodes, _) = icheck(&said);
            let used = blockuse(&said).into_iter().map(|used| used.name).collect();
            for names in [ntfscluster(&said), ncheck(&said, &inodes), used] {
                proptest::prop_assert!(names.iter().all(|name| !name.chars().any(char::is_control)));
            }
        }
    }
}
