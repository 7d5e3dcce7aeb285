//! How is it started, and what is believed of what it leaves?

use ghost_contract::sample::disk_image;

use super::*;

fn arguments(mode: Mode, disks: &[&str]) -> String {
    let disks: Vec<PathBuf> = disks.iter().map(PathBuf::from).collect();
    launch(mode, &disks, (&LinuxSettings::default(), false)).unwrap().arguments.join(" ")
}

#[test]
fn it_is_told_what_to_do_with_which_disks() {
    const FILES: &str = "--image /run/ghost/imager/images --settings /run/ghost/imager/settings.json \
                         --progress /run/ghost/imager/progress.json --result /run/ghost/imager/result.json";
    assert_eq!(arguments(Mode::Backup, &["/dev/sda"]), format!("backup {FILES} --disk /dev/sda"));
    assert_eq!(
        arguments(Mode::Restore, &["/dev/nvme0n1", "/dev/vda"]),
        format!("restore {FILES} --disk /dev/nvme0n1 --disk /dev/vda")
    );
    assert_eq!(arguments(Mode::Verify, &[]), format!("check {FILES}"));
}

#[test]
fn a_restore_that_may_shrink_is_told_where_there_is_room() {
    let settings = LinuxSettings { smaller_disk: SmallerDisk::Shrink, ..LinuxSettings::default() };
    let arguments =
        |mode| launch(mode, &[PathBuf::from("/dev/sda")], (&settings, false)).unwrap().arguments.join(" ");
    assert!(arguments(Mode::Restore).ends_with(" --scratch /run/ghost/imager/scratch --disk /dev/sda"));
    assert!(!arguments(Mode::Verify).contains("--scratch"));
}

#[test]
fn a_key_is_taken_off_the_boot_server_and_told_to_the_imager() {
    let launch = |mode, key| launch(mode, &[], (&LinuxSettings::default(), key)).unwrap();
    for mode in [Mode::Backup, Mode::Restore] {
        let launch = launch(mode, true);
        assert_eq!(launch.preparations, [["mv", "/etc/ghost/luks.key", "/run/ghost/imager/luks.key"]]);
        assert!(launch.arguments.join(" ").ends_with("--luks-key /run/ghost/imager/luks.key"));
    }
    for other in [launch(Mode::Verify, true), launch(Mode::Backup, false)] {
        assert!(other.preparations.is_empty() && !other.arguments.join(" ").contains("luks"));
    }
}

#[test]
fn it_runs_on_the_first_terminal_with_the_settings_of_the_order() {
    let settings = LinuxSettings { compression_level: 7, ..LinuxSettings::default() };
    let launch = launch(Mode::Backup, &[PathBuf::from("/dev/sda")], (&settings, false)).unwrap();
    assert_eq!(
        (launch.terminal, launch.program.as_path()),
        (Terminal::FirstVt, Path::new("/sbin/ghost-imager"))
    );
    let written: LinuxSettings = serde_json::from_slice(&launch.files[0].content).unwrap();
    assert_eq!((launch.files[0].path.as_path(), written), (Path::new(SETTINGS), settings));
}

#[test]
fn there_is_nothing_in_it_for_a_person_to_use() {
    let error = launch(Mode::Ghost, &[], (&LinuxSettings::default(), false)).unwrap_err();
    assert!(error.to_string().contains("IMAGER=dosemu"), "{error}");
}

fn image() -> Vec<u8> {
    disk_image().to_json().unwrap().into_bytes()
}

fn done(notes: &[&str]) -> Option<Vec<u8>> {
    let notes = notes.iter().map(|note| (*note).to_owned()).collect();
    Some(serde_json::to_vec(&Ending::Done { disk_bytes: 512, image_bytes: 1, notes }).unwrap())
}

