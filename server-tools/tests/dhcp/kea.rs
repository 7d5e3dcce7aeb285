//! Kea itself says whether our reading of a file is right, `kea-dhcp4 -t FILE`, and takes up what we edit.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ghost_contract::HostName;
use ghostctl::dhcp::kea::{self, HostTable, ReadError};
use ghostctl::dhcp::{Back, Kind, Swap, Wanted};

use crate::server::Server;

/// What comes with Debian's kea-doc; nobody here wrote it.
const EXAMPLES: &str = "/usr/share/doc/kea/examples/kea4";

const GOOD: [&str; 12] = [
    r#"{"Dhcp4":{INTERFACES}}"#,
    r#"{"Dhcp4":{INTERFACES,,},}"#,
    "# a\n{ // b\n\"Dhcp4\" /* c\n */ : { INTERFACES } } # d",
    r#"{"Dhcp4":{INTERFACES,"valid-lifetime":05}}"#,
    r#"{"Dhcp4":{INTERFACES,"user-context":{"a":[1,-2.5e3,true,false,null,"x"]}}}"#,
    r#"{"Dhcp4":{INTERFACES,"user-context":{"a\u0041\"\\\/\b\f\n\r\t":"jö"}}}"#,
    r#"{"Dhcp4":{INTERFACES,"subnet4":[SUBNET{"hw-address":"0:1:2:3:4:5","boot-file-name":"a\u0041\"b"}]}]}}"#,
    r#"{"Dhcp4":{INTERFACES,"subnet4":[SUBNET<?include "FOLDER/one"?>]}]}}"#,
    "{\"Dhcp4\":{INTERFACES,\"subnet4\":[SUBNET<?\ninclude\"FOLDER/comma\" ?> {\"duid\":\"01:02:03\",\"hostname\":\"b\"}]}]}}",
    r#"{"Dhcp4":{INTERFACES,"subnet4":[SUBNET<?include "FOLDER/close"?>}]}}"#,
    r#"{"Dhcp4":{<?include "FOLDER/member"?> INTERFACES}}"#,
    r#"{"Dhcp4":{INTERFACES,"subnet4":[SUBNET<?include "FOLDER/empty"?>]}]}}"#,
];

