//! The configuration as it would be, for dhcpd's checker.

use std::path::{Path, PathBuf};

use super::HostTable;
use super::lexer::quote;
use super::table::range;
use super::tree::sole_text;
use crate::dhcp::Change;
use crate::dhcp::private_copy::{Part, PrivateCopy};
use crate::dhcp::text::absolute;

/// The only folder in which Debian's AppArmor profile lets dhcpd read files of any name.
const DEBIANS: &str = "/etc/dhcp";

/// Private copies of the configuration that was read with these changes.
pub(super) fn private_copy(table: &HostTable, changes: &[Change]) -> anyhow::Result<PrivateCopy> {
    let Some(main) = table.sources.first() else { return Ok(PrivateCopy::default()) };
    let parts = table.sources.iter().map(|source| Part {
        path: &source.path,
        bytes: &source.bytes,
        included_by: source.included_by.and_then(|(includer, statement)| {
            let includer_is = table.sources.get(includer)?;
            let statement = includer_is.tree.statements.get(statement)?;
            Some((includer, range(&sole_text(&includer_is.bytes, statement)?)))
        }),
    });
    let parts: Vec<Part<'_>> = parts.collect();
    PrivateCopy::of(&parts, changes, &folder(&absolute(&main.path), Path::is_dir), quote)
}

fn folder(main: &Path, is_there: impl Fn(&Path) -> bool) -> PathBuf {
    let own = main.parent().unwrap_or(Path::new("/"));
    let is_debians_too = own == Path::new("/etc") && is_there(Path::new(DEBIANS));
    if is_debians_too { PathBuf::from(DEBIANS) } else { own.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Debian's profile has `/etc/dhcp/** r` and `/etc/dhcpd{,6}.conf r`, and nothing else in `/etc`.
    #[test]
    fn what_the_checker_reads_is_where_debians_profile_lets_dhcpd_read_files_of_any_name() {
        for main in ["/etc/dhcp/dhcpd.conf", "/etc/dhcpd.conf"] {
            assert_eq!(folder(Path::new(main), |_| true), Path::new("/etc/dhcp"), "{main}");
        }
        assert_eq!(
            folder(Path::new("/etc/dhcpd.conf"), |_| false),
            Path::new("/etc"),
            "there is no such profile"
        );
        assert_eq!(folder(Path::new("/srv/dhcp/dhcpd.conf"), |_| true), Path::new("/srv/dhcp"));
    }
}
