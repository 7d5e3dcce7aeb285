//! One client: its screens, how fast it works, what jobs it had, what generations it has.

use ghost_contract::JobId;
use ghostctl::job::Sample;
use ghostctl::overview::{Past, State, Tile, lines_of_screen, pages};
use maud::{Markup, html};

use super::{Frame, Place, images, minute, size, time};
use crate::acts::Done;
use crate::desk::Client;

/// The plot's own units.
const WIDTH: u64 = 600;
const HEIGHT: u64 = 100;
/// So much of it stays free above the highest point.
const HEADROOM: u64 = 10;
/// So many jobs are listed.
const JOBS: usize = 50;

pub(crate) fn page(frame: &Frame<'_>, client: &Client, acts: &[Done]) -> Markup {
    frame.page(
        Place::Wall,
        &html! {
            h1 { (client.host) }
            div.columns {
                div { (screens(client)) }
                div {
                    @if let Some(tile) = &client.tile { (now(tile)) }
                    @else { div.card { "It has had no job yet." } }
                    @if let Some(word) = &frame.word { (forms(client, word)) }
                    (done(acts))
                    @if !client.samples.is_empty() { (paces(&client.samples)) }
                }
            }
            section.card {
                h2 { "Generations" }
                p.soft { (client.retention) }
                @match &client.generations {
                    Ok(list) if list.is_empty() => { p { "There are none." } }
                    Ok(list) => { (images::table(list)) }
                    Err(why) => { p.bad.said { "They cannot be listed: " (why) } }
                }
            }
            (past(&client.past))
        },
    )
}

fn now(tile: &Tile) -> Markup {
    let (rate, left) = (tile.rate_words(), tile.left_words());
    html! {
        section class=(format!("card {}", tile.state.as_str())) {
            h2 { "Now " span.badge { (tile.mode) " " (tile.state.as_str()) } }
            @if tile.state == State::Running {
                progress max="100" value=[tile.percent] aria-label=(format!("how far {} is", tile.host)) {}
            }
            dl {
                dt { @if tile.state == State::Running { "Phase" } @else { "Ended" } } dd { (tile.phase) }
                @if let Some(doing) = &tile.doing { dt { "Doing" } dd { (doing) } }
                @if let Some(percent) = tile.percent { dt { "Done" } dd { (percent) " %" } }
                @if !rate.is_empty() { dt { "Rate" } dd { (rate) } }
                @if !left.is_empty() { dt { "Time" } dd { (left) } }
                dt { "Since" } dd { (time(tile.since)) }
                dt { "Job" } dd { (tile.job) }
            }
        }
    }
}

fn screens(client: &Client) -> Markup {
    let Some((identity, _)) = &client.subject else { return html! {} };
    let (host, job) = (client.host.as_str(), &identity.job);
    html! {
        section.card {
            h2 { "Screen" }
            @match &client.screens {
                Err(why) => { p.bad.said { (why) } }
                Ok(names) if names.is_empty() => { p { "The job " (job) " has taken no screenshot." } }
                Ok(names) => {
                    @let last = &names[names.len() - 1];
                    figure {
                        a href=(format!("/screen/{host}/{job}/{last}")) {
                            img.screen src=(format!("/screen/{host}/{job}/{last}")) alt=(format!("The last screen of {host}; its text is below"));
                        }
                        figcaption { (last) }
                    }
                    @if let Some(text) = &client.text {
                        details { summary { "Its text" } pre tabindex="0" { (text) } }
                    } @else { p.soft { "The screen has no text." } }
                    @if names.len() > 1 { (film(host, job, names, client.taken)) }
                }
            }
        }
    }
}

fn film(host: &str, job: &JobId, names: &[String], taken: usize) -> Markup {
    let of = if taken > names.len() {
        format!("The last {} of {taken} screens", names.len())
    } else {
        "All screens".to_owned()
    };
    html! {
        h3 { (of) " of this job, the newest first" }
        ol.film tabindex="0" aria-label="Screens, the newest first" {
            @for name in names.iter().rev() {
                li {
                    a href=(format!("/screen/{host}/{job}/{name}")) {
                        img src=(format!("/thumb/{host}/{job}/{name}")) alt="" loading="lazy" width="160" height="100";
                        (name)
                    }
                }
            }
        }
    }
}

