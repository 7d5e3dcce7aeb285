//! `ghostctl top`: the live table on a terminal, or the same table once.
//!
//! What is read and done for it is done on a thread, so that a file system that does not answer keeps neither keys nor
//! signals waiting.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use ghost_contract::{HostName, JobId};
use ratatui::Terminal;
use ratatui::layout::{Rect, Size};

use crate::exit::Exit;
use crate::output::{Form, Output};
use crate::overview::{self, Overview, Tile};
use crate::runner::lengthy::Lengthy;
use crate::site::Site;
use crate::state::cancel;
use crate::sys::full_screen::FullScreen;
use crate::sys::signals::{self, Asked, Stops};
use crate::sys::{clock, terminal};
use crate::top::ansi::{self, Ansi};
use crate::top::frame::{self, Colours};
use crate::top::keys::Keys;
use crate::top::{Action, Event, Screenshot, Top};

/// Between two looks at what the jobs write.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the rest of a key's bytes may take.
const REST_OF_A_KEY: Duration = Duration::from_millis(50);
const CANNOT_SHOW: &str = "cannot use the terminal for the live table";

pub(super) fn run(site: &Site, output: &mut Output) -> anyhow::Result<Exit> {
    let mut overview = Overview::default();
    let tiles = overview.look(site)?;
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    match output.form() {
        Form::Json => tiles.iter().for_each(|tile| output.json(tile)),
        Form::Plain if is_dumb || !terminal::is_attended() => print(&tiles, output),
        Form::Plain => {
            Live::begin(site, overview, tiles).context(CANNOT_SHOW)?.watch().context(CANNOT_SHOW)?
        }
    }
    Ok(Exit::Done)
}

fn print(tiles: &[Tile], output: &mut Output) {
    if tiles.is_empty() {
        return output.line(&overview::counts(tiles));
    }
    let heading = ["HOST", "VERB", "STATE", "DONE", "RATE", "TIME LEFT", "PHASE"].map(str::to_owned);
    let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let rows: Vec<[String; 7]> = tiles
        .iter()
        .map(|tile| {
            let percent = tile.percent.map(|percent| format!("{percent} %")).unwrap_or_default();
            [
                tile.host.to_string(),
                tile.mode.to_string(),
                tile.state.as_str().to_owned(),
                or_none(percent),
                or_none(tile.rate_words()),
                or_none(tile.left_words().trim_end_matches(" left").to_owned()),
                tile.phase.clone(),
            ]
        })
        .collect();
    output.table(&heading, &rows);
}

/// What the thread works with.
struct Reader {
    site: Site,
    overview: Mutex<Overview>,
}

struct Live {
    reader: Arc<Reader>,
    thread: Lengthy<Event>,
    is_looking: bool,
    looked: Duration,
    stops: Stops,
    keys: Keys,
    top: Top,
    colours: Colours,
    drawn: Terminal<Ansi>,
    /// Dropped before all else is given up.
    screen: FullScreen,
}

impl Live {
    fn begin(site: &Site, overview: Overview, tiles: Vec<Tile>) -> anyhow::Result<Self> {
        let reader = Reader { site: site.clone(), overview: Mutex::new(overview) };
        // From now on no signal ends this without giving the terminal back.
        let stops = Stops::watch()?;
        let thread = Lengthy::on_one_thread()?;
        let no_colours = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let screen = FullScreen::take(ansi::BEGIN, ansi::END)?;
        Ok(Self {
            reader: Arc::new(reader),
            thread,
            is_looking: false,
            looked: clock::uptime(),
            stops,
            keys: Keys::default(),
            top: Top::new(tiles, clock::now()),
            colours: if no_colours { Colours::None } else { Colours::Few },
            drawn: Terminal::new(Ansi::of(Size::from(screen.size())))?,
            screen,
        })
    }

    /// Until a person, a signal or the end of the terminal ends it.
    fn watch(mut self) -> anyhow::Result<()> {
        loop {
            // A terminal that is gone shows nothing any more.
            if self.draw()?.is_err() || self.screen.send(&[]).is_err() {
                return Ok(());
            }
            self.screen.wait(&[self.stops.as_fd(), self.thread.as_fd()], self.timeout());
            for asked in self.stops.take() {
                match asked {
                    Asked::Stop(_) => return Ok(()),
                    Asked::Pause => self.pause()?,
                }
            }
            let Ok(typed) = self.screen.read() else { return Ok(()) };
            let mut keys = self.keys.take(&typed);
            if typed.is_empty() {
                keys.extend(self.keys.give_up());
            }
            let mut events: Vec<Event> = keys.into_iter().map(Event::Pressed).collect();
            events.extend(self.read());
            for event in events {
                if let Some(action) = self.top.decide(event) {
                    if action == Action::Quit {
                        return Ok(());
                    }
                    self.perform(action);
                }
            }
            self.look_if_due();
        }
    }

