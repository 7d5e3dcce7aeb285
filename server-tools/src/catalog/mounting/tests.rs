//! Which file system is meant, and what is left of a mount.

use super::*;
use ghost_contract::image::{Table, TableKind};

fn partition(number: u32, file_system: Option<&str>, label: Option<&str>) -> Partition {
    Partition {
        number,
        start: u64::from(number) << 20,
        length: 1 << 20,
        kind: "83".to_owned(),
        name: None,
        uuid: None,
        file_system: file_system.map(str::to_owned),
        label: label.map(str::to_owned),
    }
}

fn chosen(partitions: Vec<Partition>, wanted: Option<u32>) -> Result<Option<u32>, String> {
    let table = Table { kind: TableKind::Dos, id: None, partitions };
    match choose_of(&table, (&[], 0), wanted) {
        Ok(choice) => Ok(choice.partition),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn the_only_file_system_needs_no_choice_and_several_do() {
    let swap = || partition(3, Some("swap"), None);
    let root = || partition(2, Some("ext4"), Some("root"));
    let windows = || partition(1, Some("ntfs"), Some("Windows"));
    assert_eq!(chosen(vec![root(), swap()], None), Ok(Some(2)));
    assert_eq!(chosen(vec![windows(), root(), swap()], Some(1)), Ok(Some(1)));
    assert_eq!(
        chosen(vec![windows(), root(), swap()], None).unwrap_err(),
        "say with --partition which one: 1 (ntfs \"Windows\"), 2 (ext4 \"root\"), 3 (swap)"
    );
    assert_eq!(
        chosen(vec![root(), swap()], Some(3)).unwrap_err(),
        "partition 3 holds swap, which cannot be mounted"
    );
    assert_eq!(
        chosen(vec![root()], Some(9)).unwrap_err(),
        "there is no partition 9 on this disk; it has 2 (ext4 \"root\")"
    );
    assert_eq!(
        chosen(vec![partition(1, Some("crypto_LUKS"), None), partition(2, None, None)], None).unwrap_err(),
        "no partition of this disk has a file system that can be mounted; it has 1 (crypto_LUKS), 2 (nothing that is known)"
    );
}

fn mounted(folder: &Path) -> Mounted {
    Mounted {
        host: "john".parse().unwrap(),
        generation: "20260123-142501-4f3a".parse().unwrap(),
        disk: 0,
        partition: Some(1),
        file_system: "ext4".to_owned(),
        folder: folder.join("mnt"),
        file: folder.join("cache.img"),
        server: None,
        at: UnixTime::from_millis(0),
    }
}

#[test]
fn what_a_crash_left_is_removed_and_what_a_living_one_makes_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (state, one) = (folder.path(), mounted(folder.path()));
    fs::create_dir(&one.folder).unwrap();
    fs::write(&one.file, "restored so far").unwrap();
    let owner = write_record(&paths::mounts(state).join("a.json"), &one).unwrap();
    assert_eq!(recover(state).unwrap(), [], "its owner lives");
    assert_eq!(Exit::of(&unmount(state, &one.folder).unwrap_err()), Exit::Busy);
    drop(owner);
    assert_eq!(recover(state).unwrap(), std::slice::from_ref(&one));
    assert!(!one.file.exists());
    assert_eq!(recover(state).unwrap(), []);
    let not_ours = unmount(state, &one.folder).unwrap_err();
    assert!(not_ours.to_string().starts_with("nothing of the image store is mounted at"), "{not_ours}");
    assert_eq!(Exit::of(&not_ours), Exit::Usage);
}
