//! The report of a run: words for people, and a page that needs nothing else, without any script. Pure.
//!
//! Whatever a client or a hook has said is plain text on the page: [`Text`] is the only way onto it.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use base64::Engine as _;
use ghost_contract::{HostName, UnixTime};

use super::figures::Figures;
use super::film::{Film, Frame};
use super::summary::{Became, OfHost, State, Summary};
use crate::calendar;
use crate::job::bytes::bytes;
use crate::output::plain;

/// The width of the time axis, in its own units.
const AXIS: u64 = 1_000;
/// The height of a small plot.
const PLOT: u64 = 24;

/// The style of a page of its own.
const FRAME: &str = "\
:root{color-scheme:light dark;--good:#2e7d32;--bad:#c62828;--open:#9e9e9e;--line:#8886}\
body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem auto;padding:0 1rem;max-width:75rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid var(--line);vertical-align:middle}";

/// The style of [`Page::body`], which takes its colours from the page around it: `--good`, `--bad`, `--open`, `--line`.
pub(crate) const STYLE: &str = "\
td.n,th.n{text-align:right;white-space:nowrap}td.b{width:34%;min-width:8rem}\
svg{display:block;width:100%;height:1rem}svg.p{width:5.5rem;height:1.5rem}\
.good{fill:var(--good);color:var(--good)}.bad{fill:var(--bad);color:var(--bad)}.open{fill:var(--open);color:var(--open)}\
figure{margin:1rem 0}img{max-width:100%;border:1px solid var(--line);background:#000}\
.film{display:flex;gap:.25rem;overflow-x:auto;margin:.5rem 0}.film img{height:6rem;max-width:none}\
pre{white-space:pre-wrap;overflow-wrap:anywhere}.wide{overflow-x:auto}";

/// All that the page shows.
pub(crate) struct Page<'a> {
    pub(crate) summary: &'a Summary,
    /// The last good jobs of each host before the run, the oldest first.
    pub(crate) before: BTreeMap<HostName, Vec<Figures>>,
    /// The screenshots of jobs that failed.
    pub(crate) films: BTreeMap<HostName, Film>,
}

/// Text that is only shown, wherever it stands on a page.
struct Text<T>(T);

impl<T: fmt::Display> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        plain::lines(&text).chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            character => f.write_char(character),
        })
    }
}

/// `1 h 02 min`, `3 min 05 s`, `42 s`.
pub(crate) fn took(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

pub(crate) const fn state(state: State) -> &'static str {
    match state {
        State::Running => "running",
        State::Over => "over",
        State::BrokenOff => "broken off",
    }
}

/// What became of a host, in one line.
pub(crate) fn result(became: &Became) -> String {
    match became {
        Became::Waiting => "not begun yet".to_owned(),
        Became::NotBegun { reason } => format!("not begun: {reason}"),
        Became::Running { job, .. } => format!("job {job} has not ended"),
        Became::Ended(ended) => ended.words.clone(),
    }
}

/// What the run was, in one line.
pub(crate) fn heading(summary: &Summary) -> String {
    let Summary { begun, ended, succeeded, not_succeeded, jobs, .. } = summary;
    let hosts = if jobs.len() == 1 { "1 host".to_owned() } else { format!("{} hosts", jobs.len()) };
    let took = ended.map(|ended| format!(", {}", took(ended.since(begun.at).as_secs()))).unwrap_or_default();
    format!(
        "run {}: {} of {hosts}, begun {}{took}, {}: {succeeded} done, {not_succeeded} not done",
        begun.run,
        begun.mode,
        calendar::for_people(begun.at),
        state(summary.run_state)
    )
}

