//! Given a job that is over, what stays of its staging folder and its nonce?

use super::*;

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
