//! Whatever clients say, in a browser that would obey it: a dialog, or a break of the policy, is a failure.

use std::time::{Duration, Instant};

use ghost_contract::report::{Event, Outcome};
use ghost_contract::{Mode, UnixTime};
use ghostctl::job::Phase;
use ghostctl::sample::{BootServer, Client, Over};

use super::simulated::{folder, screens};
use super::visitor::Visitor;

const SCRIPTS: [&str; 5] = [
    "</pre></title></textarea><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)><svg onload=alert(1)>",
    "<a href=\"javascript:alert(1)\" autofocus onfocus=alert(1)>x</a><iframe srcdoc='<script>alert(1)</script>'>",
    "<style>*{display:none}</style><base href=//evil.example/><meta http-equiv=refresh content='0;url=//evil.example/'>",
    "{{7*7}}${alert(1)}\u{202e}\u{1b}[2J<!--",
];

fn hostile(folder: &std::path::Path) -> BootServer {
    let mut server = BootServer::new(folder, 20, "");
    let at = UnixTime::from_millis(1_795_903_200_000);
    server.run_begins(at, &(1..=10).map(Client).collect::<Vec<_>>());
    for (number, words) in (1..).zip(SCRIPTS) {
        let (works, over) = (Client(number), Client(5 + number));
        let screen = screens::error("x");
        server.begins(works, Mode::Backup, at, Phase::Imaging);
        server.shows(works, 20, "0001-interval", (&screen.png, words));
        let progress = ghost_contract::image::Progress { subject: words.to_owned(), ..screens::progress(50) };
        server.says(works, 21, Event::Progressed(progress));
        let failed = Over {
            mode: Mode::Backup,
            began: at,
            took: Duration::from_secs(60),
            outcome: Outcome::Failed { reason: words.to_owned() },
            bytes: None,
        };
        server.ended(over, &failed, Some((&screen.png, words)));
        server.run_has(over, at, Some(&failed));
    }
    server
}

#[test]
fn no_word_of_a_client_is_obeyed_by_the_browser() {
    let folder = folder();
    let server = hostile(folder.path());
    let mut visitor = Visitor::at(folder, server, &["--allow-actions"]);
    let hosts = (1..=10).map(|number| format!("/client/pc{number:03}"));
    let run = "/run/20261128-220000-0000".to_owned();
    let pages: Vec<String> = ["/", "/runs", "/images", "/doctor"]
        .map(str::to_owned)
        .into_iter()
        .chain(hosts)
        .chain([run])
        .collect();
    for path in &pages {
        visitor.load(path);
        assert_eq!(visitor.chromium.troubles(), Vec::<String>::new(), "{path}");
        let strange = "document.querySelectorAll('script:not([src=\"/script.js\"]), iframe, style, base, [onerror], [onload], [onfocus]').length";
        assert_eq!(visitor.chromium.evaluate(strange), 0, "{path}");
    }
    // By way of the news, too.
    visitor.load("/");
    for (number, words) in (1..).zip(SCRIPTS) {
        let progress = ghost_contract::image::Progress { subject: words.to_owned(), ..screens::progress(77) };
        visitor.server.says(Client(number), 30, Event::Progressed(progress));
        visitor
            .chromium
            .wait_until(&format!("document.querySelector('#tile-pc{number:03} progress').value === 77"));
    }
    assert_eq!(visitor.chromium.troubles(), Vec::<String>::new());
}

#[test]
fn a_dialog_and_a_break_of_the_policy_would_be_noticed() {
    let folder = folder();
    let server = BootServer::new(folder.path(), 3, "");
    let mut visitor = Visitor::at(folder, server, &[]);
    visitor.chromium.evaluate("setTimeout(() => alert('seen'), 0); 0");
    visitor.chromium.evaluate(
        "const s = document.createElement('script'); s.textContent = 'alert(2)'; document.body.append(s); 0",
    );
    let mut troubles = visitor.chromium.troubles();
    let has = |troubles: &[String], word: &str| troubles.iter().any(|one| one.contains(word));
    let deadline = Instant::now() + Duration::from_secs(180);
    while !(has(&troubles, "dialog: \"seen\"") && has(&troubles, "Content Security Policy")) {
        assert!(Instant::now() < deadline, "{troubles:?}");
        troubles.extend(visitor.chromium.troubles());
    }
}
