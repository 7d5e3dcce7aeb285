use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};

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

#[test]
fn whatever_a_client_leaves_is_removed() {
    let inside = tempfile::tempdir().unwrap();
    let old = inside.path().join("old");
    // Deep folders, whose path is longer than any path may be, and names that are in the way of moving them.
    fs::create_dir(&old).unwrap();
    let mut deepest = Folder::open(&old).unwrap();
    let name = "d".repeat(200);
    for _ in 0..300 {
        deepest.make_folder(&name, 0o700).unwrap();
        deepest = deepest.folder(&name).unwrap();
    }
    deepest.create("file").unwrap();
    for name in ["\x1b[2J", "new\nline", "-rf", ".deep-1", ".deep-2/full", "\u{202e}", " "] {
        fs::create_dir_all(old.join(name)).unwrap();
    }
    fs::write(old.join(".deep-3"), "").unwrap();
    fs::write(old.join(odd_name()), "").unwrap();
    nix::unistd::mkfifo(&old.join("fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    (0..BATCH * 2).for_each(|number| fs::write(old.join(format!("f{number}")), "").unwrap());
    fs::create_dir(old.join("closed")).unwrap();
    fs::set_permissions(old.join("closed"), fs::Permissions::from_mode(0o0)).unwrap();
    Folder::open(inside.path()).unwrap().remove_folder("old").unwrap();
    assert!(!old.exists());
}

/// A name that is no UTF-8.
fn odd_name() -> &'static std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(b"\xff\xfe")
}

#[test]
fn whatever_has_a_name_is_removed() {
    let inside = tempfile::tempdir().unwrap();
    let folder = Folder::open(inside.path()).unwrap();
    fs::create_dir_all(inside.path().join("folder/full")).unwrap();
    fs::write(inside.path().join("file"), "").unwrap();
    symlink("/nowhere", inside.path().join("link")).unwrap();
    for name in ["folder", "file", "link", "nothing"] {
        folder.remove(name).unwrap();
    }
    assert_eq!(folder.entries().unwrap(), []);
}

/// Swaps two names in a folder again and again, until it is dropped.
struct Swapping {
    over: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Swapping {
    fn of(folder: &Path, one: &'static str, other: &'static str) -> Self {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use std::sync::atomic::{AtomicBool, Ordering};
        let over = std::sync::Arc::new(AtomicBool::new(false));
        let (ends, folder) = (std::sync::Arc::clone(&over), folder.to_owned());
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                renameat_with(CWD, folder.join(one), CWD, folder.join(other), RenameFlags::EXCHANGE).unwrap();
            }
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Swapping {
    fn drop(&mut self) {
        self.over.store(true, std::sync::atomic::Ordering::Relaxed);
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

#[test]
fn a_link_is_not_followed_at_any_place_of_a_path_even_if_it_is_swapped_in_between() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir_all(outside.path().join("b")).unwrap();
    fs::write(outside.path().join("b/c"), "secret").unwrap();
    for place in ["a", "a/b", "a/b/c"] {
        let real = inside.path().join(place);
        let (parent, name) = (real.parent().unwrap().to_owned(), place.rsplit('/').next().unwrap());
        fs::create_dir_all(inside.path().join("a/b")).unwrap();
        fs::write(inside.path().join("a/b/c"), "own").unwrap();
        let target = outside.path().join(place.strip_prefix("a").unwrap().trim_start_matches('/'));
        symlink(target, parent.join("link")).unwrap();
        assert_eq!(fs::read(inside.path().join("a/b/c")).unwrap(), b"own");
        let swapping = Swapping::of(&parent, name, "link");
        let folder = Folder::open(inside.path()).unwrap();
        let (mut own, mut refused) = (0, 0);
        // On a machine that does much else, the two may seldom run at the same time.
        let deadline = Instant::now() + Duration::from_secs(60);
        while own + refused < 10_000 || (own.min(refused) == 0 && Instant::now() < deadline) {
            match folder.read("a/b/c", 100) {
                Ok(bytes) => {
                    assert_eq!(bytes, b"own", "{place}");
                    own += 1;
                }
                Err(_) => refused += 1,
            }
        }
        drop(swapping);
        assert!(own > 0 && refused > 0, "{place}: it was swapped: {own} {refused}");
        fs::remove_dir_all(inside.path().join("a")).unwrap();
        let _elsewhere = fs::remove_file(inside.path().join("link"));
    }
}

/// Runs a test while another thread swaps a name for a link that leads elsewhere, and puts the link there if the name is free. The
/// test is told how often that was done so far.
fn while_swapping(real: &Path, target: &Path, test: impl FnOnce(&dyn Fn() -> u64)) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    let (over, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    let link = real.with_file_name("link");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let swapped = renameat_with(CWD, real, CWD, &link, RenameFlags::EXCHANGE);
                let is_done = swapped.is_ok() || symlink(target, real).is_ok();
                swaps.fetch_add(u64::from(is_done), Ordering::Relaxed);
                // It may have been removed.
                let _there = symlink(target, &link);
            }
        });
        test(&|| swaps.load(Ordering::Relaxed));
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_is_removed_while_a_client_swaps_it_for_a_link_is_removed_here_only() {
    let (inside, outside) = (tempfile::tempdir_in("/dev/shm").unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("kept"), "x").unwrap();
    let folder = Folder::open(inside.path()).unwrap();
    let way = inside.path().join("old/way");
    while_swapping(&way, outside.path(), |swaps| {
        let made = inside.path().join("made");
        for _ in 0..10_000 {
            // Both are there from the beginning, so that they can be swapped.
            fs::create_dir_all(made.join("way/deep")).unwrap();
            fs::write(made.join("way/kept"), "").unwrap();
            symlink(outside.path(), made.join("link")).unwrap();
            fs::rename(&made, inside.path().join("old")).unwrap();
            while folder.has("old").unwrap() {
                // It may be filled between the last look and the removal.
                let _removed = folder.remove_folder("old");
            }
        }
        assert!(swaps() > 1_000, "{}", swaps());
    });
    assert!(outside.path().join("kept").exists());
}

#[test]
fn what_is_written_while_a_client_swaps_in_links_is_written_here_only() {
    let (inside, outside) = (tempfile::tempdir_in("/dev/shm").unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir_all(outside.path().join("b/ours")).unwrap();
    fs::write(outside.path().join("b/c"), "secret").unwrap();
    fs::set_permissions(outside.path().join("b/ours"), fs::Permissions::from_mode(0o755)).unwrap();
    // Folders on the way, the file itself, the name that it is written under first, and a folder that is made.
    for (place, target) in
        [("a", ""), ("a/b", "b"), ("a/b/c", "b/c"), ("a/b/.new-c", "b/new"), ("a/b/ours", "b/ours")]
    {
        fs::create_dir_all(inside.path().join("a/b")).unwrap();
        let folder = Folder::open(inside.path()).unwrap();
        while_swapping(&inside.path().join(place), &outside.path().join(target), |swaps| {
            let (mut tries, mut written) = (0, 0);
            // On a machine that does much else, the two may seldom run at the same time.
            let deadline = Instant::now() + Duration::from_secs(60);
            while tries < 10_000 || ((written == 0 || swaps() < 1_000) && Instant::now() < deadline) {
                let below = folder.folder("a/b");
                let replaced = below.as_ref().is_ok_and(|below| below.replace("c", b"own").is_ok());
                let made = below.as_ref().is_ok_and(|below| below.make_folder("ours", 0o700).is_ok());
                let _removed =
                    below.map(|below| below.rename("ours", "moved").and_then(|()| below.remove("moved")));
                written += u32::from(replaced && made);
                tries += 1;
            }
            assert!(written > 0 && swaps() > 1_000, "{place}: {written} {}", swaps());
        });
        assert_eq!(fs::read(outside.path().join("b/c")).unwrap(), b"secret", "{place}");
        let mode = fs::metadata(outside.path().join("b/ours")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o755, "{place}");
        let names = |folder: &Path| fs::read_dir(folder).unwrap().count();
        assert_eq!((names(outside.path()), names(&outside.path().join("b"))), (1, 2), "{place}");
        folder.remove_all_but(&[]).unwrap();
    }
}

#[test]
fn files_are_counted_in_all_folders_together() {
    let inside = tempfile::tempdir().unwrap();
    for name in ["a/b/1", "a/2", "3", "a/b/4"] {
        fs::create_dir_all(inside.path().join(name).parent().unwrap()).unwrap();
        fs::write(inside.path().join(name), "").unwrap();
    }
    let folder = Folder::open(inside.path()).unwrap();
    assert_eq!(folder.tree_of(4).unwrap().len(), 4);
    assert_eq!(folder.tree_of(3).unwrap_err().to_string(), "there are more than 3 files");
}

/// What stands behind too many folders must not be overlooked.
#[test]
fn folders_are_counted_too() {
    let inside = tempfile::tempdir().unwrap();
    let folder = Folder::open(inside.path()).unwrap();
    (0..5).for_each(|number| fs::create_dir(inside.path().join(number.to_string())).unwrap());
    fs::write(inside.path().join("extra"), "").unwrap();
    assert_eq!(folder.tree_of(3).unwrap().len(), 1);
    fs::create_dir_all(inside.path().join("0/more")).unwrap();
    assert_eq!(folder.tree_of(3).unwrap_err().to_string(), "there are more than 6 files and folders");
    (5..9).for_each(|number| fs::create_dir(inside.path().join(number.to_string())).unwrap());
    assert_eq!(folder.tree_of(3).unwrap_err().to_string(), "there are more than 6 files and folders");
}

#[test]
fn a_client_cannot_leave_more_files_than_a_generation_may_have() {
    let inside = tempfile::tempdir_in("/dev/shm").unwrap();
    let file = inside.path().join("file");
    fs::write(&file, "").unwrap();
    // Names of one file are as many files to whoever lists them, and quicker made.
    (1..STAGING_FILES)
        .for_each(|number| fs::hard_link(&file, inside.path().join(number.to_string())).unwrap());
    let folder = Folder::open(inside.path()).unwrap();
    assert_eq!(folder.tree().unwrap().len(), STAGING_FILES);
    fs::hard_link(&file, inside.path().join("one more")).unwrap();
    let refused = folder.tree().unwrap_err().to_string();
    assert_eq!(refused, format!("there are more than {STAGING_FILES} files"));
}

#[test]
fn a_client_cannot_have_names_held_in_memory_without_end() {
    let inside = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut folder = Folder::open(inside.path()).unwrap();
    let name = |number: usize| format!("{number:0255}");
    for _ in 0..DEPTH - 1 {
        folder.make_folder(name(0), 0o700).unwrap();
        folder = folder.folder(name(0)).unwrap();
    }
    let whole = DEPTH * 256 - 1;
    (0..STAGING_NAMES / whole).for_each(|number| drop(folder.create(name(number)).unwrap()));
    let top = Folder::open(inside.path()).unwrap();
    assert_eq!(top.tree().unwrap().len(), STAGING_NAMES / whole);
    folder.create(name(STAGING_NAMES / whole)).unwrap();
    let refused = top.tree().unwrap_err().to_string();
    assert_eq!(refused, "the names of its files have more than 8388608 bytes together");
}

#[test]
fn a_folder_where_a_file_is_written_first_keeps_it_neither_from_being_replaced_nor_from_being_removed() {
    let inside = tempfile::tempdir().unwrap();
    let folder = Folder::open(inside.path()).unwrap();
    let in_the_way = inside.path().join(".new-order.json");
    fs::create_dir_all(in_the_way.join("full")).unwrap();
    folder.replace("order.json", b"new").unwrap();
    assert_eq!(fs::read(inside.path().join("order.json")).unwrap(), b"new");
    fs::create_dir_all(in_the_way.join("full")).unwrap();
    folder.remove_left_beside("order.json").unwrap();
    assert!(!in_the_way.exists());
}

/// Makes devices in a folder: `/dev/zero`, and two that have no driver, so that to open them gives another error than to refuse
/// them. Returns their names.
pub(crate) fn made_devices(folder: &Path) -> Vec<(String, FileType)> {
    use rustix::fs::{CWD, makedev, mknodat};
    let devices = [
        (FileType::CharacterDevice, makedev(1, 5)),
        (FileType::CharacterDevice, makedev(4_000, 1_000_000)),
        (FileType::BlockDevice, makedev(4_000, 1_000_000)),
    ];
    let make = |(number, (kind, device)): (usize, (FileType, u64))| {
        let name = format!("device{number}");
        mknodat(CWD, folder.join(&name), kind, Mode::RUSR, device).unwrap();
        (name, kind)
    };
    devices.into_iter().enumerate().map(make).collect()
}

/// Makes a folder that cannot be removed while a test runs: something is mounted on it, in a namespace of this thread's own.
pub(crate) fn with_one_that_stays(folder: &Path, test: impl FnOnce() + Send) {
    use nix::mount::{MsFlags, mount, umount};
    use nix::sched::{CloneFlags, unshare};
    fs::create_dir(folder).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).unwrap();
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
            mount(Some("stays"), folder, Some("tmpfs"), MsFlags::empty(), Some("size=16k")).unwrap();
            test();
            umount(folder).unwrap();
        });
    });
}

