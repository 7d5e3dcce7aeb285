//! The image store: all generations, their sizes, and when they were read back last.

use ghostctl::overview::pages::GenerationLine;
use maud::{Markup, html};

use super::{Frame, size, time};

pub(crate) fn page(frame: &Frame<'_>, images: &[GenerationLine]) -> Markup {
    let bytes = images.iter().filter_map(|one| one.bytes).fold(0, u64::saturating_add);
    let bad = images.iter().filter(|one| !one.is_good).count();
    frame.page(&html! {
        h1 { "Images" }
        p { (images.len()) " generations, " (size(Some(bytes))) " altogether; " (bad) " not good" }
        @if !images.is_empty() { (table(images, true)) }
    })
}

pub(crate) fn table(images: &[GenerationLine], with_hosts: bool) -> Markup {
    html! {
        div.wide { table {
            thead { tr { @if with_hosts { th { "Host" } } th { "Generation" } th { "State" } th.n { "Size" } th { "Made" } th { "Read back" } } }
            tbody {
                @for one in images.iter().rev() {
                    tr class=(if one.is_good { "done" } else { "failed" }) {
                        @if with_hosts { td { a href=(format!("/client/{}", one.host)) { (one.host) } } }
                        td { (one.generation) }
                        td { (one.state) }
                        td.n { (size(one.bytes)) }
                        td { @if let Some(at) = one.made { (time(at)) } }
                        td { @if let Some(at) = one.checked { (time(at)) } }
                    }
                }
            }
        } }
    }
}
