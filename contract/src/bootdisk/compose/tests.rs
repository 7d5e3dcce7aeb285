//! Which images and files make a template?

use super::super::tests::{KIB, formatted, put as put_on};
use super::super::{COMMAND_PLACEHOLDER, read};
use super::*;

fn file(path: &str, content: &[u8]) -> BootFile {
    BootFile { path: path.to_owned(), content: content.into() }
}

/// A floppy that FreeDOS boots from, as far as can be seen.
fn bootable() -> Vec<u8> {
    let mut image = formatted(1440 * KIB);
    put_on(&mut image, "KERNEL.SYS", b"a kernel");
    put_on(&mut image, "COMMAND.COM", b"a shell");
    put_on(&mut image, "AUTOEXEC.BAT", b"an installation program of some length");
    image
}

fn refusal(image: Vec<u8>, files: Vec<BootFile>) -> String {
    compose(image, files).map(|template| template.files).unwrap_err().to_string()
}

#[test]
fn what_comes_out_is_a_template_that_a_client_can_fill_in() {
    let template = compose(bootable(), vec![file("ghost.exe", b"MZ"), file("util/mouse.com", b"m")]).unwrap();
    assert_eq!(read(template.image.clone(), "GHOST.EXE").unwrap(), b"MZ");
    assert_eq!(read(template.image.clone(), "UTIL/MOUSE.COM").unwrap(), b"m");
    assert_eq!(read(template.image.clone(), AUTOEXEC).unwrap(), AUTOEXEC_BAT.as_bytes());
    let filled = fill(template.image, "-sure").unwrap();
    assert!(!String::from_utf8(read(filled, AUTOEXEC).unwrap()).unwrap().contains(COMMAND_PLACEHOLDER));
    assert_eq!(
        template.files,
        ["KERNEL.SYS", "COMMAND.COM", "AUTOEXEC.BAT", "GHOST.EXE", "UTIL/MOUSE.COM", "CONFIG.SYS"]
    );
}

fn config(template: &Template, name: &str) -> String {
    String::from_utf8(read(template.image.clone(), name).unwrap()).unwrap()
}

/// Without it, DOSEmu 1.4 says "invalid drive" and Ghost is called all the same.
#[test]
fn drive_letters_reach_to_z_in_the_file_that_this_dos_reads() {
    let program = || vec![file("GHOST.EXE", b"MZ")];
    let template = compose(bootable(), program()).unwrap();
    assert_eq!(config(&template, "CONFIG.SYS"), "LASTDRIVE=Z\r\n");

    let mut freedos = bootable();
    put_on(&mut freedos, "FDCONFIG.SYS", b"FILES=20\r\n");
    put_on(&mut freedos, "CONFIG.SYS", b"FILES=30\r\n");
    let template = compose(freedos, program()).unwrap();
    assert_eq!(config(&template, "FDCONFIG.SYS"), "FILES=20\r\nLASTDRIVE=Z\r\n");
    assert_eq!(config(&template, "CONFIG.SYS"), "FILES=30\r\n", "FreeDOS does not read it");

    let mut msdos = formatted(1440 * KIB);
    for name in ["IO.SYS", "COMMAND.COM", "FDCONFIG.SYS"] {
        put_on(&mut msdos, name, b"FILES=20\r\n");
    }
    let template = compose(msdos, program()).unwrap();
    assert_eq!(config(&template, "CONFIG.SYS"), "LASTDRIVE=Z\r\n");
    assert_eq!(config(&template, "FDCONFIG.SYS"), "FILES=20\r\n", "only FreeDOS reads it");
}

/// The installer of FreeDOS' own floppy runs a batch file of its own, with the client's disk open for writing.
#[test]
fn what_would_start_an_installer_is_replaced_and_that_is_told() {
    let menu = b"MENU 1. Install to harddisk\r\nMENUDEFAULT=1,120\r\n\
        1?SHELL=A:\\COMMAND.COM /P=A:\\FREEDOS\\FDAUTO.BAT\r\n";
    let mut image = bootable();
    put_on(&mut image, "FDCONFIG.SYS", menu);
    let template = compose(image, vec![file("GHOST.EXE", b"MZ")]).unwrap();
    let line = "MENU 1. Install to harddisk".to_owned();
    assert_eq!(template.replaced, Some(Replaced { name: "FDCONFIG.SYS", line }));
    let config = config(&template, "FDCONFIG.SYS");
    assert!(!config.contains("FDAUTO") && config.contains("LASTDRIVE=Z\r\n"), "{config}");
}

/// dosemu2's LREDIR makes no drives in it, so no job could run.
#[test]
fn a_kernel_that_is_too_old_for_the_dosemu2_whose_commands_are_on_it_is_refused() {
    let with = |version: u8, kernel: &[u8]| {
        let lredir = [0xB0, 0xC0, 0xB4, version, 0xCD, 0xE6];
        vec![file("GHOST.EXE", b"MZ"), file("LREDIR.COM", &lredir), file("KERNEL.SYS", kernel)]
    };
    let old = b"\xEB\x1BCONFIG\x13\0";
    let new = b"\xEB\x1BCONFIG\x06\0";
    assert_eq!(refusal(bootable(), with(3, old)), kernel::TOO_OLD);
    for files in [with(2, old), with(3, new)] {
        assert!(compose(bootable(), files).is_ok());
    }
}

