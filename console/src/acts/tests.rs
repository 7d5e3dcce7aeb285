use super::*;

fn form(act: Kind, host: &str, typed: &str) -> Form {
    Form { act, host: host.to_owned(), word: String::new(), typed: typed.to_owned() }
}

#[test]
fn a_restore_needs_the_name_typed_and_the_others_do_not() {
    let restore = |typed| Act::of(&form(Kind::Restore, "pc2", typed));
    assert!(restore("").is_err() && restore("pc3").is_err() && restore("pc22").is_err());
    assert_eq!(restore(" pc2 ").unwrap().words(), ["restore", "--yes", "--", "pc2"]);
    assert_eq!(Act::of(&form(Kind::Backup, "pc2", "")).unwrap().words(), ["backup", "--", "pc2"]);
}

#[tokio::test]
async fn no_more_run_at_the_same_time_than_the_boot_server_can_take() {
    let folder = tempfile::tempdir().unwrap();
    let (acts, gate) = waiting(&folder);
    let begin = || acts.begin(Act::of(&form(Kind::Test, "pc2", "")).unwrap(), Who("anna".to_owned()));
    (0..AT_ONCE).for_each(|_| begin().unwrap());
    assert_eq!(begin().unwrap_err(), "64 acts run already: try again later");
    let running = acts.of(&"pc2".parse().unwrap()).len();
    assert_eq!(running, AT_ONCE);
    // Whoever opens the gate later finds it open, too, until this is dropped.
    let _open = std::fs::File::options().read(true).write(true).open(&gate).unwrap();
    std::fs::write(&gate, "go\n".repeat(AT_ONCE)).unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(180), async {
        while begin().is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("their ends make room");
    // None of them waits for the gate any more when it goes.
    std::fs::write(&gate, "go\n").unwrap();
    all_end(&acts).await;
}

#[tokio::test]
async fn one_that_runs_is_shown_however_many_came_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (acts, gate) = waiting(&folder);
    let act = |host: &str| Act::of(&form(Kind::Test, host, "")).unwrap();
    let anna = || Who("anna".to_owned());
    acts.begin(act("pc2"), anna()).unwrap();
    let ended = (1..200_u64).map(|number| {
        let (act, became) = (act("pc3"), Some("done. ".to_owned()));
        Done { act, who: anna(), at: pages::now(), became, number }
    });
    acts.done.lock().unwrap().extend(ended);
    acts.begin(act("pc4"), anna()).unwrap();
    let count = |host: &str| acts.of(&host.parse().unwrap()).len();
    assert_eq!((count("pc2"), count("pc3"), count("pc4")), (1, 198, 1));
    let _open = std::fs::File::options().read(true).write(true).open(&gate).unwrap();
    std::fs::write(&gate, "go\ngo\n").unwrap();
    all_end(&acts).await;
}

/// One whose program waits at a gate, and the gate.
fn waiting(folder: &tempfile::TempDir) -> (Arc<Acts>, PathBuf) {
    let (gate, program) = (folder.path().join("gate"), folder.path().join("ghostctl"));
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = format!("#!/bin/sh\nread nothing < {}\n", gate.display());
    ghost_contract::sample::effects::write_program(&program, &script);
    (Arc::new(Acts::new(program, "/etc/ghostrc".into(), false)), gate)
}

async fn all_end(acts: &Acts) {
    let goes_on = || acts.done.lock().unwrap().iter().any(|one| one.became.is_none());
    tokio::time::timeout(std::time::Duration::from_secs(180), async {
        while goes_on() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("all of them end");
}

#[test]
fn what_is_no_name_of_a_host_reaches_no_command_line() {
    for host in ["", "--all", "pc*", "pc2 pc3", "../pc2", "pc2\n", "-x", "pc2;reboot"] {
        assert!(Act::of(&form(Kind::Backup, host, host)).is_err(), "{host:?}");
    }
}
