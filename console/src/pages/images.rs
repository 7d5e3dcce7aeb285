//! The image store: what each client has there, and when it was read back last.

use std::collections::BTreeMap;

use ghost_contract::HostName;
use ghostctl::overview::pages::GenerationLine;
use maud::{Markup, html};

use super::{Frame, Place, minute, size};

/// What one client has.
struct OfHost<'a> {
    newest: &'a GenerationLine,
    count: usize,
    bytes: u64,
    bad: usize,
}

/// `retention`: what the settings keep, in words.
pub(crate) fn page(frame: &Frame<'_>, images: &[GenerationLine], retention: &str) -> Markup {
    let mut hosts: BTreeMap<&HostName, OfHost<'_>> = BTreeMap::new();
    for line in images {
        let of = hosts.entry(&line.host).or_insert(OfHost { newest: line, count: 0, bytes: 0, bad: 0 });
        (of.newest, of.count) = (line, of.count + 1);
        of.bytes = of.bytes.saturating_add(line.bytes.unwrap_or_default());
        of.bad += usize::from(!line.is_good);
    }
    let bytes = hosts.values().map(|of| of.bytes).fold(0, u64::saturating_add);
    let bad: usize = hosts.values().map(|of| of.bad).sum();
    let mut hosts: Vec<_> = hosts.into_iter().collect();
    // Those without a good newest generation come first, then those with any that is not good.
    hosts.sort_by_key(|(host, of)| (of.newest.is_good, of.bad == 0, *host));
    frame.page(
        Place::Images,
        &html! {
            h1 { "Images" }
            ul.figures {
                li { strong { (images.len()) } "generations" }
                li { strong { (size(Some(bytes))) } "in the store" }
                li { strong { (hosts.len()) } "clients" }
                li class=(if bad == 0 { "good" } else { "bad" }) { strong { (bad) } "not good" }
            }
            p.soft { (retention) }
            @if !hosts.is_empty() { div.card { (newest(&hosts)) } }
        },
    )
}

fn newest(hosts: &[(&HostName, OfHost<'_>)]) -> Markup {
    html! {
        div.wide { table {
            thead { tr {
                th scope="col" { "Client" } th scope="col" { "Newest" } th.n scope="col" { "Size" } th scope="col" { "Made" }
                th scope="col" { "Read back" } th.n scope="col" { "Generations" } th.n scope="col" { "All of them" }
            } }
            tbody {
                @for (host, of) in hosts {
                    tr {
                        td { a href=(format!("/client/{host}")) { (host) } }
                        td { (state(of.newest)) @if of.bad > usize::from(!of.newest.is_good) { " " span class="bad" { span.badge { (of.bad) " older not good" } } } }
                        td.n { (size(of.newest.bytes)) }
                        td { @if let Some(at) = of.newest.made { (minute(at)) } }
                        td { @if let Some(at) = of.newest.checked { (minute(at)) } }
                        td.n { (of.count) }
                        td.n { (size(Some(of.bytes))) }
                    }
                }
            }
        } }
    }
}

fn state(line: &GenerationLine) -> Markup {
    html! { span class=(if line.is_good { "good" } else { "bad" }) { span.badge { (line.state) } } }
}

/// The generations of one client, the newest first.
pub(crate) fn table(images: &[GenerationLine]) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="Generations" { table {
            thead { tr {
                th scope="col" { "Generation" } th scope="col" { "State" } th.n scope="col" { "Size" } th scope="col" { "Made" } th scope="col" { "Read back" }
            } }
            tbody {
                @for one in images.iter().rev() {
                    tr {
                        td { (one.generation) }
                        td { (state(one)) }
                        td.n { (size(one.bytes)) }
                        td { @if let Some(at) = one.made { (minute(at)) } }
                        td { @if let Some(at) = one.checked { (minute(at)) } }
                    }
                }
            }
        } }
    }
}
