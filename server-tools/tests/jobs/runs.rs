//! Many hosts in one run: how many at a time, what is kept of it, and how it goes on after a crash.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::{Child, Output};
use std::time::{Duration, Instant};

use base64::Engine as _;
use ghost_contract::UnixTime;
use ghost_contract::report::{Entry, Event};
use ghost_contract::sample::effects::write_program;

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate};
use super::mailed::with_sendmail;

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
    let (up, end, last) = (Gate::default(), Gate::default(), Gate::default());
    let _clients = hosts.map(|number| {
        let end = if number < 4 { &end } else { &last };
        Client::working_until(&server, number, up.is_open(), end.is_open())
    });
    let running = server.start(&["test", "--all", "--parallel", "2", "--retries", "0"]);
    wait_until("two are swapped", || server.restarts() == 1 && server.journal().len() == 2);
    let swapped = String::from_utf8(server.configured()).unwrap();
    assert_eq!(swapped.matches("filename \"pxelinux.0\"; # pc").count(), 2, "{swapped}");
    up.open();
    wait_until("both are reverted", || server.configured() == before && server.restarts() >= 2);
    assert!(server.restarts() <= 3, "reverts of one moment share a restart, and of two moments two");
    end.open();
    let at_work = |number: u8| {
        let report = server.path(&format!("base/192.168.7.{number}var/ghost/report.jsonl"));
        fs::read_to_string(report).is_ok_and(|report| report.contains("order_claimed"))
    };
    wait_until("the next two are at work", || at_work(4) && at_work(5));
    assert_eq!(server.journal().len(), 2, "and the first two are done");
    last.open();
    let (output, most) = watched(&server, running);
    // `fakebox` always boots from the network.
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(most <= 2, "{most}: {}", said(&output));
    for number in hosts {
        assert!(said(&output).contains(&format!("pc{number}: succeeded")), "{}", said(&output));
    }
    assert!(server.configured() == before && server.journal().is_empty());
}

#[test]
fn where_nobody_says_how_many_the_measured_rates_do_and_the_record_has_it() {
    let server = BootServer::with_hosts(10);
    server.set("GROUP_room", "'pc*'");
    let end = Gate::default();
    let _clients: Vec<_> =
        (2..12).map(|number| Client::working_until(&server, number, || true, end.is_open())).collect();
    let running = server.start(&["backup", "--group", "room"]);
    let report_of = |number: u8| server.path(&format!("base/192.168.7.{number}var/ghost/report.jsonl"));
    let at_work: BTreeSet<u8> = {
        let is_at_work = |number: &u8| {
            fs::read_to_string(report_of(*number)).is_ok_and(|report| report.contains("order_claimed"))
        };
        let mut found = BTreeSet::new();
        wait_until("eight are at work", || {
            found = (2..12).filter(is_at_work).collect();
            found.len() == 8
        });
        found
    };
    let mut uptime = 0;
    wait_until("there is one more", || {
        // Each moves as much as before, whenever it is looked at.
        uptime += 40_000;
        for number in &at_work {
            let event = Event::Sampled { disk_read: 0, disk_written: 0, received: 0, sent: uptime << 14 };
            let line = Entry { at: UnixTime::from_millis(0), uptime, event }.to_line().unwrap();
            let report = fs::OpenOptions::new().append(true).open(report_of(*number));
            report.unwrap().write_all(line.as_bytes()).unwrap();
        }
        server.journal().len() >= 9
    });
    end.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let words = "at most 9 jobs at the same time from now on: 8 jobs together move 125.0 MiB/s, and more may move more";
    assert!(said(&output).contains(words), "{}", said(&output));
    let whole = report(&server);
    assert_eq!((&whole["places"][0]["places"], &whole["parallel"]), (&9.into(), &8.into()), "{whole}");
    assert!(said(&server.run(&["report"])).contains(words));
}