#[test]
fn the_driver_of_a_device_is_not_called() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let inside = tempfile::tempdir().unwrap();
    let folder = Folder::open(inside.path()).unwrap();
    for (name, device) in made_devices(inside.path()) {
        // What has no driver could not be opened: "no such device or address".
        let said = folder.read(&name, 100).unwrap_err().to_string();
        assert_eq!(said, "it is not a regular file", "{device:?}");
        assert_eq!(folder.size(&name).unwrap_err().to_string(), said);
        assert_eq!(folder.folder(&name).unwrap_err().raw_os_error(), Some(libc::ENOTDIR));
        assert_eq!(folder.create(&name).unwrap_err().raw_os_error(), Some(libc::EEXIST));
        folder.replace(&name, b"ours").unwrap();
        assert_eq!(folder.read(&name, 100).unwrap(), b"ours");
    }
}

#[test]
fn as_many_folders_as_may_be_nested_are_listed_and_one_more_is_refused() {
    let inside = tempfile::tempdir().unwrap();
    let deep = |levels: usize| inside.path().join(vec!["d"; levels].join("/"));
    fs::create_dir_all(deep(DEPTH)).unwrap();
    fs::write(deep(DEPTH).join("file"), "").unwrap();
    let folder = Folder::open(inside.path()).unwrap();
    assert_eq!(folder.tree().unwrap().len(), 1);
    folder.sync_tree().unwrap();
    fs::create_dir(deep(DEPTH + 1)).unwrap();
    assert_eq!(DEPTH + 1, 17);
    for refused in [folder.tree().map(drop), folder.sync_tree()] {
        assert_eq!(refused.unwrap_err().to_string(), "folders are nested more than 16 deep");
    }
}
