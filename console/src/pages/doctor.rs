//! What `ghostctl doctor` finds.

use maud::{Markup, html};
use serde::Deserialize;

use super::{Frame, Place, plain_line};

/// From the worst on.
const STATES: [&str; 3] = ["bad", "warning", "good"];

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
        found.lines().filter(|line| !line.trim().is_empty()).map(finding).collect();
    findings.sort_by_key(|finding| STATES.iter().position(|known| *known == finding.state));
    let count = |state: &str| findings.iter().filter(|finding| finding.state == state).count();
    frame.page(Place::Doctor, &html! {
        h1 { "Doctor" }
        ul.counts {
            @for state in STATES { @if count(state) > 0 { li class=(state) { strong { (count(state)) } " " (state) } } }
        }
        p.soft { "The whole set-up of the boot server, the worst first. It is examined at most once a minute." }
        div.card { div.wide tabindex="0" role="region" aria-label="Findings" { table {
            thead { tr { th scope="col" { "State" } th scope="col" { "What" } th scope="col" { "Found" } th scope="col" { "Mend" } } }
            tbody {
                @for one in &findings {
                    tr class=(one.state) {
                        td { span.badge { (one.state) } } td { (one.check) } td { (one.found) } td { (one.mend.as_deref().unwrap_or_default()) }
                    }
                }
            }
        } } }
    })
}

/// A line that is no finding is shown as one: it may be why others are missing.
fn finding(line: &str) -> Finding {
    serde_json::from_str(line).unwrap_or_else(|_| Finding {
        check: "ghostctl doctor".to_owned(),
        state: "bad".to_owned(),
        found: plain_line(line),
        mend: Some("run 'ghostctl doctor' on the boot server".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_finding_is_shown_and_stands_first() {
        let frame = Frame { title: "Doctor", who: "anna", word: None };
        let good = r#"{"check":"store","state":"good","found":"there","mend":null}"#;
        let page = page(&frame, &format!("{good}\nthread 'main' <panicked>\n")).into_string();
        let (panicked, store) = (page.find("&lt;panicked&gt;").unwrap(), page.find(">store<").unwrap());
        assert!(panicked < store && page.contains("<strong>1</strong> bad"), "{page}");
    }
}
