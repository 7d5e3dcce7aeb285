//! What people see, and how fast it is there.

use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use super::boot_server::{BootServer, everything, failed, job, png, sampled};

/// The next news of a wall.
fn next_news(events: &mut impl std::io::BufRead) -> Value {
    let mut is_news = false;
    for line in events.lines().map(Result::unwrap) {
        is_news |= line == "event: news";
        if let Some(news) = line.strip_prefix("data: ").filter(|_| is_news) {
            return serde_json::from_str(news).unwrap();
        }
    }
    panic!("the news have ended");
}

#[test]
fn a_wall_of_300_clients_is_a_small_page_with_the_troubled_first_and_is_told_what_changes() {
    let mut server = BootServer::new();
    for number in 0..300 {
        let host = format!("pc{number}");
        server.runs(&host, number);
        server.says(number, &[sampled(1 << 20), sampled(3 << 20)]);
        server.shows(
            &host,
            number,
            "0001-interval",
            &png([0, 0, 255]),
            &"Norton Ghost 8.0 copies\n".repeat(20),
        );
    }
    server.abandon("pc77");
    server.recorded("zed", "20260101-000000-aaaa", &failed("the disk is broken"));
    let before = everything(&server.path("state/jobs"));
    let console = server.console(&[]);
    let page = console.get("/");
    let text = page.text();
    assert_eq!(page.status, 200);
    assert!(page.body.len() <= 300_000, "{} bytes", page.body.len());
    assert_eq!(text.matches("<li class=\"tile").count(), 301);
    for count in ["<strong>1</strong> abandoned", "<strong>1</strong> failed", "<strong>299</strong> running"]
    {
        assert!(text.contains(count), "{count}: {text}");
    }
    let place = |host: &str| text.find(&format!("id=\"tile-{host}\"")).unwrap();
    assert!(place("pc77") < place("zed") && place("zed") < place("pc0"));
    assert!(
        text.contains("2.0 MiB/s") && text.contains("alt=\"The screen of pc3: Norton Ghost 8.0"),
        "{text}"
    );
    let mut events = BufReader::new(console.browser().ask("GET", "/events", None));
    let all = next_news(&mut events);
    assert_eq!(all["tiles"].as_array().unwrap().len(), 301);
    server.says(5, &[json!({ "event": "progressed", "phase": "reading", "disk": 0, "disks": 1, "region": 1, "regions": 2,
        "subject": "partition 1", "done": 50, "total": 100, "rate": 1024 })]);
    let news = next_news(&mut events);
    assert_eq!(news["tiles"].as_array().unwrap().len(), 1, "{news}");
    assert!(news["tiles"][0][1].as_str().unwrap().contains("reading partition 1"), "{news}");
    assert!(news["tiles"][0][1].as_str().unwrap().contains("value=\"50\""), "{news}");
    assert_eq!(news.get("order"), None);
    assert_eq!(everything(&server.path("state/jobs")), before, "it only looks");
}

#[test]
fn each_page_is_whole_and_says_what_a_browser_may_do_with_it() {
    let mut server = BootServer::new();
    server.runs("pc2", 0);
    server.says(0, &[sampled(0), sampled(1 << 20), sampled(9 << 20)]);
    server.shows("pc2", 0, "0001-interval", &png([9, 9, 9]), "Ghost\n");
    server.shows("pc2", 0, "0002-interval", &png([9, 9, 9]), "Ghost 50%\n");
    server.recorded("pc2", "20260101-000000-aaaa", &failed("no room"));
    let console = server.console(&[]);
    for (path, holds) in [
        ("/", "id=\"tile-pc2\""),
        ("/client/pc2", "Ghost 50%"),
        ("/client/pc2", "Network: "),
        ("/client/pc2", "failed: no room"),
        ("/runs", "There was no run yet"),
        ("/images", "<strong>0</strong>generations"),
        ("/doctor", "mend it"),
    ] {
        let page = console.get(path);
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        assert!(page.text().contains(holds), "{path}: {}", page.text());
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        for (header, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(page.header(header).as_deref(), Some(value), "{path}");
        }
        assert!(!page.text().contains(" style=") && !page.text().contains(" onclick="), "{path}");
        // Not before it was asked for by whom the console lets act.
        assert!(!page.text().contains("action=\"/act\""), "{path}");
    }
    let metrics = console.get("/metrics").text();
    assert!(metrics.contains("ghost4linux_last_job_success{host=\"pc2\",mode=\"backup\"} 0"), "{metrics}");
    let thumb = console.get(&format!("/thumb/pc2/{}/0001-interval", job("pc2")));
    assert_eq!((thumb.status, thumb.header("content-type").unwrap().as_str()), (200, "image/png"));
    assert_eq!(console.get("/client/nobody").status, 404);
}

#[test]
fn the_boot_server_is_examined_once_for_all_who_ask() {
    let server = BootServer::new();
    let console = server.console(&[]);
    for _ in 0..3 {
        assert!(console.get("/doctor").text().contains("mend it"));
    }
    assert_eq!(server.asked(), ["--json doctor"]);
}
