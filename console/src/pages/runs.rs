//! The runs, and the report of one.

use ghostctl::overview::pages::{RunLine, RunPage, duration};
use maud::{Markup, PreEscaped, html};

use super::{Frame, Place, minute};

/// The width of the bar, in its own units.
const SHARE: usize = 1_000;

pub(crate) fn list(frame: &Frame<'_>, runs: &[RunLine]) -> Markup {
    frame.page(Place::Runs, &html! {
        h1 { "Runs" }
        @if runs.is_empty() { p { "There was no run yet." } } @else {
            div.card { div.wide { table {
                thead { tr {
                    th scope="col" { "Run" } th scope="col" { "State" } th scope="col" { "Begun" } th.n scope="col" { "Took" }
                    th.n scope="col" { "Done" } th.n scope="col" { "Not done" } th scope="col" { "Progress" }
                } }
                tbody { @for one in runs { (row(one)) } }
            } } }
        }
    })
}

fn row(one: &RunLine) -> Markup {
    let link = html! { a href=(format!("/run/{}", one.run)) { (one.run) } };
    let Some(about) = &one.about else {
        return html! { tr { td { (link) } td.bad colspan="6" { (one.words) } } };
    };
    let hosts = about.succeeded + about.not_succeeded;
    let (class, words) = match about.state {
        "over" if about.not_succeeded == 0 => ("good", "done"),
        "over" => ("bad", "not all done"),
        "running" => ("running", "running"),
        other => ("abandoned", other),
    };
    html! {
        tr {
            td { (link) " " span.soft { (about.mode) " of " (hosts) @if hosts == 1 { " host" } @else { " hosts" } } }
            td class=(class) { span.badge { (words) } }
            td { (minute(about.at)) }
            td.n { @if let Some(took) = about.took { (duration(took.as_secs())) } }
            td.n { (about.succeeded) }
            td.n { (about.not_succeeded) }
            td { (share(about.succeeded, about.failed, hosts)) }
        }
    }
}

/// How many of all are done, and how many have failed; the rest is to come.
fn share(done: usize, failed: usize, all: usize) -> Markup {
    let part = |count: usize| count * SHARE / all.max(1);
    html! {
        svg.share viewBox=(format!("0 0 {SHARE} 10")) preserveAspectRatio="none" role="img" aria-label=(format!("{done} of {all} done, {failed} failed")) {
            rect.good x="0" y="0" width=(part(done)) height="10" {}
            rect.bad x=(part(done)) y="0" width=(part(failed)) height="10" {}
        }
    }
}

pub(crate) fn one(frame: &Frame<'_>, run: &RunPage) -> Markup {
    frame.page(
        Place::Runs,
        &html! {
            link rel="stylesheet" href="/run.css";
            h1 { (run.title) }
            // The library has made it, and all that was said in it is text.
            div.report.card { (PreEscaped(&run.body)) }
        },
    )
}
