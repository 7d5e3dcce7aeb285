//! `/etc/ghostrc`: a whole one where there is none, and what one lacks that is there. Pure.
//!
//! Of a file that is there no byte changes: what is missing goes to its end. As in a shell, the last assignment of a key holds.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};

use super::Wishes;
use super::old::{Old, overlay_beside};
use crate::dhcp::Kind;
use crate::exit::{Exit, WithExit as _};
use crate::ghostrc::{Firmware, Ghostrc};

/// Where things are unless a person says otherwise.
pub(crate) const BASE: &str = "/srv/ghost4linux/base";
pub(crate) const STORE: &str = "/srv/ghost";

/// What the machine says, where a person says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Surroundings {
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) tftp: Option<PathBuf>,
    pub(crate) kind: Kind,
    /// Whether packets to the clients leave by their interface without being told to.
    pub(crate) is_routed: bool,
    /// The interface that has PXEADDR, if that is another one.
    pub(crate) other_interface: Option<String>,
}

impl Surroundings {
    /// The interface that the settings have to name. One that routes lead by is not named: it would hold for clients of other networks too.
    fn named<'a>(&self, wishes: &'a Wishes) -> Option<&'a String> {
        wishes.interface.as_ref().filter(|_| !self.is_routed)
    }
}

/// The file for a machine that has none.
pub(crate) fn new(wishes: &Wishes, around: &Surroundings) -> anyhow::Result<String> {
    let address = wishes.address.or(around.address).ok_or_else(|| {
        anyhow!("this machine has no IPv4 address that clients could see: give --address or --interface")
            .exit(Exit::Usage)
    })?;
    let base = wishes.base.clone().unwrap_or_else(|| PathBuf::from(BASE));
    let store = wishes.store.clone().unwrap_or_else(|| PathBuf::from(STORE));
    let export = wishes.store_export.as_ref().map_or_else(
        || format!("{address}:{}", store.display()),
        |export| format!("{}:{}", export.server, export.path.display()),
    );
    let mut lines = Lines::default();
    lines.text.push_str("# The settings of the Ghost4Linux boot server: ghostrc(5). 'ghostctl setup' has made this file; change it as you like.\n");
    lines.add("PXEADDR", &address.to_string(), "this server, as clients see it")?;
    lines.add("PXEBASE", text(&base)?, "the base root")?;
    lines.add("EXPORTS", "job", "each client can mount its own folders, while it has a job")?;
    lines.add("GHSTBASE", text(&store)?, "the image store as this server sees it")?;
    lines.add("GHSTNFS", &export, "and as clients mount it")?;
    if around.kind.needs_restart() {
        let why = "called with restart, makes the DHCP server take up its configuration";
        lines.add("DHCPD", &restart(around.kind), why)?;
        if wishes.dhcp_server.is_some() {
            lines.add("DHCPSERVER", around.kind.word(), "whatever others are installed")?;
        }
    } else {
        lines.add("DHCPSERVER", around.kind.word(), "it takes its configuration up without a restart")?;
    }
    if let Some(configuration) = &wishes.dhcp_configuration {
        lines.add("DHCPDCONF", text(configuration)?, "the DHCP server's configuration")?;
    }
    if let Some(tftp) = wishes.tftp.as_ref().or(around.tftp.as_ref()) {
        lines.add("TFTPBASE", text(tftp)?, "the TFTP server's folder")?;
    }
    if wishes.floppy.is_some() {
        lines.add("OVERLAY", text(&overlay_beside(&base))?, FLOPPY_IN_IT)?;
    }
    if let Some(interface) = around.named(wishes) {
        lines.add("INTERFACE", interface, "the interface that magic packets go out of")?;
    }
    if let Some(firmware) = wishes.firmware {
        lines.add("FIRMWARE", firmware.word(), "of clients that have no FIRMWARE_host")?;
    }
    if wishes.http_boot {
        lines.add(HTTP_BOOT, "yes", OVER_HTTP)?;
    }
    Ok(lines.text)
}

const FLOPPY_IN_IT: &str = "the boot floppy with Norton Ghost, which goes into the base root";
const HTTP_BOOT: &str = "HTTPBOOT";
const OVER_HTTP: &str = "UEFI clients load kernel and initramfs over HTTP";

fn restart(kind: Kind) -> String {
    format!("systemctl restart {}", kind.traits().unit)
}

