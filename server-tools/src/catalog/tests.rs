use super::finish::Step;
use super::listing::Listed;
use super::removal::InUse;
use super::retention::{LeftoverKind, Policy};
use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use ghost_contract::order::{DosProgram, Imager};
use ghost_contract::{MacAddress, Mode};

const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const STEPS: [Step; 5] =
    [Step::ReadBack, Step::WriteManifest, Step::SyncStaging, Step::Rename, Step::SyncHost];

/// A store with john's folder for the job `job1` in it, and what his client wrote there.
struct Store {
    folder: tempfile::TempDir,
    catalog: Catalog,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::new(folder.path());
        Self { folder, catalog }
    }

    /// With an image of two pieces, a screen and the report.
    fn staged() -> Self {
        let store = Self::new();
        store.stage("job1");
        store
    }

    fn stage(&self, name: &str) {
        let staging = self.catalog.stage(&john(), &job(name)).unwrap();
        fs::create_dir(staging.join("screens")).unwrap();
        fs::write(staging.join("image.gho"), vec![7; 300_000]).unwrap();
        fs::write(staging.join("image.ghs"), format!("rest of {name}")).unwrap();
        fs::write(staging.join("screens/0001.txt"), "C:\\>").unwrap();
        fs::write(staging.join("report.jsonl"), "").unwrap();
    }

    fn finished() -> Self {
        let store = Self::staged();
        store.finish("job1").unwrap();
        store
    }

    fn finish(&self, name: &str) -> anyhow::Result<Manifest> {
        self.catalog.finish(&john(), &job(name), &facts())
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join("john").join(below)
    }

    fn incoming(&self, below: &str) -> PathBuf {
        self.path(".incoming-job1").join(below)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(""))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn listed(&self) -> Vec<String> {
        self.catalog.list().unwrap().iter().map(|one| one.generation.to_string()).collect()
    }

    fn damage(&self) -> Vec<String> {
        let check = self.catalog.verify(&john(), &generation("job1"), NOW).unwrap();
        self.catalog.keep(&john(), &generation("job1"), &check).unwrap();
        check.damage.iter().map(ToString::to_string).collect()
    }

    /// Nothing is listed, and what the client wrote is still where it wrote it.
    #[track_caller]
    fn assert_still_staged(&self) {
        assert_eq!(self.listed(), [""; 0]);
        assert_eq!(self.names(), [".incoming-job1"]);
    }
}

fn john() -> HostName {
    "john".parse().unwrap()
}

fn job(name: &str) -> JobId {
    name.parse().unwrap()
}

fn generation(name: &str) -> Generation {
    name.parse().unwrap()
}

fn facts() -> Facts {
    Facts {
        mac: MacAddress::new([0, 10, 235, 18, 52, 95]),
        mode: Mode::Backup,
        imager: Imager::DosboxX(DosProgram { command: "-clone,mode=dump".to_owned() }),
        started: UnixTime::from_millis(1_000),
        ended: UnixTime::from_millis(2_000),
        checked: UnixTime::from_millis(3_000),
    }
}

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
    fs::write(store.folder.path().join("sums"), lines).unwrap();
    let checked = std::process::Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet"])
        .arg(store.folder.path().join("sums"))
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
        mount(Some("store"), store.folder.path(), Some("tmpfs"), MsFlags::empty(), Some("size=16k")).unwrap();
        let staging = store.catalog.stage(&john(), &job("job1")).unwrap();
        assert!(fs::write(staging.join("image.gho"), vec![7; 100_000]).is_err(), "it is full");
        let error = store.finish("job1").unwrap_err();
        store.assert_still_staged();
        nix::mount::umount(store.folder.path()).unwrap();
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
        let secret = store.folder.path().join("secret");
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
    let outside = store.folder.path().join("outside");
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
fn a_failed_job_is_set_aside_and_never_listed() {
    let store = Store::staged();
    let aside = store.catalog.set_aside(&john(), &job("job1")).unwrap();
    assert_eq!(aside, Some(store.path(".failed-job1")));
    assert_eq!(store.catalog.set_aside(&john(), &job("job1")).unwrap(), aside, "again, after a crash");
    assert_eq!(store.listed(), [""; 0]);
    assert_eq!(store.catalog.leftovers(&john()).unwrap()[0].kind, LeftoverKind::Failed);
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
    let file = store.folder.path().join(layout::nonce(&nonce));
    store.catalog.write_nonce(&nonce).unwrap();
    store.catalog.write_nonce(&nonce).unwrap();
    assert!(file.exists());
    store.catalog.remove_nonce(&nonce).unwrap();
    store.catalog.remove_nonce(&nonce).unwrap();
    assert!(!file.exists());
    assert_eq!(store.catalog.hosts().unwrap(), [], "the folder of nonces is no host");
}

/// Does something to a finished generation.
type Spoil = fn(&Store);

