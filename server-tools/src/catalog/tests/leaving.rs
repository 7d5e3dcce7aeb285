//! Given a job that is over, what stays of its staging folder and its nonce?

use super::*;

#[test]
fn a_failed_job_is_set_aside_and_never_listed() {
    let store = Store::staged();
    let aside = store.catalog.set_aside(&john(), &job("job1")).unwrap();
    assert_eq!(aside, Some(store.path(".failed-job1")));
    assert_eq!(store.catalog.set_aside(&john(), &job("job1")).unwrap(), aside, "again, after a crash");
    assert_eq!(store.listed(), [""; 0]);
    assert_eq!(store.catalog.leftovers(&john(), |_| true).unwrap()[0].kind, LeftoverKind::Failed);
}

#[test]
fn of_a_job_that_wrote_nothing_nothing_stays() {
    let store = Store::new();
    assert_eq!(store.catalog.set_aside(&john(), &job("job1")).unwrap(), None);
    store.catalog.stage(&john(), &job("job1")).unwrap();
    assert_eq!(store.catalog.set_aside(&john(), &job("job1")).unwrap(), None);
    assert_eq!(store.names(), [""; 0]);
}

#[test]
fn what_a_restore_needed_room_for_goes_with_its_folder() {
    let store = Store::new();
    let remove = || store.catalog.remove_staging(&john(), &job("job1"));
    remove().unwrap();
    store.stage("job1");
    store.stage("job2");
    remove().unwrap();
    assert_eq!(store.names(), [".incoming-job2"]);
    remove().unwrap();
    // A removal that was interrupted behind its first step.
    store.stage("job1");
    fs::rename(store.path(".incoming-job1"), store.path(".removing-job1")).unwrap();
    remove().unwrap();
    assert_eq!(store.names(), [".incoming-job2"]);
}

#[test]
fn a_nonce_is_there_until_it_is_removed() {
    let (store, nonce) = (Store::new(), Nonce::new([0xab; 16]));
    let file = store.store().join(layout::nonce(&nonce));
    store.catalog.write_nonce(&john(), &nonce).unwrap();
    store.catalog.write_nonce(&john(), &nonce).unwrap();
    assert!(file.exists());
    store.catalog.remove_nonce(&john(), &nonce).unwrap();
    store.catalog.remove_nonce(&john(), &nonce).unwrap();
    assert!(!file.exists());
    assert_eq!(store.catalog.hosts().unwrap(), [], "the folder of nonces is no host");
}

#[test]
fn a_client_with_a_folder_of_its_own_finds_the_nonce_in_it_whatever_it_has_put_there() {
    let (store, nonce) = (Store::new(), Nonce::new([0xab; 16]));
    let catalog = crate::catalog::Catalog { exports: crate::ghostrc::Exports::Own, ..store.catalog.clone() };
    let outside = tempfile::tempdir().unwrap();
    let johns = store.store().join(".clients/john");
    let folder = johns.join(layout::NONCES);
    let plants: [&dyn Fn(); 3] =
        [&|| {}, &|| std::os::unix::fs::symlink(outside.path(), &folder).unwrap(), &|| {
            fs::write(&folder, "a file").unwrap()
        }];
    for plant in plants {
        plant();
        catalog.write_nonce(&john(), &nonce).unwrap();
        assert!(johns.join(layout::nonce(&nonce)).exists());
        assert!(!store.store().join(layout::nonce(&nonce)).exists(), "no other client sees it");
        catalog.remove_nonce(&john(), &nonce).unwrap();
        assert!(!johns.join(layout::nonce(&nonce)).exists());
        for name in [nonce.as_str().to_owned(), format!(".new-{nonce}", nonce = nonce.as_str())] {
            fs::create_dir_all(folder.join(&name).join("full")).unwrap();
            catalog.remove_nonce(&john(), &nonce).unwrap();
            assert!(!folder.join(name).exists(), "a folder of this name is no nonce either");
        }
        fs::remove_dir_all(&folder).unwrap();
        plant();
        catalog.remove_nonce(&john(), &nonce).unwrap();
        catalog.write_nonce(&john(), &nonce).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert!(catalog.list_host(&john()).unwrap().is_empty(), "it is no generation");
}

#[test]
fn a_nonce_goes_even_if_what_is_beside_it_cannot_be_removed() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (store, nonce) = (Store::new(), Nonce::new([0xab; 16]));
    store.catalog.write_nonce(&john(), &nonce).unwrap();
    let file = store.store().join(layout::nonce(&nonce));
    let beside = file.with_file_name(format!(".new-{}", nonce.as_str()));
    crate::sys::folder::with_one_that_stays(&beside, || {
        assert!(store.catalog.remove_nonce(&john(), &nonce).is_err());
        assert!(!file.exists());
    });
    store.catalog.remove_nonce(&john(), &nonce).unwrap();
    assert!(!beside.exists());
}