const BAD: [&str; 18] = [
    "",
    "[]",
    "{}",
    r#"{"Dhcp4":{,INTERFACES}}"#,
    r#"{"Dhcp4":{INTERFACES}} {}"#,
    r#"{"Dhcp4":{INTERFACES}} x"#,
    r#"{"Dhcp4":{INTERFACES"#,
    r#"{"Dhcp4":{INTERFACES]}"#,
    r#"{"Dhcp4":{INTERFACES,"user-context":{"a" 1}}}"#,
    r#"{"Dhcp4":{INTERFACES,"user-context":{"a":[,1]}}}"#,
    r#"{"Dhcp4":{INTERFACES,"user-context":{"a":True}}}"#,
    r#"{"Dhcp4":{INTERFACES,"user-context":{"a":yes}}}"#,
    r#"{"Dhcp4":{INTERFACES,"user-context":{"a":"\x41"}}}"#,
    r#"{"Dhcp4":{INTERFACES,"user-context":{"a":"\u0141"}}}"#,
    "{\"Dhcp4\":{INTERFACES,\"user-context\":{\"a\":\"b\nc\"}}}",
    "{\"Dhcp4\":{INTERFACES /* }}",
    r#"{"Dhcp4":{<?include "FOLDER/nosuch"?> INTERFACES}}"#,
    r#"{"Dhcp4":{<?include "FOLDER/self"?> INTERFACES}}"#,
];

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let own = format!("<?include \"{}/self\"?>", folder.path().display());
    for (name, text) in [
        ("one", "{ \"hw-address\": \"0:1:2:3:4:5\", \"hostname\": \"a\" }"),
        ("comma", "# a\n{ \"hw-address\": \"0:1:2:3:4:5\", \"hostname\": \"a\" },"),
        ("close", "{ \"hw-address\": \"0:1:2:3:4:5\", \"hostname\": \"a\" } ]"),
        ("member", "\"valid-lifetime\": 5,"),
        ("empty", "// nothing\n"),
        ("self", &own),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn filled(folder: &Path, text: &str) -> String {
    text.replace("FOLDER", &folder.display().to_string())
        .replace("INTERFACES", "\"interfaces-config\": { \"interfaces\": [ ] }")
        .replace("SUBNET", "{ \"id\": 1, \"subnet\": \"10.0.0.0/24\", \"reservations\": [")
}

/// What Kea says against a file; nothing if it accepts it.
fn refused(folder: &Path, bytes: &[u8]) -> Option<String> {
    let file = folder.join("kea.json");
    fs::write(&file, bytes).unwrap();
    let mut kea = Command::new("/usr/sbin/kea-dhcp4");
    let output = kea.arg("-t").arg(&file).stdin(Stdio::null()).output();
    let output = output.expect("Kea is needed to test against: install the Debian package kea-dhcp4-server");
    let said = || String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (!output.status.success()).then(said)
}

fn read(bytes: &[u8]) -> Result<HostTable, ReadError> {
    HostTable::read(Path::new("/kea.json"), bytes.to_vec(), &mut |path| fs::read(path))
}

#[test]
fn we_call_right_and_wrong_what_kea_does() {
    let folder = folder();
    for (texts, is_right) in [(&GOOD[..], true), (&BAD[..], false)] {
        for text in texts {
            let text = filled(folder.path(), text);
            let by_kea = refused(folder.path(), text.as_bytes());
            assert_eq!(by_kea.is_none(), is_right, "Kea: {text}: {by_kea:?}");
            let ours = read(text.as_bytes());
            assert_eq!(ours.is_ok(), is_right, "we: {text}: {:?}", ours.err().map(|error| error.to_string()));
        }
    }
}

/// A subnet of ours before those that are there.
const OURS: &str = "\"subnet4\": [ { \"subnet\": \"203.0.113.0/24\", \"id\": 4000000, /* ours */ \"reservations\": [ \
    { \"hw-address\": \"02:00:00:00:00:02\", \"ip-address\": \"203.0.113.2\", \"hostname\": \"ours\", \"boot-file-name\": \"nobackup\" } ] },";

/// The examples, each with our subnet in it, as far as it has subnets.
fn examples() -> Vec<(PathBuf, String)> {
    let listed = fs::read_dir(EXAMPLES).expect("install the Debian package kea-doc");
    let examples = listed.filter_map(|entry| {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let at = text.match_indices("\"subnet4\":").find(|(at, _)| {
            text[at + 10..].trim_start().starts_with('[')
                && !text[..*at].rsplit('\n').next().unwrap().contains("//")
        })?;
        let list = at.0 + text[at.0..].find('[').unwrap() + 1;
        Some((path, format!("{}{OURS}{}", &text[..at.0], &text[list..])))
    });
    examples.collect()
}

/// Swaps all hosts that can be, has Kea check that, and puts them back.
fn round_trip(folder: &Path, text: &str, is_accepted: bool) -> usize {
    let table = read(text.as_bytes()).unwrap();
    let wanted = |host| Wanted { host, boot_file: "pxelinux.0".to_owned() };
    let wanted: Vec<Wanted> = table.clients().map(|(name, _)| wanted(name)).collect();
    let edit = kea::swap(&table, &wanted);
    let swapped: Vec<(HostName, Swap)> = wanted
        .into_iter()
        .zip(edit.swaps)
        .filter_map(|(wanted, swap)| Some((wanted.host, swap.ok()?)))
        .collect();
    let [change] = edit.changes.as_slice() else { return 0 };
    let differing = text.len().abs_diff(change.contents.len());
    assert!(differing <= 10 * swapped.len(), "only the values change");
    if is_accepted {
        assert_eq!(refused(folder, &change.contents), None);
    }
    let back = kea::revert(Path::new("/kea.json"), &change.contents, &swapped);
    assert_eq!(back.contents.as_deref(), Some(text.as_bytes()));
    assert!(back.each.iter().all(|back| *back == Back::Put));
    swapped.len()
}

#[test]
fn configurations_that_nobody_here_wrote_go_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (mut accepted, mut swapped) = (0, 0);
    let examples = examples();
    assert!(examples.len() >= 15, "{}", examples.len());
    for (path, text) in &examples {
        let is_accepted = refused(folder.path(), text.as_bytes()).is_none();
        accepted += usize::from(is_accepted);
        let hosts = round_trip(folder.path(), text, is_accepted);
        // One of them has Kea look for other identifiers than hardware addresses.
        assert!(hosts > 0 || text.contains("\"host-reservation-identifiers\""), "{}", path.display());
        swapped += hosts;
    }
    // Some name databases and hooks that are not here.
    assert!(accepted >= 10 && swapped >= 20, "{accepted} of {}, {swapped}", examples.len());
    println!("{accepted} of {} are accepted by Kea here; {swapped} hosts swapped", examples.len());
}

