//! The settings that a host can have for itself.

use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::job::Limits;

use super::firmware::Firmware;
use super::values::{SecureOn, absolute, duration, interface, number_of};
use ghost_contract::disk::{self, DiskChoice};
use ghost_contract::image::{DirtyNtfs, Gaps, LargerDisk, LinuxSettings, OnReadError, SmallerDisk};
use ghost_contract::order::Graphics;
use ghost_contract::{ImagerName, Mode};

/// What holds for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The firmware, which the boot file has to be for (`FIRMWARE`).
    pub firmware: Firmware,
    /// The file that a swapped host is offered (`BOOTFILE`).
    pub boot_file: String,
    /// The file that makes a host boot from its disk (`NOBOOTFILE`).
    pub no_boot_file: String,
    /// The interface that magic packets go out of (`INTERFACE`); if none, the one that routes to the host.
    pub interface: Option<String>,
    /// A machine that sends magic packets on to a host behind a router (`WAKE_RELAY`).
    pub wake_relay: Option<Ipv4Addr>,
    /// The password of magic packets (`SECUREON`).
    pub secure_on: Option<SecureOn>,
    /// The public keys for mode `test` (`SSHKEYS`).
    pub ssh_keys: Option<PathBuf>,
    /// The key of encrypted partitions (`LUKSKEY`).
    pub luks_key: Option<PathBuf>,
    /// From waking to the report that the client is up (`UP_DEADLINE`).
    pub up_deadline: Duration,
    /// The whole job on the client (`JOB_DEADLINE`).
    pub job_deadline: Duration,
    /// From the outcome until the machine is off (`OFF_DEADLINE`).
    pub off_deadline: Duration,
    /// How long a client that has gone off is listened for (`OFF_LISTEN`).
    pub off_listen: Duration,
    /// From the end of a job until it leaves a revert that fails to a person (`REVERT_DEADLINE`).
    pub revert_deadline: Duration,
    /// How long an order may be claimed (`EXPIRES`).
    pub expires: Duration,
    /// How long mode `test` waits (`SLEEP`).
    pub sleep: Duration,
    /// How long nothing may move (`STALL_WINDOW`).
    pub stall_window: Duration,
    /// Below this many bytes a second nothing moves (`STALL_RATE`).
    pub stall_rate: u64,
    /// How many generations are kept (`GENERATIONS`); if none, all.
    pub generations: Option<NonZeroU32>,
    /// Generations younger than this are kept in any case (`KEEP_DAYS`).
    pub keep: Duration,
    /// Which disks a job is about (`DISK`).
    pub disk: DiskChoice,
    /// The imaging program (`IMAGER`); none leaves it to what there is: see [`ImagerName::without_a_setting`].
    pub imager: Option<ImagerName>,
    /// How the imager `linux` works (`COMPRESSION`, `PIECE_SIZE`, `RESCUE`, `DIRTY_NTFS`, `GAPS`,
    /// `GROW`, `SHRINK`).
    pub linux: LinuxSettings,
    /// Whether the imager `dosemu` may draw on the client's VGA (`DOSEMU_GRAPHICS`).
    pub dosemu_graphics: Graphics,
    /// So long after Ghost's start it is told not to mark the disk, whatever can be read on its screen (`MARK_AFTER`).
    pub mark_after: Option<Duration>,
    /// The DOS program's command line in mode `backup` (`BACKUPCOMMAND`).
    pub backup_command: String,
    /// Its command line in mode `restore` (`RESTORECOMMAND`).
    pub restore_command: String,
    /// Its command line in mode `verify` (`VERIFYCOMMAND`).
    pub verify_command: String,
}

