//! `ghostctl bootdisk`: a template floppy on which everything is that a client needs.

use std::fs;
use std::io::{Cursor, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ghost_contract::{bootdisk, layout};

use super::boot_server::{BootServer, said};

/// A boot server with a folder that has GHOST.EXE, and the image of a floppy that a DOS boots from, as far as can be
/// seen.
fn prepared() -> BootServer {
    let server = BootServer::with_hosts(0);
    let mut image = vec![0; 1440 << 10];
    fatfs::format_volume(Cursor::new(&mut image[..]), fatfs::FormatVolumeOptions::new()).unwrap();
    let files = fatfs::FileSystem::new(Cursor::new(&mut image[..]), fatfs::FsOptions::new()).unwrap();
    for name in ["KERNEL.SYS", "COMMAND.COM"] {
        files.root_dir().create_file(name).unwrap().write_all(b"DOS").unwrap();
    }
    drop(files);
    fs::write(server.path("dos.img"), image).unwrap();
    fs::create_dir_all(server.path("ghost/util")).unwrap();
    fs::write(server.path("ghost/ghost.exe"), "MZ").unwrap();
    fs::write(server.path("ghost/util/mouse.com"), "mouse").unwrap();
    server
}

fn run(server: &BootServer, flags: &[&str]) -> (i32, String) {
    let (image, folder) = (server.path("dos.img"), server.path("ghost"));
    let mut words = vec!["bootdisk"];
    words.extend(flags);
    words.extend([image.to_str().unwrap(), folder.to_str().unwrap()]);
    let output = server.run(&words);
    (output.status.code().unwrap(), said(&output))
}

fn template(server: &BootServer) -> PathBuf {
    server.path("base").join(layout::TEMPLATE_FLOPPY)
}

#[test]
fn the_template_is_put_where_clients_look_for_it_and_replaced_only_when_asked_for() {
    let server = prepared();
    let (status, said) = run(&server, &[]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("6 files") && said.contains("LREDIR and EXITEMU"), "{said}");
    let first = fs::read(template(&server)).unwrap();
    assert_eq!(bootdisk::read(first.clone(), "UTIL/MOUSE.COM").unwrap(), b"mouse");
    assert!(bootdisk::fill(first.clone(), "-sure").is_ok());

    fs::write(server.path("ghost/ghost.exe"), "MZ, a newer one").unwrap();
    let (status, said) = run(&server, &[]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("--replace"), "{said}");
    assert_eq!(fs::read(template(&server)).unwrap(), first);
    assert_eq!(run(&server, &["--replace"]).0, 0);
    let second = fs::read(template(&server)).unwrap();
    assert_eq!(bootdisk::read(second, "GHOST.EXE").unwrap(), b"MZ, a newer one");
}

#[test]
fn a_link_that_a_client_has_put_in_the_way_is_not_followed() {
    let server = prepared();
    let elsewhere = server.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("shadow"), "of the boot server").unwrap();
    // In the place of the file.
    fs::create_dir_all(template(&server).parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("shadow"), template(&server)).unwrap();
    assert_eq!(run(&server, &[]).0, 2, "it is not there by our doing");
    let (status, said) = run(&server, &["--replace"]);
    assert_eq!(status, 0, "{said}");
    assert!(template(&server).symlink_metadata().unwrap().is_file());
    assert_eq!(template(&server).metadata().unwrap().permissions().mode() & 0o777, 0o644);
    // In the place of a folder.
    fs::remove_dir_all(server.path("base/root")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, server.path("base/root")).unwrap();
    let (status, said) = run(&server, &["--replace"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("cannot write"), "{said}");
    let left: Vec<_> = fs::read_dir(&elsewhere).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["shadow"]);
    assert_eq!(fs::read_to_string(elsewhere.join("shadow")).unwrap(), "of the boot server");
}

#[test]
fn a_dry_run_writes_nothing_and_programs_are_told_in_json() {
    let server = prepared();
    let output = server.path("elsewhere/my.img");
    let (status, said) = run(&server, &["--dry-run", "--json", "--output", output.to_str().unwrap()]);
    assert_eq!(status, 0, "{said}");
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["path"], output.to_str().unwrap());
    assert_eq!((&told["written"], &told["bytes"]), (&false.into(), &(1440 << 10).into()));
    assert!(told["files"].as_array().unwrap().contains(&"GHOST.EXE".into()), "{said}");
    assert!(!output.exists() && !template(&server).exists());
}

