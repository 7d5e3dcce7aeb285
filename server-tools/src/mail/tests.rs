//! What stands in a mail, whatever clients have said; and what becomes of it at sendmail.

use std::fs;

use base64::Engine as _;
use ghost_contract::sample::effects::write_program;

use super::*;
use crate::state::runs::tests::{begun, ended};
use crate::state::runs::{Contents, Ended, HookSaid, Line};

const HOSTILE: &str = "no\r\nBcc: all@example.org\r\n\r\n.\r\n\x1b[2J\u{202e}Ü";

fn post() -> Post {
    let to = vec!["root".to_owned(), "night@example.org".to_owned()];
    Post { to, from: "root@boot.example.org".to_owned(), sendmail: "/bin/false".into() }
}

fn summary() -> Summary {
    let failed = Ended { words: HOSTILE.to_owned(), ..ended("pc3", 1) };
    let hook = HookSaid { hook: "tell".to_owned(), job: None, succeeded: false, output: HOSTILE.to_owned() };
    let lines = vec![
        Line::Begun(Box::new(begun("r1", &["pc2", "pc3", "pc4"]))),
        Line::JobEnded(Box::new(ended("pc2", 0))),
        Line::JobEnded(Box::new(failed)),
        Line::Hook(hook),
    ];
    Summary::of(Contents { lines, damage: None }, false).unwrap()
}

fn picture(host: &str, bytes: usize) -> Picture {
    Picture { host: host.parse().unwrap(), png: vec![0x89; bytes] }
}

fn written(pictures: Vec<Picture>) -> String {
    let mail = of_run(&post(), &summary(), pictures, UnixTime::from_millis(1_769_178_301_999)).unwrap();
    String::from_utf8(mail).unwrap()
}

#[test]
fn what_failed_stands_first_with_its_screen_and_the_subject_says_how_many() {
    let mail = written(vec![picture("pc3", 3_000)]);
    let (head, body) = mail.split_once("\n\n").unwrap();
    assert!(head.contains("Subject: backup of 3 hosts: 2 NOT done, 1 done\n"), "{head}");
    assert!(
        head.contains("To: <root>, \n\t<night@example.org>") || head.contains("<night@example.org>"),
        "{head}"
    );
    assert!(head.contains("From: \"Ghost4Linux\" <root@boot.example.org>"), "{head}");
    assert!(head.contains("Date: Fri, 23 Jan 2026 14:25:01 +0000"), "{head}");
    assert!(head.contains("Message-ID: <1769178301999.ghost4linux@"), "{head}");
    assert!(head.contains("Auto-Submitted: auto-generated"), "{head}");
    let place = |words: &str| body.find(words).unwrap_or_else(|| panic!("{words} in {body}"));
    assert!(place("pc3: ") < place("pc2: ") && place("pc4: ") < place("pc2: "), "{body}");
    assert!(body.contains("ghostctl report --html report.html r1"), "{body}");
    assert!(body.contains("pc3.png") && body.contains("image/png"), "{body}");
    let encoded = base64::engine::general_purpose::STANDARD.encode(vec![0x89; 3_000]);
    assert!(body.replace('\n', "").contains(&encoded), "the picture is whole");
}

#[test]
fn nothing_that_a_client_says_is_more_than_text() {
    let mail = written(Vec::new());
    assert!(!mail.contains('\r') && !mail.contains('\x1b') && !mail.contains('\u{202e}'), "{mail}");
    assert!(!mail.lines().any(|line| line.starts_with("Bcc") || line == "."), "{mail}");
    let long = Ended { words: "x".repeat(5_000), ..ended("pc3", 1) };
    let lines = vec![Line::Begun(Box::new(begun("r1", &["pc3"]))), Line::JobEnded(Box::new(long))];
    let summary = Summary::of(Contents { lines, damage: None }, false).unwrap();
    let mail = of_run(&post(), &summary, Vec::new(), UnixTime::from_millis(0)).unwrap();
    assert!(mail.split(|byte| *byte == b'\n').all(|line| line.len() <= LONGEST_LINE));
    let error = anyhow::anyhow!("{HOSTILE}").context("the DHCP configuration is not usable");
    let mail = String::from_utf8(not_begun(&post(), Mode::Backup, &error, UnixTime::from_millis(0)).unwrap())
        .unwrap();
    assert!(mail.contains("Subject: backup: NOT begun\n") && mail.contains("is not usable"), "{mail}");
    assert!(!mail.lines().any(|line| line.starts_with("Bcc") || line == "."), "{mail}");
}

#[test]
fn a_mail_has_so_many_pictures_and_says_how_many_it_leaves_out() {
    let large = written(vec![picture("pc2", BYTES_OF_PICTURES - 10), picture("pc3", 11), picture("pc4", 10)]);
    assert!(large.contains("pc2.png") && !large.contains("pc3.png") && large.contains("pc4.png"));
    assert!(large.contains("1 more screenshots are left out"));
    let many = written((0..PICTURES + 2).map(|number| picture(&format!("pc{number}"), 1)).collect());
    assert!(many.contains("2 more screenshots are left out"));
}

#[test]
fn sendmail_gets_the_mail_as_it_is_and_its_refusal_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let sendmail = folder.path().join("sendmail");
    write_program(
        &sendmail,
        &format!("#!/bin/sh\necho \"$@\" > {0}/called\ncat > {0}/mail\n", folder.path().display()),
    );
    let post = Post { sendmail, ..post() };
    send(&post, b"Subject: x\n\n.\ny\n").unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("called")).unwrap(), "-i -t\n");
    assert_eq!(fs::read(folder.path().join("mail")).unwrap(), b"Subject: x\n\n.\ny\n");
    write_program(&post.sendmail, "#!/bin/sh\necho 'account default not found' >&2\nexit 78\n");
    let error = format!("{:#}", send(&post, b"x").unwrap_err());
    assert!(
        error.contains("no mail was sent to root, night@example.org") && error.contains("not found"),
        "{error}"
    );
}
