use ghost_contract::UnixTime;

use super::*;

fn entry(seconds: u64, event: Event) -> Entry {
    Entry { at: UnixTime::from_millis(0), uptime: seconds * 1000, event }
}

fn frame(seconds: u64, name: &str, fingerprint: u64) -> Frame {
    let text = Some(format!("<{name}> & more"));
    Frame {
        name: name.to_owned(),
        at: Duration::from_secs(seconds),
        source: "/dev/mem".to_owned(),
        text,
        fingerprint,
    }
}

fn started() -> Album {
    let mut album = Album::new("john: backup 1".to_owned());
    let (imager, command, disks) = ("ghost".to_owned(), "ghost.exe".to_owned(), Vec::new());
    album.hear(&entry(100, Event::ImagerStarted { imager, command, disks }));
    album
}

#[test]
fn the_story_is_told_in_order_with_times_since_the_start() {
    let mut album = started();
    album.add(frame(101, "0001-interval", 1));
    let (keys, because) = (vec!["TAB".to_owned()], "the screen shows 'Mark'".to_owned());
    album.hear(&entry(131, Event::KeysTyped { keys, because }));
    album.add(frame(132, "0002-after-keys", 2));
    album.hear(&entry(3825, Event::Stalled { idle: Duration::from_secs(300) }));
    album.hear(&entry(3826, Event::Ended { outcome: Outcome::Stalled }));
    let page = album.page();
    let places: Vec<usize> = [
        "<title>john: backup 1</title>",
        "<b class=\"failed\">stalled</b> · 2 screenshots",
        "<time>0:00</time> started: ghost.exe",
        "<img src=\"0001-interval.png\"",
        "<time>0:01</time> 0001-interval <small>from /dev/mem</small>",
        "&lt;0001-interval&gt; &amp; more",
        "<time>0:31</time> typed TAB because the screen shows 'Mark'",
        "<img src=\"0002-after-keys.png\"",
        "<time>1:02:05</time> nothing has moved for 300 s",
    ]
    .into_iter()
    .map(|part| page.find(part).unwrap_or_else(|| panic!("no {part} in {page}")))
    .collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn nothing_comes_from_another_place() {
    let mut album = started();
    album.add(frame(101, "0001-interval", 1));
    let page = album.page();
    for foreign in ["http:", "https:", "src=\"/", "href=\"/", "url(", "<script", "<link"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn the_same_picture_is_shown_once() {
    let mut album = started();
    for (seconds, name, fingerprint) in [(101, "1", 7), (161, "2", 7), (221, "3", 8)] {
        album.add(frame(seconds, name, fingerprint));
    }
    let page = album.page();
    assert_eq!(page.matches("<img ").count(), 2);
    assert!(page.contains("<a href=\"2.png\">2</a>, the same picture"), "{page}");
    assert_eq!(album.like(7).collect::<Vec<_>>(), ["2", "1"]);
    album.remove("2");
    assert_eq!(album.like(7).collect::<Vec<_>>(), ["1"]);
}

#[test]
fn the_rate_is_that_of_the_last_two_readings() {
    let mut album = started();
    let sampled = |moved| Event::Sampled { disk_read: moved, disk_written: 0, received: 0, sent: moved };
    album.hear(&entry(110, sampled(0)));
    album.hear(&entry(120, sampled(100 << 20)));
    album.add(frame(121, "1", 1));
    assert!(album.page().contains("rate\"><time>0:21</time> 20 MiB a second"), "{}", album.page());
}

#[test]
fn what_was_missed_is_counted_and_the_page_stays_bounded() {
    let mut album = started();
    for missed in 1..=1000 {
        let reason = "it took too long".to_owned();
        album.hear(&entry(100 + u64::from(missed), Event::ScreenshotFailed { reason, missed }));
    }
    let page = album.page();
    assert!(page.contains("0 screenshots · 1000 could not be taken"), "{page}");
    assert_eq!(page.matches("no screenshot").count(), MOST_EVENTS);
}
