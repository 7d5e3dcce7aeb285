//! Given a file and a call that fails, what does the file hold, and what lies beside it?

use super::mount_point::kept_path;
use super::*;
use std::os::unix::fs::MetadataExt;

/// Fails one kind of call as a full disk would.
struct FailAt(Effect);

impl Effects for FailAt {
    fn before(&mut self, effect: Effect) -> io::Result<()> {
        if effect == self.0 { Err(io::Error::from_raw_os_error(libc::ENOSPC)) } else { Ok(()) }
    }
}

fn names(folder: &Path) -> Vec<OsString> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

#[test]
fn owner_and_mode_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dhcpd.conf");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(7), Some(9)).unwrap();
    }
    let before = fs::metadata(&path).unwrap();
    replace(&path, b"new", &mut Real).unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!((before.mode(), before.uid(), before.gid()), (after.mode(), after.uid(), after.gid()));
}

#[test]
fn whichever_call_fails_the_file_is_whole_and_nothing_lies_beside() {
    for effect in Effect::ALL {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dhcpd.conf");
        fs::write(&path, "old").unwrap();
        assert!(replace(&path, b"new", &mut FailAt(effect)).is_err(), "{effect:?}");
        let expected: &[u8] = if effect == Effect::SyncFolder { b"new" } else { b"old" };
        assert_eq!(fs::read(&path).unwrap(), expected, "{effect:?}");
        assert_eq!(names(folder.path()), ["dhcpd.conf"], "{effect:?}");
    }
}

#[test]
fn what_another_program_saves_at_the_last_moment_stays() {
    /// Saves another file just before the rename.
    struct Saves<'a>(&'a Path);
    impl Effects for Saves<'_> {
        fn before(&mut self, effect: Effect) -> io::Result<()> {
            if effect == Effect::Rename {
                fs::write(self.0.with_extension("theirs"), "theirs")?;
                fs::rename(self.0.with_extension("theirs"), self.0)?;
            }
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dhcpd.conf");
    fs::write(&path, "old").unwrap();
    let beside = Beside::write(&path, b"new", &mut Real).unwrap();
    assert!(!beside.replace_if(b"old", &mut Saves(&path)).unwrap());
    assert_eq!(
        (fs::read(&path).unwrap(), names(folder.path())),
        (b"theirs".to_vec(), vec!["dhcpd.conf".into()])
    );
    let beside = Beside::write(&path, b"new", &mut Real).unwrap();
    assert!(beside.replace_if(b"theirs", &mut Real).unwrap());
    assert_eq!(
        (fs::read(&path).unwrap(), names(folder.path())),
        (b"new".to_vec(), vec!["dhcpd.conf".into()])
    );
}

/// A file that is a mount point, as in a container.
struct Mounted {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl Mounted {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (outside, path) = (folder.path().join("outside"), folder.path().join("dhcpd.conf"));
        fs::write(&outside, "old").unwrap();
        fs::write(&path, "").unwrap();
        nix::mount::mount(Some(&outside), &path, None::<&str>, nix::mount::MsFlags::MS_BIND, None::<&str>)
            .unwrap();
        Self { folder, path }
    }

    fn names(&self) -> Vec<OsString> {
        let mut names = names(self.folder.path());
        names.sort();
        names
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        nix::mount::umount2(&self.path, nix::mount::MntFlags::MNT_DETACH).unwrap();
    }
}

#[test]
fn a_mount_point_is_overwritten() {
    let mounted = Mounted::new();
    replace(&mounted.path, b"newer", &mut Real).unwrap();
    assert_eq!(fs::read(mounted.folder.path().join("outside")).unwrap(), b"newer");
    assert_eq!(mounted.names(), ["dhcpd.conf", "outside"]);
}

#[test]
fn whichever_call_fails_a_mount_point_is_whole_and_nothing_lies_beside() {
    for effect in [Effect::Create, Effect::Write, Effect::Sync, Effect::Keep, Effect::Overwrite] {
        let mounted = Mounted::new();
        assert!(replace(&mounted.path, b"newer", &mut FailAt(effect)).is_err(), "{effect:?}");
        assert_eq!(fs::read(&mounted.path).unwrap(), b"old", "{effect:?}");
        assert_eq!(mounted.names(), ["dhcpd.conf", "outside"], "{effect:?}");
    }
}

#[test]
fn a_crash_while_a_file_is_overwritten_is_mended_wherever_it_was() {
    let (old, new) = (b"filename \"nobackup\"; } # x", b"filename \"pxelinux.0\"; } # x");
    for written in 0..=new.len() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dhcpd.conf");
        let mut torn = new[..written].to_vec();
        torn.extend_from_slice(old.get(written..).unwrap_or_default());
        fs::write(&path, &torn).unwrap();
        fs::write(kept_path(&path), old).unwrap();
        fs::write(beside_path(&path), new).unwrap();
        mend(&path).unwrap();
        let now = fs::read(&path).unwrap();
        assert!(now == old || now == new, "{written}: {}", String::from_utf8_lossy(&now));
        assert_eq!(names(folder.path()), ["dhcpd.conf"], "{written}");
    }
}

#[test]
fn what_another_person_has_written_after_a_crash_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dhcpd.conf");
    fs::write(&path, "theirs").unwrap();
    fs::write(kept_path(&path), "old").unwrap();
    fs::write(beside_path(&path), "newer").unwrap();
    assert!(!mend(&path).unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"theirs");
    assert_eq!(names(folder.path()), ["dhcpd.conf"]);
}

#[test]
fn what_blocks_an_edit_is_named_itself() {
    for path in [beside_path, kept_path] {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("dhcpd.conf");
        fs::write(&target, "theirs").unwrap();
        let in_the_way = path(&target);
        fs::create_dir(&in_the_way).unwrap();
        let error = mend(&target).unwrap_err().to_string();
        assert!(error.contains(&format!("cannot remove {},", in_the_way.display())), "{error}");
    }
}

#[test]
fn a_symbolic_link_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let (link, real) = (folder.path().join("link"), folder.path().join("real"));
    fs::write(&real, "old").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    replace(&link, b"new", &mut Real).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&real).unwrap(), b"new");
}
