//! The wall's news, as server-sent events: only what has changed since the viewer was told last.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream;
use ghost_contract::HostName;
use ghostctl::overview::one_line;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::desk::Desk;
use crate::pages::wall::Wall;

/// Between two looks for news.
const EVERY: Duration = Duration::from_secs(1);
/// Something is sent at least so often, so that a viewer who has gone is noticed.
const ALIVE: Duration = Duration::from_secs(15);

/// What has changed, for the script of the page.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct News<'a> {
    counts: &'a str,
    troubled: usize,
    /// All hosts in their order, if that has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<Vec<&'a str>>,
    /// The tiles that are new or have changed.
    tiles: Vec<(&'a str, &'a str)>,
}

/// What a viewer has been told.
#[derive(Debug, Default)]
struct Told {
    order: Vec<HostName>,
    tiles: HashMap<HostName, String>,
    counts: String,
}

impl Told {
    /// What the viewer does not know yet, as JSON. None if that is nothing.
    fn tell(&mut self, wall: &Wall) -> Option<String> {
        let is_new = |(host, tile): &&(HostName, String)| self.tiles.get(host) != Some(tile);
        let tiles: Vec<_> =
            wall.tiles.iter().filter(is_new).map(|(host, tile)| (host.as_str(), &**tile)).collect();
        let order: Vec<HostName> = wall.tiles.iter().map(|(host, _)| host.clone()).collect();
        let is_reordered = order != self.order;
        if tiles.is_empty() && !is_reordered && wall.counts == self.counts {
            return None;
        }
        let news = News {
            counts: &wall.counts,
            troubled: wall.troubled,
            order: is_reordered.then(|| order.iter().map(HostName::as_str).collect()),
            tiles,
        };
        let text = serde_json::to_string(&news).ok();
        self.tiles = wall.tiles.iter().cloned().collect();
        self.counts.clone_from(&wall.counts);
        self.order = order;
        text
    }
}

/// The news for one viewer, as long as it listens.
pub fn of(
    desk: Arc<Desk>,
    place: OwnedSemaphorePermit,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let begin = (desk, place, Told::default(), true);
    let news = stream::unfold(begin, |(desk, place, mut told, mut is_first)| async move {
        loop {
            if !std::mem::replace(&mut is_first, false) {
                tokio::time::sleep(EVERY).await;
            }
            let event = match desk.wall().await {
                Ok(wall) => told.tell(&wall).map(|news| Event::default().event("news").data(news)),
                Err(error) => Some(Event::default().event("trouble").data(one_line(&format!("{error:#}")))),
            };
            if let Some(event) = event {
                return Some((Ok(event), (desk, place, told, is_first)));
            }
        }
    });
    Sse::new(news).keep_alive(KeepAlive::new().interval(ALIVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(tiles: &[(&str, &str)]) -> Wall {
        let tiles = tiles.iter().map(|(host, tile)| (host.parse().unwrap(), (*tile).to_owned())).collect();
        Wall { tiles, counts: "x".to_owned(), troubled: 0 }
    }

    #[test]
    fn a_viewer_is_told_all_once_and_then_only_what_has_changed() {
        let mut told = Told::default();
        let all = told.tell(&wall(&[("pc2", "a"), ("pc3", "b")])).unwrap();
        assert_eq!(
            all,
            r#"{"counts":"x","troubled":0,"order":["pc2","pc3"],"tiles":[["pc2","a"],["pc3","b"]]}"#
        );
        assert_eq!(told.tell(&wall(&[("pc2", "a"), ("pc3", "b")])), None);
        let one = told.tell(&wall(&[("pc2", "a"), ("pc3", "c")])).unwrap();
        assert_eq!(one, r#"{"counts":"x","troubled":0,"tiles":[["pc3","c"]]}"#);
        let order = told.tell(&wall(&[("pc3", "c"), ("pc2", "a")])).unwrap();
        assert_eq!(order, r#"{"counts":"x","troubled":0,"order":["pc3","pc2"],"tiles":[]}"#);
    }
}
