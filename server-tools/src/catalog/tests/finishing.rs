//! Given what a client has staged, when does it become a generation?

use super::*;

#[test]
fn only_root_looks_into_a_staging_folder() {
    let store = Store::new();
    let staging = store.catalog.stage(&john(), &job("job1")).unwrap();
    assert_eq!(staging, store.path(".incoming-job1"));
    for folder in [store.path(""), staging] {
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    }
    let again = store.catalog.stage(&john(), &job("job1")).unwrap_err();
    assert!(again.to_string().ends_with("incoming-job1 exists already"), "{again}");
}

#[test]
fn a_finished_generation_says_what_it_consists_of() {
    let store = Store::staged();
    let manifest = store.finish("job1").unwrap();
    assert_eq!(store.names(), ["job1"]);
    let pieces: Vec<(&str, u64)> = manifest.pieces.iter().map(|p| (p.path.as_str(), p.size)).collect();
    assert_eq!(
        pieces,
        [("image.gho", 300_000), ("image.ghs", 12), ("report.jsonl", 0), ("screens/0001.txt", 4)]
    );
    assert_eq!(manifest.bytes, 300_016);
    assert_eq!(store.damage(), [""; 0]);
    let Listed { manifest: listed, .. } = store.catalog.show(&john(), generation("job1")).unwrap();
    assert_eq!(listed.unwrap(), manifest);
}

#[test]
fn checksums_are_those_of_sha256sum() {
    let store = Store::staged();
    let manifest = store.finish("job1").unwrap();
    let lines: String =
        manifest.pieces.iter().map(|piece| format!("{}  {}\n", piece.sha256, piece.path)).collect();
    fs::write(store.store().join("sums"), lines).unwrap();
    let checked = std::process::Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet"])
        .arg(store.store().join("sums"))
        .current_dir(store.path("job1"))
        .status();
    assert!(checked.unwrap().success());
}

#[test]
fn finishing_again_after_a_crash_changes_nothing() {
    let store = Store::finished();
    let before = fs::read(store.path("job1/manifest.json")).unwrap();
    let again = store.catalog.finish(&john(), &job("job1"), &Facts { checked: NOW, ..facts() }).unwrap();
    assert_eq!(again.checked, facts().checked);
    assert_eq!(fs::read(store.path("job1/manifest.json")).unwrap(), before);
}

#[test]
fn a_failure_at_any_step_leaves_the_staging_folder_and_no_generation() {
    for failing in STEPS {
        let store = Store::staged();
        let mut fail = |step| match step == failing {
            true => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
            false => Ok(()),
        };
        let error = store.catalog.finish_stepwise(&john(), &job("job1"), &facts(), &mut fail).unwrap_err();
        assert!(error.to_string().starts_with("cannot "), "{failing:?}: {error}");
        let cause: &io::Error = error.root_cause().downcast_ref().unwrap();
        assert_eq!(cause.raw_os_error(), Some(libc::ENOSPC), "{failing:?}: {error:#}");
        store.assert_still_staged();
        store.finish("job1").unwrap();
        assert_eq!(store.damage(), [""; 0], "{failing:?}: the second time it is whole");
    }
}

#[test]
fn a_store_that_is_really_full_gets_no_generation() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    // The mount is in a namespace of this thread's own: it goes away with the thread.
    let seen = std::thread::spawn(|| {
        use nix::mount::{MsFlags, mount};
        use nix::sched::{CloneFlags, unshare};
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        let store = Store::new();
        mount(Some("store"), &store.store(), Some("tmpfs"), MsFlags::empty(), Some("size=16k")).unwrap();
        let staging = store.catalog.stage(&john(), &job("job1")).unwrap();
        assert!(fs::write(staging.join("image.gho"), vec![7; 100_000]).is_err(), "it is full");
        let error = store.finish("job1").unwrap_err();
        store.assert_still_staged();
        nix::mount::umount(&store.store()).unwrap();
        error
    });
    let error = seen.join().unwrap();
    let source: &io::Error = error.root_cause().downcast_ref().unwrap();
    assert_eq!(source.raw_os_error(), Some(libc::ENOSPC));
}