fn paces(samples: &[Sample]) -> Markup {
    html! {
        section.card {
            h2 { "How fast" }
            (plot("Network", samples, |sample| sample.received.saturating_add(sample.sent)))
            (plot("Disk", samples, |sample| sample.disk_read.saturating_add(sample.disk_written)))
        }
    }
}

/// Bytes a second between two readings, as a line.
fn plot(of: &str, samples: &[Sample], bytes: impl Fn(&Sample) -> u64) -> Markup {
    let rate = |pair: &[Sample]| {
        let millis = pair[1].uptime.saturating_sub(pair[0].uptime).max(1);
        let more = u128::from(bytes(&pair[1]).saturating_sub(bytes(&pair[0])));
        u64::try_from(more * 1_000 / u128::from(millis)).unwrap_or(u64::MAX)
    };
    let rates: Vec<u64> = samples.windows(2).map(rate).collect();
    let (Some(highest), Some(last)) = (rates.iter().max(), rates.last()) else { return html! {} };
    let steps = u64::try_from(rates.len()).unwrap_or(1).max(2) - 1;
    let points: Vec<String> = (0..)
        .zip(&rates)
        .map(|(step, rate)| {
            let high = u128::from(*rate) * u128::from(HEIGHT - HEADROOM) / u128::from((*highest).max(1));
            let high = u64::try_from(high).unwrap_or(HEIGHT);
            format!("{},{}", step * WIDTH / steps, HEIGHT.saturating_sub(high))
        })
        .collect();
    let line = points.join(" ");
    let words = format!("{of}: {}/s at last, {}/s at most", pages::size(*last), pages::size(*highest));
    html! {
        figure {
            figcaption { (words) }
            svg.plot viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(words) {
                polygon points=(format!("0,{HEIGHT} {line} {WIDTH},{HEIGHT}")) {}
                polyline points=(line) {}
            }
        }
    }
}

fn forms(client: &Client, word: &str) -> Markup {
    let runs = client.subject.as_ref().is_some_and(|(_, runs)| *runs);
    let host = client.host.as_str();
    let button = |act: &str, words: &str| {
        html! { button name="act" value=(act) { (words) } }
    };
    let hidden = html! {
        input type="hidden" name="host" value=(host);
        input type="hidden" name="word" value=(word);
    };
    html! {
        section.card {
            h2 { "Act" }
            form method="post" action="/act" {
                (hidden)
                @if runs { (button("look", "Look now")) (button("cancel", "Cancel the job")) }
                @else { (button("backup", "Back up")) (button("verify", "Verify the newest generation")) (button("test", "Test")) }
            }
            @if !runs {
                form method="post" action="/act" {
                    (hidden)
                    label for="typed" { "A restore overwrites the disk. Type " strong { (host) } " to go on:" }
                    input id="typed" name="typed" autocomplete="off" required;
                    button.danger name="act" value="restore" { "Restore the newest generation" }
                }
            }
        }
    }
}

fn done(acts: &[Done]) -> Markup {
    html! {
        @if !acts.is_empty() {
            section.card {
                h2 { "What people asked for here" }
                ul {
                    @for one in acts.iter().take(20) {
                        li {
                            (time(one.at)) " " (one.who.0) ": " (one.act.verb())
                            @match &one.became {
                                Some(became) => { pre { (lines_of_screen(became)) } }
                                None => { ", still running" }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn past(past: &[Past]) -> Markup {
    html! {
        section.card {
            h2 { "Jobs" }
            @if past.is_empty() { p { "None has ended yet." } } @else {
                div.wide tabindex="0" role="region" aria-label="Jobs that are over" { table {
                    thead { tr {
                        th scope="col" { "Job" } th scope="col" { "Mode" } th scope="col" { "How it ended" } th scope="col" { "Ended" }
                        th.n scope="col" { "Took" } th.n scope="col" { "Size" } th.n scope="col" { "Rate" }
                    } }
                    tbody {
                        @for one in past.iter().take(JOBS) {
                            tr {
                                td { (one.identity.job) }
                                td { (one.identity.mode) }
                                td class=(if one.is_good { "good" } else { "bad said" }) { @if one.is_good { span.badge { (one.words) } } @else { (one.words) } }
                                td { (minute(one.ended)) }
                                td.n { (pages::duration(one.ended.since(one.began).as_secs())) }
                                td.n { (size(one.bytes)) }
                                td.n { @if one.rate.is_some() { (size(one.rate)) "/s" } }
                            }
                        }
                    }
                } }
            }
        }
    }
}
