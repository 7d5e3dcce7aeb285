//! Given that a person edits the DHCP configuration while a host is swapped, is the host put back wherever it stands then, and
//! is nothing called reverted that may still be offered the boot file?

use std::fs;
use std::path::Path;
use std::process::{Child, Output};

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Client, Gate};

const OURS: &str = "filename \"pxelinux.0\"; # pc2\n";

/// What a person does to the configuration. `more` is another file that it may include.
type Edit = fn(now: &str, more: &str) -> (String, String);

fn renamed(now: &str, _: &str) -> (String, String) {
    (now.replace("host pc2 ", "host pc2x "), String::new())
}

fn commented(now: &str, _: &str) -> (String, String) {
    (now.replace("host pc2 ", "# host pc2 { }\nhost pc2-new "), String::new())
}

fn moved(now: &str, more: &str) -> (String, String) {
    let (start, end) = (now.find("host pc2 ").unwrap(), now.find("host pc3 ").unwrap());
    (format!("{}include \"{more}\";\n{}", &now[..start], &now[end..]), now[start..end].to_owned())
}

fn inherited(now: &str, _: &str) -> (String, String) {
    let own = now.replace(OURS, "# pc2\n");
    (
        own.replace("host pc2 ", "group { filename \"pxelinux.0\";\nhost pc2 ")
            .replace("host pc3 ", "} host pc3 "),
        String::new(),
    )
}

fn refused(now: &str, _: &str) -> (String, String) {
    (now.replace("host pc2 ", "host \"pc2\" "), String::new())
}

fn emptied(_: &str, _: &str) -> (String, String) {
    (String::new(), String::new())
}

fn a_third_value(now: &str, _: &str) -> (String, String) {
    (now.replace(OURS, "filename \"theirs\"; # pc2\n"), String::new())
}

/// A boot server at which this edit was made when a job of pc2 had swapped and before the client came up, and what the job said.
fn edited(edit: Edit) -> (BootServer, Output) {
    let server = BootServer::with_hosts(2);
    server.set("REVERT_DEADLINE", "6");
    let folder = server.path("dhcp");
    let edit = move || {
        write(&folder, edit);
        true
    };
    let _client = Client::working_until(&server, 2, edit, || true);
    let output = server.run(&["test", "pc2"]);
    (server, output)
}

fn write(folder: &Path, edit: Edit) {
    let (conf, more) = (folder.join("dhcpd.conf"), folder.join("more"));
    let now = fs::read_to_string(&conf).unwrap();
    let (main, included) = edit(&now, more.to_str().unwrap());
    fs::write(&more, included).unwrap();
    fs::write(&conf, main).unwrap();
}

fn is_offered_ours(server: &BootServer) -> bool {
    ["dhcp/dhcpd.conf", "dhcp/more"]
        .iter()
        .any(|file| fs::read_to_string(server.path(file)).unwrap().contains(OURS))
}

#[test]
fn a_host_that_is_renamed_or_moved_while_it_is_swapped_is_reverted_where_it_is() {
    std::thread::scope(|scope| {
        for (what, edit) in [("renamed", renamed as Edit), ("commented", commented), ("moved", moved)] {
            scope.spawn(move || {
                let (server, output) = edited(edit);
                assert_eq!(output.status.code(), Some(0), "{what}: {}", said(&output));
                assert!(!is_offered_ours(&server), "{what}: {}", said(&output));
                assert!(server.serves(&server.configured()) && server.journal().is_empty(), "{what}");
            });
        }
    });
}

