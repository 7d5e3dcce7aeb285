//! Given a file with a file system that other programs have made, are the very files in it?

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use super::*;

#[track_caller]
fn run(program: &str, arguments: &[&str]) {
    let ran = Command::new(program).args(arguments).env("MTOOLS_SKIP_CHECK", "1").output().unwrap();
    assert!(ran.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 7 + at / 251) % 256).unwrap()).collect()
}

/// A file of so many mebibytes.
fn blank(folder: &Path, mebibytes: u64) -> std::path::PathBuf {
    let path = folder.join("volume");
    File::create(&path).unwrap().set_len(mebibytes << 20).unwrap();
    path
}

/// The file at this path, in pieces that begin and end where no block does.
fn read(tree: &mut dyn Tree, path: &str) -> io::Result<Vec<u8>> {
    let node = path.split('/').try_fold(ROOT, |folder, name| tree.child(folder, name.as_bytes()))?;
    let mut bytes = Vec::new();
    loop {
        let piece = tree.read(node, u64::try_from(bytes.len()).unwrap(), 4_999)?;
        if piece.is_empty() {
            return Ok(bytes);
        }
        bytes.extend(piece);
    }
}

fn names(tree: &mut dyn Tree, folder: u64) -> Vec<String> {
    let children = tree.children(folder).unwrap();
    let mut names: Vec<String> =
        children.into_iter().map(|(name, _)| String::from_utf8(name).unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_ext_of_each_kind_shows_its_files_links_and_owners() {
    for kind in ["ext2", "ext3", "ext4"] {
        let folder = tempfile::tempdir().unwrap();
        let (volume, files) = (blank(folder.path(), 32), folder.path().join("files"));
        std::fs::create_dir_all(files.join("home/john")).unwrap();
        std::fs::write(files.join("home/john/noise"), noise(3 << 20)).unwrap();
        std::os::unix::fs::symlink("noise", files.join("home/john/link")).unwrap();
        let sparse = File::create(files.join("sparse")).unwrap();
        sparse.write_all_at(b"end", 1 << 20).unwrap();
        let (files, path) = (files.to_str().unwrap(), volume.to_str().unwrap());
        run("mke2fs", &["-q", "-t", kind, "-d", files, path]);
        let mut tree = Driver::of(kind).unwrap().open(File::open(&volume).unwrap()).unwrap();
        assert_eq!(names(&mut *tree, ROOT), ["home", "lost+found", "sparse"], "{kind}");
        assert_eq!(read(&mut *tree, "home/john/noise").unwrap(), noise(3 << 20), "{kind}");
        match read(&mut *tree, "sparse") {
            Ok(sparse) => assert!(sparse.len() == (1 << 20) + 3 && sparse.ends_with(b"\0end"), "{kind}"),
            // Where whole blocks of pointers are holes, the driver of the older form gives up.
            Err(error) => assert!(kind != "ext4" && error.kind() == io::ErrorKind::Other, "{kind}: {error}"),
        }
        let john = ["home", "john"].iter().fold(ROOT, |at, name| tree.child(at, name.as_bytes()).unwrap());
        let link = tree.child(john, b"link").unwrap();
        assert_eq!(
            (tree.entry(link).unwrap().kind, tree.link(link).unwrap()),
            (Kind::Link, b"noise".to_vec())
        );
        assert_eq!(tree.child(john, b"nothing").unwrap_err().kind(), io::ErrorKind::NotFound, "{kind}");
    }
}

#[test]
fn a_fat_of_each_width_shows_its_files() {
    for (width, mebibytes) in [("12", 4), ("16", 32), ("32", 64)] {
        let folder = tempfile::tempdir().unwrap();
        let (volume, file) = (blank(folder.path(), mebibytes), folder.path().join("a long name.txt"));
        std::fs::write(&file, noise(1 << 20)).unwrap();
        let path = volume.to_str().unwrap();
        run("mkfs.fat", &["-F", width, path]);
        run("mmd", &["-i", path, "::/folder"]);
        run("mcopy", &["-i", path, file.to_str().unwrap(), "::/folder/"]);
        let mut tree = Driver::Fat.open(File::open(&volume).unwrap()).unwrap();
        assert_eq!(names(&mut *tree, ROOT), ["folder"], "{width}");
        assert_eq!(read(&mut *tree, "folder/a long name.txt").unwrap(), noise(1 << 20), "{width}");
        let inside = tree.child(ROOT, b"folder").unwrap();
        let entry = tree.entry(inside).unwrap();
        assert_eq!((entry.kind, entry.permissions), (Kind::Folder, 0o700), "{width}");
    }
}

/// An NTFS with one file, put there without mounting it.
fn ntfs(folder: &Path, content: &[u8]) -> std::path::PathBuf {
    let (volume, file) = (blank(folder, 16), folder.join("content"));
    std::fs::write(&file, content).unwrap();
    run("mkntfs", &["-q", "-F", "-Q", volume.to_str().unwrap()]);
    run("ntfscp", &["-q", volume.to_str().unwrap(), file.to_str().unwrap(), "/gr\u{fc}n.txt"]);
    volume
}

#[test]
fn an_ntfs_shows_its_files_small_and_large() {
    for length in [0, 30, 3 << 20] {
        let folder = tempfile::tempdir().unwrap();
        let volume = ntfs(folder.path(), &noise(length));
        let mut tree = Driver::Ntfs.open(File::open(&volume).unwrap()).unwrap();
        assert_eq!(names(&mut *tree, ROOT), ["gr\u{fc}n.txt"], "{length}");
        assert_eq!(read(&mut *tree, "gr\u{fc}n.txt").unwrap(), noise(length), "{length}");
        let node = tree.child(ROOT, "gr\u{fc}n.txt".as_bytes()).unwrap();
        let entry = tree.entry(node).unwrap();
        assert_eq!((entry.kind, entry.size), (Kind::File, u64::try_from(length).unwrap()));
        assert_eq!(tree.child(ROOT, b"nothing").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

/// What a hostile client may put there: each bit of what the driver reads first, and some others, turned round one by one.
#[test]
fn a_damaged_file_system_is_an_error_or_other_files_and_nothing_worse() {
    let folder = tempfile::tempdir().unwrap();
    let ntfs = std::fs::read(ntfs(folder.path(), &noise(100_000))).unwrap();
    let ext = blank(folder.path(), 4);
    run("mke2fs", &["-q", "-t", "ext4", "-d", "/etc/skel", ext.to_str().unwrap()]);
    let ext = std::fs::read(ext).unwrap();
    for (driver, whole, stretches) in [
        (Driver::Ntfs, ntfs, [(0, 0x60), (0x4000, 1_024), (0x4000 + 5 * 1_024, 1_024)]),
        (Driver::Ext, ext, [(1_024, 256), (4_096, 128), (8_192, 64)]),
    ] {
        let path = folder.path().join("damaged");
        std::fs::write(&path, &whole).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        for bit in stretches.iter().flat_map(|(from, length)| from * 8..(from + length) * 8).step_by(3) {
            let (place, byte) = (u64::try_from(bit / 8).unwrap(), whole[bit / 8]);
            file.write_all_at(&[byte ^ 1 << (bit % 8)], place).unwrap();
            if let Ok(mut tree) = driver.open(File::open(&path).unwrap()) {
                for (name, _) in tree.children(ROOT).unwrap_or_default() {
                    let Ok(node) = tree.child(ROOT, &name) else { continue };
                    let _any = (tree.entry(node), tree.read(node, 0, 100), tree.read(node, 90_000, 4_096));
                }
            }
            file.write_all_at(&[byte], place).unwrap();
        }
    }
}

#[test]
fn an_ext_takes_no_memory_that_its_bytes_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let (volume, files) = (blank(folder.path(), 4), folder.path().join("files"));
    std::fs::create_dir(&files).unwrap();
    std::os::unix::fs::symlink("x".repeat(100), files.join("link")).unwrap();
    let (files, path) = (files.to_str().unwrap(), volume.to_str().unwrap());
    run("mke2fs", &["-q", "-t", "ext4", "-O", "^metadata_csum", "-d", files, path]);
    let whole = std::fs::read(&volume).unwrap();
    let damaged = |places: &[(usize, u32)]| {
        let mut bytes = whole.clone();
        for (place, number) in places {
            bytes[1_024 + place..][..4].copy_from_slice(&number.to_le_bytes());
        }
        std::fs::write(&volume, bytes).unwrap();
        Driver::Ext.open(File::open(&volume).unwrap())
    };
    assert!(damaged(&[]).is_ok());
    // Blocks, in both halves of their number; blocks in a group; the two together.
    for places in [&[(0x04, u32::MAX)][..], &[(0x150, 0xFFFF)], &[(0x20, 1)], &[(0x04, 1 << 24), (0x20, 256)]]
    {
        let refused = damaged(places).err().unwrap_or_else(|| panic!("{places:x?}"));
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{places:x?}");
    }
    std::fs::write(&volume, &whole).unwrap();
    run("debugfs", &["-w", "-R", "set_inode_field /link size 1099511627776", path]);
    let mut tree = Driver::Ext.open(File::open(&volume).unwrap()).unwrap();
    let link = tree.child(ROOT, b"link").unwrap();
    assert_eq!(tree.link(link).unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert_eq!(tree.read(link, 0, 100).unwrap_err().kind(), io::ErrorKind::Unsupported);
}

#[test]
fn what_is_no_file_system_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for bytes in [vec![], vec![0; 1 << 20], noise(1 << 20)] {
        let path = folder.path().join("volume");
        std::fs::write(&path, bytes).unwrap();
        for driver in [Driver::Ext, Driver::Ntfs, Driver::Fat] {
            assert!(driver.open(File::open(&path).unwrap()).is_err(), "{driver:?}");
        }
    }
}