impl Page<'_> {
    pub(crate) fn text(&self) -> String {
        let mut page = String::new();
        // Writing into a string cannot fail.
        let _ = self.write(&mut page);
        page
    }

    fn write(&self, page: &mut String) -> fmt::Result {
        let summary = self.summary;
        let title = Text(format!("{} {}", summary.begun.mode, summary.begun.run));
        write!(
            page,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{FRAME}{STYLE}</style></head>\n\
             <body><h1>{title}</h1>\n"
        )?;
        self.write_body(page)?;
        page.write_str("</body></html>\n")
    }

    /// All but the frame of the page, to stand in another one.
    pub(crate) fn body(&self) -> String {
        let mut body = String::new();
        // Writing into a string cannot fail.
        let _ = self.write_body(&mut body);
        body
    }

    fn write_body(&self, page: &mut String) -> fmt::Result {
        writeln!(page, "<p>{}</p>", Text(heading(self.summary)))?;
        self.totals(page)?;
        self.places(page)?;
        self.hosts(page)?;
        self.failures(page)?;
        self.hooks(page)
    }

    fn ended(&self) -> impl Iterator<Item = &Figures> {
        self.summary.jobs.iter().filter_map(|one| match &one.became {
            Became::Ended(ended) => Some(&ended.figures),
            _ => None,
        })
    }

    fn totals(&self, page: &mut String) -> fmt::Result {
        let moved: u64 = self.ended().filter_map(|figures| figures.bytes).fold(0, u64::saturating_add);
        let work: u64 = self.ended().map(|figures| figures.seconds).fold(0, u64::saturating_add);
        let (size, work) = (Text(bytes(moved)), Text(took(work)));
        writeln!(page, "<p>Altogether {size}, in {work} of work of all hosts.</p>")?;
        let mut damage = self.summary.damage.iter();
        damage
            .try_for_each(|why| writeln!(page, "<p class=\"bad\">The record is not whole: {}</p>", Text(why)))
    }

    /// What the measured rates have made of the number of jobs at the same time.
    fn places(&self, page: &mut String) -> fmt::Result {
        self.summary.places.iter().try_for_each(|places| {
            writeln!(page, "<p>{}: {}</p>", Text(calendar::for_people(places.at)), Text(places.words()))
        })
    }

    fn hosts(&self, page: &mut String) -> fmt::Result {
        let (from, until) = self.axis();
        let (left, right) = (calendar::for_people(from), calendar::for_people(until));
        writeln!(
            page,
            "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Hosts\"><table><thead><tr><th>Host</th><th>{} to {}</th><th class=\"n\">Took</th>\
             <th>Before</th><th class=\"n\">Size</th><th>Before</th><th class=\"n\">Rate</th><th>Result</th></tr></thead><tbody>",
            Text(left),
            Text(right)
        )?;
        self.summary.jobs.iter().try_for_each(|one| self.host(page, one, from, until))?;
        writeln!(page, "</tbody></table></div>")
    }

    /// From when until when jobs ran.
    fn axis(&self) -> (UnixTime, UnixTime) {
        let from = self.summary.begun.at;
        let times = self.summary.jobs.iter().filter_map(|one| match &one.became {
            Became::Ended(ended) => Some(ended.ended),
            Became::Running { since, .. } => Some(*since),
            _ => None,
        });
        (from, times.chain(self.summary.ended).fold(from, UnixTime::max))
    }

    fn host(&self, page: &mut String, one: &OfHost, from: UnixTime, until: UnixTime) -> fmt::Result {
        let (class, figures) = match &one.became {
            Became::Ended(ended) if ended.is_good() => ("good", Some(ended.figures)),
            Became::Ended(ended) => ("bad", Some(ended.figures)),
            Became::NotBegun { .. } => ("bad", None),
            Became::Waiting | Became::Running { .. } => ("open", None),
        };
        write!(page, "<tr><td>{}</td><td class=\"b\">", Text(&one.host))?;
        bar(page, &one.became, class, from, until)?;
        let before = self.before.get(&one.host).map(Vec::as_slice).unwrap_or_default();
        let seconds: Vec<u64> = before.iter().map(|figures| figures.seconds).collect();
        let sizes: Vec<u64> = before.iter().filter_map(|figures| figures.bytes).collect();
        let cell = |text: Option<String>| Text(text.unwrap_or_default());
        write!(page, "</td><td class=\"n\">{}</td><td>", cell(figures.map(|figures| took(figures.seconds))))?;
        plot(page, "times", &seconds, figures.map(|figures| figures.seconds))?;
        let size = figures.and_then(|figures| figures.bytes);
        write!(page, "</td><td class=\"n\">{}</td><td>", cell(size.map(bytes)))?;
        plot(page, "sizes", &sizes, size)?;
        let rate = figures.and_then(|figures| figures.rate).map(|rate| format!("{}/s", bytes(rate)));
        writeln!(
            page,
            "</td><td class=\"n\">{}</td><td class=\"{class}\">{}</td></tr>",
            cell(rate),
            Text(result(&one.became))
        )
    }

    fn failures(&self, page: &mut String) -> fmt::Result {
        if self.films.is_empty() {
            return Ok(());
        }
        writeln!(page, "<h2>What the screens of those that failed showed</h2>")?;
        self.films.iter().try_for_each(|(host, film)| {
            let words = self.summary.jobs.iter().find(|one| one.host == *host);
            let words = Text(words.map(|one| result(&one.became)).unwrap_or_default());
            write!(page, "<figure><figcaption><strong>{}</strong>: {words}</figcaption>", Text(host))?;
            strip(page, host, film)?;
            match &film.last {
                Ok(frame) => image(page, &format!("the last screen of {host}"), frame)?,
                Err(why) => write!(page, "<p>Its screenshot cannot be shown: {}</p>", Text(why))?,
            }
            writeln!(page, "</figure>")
        })
    }

    fn hooks(&self, page: &mut String) -> fmt::Result {
        if self.summary.hooks.is_empty() {
            return Ok(());
        }
        writeln!(page, "<h2>Hooks</h2>")?;
        self.summary.hooks.iter().try_for_each(|said| {
            let (of, became) = (said.of(), said.became());
            let class = if said.succeeded { "good" } else { "bad" };
            let (hook, output) = (Text(&said.hook), Text(&said.output));
            writeln!(
                page,
                "<p>{hook} for {}: <span class=\"{class}\">{became}</span></p><pre>{output}</pre>",
                Text(of)
            )
        })
    }
}

