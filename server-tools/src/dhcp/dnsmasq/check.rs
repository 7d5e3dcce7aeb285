//! The configuration as it would be, for dnsmasq's checker.

use std::path::{Path, PathBuf};

use super::lines;
use super::table::HostTable;
use crate::dhcp::Change;
use crate::dhcp::private_copy::{Part, PrivateCopy};
use crate::dhcp::text::{absolute, replaced};

/// What the checker reads: the configuration as it is, and what would change as if it stood in it, since it looks into none of the
/// files that are read again.
pub(super) fn private_copy(
    table: &HostTable,
    configuration: &Path,
    besides: Option<&Path>,
    changes: &[Change],
) -> anyhow::Result<PrivateCopy> {
    let mut main = b"conf-file=".to_vec();
    let begins = main.len();
    main.extend(absolute(configuration).as_os_str().as_encoded_bytes());
    let own = Some((0, begins..main.len()));
    main.push(b'\n');
    if let Some(besides) = besides.filter(|folder| folder.is_dir()) {
        main.extend(format!("conf-dir={},.dpkg-dist,.dpkg-old,.dpkg-new\n", besides.display()).bytes());
    }
    let changed = table.sources.files.iter().filter_map(|source| {
        let option = source.role.option()?;
        let path = absolute(&source.path);
        changes.iter().any(|change| change.file == path).then(|| (path, as_options(&source.bytes, option)))
    });
    let changed: Vec<(PathBuf, Vec<u8>)> = changed.collect();
    let itself = changes.iter().find(|change| change.file == absolute(configuration));
    let itself = itself.map(|change| Part { path: &change.file, bytes: &change.contents, included_by: own });
    let mut included = Vec::new();
    for (path, _) in &changed {
        main.extend(b"conf-file=");
        let start = main.len();
        main.extend(path.as_os_str().as_encoded_bytes());
        included.push(Some((0, start..main.len())));
        main.push(b'\n');
    }
    let first = Part { path: configuration, bytes: &main, included_by: None };
    let others = changed.iter().zip(included);
    let others = others.map(|((path, bytes), included_by)| Part { path, bytes, included_by });
    let parts: Vec<Part<'_>> = std::iter::once(first).chain(itself).chain(others).collect();
    let folder = absolute(configuration);
    PrivateCopy::of(&parts, changes, folder.parent().unwrap_or(Path::new("/")), <[u8]>::to_vec)
}

/// The lines as they would stand in the configuration itself, each where it was.
fn as_options(bytes: &[u8], option: &str) -> Vec<u8> {
    let named = lines::lines(bytes).map(|line| (line.start..line.start, format!("{option}=").into_bytes()));
    replaced(bytes, named.collect())
}
