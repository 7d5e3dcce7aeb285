//! What people may do from the pages.

use std::fs;

use super::boot_server::{BootServer, wait_until};
use super::browser::Browser;

/// The word of the forms on the page.
fn word(browser: &Browser, path: &str) -> String {
    let page = browser.get(path).text();
    let (_, rest) = page.split_once("name=\"word\" value=\"").unwrap_or_else(|| panic!("{page}"));
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn an_act_is_the_verb_that_a_person_would_type_and_is_logged_with_who() {
    let mut server = BootServer::new();
    server.runs("pc2", 0);
    server.recorded("pc3", "20260101-000000-aaaa", &super::boot_server::failed("x"));
    let console = server.console(&["--allow-actions"]);
    let browser = console.browser();
    let act = |path: &str, rest: &str| browser.post("/act", &format!("word={}&{rest}", word(&browser, path)));
    fs::write(server.path("hold"), "").unwrap();
    let begun = act("/client/pc2", "act=cancel&host=pc2");
    assert_eq!((begun.status, begun.header("location").as_deref()), (303, Some("/client/pc2")));
    wait_until("it is asked for", || server.asked() == ["cancel -- pc2"]);
    assert!(browser.get("/client/pc2").text().contains(": cancel, still running"));
    fs::remove_file(server.path("hold")).unwrap();
    wait_until("it has ended", || browser.get("/client/pc2").text().contains("not done (exit status: 75)"));
    assert!(browser.get("/client/pc2").text().contains("pc2: &lt;b&gt;busy&lt;/b&gt;"));
    for (rest, asked) in [
        ("act=look&host=pc2", "screen --now --picture never -- pc2"),
        ("act=backup&host=pc3", "backup -- pc3"),
        ("act=verify&host=pc3", "verify -- pc3"),
        ("act=test&host=pc3", "test -- pc3"),
        ("act=restore&host=pc3&typed=pc3", "restore --yes -- pc3"),
    ] {
        assert_eq!(act("/client/pc3", rest).status, 303, "{rest}");
        wait_until(asked, || server.asked().last().is_some_and(|last| last == asked));
    }
    let log = console.end();
    let who = "the token's holder at 127.0.0.1 asks for: restore pc3";
    assert!(log.iter().any(|line| line == who), "{log:?}");
}

#[test]
fn a_form_that_is_not_of_our_page_does_nothing() {
    let server = BootServer::new();
    server.recorded("pc3", "20260101-000000-aaaa", &super::boot_server::failed("x"));
    let console = server.console(&["--allow-actions"]);
    let mut browser = console.browser();
    let word = word(&browser, "/client/pc3");
    let post = |browser: &Browser, rest: &str| browser.post("/act", rest).status;
    for form in ["act=backup&host=pc3", "act=backup&host=pc3&word=", "act=backup&host=pc3&word=0123"] {
        assert!(matches!(post(&browser, form), 403 | 422), "{form}");
    }
    for form in [
        "act=restore&host=pc3",
        "act=restore&host=pc3&typed=pc2",
        "act=backup&host=--all",
        "act=backup&host=pc*",
        "act=reboot&host=pc3",
    ] {
        assert!(matches!(post(&browser, &format!("{form}&word={word}")), 400 | 422), "{form}");
    }
    browser.set("sec-fetch-site", "cross-site");
    assert_eq!(post(&browser, &format!("act=backup&host=pc3&word={word}")), 403);
    assert_eq!(browser.get(&format!("/act?act=backup&host=pc3&word={word}")).status, 405);
    // One that was started to look only does nothing even with a good form.
    let looks = server.console(&[]);
    let refused = looks.browser().post("/act", &format!("act=backup&host=pc3&word={word}"));
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("started without --allow-actions"), "{}", refused.text());
    assert_eq!(server.asked(), Vec::<String>::new());
}

/// Begins a backup of pc3 that waits; how the console is called then.
fn begins_one_that_waits(server: &BootServer, console: &super::boot_server::Console) {
    server.recorded("pc3", "20260101-000000-aaaa", &super::boot_server::failed("x"));
    fs::write(server.path("hold"), "").unwrap();
    let browser = console.browser();
    let word = word(&browser, "/client/pc3");
    assert_eq!(browser.post("/act", &format!("word={word}&act=backup&host=pc3")).status, 303);
    wait_until("it is asked for", || !server.asked().is_empty());
}

#[test]
fn what_was_begun_goes_on_when_the_console_ends() {
    let server = BootServer::new();
    let mut console = server.console(&["--allow-actions"]);
    begins_one_that_waits(&server, &console);
    assert!(console.stops().success(), "the console ends when SIGTERM asks it to");
    assert_eq!(server.ended(), Vec::<String>::new());
    fs::remove_file(server.path("hold")).unwrap();
    wait_until("it has ended by itself", || server.ended() == ["backup -- pc3"]);
}

/// Stands for systemd: starts what it is asked for in another place, and does not end it when its caller ends.
const SYSTEMD_RUN: &str =
    "#!/bin/sh\necho \"$*\" >> FOLDER/units\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n";

#[test]
fn where_systemd_runs_each_act_is_a_unit_of_its_own() {
    let server = BootServer::new();
    let folder = server.path("").display().to_string();
    fs::create_dir_all(server.path("bin")).unwrap();
    let program = server.path("bin/systemd-run");
    ghost_contract::sample::effects::write_program(&program, &SYSTEMD_RUN.replace("FOLDER/", &folder));
    let console = server.console_beside_systemd(&["--allow-actions"]);
    begins_one_that_waits(&server, &console);
    let units = fs::read_to_string(server.path("units")).unwrap();
    let ghostctl = server.path("ghostctl").display().to_string();
    assert!(
        units.starts_with("--quiet --collect --pipe --wait") && units.contains(&format!("-- {ghostctl} ")),
        "{units}"
    );
    assert!(units.trim_end().ends_with("backup -- pc3"), "{units}");
    fs::remove_file(server.path("hold")).unwrap();
    let browser = console.browser();
    wait_until("what it said is shown", || {
        browser.get("/client/pc3").text().contains("not done (exit status: 75)")
    });
}

#[test]
fn one_person_with_many_walls_leaves_room_for_the_others() {
    let server = BootServer::new();
    let console = server.console(&[]);
    let browser = console.browser();
    let mut walls: Vec<_> = (0..32).map(|_| browser.watches("/events").unwrap()).collect();
    assert!(browser.watches("/events").is_none(), "one more than its share");
    let refused = browser.get("/events");
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("close some"), "{}", refused.text());
    assert_eq!(browser.get("/").status, 200);
    walls.pop();
    wait_until("a wall that was closed makes room", || browser.watches("/events").is_some());
}
