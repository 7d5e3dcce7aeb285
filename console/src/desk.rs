//! What all who look share: the settings, what was read so far, and the last look at the wall.
//!
//! The jobs are looked at when somebody asks and the last look is too old. So ten viewers cost as much as one, and without a
//! viewer nothing is looked at.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use ghost_contract::{HostName, JobId};
use ghostctl::job::{Identity, Sample};
use ghostctl::overview::pages::{GenerationLine, RunLine, RunPage};
use ghostctl::overview::{Overview, Past, State, Tile, pages, screens};
use ghostctl::run::RunId;
use ghostctl::site::Site;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::pages::wall::{self, Wall};
use crate::pictures::Pictures;

/// A look at the wall is taken again after this.
const FRESH: Duration = Duration::from_secs(1);
/// So many runs are listed.
const RUNS: usize = 200;
/// So many readings are drawn.
const SAMPLES: usize = 240;
/// A picture of the wall is at most so wide and high: a screen of letters stays as it is, to be read on a large monitor.
const SMALL: u32 = 720;
/// The wall shows the first so many characters of a screen's text.
const GIST: usize = 100;
/// A page shows no more screenshots than these, the newest.
const FILMSTRIP: usize = 240;

/// All that the page of a client shows.
#[derive(Debug)]
pub struct Client {
    pub host: HostName,
    pub subject: Option<(Identity, bool)>,
    pub tile: Option<Tile>,
    pub screens: Result<Vec<String>, String>,
    /// How many it has taken.
    pub taken: usize,
    /// What there is to read on the last screenshot.
    pub text: Option<String>,
    pub samples: Vec<Sample>,
    pub past: Vec<Past>,
    pub generations: Result<Vec<GenerationLine>, String>,
    /// What of them is kept, in words.
    pub retention: String,
}

pub struct Desk {
    site: Site,
    overview: Mutex<Overview>,
    /// What the screenshots of the wall show, in a few words.
    gists: Mutex<BTreeMap<(JobId, String), String>>,
    wall: tokio::sync::Mutex<Option<(Instant, Arc<Wall>)>>,
    pictures: Pictures,
    /// One page that reads much at a time.
    reading: Semaphore,
    /// One picture at a time: a large one takes much memory.
    drawing: Semaphore,
}

impl Desk {
    pub fn new(site: Site) -> Self {
        Self {
            site,
            overview: Mutex::default(),
            gists: Mutex::default(),
            wall: tokio::sync::Mutex::default(),
            pictures: Pictures::default(),
            reading: Semaphore::new(1),
            drawing: Semaphore::new(1),
        }
    }

