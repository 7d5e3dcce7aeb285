//! Text modes: plane 0 has the characters, plane 1 their attributes, plane 2 up to eight fonts.

use super::display::{Display, Line};
use super::snapshot::Snapshot;
use crate::screen::{Attribute, Cell, Cursor, TextScreen, codepage};

/// A glyph has 32 bytes in plane 2, whatever its height.
const GLYPH_STRIDE: usize = 32;
/// Line-drawing characters reach into the ninth dot if the attribute controller says so (IBM's manual; QEMU begins at
/// B0h).
const LINE_DRAWING: std::ops::RangeInclusive<u8> = 0xC0..=0xDF;

pub(super) fn read(snapshot: &Snapshot<'_>, screen: &Display) -> TextScreen {
    let rows = 0..screen.rows();
    let cells = rows.clone().flat_map(|row| {
        let start = screen.row_start(row);
        (start..start + screen.columns).map(|counter| {
            let (character, attribute) = cell(snapshot, screen, counter);
            Cell { character: codepage::character(character), attribute: Attribute(attribute) }
        })
    });
    let cursor = cursor(snapshot).and_then(|cursor| {
        let row = rows
            .clone()
            .find(|row| (0..screen.columns).contains(&cursor.wrapping_sub(screen.row_start(*row))))?;
        Some(Cursor { column: cursor - screen.row_start(row), row })
    });
    TextScreen::new(screen.columns, cells.collect(), cursor)
}

/// All dots, as numbers of the attribute controller's colours.
pub(super) fn draw(snapshot: &Snapshot<'_>, screen: &Display) -> Vec<u8> {
    let mut dots = Vec::with_capacity(screen.width() * screen.height);
    let look = Look::of(snapshot, screen);
    for line in screen.lines() {
        screen.draw_line(line, |counter, dots| look.draw(line, counter, dots), &mut dots);
    }
    dots
}

fn cell(snapshot: &Snapshot<'_>, screen: &Display, counter: usize) -> (u8, u8) {
    let offset = screen.addressing.offset(counter, 0);
    (snapshot.planes[0][offset], snapshot.planes[1][offset])
}

/// The counter at the cursor, if it is on.
fn cursor(snapshot: &Snapshot<'_>) -> Option<usize> {
    let is_on = snapshot.crtc[0x0A] & 0x20 == 0;
    is_on.then(|| usize::from(snapshot.crtc[0x0E]) << 8 | usize::from(snapshot.crtc[0x0F]))
}

/// Where in plane 2 the fonts are of characters whose attribute has bit 3 clear and set, by the sequencer's character map
/// select register.
pub(super) const fn fonts(select: u8) -> [usize; 2] {
    const fn font(block: u8, upper: u8) -> usize {
        ((block & 3) as usize) << 14 | ((upper & 1) as usize) << 13
    }
    [font(select, select >> 4), font(select >> 2, select >> 5)]
}

/// What all characters have in common.
struct Look<'a> {
    snapshot: &'a Snapshot<'a>,
    screen: &'a Display,
    /// Places of the fonts of characters whose attribute has bit 3 clear and set.
    fonts: [usize; 2],
    /// The uppermost bit of an attribute is of the background, not for blinking.
    bright_background: bool,
    lines_reach_ninth_dot: bool,
    cursor: Option<usize>,
    /// Lines of a character that the cursor covers.
    cursor_lines: std::ops::RangeInclusive<usize>,
}

impl<'a> Look<'a> {
    fn of(snapshot: &'a Snapshot<'a>, screen: &'a Display) -> Self {
        let attribute_mode = snapshot.attribute[0x10];
        Self {
            snapshot,
            screen,
            fonts: fonts(snapshot.sequencer[3]),
            bright_background: attribute_mode & 0x08 == 0,
            lines_reach_ninth_dot: attribute_mode & 0x04 != 0,
            cursor: cursor(snapshot),
            cursor_lines: usize::from(snapshot.crtc[0x0A] & 0x1F)..=usize::from(snapshot.crtc[0x0B] & 0x1F),
        }
    }

    /// One line of one character.
    fn draw(&self, line: Line, counter: usize, dots: &mut Vec<u8>) {
        let (character, attribute) = cell(self.snapshot, self.screen, counter);
        let font = self.fonts[usize::from(attribute >> 3 & 1)];
        let is_cursor = self.cursor == Some(counter) && self.cursor_lines.contains(&line.row);
        let glyph = self.snapshot.planes[2][font + usize::from(character) * GLYPH_STRIDE + line.row];
        let bits = if is_cursor { 0xFF } else { glyph };
        let background = attribute >> 4 & if self.bright_background { 0x0F } else { 0x07 };
        let colour = |is_set: bool| if is_set { attribute & 0x0F } else { background };
        dots.extend((0..8).rev().map(|bit| colour(bits >> bit & 1 == 1)));
        if self.screen.dots_per_column == 9 {
            let reaches = self.lines_reach_ninth_dot && LINE_DRAWING.contains(&character);
            dots.push(colour(bits & 1 == 1 && (reaches || is_cursor)));
        }
    }
}
