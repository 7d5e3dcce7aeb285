//! Which files a boot loader loads after itself, so that a client that lacks one of them is found before it is woken. Pure.
//! Of pxelinux here; of shim and GRUB in `efi`.
//!
//! ```text
//! pxelinux.0 ─▶ ldlinux.c32 ─▶ pxelinux.cfg/default ─▶ modules, each with those that it names ─▶ kernel and initrd
//!                                       └─▶ other configurations that it names
//! ```
//! Knows neither disks nor TFTP.

mod efi;
pub(crate) mod grub_cfg;

use std::collections::BTreeSet;

/// What pxelinux says of itself in its own file, with the version after it.
const BANNER: &[u8] = b"PXELINUX ";
/// Since version 5 the larger part of pxelinux is in this module.
const SECOND_PART: &str = "ldlinux.c32";
const SINCE: u32 = 5;
pub(super) const CONFIGURATION: &str = "pxelinux.cfg/default";
/// GRUB's, for UEFI clients.
pub(crate) const GRUB_CONFIGURATION: &str = "grub/grub.cfg";
/// What pxelinux can load in place of names of its own folder.
const ELSEWHERE: [&str; 2] = ["://", "::"];

/// The names of all files that this one leads to, besides itself, as a client asks for them. None of a boot loader that is
/// not known.
/// `read` gives a file's contents if it is there.
pub(crate) fn loaded_after(
    boot_file: &str,
    read: &mut dyn FnMut(&str) -> Option<Vec<u8>>,
) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let Some(contents) = read(boot_file) else { return names };
    let Some(version) = version(&contents) else { return efi::loaded_after(boot_file, &contents, read) };
    let folder = folder_of(boot_file);
    let mut waiting = vec![CONFIGURATION.to_owned()];
    waiting.extend((version >= SINCE).then(|| SECOND_PART.to_owned()));
    while let Some(name) = waiting.pop() {
        let asked_for = if name.starts_with('/') { name.clone() } else { format!("{folder}{name}") };
        if ELSEWHERE.iter().any(|mark| name.contains(mark)) || !names.insert(asked_for.clone()) {
            continue;
        }
        let is_configuration = name == CONFIGURATION || name.ends_with(".cfg");
        let Some(bytes) = (is_configuration || is_module(&name)).then(|| read(&asked_for)).flatten() else {
            continue;
        };
        waiting.extend(if is_configuration {
            named_by_configuration(&bytes)
        } else {
            named_by_module(&bytes)
        });
    }
    names
}

/// What stands before a file's own name, up to the last slash.
fn folder_of(file: &str) -> &str {
    file.rfind('/').map_or("", |slash| file.get(..=slash).unwrap_or_default())
}

/// The number before the dot; none if it is not pxelinux.
fn version(bytes: &[u8]) -> Option<u32> {
    let at = bytes.windows(BANNER.len()).position(|window| window == BANNER)?;
    let digits: Vec<u8> =
        bytes.iter().skip(at + BANNER.len()).copied().take_while(u8::is_ascii_digit).collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

fn is_module(name: &str) -> bool {
    name.ends_with(".c32")
}

/// Kernels, initrds, modules and further configurations (syslinux.txt in syslinux' documentation).
fn named_by_configuration(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().flat_map(named_by_line).map(str::to_owned).collect()
}

fn named_by_line(line: &str) -> Vec<&str> {
    let mut words = line.split_ascii_whitespace();
    let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
    match keyword.as_str() {
        "KERNEL" | "LINUX" | "COM32" | "BOOT" | "PXE" | "CONFIG" | "INCLUDE" => words.take(1).collect(),
        "INITRD" => words.take(1).flat_map(|names| names.split(',')).collect(),
        "APPEND" => {
            words.filter_map(|word| word.strip_prefix("initrd=")).flat_map(|names| names.split(',')).collect()
        }
        // Labels are words too.
        "DEFAULT" | "UI" => words.take(1).filter(|word| is_module(word)).collect(),
        _ => Vec::new(),
    }
}

/// A module is an ELF file with the names of those that it needs among its strings.
fn named_by_module(bytes: &[u8]) -> Vec<String> {
    let strings = bytes.split(|byte| *byte == 0).filter_map(|string| std::str::from_utf8(string).ok());
    strings.filter(|string| is_module(string) && string.len() > ".c32".len()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "PROMPT 0\nDEFAULT by-processor\nLABEL by-processor\n  COM32 ifcpu64.c32\n  APPEND ghost4linux -- needs-64-bit\n\
        LABEL ghost4linux\n  KERNEL vmlinuz\n  INITRD initrd\n  APPEND boot=ghost\nLABEL needs-64-bit\n  CONFIG needs-64-bit.cfg\n";

    fn loaded(boot_file: &str, files: &[(&str, &[u8])]) -> Vec<String> {
        let mut read = |asked: &str| {
            files.iter().find(|(name, _)| *name == asked).map(|(_, contents)| contents.to_vec())
        };
        loaded_after(boot_file, &mut read).into_iter().collect()
    }

    #[test]
    fn all_that_our_own_configuration_leads_to_is_found() {
        let module = b"\x7fELF\0printf\0libcom32.c32\0.c32\0";
        let files: [(&str, &[u8]); 4] = [
            ("pxelinux.0", b"\0PXELINUX 6.04 PXE 2020\0"),
            (CONFIGURATION, OURS.as_bytes()),
            ("ifcpu64.c32", module),
            ("needs-64-bit.cfg", b"SAY no\nUI menu.c32\n"),
        ];
        assert_eq!(
            loaded("pxelinux.0", &files),
            [
                "ifcpu64.c32",
                "initrd",
                "ldlinux.c32",
                "libcom32.c32",
                "menu.c32",
                "needs-64-bit.cfg",
                CONFIGURATION,
                "vmlinuz"
            ]
        );
    }

    #[test]
    fn names_are_those_of_the_boot_files_folder_and_what_is_elsewhere_is_not_asked_for() {
        let configuration = b"default linux\nlabel linux\nkernel /boot/vmlinuz\nappend initrd=a.gz,b.gz quiet\nlabel far\nlinux http://far/vmlinuz\ninclude pxelinux.cfg/default\n";
        let files: [(&str, &[u8]); 2] =
            [("bios/pxelinux.0", b"PXELINUX 4.05"), ("bios/pxelinux.cfg/default", configuration)];
        let expected = ["/boot/vmlinuz", "bios/a.gz", "bios/b.gz", "bios/pxelinux.cfg/default"];
        assert_eq!(loaded("bios/pxelinux.0", &files), expected, "version 4 is in one piece");
    }

    #[test]
    fn another_boot_loader_leads_nowhere_that_is_known() {
        assert_eq!(loaded("ipxe.efi", &[("ipxe.efi", b"iPXE"), (CONFIGURATION, OURS.as_bytes())]), [""; 0]);
    }
}
