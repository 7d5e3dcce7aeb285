//! The settings that a host can have for itself.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::values::{SecureOn, absolute, duration, interface, number_of};
use crate::Mode;

/// What holds for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The file that a swapped host is offered (`BOOTFILE`).
    pub boot_file: String,
    /// The file that makes a host boot from its disk (`NOBOOTFILE`).
    pub no_boot_file: String,
    /// The interface that magic packets go out of (`INTERFACE`); if none, the one that routes to the host.
    pub interface: Option<String>,
    /// The password of magic packets (`SECUREON`).
    pub secure_on: Option<SecureOn>,
    /// The public keys for mode `test` (`SSHKEYS`).
    pub ssh_keys: Option<PathBuf>,
    /// From waking to the report that the client is up (`UP_DEADLINE`).
    pub up_deadline: Duration,
    /// The whole job on the client (`JOB_DEADLINE`).
    pub job_deadline: Duration,
    /// From the outcome until the machine is off (`OFF_DEADLINE`).
    pub off_deadline: Duration,
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
    /// The imaging program (`IMAGER`).
    pub imager: ImagerName,
    /// Its command line in mode `backup` (`BACKUPCOMMAND`).
    pub backup_command: String,
    /// Its command line in mode `restore` (`RESTORECOMMAND`).
    pub restore_command: String,
    /// Its command line in mode `verify` (`VERIFYCOMMAND`).
    pub verify_command: String,
}

/// An imaging program by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImagerName {
    /// dosbox-x.
    DosboxX,
    /// DOSEmu 1.4 or dosemu2.
    Dosemu,
}

impl ImagerName {
    fn parse(text: &str) -> Option<Self> {
        [Self::DosboxX, Self::Dosemu].into_iter().find(|imager| imager.as_str() == text)
    }

    /// The word for it in `/etc/ghostrc`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DosboxX => "dosbox-x",
            Self::Dosemu => "dosemu",
        }
    }
}

impl fmt::Display for ImagerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The commands are Ghost 2003's switches; deadlines are generous, since reaching one ends a job.
impl Default for Settings {
    fn default() -> Self {
        Self {
            boot_file: "pxelinux.0".to_owned(),
            no_boot_file: "nobackup".to_owned(),
            interface: None,
            secure_on: None,
            ssh_keys: None,
            up_deadline: Duration::from_secs(10 * 60),
            job_deadline: Duration::from_secs(12 * 3_600),
            off_deadline: Duration::from_secs(5 * 60),
            expires: Duration::from_secs(3_600),
            sleep: Duration::from_secs(3_600),
            stall_window: Duration::from_secs(300),
            stall_rate: 1024,
            generations: None,
            keep: Duration::ZERO,
            imager: ImagerName::DosboxX,
            backup_command: r"-clone,mode=dump,src=1,dst=z:\image.gho -z1 -split=2000 -auto -sure -fx"
                .to_owned(),
            restore_command: r"-clone,mode=load,src=z:\image.gho,dst=1 -sure -fx".to_owned(),
            verify_command: r"-chkimg,z:\image.gho -sure -fx".to_owned(),
        }
    }
}

/// What a time has to look like.
const TIME: &str = "a time: whole seconds, or a number with s, m, h or d, as in 90s or 12h";

impl Settings {
    /// The keys that a host can have for itself.
    pub(super) const KEYS: [&'static str; 18] = [
        "BOOTFILE",
        "NOBOOTFILE",
        "INTERFACE",
        "SECUREON",
        "SSHKEYS",
        "UP_DEADLINE",
        "JOB_DEADLINE",
        "OFF_DEADLINE",
        "EXPIRES",
        "SLEEP",
        "STALL_WINDOW",
        "STALL_RATE",
        "GENERATIONS",
        "KEEP_DAYS",
        "IMAGER",
        "BACKUPCOMMAND",
        "RESTORECOMMAND",
        "VERIFYCOMMAND",
    ];

    /// The imaging program's command line in this mode; empty where it is left to a person or not run.
    #[must_use]
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
            "BOOTFILE" => self.boot_file = file_name(value)?,
            "NOBOOTFILE" => self.no_boot_file = file_name(value)?,
            "INTERFACE" => self.interface = Some(interface(value).ok_or("the name of a network interface")?),
            "SECUREON" => {
                self.secure_on =
                    Some(SecureOn::parse(value).ok_or("a password like 00:11:22:33:44:55 or 1.2.3.4")?)
            }
            "SSHKEYS" => self.ssh_keys = Some(absolute(value).ok_or("a whole path, beginning with '/'")?),
            "UP_DEADLINE" => self.up_deadline = duration(value).ok_or(TIME)?,
            "JOB_DEADLINE" => self.job_deadline = duration(value).ok_or(TIME)?,
            "OFF_DEADLINE" => self.off_deadline = duration(value).ok_or(TIME)?,
            "EXPIRES" => self.expires = duration(value).ok_or(TIME)?,
            "SLEEP" => self.sleep = duration(value).ok_or(TIME)?,
            "STALL_WINDOW" => self.stall_window = duration(value).ok_or(TIME)?,
            "STALL_RATE" => self.stall_rate = number_of(value).ok_or("a number of bytes a second")?,
            "GENERATIONS" => self.generations = Some(value.parse().map_err(|_| "a number, at least 1")?),
            "KEEP_DAYS" => self.keep = duration(&format!("{value}d")).ok_or("a number of days")?,
            "IMAGER" => self.imager = ImagerName::parse(value).ok_or("an imager: dosbox-x and dosemu are")?,
            "BACKUPCOMMAND" => value.clone_into(&mut self.backup_command),
            "RESTORECOMMAND" => value.clone_into(&mut self.restore_command),
            "VERIFYCOMMAND" => value.clone_into(&mut self.verify_command),
            _ => return Err("a setting that a host can have for itself"),
        }
        Ok(())
    }
}

/// The value of a `filename` statement has to survive quoting in dhcpd.conf and a DHCP packet, whose field has 128 bytes (RFC 2131 §2).
fn file_name(text: &str) -> Result<String, &'static str> {
    let is_name = (1..128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'));
    is_name.then(|| text.to_owned()).ok_or("a file name of visible ASCII characters without '\"' and '\\'")
}