#[test]
fn a_host_that_may_still_be_offered_the_boot_file_is_no_success_and_its_journal_stays_open() {
    std::thread::scope(|scope| {
        for (what, edit, place) in [
            ("inherited", inherited as Edit, "dhcpd.conf:5:9: host pc2 has no filename of its own"),
            ("refused by dhcpd", refused, "dhcpd.conf:5:"),
            ("emptied", emptied, "write its entry again, with filename \"nobackup\"; or, if"),
        ] {
            scope.spawn(move || {
                let (server, output) = edited(edit);
                let words = said(&output);
                assert_eq!(output.status.code(), Some(78), "{what}: {words}");
                assert!(!words.contains("pc2: reverted"), "{what}: {words}");
                let last = words.lines().rfind(|line| line.contains("left undone")).unwrap_or_default();
                assert!(last.contains("DHCP still offers it the boot file"), "{what}: {words}");
                assert!(words.contains(place), "{what}: {words}");
                assert_eq!(server.journal().len(), 1, "{what}");
                let recovered = server.run(&["recover"]);
                assert_ne!(recovered.status.code(), Some(0), "{what}: {}", said(&recovered));
                let reverted = server.run(&["dhcp", "revert", "pc2"]);
                assert_ne!(reverted.status.code(), Some(0), "{what}: {}", said(&reverted));
                assert!(!said(&reverted).contains("pc2: reverted"), "{what}: {}", said(&reverted));
                assert_eq!(server.journal().len(), 1, "{what}");
            });
        }
    });
}

#[test]
fn a_file_that_an_editor_saves_while_the_revert_reads_it_is_reverted_when_it_is_whole_again() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let (conf, whole, may_end) = (server.configuration(), server.path("whole"), Gate::default());
    let empty = move || {
        fs::rename(&conf, &whole).unwrap();
        fs::write(&conf, "").unwrap();
        true
    };
    let _client = Client::working_until(&server, 2, empty, may_end.is_open());
    let running = server.start(&["test", "pc2"]);
    wait_until("it is swapped and edited", || server.path("whole").exists());
    let journal = server.journal().remove(0);
    let failed = || fs::read_to_string(&journal).unwrap().contains("\"phase\":\"imaging\"");
    wait_until("the revert has failed and the client works", failed);
    fs::rename(server.path("whole"), server.configuration()).unwrap();
    wait_until("it is reverted", || server.serves(&before));
    may_end.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(server.configured() == before && server.journal().is_empty(), "{}", said(&output));
}

#[test]
fn what_another_person_lets_dhcp_offer_is_left_alone_and_not_called_reverted() {
    let (server, output) = edited(a_third_value);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("so it was left alone"), "{}", said(&output));
    assert!(!said(&output).contains("pc2: reverted"), "{}", said(&output));
    let found = "pc2: warning: nothing was put back, because another person has changed the DHCP configuration: host pc2 is offered 'theirs' now";
    assert!(said(&output).contains(found), "{}", said(&output));
    assert!(String::from_utf8(server.configured()).unwrap().contains("\"theirs\"; # pc2"));
    assert!(server.journal().is_empty());
}

#[test]
fn a_swap_by_hand_is_called_reverted_only_if_it_is() {
    for (edit, exit) in [(renamed as Edit, 0), (moved, 0), (a_third_value, 0), (inherited, 78), (emptied, 78)]
    {
        let server = BootServer::with_hosts(2);
        assert_eq!(server.run(&["dhcp", "swap", "pc2"]).status.code(), Some(0));
        write(&server.path("dhcp"), edit);
        let reverted = server.run(&["dhcp", "revert", "pc2"]);
        let words = said(&reverted);
        assert_eq!(reverted.status.code(), Some(exit), "{words}");
        let is_put_back = exit == 0 && !words.contains("left alone");
        assert_eq!(words.contains("pc2: reverted"), is_put_back, "{words}");
        assert!(!is_offered_ours(&server), "{words}");
        assert_eq!(server.path("state/by-hand/pc2.json").exists(), exit != 0, "{words}");
    }
}

/// A job of pc2 whose client works, reverted and served; and the configuration as it was while it was swapped.
fn at_work_after_the_revert(server: &BootServer, may_end: &Gate) -> (Client, Child, Vec<u8>) {
    let (before, comes_up) = (server.configured(), Gate::default());
    let client = Client::working_until(server, 2, comes_up.is_open(), may_end.is_open());
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    let swapped = server.configured();
    comes_up.open();
    let journal = server.journal().remove(0);
    let is_at_work = || fs::read_to_string(&journal).unwrap().contains("\"phase\":\"imaging\"");
    wait_until("it is reverted and the client works", || server.serves(&before) && is_at_work());
    (client, running, swapped)
}