/// What led to the last screen, in small pictures.
fn strip(page: &mut String, host: &HostName, film: &Film) -> fmt::Result {
    if film.before.is_empty() {
        return Ok(());
    }
    write!(
        page,
        "<p>{} of {} screenshots before the last one:</p>",
        film.before.len(),
        film.taken.saturating_sub(1)
    )?;
    write!(
        page,
        "<div class=\"film\" tabindex=\"0\" role=\"region\" aria-label=\"Screens of {}\">",
        Text(host)
    )?;
    film.before
        .iter()
        .try_for_each(|frame| image(page, &format!("the screen of {host}, {}", frame.name), frame))?;
    page.write_str("</div>")
}

fn image(page: &mut String, words: &str, frame: &Frame) -> fmt::Result {
    let encoded = base64::engine::general_purpose::STANDARD.encode(&frame.png);
    write!(page, "<img alt=\"{}\" src=\"data:image/png;base64,{encoded}\">", Text(words))
}

/// When the host's job ran, on the time axis of the run.
fn bar(page: &mut String, became: &Became, class: &str, from: UnixTime, until: UnixTime) -> fmt::Result {
    let (began, ended) = match became {
        Became::Ended(ended) => (ended.began, ended.ended),
        Became::Running { since, .. } => (*since, until),
        Became::Waiting | Became::NotBegun { .. } => return Ok(()),
    };
    let whole = until.since(from).as_millis().max(1);
    let place = |at: UnixTime| {
        let place = at.since(from).as_millis() * u128::from(AXIS) / whole;
        u64::try_from(place).unwrap_or(AXIS).min(AXIS)
    };
    let left = place(began).min(AXIS - 2);
    let width = place(ended).saturating_sub(left).max(2);
    let words = Text(format!("{} to {}", calendar::for_people(began), calendar::for_people(ended)));
    write!(
        page,
        "<svg viewBox=\"0 0 {AXIS} 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{words}\">\
         <rect class=\"{class}\" x=\"{left}\" y=\"1\" width=\"{width}\" height=\"8\"/></svg>"
    )
}