#[test]
fn a_template_that_is_written_elsewhere_needs_no_settings() {
    let server = prepared();
    fs::remove_file(server.path("ghostrc")).unwrap();
    let output = server.path("my.img");
    let (status, said) = run(&server, &["--output", output.to_str().unwrap()]);
    assert_eq!(status, 0, "{said}");
    let config = bootdisk::read(fs::read(output).unwrap(), "CONFIG.SYS").unwrap();
    assert_eq!(config, b"LASTDRIVE=Z\r\n", "drives up to Z: are there");
    let (status, said) = run(&server, &[]);
    assert_eq!(status, 78, "{said}");
}

#[test]
fn a_name_alone_is_a_file_in_the_current_folder() {
    let server = prepared();
    let words = ["bootdisk", "--output", "my.img", "dos.img", "ghost"];
    let output = server.command(words).current_dir(server.path("")).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(server.path("my.img").is_file());
}

/// FreeDOS' own floppy starts an installer, which has the client's disk open for writing.
#[test]
fn an_image_that_starts_an_installer_starts_it_no_more_and_the_administrator_is_told() {
    let server = prepared();
    let mut image = fs::read(server.path("dos.img")).unwrap();
    let files = fatfs::FileSystem::new(Cursor::new(&mut image[..]), fatfs::FsOptions::new()).unwrap();
    let menu = b"MENU Install to harddisk\r\n1?SHELL=A:\\COMMAND.COM /P=A:\\FREEDOS\\FDAUTO.BAT\r\n";
    files.root_dir().create_file("FDCONFIG.SYS").unwrap().write_all(menu).unwrap();
    drop(files);
    fs::write(server.path("dos.img"), image).unwrap();
    let (status, said) = run(&server, &[]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("FDCONFIG.SYS would have started something else"), "{said}");
    let config = bootdisk::read(fs::read(template(&server)).unwrap(), "FDCONFIG.SYS").unwrap();
    assert!(!String::from_utf8(config).unwrap().contains("FDAUTO"));

    fs::write(server.path("ghost/fdconfig.sys"), menu).unwrap();
    let (status, said) = run(&server, &["--replace"]);
    assert_eq!(status, 2, "one's own is not replaced: {said}");
    assert!(said.contains("FDCONFIG.SYS starts something else than AUTOEXEC.BAT"), "{said}");
}

#[test]
fn whose_commands_are_on_the_floppy_is_told() {
    let server = prepared();
    fs::write(server.path("ghost/lredir.com"), b"\xB0\xC0\xB4\x02\xCD\xE6").unwrap();
    fs::write(server.path("ghost/exitemu.com"), "e").unwrap();
    let (status, said) = run(&server, &[]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("those of DOSEmu 1.4, and work under no other DOSEmu"), "{said}");
}

#[test]
fn what_cannot_be_a_template_is_refused_with_its_reason() {
    type Spoil = fn(&BootServer);
    let cases: [(Spoil, &str); 4] = [
        (|server| fs::remove_file(server.path("ghost/ghost.exe")).unwrap(), "has no file GHOST.EXE"),
        (|server| fs::write(server.path("dos.img"), "no floppy").unwrap(), "holds no FAT file system"),
        (
            |server| fs::write(server.path("ghost/ghost.exe"), vec![0; 2 << 20]).unwrap(),
            "bytes, and the image has",
        ),
        (|server| fs::write(server.path("ghost/a long name.txt"), "").unwrap(), "name of a file in DOS"),
    ];
    for (spoil, reason) in cases {
        let server = prepared();
        spoil(&server);
        let (status, said) = run(&server, &[]);
        assert_eq!(status, 2, "{said}");
        assert!(said.contains(reason), "{said}");
        assert!(!template(&server).exists());
    }
    let server = prepared();
    fs::remove_file(server.path("dos.img")).unwrap();
    let (status, said) = run(&server, &[]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("cannot read") && said.contains("dos.img"), "{said}");
}
