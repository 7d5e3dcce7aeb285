//! Which display the machine has and who drives it, as the kernel lists them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The kernel's list of PCI devices.
const PCI_DEVICES: &str = "/sys/bus/pci/devices";
/// The kernel's list of what draws its consoles.
const CONSOLES: &str = "/sys/class/vtconsole";
/// Class 03h, subclass 00h, programming interface 00h: a VGA (PCI Code and ID Assignment Specification).
const VGA: &str = "0x030000";

/// Why the VGA is not what the monitor shows.
#[derive(Debug, thiserror::Error)]
pub enum DisplayError {
    /// There is none, or it is not the one that the firmware switched on.
    #[error("there is no VGA")]
    NoVga,
    /// A driver displays something of its own.
    #[error("a driver displays something else than the VGA's memory")]
    Driven,
    /// The kernel's console is elsewhere: on a frame buffer that firmware or boot loader left, or nowhere.
    #[error("the kernel's console is not on the VGA")]
    ConsoleElsewhere,
    #[error("cannot read {path}")]
    List { path: PathBuf, source: io::Error },
}

/// The VGA whose memory the monitor shows, as a folder of sysfs: the rules are those of the kernel module (`kmod/`).
pub fn vga() -> Result<PathBuf, DisplayError> {
    displayed(Path::new(PCI_DEVICES), Path::new(CONSOLES))
}

fn displayed(devices: &Path, consoles: &Path) -> Result<PathBuf, DisplayError> {
    let is_boot_vga = |device: &PathBuf| line(device, "class") == VGA && line(device, "boot_vga") == "1";
    let vga = entries(devices)?.into_iter().find(is_boot_vga).ok_or(DisplayError::NoVga)?;
    if vga.join("driver").exists() {
        return Err(DisplayError::Driven);
    }
    // vgacon calls itself "VGA+" (drivers/video/console/vgacon.c).
    let draws = |console: &PathBuf| line(console, "name").contains("VGA+") && line(console, "bind") == "1";
    if !entries(consoles)?.iter().any(draws) {
        return Err(DisplayError::ConsoleElsewhere);
    }
    Ok(vga)
}

/// The line in a file of sysfs; a device that has no such file says nothing.
pub(super) fn line(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_default().trim().to_owned()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, DisplayError> {
    let fail = |source| DisplayError::List { path: folder.to_owned(), source };
    fs::read_dir(folder).map_err(fail)?.map(|entry| entry.map(|entry| entry.path()).map_err(fail)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found where the VGA and the console have these files.
    fn found(vga: &[(&str, &str)], console: &[(&str, &str)]) -> Result<PathBuf, DisplayError> {
        let sys = tempfile::tempdir().unwrap();
        let (devices, consoles) = (sys.path().join("devices"), sys.path().join("consoles"));
        for (folder, files) in [(devices.join("0000:00:02.0"), vga), (consoles.join("vtcon0"), console)] {
            fs::create_dir_all(&folder).unwrap();
            files.iter().for_each(|(name, text)| fs::write(folder.join(name), format!("{text}\n")).unwrap());
        }
        displayed(&devices, &consoles)
    }

    #[test]
    fn the_vga_counts_only_where_it_is_what_is_displayed() {
        const CARD: (&str, &str) = ("class", "0x030000");
        const BOOT: (&str, &str) = ("boot_vga", "1");
        const CONSOLE: [(&str, &str); 2] = [("name", "(S) VGA+"), ("bind", "1")];
        assert!(found(&[CARD, BOOT], &CONSOLE).unwrap().ends_with("0000:00:02.0"));
        assert!(matches!(found(&[("class", "0x038000"), BOOT], &CONSOLE), Err(DisplayError::NoVga)));
        assert!(matches!(found(&[CARD, ("boot_vga", "0")], &CONSOLE), Err(DisplayError::NoVga)));
        assert!(matches!(found(&[CARD, BOOT, ("driver", "")], &CONSOLE), Err(DisplayError::Driven)));
        for elsewhere in
            [[("name", "(S) dummy device"), ("bind", "1")], [("name", "(S) VGA+"), ("bind", "0")]]
        {
            assert!(matches!(found(&[CARD, BOOT], &elsewhere), Err(DisplayError::ConsoleElsewhere)));
        }
    }
}
