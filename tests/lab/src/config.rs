//! What a lab consists of: its PCs, where its base root and netboot files come from, its administrator's settings.
//!
//! Plain values: the process that brings a lab up fills them in, and the supervisor reads them from the lab's folder.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ghost_contract::{HostName, MacAddress};
use serde::{Deserialize, Serialize};

use crate::dhcp::DhcpServer;
use crate::firmware::Firmware;

/// The boot server in every lab.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);
/// The subnet's prefix length (the HOWTO's 255.255.255.128).
pub const PREFIX: u8 = 25;

/// A model of network card that QEMU has a boot ROM for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nic {
    /// RTL8139C+, driver 8139cp: can be armed, and reads back `g`.
    Rtl8139,
    /// Intel 82540EM: says that it can wake and refuses to be armed.
    E1000,
    /// Intel 82574L: says that it cannot wake.
    E1000e,
    /// A paravirtual card, for which OVMF has a driver of its own; it cannot wake.
    #[serde(rename = "virtio-net-pci")]
    Virtio,
    /// VMware's paravirtual card.
    Vmxnet3,
    /// AMD's PCnet-PCI II, which older virtual machines have.
    Pcnet,
    /// Intel 82576, which QEMU 8 and later have.
    Igb,
}

/// A word that is not a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a network card of the lab; choose rtl8139, e1000, e1000e, virtio-net-pci, vmxnet3, pcnet or igb"
)]
pub struct NicError(String);

/// How a PC's disk is connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskBus {
    /// To the chipset's own controller: `sda`.
    #[default]
    Ide,
    /// To an AHCI controller of its own, of which there can be one: the next `sd` that is free.
    Sata,
    /// As a paravirtual device: `vda`.
    Virtio,
    /// As a solid-state disk on PCI Express: `nvme0n1`.
    Nvme,
    /// As a stick in a USB port: the next `sd` that is free.
    Usb,
    /// As an SD card in a slot of the machine: `mmcblk0`. Its size must be a power of two.
    SdCard,
}

/// A disk besides a PC's first one. The test makes its file before the PC is switched on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherDisk {
    /// What it is called; its file is `NAME.raw` in the PC's folder.
    pub name: String,
    pub bus: DiskBus,
    /// Size of its sectors in bytes; IDE, SATA and SD cards have no others than 512.
    pub sector: u32,
    /// A place that cannot be read: the byte, at the beginning of 512.
    pub unreadable: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PcConfig {
    /// What it is called in the lab and in dhcpd.conf.
    pub name: HostName,
    pub mac: MacAddress,
    /// Its address on the network, by dhcpd.conf.
    pub ip: Ipv4Addr,
    pub nic: Nic,
    #[serde(default)]
    pub firmware: Firmware,
    /// A folder with boot ROMs for UEFI, `efi-NIC.rom`, as Debian's package ipxe-qemu has them.
    #[serde(default)]
    pub efi_roms: Option<PathBuf>,
    /// What else QEMU is to know of it: more arguments.
    #[serde(default)]
    pub more: Vec<String>,
    /// How its disk is connected.
    #[serde(default)]
    pub disk_bus: DiskBus,
    /// How fast its disk can be read and written, bytes a second, so that a job lasts; as fast as it goes, if nothing is
    /// said.
    #[serde(default)]
    pub disk_rate: Option<u64>,
    /// Its disk shows itself only when [`crate::lab::Pc::show_disk`] has it do so, on a SCSI adapter, whatever `disk_bus` is.
    #[serde(default)]
    pub shows_disk_late: bool,
    /// What disks it has besides.
    #[serde(default)]
    pub other_disks: Vec<OtherDisk>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LabConfig {
    /// What it is called; also its folder's name.
    pub name: HostName,
    /// The folder in which labs have their folders.
    pub labs: PathBuf,
    /// The base root that is copied into the lab.
    pub base_root: PathBuf,
    /// The TFTP folder that is copied into the lab.
    pub netboot: PathBuf,
    /// The program that writes the pxelinux configuration for a lab's paths.
    pub pxelinux_config: PathBuf,
    /// The program that writes GRUB's, for UEFI PCs.
    pub grub_config: PathBuf,
    /// More flags for the client's kernel command line.
    pub kernel_flags: Vec<String>,
    /// More keys for ghostrc, or other values than the lab's.
    pub ghostrc: BTreeMap<String, String>,
    /// How large the image store is, in MiB; as large as the disk that it is on, if nothing is said.
    #[serde(default)]
    pub store_mebibytes: Option<u32>,
    /// The boot server is another machine, which is plugged into the uplink: the lab is the switch and the PCs.
    #[serde(default)]
    pub servers_elsewhere: bool,
    /// Which DHCP server it has; [`Self::serve_dhcp_by`] chooses another.
    #[serde(default)]
    pub dhcp: DhcpServer,
    pub pcs: Vec<PcConfig>,
}

impl Nic {
    pub const ALL: [Self; 7] =
        [Self::Rtl8139, Self::E1000, Self::E1000e, Self::Virtio, Self::Vmxnet3, Self::Pcnet, Self::Igb];

    /// QEMU's name for it, which is also ours.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rtl8139 => "rtl8139",
            Self::E1000 => "e1000",
            Self::E1000e => "e1000e",
            Self::Virtio => "virtio-net-pci",
            Self::Vmxnet3 => "vmxnet3",
            Self::Pcnet => "pcnet",
            Self::Igb => "igb",
        }
    }
}