#[test]
fn what_an_editor_saves_from_before_the_revert_is_reverted_when_the_job_ends() {
    let server = BootServer::with_hosts(2);
    let (before, may_end) = (server.configured(), Gate::default());
    let (_client, running, swapped) = at_work_after_the_revert(&server, &may_end);
    let saved = |bytes: &[u8]| [bytes, b"# edited by another person\n"].concat();
    fs::write(server.configuration(), saved(&swapped)).unwrap();
    may_end.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("offers pc2 the boot file again"), "{}", said(&output));
    assert_eq!(server.configured(), saved(&before));
    assert!(server.serves(&saved(&before)) && server.journal().is_empty(), "{}", said(&output));
}

#[test]
fn what_an_editor_saves_from_before_the_revert_and_cannot_be_reverted_is_no_success() {
    let server = BootServer::with_hosts(2);
    server.set("REVERT_DEADLINE", "2");
    let may_end = Gate::default();
    let (_client, running, swapped) = at_work_after_the_revert(&server, &may_end);
    let (edited, _) = refused(&String::from_utf8(swapped).unwrap(), "");
    fs::write(server.configuration(), edited).unwrap();
    may_end.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("DHCP still offers it the boot file"), "{}", said(&output));
    assert_eq!(server.journal().len(), 1, "{}", said(&output));
}

#[test]
fn what_an_editor_saves_from_before_the_revert_is_reverted_by_recover_if_the_job_has_crashed() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let (_client, running, swapped) = at_work_after_the_revert(&server, &Gate::default());
    rustix::process::kill_process(rustix::process::Pid::from_child(&running), rustix::process::Signal::KILL)
        .unwrap();
    running.wait_with_output().unwrap();
    fs::write(server.configuration(), swapped).unwrap();
    let would = server.run(&["recover", "--dry-run"]);
    assert!(said(&would).contains("would make sure that the DHCP entry stays reverted"), "{}", said(&would));
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert!(server.configured() == before && server.journal().is_empty(), "{}", said(&recovered));
    assert!(server.serves(&before), "{}", said(&recovered));
}

fn deleted(now: &str, _: &str) -> (String, String) {
    let (start, end) = (now.find("host pc2 ").unwrap(), now.find("host pc3 ").unwrap());
    (format!("{}{}", &now[..start], &now[end..]), String::new())
}

#[test]
fn the_swap_of_a_host_that_was_deleted_is_given_up_when_a_person_says_so_and_not_before() {
    let (server, output) = edited(deleted);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("'ghostctl dhcp forget pc2'"), "{}", said(&output));
    let recovered = server.run(&["recover"]);
    assert_ne!(recovered.status.code(), Some(0), "{}", said(&recovered));
    let another = server.run(&["dhcp", "forget", "pc3"]);
    assert_eq!(another.status.code(), Some(2), "{}", said(&another));
    let now = server.configured();
    for (what, configuration, exit) in [
        ("it is there", [&now[..], b"host pc2 { filename \"pxelinux.0\"; }"].concat(), 2),
        (
            "it has another name",
            [&now[..], b"host new { hardware ethernet 2:0:0:0:0:2; filename \"pxelinux.0\"; }"].concat(),
            2,
        ),
        ("the file is being saved", Vec::new(), 78),
        ("the file cannot be read", [&now[..], b"host pc9 {"].concat(), 78),
    ] {
        fs::write(server.configuration(), configuration).unwrap();
        let refused = server.run(&["dhcp", "forget", "pc2"]);
        assert_eq!(refused.status.code(), Some(exit), "{what}: {}", said(&refused));
        assert_eq!(server.journal().len(), 1, "{what}: {}", said(&refused));
    }
    fs::write(server.configuration(), &now).unwrap();
    let would = server.run(&["dhcp", "forget", "--dry-run", "pc2"]);
    assert!(would.status.success() && server.journal().len() == 1, "{}", said(&would));
    let restarts = server.restarts();
    let forgotten = server.run(&["dhcp", "forget", "pc2"]);
    assert_eq!(forgotten.status.code(), Some(0), "{}", said(&forgotten));
    assert!(server.restarts() > restarts, "the server may have had it in its memory");
    assert!(server.configured() == now && server.serves(&now) && server.journal().is_empty());
    assert!(!server.path("base/192.168.7.2etc/ghost/order.json").exists());
    assert_eq!(server.run(&["recover"]).status.code(), Some(0));
}

