//! Given a client that writes whatever it likes wherever it can, what do the administrator and the other jobs see of it?

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use ghost_contract::bounds;

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate, swapped_test};
use super::exported;

/// Adds bytes to pc2's report, as only pc2 should.
fn mutter(server: &BootServer, bytes: &[u8]) {
    let report = server.path("base/192.168.7.2var/ghost/report.jsonl");
    OpenOptions::new().append(true).create(true).open(report).unwrap().write_all(bytes).unwrap();
}

/// Whether every line is one that the program has begun, or goes on with a blank; and nothing commands a terminal.
#[track_caller]
pub(crate) fn assert_plain(shown: &str, beginnings: &[&str]) {
    let commands = |c: char| {
        (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!shown.contains(commands), "{shown:?}");
    let is_ours =
        |line: &&str| line.starts_with(' ') || beginnings.iter().any(|begin| line.starts_with(begin));
    assert_eq!(shown.lines().find(|line| !is_ours(line)), None, "{shown}");
}

#[test]
fn what_a_client_says_is_plain_text_in_lines_that_begin_with_its_name() {
    let server = BootServer::with_hosts(1);
    let comes_up = Gate::default();
    let (client, running) = swapped_test(&server, &comes_up);
    let remark = |words: &str| {
        let words = serde_json::to_string(words).unwrap();
        format!("{{\"at\":0,\"uptime\":0,\"event\":\"imager_remarked\",\"remark\":{words}}}\n")
    };
    let forged = "done\npc3: succeeded\r\nghostctl: all is well";
    for words in ["\x1b]0;title\x07\x1b[2J", "\u{9b}31m\u{90}q\u{9c}", "\u{202e}dedeeccus", forged] {
        mutter(&server, remark(words).as_bytes());
        mutter(&server, format!("no event: {}\n", words.replace('\n', "\r")).as_bytes());
    }
    mutter(&server, b"\xff\xfe \x9b2J\x1bc\n");
    comes_up.open();
    let output = running.wait_with_output().unwrap();
    drop(client);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_plain(&said(&output), &["pc2: "]);
    assert!(said(&output).contains("done pc3: succeeded"), "it is told all the same: {}", said(&output));
}

#[test]
fn a_million_events_in_a_gigabyte_stop_neither_their_job_nor_the_others() {
    let server = BootServer::with_hosts(2);
    let (comes_up, ends) = (Gate::default(), Gate::default());
    let flooding = Client::working_until(&server, 2, comes_up.is_open(), ends.is_open());
    let other = Client::off(&server, 3, Behaviour::Succeeds);
    let running = server.start(&["backup", "pc2", "pc3"]);
    comes_up.open();
    let report = server.path("base/192.168.7.2var/ghost/report.jsonl");
    let says = |event: &str| fs::read_to_string(&report).unwrap_or_default().contains(event);
    wait_until("pc2 is at work", || says("order_claimed"));
    let event = "{\"at\":0,\"uptime\":0,\"event\":\"imager_remarked\",\"remark\":\"and again\"}\n";
    for _ in 0..1_000 {
        mutter(&server, event.repeat(1_000).as_bytes());
    }
    OpenOptions::new().write(true).open(&report).unwrap().set_len(1 << 30).unwrap();
    mutter(&server, b"\n");
    ends.open();
    let output = running.wait_with_output().unwrap();
    drop((flooding, other));
    let shown = said(&output);
    assert_eq!(output.status.code(), Some(0), "{}", shown.lines().rev().take(20).collect::<String>());
    let counted = |line: &str| {
        line.starts_with("pc2: warning: its report is too large: ") && line.ends_with("left out")
    };
    assert!(
        shown.lines().any(counted),
        "{}",
        shown.lines().filter(|line| !line.contains("and again")).collect::<String>()
    );
    let told = shown.lines().filter(|line| line.contains("and again")).count();
    assert!((1..=1_000).contains(&told), "{told} lines of one kind are told");
    let rest = |line: &str| {
        line.starts_with("pc2: warning: ") && line.contains(" more lines of what it said were not told, 0 of")
    };
    assert_eq!(shown.lines().filter(|line| rest(line)).count(), 1);
    for host in ["pc2", "pc3"] {
        assert!(shown.lines().any(|line| line.starts_with(&format!("{host}: succeeded"))), "{host}");
    }
    let kept = sizes(&server.path("state"));
    assert!(kept.iter().all(|size| *size <= bounds::REPORT_KEPT), "{kept:?}");
}

#[test]
fn of_a_client_that_takes_screenshots_without_end_the_last_ones_are_kept_and_the_others_counted() {
    let server = BootServer::with_hosts(1);
    let (comes_up, ends) = (Gate::default(), Gate::default());
    let client = Client::working_until(&server, 2, comes_up.is_open(), ends.is_open());
    let running = server.start(&["backup", "pc2"]);
    comes_up.open();
    let report = server.path("base/192.168.7.2var/ghost/report.jsonl");
    wait_until("pc2 is at work", || {
        fs::read_to_string(&report).unwrap_or_default().contains("order_claimed")
    });
    let staged = fs::read_dir(server.path("store/pc2")).unwrap().next().unwrap().unwrap().path();
    let screens = staged.join("screens");
    fs::create_dir_all(&screens).unwrap();
    for number in 10_000..10_000 + bounds::SCREENSHOTS + 300 {
        fs::write(screens.join(format!("{number}-interval.png")), "").unwrap();
    }
    fs::write(screens.join("10000-interval.txt"), "").unwrap();
    fs::write(screens.join("index.html"), "").unwrap();
    ends.open();
    let output = running.wait_with_output().unwrap();
    drop(client);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let counted = "pc2: warning: it took too many screenshots: the last 1000 are kept, 301 files of older ones were removed";
    assert!(said(&output).contains(counted), "{}", said(&output));
    let generation = fs::read_dir(server.path("store/pc2")).unwrap().next().unwrap().unwrap().path();
    let kept = fs::read_dir(generation.join("screens")).unwrap().map(|one| one.unwrap().file_name());
    let kept: Vec<String> = kept.map(|name| name.into_string().unwrap()).collect();
    assert_eq!(kept.len(), bounds::SCREENSHOTS + 1);
    assert!(kept.contains(&"index.html".to_owned()) && !kept.contains(&"10299-interval.png".to_owned()));
}

/// How large the files below a folder are.
fn sizes(folder: &Path) -> Vec<u64> {
    let files = modes(folder).into_iter().map(|(path, _)| fs::metadata(path).unwrap());
    files.filter(fs::Metadata::is_file).map(|file| file.len()).collect()
}

#[test]
fn names_of_files_and_hosts_are_plain_text_too() {
    let server = BootServer::with_hosts(1);
    let configured = String::from_utf8(server.configured()).unwrap();
    let host = "\nhost \"pc\x1b[2J\u{202e}\npc2: succeeded\" { hardware ethernet 2:0:0:0:0:9; fixed-address 192.168.7.9; }\n";
    fs::write(server.configuration(), configured + host).unwrap();
    let output = server.run(&["hosts"]);
    assert_plain(&said(&output), &["pc", "HOST", "host", "warning: ", "fakebox", "ghostctl: "]);
    let staged = server.path("store/pc2/20260101-000000-aaaa");
    fs::create_dir_all(&staged).unwrap();
    fs::write(staged.join("manifest.json"), "{\"version\":\"\x1b[2J\npc3: good\"}").unwrap();
    let output = server.run(&["images", "list"]);
    assert_plain(&said(&output), &["pc2 ", "ghostctl: "]);
}

/// Everything below a folder, with its mode.
fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        found.push((entry.path(), entry.metadata().unwrap().permissions().mode() & 0o7777));
        if entry.file_type().unwrap().is_dir() {
            found.extend(modes(&entry.path()));
        }
    }
    found
}

