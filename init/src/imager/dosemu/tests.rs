use std::io::{Cursor, Write as _};
use std::path::Path;

use ghost_contract::order::Graphics;

use super::super::FoundFile;
use super::super::kept::Kept;
use super::*;

const CHECK: &str = r"-chkimg,z:\image.gho -sure -fx";

fn template(size: usize) -> Vec<u8> {
    template_with(size, b"lredir")
}

fn template_with(size: usize, lredir: &[u8]) -> Vec<u8> {
    floppy(size, lredir, b"a kernel")
}

fn floppy(size: usize, lredir: &[u8], kernel: &[u8]) -> Vec<u8> {
    let mut image = vec![0; size];
    let options = fatfs::FormatVolumeOptions::new();
    fatfs::format_volume(Cursor::new(&mut image[..]), options).unwrap();
    let files = fatfs::FileSystem::new(Cursor::new(&mut image[..]), fatfs::FsOptions::new()).unwrap();
    for (name, content) in [
        ("AUTOEXEC.BAT", bootdisk::AUTOEXEC_BAT.as_bytes()),
        ("LREDIR.COM", lredir),
        ("EXITEMU.COM", b"exitemu"),
        ("KERNEL.SYS", kernel),
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

fn disk(flavour: Flavour, mode: Mode) -> WholeDisk {
    whole_disk::of(&commission(mode), flavour, &Machine).unwrap()
}

fn commission(mode: Mode) -> Commission<'static> {
    Commission { mode, command: CHECK, disk: Path::new("/dev/sda"), disk_size: 1 << 30 }
}

/// How it is started with this floppy.
fn with(flavour: Flavour, mode: Mode, template: Vec<u8>) -> anyhow::Result<Launch> {
    let installed = Installed { path: Path::new("/usr/bin/dosemu.bin"), flavour };
    super::launch(&commission(mode), installed, template, disk(flavour, mode), Video::Text)
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
    for (mode, flag) in
        [(Mode::Backup, " readonly"), (Mode::Verify, " readonly"), (Mode::Restore, ""), (Mode::Ghost, "")]
    {
        for (flavour, path) in
            [(Flavour::Dosemu1, "/dev/mapper/ghost-disk"), (Flavour::Dosemu2, "/run/ghost/dos/disk")]
        {
            let launch = launch(flavour, mode);
            let settings = text(&launch, "/run/ghost/dos/dosemurc");
            assert!(settings.contains(&format!("disk {{ image \"{path}\"{flag} }}\n")), "{mode}: {settings}");
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
disk { image "/run/ghost/dos/disk" readonly }
shell("ln -sf /dev/mapper/ghost-disk /run/ghost/dos/disk")
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
    for (mode, line) in
        [(Mode::Verify, format!("A:\\GHOST.EXE {CHECK}\r\n")), (Mode::Ghost, "A:\\GHOST.EXE \r\n".to_owned())]
    {
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
fn a_floppy_whose_kernel_gets_no_drives_from_dosemu2_is_refused_under_it() {
    let old = || floppy(BOOTABLE_SIZE, b"lredir", b"\xEB\x1BCONFIG\x13\0");
    assert!(with(Flavour::Dosemu1, Mode::Backup, old()).is_ok());
    let error = with(Flavour::Dosemu2, Mode::Backup, old()).unwrap_err().to_string();
    assert!(error.contains("older than build 2043"), "{error}");
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
        let disk = disk(flavour, Mode::Backup);
        assert_eq!(launch.preparations[..disk.commands.len()], disk.commands);
        assert!(disk.files.iter().all(|file| launch.files.contains(file)));
        let settings = text(&launch, "/run/ghost/dos/dosemurc");
        assert!(settings.contains(&disk.settings), "{settings}");
    }
}

/// It locks a file for each read, and what the kernel has read ahead over NFS is dropped at each lock.
#[test]
fn dosemu2_gets_an_image_store_that_is_read_a_little_ahead() {
    let last = |flavour| launch(flavour, Mode::Restore).preparations.pop().unwrap();
    assert!(last(Flavour::Dosemu1)[0] != "sh");
    assert_eq!(
        last(Flavour::Dosemu2),
        [
            "sh",
            "-c",
            "echo 32 > /sys/class/bdi/$(mountpoint -d /run/ghost/dos/z)/read_ahead_kb || echo 'the default stays'"
        ]
    );
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

#[test]
fn version_1_gets_the_vga_and_the_rights_that_it_needs_for_it() {
    let launch = |flavour| {
        let installed = Installed { path: Path::new("/usr/bin/dosemu.bin"), flavour };
        let backup = commission(Mode::Backup);
        super::launch(&backup, installed, template(BOOTABLE_SIZE), disk(flavour, Mode::Backup), Video::Vga)
            .unwrap()
    };
    let first = launch(Flavour::Dosemu1);
    assert_eq!(first.arguments, ["-o", "/run/ghost/dos/log", "-s", "-k", "-f", "/run/ghost/dos/dosemurc"]);
    assert_eq!(first.terminal, Terminal::FirstVga);
    let settings = text(&first, "/run/ghost/dos/dosemurc");
    let graphics = "$_console = (1)\n\
         $_graphics = (1)\n\
         $_chipset = \"vesa\"\n\
         $_ports = \"range 0x402 0x403 range 0x1ce 0x1d1\"\n";
    assert!(settings.ends_with(graphics), "{settings}");
    assert_eq!(launch(Flavour::Dosemu2), super::tests::launch(Flavour::Dosemu2, Mode::Backup));
}

#[test]
fn where_dos_did_not_start_on_a_vga_the_way_out_is_said() {
    let remarks = |dosemurc: String, marks: &[&str]| {
        let marks = marks.iter().map(|mark| (format!("{}/{mark}", dos::MARKS), "x".to_owned()));
        let settings = ("/run/ghost/dos/dosemurc".to_owned(), dosemurc);
        let left: Kept = marks.chain([settings]).collect();
        let program = DosProgram { command: String::new(), graphics: Graphics::Vga };
        Dosemu { program }.judge(Mode::Restore, 1, &left).unwrap().remarks
    };
    let vga = || dosemu1("", Video::Vga);
    let [remark] = &remarks(vga(), &[])[..] else { panic!("one remark") };
    assert!(remark.contains("DOSEMU_GRAPHICS=no"), "{remark}");
    assert!(remarks(dosemu1("", Video::Text), &[]).is_empty(), "it was in text");
    assert!(remarks(dosemu2(""), &[]).is_empty(), "dosemu2 has text only");
    assert!(remarks(vga(), &["STARTED.TXT"]).is_empty(), "DOS has started");
}