#[test]
fn where_clients_are_kept_apart_nothing_that_is_finished_or_failed_is_where_they_write() {
    for exports in [crate::ghostrc::Exports::Own, crate::ghostrc::Exports::Job] {
        let mut store = Store::new();
        store.catalog.exports = exports;
        let written_to = store.store().join(".clients/john");
        let listed = || fs::read_dir(&written_to).unwrap().count();
        store.stage("job1");
        assert!(written_to.join(".incoming-job1/image.gho").exists());
        store.stage("job2");
        store.stage("job3");
        let screens = store.catalog.screens(&john(), &job("job1")).unwrap().unwrap().0;
        assert_eq!(screens, written_to.join(".incoming-job1/screens"));
        store.finish("job1").unwrap();
        let aside = store.catalog.set_aside(&john(), &job("job2")).unwrap();
        assert_eq!(aside, Some(store.path(".failed-job2")));
        assert_eq!(store.catalog.set_aside(&john(), &job("job2")).unwrap(), aside);
        assert_eq!(store.names(), [".failed-job2", "job1"]);
        assert_eq!(store.damage(), [""; 0]);
        let kinds: Vec<_> =
            store.catalog.leftovers(&john(), |_| true).unwrap().iter().map(|one| one.kind).collect();
        assert_eq!(kinds, [LeftoverKind::Incoming, LeftoverKind::Failed]);
        store.catalog.remove_staging(&john(), &job("job3")).unwrap();
        assert_eq!(listed(), 0);
        assert_eq!(store.catalog.hosts().unwrap(), [john()]);
    }
}

#[test]
fn a_job_that_began_with_other_exports_is_finished_all_the_same() {
    use crate::ghostrc::Exports::{Common, Job};
    for (before, after) in [(Common, Job), (Job, Common)] {
        let mut store = Store::new();
        store.catalog.exports = before;
        store.stage("job1");
        store.stage("job2");
        store.catalog.exports = after;
        store.finish("job1").unwrap();
        assert_eq!(store.listed(), ["job1"], "{before:?}");
        store.catalog.remove_staging(&john(), &job("job2")).unwrap();
        assert_eq!(store.catalog.leftovers(&john(), |_| true).unwrap(), [], "{before:?}");
    }
}

