//! The firmware of a PC: what QEMU is told of it, and what the PC keeps of it.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::config::Nic;

/// The firmware's own variables, below the PC's folder: keys for Secure Boot, and what to boot.
const VARIABLES: &str = "variables.fd";
/// Where Debian has the UEFI firmware OVMF.
const OVMF: &str = "/usr/share/OVMF";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    #[default]
    Bios,
    /// UEFI that starts any program.
    Uefi,
    /// UEFI that starts what a key of Microsoft's has signed, as PCs are sold.
    SecureBoot,
}

/// A word that is not a firmware.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a firmware of the lab; choose bios, uefi or secure-boot")]
pub struct FirmwareError(String);

impl Firmware {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Bios => "bios",
            Self::Uefi => "uefi",
            Self::SecureBoot => "secure-boot",
        }
    }

    /// Whether it is UEFI, with or without Secure Boot.
    pub const fn is_uefi(self) -> bool {
        !matches!(self, Self::Bios)
    }

    /// QEMU's words for a machine with it. Two settings keep OVMF from asking for an IPv6 address, for 64 s.
    pub(crate) fn machine(self) -> String {
        let (machine, code) = match self {
            Self::Bios => return "-machine pc".to_owned(),
            Self::Uefi => ("-machine q35", "OVMF_CODE_4M.fd"),
            // Only system management mode may write the variables.
            Self::SecureBoot => (
                "-machine q35,smm=on -global driver=cfi.pflash01,property=secure,value=on",
                "OVMF_CODE_4M.secboot.fd",
            ),
        };
        let setting = "-fw_cfg name=opt/org.tianocore";
        format!(
            "{machine} -drive if=pflash,format=raw,unit=0,readonly=on,file={OVMF}/{code} \
             -drive if=pflash,format=raw,unit=1,file={VARIABLES} \
             {setting}/IPv6Support,string=n {setting}/IPv6PXESupport,string=n"
        )
    }

    /// What QEMU is to know of the network card. OVMF starts the boot ROM of a card that has one, and not its own driver, which
    /// it has for virtio only. QEMU finds the ROMs for BIOS by itself.
    pub(crate) fn boot_rom(self, nic: Nic, efi_roms: Option<&Path>) -> String {
        match efi_roms {
            _ if !self.is_uefi() => String::new(),
            Some(roms) if nic != Nic::Virtio => format!(",romfile={}/efi-{nic}.rom", roms.display()),
            _ => ",romfile=".to_owned(),
        }
    }

    /// Gives a new PC the firmware's variables.
    pub(crate) fn make_variables(self, folder: &Path) -> anyhow::Result<()> {
        let template = match self {
            Self::Bios => return Ok(()),
            Self::Uefi => "OVMF_VARS_4M.fd",
            Self::SecureBoot => "OVMF_VARS_4M.ms.fd",
        };
        let template = Path::new(OVMF).join(template);
        fs::copy(&template, folder.join(VARIABLES))
            .map(drop)
            .with_context(|| format!("cannot copy {}, which Debian's package ovmf has", template.display()))
    }
}

impl FromStr for Firmware {
    type Err = FirmwareError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Bios, Self::Uefi, Self::SecureBoot]
            .into_iter()
            .find(|firmware| firmware.as_str() == text)
            .ok_or_else(|| FirmwareError(text.to_owned()))
    }
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_for_secure_boot_are_enrolled_and_nobody_but_the_firmware_may_change_them() {
        let words = Firmware::SecureBoot.machine();
        for needed in
            ["smm=on", "property=secure,value=on", "OVMF_CODE_4M.secboot.fd", "unit=1,file=variables.fd"]
        {
            assert!(words.contains(needed), "{words}");
        }
        let folder = tempfile::tempdir().unwrap();
        Firmware::SecureBoot.make_variables(folder.path()).unwrap();
        let variables = fs::read(folder.path().join(VARIABLES)).unwrap();
        let microsoft = b"Microsoft Corporation UEFI CA 2011";
        assert!(variables.windows(microsoft.len()).any(|window| window == microsoft));
    }

    #[test]
    fn a_card_that_the_firmware_has_no_driver_for_gets_a_rom() {
        let roms = Some(Path::new("/roms"));
        let rom = |firmware: Firmware, nic, roms| firmware.boot_rom(nic, roms);
        assert_eq!(rom(Firmware::Uefi, Nic::Vmxnet3, roms), ",romfile=/roms/efi-vmxnet3.rom");
        assert_eq!(rom(Firmware::Uefi, Nic::Virtio, roms), ",romfile=");
        assert_eq!(rom(Firmware::SecureBoot, Nic::Vmxnet3, None), ",romfile=");
        assert_eq!(rom(Firmware::Bios, Nic::Vmxnet3, roms), "");
    }

    #[test]
    fn a_firmware_is_called_as_it_is_written() {
        assert_eq!("secure-boot".parse(), Ok(Firmware::SecureBoot));
        assert_eq!("efi".parse::<Firmware>(), Err(FirmwareError("efi".to_owned())));
    }
}
