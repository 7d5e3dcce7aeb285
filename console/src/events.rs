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

use crate::desk::Desk;
use crate::pages::wall::Wall;
use crate::room::Place;

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

/// The wall that a viewer has been told of last. All who are told of the same one share it.
#[derive(Debug, Default)]
struct Told(Arc<Wall>);

impl Told {
    /// What the viewer does not know yet, as JSON. None if that is nothing.
    fn tell(&mut self, wall: &Arc<Wall>) -> Option<String> {
        let before = std::mem::replace(&mut self.0, Arc::clone(wall));
        if Arc::ptr_eq(&before, wall) {
            return None;
        }
        let known: HashMap<&HostName, &str> =
            before.tiles.iter().map(|(host, tile)| (host, &**tile)).collect();
        let is_new = |(host, tile): &&(HostName, String)| known.get(host) != Some(&tile.as_str());
        let tiles: Vec<_> =
            wall.tiles.iter().filter(is_new).map(|(host, tile)| (host.as_str(), &**tile)).collect();
        let order = || wall.tiles.iter().map(|(host, _)| host);
        let is_reordered = !order().eq(before.tiles.iter().map(|(host, _)| host));
        if tiles.is_empty() && !is_reordered && wall.counts == before.counts {
            return None;
        }
        let news = News {
            counts: &wall.counts,
            troubled: wall.troubled,
            order: is_reordered.then(|| order().map(HostName::as_str).collect()),
            tiles,
        };
        serde_json::to_string(&news).ok()
    }
}

/// The news for one viewer, as long as it listens.
pub(crate) fn of(
    desk: Arc<Desk>,
    place: Place<String>,
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

    fn wall(tiles: &[(&str, &str)]) -> Arc<Wall> {
        let tiles = tiles.iter().map(|(host, tile)| (host.parse().unwrap(), (*tile).to_owned())).collect();
        Arc::new(Wall { tiles, counts: "x".to_owned(), ..Wall::default() })
    }

    #[test]
    fn a_viewer_is_told_all_once_and_then_only_what_has_changed() {
        let mut told = Told::default();
        let all = told.tell(&wall(&[("pc2", "a"), ("pc3", "b")])).unwrap();
        assert_eq!(
            all,
            r#"{"counts":"x","troubled":0,"order":["pc2","pc3"],"tiles":[["pc2","a"],["pc3","b"]]}"#
        );
        let same = wall(&[("pc2", "a"), ("pc3", "b")]);
        assert_eq!((told.tell(&same), told.tell(&same)), (None, None));
        let one = told.tell(&wall(&[("pc2", "a"), ("pc3", "c")])).unwrap();
        assert_eq!(one, r#"{"counts":"x","troubled":0,"tiles":[["pc3","c"]]}"#);
        let order = told.tell(&wall(&[("pc3", "c"), ("pc2", "a")])).unwrap();
        assert_eq!(order, r#"{"counts":"x","troubled":0,"order":["pc3","pc2"],"tiles":[]}"#);
    }
}
