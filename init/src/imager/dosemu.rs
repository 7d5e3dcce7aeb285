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

mod whole_disk;

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use ghost_contract::Mode;
use ghost_contract::bootdisk::{self, Commands};

use self::whole_disk::WholeDisk;
use super::dos::{self, Commission, ERRORS, HOME, IMAGES, LOG, MARKS, inside};
use super::{Display, Files, Imager, Judgement, Launch, LaunchFile, Needs, Terminal};
use crate::disk::BlockDevice;
use crate::fstab::{Mount, MountFlag};

/// The floppy that 1.4 can boot from; with one of 720 KiB it hangs.
const BOOTABLE_SIZE: usize = 1440 * 1024;
/// What begins a line of the log that tells of an error.
const ERROR: &str = "ERROR:";
/// Where the programs are, in the order in which they are looked for. The scripts `dosemu` that call them ask
/// questions and are not used.
const PROGRAMS: [&str; 5] = [
    "/usr/bin/dosemu.bin",
    "/usr/local/bin/dosemu.bin",
    "/usr/libexec/dosemu2/dosemu2.bin",
    "/usr/bin/dosemu2.bin",
    "/usr/local/bin/dosemu2.bin",
];

/// Which of the two programs is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavour {
    Dosemu1,
    Dosemu2,
}

impl Flavour {
    fn of(path: &Path, program: &[u8]) -> anyhow::Result<Self> {
        let has =
            |text: &str| program.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text.as_bytes()));
        if has("dosemu2") {
            return Ok(Self::Dosemu2);
        }
        if has("dosemu") {
            return Ok(Self::Dosemu1);
        }
        bail!("{path:?} is neither DOSEmu 1.4 nor dosemu2")
    }
}

/// The program that was found.
#[derive(Debug, Clone, Copy)]
struct Installed<'a> {
    path: &'a Path,
    flavour: Flavour,
}

fn installed(files: &dyn Files) -> anyhow::Result<Installed<'static>> {
    for path in PROGRAMS.map(Path::new) {
        if let Some(program) = files.read(path)? {
            return Ok(Installed { path, flavour: Flavour::of(path, &program)? });
        }
    }
    bail!("DOSEmu is not installed: there is none of {}", PROGRAMS.join(", "))
}

/// A job's DOS program; without a command for a person.
pub(super) struct Dosemu {
    pub(super) command: String,
}

impl Imager for Dosemu {
    fn needs(&self) -> Needs {
        Needs { useful_drivers: whole_disk::DRIVERS, ..dos::NEEDS }
    }

    fn prepare(&self, mode: Mode, disks: &[BlockDevice], files: &dyn Files) -> anyhow::Result<Launch> {
        let disk = dos::one_disk(disks)?;
        let template = dos::template(files)?;
        let commission =
            Commission { mode, command: &self.command, disk: &disk.device(), disk_size: disk.size };
        launch(&commission, installed(files)?, template, whole_disk::of(&commission, files)?)
    }

    fn display(&self) -> Display {
        Display::MonitorWithQuestions
    }

    fn has_begun(&self, files: &dyn Files) -> anyhow::Result<bool> {
        dos::has_begun(files)
    }

    fn judge(&self, mode: Mode, _disks: usize, files: &dyn Files) -> anyhow::Result<Judgement> {
        dos::judge(mode, files, complaint)
    }
}

