//! Given generations, whole and damaged, what is found, shown, pruned and expected?

use super::*;
use crate::catalog::disks::DiskSummary;

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

/// What a client has written into the store as a generation of john's, in the format of ours.
fn forge(store: &Store, name: &str, ended: UnixTime) {
    let forged = Store::staged();
    let facts = Facts { ended, ..facts() };
    fs::rename(forged.incoming(""), forged.path(&format!(".incoming-{name}"))).unwrap();
    forged.catalog.finish(&john(), &job(name), &facts).unwrap();
    fs::create_dir_all(store.path("")).unwrap();
    fs::rename(forged.path(name), store.path(name)).unwrap();
}

#[test]
fn a_generation_that_a_client_has_forged_is_believed_by_nothing() {
    let store = Store::finished();
    forge(&store, "forged", UnixTime::from_millis(NOW.as_millis() - 1));
    let forged = store.catalog.show(&john(), generation("forged")).unwrap();
    assert_eq!((forged.state(), forged.is_good(), forged.candidate()), ("not vouched for", false, None));
    let check = store.catalog.verify(&john(), &generation("forged"), NOW).unwrap();
    assert!(check.damage[0].to_string().contains("does not vouch for it"), "{:?}", check.damage);
    let policy = Policy { generations: std::num::NonZeroU32::new(1), keep: Duration::ZERO };
    let plan = store.catalog.plan(&john(), policy, &InUse::default(), NOW).unwrap();
    assert!(plan.generations.is_empty(), "the true one is not replaced by it");
}

#[test]
fn a_generation_whose_manifest_was_changed_is_not_ours_any_more_until_it_is_adopted() {
    let store = Store::finished();
    let path = store.path("job1/manifest.json");
    let ours = fs::read_to_string(&path).unwrap();
    fs::write(&path, ours.replace("\"ended\": 2000", "\"ended\": 2001")).unwrap();
    let changed = store.catalog.show(&john(), generation("job1")).unwrap();
    assert!(format!("{:#}", changed.manifest.unwrap_err()).contains("somebody has changed it"));
    assert!(matches!(store.catalog.adopt(&john(), &generation("job1"), NOW).unwrap(), Adoption::Adopted));
    assert!(store.catalog.show(&john(), generation("job1")).unwrap().is_good());
    fs::write(&path, ours).unwrap();
    assert!(store.catalog.show(&john(), generation("job1")).unwrap().is_good(), "it was ours before, too");
}

#[test]
fn a_store_that_was_moved_is_adopted_where_it_is_whole() {
    let store = Store::new();
    forge(&store, "whole", UnixTime::from_millis(1));
    forge(&store, "damaged", UnixTime::from_millis(2));
    fs::write(store.path("damaged/image.gho"), "less").unwrap();
    let adopt = |name: &str| store.catalog.adopt(&john(), &generation(name), NOW).unwrap();
    assert!(matches!(adopt("whole"), Adoption::Adopted));
    assert!(matches!(adopt("whole"), Adoption::Ours));
    assert!(matches!(adopt("damaged"), Adoption::Damaged(check) if check.damage.len() == 1));
    assert!(store.catalog.show(&john(), generation("whole")).unwrap().candidate().is_some());
    assert!(!store.catalog.show(&john(), generation("damaged")).unwrap().is_good());
}