/// The commands are Ghost 2003's switches; deadlines are generous, since reaching one ends a job.
impl Default for Settings {
    fn default() -> Self {
        Self {
            firmware: Firmware::Bios,
            boot_file: Firmware::Bios.boot_file().to_owned(),
            no_boot_file: "nobackup".to_owned(),
            interface: None,
            wake_relay: None,
            secure_on: None,
            ssh_keys: None,
            luks_key: None,
            up_deadline: Duration::from_secs(10 * 60),
            job_deadline: Duration::from_secs(12 * 3_600),
            off_deadline: Duration::from_secs(5 * 60),
            off_listen: Limits::LISTEN,
            revert_deadline: Duration::from_secs(10 * 60),
            expires: Duration::from_secs(3_600),
            sleep: Duration::from_secs(3_600),
            stall_window: Duration::from_secs(300),
            stall_rate: 1024,
            generations: None,
            keep: Duration::ZERO,
            disk: DiskChoice::First,
            imager: None,
            linux: LinuxSettings::default(),
            dosemu_graphics: Graphics::Vga,
            mark_after: None,
            backup_command: r"-clone,mode=dump,src=1,dst=z:\image.gho -z1 -split=2000 -auto -sure -fx"
                .to_owned(),
            restore_command: r"-clone,mode=load,src=z:\image.gho,dst=1 -sure -fx".to_owned(),
            verify_command: r"-chkimg,z:\image.gho -sure -fx".to_owned(),
        }
    }
}

/// Bytes of the smallest piece.
const SMALLEST_PIECE: u64 = 1_000_000;
/// What a time has to look like.
pub(super) const TIME: &str = "a time: whole seconds, or a number with s, m, h or d, as in 90s or 12h";

impl Settings {
    /// The keys that a host can have for itself.
    pub(super) const KEYS: [&'static str; 33] = [
        "FIRMWARE",
        "BOOTFILE",
        "NOBOOTFILE",
        "INTERFACE",
        "WAKE_RELAY",
        "SECUREON",
        "SSHKEYS",
        "LUKSKEY",
        "UP_DEADLINE",
        "JOB_DEADLINE",
        "OFF_DEADLINE",
        "OFF_LISTEN",
        "REVERT_DEADLINE",
        "EXPIRES",
        "SLEEP",
        "STALL_WINDOW",
        "STALL_RATE",
        "GENERATIONS",
        "KEEP_DAYS",
        "DISK",
        "IMAGER",
        "COMPRESSION",
        "PIECE_SIZE",
        "RESCUE",
        "DIRTY_NTFS",
        "GAPS",
        "GROW",
        "SHRINK",
        "DOSEMU_GRAPHICS",
        "MARK_AFTER",
        "BACKUPCOMMAND",
        "RESTORECOMMAND",
        "VERIFYCOMMAND",
    ];

    /// The DOS program's command line in this mode; empty where it is left to a person or not run.
    pub fn command(&self, mode: Mode) -> &str {
        match mode {
            Mode::Backup => &self.backup_command,
            Mode::Restore => &self.restore_command,
            Mode::Verify => &self.verify_command,
            Mode::Test | Mode::Ghost => "",
        }
    }

