//! Disks that the firmware's setup hides from Linux, and what a person can do about it. Does not look at the machine.

use std::fmt;

use anyhow::bail;
use ghost_contract::DiskChoice;

/// A controller that may hide its disks as long as the firmware has it set to RAID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RaidController {
    /// Vendor and device as `lspci -nn` shows them: `8086:a282`.
    pub id: String,
    /// So many NVMe disks are certainly hidden behind it (Intel RST, Optane): they have no place of their own on the bus, and
    /// Linux has no driver for them (Linux, drivers/ata/ahci.c, `ahci_remap_check`).
    pub remapped: u32,
}

impl fmt::Display for RaidController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = &self.id;
        match self.remapped {
            0 => write!(f, "disks may be hidden behind its RAID controller {id}")?,
            1 => write!(f, "an NVMe disk is hidden behind its SATA controller {id}")?,
            many => write!(f, "{many} NVMe disks are hidden behind its SATA controller {id}")?,
        }
        f.write_str(": switch SATA or NVMe from RAID (RST, VMD, Optane) to AHCI in the firmware's setup")
    }
}

/// An error where the disks that are meant may be among those that are certainly hidden. Which one is the first cannot be told
/// then, and those that are seen are not all; half of a disk with an Optane cache is no disk either.
pub(crate) fn require_none(choice: &DiskChoice, controllers: &[RaidController]) -> anyhow::Result<()> {
    let hides = controllers.iter().find(|controller| controller.remapped > 0);
    match (choice, hides) {
        (DiskChoice::First | DiskChoice::All, Some(controller)) => {
            bail!("cannot tell which disk is {choice}: {controller}, or name the disk that is meant (DISK)")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controller(remapped: u32) -> RaidController {
        RaidController { id: "8086:a282".to_owned(), remapped }
    }

    #[test]
    fn while_disks_are_hidden_nothing_is_guessed_and_a_disk_that_is_named_is_found() {
        let refused = |choice: &str, remapped| {
            let controllers = [controller(0), controller(remapped)];
            require_none(&choice.parse().unwrap(), &controllers).err().map(|error| error.to_string())
        };
        assert_eq!(
            refused("first", 1).unwrap(),
            "cannot tell which disk is first: an NVMe disk is hidden behind its SATA controller 8086:a282: switch SATA or NVMe \
             from RAID (RST, VMD, Optane) to AHCI in the firmware's setup, or name the disk that is meant (DISK)"
        );
        assert!(refused("all", 2).unwrap().contains("2 NVMe disks are hidden"));
        for choice in ["/dev/sda", "serial:S3Z 1", "size:500G"] {
            assert_eq!(refused(choice, 2), None, "{choice}");
        }
        assert_eq!(refused("first", 0), None, "a RAID controller alone hides nothing for certain");
    }
}
