//! The wall: a tile a client, those with trouble first.

use ghost_contract::HostName;
use ghostctl::overview::{State, Tile};
use maud::{Markup, PreEscaped, html};

use super::{Frame, time};

/// The wall at one moment, as it is shown.
#[derive(Debug, Default)]
pub struct Wall {
    /// Host names in order, each with its tile.
    pub tiles: Vec<(HostName, String)>,
    pub counts: String,
    /// How many are in trouble.
    pub troubled: usize,
}

pub(crate) fn page(frame: &Frame<'_>, wall: &Wall) -> Markup {
    frame.page(&html! {
        h1 { "Clients" }
        p id="counts" role="status" { (wall.counts) }
        p id="trouble" class="bad" role="alert" {}
        @if wall.tiles.is_empty() {
            p { "A client appears here with its first job. On the boot server: " code { "ghostctl test HOST" } }
        }
        ul.wall id="wall" data-live="/events" {
            // Each was made by `tile`, from text.
            @for (_, tile) in &wall.tiles { (PreEscaped(tile)) }
        }
    })
}

/// One client. It holds no time that passes, so that it changes only when there is news.
pub(crate) fn tile(tile: &Tile, gist: Option<&str>) -> String {
    let host = tile.host.as_str();
    let page = format!("/client/{host}");
    html! {
        li class=(format!("tile {}", tile.state.as_str())) id=(format!("tile-{host}")) {
            a href=(page) {
                @if let Some(name) = &tile.screen {
                    img src=(format!("/thumb/{host}/{}/{name}", tile.job)) alt=(alt(host, gist)) loading="lazy" width="320" height="200";
                } @else {
                    span.no-screen { "no screenshot yet" }
                }
                strong { (host) }
            }
            span.state { (tile.mode) ": " (tile.state.as_str()) }
            @if tile.state == State::Running {
                @let doing = tile.doing.as_deref().unwrap_or(&tile.phase);
                span.phase { (doing) }
                progress max="100" value=[tile.percent] aria-label=(format!("how far {host} is")) {}
                span.pace {
                    @if let Some(percent) = tile.percent { (percent) " % " }
                    (tile.rate_words()) " " (tile.left_words())
                }
            } @else {
                span.phase { (tile.phase) }
            }
            span.since { "since " (time(tile.since)) }
        }
    }
    .into_string()
}

fn alt(host: &str, gist: Option<&str>) -> String {
    match gist.filter(|gist| !gist.is_empty()) {
        Some(gist) => format!("The screen of {host}: {gist}"),
        None => format!("The screen of {host}, without text"),
    }
}
