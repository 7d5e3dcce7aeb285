//! dosbox-x without a screen: it has a DOS of its own, so it only needs the files of the boot floppy.
//!
//! It runs without a terminal, because with one it would leave the keyboard in a bad mode when it is killed. It reads
//! every keyboard that exists when it starts. Every setting here was found to be needed with version 2025.02.01 of
//! Debian trixie.
//!
//! Text that programs write through DOS or the BIOS is in its log, line by line. What a program draws into video memory
//! is only in its pictures.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use evdev::KeyCode;
use ghost_contract::Mode;
use ghost_contract::bootdisk::{self, BootFile, GHOST};

use super::dos::{self, CAPTURES, Commission, ERRORS, HOME, IMAGES, LOG, MARKS, PROGRAM, inside, plain};
use super::evidence::{DONE, FAILED, STARTED};
use super::{Display, Files, Imager, Judgement, Launch, LaunchFile, Needs, Terminal, writes_to_the_disk};
use crate::disk::BlockDevice;

/// What these keys do when they are pressed together: dosbox-x writes a picture into [`CAPTURES`].
const PICTURE_KEYS: [KeyCode; 2] = [KeyCode::KEY_F12, KeyCode::KEY_P];
/// dosbox-x rounds a disk's size down to a multiple of this many bytes (seen with version 2025.02.01).
const UNIT: u64 = 1024;
/// What precedes a line of the DOS screen in the log.
const CONSOLE_LINE: &str = "DOS CON: ";
/// Instructions in a millisecond of the emulated PC: a fast PC of the years of Ghost 2003 (in dosbox-x's own list a Pentium
/// III of 866 MHz has 407,000).
///
/// `cycles=max` is a trap for a program that moves data. With it dosbox-x sets the number by the time that a millisecond
/// of the emulated PC took, and puts everything down to the processor: timers and frames, which on a slow machine take a
/// millisecond by themselves, and a single read or write that takes 15 ms, for which it cuts the number to a third.
/// Smaller numbers do not make those shorter, so the emulated PC ends up doing little but tick: 0.2 to 1.4 MB/s where
/// a fixed number gives 5. With that a machine that cannot keep up does what it can, and only the emulated clock goes
/// slow. How slow is what speaks against a larger number: a picture is written at the end of an emulated frame, 14 ms of
/// that clock.
const CYCLES: u32 = 500_000;
/// A program that only ends with errorlevel 255 (`mov ax, 4CFFh`, `int 21h`). It is called first, since a
/// command that cannot be started at all leaves the errorlevel as it was.
const NOT_RUN: LaunchProgram = LaunchProgram { name: "NOTRUN.COM", code: &[0xB8, 0xFF, 0x4C, 0xCD, 0x21] };
/// How dosbox-x's own DOS clears the screen (ECMA-48, ED).
const CLEAR_SCREEN: &str = "\x1B[2J";
/// What the log says when a disk, a folder or a program cannot be had.
const COMPLAINTS: [&str; 4] = [
    "Must specify image file(s) to mount",
    "Could not load image",
    "doesn't exist",
    "Bad command or filename",
];

struct LaunchProgram {
    name: &'static str,
    code: &'static [u8],
}

/// How many of the last lines that DOS programs have written are shown as the screen.
const SCREEN_LINES: usize = 25;

/// A job whose program runs under dosbox-x.
pub(super) struct DosboxX {
    pub(super) command: String,
}

impl Imager for DosboxX {
    fn needs(&self) -> Needs {
        dos::NEEDS
    }

    fn prepare(&self, mode: Mode, disks: &[BlockDevice], files: &dyn Files) -> anyhow::Result<Launch> {
        let disk = dos::one_disk(disks)?;
        let commission =
            Commission { mode, command: &self.command, disk: &disk.device(), disk_size: disk.size };
        launch(&commission, bootdisk::extract(dos::template(files)?)?)
    }

    fn display(&self) -> Display {
        Display::OwnPictures { by: "dosbox-x", folder: CAPTURES, keys: &PICTURE_KEYS }
    }

    fn written(&self, files: &dyn Files) -> anyhow::Result<Option<String>> {
        let text = screen_text(&dos::log(files)?);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.split_at(lines.len().saturating_sub(SCREEN_LINES)).1;
        Ok((!last.is_empty()).then(|| last.join("\n")))
    }

    fn has_begun(&self, files: &dyn Files) -> anyhow::Result<bool> {
        dos::has_begun(files)
    }

    fn judge(&self, mode: Mode, _disks: usize, files: &dyn Files) -> anyhow::Result<Judgement> {
        dos::judge(mode, files, complaint)
    }
}