#[test]
fn whatever_the_umask_nobody_but_root_looks_into_the_state_or_holds_a_lock() {
    let server = BootServer::with_hosts(1);
    let run_openly = |words: &[&str]| {
        let mut command = server.network().command("sh");
        command.args(["-c", "umask 000 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_ghostctl"), "--config"]);
        let output = command.arg(server.path("ghostrc")).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    };
    let client = Client::off(&server, 2, Behaviour::Succeeds);
    run_openly(&["backup", "pc2"]);
    drop(client);
    run_openly(&["dhcp", "swap", "pc2"]);
    let found = modes(&server.path("state"));
    assert!(found.len() > 10, "{found:?}");
    for (path, mode) in &found {
        assert!(!path.is_dir() || *mode == 0o700, "{}: {mode:o}", path.display());
        assert_eq!(mode & 0o022, 0, "{}: {mode:o}", path.display());
        let is_lock = path.extension().is_some_and(|ending| ending == "lock");
        assert!(!is_lock || *mode == 0o600, "{}: {mode:o}", path.display());
    }
    let lock = fs::metadata(server.path("dhcp/.dhcpd.conf.ghostctl-lock"));
    let lock = lock.or_else(|_| fs::metadata(server.path("dhcp/dhcpd.conf.ghostctl-lock"))).unwrap();
    assert_eq!(lock.permissions().mode() & 0o7777, 0o600);
    run_openly(&["dhcp", "revert", "pc2"]);
    assert!(!server.path("base/192.168.7.2etc/ghost/order.json").exists(), "the order is gone");
    assert_eq!(server.nonces(), [""; 0].map(PathBuf::from), "and the nonce");
}

