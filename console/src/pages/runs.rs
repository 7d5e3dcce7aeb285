//! The runs, and the report of one.

use ghostctl::overview::pages::{RunLine, RunPage};
use maud::{Markup, PreEscaped, html};

use super::Frame;

pub(crate) fn list(frame: &Frame<'_>, runs: &[RunLine]) -> Markup {
    frame.page(&html! {
        h1 { "Runs" }
        @if runs.is_empty() { p { "There was no run yet." } }
        ul {
            @for one in runs {
                li class=(if one.not_done == 0 { "done" } else { "failed" }) {
                    a href=(format!("/run/{}", one.run)) { (one.words) }
                }
            }
        }
    })
}

pub(crate) fn one(frame: &Frame<'_>, run: &RunPage) -> Markup {
    frame.page(&html! {
        link rel="stylesheet" href="/run.css";
        h1 { (run.title) }
        // The library has made it, and all that was said in it is text.
        (PreEscaped(&run.body))
    })
}
