//! How the live table looks, in whatever room there is. Pure.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::{Screen, Top, View};
use crate::calendar;
use crate::overview::{State, Tile, counts};

const GAP: u16 = 2;
const VERB: u16 = 7;
const PHASE: u16 = 9;
/// The bar with its number.
const BAR: u16 = 17;
const BAR_ALONE: usize = 10;
const RATE: u16 = 10;
const LEFT: u16 = 14;
const WIDEST_HOST: u16 = 20;

/// Whether what is drawn may have colours. The administrator may not want them (`NO_COLOR`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colours {
    Few,
    None,
}

/// Draws all of it.
pub(crate) fn draw(top: &Top, colours: Colours, buffer: &mut Buffer) {
    let area = buffer.area;
    let mut lines = Lines { buffer, area, colours };
    let rows = usize::from(area.height);
    match &top.view {
        View::Screen(screen) => screen_of(screen, top, &mut lines, rows),
        View::Table | View::Asking { .. } => table(top, &mut lines, rows),
    }
    lines.last(top);
}

struct Lines<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    colours: Colours,
}

impl Lines<'_> {
    /// Writes a text at this row and column, as far as there is room up to `width`.
    fn put(&mut self, row: usize, column: u16, width: u16, text: &str, style: Style) {
        let Some(y) = u16::try_from(row).ok().filter(|y| *y < self.area.height) else { return };
        let width = width.min(self.area.width.saturating_sub(column));
        if width > 0 {
            let (x, y) = (self.area.x + column, self.area.y + y);
            self.buffer.set_stringn(x, y, text, usize::from(width), style);
        }
    }

    fn whole(&mut self, row: usize, text: &str, style: Style) {
        self.put(row, 0, self.area.width, text, style);
    }

    fn colour(&self, colour: Color) -> Style {
        if self.colours == Colours::Few { Style::new().fg(colour) } else { Style::new() }
    }

    /// The line at the bottom: a question, what was said last, or the keys.
    fn last(&mut self, top: &Top) {
        let row = usize::from(self.area.height).saturating_sub(1);
        let reversed = Style::new().add_modifier(Modifier::REVERSED);
        let width = usize::from(self.area.width);
        let (text, style) = match (&top.view, &top.said) {
            (View::Asking { host, job, mode }, _) => {
                (format!("stop the {mode} of {host} ({job})? y: yes, any other key: no"), reversed)
            }
            (View::Screen(_), _) => {
                ("Up Down Page Up Page Down: scroll  Esc: back to the table".to_owned(), Style::new())
            }
            (View::Table, Some(said)) => (said.clone(), reversed),
            (View::Table, None) => {
                ("Up Down: choose  Enter: the screen  c: cancel  q: quit".to_owned(), Style::new())
            }
        };
        self.whole(row, &format!("{text:width$}"), style);
    }
}

fn table(top: &Top, lines: &mut Lines<'_>, rows: usize) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let heading = format!("{}   {}", calendar::for_people(top.now), counts(&top.tiles));
    lines.whole(0, &heading, bold);
    let columns = Columns::of(&top.tiles);
    columns.heading(lines, bold);
    // The heading, the names of the columns, and the line at the bottom.
    let room = rows.saturating_sub(3);
    let place = top.place();
    // As little as can be is scrolled, and the chosen line is always seen.
    let from = (place + 1).saturating_sub(room);
    for (row, (number, tile)) in top.tiles.iter().enumerate().skip(from).take(room).enumerate() {
        let is_chosen = number == place;
        columns.line(lines, row + 2, tile, is_chosen);
    }
}

/// Where each column begins.
struct Columns {
    verb: u16,
    phase: u16,
    bar: u16,
    rate: u16,
    left: u16,
    doing: u16,
}

impl Columns {
    fn of(tiles: &[Tile]) -> Self {
        let widest = tiles.iter().map(|tile| tile.host.as_str().len()).max().unwrap_or_default();
        let host = u16::try_from(widest).unwrap_or(WIDEST_HOST).clamp(4, WIDEST_HOST);
        let verb = host + GAP;
        let phase = verb + VERB + GAP;
        let bar = phase + PHASE + GAP;
        let rate = bar + BAR + GAP;
        let left = rate + RATE + GAP;
        Self { verb, phase, bar, rate, left, doing: left + LEFT + GAP }
    }

    fn heading(&self, lines: &mut Lines<'_>, style: Style) {
        let columns = [
            (0, "HOST"),
            (self.verb, "VERB"),
            (self.phase, "PHASE"),
            (self.bar, "DONE"),
            (self.rate, "RATE"),
            (self.left, "TIME LEFT"),
        ];
        columns.into_iter().for_each(|(column, name)| lines.put(1, column, u16::MAX, name, style));
    }

    fn line(&self, lines: &mut Lines<'_>, row: usize, tile: &Tile, is_chosen: bool) {
        let chosen = if is_chosen { Modifier::REVERSED } else { Modifier::empty() };
        let plain = Style::new().add_modifier(chosen);
        if is_chosen {
            lines.whole(row, &" ".repeat(usize::from(lines.area.width)), plain);
        }
        let colour = match tile.state {
            State::Abandoned | State::Failed => lines.colour(Color::Red),
            State::Running => Style::new(),
            State::Done => lines.colour(Color::Green),
        };
        let coloured = colour.add_modifier(chosen);
        lines.put(row, 0, self.verb - GAP, tile.host.as_str(), plain);
        lines.put(row, self.verb, VERB, &tile.mode.to_string(), plain);
        if tile.state != State::Running {
            // How it ended takes what room there is.
            return lines.put(row, self.phase, u16::MAX, &tile.phase, coloured);
        }
        lines.put(row, self.phase, PHASE, &tile.phase, coloured);
        lines.put(row, self.bar, BAR, &bar(tile.percent), plain);
        lines.put(row, self.rate, RATE, &tile.rate_words(), plain);
        let left = tile.left_words();
        lines.put(row, self.left, LEFT, left.trim_end_matches(" left"), plain);
        lines.put(row, self.doing, u16::MAX, tile.doing.as_deref().unwrap_or_default(), plain);
    }
}

/// Of letters that every terminal has.
fn bar(percent: Option<u8>) -> String {
    let Some(percent) = percent else { return String::new() };
    let filled = usize::from(percent) * BAR_ALONE / 100;
    let (done, rest) = ("=".repeat(filled), " ".repeat(BAR_ALONE.saturating_sub(filled)));
    format!("[{done}{rest}] {percent:>3}%")
}

fn screen_of(screen: &Screen, top: &Top, lines: &mut Lines<'_>, rows: usize) {
    let Screen { host, shown, from } = screen;
    let name = shown.as_ref().and_then(|shown| shown.name.as_deref());
    let phase = top.tile(host).map(|tile| format!("{} {}", tile.mode, tile.phase)).unwrap_or_default();
    let of = name.map(|name| format!(", screenshot {name}")).unwrap_or_default();
    let bold = Style::new().add_modifier(Modifier::BOLD);
    lines.whole(0, &format!("{host}: {phase}{of}"), bold);
    let room = rows.saturating_sub(2);
    let text = match shown {
        None => "",
        Some(shown) if shown.name.is_none() => "there is no screenshot of this job",
        Some(shown) => match shown.text.as_deref() {
            Some(text) if !text.trim().is_empty() => text,
            _ => "there is nothing to read on it; 'ghostctl screen' shows the picture",
        },
    };
    for (row, line) in text.lines().skip(*from).take(room).enumerate() {
        lines.whole(row + 1, line, Style::new());
    }
}