/// How it is started for a job, with the administrator's template floppy.
fn launch(
    commission: &Commission<'_>,
    installed: Installed<'_>,
    template: Vec<u8>,
    disk: WholeDisk,
) -> anyhow::Result<Launch> {
    let found = template.len();
    ensure!(
        installed.flavour == Flavour::Dosemu2 || found == BOOTABLE_SIZE,
        "DOSEmu 1.4 boots from floppies of {BOOTABLE_SIZE} bytes only, and the template has {found}"
    );
    check_commands(&bootdisk::commands(template.clone())?, installed.flavour)?;
    // A person at the screen calls the program by hand, or finds it started without switches.
    let command = if commission.mode == Mode::Ghost { "" } else { commission.command };
    let floppy = LaunchFile { path: inside("ghost.img"), content: bootdisk::fill(template, command)? };
    let (settings, options) = match installed.flavour {
        Flavour::Dosemu1 => (dosemu1(&disk.setting), ["-k", "-f"]),
        Flavour::Dosemu2 => (dosemu2(&disk.setting), ["-t", "-f"]),
    };
    let configuration = LaunchFile { path: inside("dosemurc"), content: settings.into_bytes() };
    // Without it, 1.4 waits for Enter before anything else.
    let disclaimer = LaunchFile { path: PathBuf::from(HOME).join(".dosemu/disclaimer"), content: Vec::new() };
    let arguments = ["-o", LOG, options[0], options[1], "/run/ghost/dos/dosemurc"];
    let mounts = match installed.flavour {
        Flavour::Dosemu1 => Vec::new(),
        Flavour::Dosemu2 => vec![shared_memory()],
    };
    Ok(Launch {
        mounts,
        files: [floppy, configuration, disclaimer].into_iter().chain(disk.files).collect(),
        preparations: disk.commands,
        program: installed.path.to_owned(),
        arguments: arguments.map(str::to_owned).to_vec(),
        logs: vec![LOG, ERRORS],
        errors: ERRORS,
        environment: vec![("HOME", HOME), ("TERM", "linux")],
        terminal: Terminal::FirstVt,
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

/// Without a set of characters, 1.4 warns on its error output, where the reason is looked for when DOS did not start.
fn dosemu1(disk: &str) -> String {
    format!(
        "$_cpu_emu = \"full\"\n\
         $_vbootfloppy = \"/run/ghost/dos/ghost.img\"\n\
         $_hdimage = \"\"\n\
         {disk}\n\
         $_sound = (off)\n\
         $_pktdriver = (off)\n\
         $_layout = \"us\"\n\
         $_external_char_set = \"utf8\"\n"
    )
}

fn dosemu2(disk: &str) -> String {
    format!(
        "$_cpu_vm = \"emulated\"\n\
         $_cpu_vm_dpmi = \"emulated\"\n\
         $_floppy_a = \"/run/ghost/dos/ghost.img:threeinch\"\n\
         $_bootdrive = \"a\"\n\
         $_hdimage = \"\"\n\
         {disk}\n\
         $_lredir_paths = \"{IMAGES} {MARKS}\"\n\
         $_sound = (off)\n\
         $_layout = \"us\"\n\
         $_mouse_dev = \"\"\n"
    )
}

/// What the log complains of: its last error.
fn complaint(log: &str) -> Option<String> {
    let line = log.lines().rev().find(|line| line.trim_start().starts_with(ERROR))?;
    Some(line.trim_start().trim_start_matches(ERROR).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::super::FoundFile;
    use super::*;

    const CHECK: &str = r"-chkimg,z:\image.gho -sure -fx";

    fn template(size: usize) -> Vec<u8> {
        template_with(size, b"lredir")
    }

    fn template_with(size: usize, lredir: &[u8]) -> Vec<u8> {
        let mut image = vec![0; size];
        let options = fatfs::FormatVolumeOptions::new();
        fatfs::format_volume(Cursor::new(&mut image[..]), options).unwrap();
        let files = fatfs::FileSystem::new(Cursor::new(&mut image[..]), fatfs::FsOptions::new()).unwrap();
        for (name, content) in [
            ("AUTOEXEC.BAT", bootdisk::AUTOEXEC_BAT.as_bytes()),
            ("LREDIR.COM", lredir),
            ("EXITEMU.COM", b"exitemu"),
        ] {
            files.root_dir().create_file(name).unwrap().write_all(content).unwrap();
        }
        drop(files);
        image
    }

    /// A machine whose disk has sectors of 512 bytes.
    struct Machine;

    impl Files for Machine {
        fn read(&self, _path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
            Ok(Some(b"512\n".to_vec()))
        }

        fn list(&self, _folder: &Path) -> anyhow::Result<Vec<FoundFile>> {
            Ok(Vec::new())
        }

        fn free_space(&self, _folder: &Path) -> anyhow::Result<u64> {
            Ok(0)
        }
    }

    fn disk(mode: Mode) -> WholeDisk {
        whole_disk::of(&commission(mode), &Machine).unwrap()
    }

    fn commission(mode: Mode) -> Commission<'static> {
        Commission { mode, command: CHECK, disk: Path::new("/dev/sda"), disk_size: 1 << 30 }
    }

    /// How it is started with this floppy.
    fn with(flavour: Flavour, mode: Mode, template: Vec<u8>) -> anyhow::Result<Launch> {
        let installed = Installed { path: Path::new("/usr/bin/dosemu.bin"), flavour };
        super::launch(&commission(mode), installed, template, disk(mode))
    }

    fn launch(flavour: Flavour, mode: Mode) -> Launch {
        with(flavour, mode, template(BOOTABLE_SIZE)).unwrap()
    }

    fn text<'a>(launch: &'a Launch, path: &str) -> &'a str {
        let file = launch.files.iter().find(|file| file.path == Path::new(path)).unwrap();
        std::str::from_utf8(&file.content).unwrap()
    }

    #[test]
    fn version_1_boots_the_floppy_with_a_raw_keyboard() {
        let launch = launch(Flavour::Dosemu1, Mode::Verify);
        let arguments = ["-o", "/run/ghost/dos/log", "-k", "-f", "/run/ghost/dos/dosemurc"];
        assert_eq!(launch.arguments, arguments);
        assert_eq!(
            text(&launch, "/run/ghost/dos/dosemurc"),
            r#"$_cpu_emu = "full"
$_vbootfloppy = "/run/ghost/dos/ghost.img"
$_hdimage = ""
disk { image "/dev/mapper/ghost-disk" readonly }
$_sound = (off)
$_pktdriver = (off)
$_layout = "us"
$_external_char_set = "utf8"
"#
        );
    }

    #[test]
    fn the_disk_can_be_written_only_where_that_is_the_job() {
        for (mode, disk) in [
            (Mode::Backup, "\"/dev/mapper/ghost-disk\" readonly }"),
            (Mode::Verify, "\"/dev/mapper/ghost-disk\" readonly }"),
            (Mode::Restore, "\"/dev/mapper/ghost-disk\" }"),
            (Mode::Ghost, "\"/dev/mapper/ghost-disk\" }"),
        ] {
            for flavour in [Flavour::Dosemu1, Flavour::Dosemu2] {
                let launch = launch(flavour, mode);
                let settings = text(&launch, "/run/ghost/dos/dosemurc");
                assert!(settings.contains(&format!("disk {{ image {disk}\n")), "{mode}: {settings}");
            }
        }
    }

    #[test]
    fn version_2_has_other_settings_for_the_same_things() {
        let launch = launch(Flavour::Dosemu2, Mode::Verify);
        let arguments = ["-o", "/run/ghost/dos/log", "-t", "-f", "/run/ghost/dos/dosemurc"];
        assert_eq!(launch.arguments, arguments);
        assert_eq!(
            text(&launch, "/run/ghost/dos/dosemurc"),
            r#"$_cpu_vm = "emulated"
$_cpu_vm_dpmi = "emulated"
$_floppy_a = "/run/ghost/dos/ghost.img:threeinch"
$_bootdrive = "a"
$_hdimage = ""
disk { image "/dev/mapper/ghost-disk" readonly }
$_lredir_paths = "/run/ghost/dos/z /run/ghost/dos/m"
$_sound = (off)
$_layout = "us"
$_mouse_dev = ""
"#
        );
    }

    #[test]
    fn both_run_on_the_first_terminal_and_ask_nothing() {
        for flavour in [Flavour::Dosemu1, Flavour::Dosemu2] {
            let launch = launch(flavour, Mode::Backup);
            assert_eq!(launch.terminal, Terminal::FirstVt);
            assert_eq!(launch.environment, [("HOME", "/run/ghost/dos/home"), ("TERM", "linux")]);
            assert_eq!(text(&launch, "/run/ghost/dos/home/.dosemu/disclaimer"), "");
        }
    }

    #[test]
    fn the_floppy_is_filled_in_and_a_person_gets_no_command() {
        for (mode, line) in [
            (Mode::Verify, format!("A:\\GHOST.EXE {CHECK}\r\n")),
            (Mode::Ghost, "A:\\GHOST.EXE \r\n".to_owned()),
        ] {
            let launch = launch(Flavour::Dosemu1, mode);
            let autoexec = bootdisk::read(launch.files[0].content.clone(), bootdisk::AUTOEXEC).unwrap();
            let autoexec = String::from_utf8(autoexec).unwrap();
            assert!(autoexec.contains(&line), "{autoexec}");
            assert!(autoexec.contains("ECHO image > STARTED.TXT\r\n"), "{autoexec}");
        }
    }

    #[test]
    fn a_floppy_that_version_1_cannot_boot_is_refused() {
        let prepare = |flavour, size| with(flavour, Mode::Backup, template(size));
        assert_eq!(
            prepare(Flavour::Dosemu1, 720 * 1024).unwrap_err().to_string(),
            "DOSEmu 1.4 boots from floppies of 1474560 bytes only, and the template has 737280"
        );
        assert!(prepare(Flavour::Dosemu2, 720 * 1024).is_ok());
    }

    #[test]
    fn a_template_without_placeholders_is_refused() {
        let mut blank = template(BOOTABLE_SIZE);
        let at = blank.windows(13).position(|part| part == b"BackUpCommand").unwrap();
        blank[at] = b'b';
        let error = with(Flavour::Dosemu1, Mode::Backup, blank).unwrap_err();
        assert!(error.to_string().contains("does not contain the word BackUpCommand"), "{error}");
    }

    #[test]
    fn a_floppy_serves_the_dosemu_whose_commands_are_on_it() {
        let one = || template_with(BOOTABLE_SIZE, b"\xB0\xC0\xB4\x02\xCD\xE6");
        assert!(with(Flavour::Dosemu1, Mode::Backup, one()).is_ok());
        assert_eq!(
            with(Flavour::Dosemu2, Mode::Backup, one()).unwrap_err().to_string(),
            "the boot floppy has LREDIR and EXITEMU of DOSEmu 1.4, and dosemu2 is installed: put its own .COM files on it \
             with ghostctl bootdisk"
        );
        let two = template_with(BOOTABLE_SIZE, b"\xB0\xC0\xB4\x03\xCD\xE6");
        assert!(with(Flavour::Dosemu1, Mode::Backup, two.clone()).is_err());
        assert!(with(Flavour::Dosemu2, Mode::Backup, two).is_ok());
    }

    #[test]
    fn a_floppy_without_dosemus_commands_is_refused() {
        let mut without = template(BOOTABLE_SIZE);
        let at = without.windows(11).position(|part| part == b"EXITEMU COM").unwrap();
        without[at] = b'X';
        assert_eq!(
            with(Flavour::Dosemu1, Mode::Backup, without).unwrap_err().to_string(),
            "the boot floppy has no EXITEMU: put the .COM files of DOSEmu 1.4 on it with ghostctl bootdisk"
        );
    }

    /// By itself 1.4 leaves out what is behind the last whole cylinder.
    #[test]
    fn both_get_the_disk_behind_its_header() {
        for flavour in [Flavour::Dosemu1, Flavour::Dosemu2] {
            let launch = launch(flavour, Mode::Backup);
            assert_eq!(launch.preparations, disk(Mode::Backup).commands);
            assert!(disk(Mode::Backup).files.iter().all(|file| launch.files.contains(file)));
            let settings = text(&launch, "/run/ghost/dos/dosemurc");
            assert!(settings.contains(&disk(Mode::Backup).setting), "{settings}");
        }
    }

    #[test]
    fn which_one_it_is_stands_in_the_program() {
        let path = Path::new("/usr/bin/dosemu.bin");
        let of = |program: &[u8]| Flavour::of(path, program);
        assert_eq!(of(b"\x7FELF..DOSEMU-1.4.0.8..").unwrap(), Flavour::Dosemu1);
        assert_eq!(of(b"\x7FELF..dosemu.conf..dosemu2-2.0pre9..").unwrap(), Flavour::Dosemu2);
        assert_eq!(
            of(b"#!/bin/sh\n").unwrap_err().to_string(),
            "\"/usr/bin/dosemu.bin\" is neither DOSEmu 1.4 nor dosemu2"
        );
    }

    #[test]
    fn errors_are_found_in_the_log() {
        let log = "CONF: hello\nERROR: cannot open /dev/sda\nDOS termination requested\n";
        assert_eq!(complaint(log).unwrap(), "cannot open /dev/sda");
        assert_eq!(complaint("DOS termination requested\n"), None);
    }
}