#[test]
fn the_next_job_begins_when_a_client_has_gone_off_though_it_is_still_listened_for() {
    let server = BootServer::with_hosts(2);
    server.set("OFF_LISTEN_pc2", "5");
    let _clients = [2, 3].map(|number| Client::off(&server, number, Behaviour::Succeeds));
    let output = server.run(&["test", "--parallel", "1", "pc2", "pc3"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report = report(&server);
    let at = |host: usize, what: &str| report["jobs"][host][what].as_u64().unwrap();
    assert!(at(1, "began") < at(0, "ended"), "{report}");
}

#[test]
fn no_later_job_of_a_run_wakes_a_client_that_would_not_get_what_it_boots_with() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let end = Gate::default();
    let _works = Client::working_until(&server, 2, || true, end.is_open());
    let running = server.start(&["test", "--parallel", "1", "--retries", "0", "pc2", "pc3"]);
    wait_until("pc2 is at work", || {
        let report = server.path("base/192.168.7.2var/ghost/report.jsonl");
        fs::read_to_string(report).is_ok_and(|report| report.contains("order_claimed"))
    });
    fs::remove_file(server.path("tftp/pxelinux.0")).unwrap();
    end.open();
    let (output, _) = watched(&server, running);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("pc2: succeeded"), "{}", said(&output));
    let words = "the client is not woken, as it would not get what it boots with: ";
    assert!(said(&output).contains(words), "{}", said(&output));
    assert!(server.configured() == before && server.journal().is_empty());
}

#[test]
fn a_client_that_does_not_wake_is_tried_again_and_one_that_came_up_is_not() {
    let server = BootServer::with_hosts(3);
    // pc3 comes up however slow the machine is; the others' first tries wait for nothing.
    for late in ["UP_DEADLINE_pc2", "UP_DEADLINE_pc4"] {
        server.set(late, "6");
    }
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

#[test]
fn hooks_are_told_of_each_job_and_of_the_run_and_one_that_fails_makes_no_job_fail() {
    let server = BootServer::with_hosts(2);
    let (hooks, told) = (server.path("hooks.d"), server.path("told"));
    server.set("HOOKS", hooks.to_str().unwrap());
    server.set("METRICS", server.path("ghost.prom").to_str().unwrap());
    fs::create_dir(&hooks).unwrap();
    write_program(&hooks.join("10-tell"), &format!("#!/bin/sh\ncat >> {0}; echo >> {0}\n", told.display()));
    write_program(&hooks.join("20-bad"), "#!/bin/sh\nprintf 'no mail\\033[2J' >&2; exit 1\n");
    let _client = Client::off(&server, 2, Behaviour::SucceedsWith(7));
    let output = server.run(&["backup", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("warning: the hook 20-bad failed: ") && said(&output).contains("no mail"));
    let told = fs::read_to_string(told).unwrap();
    let told: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [job, run] = &told[..] else { panic!("{told:?}") };
    assert_eq!(
        (&job["of"], &job["host"], &job["bytes"], &job["exit"]),
        (&"job".into(), &"pc2".into(), &7.into(), &0.into())
    );
    assert_eq!((&run["of"], &run["run"], &run["succeeded"]), (&"run".into(), &job["run"], &1.into()));
    let hooks: Vec<_> = report(&server)["hooks"].as_array().unwrap().clone();
    assert_eq!(hooks.len(), 4, "{hooks:?}");
    assert!(hooks[1]["output"].as_str().unwrap().contains("no mail\u{fffd}[2J"), "{hooks:?}");
    let metrics = fs::read_to_string(server.path("ghost.prom")).unwrap();
    assert!(
        metrics.contains("ghost4linux_last_success_bytes{host=\"pc2\",mode=\"backup\"} 7\n"),
        "{metrics}"
    );
}

#[test]
fn hooks_run_as_their_own_user_and_not_at_all_if_there_is_none() {
    use std::os::unix::fs::PermissionsExt;
    let server = BootServer::with_hosts(2);
    let (hooks, told) = (server.path("hooks.d"), server.path("told"));
    fs::create_dir(&hooks).unwrap();
    fs::write(&told, "").unwrap();
    fs::set_permissions(server.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&told, fs::Permissions::from_mode(0o666)).unwrap();
    write_program(&hooks.join("10-who"), &format!("#!/bin/sh\nid -un >> {}\n", told.display()));
    server.set("HOOKS", hooks.to_str().unwrap());
    server.set("HOOKUSER", "nobody");
    for (user, lines, warned) in [("nobody", "nobody\nnobody\n", false), ("no-such-user", "", true)] {
        server.set("HOOKUSER", user);
        fs::write(&told, "").unwrap();
        let _client = Client::off(&server, 2, Behaviour::Succeeds);
        let output = server.run(&["test", "pc2"]);
        assert_eq!(output.status.code(), Some(0), "a job does not fail with its hooks: {}", said(&output));
        assert_eq!(fs::read_to_string(&told).unwrap(), lines, "{}", said(&output));
        let words = "there is no user no-such-user (HOOKUSER), so no hook is run";
        assert_eq!(said(&output).contains(words), warned, "{}", said(&output));
        let doctor = said(&server.run(&["doctor"]));
        assert_eq!(doctor.contains(&format!("warning  hooks: {words}")), warned, "{doctor}");
        assert_eq!(doctor.contains("good     hooks: they run as nobody (HOOKUSER)"), !warned, "{doctor}");
    }
}

/// One line of the text format for exposition, version 0.0.4.
fn is_sample(line: &str, families: &BTreeSet<String>) -> bool {
    let Some((series, value)) = line.rsplit_once(' ') else { return false };
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}')),
        None => (series, Some("")),
    };
    let is_label = |label: &str| {
        label.split_once("=\"").is_some_and(|(name, value)| {
            name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && value.ends_with('"')
        })
    };
    let labels = labels.is_some_and(|labels| labels.is_empty() || labels.split(',').all(is_label));
    families.contains(name) && labels && value.parse::<f64>().is_ok_and(f64::is_finite)
}