#[test]
fn a_generation_with_pieces_where_the_record_of_its_check_is_written_is_not_adopted() {
    let store = Store::new();
    forge(&store, "forged", UnixTime::from_millis(1));
    for name in [".new-check.json", ".new-manifest.json.minisig", "manifest.json.minisig"] {
        fs::create_dir(store.path("forged").join(name)).unwrap();
        fs::rename(store.path("forged/image.gho"), store.path("forged").join(name).join("image.gho"))
            .unwrap();
        let manifest = fs::read_to_string(store.path("forged/manifest.json")).unwrap();
        let counted = manifest.replace("\"image.gho\"", &format!("\"{name}/image.gho\""));
        fs::write(store.path("forged/manifest.json"), counted).unwrap();
        let adopted = store.catalog.adopt(&john(), &generation("forged"), NOW).unwrap();
        let Adoption::Damaged(check) = adopted else { panic!("{name}: it is adopted") };
        assert_eq!(check.damage[0].to_string(), format!("\"{name}/image.gho\" does not belong to it"));
        fs::rename(store.path("forged").join(name).join("image.gho"), store.path("forged/image.gho"))
            .unwrap();
        fs::remove_dir(store.path("forged").join(name)).unwrap();
        fs::write(store.path("forged/manifest.json"), manifest).unwrap();
    }
}

/// What retention and a restore go by is what a manifest says of disks.
#[test]
fn a_manifest_that_claims_a_disk_that_is_not_there_is_not_adopted() {
    let store = Store::new();
    forge(&store, "claims", UnixTime::from_millis(1));
    let path = store.path("claims/manifest.json");
    let (host, claims) = (john(), generation("claims"));
    let mut manifest = Manifest::parse(&fs::read(&path).unwrap(), &host, &claims).unwrap();
    let image = ghost_contract::sample::disk_image();
    manifest.disks.push(DiskSummary {
        folder: "nowhere".to_owned(),
        disk: image.disk,
        table: image.table,
        file_systems: Vec::new(),
        saved: Vec::new(),
        kept: 0,
        stored: 0,
        bad_ranges: Vec::new(),
        hits: Vec::new(),
        notes: Vec::new(),
        tools: Vec::new(),
        took: 0,
    });
    fs::write(path, manifest.to_json().unwrap()).unwrap();
    let Adoption::Damaged(check) = store.catalog.adopt(&john(), &generation("claims"), NOW).unwrap() else {
        panic!("it is adopted")
    };
    assert!(check.damage[0].to_string().contains("says another thing of its disks"), "{:?}", check.damage);
    assert!(!store.catalog.show(&john(), generation("claims")).unwrap().is_good());
}

/// What `list` makes of john's job1: whether it is good, and what is said of the record of its check.
fn shown(store: &Store) -> (bool, Option<String>) {
    let listed = store.catalog.show(&john(), generation("job1")).unwrap();
    (listed.is_good(), listed.doubt)
}

