//! The wall's news, as server-sent events: only what has changed since the viewer was told last.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream;
use ghost_contract::HostName;
use ghostctl::overview::one_line;
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::desk::Desk;
use crate::pages::wall::Wall;
use crate::room::Place;

/// Between two looks for news.
const EVERY: Duration = Duration::from_secs(1);
/// After this long without an answer from the boot server's files, the wall says that what it shows is old.
const LATE: Duration = Duration::from_secs(10);
const WAITS: &str = "The boot server's disk or the image store does not answer; what is shown is old.";
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

/// Takes a word of trouble away, where nothing has changed meanwhile.
fn nothing_new(wall: &Wall) -> Option<String> {
    let (counts, troubled) = (&*wall.counts, wall.troubled);
    serde_json::to_string(&News { counts, troubled, order: None, tiles: Vec::new() }).ok()
}

/// The news for one viewer, as long as it listens.
pub(crate) fn of(
    desk: Arc<Desk>,
    place: Place<String>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let look = move || {
        let desk = Arc::clone(&desk);
        async move { desk.wall().await }
    };
    let viewer = Viewer {
        look,
        looking: None,
        told: Told::default(),
        is_first: true,
        in_trouble: false,
        _place: place,
    };
    let news = stream::unfold(viewer, |mut viewer| async move {
        let said = viewer.next().await;
        let event = match said {
            Said::News(news) => Event::default().event("news").data(news),
            Said::Trouble(why) => Event::default().event("trouble").data(one_line(&why)),
        };
        Some((Ok(event), viewer))
    });
    Sse::new(news).keep_alive(KeepAlive::new().interval(ALIVE))
}

/// One message to a browser that shows the wall live.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    News(String),
    Trouble(String),
}

type Look = JoinHandle<anyhow::Result<Arc<Wall>>>;

/// One who watches the wall. `look` begins a look at it.
struct Viewer<L> {
    look: L,
    /// A look that goes on. It is not given up when it takes long: what it waits for would be waited for once more.
    looking: Option<Look>,
    told: Told,
    is_first: bool,
    /// Whether trouble was the last that it was told.
    in_trouble: bool,
    _place: Place<String>,
}

impl<L, F> Viewer<L>
where
    L: FnMut() -> F,
    F: Future<Output = anyhow::Result<Arc<Wall>>> + Send + 'static,
{
    /// Waits until there is something to tell.
    async fn next(&mut self) -> Said {
        let said = self.look_on().await;
        self.in_trouble = matches!(said, Said::Trouble(_));
        said
    }

    async fn look_on(&mut self) -> Said {
        loop {
            if self.looking.is_none() && !std::mem::replace(&mut self.is_first, false) {
                tokio::time::sleep(EVERY).await;
            }
            let looking = self.looking.get_or_insert_with(|| tokio::spawn((self.look)()));
            let Ok(seen) = tokio::time::timeout(LATE, looking).await else {
                return Said::Trouble(WAITS.to_owned());
            };
            self.looking = None;
            match seen.map_err(anyhow::Error::from).and_then(|wall| wall) {
                Ok(wall) => {
                    let news = self.told.tell(&wall);
                    let comfort = || self.in_trouble.then(|| nothing_new(&wall)).flatten();
                    if let Some(news) = news.or_else(comfort) {
                        return Said::News(news);
                    }
                }
                Err(error) => return Said::Trouble(format!("{error:#}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use anyhow::Context as _;
    use tokio::sync::{Mutex, mpsc};

    use super::*;

    type Looking = Pin<Box<dyn Future<Output = anyhow::Result<Arc<Wall>>> + Send>>;

    fn wall(tiles: &[(&str, &str)]) -> Arc<Wall> {
        let tiles = tiles.iter().map(|(host, tile)| (host.parse().unwrap(), (*tile).to_owned())).collect();
        Arc::new(Wall { tiles, counts: "x".to_owned(), ..Wall::default() })
    }

    /// A viewer whose looks see what is sent, one after the other, and wait for it.
    fn viewer() -> (mpsc::UnboundedSender<Arc<Wall>>, Viewer<impl FnMut() -> Looking>) {
        let room = crate::room::Room::new(1, 1);
        let (sees, seen) = mpsc::unbounded_channel();
        let seen = Arc::new(Mutex::new(seen));
        let look = move || -> Looking {
            let seen = Arc::clone(&seen);
            Box::pin(async move { seen.try_lock()?.recv().await.context("nothing is to be seen any more") })
        };
        let _place = room.give(room.free_now().unwrap(), Some("anna".to_owned())).unwrap();
        (
            sees,
            Viewer { look, looking: None, told: Told::default(), is_first: true, in_trouble: false, _place },
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_does_not_come_back_is_told_of_and_not_begun_again() {
        let (sees, mut viewer) = viewer();
        let waits = || Said::Trouble(WAITS.to_owned());
        // A second look at the same time would find the first one's lock.
        assert_eq!((viewer.next().await, viewer.next().await), (waits(), waits()));
        sees.send(wall(&[("pc2", "a")])).unwrap();
        assert!(matches!(viewer.next().await, Said::News(news) if news.contains("pc2")));
        // The word of trouble goes when the boot server answers again, though nothing has changed.
        assert_eq!(viewer.next().await, waits());
        sees.send(wall(&[("pc2", "a")])).unwrap();
        assert_eq!(viewer.next().await, Said::News(r#"{"counts":"x","troubled":0,"tiles":[]}"#.to_owned()));
        // Where nothing has changed and the wall showed no trouble, the browser gets no message.
        sees.send(wall(&[("pc2", "a")])).unwrap();
        assert_eq!(viewer.next().await, waits());
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