/// What `take_up` says with a Kea whose control socket gives these answers, one after the other and then the last again.
fn taken_up(answers: &'static [&'static str]) -> Result<(), String> {
    let server = Server::new(&[(
        "dhcpd.conf",
        r#"{ "Dhcp4": { "control-socket": { "socket-type": "unix", "socket-name": "FOLDER/socket" }, "reservations": [
            { "hw-address": "0:1:2:3:4:5", "ip-address": "10.0.0.2", "hostname": "john", "boot-file-name": "nobackup" } ] } }"#,
    )]);
    assert_eq!(server.site.dhcp_kind, Kind::Kea);
    let listener = UnixListener::bind(server.path("socket")).unwrap();
    std::thread::spawn(move || {
        for (at, connection) in listener.incoming().enumerate() {
            let mut connection = connection.unwrap();
            let mut question = [0; 100];
            let length = connection.read(&mut question).unwrap();
            assert!(!String::from_utf8_lossy(&question[..length]).contains("config-write"));
            connection.write_all(answers[at.min(answers.len() - 1)].as_bytes()).unwrap();
        }
    });
    server.site.dhcp().take_up().map_err(|error| format!("{error:#}"))
}

const DONE: &str = "{ \"result\": 0, \"text\": \"Configuration successful.\" }";
const SERVES_OURS: &str = "{ \"result\": 0, \"arguments\": { \"Dhcp4\": { \"reservations\": [ { \"hw-address\": \"00:01:02:03:04:05\", \
    \"ip-address\": \"10.0.0.2\", \"boot-file-name\": \"nobackup\" } ] } } }";
const SERVES_ANOTHER: &str = "{ \"result\": 0, \"arguments\": { \"Dhcp4\": { \"reservations\": [ ] } } }";

#[test]
fn a_reload_counts_when_kea_serves_what_the_files_say() {
    assert_eq!(taken_up(&[DONE, SERVES_OURS]), Ok(()));
    assert_eq!(taken_up(&[DONE, SERVES_ANOTHER, DONE, SERVES_OURS]), Ok(()), "a person has saved meanwhile");
    for (answers, words) in [
        (&["{ \"result\": 1, \"text\": \"no such interface\" }"][..], "it refuses: no such interface"),
        (&["{ \"result\": 2, \"text\": \"unsupported\" }"], "it does not know the command: unsupported"),
        (&["nonsense"], "its answer is not JSON"),
        (&[DONE, SERVES_ANOTHER, DONE, SERVES_ANOTHER, DONE, SERVES_ANOTHER], "serves another one than"),
    ] {
        let told = taken_up(answers).unwrap_err();
        assert!(told.contains(words), "{words}: {told}");
    }
}
