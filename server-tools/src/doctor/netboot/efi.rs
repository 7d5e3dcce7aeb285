//! What shim and GRUB load after themselves. Pure.
//!
//! ```text
//! shimx64.efi ─▶ grubx64.efi beside it ─▶ grub.cfg in GRUB's own folder ─▶ kernel, initrds, further configurations
//! ```
//! GRUB has the name of its folder built in, as `grub-mkimage` writes it.

use std::collections::BTreeSet;

use super::grub_cfg;

/// What shim says of itself in its own file.
const SHIM: &[u8] = b"UEFI SHIM\n";
/// What shim starts (shim's `DEFAULT_LOADER`).
const SECOND_STAGE: &str = "grubx64.efi";

/// Where GRUB's modules and words are in its own file: this mark, the distance from it to the first of them, and from it to
/// the end (GRUB's `struct grub_module_info64`).
const MODULES: &[u8] = b"mimg";
const INFORMATION: usize = 24;
/// Each begins with its kind and its whole size, of four bytes each (`struct grub_module_header`).
const HEADER: usize = 8;
const FOLDER: u32 = 3;

/// What Debian's GRUB reads in its folder. It would prefer others, but looks for them in a list of the folder, which it does not
/// get over the network: they are never found there (seen with 2.12).
const CONFIGURATION: &str = "grub.cfg";

/// The names of all files that this one, whose contents are given, leads to, if it is shim or GRUB.
pub(super) fn loaded_after(
    boot_file: &str,
    contents: &[u8],
    read: &mut dyn FnMut(&str) -> Option<Vec<u8>>,
) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut second = None;
    if contains(contents, SHIM) {
        let name = format!("{}{SECOND_STAGE}", super::folder_of(boot_file));
        second = read(&name);
        names.insert(name);
        if second.is_none() {
            return names;
        }
    }
    let grub = second.as_deref().unwrap_or(contents);
    let Some(folder) = built_in_folder(grub) else { return names };
    let mut waiting = vec![format!("{folder}/{CONFIGURATION}")];
    while let Some(configuration) = waiting.pop() {
        if !names.insert(configuration.clone()) {
            continue;
        }
        let Some(bytes) = read(&configuration) else { continue };
        let named = grub_cfg::files(&String::from_utf8_lossy(&bytes));
        names.extend(named.loaded);
        waiting.extend(named.configurations);
    }
    names
}

/// The folder that a GRUB for the network looks for its configuration in; none if it is not GRUB or names a disk.
fn built_in_folder(bytes: &[u8]) -> Option<String> {
    let marks = bytes.windows(MODULES.len()).enumerate().filter(|(_, window)| *window == MODULES);
    marks.map(|(at, _)| at).find_map(|at| folder_behind(bytes.get(at..)?))
}

fn folder_behind(bytes: &[u8]) -> Option<String> {
    let whole = bytes.get(..size(bytes, 16)?)?;
    let mut rest = whole.get(size(whole, 8)?..)?;
    if whole.len() - rest.len() < INFORMATION {
        return None;
    }
    loop {
        let length = usize::try_from(number(rest, 4)?).ok().filter(|length| *length >= HEADER)?;
        let content = rest.get(HEADER..length)?;
        if number(rest, 0)? == FOLDER {
            let name = std::str::from_utf8(content.split(|byte| *byte == 0).next()?).ok()?;
            return name.starts_with('/').then(|| name.trim_end_matches('/').to_owned());
        }
        rest = rest.get(length..)?;
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn size(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?)).ok()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program with what `grub-mkimage` puts behind its own code.
    fn grub(folder: &str) -> Vec<u8> {
        let part = |kind: u32, content: &[u8]| {
            let length = u32::try_from(HEADER + content.len()).unwrap();
            [&kind.to_le_bytes(), &length.to_le_bytes(), content].concat()
        };
        let parts = [
            part(0, b"a module"),
            part(2, b"normal\0"),
            part(FOLDER, &[folder.as_bytes(), &[0; 3]].concat()),
        ];
        let parts = parts.concat();
        let end = u64::try_from(INFORMATION + parts.len()).unwrap();
        let sizes = [u64::try_from(INFORMATION).unwrap().to_le_bytes(), end.to_le_bytes()].concat();
        [b"MZ code that says mimg, too, and goes on", MODULES, &[0; 4], &sizes, &parts, b"signature"].concat()
    }

    fn loaded(boot_file: &str, files: &[(&str, &[u8])]) -> Vec<String> {
        let mut read = |asked: &str| {
            files.iter().find(|(name, _)| *name == asked).map(|(_, contents)| contents.to_vec())
        };
        let contents = read(boot_file).unwrap();
        loaded_after(boot_file, &contents, &mut read).into_iter().collect()
    }

    const OURS: &[u8] =
        b"if linux /vmlinuz 'rw' $card; then\n  if initrd /initrd; then\n    boot\n  fi\nfi\n";
    const SHIM_FILE: &[u8] = b"MZ\0UEFI SHIM\n$Version: 16.1 $\n";

    #[test]
    fn shim_leads_to_grub_beside_it_and_that_to_its_folders_configuration() {
        let (grub, shim) = (grub("/grub"), SHIM_FILE);
        let files: [(&str, &[u8]); 3] =
            [("efi/shimx64.efi", shim), ("efi/grubx64.efi", &grub), ("/grub/grub.cfg", OURS)];
        let expected = ["/grub/grub.cfg", "/initrd", "/vmlinuz", "efi/grubx64.efi"];
        assert_eq!(loaded("efi/shimx64.efi", &files), expected);
        assert_eq!(loaded("efi/shimx64.efi", &files[..2]), ["/grub/grub.cfg", "efi/grubx64.efi"]);
        assert_eq!(loaded("efi/shimx64.efi", &files[..1]), ["efi/grubx64.efi"]);
        assert_eq!(
            loaded("efi/grubx64.efi", &files),
            expected[..3],
            "without Secure Boot GRUB alone will do"
        );
    }

    #[test]
    fn what_a_configuration_names_is_looked_into_and_one_for_a_platform_is_not_read_over_the_network() {
        let grub = grub("/boot/grub/");
        let sources: &[u8] = b"source /boot/grub/more.cfg\nconfigfile /boot/grub/grub.cfg";
        let files: [(&str, &[u8]); 4] = [
            ("g.efi", &grub),
            ("/boot/grub/grub.cfg", sources),
            ("/boot/grub/more.cfg", b"linux /elsewhere"),
            ("/boot/grub/x86_64-efi/grub.cfg", b"linux /nowhere"),
        ];
        assert_eq!(loaded("g.efi", &files), ["/boot/grub/grub.cfg", "/boot/grub/more.cfg", "/elsewhere"]);
    }

    #[test]
    fn what_is_neither_shim_nor_a_grub_for_the_network_leads_nowhere_wherever_it_is_cut() {
        let whole = grub("/grub");
        let signature = b"signature".len();
        for length in 0..whole.len() - signature {
            assert_eq!(loaded("g.efi", &[("g.efi", &whole[..length])]), [""; 0], "{length}");
        }
        for other in [&b"MZ iPXE"[..], &grub("(hd0,gpt1)/grub"), b"mimg"] {
            assert_eq!(loaded("g.efi", &[("g.efi", other)]), [""; 0]);
        }
    }
}