#[test]
fn a_swap_by_hand_of_a_host_that_was_deleted_is_given_up_too() {
    let server = BootServer::with_hosts(2);
    assert_eq!(server.run(&["dhcp", "swap", "pc2"]).status.code(), Some(0));
    let refused = server.run(&["dhcp", "forget", "pc2"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    write(&server.path("dhcp"), deleted);
    let reverted = server.run(&["dhcp", "revert", "pc2"]);
    assert_eq!(reverted.status.code(), Some(78), "{}", said(&reverted));
    assert!(server.path("state/by-hand/pc2.json").exists());
    let forgotten = server.run(&["dhcp", "forget", "pc2"]);
    assert_eq!(forgotten.status.code(), Some(0), "{}", said(&forgotten));
    assert!(!server.path("state/by-hand/pc2.json").exists());
}

#[test]
fn nothing_is_done_by_hand_to_a_host_that_a_job_has() {
    let server = BootServer::with_hosts(2);
    let may_end = Gate::default();
    let (_client, running, swapped) = at_work_after_the_revert(&server, &may_end);
    let reverted = server.configured();
    for verb in ["swap", "revert", "forget"] {
        for configuration in [&reverted, &swapped] {
            fs::write(server.configuration(), configuration).unwrap();
            let refused = server.run(&["dhcp", verb, "pc2"]);
            assert_eq!(refused.status.code(), Some(75), "{verb}: {}", said(&refused));
            assert!(said(&refused).contains("pc2 is busy: test "), "{verb}: {}", said(&refused));
            assert_eq!(&server.configured(), configuration, "{verb}");
        }
    }
    may_end.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(server.configured(), reverted);
}

#[test]
fn what_a_program_writes_that_had_the_configuration_open_before_the_swap_is_told_and_no_success() {
    let server = BootServer::with_hosts(2);
    let (before, may_end) = (server.configured(), Gate::default());
    let mut editor = fs::File::options().append(true).open(server.configuration()).unwrap();
    let (_client, running, _) = at_work_after_the_revert(&server, &may_end);
    std::io::Write::write_all(&mut editor, b"\nhost new { }").unwrap();
    may_end.open();
    let output = running.wait_with_output().unwrap();
    let kept = server.path("dhcp/.dhcpd.conf.ghostctl-kept-1");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let last =
        said(&output).lines().rfind(|line| line.contains("left undone")).unwrap_or_default().to_owned();
    assert!(last.contains(&format!("is not in {} but in", server.configuration().display())), "{last}");
    assert!(last.contains(kept.to_str().unwrap()), "{last}");
    assert_eq!(fs::read(&kept).unwrap(), [&before[..], b"\nhost new { }"].concat());
    assert!(server.configured() == before && server.serves(&before) && server.journal().is_empty());
    let doctor = said(&server.run(&["doctor"]));
    assert!(doctor.contains("ghostctl-kept-1 is what another program was writing"), "{doctor}");
}

#[test]
fn a_program_that_only_has_the_configuration_open_is_told_of_and_what_is_kept_for_it_goes_when_it_ends() {
    let server = BootServer::with_hosts(2);
    let (before, may_end) = (server.configured(), Gate::default());
    let editor = fs::File::options().append(true).open(server.configuration()).unwrap();
    let (_client, running, _) = at_work_after_the_revert(&server, &may_end);
    drop(editor);
    may_end.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("open for writing when it was edited"), "{}", said(&output));
    assert!(!server.path("dhcp/.dhcpd.conf.ghostctl-kept-1").exists());
    assert!(server.configured() == before && server.journal().is_empty());
}