fn at(phase: Phase) -> Option<Vec<u8>> {
    let progress = Progress {
        phase,
        disk: 0,
        disks: 1,
        region: 1,
        regions: 2,
        subject: "partition 1".to_owned(),
        done: 1,
        total: 2,
        rate: 1,
        eta: Some(1),
    };
    Some(serde_json::to_vec(&progress).unwrap())
}

fn failure(evidence: &Evidence, mode: Mode) -> (String, Option<TargetDisk>) {
    let Judgement { outcome, target, .. } = evidence.judge(mode);
    let Outcome::Failed { reason } = outcome else { panic!("{outcome:?}") };
    (reason, target)
}

#[test]
fn a_job_has_succeeded_when_the_result_says_so_and_a_backup_left_its_images() {
    let descriptions = vec![Some(image()), Some(image())];
    let evidence =
        Evidence { result: done(&["partition 2 is saved raw"]), descriptions, ..Evidence::default() };
    let judgement = evidence.judge(Mode::Backup);
    assert_eq!(judgement.outcome, Outcome::Succeeded);
    assert_eq!(judgement.remarks, ["partition 2 is saved raw"]);
    for mode in [Mode::Verify, Mode::Restore] {
        let evidence = Evidence { result: done(&[]), ..Evidence::default() };
        assert_eq!(evidence.judge(mode).outcome, Outcome::Succeeded);
    }
}

#[test]
fn a_backup_without_a_whole_image_of_every_disk_is_a_failure() {
    let with = |description| Evidence {
        result: done(&[]),
        descriptions: vec![Some(image()), description],
        ..Evidence::default()
    };
    let missing = failure(&with(None), Mode::Backup).0;
    assert_eq!(missing, "the imager reports success, but disk1 has no disk.json");
    let torn = failure(&with(Some(image().split_off(1))), Mode::Backup).0;
    assert!(torn.starts_with("the imager reports success, but disk1 cannot be used: "), "{torn}");
}

#[test]
fn its_own_words_are_the_reason() {
    let reason = "cannot read /dev/sda at byte 4096".to_owned();
    for target in [TargetDisk::Untouched, TargetDisk::Incomplete] {
        let ending = Ending::Failed { reason: reason.clone(), target };
        let evidence = Evidence { result: Some(serde_json::to_vec(&ending).unwrap()), ..Evidence::default() };
        assert_eq!(failure(&evidence, Mode::Restore), (reason.clone(), Some(target)));
    }
}

#[test]
fn without_a_result_it_did_not_come_to_its_end() {
    for (progress, expected, target) in [
        (None, "surveying", None),
        (at(Phase::Checking), "checking", None),
        (at(Phase::Writing), "writing", Some(TargetDisk::Incomplete)),
        (at(Phase::Resizing), "resizing", Some(TargetDisk::Incomplete)),
        (at(Phase::Shrinking), "shrinking", None),
    ] {
        let evidence = Evidence { progress, ..Evidence::default() };
        let reason = format!("the imager ended while it was {expected}, without a result");
        assert_eq!(failure(&evidence, Mode::Restore), (reason, target));
    }
    let broken = Evidence { errors: b"warning\nkilled by a bug\n\n".to_vec(), ..Evidence::default() };
    let reason = failure(&broken, Mode::Restore).0;
    assert_eq!(reason, "the imager ended while it was surveying, without a result: killed by a bug");
    let torn = Evidence {
        result: Some(b"{\"ending\":".to_vec()),
        progress: at(Phase::Writing),
        ..Evidence::default()
    };
    let (reason, target) = failure(&torn, Mode::Restore);
    assert!(reason.starts_with("the imager's result cannot be read: "), "{reason}");
    assert_eq!(target, Some(TargetDisk::Incomplete));
}

#[test]
fn how_far_it_is_is_known_as_soon_as_it_says_so() {
    assert_eq!(progress(None), None);
    assert_eq!(progress(Some(b"")), None);
    assert_eq!(progress(at(Phase::Reading).as_deref()).unwrap().phase, Phase::Reading);
}
