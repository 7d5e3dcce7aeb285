use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

#[test]
fn a_link_is_neither_followed_nor_entered() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("secret"), "x").unwrap();
    symlink(outside.path(), inside.path().join("way")).unwrap();
    let folder = Folder::open(inside.path()).unwrap();
    assert!(folder.folder("way").is_err());
    assert!(folder.file("way/secret").is_err());
    assert!(folder.file("../secret").is_err());
    assert_eq!(folder.tree().unwrap(), [Entry { path: "way".into(), kind: Kind::Other }]);
}

#[test]
fn removing_a_folder_leaves_what_its_links_lead_to() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("kept"), "x").unwrap();
    fs::create_dir_all(inside.path().join("old/deep")).unwrap();
    symlink(outside.path(), inside.path().join("old/deep/way")).unwrap();
    Folder::open(inside.path()).unwrap().remove_folder("old").unwrap();
    assert!(!inside.path().join("old").exists());
    assert!(outside.path().join("kept").exists());
}

#[test]
fn a_folder_never_takes_the_place_of_one_that_is_not_empty() {
    let inside = tempfile::tempdir().unwrap();
    fs::create_dir(inside.path().join("new")).unwrap();
    fs::create_dir_all(inside.path().join("old/kept")).unwrap();
    assert!(Folder::open(inside.path()).unwrap().rename("new", "old").is_err());
    assert!(inside.path().join("old/kept").exists());
}

#[test]
fn a_client_cannot_nest_folders_until_the_stack_is_full() {
    let inside = tempfile::tempdir().unwrap();
    fs::create_dir_all(inside.path().join(["d"; 40].join("/"))).unwrap();
    assert!(Folder::open(inside.path()).unwrap().tree().is_err());
}

#[test]
fn the_umask_takes_nothing_from_a_folders_mode() {
    let inside = tempfile::tempdir().unwrap();
    Folder::open(inside.path()).unwrap().make_folder("open", 0o777).unwrap();
    let mode = fs::metadata(inside.path().join("open")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o777);
}
