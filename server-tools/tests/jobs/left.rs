//! Given that a swap has lost its job, its record or its host's name, do `recover`, `doctor` and `dhcp forget` tell where the boot file
//! is still offered?

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use super::boot_server::{BootServer, said, wait_until};
use super::client::Client;

const RENAMED: [(&str, &str); 2] =
    [("host pc2 ", "host pc2-new "), ("02:00:00:00:00:02", "02:00:00:00:00:42")];

fn edit(server: &BootServer, changes: &[(&str, &str)]) {
    let now = String::from_utf8(server.configured()).unwrap();
    let edited = changes.iter().fold(now, |now, (from, to)| now.replace(from, to));
    fs::write(server.configuration(), edited).unwrap();
}

/// A boot server at which a test of pc2 was killed when it had swapped.
fn orphaned() -> BootServer {
    let server = BootServer::with_hosts(2);
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    kill_process(Pid::from_child(&running), Signal::KILL).unwrap();
    running.wait_with_output().unwrap();
    server
}

#[test]
fn a_host_that_was_renamed_and_has_another_network_card_is_not_forgotten_unless_a_person_names_it() {
    let server = orphaned();
    edit(&server, &RENAMED);
    let place = format!("{}:8:12", server.configuration().display());
    let refused = server.run(&["dhcp", "forget", "pc2"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(
        said(&refused).contains(&format!("{place}: host pc2-new, which has its address")),
        "{}",
        said(&refused)
    );
    assert!(said(&refused).contains("--on-purpose pc2-new pc2'") && !said(&refused).contains("fakebox"));
    for verb in ["recover", "doctor"] {
        let told = server.run(&[verb]);
        assert_ne!(told.status.code(), Some(0), "{}", said(&told));
        let words = format!("pc2-new: DHCP offers it the boot file pxelinux.0 ({place})");
        assert!(said(&told).contains(&words), "{verb}: {}", said(&told));
    }
    let forgotten = server.run(&["dhcp", "forget", "--on-purpose", "pc2-new", "pc2"]);
    assert_eq!(forgotten.status.code(), Some(0), "{}", said(&forgotten));
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
}

#[test]
fn a_host_that_was_forgotten_while_its_include_was_empty_can_still_be_reverted() {
    let server = orphaned();
    let (before, swapped) = (server.configured(), String::from_utf8(server.configured()).unwrap());
    let (start, end) = (swapped.find("host pc2 ").unwrap(), swapped.find("host pc3 ").unwrap());
    fs::write(server.configuration(), format!("{}{}", &swapped[..start], &swapped[end..])).unwrap();
    let forgotten = server.run(&["dhcp", "forget", "pc2"]);
    assert_eq!(forgotten.status.code(), Some(0), "{}", said(&forgotten));
    fs::write(server.configuration(), before).unwrap();
    let told = server.run(&["recover"]);
    assert_eq!(told.status.code(), Some(1), "{}", said(&told));
    assert!(said(&told).contains("'ghostctl dhcp revert pc2'"), "{}", said(&told));
    let reverted = server.run(&["dhcp", "revert", "pc2"]);
    assert_eq!(reverted.status.code(), Some(0), "{}", said(&reverted));
    assert!(String::from_utf8(server.configured()).unwrap().contains("\"nobackup\"; # pc2"));
    assert_eq!(server.run(&["recover"]).status.code(), Some(0));
}

#[test]
fn the_only_host_is_forgotten_when_a_person_says_that_none_shall_be_left() {
    let server = orphaned();
    let swapped = String::from_utf8(server.configured()).unwrap();
    fs::write(server.configuration(), &swapped[..swapped.find("host pc2 ").unwrap()]).unwrap();
    let refused = server.run(&["dhcp", "forget", "pc2"]);
    assert_eq!(refused.status.code(), Some(78), "{}", said(&refused));
    assert!(said(&refused).contains("'ghostctl dhcp forget --no-hosts-left pc2'"), "{}", said(&refused));
    let forgotten = server.run(&["dhcp", "forget", "--no-hosts-left", "pc2"]);
    assert_eq!(forgotten.status.code(), Some(0), "{}", said(&forgotten));
    assert!(server.journal().is_empty());
}

#[test]
fn what_was_swapped_to_an_earlier_boot_file_is_told_and_can_be_reverted() {
    let server = orphaned();
    let (swapped, before) = (server.configured(), String::from_utf8(server.configured()).unwrap());
    server.set("BOOTFILE", "other.0");
    fs::write(server.path("tftp/other.0"), "boots").unwrap();
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    // An editor that was opened during the swap is saved.
    fs::write(server.configuration(), swapped).unwrap();
    for verb in ["recover", "doctor"] {
        let told = server.run(&[verb]);
        assert_ne!(told.status.code(), Some(0), "{}", said(&told));
        assert!(
            said(&told).contains("pc2: DHCP offers it the boot file pxelinux.0 ("),
            "{verb}: {}",
            said(&told)
        );
        assert!(!said(&told).contains("fakebox: DHCP offers"), "{}", said(&told));
    }
    let reverted = server.run(&["dhcp", "revert", "pc2"]);
    assert_eq!(reverted.status.code(), Some(0), "{}", said(&reverted));
    let expected = before.replace("\"pxelinux.0\"; # pc2", "\"nobackup\"; # pc2");
    assert_eq!(String::from_utf8(server.configured()).unwrap(), expected);
}

#[test]
fn a_swap_by_hand_that_is_stopped_during_its_restart_is_put_back() {
    for (signal, exit) in
        [(Signal::INT, Some(1)), (Signal::TERM, Some(1)), (Signal::HUP, Some(1)), (Signal::KILL, None)]
    {
        let server = BootServer::with_hosts(2);
        let before = server.configured();
        fs::write(server.path("hold"), "").unwrap();
        let heard = server.path("heard");
        let words = fs::File::create(&heard).unwrap();
        let mut swap = server.command(["dhcp", "swap", "pc2"]);
        let mut running = swap.stdout(words.try_clone().unwrap()).stderr(words).spawn().unwrap();
        wait_until("it is swapped", || server.configured() != before);
        kill_process(Pid::from_child(&running), signal).unwrap();
        if signal == Signal::KILL {
            running.wait().unwrap();
            let doctor = said(&server.run(&["doctor"]));
            assert!(doctor.contains("pc2: its swap by hand was interrupted"), "{doctor}");
            fs::remove_file(server.path("hold")).unwrap();
            let recovered = server.run(&["recover"]);
            assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
            assert!(
                said(&recovered).contains("was interrupted; its DHCP entry is put back"),
                "{}",
                said(&recovered)
            );
        } else {
            let words = || fs::read_to_string(&heard).unwrap();
            wait_until("the signal is heard", || words().contains(" was received; "));
            fs::remove_file(server.path("hold")).unwrap();
            let status = running.wait().unwrap();
            assert_eq!(status.code(), exit, "{}", words());
            assert!(words().contains("so the entry was put back"), "{}", words());
        }
        assert!(server.configured() == before, "{signal:?}");
        wait_until("it is served", || server.serves(&before));
        assert!(!server.path("state/by-hand/pc2.json").exists(), "{signal:?}");
    }
}

#[test]
fn a_swap_by_hand_is_put_back_though_nothing_can_be_written_in_the_state_folder() {
    for is_interrupted in [false, true] {
        let server = BootServer::with_hosts(2);
        let before = server.configured();
        if is_interrupted {
            fs::write(server.path("hold"), "").unwrap();
            let mut running = server.start(&["dhcp", "swap", "pc2"]);
            wait_until("it is swapped", || server.configured() != before);
            running.kill().unwrap();
            running.wait().unwrap();
            fs::remove_file(server.path("hold")).unwrap();
        } else {
            assert_eq!(server.run(&["dhcp", "swap", "pc2"]).status.code(), Some(0));
        }
        let words: &[&str] = if is_interrupted { &["recover"] } else { &["dhcp", "revert", "pc2"] };
        server.read_only("state");
        let output = server.run(words);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let told = "does not offer the boot file any more, but the record of its swap stays";
        assert!(said(&output).contains(told), "{}", said(&output));
        assert!(server.configured() == before && server.serves(&before), "{}", said(&output));
        server.writable("state");
        let again = server.run(words);
        assert_eq!(again.status.code(), Some(0), "{}", said(&again));
        assert!(server.configured() == before && !server.path("state/by-hand/pc2.json").exists());
    }
}

#[test]
fn a_swap_by_hand_is_told_by_doctor_and_a_damaged_record_of_it_by_recover_too() {
    for damage in [Some(vec![0; 200]), Some(Vec::new()), None] {
        for both in [false, true] {
            let server = BootServer::with_hosts(2);
            let before = server.configured();
            assert_eq!(server.run(&["dhcp", "swap", "pc2"]).status.code(), Some(0));
            let doctor = said(&server.run(&["doctor"]));
            assert!(
                doctor.contains("pc2: a person has swapped it") && doctor.contains("(0 min)"),
                "{doctor}"
            );
            let files = if both { vec!["pc2.json", "pc2.json.copy"] } else { vec!["pc2.json"] };
            for file in files {
                let path = server.path("state/by-hand").join(file);
                match &damage {
                    Some(bytes) => fs::write(path, bytes).unwrap(),
                    None => fs::remove_file(path).unwrap(),
                }
            }
            if both && damage.is_none() {
                continue;
            }
            let doctor = server.run(&["doctor"]);
            assert_eq!(doctor.status.code(), Some(78), "{}", said(&doctor));
            let recovered = server.run(&["recover"]);
            assert_eq!(recovered.status.code(), Some(1), "{}", said(&recovered));
            assert!(
                said(&recovered).contains("of a swap by hand of pc2 cannot be used"),
                "{}",
                said(&recovered)
            );
            let reverted = server.run(&["dhcp", "revert", "pc2"]);
            if both {
                assert_eq!(reverted.status.code(), Some(78), "{}", said(&reverted));
                let again = server.run(&["recover"]);
                assert_eq!(again.status.code(), Some(1), "{}", said(&again));
                assert!(said(&again).contains("pc2: DHCP offers it the boot file"), "{}", said(&again));
            } else {
                assert_eq!(reverted.status.code(), Some(0), "{}", said(&reverted));
                assert!(server.configured() == before);
            }
        }
    }
}

#[test]
fn a_recovery_that_cannot_keep_the_record_keeps_the_journals_entry() {
    let server = orphaned();
    let before = server.configured();
    fs::write(server.path("state/jobs"), "in the way").unwrap();
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(1), "{}", said(&recovered));
    assert!(said(&recovered).contains("could not record the job"), "{}", said(&recovered));
    assert!(server.configured() != before && server.journal().len() == 1, "{}", said(&recovered));
    fs::remove_file(server.path("state/jobs")).unwrap();
    let again = server.run(&["recover"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert!(server.journal().is_empty());
}

#[test]
fn a_job_that_cannot_keep_its_record_keeps_the_journals_entry_and_is_no_success() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let in_the_way = server.path("state/jobs");
    let blocks = {
        let in_the_way = in_the_way.clone();
        move || fs::write(&in_the_way, "in the way").is_ok()
    };
    let _client = Client::working_until(&server, 2, blocks, || true);
    let job = server.run(&["test", "pc2"]);
    assert_ne!(job.status.code(), Some(0), "{}", said(&job));
    assert!(said(&job).contains("could not record the job"), "{}", said(&job));
    assert!(server.configured() == before && server.journal().len() == 1, "{}", said(&job));
    fs::remove_file(in_the_way).unwrap();
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert!(server.journal().is_empty() && server.configured() == before);
    assert_eq!(fs::read_dir(server.path("state/jobs")).unwrap().count(), 1, "the record is kept");
}

#[test]
fn a_second_job_of_a_host_that_has_one_is_told_so_and_is_not_told_to_correct_the_configuration() {
    let server = BootServer::with_hosts(2);
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    let second = server.run(&["test", "pc2"]);
    assert_eq!(second.status.code(), Some(75), "{}", said(&second));
    assert!(said(&second).contains("pc2 is busy: test "), "{}", said(&second));
    kill_process(Pid::from_child(&running), Signal::TERM).unwrap();
    running.wait_with_output().unwrap();
}

#[test]
fn a_swap_by_hand_whose_record_and_copy_are_lost_is_told_whatever_the_boot_file_is_now() {
    for changed in [false, true] {
        let server = BootServer::with_hosts(2);
        assert_eq!(server.run(&["dhcp", "swap", "pc2"]).status.code(), Some(0));
        for file in ["pc2.json", "pc2.json.copy"] {
            fs::remove_file(server.path("state/by-hand").join(file)).unwrap();
        }
        if changed {
            server.set("BOOTFILE", "other.0");
            fs::write(server.path("tftp/other.0"), "boots").unwrap();
        }
        for (verb, exit) in [("doctor", 78), ("recover", 1)] {
            let told = server.run(&[verb]);
            assert_eq!(told.status.code(), Some(exit), "{}", said(&told));
            let place = format!("({}:8:12)", server.configuration().display());
            let words = said(&told);
            let line =
                words.lines().find(|line| line.contains("pc2: DHCP offers it the boot file pxelinux.0"));
            assert!(line.is_some_and(|line| line.contains(&place)), "{verb}: {words}");
            assert!(words.contains("there is no record of that any more"), "{verb}: {words}");
            assert!(words.contains("write its own boot file there by hand"), "{verb}: {words}");
            assert!(!words.contains("fakebox: DHCP offers"), "{verb}: {words}");
        }
    }
}

#[test]
fn a_host_that_was_swapped_by_hand_and_reverted_may_boot_from_the_network_always_later() {
    let server = BootServer::with_hosts(2);
    for verb in ["swap", "revert"] {
        assert_eq!(server.run(&["dhcp", verb, "pc2"]).status.code(), Some(0));
    }
    edit(&server, &[("\"nobackup\"; # pc2", "\"pxelinux.0\"; # pc2")]);
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    let doctor = said(&server.run(&["doctor"]));
    assert!(!doctor.contains("pc2: DHCP offers it the boot file"), "{doctor}");
}

#[test]
fn a_swap_by_hand_is_told_by_doctor_though_the_whole_state_folder_is_lost() {
    let server = BootServer::with_hosts(2);
    assert_eq!(server.run(&["dhcp", "swap", "pc2"]).status.code(), Some(0));
    fs::remove_dir_all(server.path("state")).unwrap();
    let doctor = said(&server.run(&["doctor"]));
    let words = "pc2, fakebox: offered the boot file, and nothing below STATEDIR tells of any job or swap";
    assert!(doctor.contains(words), "{doctor}");
    // As soon as there is a record, those are believed that have none.
    assert_eq!(server.run(&["dhcp", "swap", "pc3"]).status.code(), Some(0));
    let doctor = said(&server.run(&["doctor"]));
    assert!(!doctor.contains("nothing below STATEDIR"), "{doctor}");
}

#[test]
fn a_recovery_that_cannot_withdraw_the_order_removes_the_nonce_all_the_same() {
    let server = orphaned();
    assert_eq!(server.nonces().len(), 1);
    let (trees, away) = (server.path("base"), server.path("away"));
    fs::rename(&trees, &away).unwrap();
    fs::write(&trees, "no folder").unwrap();
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(1), "{}", said(&recovered));
    assert!(said(&recovered).contains("could not withdraw the order"), "{}", said(&recovered));
    assert!(server.nonces().is_empty(), "{}", said(&recovered));
    fs::remove_file(&trees).unwrap();
    fs::rename(&away, &trees).unwrap();
    let again = server.run(&["recover"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert!(server.journal().is_empty());
}
