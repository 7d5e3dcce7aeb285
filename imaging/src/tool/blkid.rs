//! What `blkid -p -o export` says of a stretch of a disk.

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// `ntfs`, `ext4`, `swap`, `crypto_LUKS`, …; none if nothing is known.
    pub kind: Option<String>,
    pub usage: Option<String>,
    pub label: Option<String>,
    /// The kind of partition table, `gpt`, `dos`, …
    pub table: Option<String>,
    /// Why none of it can be believed, in words.
    pub doubt: Option<String>,
}

/// Reads its output; nothing found is an empty one.
pub(crate) fn parse(output: &str) -> Found {
    let value = |key: &str| {
        let lines = output.lines().filter_map(|line| line.split_once('='));
        lines.filter(|(name, _)| *name == key).map(|(_, value)| unescaped(value)).next()
    };
    let (kind, version) = (value("TYPE"), value("VERSION"));
    // Where its superblock is depends on the version.
    let kind = match (kind.as_deref(), version) {
        (Some("linux_raid_member"), Some(version)) => Some(format!("linux_raid_member {version}")),
        _ => kind,
    };
    Found { kind, usage: value("USAGE"), label: value("LABEL"), table: value("PTTYPE"), doubt: None }
}

impl Found {
    /// What is not believed, for this reason.
    pub fn doubtful(doubt: String) -> Self {
        Self { doubt: Some(doubt), ..Self::default() }
    }

    pub fn is_file_system(&self) -> bool {
        self.usage.as_deref() == Some("filesystem")
    }
}

/// blkid puts a backslash before what a shell would read.
fn unescaped(value: &str) -> String {
    let mut characters = value.chars();
    let mut plain = String::with_capacity(value.len());
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_use_and_label_are_read() {
        let said = "DEVNAME=a.img\nLABEL=My\\ Disk\nUUID=062963B51F29E157\nTYPE=ntfs\nUSAGE=filesystem\n";
        let found = parse(said);
        assert_eq!(found.kind.as_deref(), Some("ntfs"));
        assert_eq!(found.usage.as_deref(), Some("filesystem"));
        assert_eq!(found.label.as_deref(), Some("My Disk"));
        assert_eq!(found.table, None);
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(parse(""), Found::default());
        assert_eq!(parse("DEVNAME=z.img\n"), Found::default());
    }
}