    /// The wall, at most a second old.
    pub async fn wall(self: &Arc<Self>) -> anyhow::Result<Arc<Wall>> {
        let mut last = self.wall.lock().await;
        if let Some((at, wall)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(wall));
        }
        let desk = Arc::clone(self);
        let wall = Arc::new(tokio::task::spawn_blocking(move || desk.look()).await??);
        *last = Some((Instant::now(), Arc::clone(&wall)));
        Ok(wall)
    }

    fn look(&self) -> anyhow::Result<Wall> {
        let mut overview = self.overview.lock().unwrap_or_else(PoisonError::into_inner);
        let tiles = overview.look(&self.site)?;
        let mut gists = self.gists.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *gists);
        let mut wall = Wall { counts: wall::counts(&tiles), ..Wall::default() };
        wall.troubled =
            tiles.iter().filter(|tile| matches!(tile.state, State::Failed | State::Abandoned)).count();
        for tile in &tiles {
            let gist = tile.screen.as_ref().map(|name| {
                let key = (tile.job.clone(), name.clone());
                let gist = before.remove(&key).unwrap_or_else(|| self.gist(&mut overview, tile, name));
                gists.insert(key, gist.clone());
                gist
            });
            wall.tiles.push((tile.host.clone(), wall::tile(tile, gist.as_deref())));
        }
        wall.clients = tiles.into_iter().map(|tile| (tile.host.clone(), tile)).collect();
        Ok(wall)
    }

    /// The first words of a screen, without what only draws letters and boxes, as screen readers read them aloud. Empty if
    /// there are none, or if the text cannot be read.
    fn gist(&self, overview: &mut Overview, tile: &Tile, name: &str) -> String {
        let identity = overview.job(&self.site, &tile.host, &tile.job).ok().flatten();
        let text = identity.and_then(|identity| screens::text(&self.site, &identity, name).ok().flatten());
        words_of(&text.unwrap_or_default()).chars().take(GIST).collect()
    }

    /// Does something that takes a while, one at a time.
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        what: impl FnOnce(&Self) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let _turn = self.reading.acquire().await?;
        let desk = Arc::clone(self);
        tokio::task::spawn_blocking(move || what(&desk)).await.context("the page could not be made")?
    }

    /// None if nothing is known of such a host.
    pub async fn client(self: &Arc<Self>, host: HostName) -> anyhow::Result<Option<Client>> {
        let tile = self.wall().await?.clients.get(&host).cloned();
        self.read(move |desk| desk.read_client(host, tile)).await
    }

    fn read_client(&self, host: HostName, tile: Option<Tile>) -> anyhow::Result<Option<Client>> {
        let site = &self.site;
        let (subject, past) = {
            let mut overview = self.overview.lock().unwrap_or_else(PoisonError::into_inner);
            let identity =
                tile.as_ref().map(|tile| overview.job(site, &host, &tile.job)).transpose()?.flatten();
            let runs = tile.as_ref().is_some_and(|tile| tile.state.has_a_job());
            (identity.map(|identity| (identity, runs)), overview.past(site, &host)?)
        };
        let generations = pages::generations(site, Some(&host)).map_err(|error| format!("{error:#}"));
        if subject.is_none() && generations.as_ref().is_ok_and(Vec::is_empty) && !self.is_declared(&host) {
            return Ok(None);
        }
        let retention = pages::retention(site, Some(&host));
        let mut client = Client {
            host,
            retention,
            tile,
            screens: Ok(Vec::new()),
            taken: 0,
            text: None,
            samples: Vec::new(),
            past,
            generations,
            subject: None,
        };
        if let Some((identity, runs)) = subject {
            let names = screens::names(site, &identity).map_err(|error| format!("{error:#}"));
            client.taken = names.as_ref().map_or(0, |found| found.left_out + found.names.len());
            client.screens =
                names.map(|found| found.names[found.names.len().saturating_sub(FILMSTRIP)..].to_vec());
            let last = client.screens.as_ref().ok().and_then(|names| names.last());
            client.text = last.and_then(|name| screens::text(site, &identity, name).ok().flatten());
            // What cannot be read is not drawn; the record says how the job ended.
            client.samples = pages::samples(site, &identity, runs, SAMPLES).unwrap_or_default();
            client.subject = Some((identity, runs));
        }
        Ok(Some(client))
    }

    /// Whether the DHCP configuration has the host. A configuration that cannot be read has none.
    fn is_declared(&self, host: &HostName) -> bool {
        self.site.hosts().is_ok_and(|hosts| hosts.list().iter().any(|listed| listed.name == host.as_str()))
    }

    pub async fn runs(self: &Arc<Self>) -> anyhow::Result<Vec<RunLine>> {
        self.read(|desk| pages::runs(&desk.site, RUNS)).await
    }

    pub async fn run(self: &Arc<Self>, run: RunId) -> anyhow::Result<Option<RunPage>> {
        self.read(move |desk| pages::run(&desk.site, &run)).await
    }

    pub async fn images(self: &Arc<Self>) -> anyhow::Result<Vec<GenerationLine>> {
        self.read(|desk| pages::generations(&desk.site, None)).await
    }

    pub fn retention(&self) -> String {
        pages::retention(&self.site, None)
    }

    pub async fn metrics(self: &Arc<Self>) -> anyhow::Result<String> {
        self.read(|desk| pages::metrics(&desk.site)).await
    }

    /// A screenshot, drawn anew. None if there is no such job or picture.
    pub async fn picture(
        self: &Arc<Self>,
        (host, job, name): (HostName, JobId, String),
        is_small: bool,
    ) -> anyhow::Result<Option<Arc<[u8]>>> {
        let key = (job.clone(), name.clone());
        if is_small && let Some(kept) = self.pictures.get(&key) {
            return Ok(Some(kept));
        }
        let _turn = self.drawing.acquire().await?;
        // All who watch the wall ask for a new picture at the same time; the first one has it drawn.
        if is_small && let Some(kept) = self.pictures.get(&key) {
            return Ok(Some(kept));
        }
        let desk = Arc::clone(self);
        let drawn = tokio::task::spawn_blocking(move || {
            let mut overview = desk.overview.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(identity) = overview.job(&desk.site, &host, &job)? else { return Ok(None) };
            drop(overview);
            screens::picture(&desk.site, &identity, &name, is_small.then_some(SMALL))
        });
        let Some(picture) = drawn.await.context("the picture could not be drawn")?? else { return Ok(None) };
        let picture: Arc<[u8]> = picture.into();
        if is_small {
            self.pictures.keep(key, &picture);
        }
        Ok(Some(picture))
    }
}

fn words_of(screen: &str) -> String {
    let words = screen.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_picture_that_many_ask_for_at_the_same_time_is_drawn_once() {
        let folder = tempfile::tempdir().unwrap();
        let _written = ghostctl::sample::BootServer::new(folder.path(), 1, "");
        let desk = Arc::new(Desk::new(Site::open(&folder.path().join("ghostrc"), Duration::ZERO).unwrap()));
        let job: JobId = "20260123-142501-4f3a".parse().unwrap();
        let key = (job.clone(), "0001-interval".to_owned());
        let turn = desk.drawing.acquire().await.unwrap();
        let (other, name) = (Arc::clone(&desk), key.1.clone());
        let second =
            tokio::spawn(async move { other.picture(("pc1".parse().unwrap(), job, name), true).await });
        tokio::task::yield_now().await;
        assert!(!second.is_finished(), "the first one has it drawn");
        let drawn: Arc<[u8]> = [1, 2, 3].into();
        desk.pictures.keep(key, &drawn);
        drop(turn);
        // There is no such file, so it cannot be drawn once more.
        assert_eq!(second.await.unwrap().unwrap(), Some(drawn));
    }

    #[test]
    fn what_only_draws_letters_and_boxes_is_no_word() {
        let screen = "backup: reading  42 %\n █████ ███  █\n┌────┐\n│ Press any key │\n└────┘\n";
        assert_eq!(super::words_of(screen), "backup: reading 42 Press any key");
    }
}
