//! ISC dhcpd: swap and revert in dhcpd.conf.
//!
//! Pure: does not read or write files. Only the bytes of one value change, quotes included; every other byte
//! of the file is copied as it is.

use std::ops::Range;
use std::path::Path;

use crate::dhcp::isc::HostTable;
use crate::dhcp::isc::lexer::{quote, unquote};
use crate::place::Place;
use ghost_contract::HostName;

use crate::dhcp::{Gone, Revert, Swap, SwapError};

/// Lets a host be offered `boot_file`.
pub fn swap(table: &HostTable, host: &HostName, boot_file: &str) -> Result<Swap, SwapError> {
    let host = table.usable(host)?;
    let bytes = table.contents(&host.file).unwrap_or_default();
    if host.filename == boot_file.as_bytes() {
        return Err(SwapError::AlreadyBootFile {
            host: host.name.to_string(),
            boot_file: boot_file.to_owned(),
            place: Box::new(Place::at(&host.file, bytes, host.value.start)),
        });
    }
    let contents = with_value(bytes, &host.value, &quote(boot_file.as_bytes()));
    let previous = bytes.get(host.value.clone()).unwrap_or_default().to_vec();
    Ok(Swap { host, contents, previous })
}

/// Puts a host's own value back into the file that it was swapped in, as that file is `now`. The file may have
/// been edited since: what it is named in `file` matters for complaints only, and what it includes not at all.
pub fn revert(file: &Path, now: &[u8], host: &HostName, boot_file: &str, previous: &[u8]) -> Revert {
    let table = HostTable::of_one_file(file, now.to_vec());
    let value = match sole_value(&table, host) {
        Ok(value) => value,
        Err(gone) => return Revert::Gone(gone),
    };
    let offered = unquote(now.get(value.clone()).unwrap_or_default());
    if offered == boot_file.as_bytes() {
        return Revert::Contents(with_value(now, &value, previous));
    }
    if offered == unquote(previous) {
        return Revert::AlreadyReverted;
    }
    Revert::Gone(Gone::OtherValue {
        host: host.to_string(),
        value: String::from_utf8_lossy(&offered).into_owned(),
        place: Box::new(Place::at(file, now, value.start)),
    })
}

/// Where the value of the one host of this name is.
fn sole_value(table: &HostTable, name: &HostName) -> Result<Range<usize>, Gone> {
    let mut hosts = table.by_name(name.as_str());
    let host = hosts.next().ok_or_else(|| Gone::NoHost(name.to_string()))?;
    if hosts.next().is_some() {
        return Err(Gone::SeveralHosts(name.to_string()));
    }
    if let Some((place, fault)) = table.fault_before_end_of(host) {
        return Err(Gone::Unreadable { place: Box::new(place), fault });
    }
    table.own_filename(host).map_err(Gone::NoValue)
}

fn with_value(bytes: &[u8], value: &Range<usize>, new: &[u8]) -> Vec<u8> {
    let before = bytes.get(..value.start).unwrap_or_default();
    let after = bytes.get(value.end..).unwrap_or_default();
    [before, new, after].concat()
}

#[cfg(test)]
mod tests;
