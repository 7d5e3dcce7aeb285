//! DOSEmu 1.4 and dosemu2: they boot the client's own copy of the floppy on the first virtual terminal.
//!
//! The two take different settings for the same things, so which one is installed is found out from the
//! program itself. All settings here were found to be needed on a client's console; the syntax is that of
//! `dosemurc` of each.
//!
//! Both get the disk behind a header (`whole_disk`), since by itself 1.4 does not see all of one.
//!
//! The floppy's AUTOEXEC.BAT must leave the same marks as the batch file of [`super::dosbox_x`] does;
//! [`bootdisk::AUTOEXEC_BAT`] does.

mod installed;
mod settings;
mod whole_disk;

use std::path::PathBuf;

use anyhow::{bail, ensure};
use ghost_contract::Mode;
use ghost_contract::bootdisk::{self, Commands};
use ghost_contract::order::DosProgram;
use ghost_contract::report::Outcome;

use self::installed::{Flavour, Installed};
use self::settings::{Video, dosemu1, dosemu2, give_the_vga};
use self::whole_disk::WholeDisk;
use super::dos::{self, Commission, ERRORS, HOME, IMAGES, LOG, inside};
use super::{Display, Files, Imager, Judgement, Launch, LaunchFile, Needs, Terminal};
use crate::disk::BlockDevice;
use crate::fstab::{Mount, MountFlag};

/// The floppy that 1.4 can boot from; with one of 720 KiB it hangs.
const BOOTABLE_SIZE: usize = 1440 * 1024;
/// The file of settings that it is started with, in the imager's own folder.
const SETTINGS: &str = "dosemurc";
/// What may be the matter if DOS did not start on a VGA.
const BIOS_MAY_BE_TO_BLAME: &str = "DOSEmu had the client's VGA, whose BIOS may have asked for a port that it does not get: \
     DOSEMU_GRAPHICS=no keeps DOS in text mode";
/// How much DOS reads at a time.
const READ_AHEAD_KIB: u32 = 32;
/// What begins a line of the log that tells of an error.
const ERROR: &str = "ERROR:";

/// A job's DOS program; without a command for a person.
pub(super) struct Dosemu {
    pub(super) program: DosProgram,
}

impl Imager for Dosemu {
    fn needs(&self) -> Needs {
        Needs { useful_drivers: whole_disk::DRIVERS, ..dos::NEEDS }
    }

    fn prepare(&self, mode: Mode, disks: &[BlockDevice], files: &dyn Files) -> anyhow::Result<Launch> {
        let disk = dos::one_disk(disks)?;
        let template = dos::template(files)?;
        let commission =
            Commission { mode, command: &self.program.command, disk: &disk.device(), disk_size: disk.size };
        let video = Video::of(self.program.graphics, files)?;
        let installed = installed::installed(files)?;
        let disk = whole_disk::of(&commission, installed.flavour, files)?;
        launch(&commission, installed, template, disk, video)
    }

    fn display(&self) -> Display {
        Display::MonitorWithQuestions
    }

    fn has_begun(&self, files: &dyn Files) -> anyhow::Result<bool> {
        dos::has_begun(files)
    }

    fn judge(&self, mode: Mode, _disks: usize, files: &dyn Files) -> anyhow::Result<Judgement> {
        let mut judgement = dos::judge(mode, files, complaint)?;
        let failed = matches!(judgement.outcome, Outcome::Failed { .. });
        if failed && !dos::has_begun(files)? && had_the_vga(files)? {
            judgement.remarks.push(BIOS_MAY_BE_TO_BLAME.to_owned());
        }
        Ok(judgement)
    }
}

