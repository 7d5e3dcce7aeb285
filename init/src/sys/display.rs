//! Which display the machine has and who drives it, as the kernel lists them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// The kernel's list of PCI devices.
const PCI_DEVICES: &str = "/sys/bus/pci/devices";
/// The kernel's list of what draws its consoles.
const CONSOLES: &str = "/sys/class/vtconsole";
/// Class 03h, subclass 00h, programming interface 00h: a VGA (PCI Code and ID Assignment Specification).
const VGA: &str = "0x030000";

/// The VGA whose memory the monitor shows, as a folder of sysfs: the rules are those of the kernel module (`kmod/`).
pub(crate) fn vga() -> anyhow::Result<PathBuf> {
    displayed(Path::new(PCI_DEVICES), Path::new(CONSOLES))
}

fn displayed(devices: &Path, consoles: &Path) -> anyhow::Result<PathBuf> {
    let is_boot_vga = |device: &PathBuf| line(device, "class") == VGA && line(device, "boot_vga") == "1";
    let vga = entries(devices)?.into_iter().find(is_boot_vga).context("there is no VGA")?;
    if vga.join("driver").exists() {
        bail!("a driver shows something other than the VGA's memory");
    }
    // vgacon calls itself "VGA+" (drivers/video/console/vgacon.c).
    let draws = |console: &PathBuf| line(console, "name").contains("VGA+") && line(console, "bind") == "1";
    if !entries(consoles)?.iter().any(draws) {
        // It is on a frame buffer that firmware or boot loader left, or nowhere.
        bail!("the kernel's console is not on the VGA");
    }
    Ok(vga)
}

/// The line in a file of sysfs; a device that has no such file says nothing.
pub(crate) fn line(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_default().trim().to_owned()
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>();
    read().with_context(|| format!("cannot read {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found where the VGA and the console have these files.
    fn found(vga: &[(&str, &str)], console: &[(&str, &str)]) -> anyhow::Result<PathBuf> {
        let sys = tempfile::tempdir().unwrap();
        let (devices, consoles) = (sys.path().join("devices"), sys.path().join("consoles"));
        for (folder, files) in [(devices.join("0000:00:02.0"), vga), (consoles.join("vtcon0"), console)] {
            fs::create_dir_all(&folder).unwrap();
            files.iter().for_each(|(name, text)| fs::write(folder.join(name), format!("{text}\n")).unwrap());
        }
        displayed(&devices, &consoles)
    }

    fn refused(found: anyhow::Result<PathBuf>) -> String {
        found.unwrap_err().to_string()
    }

    #[test]
    fn the_vga_counts_only_where_it_is_what_is_displayed() {
        const CARD: (&str, &str) = ("class", "0x030000");
        const BOOT: (&str, &str) = ("boot_vga", "1");
        const CONSOLE: [(&str, &str); 2] = [("name", "(S) VGA+"), ("bind", "1")];
        assert!(found(&[CARD, BOOT], &CONSOLE).unwrap().ends_with("0000:00:02.0"));
        assert_eq!(refused(found(&[("class", "0x038000"), BOOT], &CONSOLE)), "there is no VGA");
        assert_eq!(refused(found(&[CARD, ("boot_vga", "0")], &CONSOLE)), "there is no VGA");
        assert_eq!(
            refused(found(&[CARD, BOOT, ("driver", "")], &CONSOLE)),
            "a driver shows something other than the VGA's memory"
        );
        for elsewhere in
            [[("name", "(S) dummy device"), ("bind", "1")], [("name", "(S) VGA+"), ("bind", "0")]]
        {
            assert_eq!(refused(found(&[CARD, BOOT], &elsewhere)), "the kernel's console is not on the VGA");
        }
    }
}