/// How dosbox-x is started for a job, with the files of the boot floppy.
fn launch(commission: &Commission<'_>, floppy: Vec<BootFile>) -> anyhow::Result<Launch> {
    if commission.mode == Mode::Ghost {
        bail!(
            "mode ghost needs a person at the client's screen, and dosbox-x shows nothing there; use dosemu"
        );
    }
    let size = commission.disk_size;
    ensure!(
        commission.mode == Mode::Verify || size.is_multiple_of(UNIT),
        "dosbox-x counts a disk in whole KiB, and this one has {size} bytes: its last sector would be lost; use dosemu"
    );
    ensure!(floppy.iter().any(|file| file.path == GHOST), bootdisk::missing(GHOST));
    let program = floppy
        .into_iter()
        .map(|file| LaunchFile { path: PathBuf::from(PROGRAM).join(file.path), content: file.content });
    let not_run =
        LaunchFile { path: PathBuf::from(PROGRAM).join(NOT_RUN.name), content: NOT_RUN.code.to_vec() };
    let settings = configuration(commission)?;
    let configuration = LaunchFile { path: inside("dosbox.conf"), content: settings.into_bytes() };
    let arguments = ["-conf", "/run/ghost/dos/dosbox.conf", "-fastlaunch", "-nomenu"];
    Ok(Launch {
        mounts: Vec::new(),
        files: program.chain([not_run, configuration]).collect(),
        preparations: Vec::new(),
        program: PathBuf::from("dosbox-x"),
        arguments: arguments.map(str::to_owned).to_vec(),
        logs: vec![LOG, ERRORS],
        errors: ERRORS,
        environment: vec![("SDL_VIDEODRIVER", "evdev"), ("SDL_AUDIODRIVER", "dummy"), ("HOME", HOME)],
        terminal: Terminal::None,
    })
}

/// The configuration file. Without `quit warning=false` SIGTERM does not end it; with the rate limits, a disk
/// takes sixteen times as long; `mount -z` frees the letter Z.
fn configuration(commission: &Commission<'_>) -> anyhow::Result<String> {
    bootdisk::check_command(commission.command)?;
    let disk = plain(commission.disk)?;
    let read_only = if writes_to_the_disk(commission.mode) { "" } else { " -ro" };
    let batch = format!(
        "@echo off\n\
         mount -z y\n\
         imgmount 2 {disk} -t hdd{read_only}\n\
         mount c {PROGRAM}\n\
         mount m {MARKS}\n\
         mount z {IMAGES}\n\
         m:\n\
         echo {STARTED} > {STARTED}\n\
         c:\\{not_run}\n\
         c:\\{GHOST} {command}\n\
         if errorlevel 1 goto failed\n\
         echo {DONE} > {DONE}\n\
         exit\n\
         :failed\n\
         echo {FAILED} > {FAILED}\n\
         exit\n",
        not_run = NOT_RUN.name,
        command = commission.command
    );
    bootdisk::check_lines(batch.as_bytes())?;
    Ok(format!(
        "[sdl]\n\
         output=surface\n\
         autolock=false\n\
         showmenu=false\n\
         [dosbox]\n\
         quit warning=false\n\
         startbanner=false\n\
         captures={CAPTURES}\n\
         [cpu]\n\
         cycles=fixed {CYCLES}\n\
         apmbios=true\n\
         [mixer]\n\
         nosound=true\n\
         [dos]\n\
         hard drive data rate limit=0\n\
         floppy drive data rate limit=0\n\
         log console=true\n\
         [log]\n\
         logfile={LOG}\n\
         [autoexec]\n\
         {batch}"
    ))
}

/// What programs have written on the DOS screen so far, from the log: whole lines only. The log leaves out
/// carriage returns, so what a program writes over and over in one line stands side by side.
fn screen_text(log: &str) -> String {
    let lines = log.lines().filter_map(|line| line.strip_prefix(CONSOLE_LINE));
    lines.map(|line| line.replace(CLEAR_SCREEN, "") + "\n").collect()
}