/// How it is started for a job, with the administrator's template floppy.
fn launch(
    commission: &Commission<'_>,
    installed: Installed<'_>,
    template: Vec<u8>,
    disk: WholeDisk,
    video: Video,
) -> anyhow::Result<Launch> {
    let found = template.len();
    ensure!(
        installed.flavour == Flavour::Dosemu2 || found == BOOTABLE_SIZE,
        "DOSEmu 1.4 boots from floppies of {BOOTABLE_SIZE} bytes only, and the template has {found}"
    );
    check_commands(&bootdisk::commands(template.clone())?, installed.flavour)?;
    ensure!(
        installed.flavour != Flavour::Dosemu2 || !bootdisk::has_kernel_too_old_for_dosemu2(template.clone())?,
        bootdisk::KERNEL_TOO_OLD
    );
    // A person at the screen calls the program by hand, or finds it started without switches.
    let command = if commission.mode == Mode::Ghost { "" } else { commission.command };
    let floppy = LaunchFile { path: inside("ghost.img"), content: bootdisk::fill(template, command)? };
    // -s: it may use ports and video memory. -k: it has the keyboard's own codes. -t: it has a terminal for a screen.
    let (settings, options, terminal) = match (installed.flavour, video) {
        (Flavour::Dosemu1, Video::Vga) => {
            (dosemu1(&disk.settings, video), &["-s", "-k"][..], Terminal::FirstVga)
        }
        (Flavour::Dosemu1, Video::Text) => (dosemu1(&disk.settings, video), &["-k"][..], Terminal::FirstVt),
        (Flavour::Dosemu2, _) => (dosemu2(&disk.settings), &["-t"][..], Terminal::FirstVt),
    };
    let configuration = LaunchFile { path: inside(SETTINGS), content: settings.into_bytes() };
    // Without it, 1.4 waits for Enter before anything else.
    let disclaimer = LaunchFile { path: PathBuf::from(HOME).join(".dosemu/disclaimer"), content: Vec::new() };
    let arguments = [&["-o", LOG][..], options, &["-f", "/run/ghost/dos/dosemurc"][..]].concat();
    let (mounts, more_commands) = match installed.flavour {
        Flavour::Dosemu1 => (Vec::new(), None),
        Flavour::Dosemu2 => (vec![shared_memory()], Some(read_little_ahead())),
    };
    Ok(Launch {
        mounts,
        files: [floppy, configuration, disclaimer].into_iter().chain(disk.files).collect(),
        preparations: disk.commands.into_iter().chain(more_commands).collect(),
        program: installed.path.to_owned(),
        arguments: arguments.into_iter().map(str::to_owned).collect(),
        logs: vec![LOG, ERRORS],
        errors: ERRORS,
        environment: vec![("HOME", HOME), ("TERM", "linux")],
        terminal,
    })
}

/// Whether the floppy has the commands of the DOSEmu that is installed. Without them DOS gets no drives, and its prompt
/// stays until the job counts as stalled.
fn check_commands(commands: &Commands, installed: Flavour) -> anyhow::Result<()> {
    let name = match installed {
        Flavour::Dosemu1 => bootdisk::Dosemu::Version1,
        Flavour::Dosemu2 => bootdisk::Dosemu::Version2,
    };
    ensure!(
        commands.missing.is_empty(),
        "the boot floppy has no {}: put the .COM files of {name} on it with ghostctl bootdisk",
        commands.missing.join(" and no ")
    );
    match commands.of {
        Some(of) if of != name => bail!(
            "the boot floppy has LREDIR and EXITEMU of {of}, and {name} is installed: put its own .COM files on it with \
             ghostctl bootdisk"
        ),
        _ => Ok(()),
    }
}

/// dosemu2 keeps the memory of its DOS there.
fn shared_memory() -> Mount {
    Mount {
        source: "tmpfs".to_owned(),
        target: PathBuf::from("/dev/shm"),
        kind: "tmpfs".to_owned(),
        flags: vec![MountFlag::NoSuid, MountFlag::NoDev],
        options: "mode=1777".to_owned(),
    }
}

/// dosemu2 locks a file for each read, and at each lock the kernel drops what it has read ahead of a file over NFS. With the
/// usual read-ahead, images were seen to be fetched ten times and more, and with this one two times. A client that has no
/// such setting is slower, and nothing else.
fn read_little_ahead() -> Vec<String> {
    let set = format!(
        "echo {READ_AHEAD_KIB} > /sys/class/bdi/$(mountpoint -d {IMAGES})/read_ahead_kb || echo 'the default stays'"
    );
    ["sh", "-c", &set].map(str::to_owned).to_vec()
}

/// Whether DOSEmu was started with the VGA for itself.
fn had_the_vga(files: &dyn Files) -> anyhow::Result<bool> {
    Ok(files.read(&inside(SETTINGS))?.is_some_and(|settings| give_the_vga(&settings)))
}

/// What the log complains of: its last error.
fn complaint(log: &str) -> Option<String> {
    let line = log.lines().rev().find(|line| line.trim_start().starts_with(ERROR))?;
    Some(line.trim_start().trim_start_matches(ERROR).trim().to_owned())
}

#[cfg(test)]
mod tests;