/// What goes to the end of a file that is there; empty if it has all. Fails where a wish contradicts it.
pub(crate) fn missing(
    there: &Ghostrc,
    wishes: &Wishes,
    around: &Surroundings,
    old: &Old,
) -> anyhow::Result<String> {
    require_no_contradiction(there, wishes, around, old)?;
    let mut lines = Lines::default();
    if let Some(base) = old.new_base(there, wishes) {
        lines.add("PXEBASE", text(&base)?, "the base root; the one before stays where it is")?;
    }
    if old.is_restart_gone && around.kind.needs_restart() {
        lines.add("DHCPD", &restart(around.kind), "in place of the script above, which is not there")?;
    }
    if there.dhcp_server.is_none()
        && let Some(kind) = wishes.dhcp_server
    {
        lines.add("DHCPSERVER", kind.word(), "whatever others are installed")?;
        if kind.traits().is_beside_another {
            lines.add("DHCPD", &restart(kind), "makes it take its configuration up")?;
        }
    }
    if there.dhcp_configuration.is_none()
        && let Some(configuration) = &wishes.dhcp_configuration
    {
        lines.add("DHCPDCONF", text(configuration)?, "the DHCP server's configuration")?;
    }
    if let Some(overlay) = old.overlay(there, wishes) {
        lines.add("OVERLAY", text(&overlay)?, FLOPPY_IN_IT)?;
    }
    if there.variable("TFTPBASE").is_none()
        && let Some(tftp) =
            wishes.tftp.as_ref().or(around.tftp.as_ref()).filter(|tftp| **tftp != there.tftp_base)
    {
        lines.add("TFTPBASE", text(tftp)?, "the TFTP server's folder")?;
    }
    if there.variable("INTERFACE").is_none()
        && let Some(interface) = around.named(wishes)
    {
        lines.add("INTERFACE", interface, "the interface that magic packets go out of")?;
    }
    if there.variable("FIRMWARE").is_none()
        && let Some(firmware) = wishes.firmware.filter(|firmware| *firmware != Firmware::Bios)
    {
        lines.add("FIRMWARE", firmware.word(), "of clients that have no FIRMWARE_host")?;
    }
    if wishes.http_boot && !there.of_base_root.contains_key(HTTP_BOOT) {
        lines.add(HTTP_BOOT, "yes", OVER_HTTP)?;
    }
    Ok(lines.text)
}

/// Fails where a flag says something else than the file. A flag that is passed over without a word would have other things done than asked for.
fn require_no_contradiction(
    there: &Ghostrc,
    wishes: &Wishes,
    around: &Surroundings,
    old: &Old,
) -> anyhow::Result<()> {
    require_the_same("PXEADDR", "--address", wishes.address.as_ref(), &there.boot_server)?;
    if !old.is_old_base() {
        require_the_same("PXEBASE", "--base", wishes.base.as_ref(), &there.base_root)?;
    }
    require_the_same("GHSTBASE", "--store", wishes.store.as_ref(), &there.store_folder)?;
    require_the_same("GHSTNFS", "--store-export", wishes.store_export.as_ref(), &there.store_export)?;
    if let Some(named) = &there.dhcp_server {
        require_the_same("DHCPSERVER", "--dhcp-server", wishes.dhcp_server.as_ref(), named)?;
    }
    if let Some(said) = there.of_base_root.get(HTTP_BOOT) {
        let wished = wishes.http_boot.then_some("yes");
        require_the_same(HTTP_BOOT, "--http-boot", wished.as_ref(), &said.as_str())?;
    }
    if there.variable("TFTPBASE").is_some() {
        require_the_same("TFTPBASE", "--tftp", wishes.tftp.as_ref(), &there.tftp_base)?;
    }
    if there.variable("INTERFACE").is_some() {
        let said = there.settings().interface.clone().unwrap_or_default();
        require_the_same("INTERFACE", "--interface", wishes.interface.as_ref(), &said)?;
    } else if let (Some(_), Some(other), None) = (&wishes.interface, &around.other_interface, wishes.network)
        && around.is_routed
    {
        let words = "--interface contradicts PXEADDR in ghostrc, which is an address of";
        return Err(anyhow!("{words} {other}; give it with --subnet for a further network, or leave it out")
            .exit(Exit::Usage));
    }
    if there.variable("FIRMWARE").is_some() {
        let said = there.settings().firmware;
        require_the_same("FIRMWARE", "--firmware", wishes.firmware.as_ref(), &said)?;
    }
    if let Some(named) = &there.dhcp_configuration {
        let wished = wishes.dhcp_configuration.as_ref();
        require_the_same("DHCPDCONF", "--dhcp-configuration", wished, named)?;
    }
    Ok(())
}

fn require_the_same<T: PartialEq + std::fmt::Debug>(
    key: &str,
    flag: &str,
    wished: Option<&T>,
    there: &T,
) -> anyhow::Result<()> {
    match wished {
        Some(wished) if wished != there => Err(anyhow!(
            "{flag} contradicts {key} in ghostrc; change it there if it is wrong, or leave {flag} out"
        )
        .exit(Exit::Usage)),
        _ => Ok(()),
    }
}

/// Behind what is there, on lines of their own.
pub(crate) fn appended(there: &[u8], lines: &str) -> Vec<u8> {
    let gap = if there.is_empty() || there.ends_with(b"\n") { "" } else { "\n" };
    [there, gap.as_bytes(), b"# Added by 'ghostctl setup'.\n", lines.as_bytes()].concat()
}

#[derive(Default)]
struct Lines {
    text: String,
}

impl Lines {
    /// `KEY=VALUE`, with the reason behind it.
    fn add(&mut self, key: &str, value: &str, why: &str) -> anyhow::Result<()> {
        let assignment = format!("{key}={}", quoted(value)?);
        // Writing into a string cannot fail.
        let _ = writeln!(self.text, "{assignment:<60} # {why}");
        Ok(())
    }
}

/// As a shell would read it back.
fn quoted(value: &str) -> anyhow::Result<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        return Ok(value.to_owned());
    }
    if value.contains('\'') || value.chars().any(char::is_control) {
        bail!("ghostrc cannot hold {value:?}: choose a name without quotes and control characters");
    }
    Ok(format!("'{value}'"))
}

fn text(path: &Path) -> anyhow::Result<&str> {
    let text = path.to_str().ok_or_else(|| anyhow!("{} is not UTF-8, and ghostrc is", path.display()))?;
    if !path.is_absolute() {
        return Err(anyhow!("{text} is no whole path, which begins with '/'").exit(Exit::Usage));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