    /// Sets one of [`Self::KEYS`]; the error says what kind of value is wanted.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        match key {
            "FIRMWARE" => self.set_firmware(Firmware::parse(value).ok_or("bios or uefi")?),
            "BOOTFILE" => self.boot_file = file_name(value)?,
            "NOBOOTFILE" => self.no_boot_file = file_name(value)?,
            "WAKE_RELAY" => self.wake_relay = Some(value.parse().map_err(|_| "an IPv4 address")?),
            "INTERFACE" => self.interface = Some(interface(value).ok_or("the name of a network interface")?),
            "SECUREON" => {
                self.secure_on =
                    Some(SecureOn::parse(value).ok_or("a password like 00:11:22:33:44:55 or 1.2.3.4")?)
            }
            "SSHKEYS" => self.ssh_keys = Some(absolute(value).ok_or("a whole path, beginning with '/'")?),
            "LUKSKEY" => self.luks_key = Some(absolute(value).ok_or("a whole path, beginning with '/'")?),
            "UP_DEADLINE" => self.up_deadline = duration(value).ok_or(TIME)?,
            "JOB_DEADLINE" => self.job_deadline = duration(value).ok_or(TIME)?,
            "OFF_LISTEN" => self.off_listen = duration(value).ok_or(TIME)?,
            "OFF_DEADLINE" => self.off_deadline = duration(value).ok_or(TIME)?,
            "REVERT_DEADLINE" => self.revert_deadline = duration(value).ok_or(TIME)?,
            "EXPIRES" => self.expires = duration(value).ok_or(TIME)?,
            "SLEEP" => self.sleep = duration(value).ok_or(TIME)?,
            "STALL_WINDOW" => self.stall_window = duration(value).ok_or(TIME)?,
            "STALL_RATE" => self.stall_rate = number_of(value).ok_or("a number of bytes a second")?,
            "GENERATIONS" => self.generations = Some(value.parse().map_err(|_| "a number, at least 1")?),
            "KEEP_DAYS" => self.keep = duration(&format!("{value}d")).ok_or("a number of days")?,
            "DISK" => self.disk = value.parse().map_err(|_| disk::WANTED)?,
            "IMAGER" => self.imager = Some(ImagerName::parse(value).ok_or(ImagerName::WANTED)?),
            "COMPRESSION" => self.linux.compression_level = level(value)?,
            "PIECE_SIZE" => self.linux.piece_size = piece_size(value)?,
            "RESCUE" => self.linux.on_read_error = choice(value, OnReadError::Fail, OnReadError::Rescue)?,
            "DIRTY_NTFS" => {
                self.linux.dirty_ntfs = DirtyNtfs::parse(value).ok_or("refuse or raw")?;
            }
            "GAPS" => self.linux.gaps = Gaps::parse(value).ok_or("save or leave_out")?,
            "GROW" => self.linux.larger_disk = choice(value, LargerDisk::Leave, LargerDisk::Grow)?,
            "SHRINK" => {
                self.linux.smaller_disk = choice(value, SmallerDisk::Refuse, SmallerDisk::Shrink)?;
            }
            "DOSEMU_GRAPHICS" => self.dosemu_graphics = choice(value, Graphics::Text, Graphics::Vga)?,
            "MARK_AFTER" => self.mark_after = Some(duration(value).ok_or(TIME)?),
            "BACKUPCOMMAND" => value.clone_into(&mut self.backup_command),
            "RESTORECOMMAND" => value.clone_into(&mut self.restore_command),
            "VERIFYCOMMAND" => value.clone_into(&mut self.verify_command),
            _ => return Err("a setting that a host can have for itself"),
        }
        Ok(())
    }

    /// The boot file that goes with a firmware follows it. Another one, which the administrator has named, stays.
    fn set_firmware(&mut self, firmware: Firmware) {
        self.firmware = firmware;
        if Firmware::ALL.iter().any(|one| one.boot_file() == self.boot_file) {
            firmware.boot_file().clone_into(&mut self.boot_file);
        }
    }
}

fn choice<T>(text: &str, no: T, yes: T) -> Result<T, &'static str> {
    match text {
        "no" => Ok(no),
        "yes" => Ok(yes),
        _ => Err("yes or no"),
    }
}

/// The levels that zstd has without `--ultra`, which would need more memory than a client may have.
fn level(text: &str) -> Result<u8, &'static str> {
    let level = text.parse().ok().filter(|level| (1..=19).contains(level));
    level.ok_or("a level of zstd, 1 to 19")
}

/// Smaller pieces would be thousands, and gain nothing.
fn piece_size(text: &str) -> Result<u64, &'static str> {
    disk::bytes(text)
        .filter(|bytes| *bytes >= SMALLEST_PIECE)
        .ok_or("a size of at least 1M, such as 650M or 2Gi")
}

/// The value of a `filename` statement has to survive quoting in dhcpd.conf and a DHCP packet, whose field has 128 bytes (RFC 2131 §2).
fn file_name(text: &str) -> Result<String, &'static str> {
    let is_name = (1..128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'));
    is_name.then(|| text.to_owned()).ok_or("a file name of visible ASCII characters without '\"' and '\\'")
}
