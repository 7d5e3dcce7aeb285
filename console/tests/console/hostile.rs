//! What a client, or whoever can reach the console, may try.

use std::io::Write as _;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::boot_server::{BootServer, failed, job, png};
use super::browser::read;

const SCRIPT: &str = "</pre><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}\u{1b}[2J";

#[test]
fn nothing_that_a_client_says_is_more_than_text() {
    let mut server = BootServer::new();
    server.runs("pc2", 0);
    server.shows("pc2", 0, "0001-interval", &png([0; 3]), SCRIPT);
    server.says(0, &[json!({ "event": "progressed", "phase": "reading", "disk": 0, "disks": 1, "region": 1, "regions": 2,
        "subject": SCRIPT, "done": u64::MAX, "total": 1, "rate": u64::MAX, "eta": u64::MAX })]);
    server.says(
        0,
        &[json!({ "event": "screenshot_taken", "name": "../../../../etc/passwd", "source": SCRIPT })],
    );
    server.recorded("pc3", "20260101-000000-aaaa", &failed(SCRIPT));
    let console = server.console(&[]);
    let text_of = |path: &str| console.get(path).text();
    for (path, times) in [("/", 3), ("/client/pc2", 2), ("/client/pc3", 2), ("/doctor", 1)] {
        let text = text_of(path);
        assert!(text.matches("&lt;script&gt;").count() >= times, "{path}: {text}");
        for word in ["<script>", "<img src=x", "\u{202e}", "\u{1b}", "passwd"] {
            assert!(!text.contains(word), "{path}: {word:?}: {text}");
        }
        assert_eq!(text.matches("<script").count(), 1, "only ours: {path}: {text}");
    }
}

#[test]
fn no_path_leads_out_and_no_file_is_given_as_it_is() {
    let mut server = BootServer::new();
    server.runs("pc2", 0);
    server.shows("pc2", 0, "0001-interval", &png([1, 2, 3]), "");
    let mut hidden = png([1, 2, 3]);
    let end = hidden.len() - 12;
    hidden.splice(end..end, [&7_u32.to_be_bytes()[..], b"tEXtsecret\0", &[0; 4]].concat());
    server.shows("pc2", 0, "0002-hidden", &hidden, "");
    let mut bomb = png([1, 2, 3]);
    bomb[16..24].copy_from_slice(&[0, 0, 0x7f, 0xff, 0, 0, 0x7f, 0xff]);
    server.shows("pc2", 0, "0003-bomb", &bomb, "");
    // One that a terminal would get, and that takes more memory than the console has for it.
    let mut large = png([1, 2, 3]);
    large[16..24].copy_from_slice(&[0, 0, 0x13, 0x88, 0, 0, 0x0f, 0xa0]);
    server.shows("pc2", 0, "0007-large", &large, "");
    server.shows("pc2", 0, "0004-no-picture", b"<svg onload=alert(1)>", "");
    let screens = server.path(&format!("store/pc2/.incoming-{}/screens", job("pc2")));
    symlink(server.path("ghostrc"), screens.join("0005-link.png")).unwrap();
    symlink("0001-interval.png", screens.join("0006-link.png")).unwrap();
    // Opening the pipe for reading would wait for ever, and a folder cannot be read as a file.
    nix::unistd::mkfifo(&screens.join("0008-pipe.png"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::fs::create_dir(screens.join("0010-folder.png")).unwrap();
    let console = server.console(&[]);
    let of = |name: &str| console.get(&format!("/screen/pc2/{}/{name}", job("pc2")));
    assert_eq!(of("0001-interval").status, 200);
    for (name, size) in [("0003-bomb", "32767 x 32767"), ("0007-large", "5000 x 4000")] {
        let text = of(name).text();
        assert!(text.contains(&format!("claims to have {size} dots")), "{text}");
    }
    assert!(of("0007-large").text().contains("too many to be shown here"));
    let anew = of("0002-hidden");
    assert!(anew.status == 200 && !anew.body.windows(6).any(|six| six == b"secret"));
    for name in [
        "0003-bomb",
        "0004-no-picture",
        "0005-link",
        "0006-link",
        "0007-large",
        "0008-pipe",
        "0009-none",
        "0010-folder",
        "latest",
        "0001-interval.png",
    ] {
        assert_eq!(of(name).status, 404, "{name}");
    }
    for path in [
        "/../ghostrc",
        "/screen/pc2/..%2f..%2f/0001-interval",
        "/screen/..%2f..%2fstate/x/0001-interval",
        "/screen/pc2/x/%2e%2e%2f%2e%2e%2fghostrc",
        "/screen/pc2/20260123-142501-pc2/..%2f..%2f..%2f..%2fghostrc",
        "/client/..%2f..%2fetc",
        "/client/%00",
        "/run/..%2f..%2fghostrc",
        "/state/console-token",
        "/screen/",
        "//etc/passwd",
        "/style.css/../../ghostrc",
    ] {
        let answer = console.get(path);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert!(!answer.text().contains("PXEADDR"), "{path}");
    }
}

#[test]
fn who_sends_slowly_or_too_much_holds_nobody_up() {
    let server = BootServer::new();
    let console = server.console(&[]);
    let browser = console.browser();
    let mut slow: Vec<_> = (0..100).map(|_| browser.connect()).collect();
    slow.iter_mut().for_each(|one| one.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ").unwrap());
    assert_eq!(console.get("/").status, 200);
    // The console ends each of them, though none of them has ended its request.
    for one in &mut slow {
        let mut answer = Vec::new();
        let _closed = std::io::Read::read_to_end(one, &mut answer);
        assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
    }
    let mut large = browser.connect();
    let _refused =
        write!(large, "GET / HTTP/1.1\r\nhost: localhost\r\nx-large: {}\r\n\r\n", "x".repeat(64 << 10));
    assert_eq!(read(&mut *large).status, 431);
    let form = format!("token={}", "x".repeat(64 << 10));
    assert_eq!(console.stranger().post("/login", &form).status, 413);
    assert_eq!(console.get("/").status, 200);
}
