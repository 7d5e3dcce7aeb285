//! Writes the page: one HTML file with its style inside and the pictures beside it. No scripts, nothing from other
//! sites.

use std::fmt::Write as _;
use std::time::Duration;

use ghost_contract::report::Outcome;

use super::{Album, Frame, Happening, Kind};

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: dark; }
body { margin: 0; padding: 1.5rem; background: #14161a; color: #d6d9de; font: 15px/1.45 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.3rem; font-weight: 600; }
header p { margin: .3rem 0 1.4rem; color: #9aa1ab; }
.succeeded { color: #7fd08a; } .failed { color: #ff8f7f; }
ol { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; align-items: flex-start; gap: 1rem; }
li { box-sizing: border-box; width: 21rem; max-width: 100%; background: #1d2026; border: 1px solid #2c3038; border-radius: .4rem; overflow: hidden; }
li.same { width: 12rem; }
img { display: block; width: 100%; background: #000; border-bottom: 1px solid #2c3038; }
figure { margin: 0; } figcaption, .happened { padding: .45rem .7rem; }
time { font-variant-numeric: tabular-nums; font-weight: 600; }
small { color: #9aa1ab; }
.happened { font-size: .87rem; border-left: .25rem solid #555c68; background: #191c21; overflow-wrap: anywhere; }
.keys { border-color: #e0b13f; } .rate { border-color: #4f9fd8; } .trouble { border-color: #e0604c; }
pre { margin: 0; padding: .6rem .7rem; overflow-x: auto; font-size: .72rem; line-height: 1.2; background: #0e1013; }
summary { padding: 0 .7rem .45rem; color: #9aa1ab; font-size: .82rem; cursor: pointer; }
</style>
"#;

pub(super) fn write(album: &Album) -> String {
    let mut page = HEAD.to_owned();
    let title = escaped(&album.title);
    // Writing into a string cannot fail.
    let _ = write!(
        page,
        "<title>{title}</title>\n<header><h1>{title}</h1>\n<p>{}</p></header>\n<ol>\n",
        summary(album)
    );
    let mut happenings = album.happenings.iter().peekable();
    let mut before: Option<&Frame> = None;
    for frame in &album.frames {
        let until_then = std::iter::from_fn(|| happenings.next_if(|happening| happening.at <= frame.at));
        page.push_str(&card(album, Some(frame), before, until_then));
        before = Some(frame);
    }
    if happenings.peek().is_some() {
        page.push_str(&card(album, None, before, happenings));
    }
    page.push_str("</ol>\n</html>\n");
    page
}

fn summary(album: &Album) -> String {
    let outcome = match &album.outcome {
        None => "still running when this was written".to_owned(),
        Some(Outcome::Succeeded) => "<b class=\"succeeded\">succeeded</b>".to_owned(),
        Some(Outcome::Failed { reason }) => format!("<b class=\"failed\">failed</b>: {}", escaped(reason)),
        Some(Outcome::Stalled) => "<b class=\"failed\">stalled</b>".to_owned(),
        Some(Outcome::Cancelled { by }) => format!("<b class=\"failed\">cancelled</b> by {}", escaped(by)),
    };
    let mut words = format!("{outcome} · {} screenshots", album.frames.len());
    if album.missed > 0 {
        let _ = write!(words, " · {} could not be taken", album.missed);
    }
    words
}

/// One screenshot with what happened since the one before, or what happened after the last.
fn card<'a>(
    album: &Album,
    frame: Option<&Frame>,
    before: Option<&Frame>,
    happenings: impl Iterator<Item = &'a Happening>,
) -> String {
    let is_same = frame.zip(before).is_some_and(|(frame, before)| frame.fingerprint == before.fingerprint);
    let mut card = format!("<li{}>\n", if is_same { " class=\"same\"" } else { "" });
    for happening in happenings {
        let class = match happening.kind {
            Kind::Keys => " keys",
            Kind::Rate => " rate",
            Kind::Note => "",
            Kind::Trouble => " trouble",
        };
        let (time, words) = (elapsed(album, happening.at), escaped(&happening.words));
        let _ = writeln!(card, "<div class=\"happened{class}\"><time>{time}</time> {words}</div>");
    }
    if let Some(frame) = frame {
        card.push_str(&figure(album, frame, is_same));
    }
    card.push_str("</li>\n");
    card
}

fn figure(album: &Album, frame: &Frame, is_same: bool) -> String {
    let (name, source, time) = (escaped(&frame.name), escaped(&frame.source), elapsed(album, frame.at));
    if is_same {
        return format!(
            "<figure><figcaption><time>{time}</time> <a href=\"{name}.png\">{name}</a>, the same picture</figcaption></figure>\n"
        );
    }
    let text = frame.text.as_deref().map(str::trim_end).filter(|text| !text.is_empty());
    let text = text.map_or_else(String::new, |text| {
        format!("<details><summary>text</summary><pre>{}</pre></details>\n", escaped(text))
    });
    format!(
        "<figure><a href=\"{name}.png\"><img src=\"{name}.png\" alt=\"screen at {time}\" loading=\"lazy\"></a>\n\
         <figcaption><time>{time}</time> {name} <small>from {source}</small></figcaption></figure>\n{text}"
    )
}

/// Since the imager's start, as `12:05` or `1:02:03`.
fn elapsed(album: &Album, at: Duration) -> String {
    let seconds = at.saturating_sub(album.started.unwrap_or(at)).as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