#[test]
fn a_forged_generation_is_neither_restored_nor_verified_nor_pruned_before_it_is_adopted() {
    let server = BootServer::with_hosts(1);
    server.set("GENERATIONS", "1");
    server.set("KEEP_DAYS", "0");
    let client = Client::off(&server, 2, Behaviour::Succeeds);
    assert_eq!(server.run(&["backup", "pc2"]).status.code(), Some(0));
    drop(client);
    let store = server.path("store/pc2");
    let ours = fs::read_dir(&store).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let forged = "20990101-000000-aaaa";
    fs::create_dir(store.join(forged)).unwrap();
    fs::copy(store.join(&ours).join("image.gho"), store.join(forged).join("image.gho")).unwrap();
    let manifest = fs::read_to_string(store.join(&ours).join("manifest.json")).unwrap();
    fs::write(store.join(forged).join("manifest.json"), manifest.replace(&ours, forged)).unwrap();

    for words in [
        &["restore", "--yes", "--generation", forged, "pc2"][..],
        &["verify", "--generation", forged, "pc2"],
        &["images", "verify", "pc2", forged],
        &["images", "export", "--format", "raw", "--generation", forged, "pc2", "/nowhere"],
    ] {
        let refused = server.run(words);
        assert!(!refused.status.success(), "{words:?}: {}", said(&refused));
        assert!(said(&refused).contains("does not vouch for it"), "{words:?}: {}", said(&refused));
    }
    let listed = server.run(&["images", "list", "pc2"]);
    assert!(
        said(&listed).contains(&format!("{forged} not vouched for: this boot server did not make it")),
        "{}",
        said(&listed)
    );
    let pruned = server.run(&["images", "prune"]);
    assert!(said(&pruned).contains("removed no generation"), "{}", said(&pruned));
    let would = server.run(&["restore", "--dry-run", "pc2"]);
    assert!(said(&would).contains(&ours) && !said(&would).contains(forged), "{}", said(&would));

    let adopted = server.run(&["images", "adopt"]);
    assert_eq!(adopted.status.code(), Some(0), "{}", said(&adopted));
    assert!(said(&adopted).contains(&format!("pc2: {forged} was read back")), "{}", said(&adopted));
    assert!(said(&server.run(&["images", "list", "pc2"])).lines().all(|line| line.contains("  good, ")));
}

#[test]
fn of_the_dhcp_servers_configuration_a_client_sees_names_and_macs_only() {
    let server = BootServer::with_hosts(2);
    let configured = String::from_utf8(server.configured()).unwrap();
    let secrets = "key rndc { algorithm hmac-md5; secret c2VjcmV0LW9mLWRoY3Bk; }\noption domain-name \"hidden.example\";\n";
    fs::write(server.configuration(), format!("{secrets}{configured}")).unwrap();
    let comes_up = Gate::default();
    let (client, running) = swapped_test(&server, &comes_up);
    let seen = files(&server.path("base")).into_iter().chain(files(&server.path("store")));
    let seen: Vec<(PathBuf, String)> = seen.collect();
    comes_up.open();
    let output = running.wait_with_output().unwrap();
    drop(client);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let table = seen.iter().find(|(path, _)| path.ends_with("192.168.7.2etc/ethers"));
    let names = "02:00:00:00:00:02 pc2\n02:00:00:00:00:03 pc3\n02:00:00:00:00:ff fakebox\n";
    assert_eq!(table.unwrap().1, names);
    for secret in ["c2VjcmV0LW9mLWRoY3Bk", "hidden.example", "192.168.7.3", "hardware ethernet"] {
        let leaks = seen.iter().find(|(_, content)| content.contains(secret));
        assert_eq!(leaks.map(|(path, _)| path), None, "{secret}");
    }
}