#[test]
fn a_planted_link_is_refused_and_not_read() {
    for plant in ["image.gho", "screens/way"] {
        let store = Store::staged();
        let secret = store.store().join("secret");
        fs::write(&secret, "root's").unwrap();
        let link = store.incoming(plant);
        let _was_there = fs::remove_file(&link);
        symlink(&secret, &link).unwrap();
        let error = store.finish("job1").unwrap_err();
        let expected = format!("{} is neither a file nor a folder", link.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
        store.assert_still_staged();
    }
}

#[test]
fn a_staging_folder_that_became_a_link_is_not_entered() {
    let store = Store::staged();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::remove_dir_all(store.path(".incoming-job1")).unwrap();
    fs::write(elsewhere.path().join("image.gho"), "x").unwrap();
    symlink(elsewhere.path(), store.path(".incoming-job1")).unwrap();
    assert!(store.finish("job1").is_err());
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1, "no manifest was written there");
}

#[test]
fn a_manifest_that_a_client_planted_is_replaced_and_what_it_leads_to_is_not_touched() {
    let store = Store::staged();
    let outside = store.store().join("outside");
    fs::write(&outside, "kept").unwrap();
    symlink(&outside, store.incoming("manifest.json")).unwrap();
    symlink(&outside, store.incoming(".new-manifest.json")).unwrap();
    store.finish("job1").unwrap();
    assert_eq!(fs::read(&outside).unwrap(), b"kept");
    assert_eq!(store.damage(), [""; 0]);
}

