//! What `ghostctl doctor` finds.

use maud::{Markup, html};
use serde::Deserialize;

use super::Frame;

#[derive(Debug, Deserialize)]
struct Finding {
    check: String,
    state: String,
    found: String,
    mend: Option<String>,
}

/// `found`: its findings, one JSON object a line.
pub(crate) fn page(frame: &Frame<'_>, found: &str) -> Markup {
    let mut findings: Vec<Finding> =
        found.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let rank = |state: &str| ["bad", "warning", "good"].iter().position(|known| *known == state);
    findings.sort_by_key(|finding| rank(&finding.state));
    let class = |state: &str| if state == "good" { "done" } else { "failed" };
    frame.page(&html! {
        h1 { "Doctor" }
        p { "The whole set-up of the boot server, the worst first. It is examined at most once a minute." }
        div.wide { table {
            thead { tr { th { "What" } th { "State" } th { "Found" } th { "Mend" } } }
            tbody {
                @for one in &findings {
                    tr class=(class(&one.state)) {
                        td { (one.check) } td { (one.state) } td { (one.found) } td { (one.mend.as_deref().unwrap_or_default()) }
                    }
                }
            }
        } }
    })
}
