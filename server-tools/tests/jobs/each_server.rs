//! What holds for a job whichever DHCP server a boot server has: ISC dhcpd, Kea, dnsmasq or a proxy, each a real one.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Output;

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate, swapped_test};

/// A DHCP server, by what settings call it, and how a boot server with it is started.
pub(crate) type Start = (&'static str, fn(u8) -> BootServer);

pub(crate) const EACH: [Start; 4] = [
    ("isc", BootServer::with_dhcpd),
    ("kea", BootServer::with_kea),
    ("dnsmasq", BootServer::with_dnsmasq),
    ("proxy", BootServer::with_proxy),
];

/// The same at the same time with each of these.
pub(crate) fn at_once<T: Copy + Send>(all: impl IntoIterator<Item = T>, check: impl Fn(T) + Copy + Send) {
    std::thread::scope(|scope| all.into_iter().for_each(|one| drop(scope.spawn(move || check(one)))));
}

#[test]
fn two_programs_at_once_swap_and_revert_and_every_byte_is_back() {
    at_once(EACH, |(name, start)| {
        let server = start(2);
        let (before, up) = (server.configured(), Gate::default());
        let client = |number| Client::waiting(&server, number, Behaviour::Succeeds, Box::new(up.is_open()));
        let clients = [2, 3].map(client);
        let running = ["pc2", "pc3"].map(|host| server.start(&["test", host]));
        let is_swapped =
            |number| String::from_utf8(server.configured()).unwrap().contains(&server.offered_line(number));
        wait_until("both are swapped", || is_swapped(2) && is_swapped(3));
        up.open();
        for one in running {
            let output = one.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{name}: {}", said(&output));
            // The entries are where they were swapped, and are reverted there.
            assert!(!said(&output).contains("moved, renamed or copied"), "{name}: {}", said(&output));
        }
        drop(clients);
        assert_eq!(server.configured(), before, "{name}");
        assert!(server.serves(&before) && server.journal().is_empty(), "{name}");
    });
}

/// ISC dhcpd and the proxy are not among them: the restart after the swap starts them.
#[test]
fn a_server_that_is_down_is_told_before_anything_is_touched() {
    at_once([BootServer::with_kea, BootServer::with_dnsmasq], |start| {
        let server = start(2);
        let before = server.configured();
        server.stop_dhcp();
        for words in [&["test", "pc2"][..], &["dhcp", "swap", "pc2"]] {
            let refused = server.run(words);
            assert_eq!(refused.status.code(), Some(78), "{words:?}: {}", said(&refused));
            assert!(
                said(&refused).contains("running") || said(&refused).contains("runs here"),
                "{}",
                said(&refused)
            );
            assert!(server.configured() == before && server.journal().is_empty(), "{}", said(&refused));
        }
        let doctor = server.run(&["doctor"]);
        assert_eq!(doctor.status.code(), Some(78), "{}", said(&doctor));
        server.start_dhcp();
        let _client = Client::off(&server, 2, Behaviour::Succeeds);
        let output = server.run(&["test", "pc2"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(server.configured() == before && server.serves(&before) && server.journal().is_empty());
    });
}

#[test]
fn a_server_that_was_down_is_started_by_the_restart_after_the_swap_and_by_that_after_the_revert() {
    at_once([BootServer::with_dhcpd, BootServer::with_proxy], |start| {
        let server = start(2);
        let (before, ended) = (server.configured(), Gate::default());
        server.stop_dhcp();
        let (_client, running) = swapped_test(&server, &ended);
        wait_until_woken(&server);
        assert!(server.serves(&server.configured()));
        server.stop_dhcp();
        ended.open();
        let output = running.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(server.configured() == before && server.serves(&before) && server.journal().is_empty());
    });
}

#[test]
fn a_server_that_goes_down_while_a_host_is_swapped_is_told_and_serves_the_own_file_when_it_is_up_again() {
    at_once([BootServer::with_kea, BootServer::with_dnsmasq], |start| {
        let server = start(2);
        server.set("REVERT_DEADLINE", "0");
        let (before, down) = (server.configured(), Gate::default());
        let (_client, running) = swapped_test(&server, &down);
        wait_until_woken(&server);
        server.stop_dhcp();
        down.open();
        let output = running.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
        assert_eq!(server.configured(), before, "its own file stands there again: {}", said(&output));
        assert_eq!(server.journal().len(), 1, "{}", said(&output));
        server.start_dhcp();
        let recovered = server.run(&["recover"]);
        assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
        assert!(server.configured() == before && server.serves(&before) && server.journal().is_empty());
    });
}

/// As an upgrade of its package does.
#[test]
fn a_server_that_is_started_anew_while_a_host_is_swapped_offers_the_boot_file_and_then_the_own_one() {
    at_once(EACH, |(name, start)| {
        let server = start(2);
        let (before, again) = (server.configured(), Gate::default());
        let (_client, running) = swapped_test(&server, &again);
        wait_until_woken(&server);
        server.restart_dhcp();
        assert!(server.offers(2, "pxelinux.0"), "{name}");
        again.open();
        let output = running.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", said(&output));
        assert_eq!(server.configured(), before, "{name}");
        assert!(server.serves(&before) && server.journal().is_empty(), "{name}");
    });
}

#[test]
fn a_file_behind_a_link_is_edited_where_it_is_and_keeps_its_owner_and_its_mode() {
    at_once(EACH, |(name, start)| {
        let server = start(2);
        let (file, elsewhere) = (server.configuration(), server.path("elsewhere"));
        fs::rename(&file, &elsewhere).unwrap();
        symlink(&elsewhere, &file).unwrap();
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o640)).unwrap();
        chown(&elsewhere, Some(1234), Some(5678)).unwrap();
        let before = server.configured();
        for (words, offered) in [("swap", "pxelinux.0"), ("revert", "nobackup")] {
            let output = server.run(&["dhcp", words, "pc2"]);
            assert_eq!(output.status.code(), Some(0), "{name}: {}", said(&output));
            assert!(server.offers(2, offered), "{name}: {words}");
            assert_eq!(fs::read_link(&file).unwrap(), elsewhere, "{name}: {words}");
            let now = fs::metadata(&elsewhere).unwrap();
            assert_eq!((now.uid(), now.gid(), now.mode() & 0o7777), (1234, 5678, 0o640), "{name}: {words}");
        }
        assert_eq!(server.configured(), before, "{name}");
    });
}

/// Waits until the boot file has been seen to be offered.
fn wait_until_woken(server: &BootServer) {
    server.wait_until_swapped();
    let journal = server.journal().remove(0);
    let is_woken = || fs::read_to_string(&journal).unwrap().contains("\"phase\":\"woken\"");
    wait_until("the boot file is offered", is_woken);
}

/// What another person does to the files below `dhcp/` while pc2 is swapped, and what becomes of the job.
#[derive(Clone, Copy)]
struct Edited {
    what: &'static str,
    start: fn(u8) -> BootServer,
    edit: fn(&Path),
    becomes: Becomes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Becomes {
    /// pc2 is offered its own file again.
    Reverted,
    /// It is offered what that person has let it be offered.
    LeftAlone,
    /// It may be offered the boot file still, and the journal stays open.
    Undone,
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from}: {text}");
    fs::write(file, text.replace(from, to)).unwrap();
}

/// Moves the lines from one that begins so to the end of another file.
fn move_lines(from: &Path, begins: &str, count: usize, to: &Path, put_there: &str) {
    let text = fs::read_to_string(from).unwrap();
    let start = text.find(begins).unwrap();
    let length: usize = text[start..].split_inclusive('\n').take(count).map(str::len).sum();
    fs::write(to, &text[start..start + length]).unwrap();
    fs::write(from, format!("{}{put_there}{}", &text[..start], &text[start + length..])).unwrap();
}

const KEA_PC2: &str = "{ \"hostname\": \"pc2\"";

const EDITS: [Edited; 14] = [
    Edited {
        what: "Kea: renamed",
        start: BootServer::with_kea,
        edit: |dhcp| replace(&dhcp.join("hosts.json"), "\"pc2\"", "\"another\""),
        becomes: Becomes::Reverted,
    },
    Edited {
        what: "Kea: moved into another file",
        start: BootServer::with_kea,
        edit: |dhcp| {
            let more = dhcp.join("more.json");
            let include = format!("<?include \"{}\"?>\n", more.display());
            move_lines(&dhcp.join("hosts.json"), KEA_PC2, 2, &more, &include);
        },
        becomes: Becomes::Reverted,
    },
    Edited {
        what: "Kea: another boot file",
        start: BootServer::with_kea,
        edit: |dhcp| replace(&dhcp.join("hosts.json"), "pxelinux.0", "theirs"),
        becomes: Becomes::LeftAlone,
    },
    Edited {
        what: "Kea: inherited",
        start: BootServer::with_kea,
        edit: |dhcp| {
            replace(&dhcp.join("hosts.json"), ", \"boot-file-name\": \"pxelinux.0\"", "");
            let inherited = "\"id\": 1, \"boot-file-name\": \"pxelinux.0\"";
            replace(&dhcp.join("kea-dhcp4.conf"), "\"id\": 1", inherited);
        },
        becomes: Becomes::Undone,
    },
    Edited {
        what: "Kea: emptied",
        start: BootServer::with_kea,
        edit: |dhcp| fs::write(dhcp.join("hosts.json"), "").unwrap(),
        becomes: Becomes::Undone,
    },
    Edited {
        what: "Kea: a second reservation of the same name",
        start: BootServer::with_kea,
        edit: |dhcp| {
            let hosts = fs::read_to_string(dhcp.join("hosts.json")).unwrap();
            let second = "{ \"hostname\": \"pc2\", \"hw-address\": \"02:00:00:00:00:99\", \"boot-file-name\": \"theirs\" },";
            fs::write(dhcp.join("hosts.json"), format!("{hosts}{second}")).unwrap();
        },
        becomes: Becomes::Reverted,
    },
    Edited {
        what: "dnsmasq: renamed",
        start: BootServer::with_dnsmasq,
        edit: |dhcp| replace(&dhcp.join("dnsmasq.conf"), "192.168.7.2,pc2", "192.168.7.2,another"),
        becomes: Becomes::Reverted,
    },
    Edited {
        what: "dnsmasq: moved into another file",
        start: BootServer::with_dnsmasq,
        edit: |dhcp| {
            let options = dhcp.join("options");
            move_lines(&options.join("hosts"), "tag:pc2 ", 1, &options.join("more"), "");
        },
        becomes: Becomes::Reverted,
    },
    Edited {
        what: "dnsmasq: another boot file",
        start: BootServer::with_dnsmasq,
        edit: |dhcp| replace(&dhcp.join("options/hosts"), "pxelinux.0", "theirs"),
        becomes: Becomes::LeftAlone,
    },
    Edited {
        what: "dnsmasq: emptied",
        start: BootServer::with_dnsmasq,
        edit: |dhcp| fs::write(dhcp.join("options/hosts"), "").unwrap(),
        becomes: Becomes::Undone,
    },
    Edited {
        what: "proxy: renamed",
        start: BootServer::with_proxy,
        edit: |dhcp| replace(&dhcp.join("proxy.conf"), "192.168.7.2,pc2", "192.168.7.2,another"),
        becomes: Becomes::Reverted,
    },
    Edited {
        what: "proxy: another boot file",
        start: BootServer::with_proxy,
        edit: |dhcp| {
            let pc2 = crate::proxy::swapped(2);
            replace(&dhcp.join("proxy.conf"), &pc2, &pc2.replace("pxelinux.0", "theirs"));
        },
        becomes: Becomes::LeftAlone,
    },
    Edited {
        what: "proxy: the line is gone",
        start: BootServer::with_proxy,
        edit: |dhcp| replace(&dhcp.join("proxy.conf"), &crate::proxy::swapped(2), ""),
        becomes: Becomes::Undone,
    },
    Edited {
        what: "dnsmasq: offered by dhcp-boot too",
        start: BootServer::with_dnsmasq,
        edit: |dhcp| {
            replace(&dhcp.join("dnsmasq.conf"), "port=0\n", "port=0\ndhcp-boot=tag:pc2,pxelinux.0\n")
        },
        becomes: Becomes::Undone,
    },
];

/// What a job says that had swapped when this was edited.
fn said_of(server: &BootServer, edited: &Edited) -> Output {
    server.set("REVERT_DEADLINE", "0");
    let (dhcp, edit) = (server.path("dhcp"), edited.edit);
    let woken = Gate::default();
    let is_woken = woken.is_open();
    // The client is offered the boot file, and then finds this.
    let comes_up = move || {
        is_woken() && {
            edit(&dhcp);
            true
        }
    };
    let _client = Client::working_until(server, 2, comes_up, || true);
    let running = server.start(&["test", "pc2"]);
    wait_until_woken(server);
    woken.open();
    running.wait_with_output().unwrap()
}

#[test]
fn what_another_person_has_edited_meanwhile_is_kept_and_only_what_is_reverted_is_called_so() {
    at_once(&EDITS, |edited| {
        let server = (edited.start)(2);
        let output = said_of(&server, edited);
        let (what, words) = (edited.what, said(&output));
        let now = server.configured();
        let is_offered_ours = String::from_utf8(now.clone()).unwrap().contains(&server.offered_line(2));
        assert!(!is_offered_ours, "{what}: {words}");
        let is_open = !server.journal().is_empty();
        match edited.becomes {
            Becomes::Reverted => {
                assert_eq!((output.status.code(), is_open), (Some(0), false), "{what}: {words}");
                assert!(server.offers(2, "nobackup") && server.offers(3, "nobackup"), "{what}: {words}");
            }
            Becomes::LeftAlone => {
                assert_eq!((output.status.code(), is_open), (Some(0), false), "{what}: {words}");
                assert!(words.contains("host pc2 is offered 'theirs' now"), "{what}: {words}");
                assert!(server.offers(2, "theirs"), "{what}: {words}");
            }
            Becomes::Undone => {
                assert_eq!((output.status.code(), is_open), (Some(78), true), "{what}: {words}");
                assert!(!words.contains("pc2: reverted"), "{what}: {words}");
                let again = server.run(&["recover"]);
                assert_ne!(again.status.code(), Some(0), "{what}: {}", said(&again));
                assert_eq!(server.configured(), now, "{what}: {}", said(&again));
            }
        }
    });
}