#[test]
fn a_pipe_is_no_image_and_is_not_waited_for() {
    let store = Store::staged();
    nix::unistd::mkfifo(&store.incoming("image.pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let error = store.finish("job1").unwrap_err();
    assert!(error.to_string().contains("is neither a file nor a folder"), "{error}");
    store.assert_still_staged();
}

#[test]
fn a_device_in_a_staging_folder_gets_into_no_generation() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let devices = tempfile::tempdir().unwrap();
    for (device, _kind) in crate::sys::folder::made_devices(devices.path()) {
        let device = devices.path().join(device);
        for name in ["image.gho", "image.device", "screens/0002.png", "report.jsonl"] {
            let store = Store::staged();
            let _was_there = fs::remove_file(store.incoming(name));
            fs::hard_link(&device, store.incoming(name)).unwrap();
            let error = store.finish("job1").unwrap_err();
            assert!(error.to_string().contains("is neither a file nor a folder"), "{name}: {error}");
            store.assert_still_staged();
        }
        let store = Store::staged();
        OURS.iter().for_each(|name| fs::hard_link(&device, store.incoming(name)).unwrap());
        store.finish("job1").unwrap();
        let own = OURS.into_iter().filter(|name| store.path("job1").join(name).exists());
        assert_eq!(own.collect::<Vec<_>>(), ["manifest.json"]);
        assert_eq!(store.damage(), [""; 0]);
    }
}

#[test]
fn folders_that_are_nested_as_deep_as_they_may_be_are_taken_and_one_more_is_refused() {
    let store = Store::staged();
    let deep = |levels: usize| store.incoming(&vec!["d"; levels].join("/"));
    fs::create_dir_all(deep(17)).unwrap();
    let error = store.finish("job1").unwrap_err();
    assert!(format!("{error:#}").contains("folders are nested more than 16 deep"), "{error:#}");
    store.assert_still_staged();
    fs::remove_dir(deep(17)).unwrap();
    fs::write(deep(16).join("file"), "").unwrap();
    assert_eq!(store.finish("job1").unwrap().pieces.len(), 5);
    assert_eq!(store.damage(), [""; 0]);
}

#[test]
fn screens_and_a_report_are_no_image() {
    let store = Store::staged();
    fs::remove_file(store.incoming("image.gho")).unwrap();
    fs::remove_file(store.incoming("image.ghs")).unwrap();
    let error = store.finish("job1").unwrap_err();
    assert!(error.to_string().starts_with("there is no image in "), "{error}");
    store.assert_still_staged();
}

#[test]
fn an_empty_image_is_none() {
    let store = Store::staged();
    fs::write(store.incoming("image.ghs"), "").unwrap();
    let error = store.finish("job1").unwrap_err();
    assert!(error.to_string().ends_with("image.ghs is empty"), "{error}");
    fs::remove_file(store.incoming("image.ghs")).unwrap();
    fs::rename(store.incoming("image.gho"), store.incoming("IMAGE.GHO")).unwrap();
    fs::write(store.incoming("GHOSTERR.TXT"), "").unwrap();
    store.finish("job1").unwrap();
}

#[test]
fn a_generation_is_never_overwritten() {
    let store = Store::finished();
    let before = fs::read(store.path("job1/manifest.json")).unwrap();
    store.stage("job1");
    let error = store.finish("job1").unwrap_err();
    assert!(error.to_string().ends_with("job1 exists already"), "{error}");
    assert_eq!(store.names(), [".incoming-job1", "job1"]);
    assert_eq!(fs::read(store.path("job1/manifest.json")).unwrap(), before);
}

#[test]
fn a_file_in_the_generations_place_stays() {
    let store = Store::staged();
    fs::write(store.path("job1"), "somebody's").unwrap();
    assert!(store.finish("job1").is_err());
    assert_eq!(fs::read(store.path("job1")).unwrap(), b"somebody's");
}

#[test]
fn a_folder_that_its_client_puts_in_the_place_of_the_one_that_was_read_back_is_no_generation() {
    let store = Store::staged();
    let mut swap = |step| {
        if step == Step::Rename {
            let kept = store.path(".kept");
            fs::rename(store.incoming(""), &kept)?;
            fs::create_dir(store.incoming(""))?;
            fs::copy(kept.join("manifest.json"), store.incoming("manifest.json"))?;
            fs::write(store.incoming("image.gho"), "another image")?;
        }
        Ok(())
    };
    let error = store.catalog.finish_stepwise(&john(), &job("job1"), &facts(), &mut swap).unwrap_err();
    assert!(format!("{error:#}").contains("another folder was put in its place"), "{error:#}");
    assert_eq!(store.listed(), [""; 0]);
}

/// What the boot server writes in a generation itself, and what each is called while it is written.
const OURS: [&str; 6] = [
    "manifest.json",
    "check.json",
    "manifest.json.minisig",
    ".new-manifest.json",
    ".new-check.json",
    ".new-manifest.json.minisig",
];

/// A store whose boot server signs manifests, or does not.
fn staged_where(signs: bool) -> Store {
    let mut store = Store::staged();
    if signs {
        let key = store.folder.path().join("key");
        signing::public_key(&key).unwrap();
        store.catalog.keys = Keys::with(Some(key), None);
    }
    store
}

#[test]
fn an_image_in_a_folder_with_a_name_of_the_servers_own_is_none() {
    for (name, signs) in OURS.into_iter().flat_map(|name| [(name, false), (name, true)]) {
        let store = staged_where(signs);
        fs::remove_file(store.incoming("image.ghs")).unwrap();
        fs::create_dir(store.incoming(name)).unwrap();
        fs::rename(store.incoming("image.gho"), store.incoming(name).join("image.gho")).unwrap();
        let error = store.finish("job1").expect_err(name);
        assert!(error.to_string().starts_with("there is no image in "), "{name}: {error}");
        store.assert_still_staged();
    }
}

#[test]
fn what_has_a_name_of_the_servers_own_goes_before_anything_is_read_back() {
    for (name, signs) in OURS.into_iter().flat_map(|name| [(name, false), (name, true)]) {
        let store = staged_where(signs);
        fs::create_dir_all(store.incoming(name).join("deep")).unwrap();
        fs::write(store.incoming(name).join("deep/image.gho"), "forged").unwrap();
        let manifest = store.finish("job1").unwrap();
        assert_eq!(manifest.pieces.len(), 4, "{name}");
        let own: Vec<&str> = OURS.into_iter().filter(|own| store.path("job1").join(own).exists()).collect();
        assert_eq!(own, if signs { vec![OURS[0], OURS[2]] } else { vec![OURS[0]] }, "{name}");
        assert_eq!(store.damage(), [""; 0], "{name}");
    }
}

#[test]
fn whatever_its_client_does_in_a_staging_folder_meanwhile_what_is_vouched_for_is_there() {
    for (name, signs) in OURS.into_iter().flat_map(|name| [(name, false), (name, true)]) {
        for when in [Step::ReadBack, Step::WriteManifest] {
            let store = staged_where(signs);
            let hidden = store.incoming(name).join("image.gho");
            let mut hide = |step| {
                if step == when {
                    fs::create_dir(store.incoming(name))?;
                    fs::rename(store.incoming("image.gho"), &hidden)?;
                }
                Ok(())
            };
            let finished = store.catalog.finish_stepwise(&john(), &job("job1"), &facts(), &mut hide);
            assert!(finished.is_err(), "{name} {when:?}");
            store.assert_still_staged();
            assert!(hidden.exists(), "{name} {when:?}: nothing that was read back is removed");
        }
    }
}

#[test]
fn what_was_read_back_is_there_when_it_is_vouched_for_and_nothing_else() {
    type Change = fn(&Store) -> io::Result<()>;
    let changes: [(&str, Change); 3] = [
        ("image.gho is gone", |store| fs::remove_file(store.incoming("image.gho"))),
        ("image.gho has 1 bytes, and had 300000", |store| fs::write(store.incoming("image.gho"), "x")),
        (".new-check.json has come", |store| fs::write(store.incoming(".new-check.json"), "x")),
    ];
    for (says, change) in changes {
        let store = Store::staged();
        let mut once = |step| if step == Step::WriteManifest { change(&store) } else { Ok(()) };
        let error = store.catalog.finish_stepwise(&john(), &job("job1"), &facts(), &mut once).unwrap_err();
        assert!(format!("{error:#}").contains(says), "{error:#}");
        store.assert_still_staged();
    }
}

#[test]
fn a_manifest_that_could_not_be_read_again_is_not_written() {
    let mut manifest = Store::staged().finish("job1").unwrap();
    let written = |manifest: &Manifest| finish::written(manifest, &john(), &generation("job1"));
    assert!(written(&manifest).is_ok());
    manifest.pieces[0].path = "\u{1}".repeat(1 << 20);
    manifest.pieces = vec![manifest.pieces[0].clone(); 10];
    assert!(written(&manifest).is_ok(), "each of these takes six bytes");
    manifest.pieces.push(manifest.pieces[0].clone());
    let refused = written(&manifest).unwrap_err().to_string();
    assert!(refused.ends_with("and no more than 67108864 are read"), "{refused}");
    let another = finish::written(&manifest, &john(), &generation("job2"));
    assert!(another.is_err());
}

#[test]
fn images_of_more_disks_than_any_pc_has_are_refused_before_one_is_read() {
    let store = Store::staged();
    for index in 0..65 {
        fs::create_dir(store.incoming(&layout::disk(index))).unwrap();
        fs::write(store.incoming(&layout::disk(index)).join("disk.json"), "{}").unwrap();
    }
    let error = format!("{:#}", store.finish("job1").unwrap_err());
    assert!(error.ends_with("there are images of more than 64 disks"), "{error}");
    store.assert_still_staged();
}