#[test]
fn a_configuration_of_ones_own_that_starts_something_else_is_refused_and_not_replaced() {
    let own = file("config.sys", b"SHELL=A:\\COMMAND.COM /P=A:\\SETUP.BAT\r\n");
    let error = refusal(bootable(), vec![file("GHOST.EXE", b"MZ"), own]);
    assert!(error.contains("CONFIG.SYS") && error.contains("/P=A:\\SETUP.BAT"), "{error}");
    let own = file("config.sys", b"FILES=40\r\n");
    let template = compose(bootable(), vec![file("GHOST.EXE", b"MZ"), own]).unwrap();
    assert_eq!(config(&template, "CONFIG.SYS"), "FILES=40\r\nLASTDRIVE=Z\r\n");
}

/// FreeCOM looks for programs in the current folder only, and what has become current is M:.
#[test]
fn commands_are_called_where_they_are() {
    for command in ["LREDIR", "EXITEMU", "GHOST.EXE"] {
        for line in AUTOEXEC_BAT.lines().filter(|line| line.contains(command)) {
            assert!(line.contains(&format!("A:\\{command}")), "{line}");
        }
    }
    let called = AUTOEXEC_BAT.find("A:\\GHOST.EXE BackUpCommand").unwrap();
    let looked = AUTOEXEC_BAT.find("IF NOT EXIST Z:\\NUL GOTO FAILED").unwrap();
    assert!(looked < called, "Ghost is not called without its drives");
}

#[test]
fn an_autoexec_bat_of_ones_own_is_taken_if_it_can_be_filled_in() {
    let own = b"BackUpName\r\nBackUpCommand\r\n";
    let files = vec![file("GHOST.EXE", b"MZ"), file("autoexec.bat", own)];
    assert_eq!(read(compose(bootable(), files).unwrap().image, AUTOEXEC).unwrap(), own);
    let error = refusal(bootable(), vec![file("GHOST.EXE", b"MZ"), file("AUTOEXEC.BAT", b"GHOST.EXE")]);
    assert!(error.contains("does not contain the word BackUpName"), "{error}");
}

#[test]
fn what_dosemu_would_miss_is_told() {
    let without = compose(bootable(), vec![file("GHOST.EXE", b"MZ")]).unwrap();
    assert_eq!(without.commands.missing, ["LREDIR", "EXITEMU"]);
    let files = vec![file("GHOST.EXE", b"MZ"), file("LREDIR.COM", b"l"), file("EXITEMU.EXE", b"e")];
    assert_eq!(compose(bootable(), files).unwrap().commands.missing, Vec::<&str>::new());
}

#[test]
fn without_the_program_there_is_no_template() {
    assert_eq!(refusal(bootable(), Vec::new()), "the boot floppy image has no file GHOST.EXE");
    let mut image = bootable();
    put_on(&mut image, "GHOST.EXE", b"MZ");
    assert!(compose(image, Vec::new()).is_ok(), "it may be on the image already");
}

#[test]
fn an_image_that_no_dos_boots_from_is_refused() {
    let program = || vec![file("GHOST.EXE", b"MZ")];
    let mut image = formatted(1440 * KIB);
    let expected = "the image cannot be booted: it has no file KERNEL.SYS, IO.SYS or IBMBIO.COM";
    assert_eq!(refusal(image.clone(), program()), expected);
    put_on(&mut image, "IO.SYS", b"a kernel");
    assert_eq!(refusal(image, program()), "the image cannot be booted: it has no file COMMAND.COM");
    let expected = "the boot floppy image holds no FAT file system that DOS can read";
    assert_eq!(refusal(vec![0; 1440 * KIB], program()), expected);
}

#[test]
fn what_does_not_fit_is_told_before_anything_is_written() {
    let files = vec![file("GHOST.EXE", &vec![7; 1440 * KIB])];
    let error = refusal(bootable(), files);
    assert!(error.starts_with("the files need 1475584 bytes, and the image has only "), "{error}");
}

#[test]
fn room_that_is_given_back_counts() {
    let mut image = bootable();
    put_on(&mut image, "GHOST.EXE", &vec![7; 1000 * KIB]);
    assert!(compose(image, vec![file("GHOST.EXE", &vec![8; 1100 * KIB])]).is_ok());
}

#[test]
fn names_that_differ_in_letter_case_only_are_refused() {
    let error = refusal(bootable(), vec![file("GHOST.EXE", b"1"), file("ghost.exe", b"2")]);
    assert!(error.starts_with("there are two files GHOST.EXE"), "{error}");
}

#[test]
fn names_that_dos_does_not_have_are_refused() {
    for name in
        ["autoexec.bat.old", "ghost2003.exe", "GHOST.EXE~", "a b.exe", ".hidden", "util/", "b\u{e4}r.exe"]
    {
        let error = refusal(bootable(), vec![file(name, b"")]);
        assert!(error.contains("cannot be the name of a file in DOS"), "{name}: {error}");
    }
}