#[test]
fn a_check_that_a_client_has_forged_is_not_believed_whatever_it_says() {
    let (whole, bad) = (r#"{"at":1,"damage":[]}"#, r#"{"at":1,"damage":[{"damage":"missing","path":"a"}]}"#);
    // One of a generation that was never checked since it was made.
    for forged in [whole, bad, "", "\u{1b}[2J"] {
        let store = Store::finished();
        fs::write(store.path("job1/check.json"), forged).unwrap();
        let (good, doubt) = shown(&store);
        assert!(good, "{forged}: what this boot server has made is good until it finds otherwise");
        assert!(doubt.unwrap().starts_with("its check.json is not of this boot server"), "{forged}");
    }
    // One that hides damage, and one that claims it.
    for (damaged, forged) in [(true, Some(whole)), (true, None), (false, Some(bad))] {
        let store = Store::finished();
        if damaged {
            fs::write(store.path("job1/image.gho"), "damaged").unwrap();
        }
        assert_eq!(store.damage().is_empty(), !damaged);
        assert_eq!(shown(&store), (!damaged, None));
        match forged {
            Some(forged) => fs::write(store.path("job1/check.json"), forged).unwrap(),
            None => fs::remove_file(store.path("job1/check.json")).unwrap(),
        }
        let (good, doubt) = shown(&store);
        assert_eq!(good, !damaged, "{forged:?}");
        assert!(
            doubt.unwrap().starts_with("its check.json is not as this boot server wrote it"),
            "{forged:?}"
        );
        assert_eq!(store.damage().is_empty(), !damaged, "the next check writes it anew");
        assert_eq!(shown(&store), (!damaged, None));
    }
}

#[test]
fn a_check_that_is_a_pipe_or_a_link_is_not_waited_for_or_followed() {
    let store = Store::finished();
    let record = store.path("job1/check.json");
    nix::unistd::mkfifo(&record, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(shown(&store).0 && shown(&store).1.is_some());
    fs::remove_file(&record).unwrap();
    symlink("/etc/passwd", &record).unwrap();
    assert!(shown(&store).0 && shown(&store).1.is_some());
}

#[test]
fn a_check_that_is_a_device_is_no_record_and_damage() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let devices = tempfile::tempdir().unwrap();
    for (device, _kind) in crate::sys::folder::made_devices(devices.path()) {
        let store = Store::finished();
        fs::hard_link(devices.path().join(device), store.path("job1/check.json")).unwrap();
        assert!(shown(&store).0 && shown(&store).1.is_some());
        assert_eq!(store.damage(), ["\"check.json\" does not belong to it"]);
        assert_eq!(store.damage(), [""; 0], "the record of the check has taken its place");
    }
}

/// The same store for another boot server, which trusts the key in this file.
fn elsewhere(store: &Store, trusted: &Path) -> Catalog {
    let catalog = Catalog::new(store.store(), store.folder.path().join("elsewhere"), Parser::own());
    Catalog { keys: Keys::with(None, Some(trusted.to_owned())), ..catalog }
}

#[test]
fn another_boot_server_believes_what_is_signed_and_says_what_is_not_as_it_was() {
    let mut store = Store::staged();
    let (secret, public) = (store.folder.path().join("key"), store.folder.path().join("key.pub"));
    fs::write(&public, signing::public_key(&secret).unwrap()).unwrap();
    store.catalog.keys = Keys::with(Some(secret), None);
    store.finish("job1").unwrap();
    assert_eq!(store.damage(), [""; 0], "the signature is no piece");
    let other = elsewhere(&store, &public);
    let listed = other.show(&john(), generation("job1")).unwrap();
    assert!(listed.is_good() && listed.signed_by.is_some());
    assert_eq!(listed.candidate(), None, "it is not the other's to remove");
    assert_eq!(other.verify(&john(), &generation("job1"), NOW).unwrap().damage, []);

    let path = store.path("job1/manifest.json");
    let ours = fs::read_to_string(&path).unwrap();
    fs::write(&path, ours.replace("\"ended\": 2000", "\"ended\": 2001")).unwrap();
    let listed = other.show(&john(), generation("job1")).unwrap();
    assert_eq!(listed.state(), "not vouched for");
    let said = format!("{:#}", listed.manifest.unwrap_err());
    assert!(said.contains("its signature does not match"), "{said}");
    let refused = other.adopt(&john(), &generation("job1"), NOW).unwrap_err().to_string();
    assert!(refused.contains("its signature does not match"), "{refused}");

    fs::write(&path, ours).unwrap();
    assert!(matches!(other.adopt(&john(), &generation("job1"), NOW).unwrap(), Adoption::Adopted));
    let listed = other.show(&john(), generation("job1")).unwrap();
    assert_eq!((listed.signed_by.is_none(), listed.candidate().is_some()), (true, true));
}

#[test]
fn a_signature_that_a_client_has_planted_is_removed_and_one_of_no_trusted_key_says_nothing() {
    let store = Store::staged();
    fs::create_dir_all(store.incoming("manifest.json.minisig/deep")).unwrap();
    store.finish("job1").unwrap();
    assert!(!store.path("job1/manifest.json.minisig").exists());
    let public = store.folder.path().join("key.pub");
    fs::write(&public, signing::public_key(&store.folder.path().join("key")).unwrap()).unwrap();
    let other = elsewhere(&store, &public);
    let said = format!("{:#}", other.show(&john(), generation("job1")).unwrap().manifest.unwrap_err());
    assert!(said.contains("does not vouch for it"), "{said}");
}