    fn draw(&mut self) -> anyhow::Result<std::io::Result<()>> {
        if !self.screen.is_ready() {
            return Ok(Ok(()));
        }
        let size = Size::from(self.screen.size());
        if self.drawn.backend_mut().size_is_new(size) {
            self.drawn.resize(Rect::from((ratatui::layout::Position::ORIGIN, size)))?;
        }
        self.drawn.draw(|frame| frame::draw(&self.top, self.colours, frame.buffer_mut()))?;
        let bytes = self.drawn.backend_mut().take();
        Ok(self.screen.send(&bytes))
    }

    fn timeout(&self) -> Duration {
        if self.keys.is_within() {
            return REST_OF_A_KEY;
        }
        (self.looked + LOOK_EVERY).saturating_sub(clock::uptime())
    }

    /// As Ctrl-Z asks. One that a shell has go on in the background stands still until it has the terminal again.
    fn pause(&mut self) -> anyhow::Result<()> {
        self.screen.give_back();
        signals::pause();
        while !terminal::is_attended() {
            signals::pause();
        }
        self.screen.again()?;
        self.drawn.clear()?;
        Ok(())
    }

    /// What the thread has read and done.
    fn read(&mut self) -> Vec<Event> {
        let taken = self.thread.take().into_iter();
        let events: Vec<Event> = taken
            .map(|(_, event)| {
                event.unwrap_or_else(|_| {
                    Event::LookFailed("a bug in ghostctl: see its message after the end".to_owned())
                })
            })
            .collect();
        let is_look = |event: &Event| matches!(event, Event::Looked { .. } | Event::LookFailed(_));
        self.is_looking &= !events.iter().any(is_look);
        events
    }

    fn look_if_due(&mut self) {
        if self.is_looking || clock::uptime() < self.looked + LOOK_EVERY {
            return;
        }
        (self.is_looking, self.looked) = (true, clock::uptime());
        self.have_done(|reader| match reader.look() {
            Ok(tiles) => Event::Looked { tiles, now: clock::now() },
            Err(error) => Event::LookFailed(words(&error)),
        });
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::ReadScreen(host) => self.have_done(move |reader| {
                let screenshot = reader.screenshot(&host);
                screenshot.map_or_else(
                    |error| Event::Asked(words(&error)),
                    |screenshot| Event::Read { host, screenshot },
                )
            }),
            Action::Cancel { host, job } => {
                self.have_done(move |reader| Event::Asked(reader.cancel(&host, &job)))
            }
            Action::Quit => {}
        }
    }

    fn have_done(&mut self, task: impl FnOnce(&Reader) -> Event + Send + 'static) {
        let reader = Arc::clone(&self.reader);
        self.thread.begin(0, Box::new(move || task(&reader)));
    }
}

impl Reader {
    fn look(&self) -> anyhow::Result<Vec<Tile>> {
        self.overview.lock().unwrap_or_else(PoisonError::into_inner).look(&self.site)
    }

    /// The newest one of the job that runs, or of the last one.
    fn screenshot(&self, host: &HostName) -> anyhow::Result<Screenshot> {
        let subject =
            self.overview.lock().unwrap_or_else(PoisonError::into_inner).subject(&self.site, host)?;
        let Some((identity, _)) = subject else { return Ok(Screenshot { name: None, text: None }) };
        let name = overview::screens::names(&self.site, &identity)?.names.pop();
        let text =
            name.as_ref().map(|name| overview::screens::text(&self.site, &identity, name)).transpose()?;
        Ok(Screenshot { name, text: text.flatten() })
    }

    /// Asks the job's `ghostctl` to stop it; the table shows how it ends.
    fn cancel(&self, host: &HostName, job: &JobId) -> String {
        match cancel::ask(&self.site.ghostrc.state_folder, job) {
            Ok(()) => format!("asked {job} of {host} to stop"),
            Err(error) => format!("cannot ask for the stop: {error}"),
        }
    }
}

fn words(error: &anyhow::Error) -> String {
    overview::one_line(&format!("{error:#}"))
}