#[test]
fn the_metrics_are_what_prometheus_reads_and_tell_of_a_swap_that_is_left() {
    let server = BootServer::with_hosts(2);
    let _client = Client::off(&server, 2, Behaviour::SucceedsWith(7));
    assert_eq!(server.run(&["backup", "pc2"]).status.code(), Some(0));
    let metrics = || String::from_utf8(server.run(&["metrics"]).stdout).unwrap();
    assert!(metrics().contains("\nghost4linux_swaps_outstanding 0\n"), "{}", metrics());
    assert_eq!(server.run(&["dhcp", "swap", "pc3"]).status.code(), Some(0));
    let text = metrics();
    assert!(text.contains("\nghost4linux_swaps_outstanding 1\n"), "{text}");
    let mut families = BTreeSet::new();
    for line in text.lines() {
        match line.strip_prefix("# TYPE ") {
            Some(family) => {
                assert!(families.insert(family.strip_suffix(" gauge").unwrap().to_owned()), "{line}")
            }
            None => assert!(line.starts_with("# HELP ghost4linux_") || is_sample(line, &families), "{line}"),
        }
    }
    assert_eq!(families.len(), 12 - usize::from(!text.contains("bytes_per_second")), "{text}");
}

fn png(grey: u8) -> Vec<u8> {
    picture(2, 1, &[grey, grey, grey, 255, 255, 255])
}

fn picture(width: u32, height: u32, dots: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fastest);
    encoder.write_header().unwrap().write_image_data(dots).unwrap();
    file
}

/// The first dot of each picture in a page, in order.
fn first_dots(page: &str) -> Vec<u8> {
    let first_dot = |rest: &str| {
        let file = base64::engine::general_purpose::STANDARD.decode(rest.split('"').next().unwrap()).unwrap();
        let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().unwrap();
        let mut dots = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut dots).unwrap();
        dots[0]
    };
    page.split("<img")
        .skip(1)
        .map(|rest| first_dot(rest.split_once("src=\"data:image/png;base64,").unwrap().1))
        .collect()
}

