use super::*;

fn config(labs: &Path) -> LabConfig {
    LabConfig { labs: labs.to_owned(), ..LabConfig::new("one".parse().unwrap()) }
}

fn folder(config: &LabConfig) -> LabFolder {
    LabFolder::new(&config.labs, &config.name)
}

#[test]
fn a_lab_is_up_as_long_as_its_lock_is_held() {
    let labs = tempfile::tempdir().unwrap();
    let config = config(labs.path());
    let folder = folder(&config);
    assert!(!folder.is_up().unwrap());
    let held = folder.claim(&config).unwrap();
    assert!(folder.is_up().unwrap());
    drop(held);
    assert!(!folder.is_up().unwrap());
}

#[test]
fn a_lab_that_is_up_is_neither_claimed_again_nor_removed() {
    let labs = tempfile::tempdir().unwrap();
    let config = config(labs.path());
    let folder = folder(&config);
    let _held = folder.claim(&config).unwrap();
    assert!(folder.claim(&config).unwrap_err().to_string().ends_with("/one is up"));
    assert!(folder.remove_stale().unwrap_err().to_string().ends_with("/one is up"));
    assert!(folder.path().exists());
}

#[test]
fn a_stale_lab_makes_room() {
    let labs = tempfile::tempdir().unwrap();
    let config = config(labs.path());
    let folder = folder(&config);
    drop(folder.claim(&config).unwrap());
    fs::write(folder.join("left-over"), "").unwrap();
    let _held = folder.claim(&config).unwrap();
    assert!(!folder.join("left-over").exists());
}

#[test]
fn all_labs_are_found_and_stale_ones_removed() {
    let labs = tempfile::tempdir().unwrap();
    let config = config(labs.path());
    drop(folder(&config).claim(&config).unwrap());
    let found = all(labs.path()).unwrap();
    assert_eq!(found.len(), 1);
    found[0].remove_stale().unwrap();
    assert!(all(labs.path()).unwrap().is_empty());
}