impl FromStr for Nic {
    type Err = NicError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|nic| nic.as_str() == text).ok_or_else(|| NicError(text.to_owned()))
    }
}

impl fmt::Display for Nic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl OtherDisk {
    /// Its file, below the PC's folder.
    pub fn file(&self) -> String {
        format!("{}.raw", self.name)
    }
}

impl PcConfig {
    /// Gives it this firmware, and a card that the firmware has a driver for.
    pub const fn with_firmware(&mut self, firmware: Firmware) {
        self.firmware = firmware;
        if !matches!(firmware, Firmware::Bios) {
            self.nic = Nic::Virtio;
        }
    }

    /// What its disk says when the PC boots it.
    pub fn own_disk_message(&self) -> String {
        format!("{}-OWN-DISK BOOTED", self.name.as_str().to_uppercase())
    }
}

impl LabConfig {
    /// A lab with the PCs of the HOWTO's dhcpd.conf, everything else from below the repository's `target/`,
    /// or from where `LAB_BASE_ROOT` and `LAB_NETBOOT` say.
    ///
    /// # Panics
    /// Never: the PCs' names are names.
    pub fn new(name: HostName) -> Self {
        let target = target_folder();
        let from_environment =
            |key: &str, default: PathBuf| std::env::var_os(key).map_or(default, PathBuf::from);
        Self {
            name,
            labs: target.join("lab"),
            base_root: from_environment("LAB_BASE_ROOT", target.join("rootfs/base")),
            netboot: from_environment("LAB_NETBOOT", target.join("rootfs/netboot")),
            pxelinux_config: repository().join("rootfs/pxelinux-config"),
            grub_config: repository().join("rootfs/grub-config"),
            kernel_flags: Vec::new(),
            ghostrc: BTreeMap::new(),
            store_mebibytes: None,
            servers_elsewhere: false,
            dhcp: DhcpServer::default(),
            pcs: howto_pcs(),
        }
    }

    /// Gives the lab this DHCP server. dnsmasq wants an address for each host, so with it, and as a proxy, fakebox has one of
    /// its own.
    pub fn serve_dhcp_by(&mut self, server: DhcpServer) {
        self.dhcp = server;
        let is_dnsmasq = matches!(server, DhcpServer::Dnsmasq | DhcpServer::Proxy);
        let shares = |pc: &&mut PcConfig| is_dnsmasq && pc.name.as_str() == "fakebox";
        self.pcs.iter_mut().filter(shares).for_each(|pc| pc.ip = Ipv4Addr::new(192, 168, 7, 5));
    }

    /// Whether the administrator has given each client exports of its own, for always or for the time of a job.
    pub(crate) fn has_own_exports(&self) -> bool {
        self.ghostrc.get("EXPORTS").is_some_and(|exports| matches!(exports.as_str(), "own" | "job"))
    }
}

/// The PCs that the HOWTO's dhcpd.conf knows.
fn howto_pcs() -> Vec<PcConfig> {
    [
        ("john", [0x00, 0xe0, 0x7d, 0xc9, 0x1a, 0x2b], 2),
        ("joe", [0x00, 0xe0, 0x7d, 0xc9, 0x1a, 0x2c], 3),
        ("linuxbox", [0x00, 0x50, 0xba, 0x15, 0xc0, 0x04], 4),
        ("fakebox", [0x00, 0x50, 0xba, 0x15, 0xc0, 0x05], 4),
    ]
    .into_iter()
    .filter_map(|(name, mac, last)| {
        let name = name.parse().ok()?;
        let ip = Ipv4Addr::new(192, 168, 7, last);
        let (mac, nic, disk_bus) = (MacAddress::new(mac), Nic::Rtl8139, DiskBus::Ide);
        let firmware = Firmware::Bios;
        let (efi_roms, disk_rate, other_disks, more) = (None, None, Vec::new(), Vec::new());
        let shows_disk_late = false;
        Some(PcConfig {
            name,
            mac,
            ip,
            nic,
            firmware,
            efi_roms,
            disk_bus,
            disk_rate,
            shows_disk_late,
            other_disks,
            more,
        })
    })
    .collect()
}

/// The repository that this program was built from.
pub fn repository() -> &'static Path {
    let this_crate = Path::new(env!("CARGO_MANIFEST_DIR"));
    this_crate.ancestors().nth(2).unwrap_or(Path::new("/"))
}

/// Where everything that is built or running is kept.
pub fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_where_its_workspace_is() {
        assert!(repository().join("Cargo.lock").is_file(), "{}", repository().display());
        assert!(repository().join("tests/e2e/main.rs").is_file());
    }

    #[test]
    fn a_card_is_called_as_qemu_calls_it() {
        assert_eq!("e1000e".parse(), Ok(Nic::E1000e));
        assert_eq!("ne2000".parse::<Nic>(), Err(NicError("ne2000".to_owned())));
    }
}