/// Small columns: what was before, in grey, and now.
fn plot(page: &mut String, of: &str, before: &[u64], now: Option<u64>) -> fmt::Result {
    let Some(now) = now.filter(|_| !before.is_empty()) else { return Ok(()) };
    let highest = before.iter().copied().fold(now, u64::max).max(1);
    let width = (before.len() + 1) * 8;
    let words = before.iter().chain([&now]).map(u64::to_string).collect::<Vec<_>>().join(", ");
    write!(
        page,
        "<svg class=\"p\" viewBox=\"0 0 {width} {PLOT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"the last {of}: {words}\">"
    )?;
    let columns = before.iter().map(|value| (*value, "open")).chain([(now, "good")]);
    for (number, (value, class)) in columns.enumerate() {
        let height = u128::from(value) * u128::from(PLOT) / u128::from(highest);
        let height = u64::try_from(height).unwrap_or(PLOT).max(1);
        let (left, top) = (number * 8, PLOT.saturating_sub(height));
        // A rectangle in few bytes: there are some for each of 300 hosts.
        write!(page, "<path class=\"{class}\" d=\"M{left} {top}h6v{height}h-6z\"/>")?;
    }
    page.write_str("</svg>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::runs::tests::{begun, ended};
    use crate::state::runs::{Contents, Ended, HookSaid, Line, Places};

    const HOSTILE: &str = "</td><script>alert(1)</script>\"'&\u{202e}\x1b[2J";

    fn summary() -> Summary {
        let failed = Ended { words: HOSTILE.to_owned(), ..ended("pc3", 1) };
        let hook =
            HookSaid { hook: "tell".to_owned(), job: None, succeeded: false, output: HOSTILE.to_owned() };
        let lines = vec![
            Line::Begun(Box::new(begun("r1", &["pc2", "pc3", "pc4"]))),
            Line::JobEnded(Box::new(ended("pc2", 0))),
            Line::JobEnded(Box::new(failed)),
            Line::Hook(hook),
        ];
        Summary::of(Contents { lines, damage: Some(HOSTILE.to_owned()) }, false).unwrap()
    }

    fn page() -> String {
        let summary = summary();
        let figures = Figures { seconds: 30, bytes: Some(1 << 29), rate: None };
        let frame = |name: &str, png: &[u8]| Frame { name: name.to_owned(), png: png.to_vec() };
        let before = vec![frame("0001-interval", &[4]), frame("0004-interval", &[5])];
        let films = [
            ("pc3".parse().unwrap(), Film { last: Ok(frame("0007-stalled", &[1, 2, 3])), before, taken: 7 }),
            ("pc4".parse().unwrap(), Film { last: Err(HOSTILE.to_owned()), before: vec![], taken: 1 }),
        ];
        let before = [("pc2".parse().unwrap(), vec![figures])].into();
        Page { summary: &summary, before, films: films.into() }.text()
    }

    #[test]
    fn nothing_that_was_said_is_more_than_text_on_the_page() {
        let page = page();
        assert!(!page.contains("<script") && !page.contains('\u{202e}') && !page.contains('\x1b'), "{page}");
        assert_eq!(
            page.matches("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;").count(),
            5,
            "{page}"
        );
        // Nothing is loaded from anywhere.
        for loads in ["http:", "https:", "url(", "href", "src=\"h", "@import"] {
            assert!(!page.contains(loads), "{loads}");
        }
    }

    #[test]
    fn every_element_of_the_page_is_closed() {
        let page = page();
        let empty = ["!DOCTYPE", "meta", "img", "rect"];
        let mut open = Vec::new();
        for tag in page.split('<').skip(1) {
            let inside = tag.split('>').next().unwrap();
            let name = inside.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
            if inside.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "{inside}");
            } else if !empty.contains(&name) && !inside.ends_with('/') {
                open.push(name);
            }
        }
        assert_eq!(open, Vec::<&str>::new());
    }

    #[test]
    fn the_page_has_a_bar_on_the_axis_of_the_run_a_plot_and_a_picture() {
        let page = page();
        // From the run's begin at 1 s to its last end at 62 s, and the job ran from 2 s on.
        assert!(page.contains("<rect class=\"good\" x=\"16\" y=\"1\" width=\"984\""), "{page}");
        assert!(page.contains("aria-label=\"the last times: 30, 60\""), "{page}");
        assert!(page.contains("aria-label=\"the last sizes: 536870912, 1073741824\""), "{page}");
        assert!(page.contains("alt=\"the last screen of pc3\" src=\"data:image/png;base64,AQID\""), "{page}");
        // pc3's job ran as long as pc2's, on the same axis, and pc4's is not begun.
        assert!(page.contains("<rect class=\"bad\" x=\"16\" y=\"1\" width=\"984\""), "{page}");
        assert_eq!(page.matches("<rect").count(), 2, "{page}");
        assert!(page.contains("1 done, 2 not done"), "{page}");
    }

    #[test]
    fn what_led_to_the_last_screen_of_one_that_failed_stands_before_it_in_order() {
        let page = page();
        let strip = page.split("<div class=\"film\"").nth(1).unwrap().split("</div>").next().unwrap();
        let names: Vec<_> = strip.match_indices("alt=\"the screen of pc3, ").collect();
        assert_eq!(names.len(), 2, "{strip}");
        let (first, second) = (strip.find("0001-interval").unwrap(), strip.find("0004-interval").unwrap());
        assert!(first < second && strip.contains("base64,BA==") && strip.contains("base64,BQ=="), "{strip}");
        assert!(page.contains("<p>2 of 6 screenshots before the last one:</p>"), "{page}");
        assert_eq!(page.matches("class=\"film\"").count(), 1, "there is nothing before pc4's");
    }

    #[test]
    fn another_number_of_jobs_at_the_same_time_is_told_with_its_reason() {
        let at = UnixTime::from_millis(1_769_178_301_000);
        let places = Places { at, places: 9.try_into().unwrap(), why: HOSTILE.to_owned() };
        let lines = vec![Line::Begun(Box::new(begun("r1", &["pc2"]))), Line::Places(places)];
        let summary = Summary::of(Contents { lines, damage: None }, true).unwrap();
        let page = Page { summary: &summary, before: BTreeMap::new(), films: BTreeMap::new() }.text();
        let words = "<p>2026-01-23 14:25:01 UTC: at most 9 jobs at the same time from now on: &lt;/td&gt;&lt;script&gt;";
        assert!(page.contains(words), "{page}");
    }

    #[test]
    fn times_are_told_as_people_tell_them() {
        for (seconds, words) in [(0, "0 s"), (59, "59 s"), (185, "3 min 05 s"), (3_725, "1 h 02 min")] {
            assert_eq!(took(seconds), words);
        }
    }
}
