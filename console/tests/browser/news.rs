//! The wall while it is looked at: what changes is there soon, and who goes by keyboard stays where they are.

use std::time::{Duration, SystemTime};

use ghost_contract::report::Event;
use ghostctl::sample::Client;

use super::simulated::screens;
use super::visitor::Visitor;

/// The console looks each second. A wall that takes so long has lost its news; how long it takes is measured, and printed.
const LOST: Duration = Duration::from_secs(60);

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64() * 1_000.0
}

#[test]
fn what_changes_is_on_the_wall_soon_and_the_title_counts_those_in_trouble() {
    let mut visitor = Visitor::new(&[]);
    visitor.load("/");
    let paint = "performance.getEntriesByName('first-contentful-paint').length === 1";
    visitor.chromium.wait_until(paint);
    let paint =
        visitor.chromium.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime");
    println!("first paint of 300 clients: {:.0} ms", paint.as_f64().unwrap());
    visitor.chromium.wait_until("document.title.startsWith('(6)')");
    let mut times = Vec::new();
    for (round, percent) in (71_u32..80).enumerate() {
        let client = Client(30);
        let seen = format!("document.querySelector('#tile-pc030 progress').value === {percent}");
        visitor.chromium.evaluate(&format!(
            "window.seen = new Promise(done => {{ const look = () => {seen} && done(Date.now()); \
             new MutationObserver(look).observe(document.getElementById('wall'), {{ childList: true, subtree: true }}); }}); 0"
        ));
        let said = now();
        let uptime = 900 + u64::try_from(round).unwrap();
        let shown = screens::at_work(percent.into());
        visitor.server.says(client, uptime, Event::Progressed(screens::progress(percent.into())));
        visitor.server.shows(client, uptime, &format!("{:04}-interval", 20 + round), shown.parts());
        let seen = visitor.chromium.evaluate("window.seen").as_f64().unwrap();
        times.push(seen - said);
    }
    let worst = times.iter().copied().fold(0.0, f64::max);
    println!("a change is on the wall after {times:.0?} ms, at worst {worst:.0} ms");
    assert!(worst < LOST.as_secs_f64() * 1_000.0, "{times:?}");
    assert_eq!(visitor.chromium.troubles(), Vec::<String>::new());
}

#[test]
fn the_focus_stays_on_a_tile_that_changes() {
    let mut visitor = Visitor::new(&[]);
    visitor.load("/");
    visitor
        .chromium
        .evaluate("document.querySelector('#tile-pc030 a').focus(); window.old = document.activeElement; 0");
    visitor.server.says(Client(30), 901, Event::Progressed(screens::progress(93)));
    visitor.chromium.wait_until("document.querySelector('#tile-pc030 progress').value === 93");
    let is_new =
        "window.old !== document.activeElement && document.activeElement.closest('#tile-pc030') !== null";
    assert_eq!(visitor.chromium.evaluate(is_new), true);
}

#[test]
fn a_console_that_has_gone_is_told() {
    let mut visitor = Visitor::new(&[]);
    visitor.load("/");
    let hidden = "getComputedStyle(document.getElementById('trouble')).display === 'none'";
    visitor.chromium.wait_until(hidden);
    drop(visitor.console);
    visitor.chromium.wait_until("document.getElementById('trouble').innerText.includes('does not answer')");
}
