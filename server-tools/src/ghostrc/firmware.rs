//! What a host's firmware is, and what follows from it: the boot file, and how the boot ROM says what it is.

/// A PC's firmware (`FIRMWARE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Firmware {
    /// Also UEFI that boots as a BIOS does (legacy boot, CSM).
    Bios,
    /// UEFI for 64-bit PCs, without or with Secure Boot.
    Uefi,
}

impl Firmware {
    pub(super) const ALL: [Self; 2] = [Self::Bios, Self::Uefi];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|firmware| firmware.word() == text)
    }

    /// What settings call it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Bios => "bios",
            Self::Uefi => "uefi",
        }
    }

    /// What a host with it is offered for a job, unless the settings name another file.
    pub(super) const fn boot_file(self) -> &'static str {
        match self {
            Self::Bios => "pxelinux.0",
            Self::Uefi => "shimx64.efi",
        }
    }

    /// Its number among the client systems of DHCP (RFC 4578 §2.1), in which 7 is what x64 UEFI sends.
    pub(crate) const fn client_system(self) -> u16 {
        match self {
            Self::Bios => 0,
            Self::Uefi => 7,
        }
    }
}