#[test]
fn damage_is_called_by_its_name() {
    let spoil: [(&str, Spoil, &str); 6] = [
        (
            "one flipped bit",
            |store| {
                let mut bytes = fs::read(store.path("job1/image.gho")).unwrap();
                bytes[123_456] ^= 0x10;
                fs::write(store.path("job1/image.gho"), bytes).unwrap();
            },
            r#""image.gho" is not what was written: its checksum differs"#,
        ),
        (
            "truncated",
            |store| {
                fs::File::options()
                    .write(true)
                    .open(store.path("job1/image.gho"))
                    .unwrap()
                    .set_len(9)
                    .unwrap()
            },
            r#""image.gho" has 9 bytes and should have 300000"#,
        ),
        (
            "missing",
            |store| fs::remove_file(store.path("job1/image.ghs")).unwrap(),
            r#""image.ghs" is missing"#,
        ),
        (
            "unexpected",
            |store| fs::write(store.path("job1/more"), "x").unwrap(),
            r#""more" does not belong to it"#,
        ),
        (
            "a link instead",
            |store| {
                fs::remove_file(store.path("job1/image.ghs")).unwrap();
                symlink("image.gho", store.path("job1/image.ghs")).unwrap();
            },
            r#""image.ghs" does not belong to it"#,
        ),
        (
            "a folder instead",
            |store| {
                fs::remove_file(store.path("job1/image.ghs")).unwrap();
                fs::create_dir(store.path("job1/image.ghs")).unwrap();
            },
            r#""image.ghs" is missing"#,
        ),
    ];
    for (what, spoil, expected) in spoil {
        let store = Store::finished();
        spoil(&store);
        assert_eq!(store.damage(), [expected], "{what}");
        let listed = store.catalog.show(&john(), generation("job1")).unwrap();
        assert!(!listed.is_good(), "{what}: the record of the check is kept");
        assert_eq!(listed.check.unwrap().at, NOW);
    }
}

#[test]
fn a_manifest_that_is_of_no_use_is_damage_and_nothing_for_retention() {
    for manifest in ["", "{\"version\": 9}", "not json"] {
        let store = Store::finished();
        fs::write(store.path("job1/manifest.json"), manifest).unwrap();
        assert_eq!(store.damage().len(), 1, "{manifest:?}");
        assert!(store.damage()[0].contains("job1/manifest.json"), "{:?}", store.damage());
        assert_eq!(store.catalog.show(&john(), generation("job1")).unwrap().candidate(), None);
    }
}

#[test]
fn a_manifest_of_another_generation_is_damage() {
    let store = Store::finished();
    fs::rename(store.path("job1"), store.path("job2")).unwrap();
    let check = store.catalog.verify(&john(), &generation("job2"), NOW).unwrap();
    assert!(check.damage[0].to_string().contains("john's generation job1"), "{:?}", check.damage);
}

#[test]
fn what_is_repaired_is_good_again() {
    let store = Store::finished();
    fs::write(store.path("job1/more"), "x").unwrap();
    assert_eq!(store.damage().len(), 1);
    fs::remove_file(store.path("job1/more")).unwrap();
    assert_eq!(store.damage().len(), 0);
    assert!(store.catalog.show(&john(), generation("job1")).unwrap().is_good());
}

#[test]
fn pruning_removes_what_was_planned_and_what_crashes_left() {
    let store = Store::new();
    for (name, ended) in [("a", 1_000), ("b", 2_000), ("c", 3_000)] {
        store.stage(name);
        let facts = Facts { ended: UnixTime::from_millis(ended), ..facts() };
        store.catalog.finish(&john(), &job(name), &facts).unwrap();
    }
    store.stage("running");
    fs::create_dir_all(store.path(".removing-a/screens")).unwrap();
    let policy = Policy { generations: std::num::NonZeroU32::new(1), keep: Duration::ZERO };
    let in_use = InUse { jobs: [job("running")].into(), generations: [generation("b")].into() };
    let plan = store.catalog.plan(&john(), policy, &in_use, NOW).unwrap();
    assert_eq!(plan.generations, [generation("a")].into());
    assert_eq!(plan.bytes, 300_000 + "rest of a".len() as u64 + 4);
    store.catalog.carry_out(&plan).unwrap();
    assert_eq!(store.names(), [".incoming-running", "b", "c"]);
}

#[test]
fn what_has_no_manifest_is_not_ours_to_prune() {
    let store = Store::finished();
    fs::create_dir(store.path("by-hand")).unwrap();
    assert_eq!(store.listed(), ["by-hand", "job1"]);
    let policy = Policy { generations: std::num::NonZeroU32::new(1), keep: Duration::ZERO };
    assert!(store.catalog.plan(&john(), policy, &InUse::default(), NOW).unwrap().generations.is_empty());
}

#[test]
fn an_unknown_generation_is_said_to_be_so() {
    let store = Store::finished();
    for (host, name) in [("john", "job9"), ("joe", "job1")] {
        let shown = store.catalog.show(&host.parse().unwrap(), generation(name));
        let error = shown.unwrap_err();
        assert_eq!(error.to_string(), format!("{host} has no generation {name}"));
        assert_eq!(Exit::of(&error), Exit::Usage);
    }
    assert_eq!(store.catalog.list_host(&"joe".parse().unwrap()).unwrap().len(), 0);
}

#[test]
fn the_size_of_an_image_is_known_before_it_is_read_and_guessed_before_it_is_written() {
    use crate::job::pace::Expected::{About, Exactly};
    let store = Store::finished();
    let named = generation("job1");
    let bytes = store.catalog.show(&john(), named.clone()).unwrap().manifest.unwrap().bytes;
    let cases = [
        (Mode::Verify, Some(&named), Some(Exactly(bytes))),
        (Mode::Restore, Some(&named), Some(Exactly(bytes))),
        (Mode::Restore, Some(&generation("job2")), None),
        (Mode::Restore, None, None),
        (Mode::Backup, None, Some(About(bytes))),
        (Mode::Test, None, None),
        (Mode::Ghost, None, None),
    ];
    for (mode, generation, expected) in cases {
        assert_eq!(store.catalog.expected(&john(), mode, generation), expected, "{mode} {generation:?}");
    }
    assert_eq!(Store::new().catalog.expected(&john(), Mode::Backup, None), None, "the first backup");
    fs::write(store.path("job1/image.gho"), "damaged").unwrap();
    assert!(!store.damage().is_empty());
    assert_eq!(store.catalog.expected(&john(), Mode::Backup, None), None, "what is damaged tells nothing");
}
