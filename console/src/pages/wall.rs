//! The wall: a tile a client, those with trouble first.

use std::collections::BTreeMap;

use ghost_contract::HostName;
use ghostctl::overview::{State, Tile};
use maud::{Markup, PreEscaped, html};

use super::{Frame, Place, minute};

/// The wall at one moment, as it is shown.
#[derive(Debug, Default)]
pub struct Wall {
    /// Host names in order, each with its tile.
    pub tiles: Vec<(HostName, String)>,
    /// How many are in which state, as HTML.
    pub counts: String,
    /// How many are in trouble.
    pub troubled: usize,
    /// What the tiles were made of.
    pub clients: BTreeMap<HostName, Tile>,
}

pub(crate) fn page(frame: &Frame<'_>, wall: &Wall) -> Markup {
    frame.page(Place::Wall, &html! {
        h1 { "Clients" }
        // Each of these was made below, from text.
        div id="counts" role="status" { (PreEscaped(&wall.counts)) }
        p id="trouble" class="bad said" role="alert" {}
        ul.wall id="wall" data-live="/events" {
            @for (_, tile) in &wall.tiles { (PreEscaped(tile)) }
        }
        // Shown while there is none: the first may come as news.
        p.first { "A client appears here with its first job. On the boot server: " code { "ghostctl test HOST" } }
    })
}

/// How many clients are in which state, those in trouble first.
pub(crate) fn counts(tiles: &[Tile]) -> String {
    let count = |state: State| tiles.iter().filter(|tile| tile.state == state).count();
    let some = State::ALL.into_iter().map(|state| (count(state), state)).filter(|(count, _)| *count > 0);
    html! {
        ul.counts {
            @for (count, state) in some { li class=(state.as_str()) { strong { (count) } " " (state.as_str()) } }
        }
    }
    .into_string()
}

/// One client. It holds no time that passes, so that it changes only when there is news.
pub(crate) fn tile(tile: &Tile, gist: Option<&str>) -> String {
    let host = tile.host.as_str();
    html! {
        li class=(format!("tile {}", tile.state.as_str())) id=(format!("tile-{host}")) {
            a href=(format!("/client/{host}")) {
                @if let Some(name) = &tile.screen {
                    img src=(format!("/thumb/{host}/{}/{name}", tile.job)) alt=(alt(host, gist)) loading="lazy" width="320" height="200";
                } @else {
                    span.no-screen { "no screen" }
                }
                span.name {
                    strong { (host) }
                    span.badge { (tile.mode) " " (tile.state.as_str()) }
                }
            }
            div.about {
                @if tile.state == State::Running { (at_work(tile)) } @else { p.phase { (tile.phase) } }
                p.since { (since(tile.state)) " " (minute(tile.since)) }
            }
        }
    }
    .into_string()
}

fn at_work(tile: &Tile) -> Markup {
    let doing = tile.doing.as_deref().unwrap_or(&tile.phase);
    html! {
        progress max="100" value=[tile.percent] aria-label=(format!("how far {} is", tile.host)) {}
        p.pace {
            span.percent { @if let Some(percent) = tile.percent { (percent) " %" } }
            span { (tile.rate_words()) }
            span { (tile.left_words()) }
        }
        p.phase { (doing) }
    }
}

const fn since(state: State) -> &'static str {
    match state {
        State::Running | State::Abandoned => "since",
        State::Failed | State::Done => "ended",
    }
}

fn alt(host: &str, gist: Option<&str>) -> String {
    match gist.filter(|gist| !gist.is_empty()) {
        Some(gist) => format!("The screen of {host}: {gist}"),
        None => format!("The screen of {host}, without text"),
    }
}