/// What the log complains of: the last line that says that something cannot be had.
fn complaint(log: &str) -> Option<String> {
    let complains = |line: &&str| COMPLAINTS.iter().any(|words| line.contains(words));
    let line = log.lines().rev().find(complains)?;
    Some(line.strip_prefix(CONSOLE_LINE).unwrap_or(line).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const DUMP: &str = r"-clone,mode=dump,src=1,dst=z:\image.gho -z1 -split=2000 -auto -sure -fx";

    fn commission(mode: Mode) -> Commission<'static> {
        Commission { mode, command: DUMP, disk: Path::new("/dev/sda"), disk_size: 1 << 30 }
    }

    fn floppy() -> Vec<BootFile> {
        ["COMMAND.COM", "GHOST.EXE", "UTIL/MOUSE.COM"]
            .map(|path| BootFile { path: path.to_owned(), content: path.into() })
            .into()
    }

    #[test]
    fn it_is_started_headless_with_its_own_configuration() {
        let launch = launch(&commission(Mode::Backup), floppy()).unwrap();
        assert_eq!(launch.program, Path::new("dosbox-x"));
        assert_eq!(launch.arguments, ["-conf", "/run/ghost/dos/dosbox.conf", "-fastlaunch", "-nomenu"]);
        assert_eq!(launch.terminal, Terminal::None);
        assert!(launch.environment.contains(&("SDL_VIDEODRIVER", "evdev")));
        assert!(launch.environment.contains(&("SDL_AUDIODRIVER", "dummy")));
    }

    #[test]
    fn the_configuration_is_the_one_that_was_measured() {
        let launch = launch(&commission(Mode::Backup), floppy()).unwrap();
        let configuration = launch.files.last().unwrap();
        assert_eq!(configuration.path, Path::new("/run/ghost/dos/dosbox.conf"));
        assert_eq!(String::from_utf8_lossy(&configuration.content), include_str!("dosbox_x/backup.conf"));
    }

    #[test]
    fn only_a_restore_may_write_to_the_disk() {
        let launch = launch(&commission(Mode::Restore), floppy()).unwrap();
        let settings = String::from_utf8_lossy(&launch.files.last().unwrap().content);
        assert!(settings.contains("imgmount 2 /dev/sda -t hdd\n"), "{settings}");
    }

    #[test]
    fn the_files_of_the_floppy_are_on_c() {
        let launch = launch(&commission(Mode::Backup), floppy()).unwrap();
        let paths: Vec<_> = launch.files.iter().map(|file| file.path.to_str().unwrap()).collect();
        assert_eq!(
            paths[..3],
            ["/run/ghost/dos/c/COMMAND.COM", "/run/ghost/dos/c/GHOST.EXE", "/run/ghost/dos/c/UTIL/MOUSE.COM"]
        );
        assert_eq!(launch.files[1].content, b"GHOST.EXE");
        assert_eq!(launch.files[3].path, Path::new("/run/ghost/dos/c/NOTRUN.COM"));
    }

    #[test]
    fn a_floppy_without_the_program_is_refused() {
        let error = launch(&commission(Mode::Backup), floppy().split_off(2)).unwrap_err();
        assert_eq!(error.to_string(), "the boot floppy image has no file GHOST.EXE");
    }

    #[test]
    fn a_disk_whose_last_sector_would_be_lost_is_neither_read_nor_written() {
        let odd = |mode| Commission { disk_size: (1 << 30) + 512, ..commission(mode) };
        for mode in [Mode::Backup, Mode::Restore] {
            let error = launch(&odd(mode), floppy()).unwrap_err();
            assert_eq!(
                error.to_string(),
                "dosbox-x counts a disk in whole KiB, and this one has 1073742336 bytes: its last sector would be lost; \
                 use dosemu"
            );
        }
        assert!(launch(&odd(Mode::Verify), floppy()).is_ok());
    }

    #[test]
    fn a_person_would_see_nothing() {
        let error = launch(&commission(Mode::Ghost), floppy()).unwrap_err();
        assert!(error.to_string().ends_with("dosbox-x shows nothing there; use dosemu"), "{error}");
    }

    #[test]
    fn what_would_break_the_batch_file_is_refused() {
        let long = "x".repeat(200);
        for command in ["-fx\nformat c:", long.as_str()] {
            let error = launch(&Commission { command, ..commission(Mode::Backup) }, floppy()).unwrap_err();
            let error = error.to_string();
            let expected =
                if command == long { "DOS reads only 126" } else { "cannot stand in a DOS batch file" };
            assert!(error.ends_with(expected), "{error}");
        }
        for disk in ["/dev/sda -t floppy", "sda", "/dev/\u{e4}"] {
            let disk = Path::new(disk);
            let error = launch(&Commission { disk, ..commission(Mode::Backup) }, floppy()).unwrap_err();
            assert!(error.to_string().starts_with("the path "), "{error}");
        }
    }

    #[test]
    fn the_dos_screen_is_in_the_log() {
        let log = "XMS: 50 handles\nDOS CON: \x1B[2JDrive C is mounted\nINT13: Check\n\
                   DOS CON: [ Mark ]  [ Continue ]\nDOS CON: Percent: 1Percent: 2\n";
        let text = "Drive C is mounted\n[ Mark ]  [ Continue ]\nPercent: 1Percent: 2\n";
        assert_eq!(screen_text(log), text);
    }

    #[test]
    fn a_disk_or_a_program_that_is_not_there_is_in_the_log() {
        let log = "DOS CON: Bad command or filename - \"C:\\GHOST.EXE\"\n";
        assert_eq!(complaint(log).unwrap(), "Bad command or filename - \"C:\\GHOST.EXE\"");
        let log = "LOG: all well\nDOS CON: [2JThe image must be on a host, local or network drive.\n\
                   DOS CON: Must specify image file(s) to mount.\nCOMMAND.COM stack\n";
        assert_eq!(complaint(log).unwrap(), "Must specify image file(s) to mount.");
        assert_eq!(complaint("DOS CON: Completed successfully\n"), None);
    }
}
