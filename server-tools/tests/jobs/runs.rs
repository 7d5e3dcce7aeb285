//! Many hosts in one run: how many at a time, what is kept of it, and how it goes on after a crash.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Output};
use std::time::{Duration, Instant};

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate};

/// Waits for the program; yields what it has said, and how many jobs ran at the same time at most.
fn watched(server: &BootServer, mut running: Child) -> (Output, usize) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut most = 0;
    while running.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the run does not end");
        most = most.max(server.journal().len());
        std::thread::sleep(Duration::from_millis(5));
    }
    (running.wait_with_output().unwrap(), most)
}

/// The newest run, as programs read it.
fn report(server: &BootServer) -> serde_json::Value {
    let output = server.run(&["report", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)))
}

fn generations(server: &BootServer, host: &str) -> usize {
    let listed = fs::read_dir(server.path(&format!("store/{host}"))).into_iter().flatten();
    listed.filter(|entry| !entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.')).count()
}

#[test]
fn so_many_jobs_at_the_same_time_and_those_that_begin_together_share_edit_and_restart() {
    let server = BootServer::with_hosts(4);
    let before = server.configured();
    let hosts = [2, 3, 4, 5];
    // The first two come up together; what they share is seen then.
    let (up, end) = (Gate::default(), Gate::default());
    let _clients = hosts.map(|number| {
        let end = end.is_open();
        Client::working_until(&server, number, up.is_open(), end)
    });
    let running = server.start(&["test", "--all", "--parallel", "2", "--retries", "0"]);
    wait_until("two are swapped", || server.restarts() == 1 && server.journal().len() == 2);
    let swapped = String::from_utf8(server.configured()).unwrap();
    assert_eq!(swapped.matches("filename \"pxelinux.0\"; # pc").count(), 2, "{swapped}");
    up.open();
    wait_until("both are reverted", || server.configured() == before && server.restarts() >= 2);
    assert!(server.restarts() <= 3, "reverts of one moment share a restart, and of two moments two");
    end.open();
    let (output, most) = watched(&server, running);
    // `fakebox` always boots from the network.
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(most, 2, "{}", said(&output));
    for number in hosts {
        assert!(said(&output).contains(&format!("pc{number}: succeeded")), "{}", said(&output));
    }
    assert!(server.configured() == before && server.journal().is_empty());
}

#[test]
fn a_client_that_does_not_wake_is_tried_again_and_one_that_came_up_is_not() {
    let server = BootServer::with_hosts(3);
    server.set("UP_DEADLINE", "2");
    let before = server.configured();
    let records = server.path("state/jobs");
    let jobs = move || fs::read_dir(&records).map_or(0, Iterator::count);
    let _wakes_late = Client::waiting(&server, 2, Behaviour::Succeeds, Box::new(move || jobs() >= 3));
    // It writes no image, so that its backup fails.
    let _fails = Client::off(&server, 3, Behaviour::SucceedsWith(0));
    let output = server.run(&["backup", "--parallel", "3", "pc[234]"]);
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    assert!(said(&output).contains("pc2: warning: it is tried again after the others"), "{}", said(&output));
    let report = report(&server);
    let of = |host: usize| (report["jobs"][host]["tries"].clone(), report["jobs"][host]["exit"].clone());
    assert_eq!(of(0), (2.into(), 0.into()), "pc2 came up the second time: {report}");
    assert_eq!(of(1), (1.into(), 1.into()), "pc3 came up: {report}");
    assert_eq!(of(2), (2.into(), 75.into()), "pc4 never came up: {report}");
    assert!(server.configured() == before && server.journal().is_empty() && server.nonces().is_empty());
    assert_eq!(server.run(&["report"]).status.code(), Some(1));
}

#[test]
fn a_run_that_is_killed_tells_who_is_not_done_and_is_taken_up_again() {
    let server = BootServer::with_hosts(3);
    server.set("GROUP_room", "'pc[234]'");
    let before = server.configured();
    let done = Client::off(&server, 2, Behaviour::SucceedsWith(7));
    let never = Gate::default();
    let at_work = Client::working_until(&server, 3, || true, never.is_open());
    let mut running = server.start(&["backup", "--group", "room", "--parallel", "1", "--already-on"]);
    let claimed = server.path("base/192.168.7.3var/ghost/report.jsonl");
    wait_until("pc3 is at work", || {
        fs::read_to_string(&claimed).is_ok_and(|report| report.contains("order_claimed"))
    });
    running.kill().unwrap();
    running.wait().unwrap();
    drop((done, at_work));
    let runs = said(&server.run(&["runs"]));
    assert!(runs.contains("broken off") && runs.contains("backup"), "{runs}");
    let broken = report(&server);
    let states: Vec<_> = (0..3).map(|host| broken["jobs"][host]["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["ended", "running", "waiting"], "{broken}");
    let run = broken["run"].as_str().unwrap();
    for wrong in [&["backup", "--resume", run, "--all-disks"][..], &["verify", "--resume", run]] {
        let refused = server.run(wrong);
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}: {}", said(&refused));
    }
    let _clients = [2, 3, 4].map(|number| Client::off(&server, number, Behaviour::SucceedsWith(7)));
    let output = server.run(&["backup", "--resume", run]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(!said(&output).contains("pc2: succeeded"), "it is not done twice: {}", said(&output));
    assert_eq!(["pc2", "pc3", "pc4"].map(|host| generations(&server, host)), [1, 1, 1]);
    let whole = report(&server);
    assert_eq!((whole["run"].as_str().unwrap(), &whole["run_state"]), (run, &"over".into()));
    assert_eq!((&whole["succeeded"], &whole["not_succeeded"]), (&3.into(), &0.into()), "{whole}");
    assert_eq!(server.run(&["report"]).status.code(), Some(0));
    assert!(server.configured() == before && server.journal().is_empty());
    let again = server.run(&["backup", "--resume", run]);
    assert_eq!(again.status.code(), Some(0), "nothing is left to do: {}", said(&again));
    assert_eq!(["pc2", "pc3", "pc4"].map(|host| generations(&server, host)), [1, 1, 1]);
}

#[test]
fn the_longest_begins_first_and_the_unknown_before_it() {
    let server = BootServer::with_hosts(3);
    let took = |number: u8, seconds: u64| {
        let job = format!("20260123-14250{number}-4f3a");
        let folder = server.path(&format!("state/jobs/{job}"));
        fs::create_dir_all(&folder).unwrap();
        let record = format!(
            "{{\"job\":\"{job}\",\"host\":\"pc{number}\",\"mac\":\"02:00:00:00:00:0{number}\",\"ip\":\"192.168.7.{number}\",\"mode\":\"test\",\
             \"began\":0,\"ended\":{},\"phases\":[],\"ending\":{{\"ending\":\"done\",\"outcome\":\"succeeded\"}},\"troubles\":[],\"sample\":null,\"image\":null}}",
            seconds * 1_000
        );
        fs::write(folder.join("record.json"), record).unwrap();
    };
    took(2, 60);
    took(3, 900);
    let _clients = [2, 3, 4].map(|number| Client::off(&server, number, Behaviour::Succeeds));
    let output = server.run(&["test", "--parallel", "1", "pc2", "pc3", "pc4"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = said(&output);
    let ends = ["pc4: succeeded", "pc3: succeeded", "pc2: succeeded"].map(|words| text.find(words).unwrap());
    assert!(ends.is_sorted(), "{text}");
}

#[test]
fn what_is_kept_of_a_run_is_roots_alone_and_nonsense_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let server = BootServer::with_hosts(2);
    for nonsense in [
        &["--until", "25:00"][..],
        &["--until", "soon"],
        &["--parallel", "0"],
        &["--retries", "-1"],
        &["--resume", "../x"],
        &["--resume", "20260123-142501-4f3a"],
    ] {
        let named: &[&str] = if nonsense[0] == "--resume" { &[] } else { &["pc2"] };
        let output = server.run(&[&["test"], nonsense, named].concat());
        assert_eq!(output.status.code(), Some(2), "{nonsense:?}: {}", said(&output));
    }
    assert_eq!(server.run(&["report"]).status.code(), Some(2), "there was no run yet");
    let _client = Client::off(&server, 2, Behaviour::Succeeds);
    let output = server.run(&["test", "--until", "06:00", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let mode = |path: &str| fs::metadata(server.path(path)).unwrap().permissions().mode() & 0o777;
    let run = report(&server)["run"].as_str().unwrap().to_owned();
    assert_eq!((mode("state/runs"), mode(&format!("state/runs/{run}.jsonl"))), (0o700, 0o600));
    let report = server.run(&["report", &run]);
    let words: BTreeSet<&str> = ["1 done, 0 not done", "pc2", "succeeded"].into();
    assert!(words.iter().all(|words| said(&report).contains(words)), "{}", said(&report));
}
