//! A new template floppy: a bootable image, with the files of a folder put on it.

use std::io::Write as _;

use super::extract::{BootFile, read_all};
use super::volume::{Files, Volume};
use super::{AUTOEXEC, BootdiskError, GHOST, fill};

/// The AUTOEXEC.BAT of a template that has none of its own: it leaves the marks by which an imager is judged.
pub const AUTOEXEC_BAT: &str = include_str!("AUTOEXEC.BAT");
/// What a DOS boots with: FreeDOS, MS-DOS, PC DOS and DR-DOS.
const KERNELS: [&str; 3] = ["KERNEL.SYS", "IO.SYS", "IBMBIO.COM"];
/// What reads AUTOEXEC.BAT.
const SHELL: &str = "COMMAND.COM";
/// Commands of DOSEmu that [`AUTOEXEC_BAT`] calls. dosbox-x has no use for them.
const DOSEMU_COMMANDS: [&str; 2] = ["LREDIR", "EXITEMU"];
/// How names of programs end.
const PROGRAMS: [&str; 2] = ["COM", "EXE"];

/// A template floppy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The image.
    pub image: Vec<u8>,
    /// What is on it, in DOS's names.
    pub files: Vec<String>,
    /// Bytes that are free.
    pub free: u64,
    /// Commands that AUTOEXEC.BAT calls and that are not on it: DOSEmu then has to have them on its path.
    pub not_on_it: Vec<&'static str>,
}

/// Puts files on a bootable image. Those that are there under the same name are replaced, and AUTOEXEC.BAT is
/// [`AUTOEXEC_BAT`] unless there is one among the files.
///
/// # Errors
/// When the image cannot be booted or has no room, a name is none of DOS, or what comes out is no template.
pub fn compose(image: Vec<u8>, mut files: Vec<BootFile>) -> Result<Template, BootdiskError> {
    for file in &mut files {
        file.path = dos_path(&file.path)?;
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    if let Some(pair) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
        return Err(BootdiskError::Twice { name: pair[0].path.clone() });
    }
    if !files.iter().any(|file| file.path == AUTOEXEC) {
        files.push(BootFile { path: AUTOEXEC.to_owned(), content: AUTOEXEC_BAT.into() });
    }
    let mut volume = Volume::open(image)?;
    let before = volume.look(read_all)?;
    volume.with(|target| {
        check_room(target, &before, &files)?;
        files.iter().try_for_each(|file| put(target, file))
    })?;
    let (on_it, free) = volume.look(|files| {
        let space = files.stats().map_err(BootdiskError::Volume)?;
        Ok((read_all(files)?, u64::from(space.free_clusters()) * u64::from(space.cluster_size())))
    })?;
    check(&on_it, &files)?;
    let image = volume.into_image();
    fill(image.clone(), "")?;
    let files = on_it.into_iter().map(|file| file.path).collect::<Vec<_>>();
    let called = |command: &&str| !PROGRAMS.iter().any(|end| files.contains(&format!("{command}.{end}")));
    Ok(Template { image, free, not_on_it: DOSEMU_COMMANDS.into_iter().filter(called).collect(), files })
}

/// Whether everything is on the floppy that it needs, and is what it was.
fn check(on_it: &[BootFile], wanted: &[BootFile]) -> Result<(), BootdiskError> {
    let has = |name: &str| on_it.iter().any(|file| file.path == name);
    if !KERNELS.iter().any(|kernel| has(kernel)) {
        return Err(BootdiskError::NotBootable { missing: "KERNEL.SYS, IO.SYS or IBMBIO.COM" });
    }
    if !has(SHELL) {
        return Err(BootdiskError::NotBootable { missing: SHELL });
    }
    if !has(GHOST) {
        return Err(BootdiskError::Missing { name: GHOST.to_owned() });
    }
    match wanted.iter().find(|file| !on_it.contains(file)) {
        Some(file) => {
            let source = std::io::Error::other("it reads back differently than it was written");
            Err(BootdiskError::File { name: file.path.clone(), source })
        }
        None => Ok(()),
    }
}

/// Whether the files fit, those that they replace taken away.
fn check_room(target: &Files<'_>, before: &[BootFile], files: &[BootFile]) -> Result<(), BootdiskError> {
    let space = target.stats().map_err(BootdiskError::Volume)?;
    let cluster = u64::from(space.cluster_size());
    let clusters = |file: &BootFile| (file.content.len() as u64).div_ceil(cluster);
    let needed: u64 = files.iter().map(clusters).sum();
    let replaced = before.iter().filter(|old| files.iter().any(|file| file.path == old.path));
    let free = u64::from(space.free_clusters()) + replaced.map(clusters).sum::<u64>();
    if needed > free {
        return Err(BootdiskError::NoRoom { needed: needed * cluster, free: free * cluster });
    }
    Ok(())
}

/// Writes one file, with the folders that it is in.
fn put(target: &Files<'_>, file: &BootFile) -> Result<(), BootdiskError> {
    let failed = |source| BootdiskError::File { name: file.path.clone(), source };
    let mut folder = target.root_dir();
    let (above, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    for below in above.split('/').filter(|below| !below.is_empty()) {
        folder = folder.create_dir(below).map_err(failed)?;
    }
    let mut written = folder.create_file(name).map_err(failed)?;
    written.truncate().map_err(failed)?;
    written.write_all(&file.content).map_err(failed)?;
    written.flush().map_err(failed)
}

/// A path as DOS has it: in capitals, each name of up to eight characters, with an ending of up to three.
fn dos_path(path: &str) -> Result<String, BootdiskError> {
    let is_dos_name = |name: &str| {
        let (base, ending) = name.split_once('.').unwrap_or((name, ""));
        let plain = |part: &str| {
            part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'()-@^_`{}~".contains(&byte))
        };
        (1..=8).contains(&base.len())
            && ending.len() <= 3
            && !name.ends_with('.')
            && plain(base)
            && plain(ending)
    };
    if path.split('/').all(is_dos_name) {
        return Ok(path.to_ascii_uppercase());
    }
    Err(BootdiskError::NoDosName { name: path.to_owned() })
}

#[cfg(test)]
mod tests {
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
        let template =
            compose(bootable(), vec![file("ghost.exe", b"MZ"), file("util/mouse.com", b"m")]).unwrap();
        assert_eq!(read(template.image.clone(), "GHOST.EXE").unwrap(), b"MZ");
        assert_eq!(read(template.image.clone(), "UTIL/MOUSE.COM").unwrap(), b"m");
        assert_eq!(read(template.image.clone(), AUTOEXEC).unwrap(), AUTOEXEC_BAT.as_bytes());
        let filled = fill(template.image, "-sure").unwrap();
        assert!(!String::from_utf8(read(filled, AUTOEXEC).unwrap()).unwrap().contains(COMMAND_PLACEHOLDER));
        assert_eq!(
            template.files,
            ["KERNEL.SYS", "COMMAND.COM", "AUTOEXEC.BAT", "GHOST.EXE", "UTIL/MOUSE.COM"]
        );
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
        assert_eq!(without.not_on_it, ["LREDIR", "EXITEMU"]);
        let files = vec![file("GHOST.EXE", b"MZ"), file("LREDIR.COM", b"l"), file("EXITEMU.EXE", b"e")];
        assert_eq!(compose(bootable(), files).unwrap().not_on_it, Vec::<&str>::new());
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
        assert!(error.starts_with("the files need 1475072 bytes, and the image has "), "{error}");
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
}
