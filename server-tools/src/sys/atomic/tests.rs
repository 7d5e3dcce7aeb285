//! Given a file and a call that fails, what does the file hold, and what lies beside it?

use super::mount_point::kept_path;
use super::*;
use std::collections::VecDeque;
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

/// Saves another file in the place of this one, as editors do.
fn save(path: &Path, bytes: &str) -> io::Result<()> {
    let theirs = path.with_extension("theirs");
    fs::write(&theirs, bytes).and_then(|()| fs::rename(theirs, path))
}

/// Saves another file just before each of these calls, one after the other.
struct Saves<'a>(&'a Path, VecDeque<(Effect, &'static str)>);

impl Effects for Saves<'_> {
    fn before(&mut self, effect: Effect) -> io::Result<()> {
        match self.1.front() {
            Some((when, bytes)) if *when == effect => {
                save(self.0, bytes)?;
                self.1.pop_front();
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Replaces what holds `old` while others save at these moments; what became, what is in the file, and what is kept beside it.
fn replaced_while(saves: &[(Effect, &'static str)]) -> (anyhow::Result<Replaced>, String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dhcpd.conf");
    fs::write(&path, "old").unwrap();
    let beside = Beside::write(&path, b"new", &mut Real).unwrap();
    let became = beside.replace_if(b"old", b"new", &mut Saves(&path, saves.iter().copied().collect()));
    let kept = kept_beside(&path);
    assert_eq!(names(folder.path()).len(), 1 + kept.len(), "nothing else lies beside");
    let text = |path: &PathBuf| fs::read_to_string(path).unwrap();
    (became, text(&path), kept.iter().map(text).collect())
}

#[test]
fn what_another_program_saves_at_the_last_moment_stays() {
    let (became, file, kept) = replaced_while(&[]);
    assert_eq!(became.unwrap(), Replaced::Done { earlier: None });
    assert_eq!((file.as_str(), kept), ("new", vec![]));
    let (became, file, kept) = replaced_while(&[(Effect::Rename, "theirs")]);
    assert_eq!(became.unwrap(), Replaced::SavedMeanwhile { kept: None });
    assert_eq!((file.as_str(), kept), ("theirs", vec![]));
}

#[test]
fn what_is_saved_while_an_earlier_save_is_put_back_stays_and_the_earlier_one_is_kept() {
    let saves = [(Effect::Rename, "second"), (Effect::PutBack, "third")];
    let (became, file, kept) = replaced_while(&saves);
    assert!(matches!(became, Ok(Replaced::SavedMeanwhile { kept: Some(_) })), "{became:?}");
    assert_eq!((file.as_str(), kept), ("third", vec!["second".to_owned()]));
    let saves = [(Effect::Rename, "second"), (Effect::PutBack, "third"), (Effect::PutBack, "fourth")];
    let (_, file, kept) = replaced_while(&saves);
    assert_eq!((file.as_str(), kept), ("fourth", vec!["third".to_owned()]));
}

#[test]
fn where_others_save_without_end_the_last_two_saves_are_there() {
    let saves = ["2", "3", "4", "5", "6", "7", "8", "9"];
    let whens = std::iter::once(Effect::Rename).chain(std::iter::repeat(Effect::PutBack));
    let (became, file, kept) = replaced_while(&whens.zip(saves).collect::<Vec<_>>());
    assert!(matches!(became, Ok(Replaced::SavedMeanwhile { kept: Some(_) })), "{became:?}");
    let mut there = [vec![file], kept].concat();
    there.sort();
    assert_eq!(there, ["6", "7"]);
}

#[test]
fn a_save_that_cannot_be_put_back_is_kept() {
    /// Another program saves, and then no two files can be exchanged any more.
    struct SavesAndFails<'a>(&'a Path);
    impl Effects for SavesAndFails<'_> {
        fn before(&mut self, effect: Effect) -> io::Result<()> {
            match effect {
                Effect::Rename => save(self.0, "theirs"),
                Effect::PutBack => Err(io::Error::from_raw_os_error(libc::EIO)),
                _ => Ok(()),
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dhcpd.conf");
    fs::write(&path, "old").unwrap();
    let beside = Beside::write(&path, b"new", &mut Real).unwrap();
    let said = beside.replace_if(b"old", b"new", &mut SavesAndFails(&path)).unwrap_err().to_string();
    let [kept] = &kept_beside(&path)[..] else { panic!("{said}") };
    assert!(said.contains(&format!("is in {} and could not be put back", kept.display())), "{said}");
    assert_eq!(fs::read_to_string(kept).unwrap(), "theirs");
    replace(&path, b"newer", &mut Real).unwrap();
    assert_eq!(fs::read_to_string(kept).unwrap(), "theirs", "the next writer leaves it");
}

#[test]
fn a_link_that_a_person_puts_in_the_place_of_the_file_at_the_last_moment_stays() {
    struct Links<'a>(&'a Path);
    impl Effects for Links<'_> {
        fn before(&mut self, effect: Effect) -> io::Result<()> {
            if effect == Effect::Rename {
                fs::rename(self.0, self.0.with_extension("real"))?;
                std::os::unix::fs::symlink(self.0.with_extension("real"), self.0)?;
            }
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dhcpd.conf");
    fs::write(&path, "old").unwrap();
    let beside = Beside::write(&path, b"new", &mut Real).unwrap();
    let became = beside.replace_if(b"old", b"new", &mut Links(&path)).unwrap();
    assert_eq!(became, Replaced::SavedMeanwhile { kept: None });
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn what_is_written_through_a_descriptor_that_was_open_before_is_kept_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dhcpd.conf");
    let replaced = || {
        fs::write(&path, "old").unwrap();
        let editor = OpenOptions::new().append(true).open(&path).unwrap();
        let beside = Beside::write(&path, b"new", &mut Real).unwrap();
        let Replaced::Done { earlier: Some(earlier) } = beside.replace_if(b"old", b"new", &mut Real).unwrap()
        else {
            panic!("it is open")
        };
        assert_eq!(earlier.look().unwrap(), Looked::StillOpen);
        (editor, earlier)
    };
    let (editor, earlier) = replaced();
    drop(editor);
    assert_eq!(earlier.look().unwrap(), Looked::Gone);
    assert_eq!(names(folder.path()), ["dhcpd.conf"]);
    let (mut editor, earlier) = replaced();
    editor.write_all(b" and theirs").unwrap();
    assert_eq!(earlier.look().unwrap(), Looked::Written);
    drop(editor);
    assert_eq!(earlier.look().unwrap(), Looked::Written);
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::read(&earlier.kept).unwrap(), b"old and theirs");
}

#[test]
fn what_is_open_in_a_child_that_is_not_executed_yet_is_no_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dhcpd.conf");
    fs::write(&path, "old").unwrap();
    let childs = OpenOptions::new().append(true).open(&path).unwrap();
    let executed = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        drop(childs);
    });
    let beside = Beside::write(&path, b"new", &mut Real).unwrap();
    assert_eq!(beside.replace_if(b"old", b"new", &mut Real).unwrap(), Replaced::Done { earlier: None });
    executed.join().unwrap();
    assert_eq!(names(folder.path()), ["dhcpd.conf"]);
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
