//! The DHCP edits against configurations nobody has thought of, and against dhcpd itself.

// The attribute tells the lints that everything here is a test.
#[cfg(test)]
mod configurations;
#[cfg(test)]
mod edits;
#[cfg(test)]
mod kea;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod restarts;
#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod server;