#[test]
fn the_page_shows_the_screens_of_one_that_failed_if_they_are_a_screens() {
    let server = BootServer::with_hosts(1);
    with_sendmail(&server, "exit 0");
    let never = Gate::default();
    let _client = Client::working_until(&server, 2, || true, never.is_open());
    let running = server.start(&["backup", "pc2"]);
    let claimed = server.path("base/192.168.7.2var/ghost/report.jsonl");
    wait_until("pc2 is at work", || {
        fs::read_to_string(&claimed).is_ok_and(|report| report.contains("order_claimed"))
    });
    let staging = fs::read_dir(server.path("store/pc2")).unwrap().next().unwrap().unwrap().path();
    fs::create_dir(staging.join("screens")).unwrap();
    for number in 1..=12_u8 {
        fs::write(staging.join(format!("screens/{number:04}-interval.png")), png(number)).unwrap();
    }
    let pid = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let failed = report(&server);
    assert_eq!(failed["jobs"][0]["screen"], "0012-interval", "{failed}");
    let mail = fs::read_to_string(server.path("mail")).unwrap();
    assert!(mail.contains("Subject: backup of 1 host: 1 NOT done, 0 done\n"), "{mail}");
    assert_eq!(mail.matches("Content-Type: image/png").count(), 1, "the last screen is with it: {mail}");
    let page = || {
        let file = server.path("night.html");
        let output = server.run(&["report", "--html", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        fs::read_to_string(file).unwrap()
    };
    let shown = page();
    assert!(shown.contains("the last screen of pc2\" src=\"data:image/png;base64,"), "{shown}");
    assert!(
        shown.contains("8 of 11 screenshots before the last one") && shown.contains("cancelled by SIGTERM")
    );
    assert_eq!(first_dots(&shown), [1, 2, 3, 5, 6, 8, 9, 11, 12], "in order, and the last one last: {shown}");
    let job = failed["jobs"][0]["job"].as_str().unwrap();
    let screen = |name: &str| server.path(&format!("store/pc2/.failed-{job}/screens/{name}.png"));
    let mut bomb = png(0);
    bomb[16..24].copy_from_slice(&[0, 0, 0x7f, 0xff, 0, 0, 0x7f, 0xff]);
    for (bytes, why) in [(bomb, "which no screen has"), (b"<script>".to_vec(), "cannot be read as PNG")] {
        fs::write(screen("0012-interval"), &bytes).unwrap();
        let shown = page();
        assert!(shown.contains(why) && !shown.contains("<script"), "{shown}");
        assert_eq!(first_dots(&shown), [1, 2, 3, 5, 6, 8, 9, 11], "those before it: {shown}");
        fs::write(screen("0005-interval"), &bytes).unwrap();
        assert_eq!(first_dots(&page()), [1, 2, 3, 6, 8, 9, 11], "what is damaged is left out");
        fs::write(screen("0005-interval"), png(5)).unwrap();
    }
    // Noise stays as large as it is.
    let mut noise = 1_u32;
    let dots = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.to_be_bytes()[0]
    });
    let dots: Vec<u8> = dots.take(2_100 * 2_050 * 3).collect();
    fs::write(screen("0012-interval"), picture(2_100, 2_050, &dots)).unwrap();
    let large = page();
    assert_eq!(first_dots(&large).len(), 9, "the last one is shown, and those before it");
    assert!(large.len() < 2 << 20, "{}", large.len());
}

#[test]
fn no_more_is_kept_than_keeprecords_says() {
    let server = BootServer::with_hosts(1);
    let kept = |below: &str| fs::read_dir(server.path(below)).unwrap().count();
    for (keep, left) in [("2", 1), ("2", 2), ("2", 2), ("1", 1)] {
        server.set("KEEPRECORDS", keep);
        let _client = Client::off(&server, 2, Behaviour::Succeeds);
        let output = server.run(&["test", "pc2"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert_eq!((kept("state/jobs"), kept("state/runs")), (left, left));
    }
}

#[test]
fn systemd_accepts_the_units() {
    let folder = tempfile::tempdir().unwrap();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_ghostctl"));
    let units = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    for entry in fs::read_dir(units).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        let text = fs::read_to_string(path).unwrap();
        let text = text.replace("@SBINDIR@", program.parent().unwrap().to_str().unwrap());
        fs::write(folder.path().join(name), text).unwrap();
    }
    let units =
        ["@.service", "@lab1.timer", "-recover.service", "-root.service", "-root.timer", "-proxy.service"];
    for unit in units.map(|unit| format!("ghost4linux{unit}")) {
        let output = std::process::Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(folder.path().join(&unit))
            .output()
            .unwrap();
        let words = said(&output);
        assert!(output.status.success() && !words.contains("ghost4linux"), "{unit}: {words}");
    }
}