/// The files below a folder, with what is in them.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let paths = modes(folder).into_iter().map(|(path, _)| path).filter(|path| path.is_file());
    paths.map(|path| (path.clone(), String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned())).collect()
}

/// What a client does where it wrote while it had a job, if an NFS server still serves a handle that it has kept.
fn plant(folder: &Path, others: &Path) {
    let forged = folder.join(".incoming-20990101-000000-aaaa");
    fs::create_dir_all(forged.join("screens")).unwrap();
    fs::write(forged.join("image.gho"), "forged").unwrap();
    fs::write(forged.join("manifest.json"), "{\"version\":1}").unwrap();
    fs::write(forged.join("manifest.json.minisig"), "untrusted comment: signed\n").unwrap();
    fs::create_dir_all(folder.join(["deep"; 40].join("/"))).unwrap();
    fs::create_dir_all(folder.join("20990102-000000-aaaa")).unwrap();
    fs::write(folder.join("20990102-000000-aaaa/manifest.json"), "\x1b[2J").unwrap();
    fs::write(folder.join("\x1b[2J\npc3: succeeded"), "").unwrap();
    symlink(others, folder.join(".incoming-20990103-000000-aaaa")).unwrap();
    symlink(others, folder.join("20990104-000000-aaaa")).unwrap();
    super::saved_disk::run("mkfifo", &[folder.join(".failed-20990105-000000-aaaa").to_str().unwrap()]);
}

#[test]
fn what_a_client_plants_after_its_job_is_no_generation_leads_nowhere_and_stops_nothing() {
    let server = BootServer::with_hosts(2);
    exported::for_jobs(&server);
    server.set("GENERATIONS", "1");
    server.set("KEEP_DAYS", "0");
    let backed_up = |number: u8| {
        let client = Client::off(&server, number, Behaviour::Succeeds);
        let output = server.run(&["backup", &format!("pc{number}")]);
        drop(client);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    };
    backed_up(3);
    backed_up(2);
    let of_pc3 = server.path("store/pc3");
    let before = (files(&of_pc3), files(&server.path("store/pc2")));
    for written_to in ["store/.clients/pc2", "base.trees/192.168.7.2"] {
        plant(&server.path(written_to), &of_pc3);
        fs::set_permissions(server.path(written_to), fs::Permissions::from_mode(0o777)).unwrap();
        let above = fs::metadata(server.path(written_to).parent().unwrap()).unwrap();
        // A program that is root's by its set-user-id bit is worth nothing where no other user comes.
        assert_eq!(above.permissions().mode() & 0o7777, 0o700, "{written_to}");
    }
    for words in
        [&["images", "prune"][..], &["recover"], &["images", "list"], &["status"], &["doctor", "pc2"]]
    {
        let output = server.run(words);
        let may_fail = words[0] == "doctor";
        assert!(may_fail || output.status.success(), "{words:?}: {}", said(&output));
        assert!(
            !said(&output).contains('\u{1b}') && !said(&output).contains("\npc3: succeeded"),
            "{words:?}: {}",
            said(&output)
        );
        assert_eq!(said(&output).matches("2099").count(), 0, "{words:?}: {}", said(&output));
        assert!(
            (files(&of_pc3), files(&server.path("store/pc2"))) == before,
            "{words:?} has changed a generation"
        );
    }
    backed_up(2);
    assert_eq!(files(&of_pc3), before.0);
    let listed = said(&server.run(&["images", "list"]));
    assert_eq!(listed.matches("  good, ").count(), 2, "{listed}");
    assert_eq!(exported::left(&server), None);
}