/// What only a hostile client leaves.
fn spoil(folder: &Path) {
    let mut deepest = crate::sys::folder::Folder::open(folder).unwrap();
    for _ in 0..200 {
        deepest.make_folder("deep", 0o700).unwrap();
        deepest = deepest.folder("deep").unwrap();
    }
    fs::write(folder.join("new\nline\x1b[2J"), "").unwrap();
    nix::unistd::mkfifo(&folder.join("manifest.json"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    symlink("/etc", folder.join("screens-of-another")).unwrap();
}

#[test]
fn whatever_a_client_leaves_its_job_fails_and_all_is_removed_in_the_end() {
    let store = Store::staged();
    spoil(&store.incoming(""));
    // Names that the server is about to need.
    fs::write(store.path(".failed-job1"), "in the way").unwrap();
    fs::create_dir_all(store.path(".removing-job1/full")).unwrap();
    let error = store.finish("job1").unwrap_err();
    assert!(format!("{error:#}").contains("nested more than 16 deep"), "{error:#}");
    assert_eq!(store.catalog.set_aside(&john(), &job("job1")).unwrap(), Some(store.path(".failed-job1")));
    fs::write(store.path(".removing-job2"), "not a folder").unwrap();
    store.stage("job2");
    store.finish("job2").unwrap();
    store.catalog.remove(&john(), &generation("job2")).unwrap();
    let later = UnixTime::from_millis(NOW.as_millis() + 1_000_000_000_000);
    let policy = Policy { generations: None, keep: Duration::ZERO };
    let plan = store.catalog.plan(&john(), policy, &InUse::default(), later).unwrap();
    store.catalog.carry_out(&plan).unwrap();
    assert_eq!(store.names(), [""; 0]);
}

#[test]
fn what_cannot_be_removed_keeps_nothing_else_from_being_removed() {
    let store = Store::staged();
    store.stage("job2");
    let leftover = |name: &str| super::super::retention::Leftover {
        kind: LeftoverKind::Incoming,
        job: job(name),
        changed: UnixTime::from_millis(0),
    };
    let leftovers = ["job1", "gone", "job2"].map(leftover).to_vec();
    let generations = [].into();
    let plan =
        super::super::removal::Plan { host: john(), generations, leftovers, has_more: false, bytes: 0 };
    assert!(store.catalog.carry_out(&plan).is_err());
    assert_eq!(store.names(), [""; 0]);
}

#[test]
fn however_many_names_a_client_has_made_old_generations_and_what_its_jobs_left_go() {
    let mut store = Store::new();
    store.catalog.exports = crate::ghostrc::Exports::Job;
    for (name, ended) in [("a", 1_000), ("b", 2_000)] {
        store.stage(name);
        let facts = Facts { ended: UnixTime::from_millis(ended), ..facts() };
        store.catalog.finish(&john(), &job(name), &facts).unwrap();
    }
    store.stage("left");
    let written_to = store.store().join(".clients/john");
    (0..=10_000).for_each(|number| fs::write(written_to.join(number.to_string()), "").unwrap());
    let later = UnixTime::from_millis(NOW.as_millis() + 1_000_000_000_000);
    let policy = Policy { generations: std::num::NonZeroU32::new(1), keep: Duration::ZERO };
    let plan = store.catalog.plan(&john(), policy, &InUse::default(), later).unwrap();
    store.catalog.carry_out(&plan).unwrap();
    assert_eq!(store.listed(), ["b"]);
    assert!(!written_to.join(".incoming-left").exists());
}

#[test]
fn more_leftovers_than_are_looked_at_in_one_go_are_removed_in_several_and_that_is_said() {
    let mut store = Store::new();
    store.catalog.exports = crate::ghostrc::Exports::Job;
    store.stage("left");
    let written_to = store.store().join(".clients/john");
    (0..1_000).for_each(|number| fs::create_dir(written_to.join(format!(".removing-{number}"))).unwrap());
    // These are none, and hide none.
    (0..1_000).for_each(|number| symlink("nowhere", written_to.join(format!(".failed-{number}"))).unwrap());
    let later = UnixTime::from_millis(NOW.as_millis() + 1_000_000_000_000);
    let policy = Policy { generations: None, keep: Duration::ZERO };
    let prune = || {
        let plan = store.catalog.plan(&john(), policy, &InUse::default(), later).unwrap();
        (plan.leftovers.len(), store.catalog.carry_out(&plan))
    };
    let (removed, said) = prune();
    assert_eq!(removed, 1_000);
    assert!(
        format!("{:#}", said.unwrap_err())
            .contains("john has 1000 leftovers of jobs or more that nobody needs")
    );
    let (removed, said) = prune();
    assert_eq!(removed, 1);
    said.unwrap();
}

/// Names that keep a leftover from being found, if they are dated so that they stay.
#[test]
fn however_a_client_dates_what_it_has_made_prune_finds_what_is_old_and_ends_well() {
    const DAY: u64 = 86_400_000;
    let mut store = Store::new();
    store.catalog.exports = crate::ghostrc::Exports::Job;
    let written_to = store.store().join(".clients/john");
    let dated = |name: &str, at: u64| {
        let at = std::time::UNIX_EPOCH + Duration::from_millis(at);
        fs::create_dir_all(written_to.join(name)).unwrap();
        fs::File::open(written_to.join(name)).unwrap().set_modified(at).unwrap();
    };
    let now = NOW.as_millis();
    (0..1_000).for_each(|number| dated(&format!(".incoming-a{number}"), now));
    store.stage("left");
    dated(".incoming-left", now - 8 * DAY);
    (0..500).for_each(|number| dated(&format!(".incoming-b{number}"), now + 30_000 * DAY));
    (0..1_000).for_each(|number| dated(&format!(".incoming-c{number}"), now + DAY));
    let policy = Policy { generations: None, keep: Duration::ZERO };
    let plan = store.catalog.plan(&john(), policy, &InUse::default(), NOW).unwrap();
    assert!(!plan.has_more, "it would end with an error at each call");
    store.catalog.carry_out(&plan).unwrap();
    assert!(!written_to.join(".incoming-left").exists());
    assert_eq!(fs::read_dir(&written_to).unwrap().count(), 2_000, "what is dated in 2099 goes as well");
}
