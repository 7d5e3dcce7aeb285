//! Who is let in, and who is not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::boot_server::BootServer;
use super::browser::Browser;

#[test]
fn nothing_is_shown_without_the_token_and_the_cookie_does_not_tell_it() {
    let server = BootServer::new();
    let console = server.console(&["--allow-actions"]);
    let mut stranger = console.stranger();
    for path in [
        "/",
        "/client/pc2",
        "/events",
        "/metrics",
        "/doctor",
        "/runs",
        "/images",
        "/screen/a/b/c",
        "/nowhere",
        "/run.css",
    ] {
        assert_eq!(stranger.get(path).status, 401, "{path}");
    }
    // Who is not let in comes once for each request, and holds no connection.
    for path in ["/", "/style.css"] {
        let answer = stranger.keeps(path);
        assert_eq!(answer.header("connection").as_deref(), Some("close"), "{path}: {answer:?}");
    }
    assert_eq!(stranger.post("/act", "act=backup&host=pc2&word=").status, 401);
    assert_eq!(stranger.post("/login", "token=wrong").status, 401);
    let let_in = stranger.post("/login", &format!("token={}", console.token));
    assert_eq!(let_in.status, 303);
    let cookie = let_in.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains(&console.token),
        "{cookie}"
    );
    stranger.set("cookie", cookie.split(';').next().unwrap());
    assert_eq!(stranger.get("/").status, 200);
    assert_eq!(stranger.keeps("/").header("connection"), None);
    stranger.set("host", "evil.example");
    assert_eq!(stranger.get("/").status, 403, "another name that leads to this address");
    assert_eq!(fs::metadata(server.path("state/console-token")).unwrap().permissions().mode() & 0o777, 0o600);
    let log = console.end();
    assert!(log.iter().any(|line| line == "127.0.0.1 sent a wrong token"), "{log:?}");
}

#[test]
fn it_does_not_listen_where_others_could_read_along() {
    let server = BootServer::new();
    for (listen, arguments) in [
        ("0.0.0.0:0", &[][..]),
        ("127.0.0.1:0", &["--proxy", "127.0.0.1", "--user-header", "X-User"]),
        ("0.0.0.0:0", &["--user-header", "X-User"]),
    ] {
        let (status, said) = server.refused(listen, arguments);
        assert_eq!(status, Some(1), "{listen}: {said}");
        assert!(said.contains("TLS") || said.contains("--proxy") || said.contains("Unix socket"), "{said}");
    }
}

#[test]
fn a_socket_is_roots_alone_and_a_proxy_behind_it_says_who_it_is() {
    let server = BootServer::new();
    let path = server.path("console.sock");
    let place = format!("unix:{}", path.display());
    let console = server.console_at(&place, &[]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(Browser::at(&place).get("/").text().contains("You are user 0 of this machine"));
    let (_, second) = server.refused(&place, &[]);
    assert!(second.contains("another program listens there"), "{second}");
    drop(console);
    // What is left of the first is in nobody's way.
    let _console = server.console_at(&place, &["--user-header", "X-User"]);
    let mut browser = Browser::at(&place);
    assert_eq!(browser.get("/").status, 403);
    browser.set("x-user", "anna<b>");
    assert!(browser.get("/").text().contains("You are anna&lt;b&gt;"));
}
