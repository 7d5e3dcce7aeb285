//! What is shown where: the size of the screen, and which place of the planes each line begins with.

use super::addressing::Addressing;
use super::snapshot::{Mode, Snapshot};

/// How the CRT controller walks through the planes.
#[derive(Debug)]
pub(super) struct Display {
    /// Characters, or groups of eight dots, a line.
    pub(super) columns: usize,
    /// Lines of dots.
    pub(super) height: usize,
    /// Dots of a group: 8, or 9 in most text modes.
    pub(super) dots_per_column: usize,
    /// Each dot is two wide.
    double_width: bool,
    /// Each line is two high.
    double_height: bool,
    /// Lines of a character, or how often a line of graphics is repeated.
    pub(super) character_height: usize,
    /// The counter at the top left.
    pub(super) start: usize,
    /// What the counter advances a row of characters.
    pitch: usize,
    /// The last line before the counter begins again at 0.
    split: usize,
    /// Lines of the first character row that are not shown.
    preset_row: usize,
    /// Dots by which all moves to the left, above the split and below.
    panning: [usize; 2],
    pub(super) addressing: Addressing,
}

/// A line of dots: where its characters begin and which line of them it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) counter: usize,
    pub(super) row: usize,
    panning: usize,
}

impl Display {
    pub(super) fn of(snapshot: &Snapshot<'_>) -> Self {
        let crtc = |index: usize| usize::from(snapshot.crtc[index]);
        let bit = |index: usize, bit: u32| crtc(index) >> bit & 1;
        let clocking = snapshot.sequencer[1];
        let dots_per_column = if snapshot.mode == Mode::Text && clocking & 0x01 == 0 { 9 } else { 8 };
        let below_is_panned = snapshot.attribute[0x10] & 0x20 == 0;
        let panning = panning(snapshot, dots_per_column);
        Self {
            columns: crtc(0x01) + 1,
            height: (crtc(0x12) | bit(0x07, 1) << 8 | bit(0x07, 6) << 9) + 1,
            dots_per_column,
            double_width: clocking & 0x08 != 0,
            double_height: bit(0x09, 7) == 1,
            character_height: (crtc(0x09) & 0x1F) + 1,
            start: (crtc(0x0C) << 8 | crtc(0x0D)) + (crtc(0x08) >> 5 & 3),
            pitch: crtc(0x13) * 2,
            split: crtc(0x18) | bit(0x07, 4) << 8 | bit(0x09, 6) << 9,
            preset_row: crtc(0x08) & 0x1F,
            panning: [panning, if below_is_panned { panning } else { 0 }],
            addressing: Addressing::of(snapshot),
        }
    }

    /// Dots of a line.
    pub(super) const fn width(&self) -> usize {
        self.columns * self.dots_per_column * if self.double_width { 2 } else { 1 }
    }

    pub(super) const fn rows(&self) -> usize {
        self.height / self.line_repeats() / self.character_height
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = Line> {
        (0..self.height).map(|line| match line.checked_sub(self.split + 1) {
            None => self.line(self.start, line / self.line_repeats() + self.preset_row, self.panning[0]),
            Some(below) => self.line(0, below / self.line_repeats(), self.panning[1]),
        })
    }

    /// The counter at the beginning of a row of characters.
    pub(super) fn row_start(&self, row: usize) -> usize {
        let lines = self.line_repeats() * self.character_height;
        match (row * lines).checked_sub(self.split + 1) {
            None => self.start + row * self.pitch,
            Some(below) => below / lines * self.pitch,
        }
    }

    /// Makes one line: `group` draws so many dots as a column has, from the counter on.
    pub(super) fn draw_line(
        &self,
        line: Line,
        mut group: impl FnMut(usize, &mut Vec<u8>),
        into: &mut Vec<u8>,
    ) {
        let mut dots = Vec::with_capacity((self.columns + 1) * self.dots_per_column);
        // One more, of which panning shows a part.
        for column in 0..=self.columns {
            group(line.counter + column, &mut dots);
        }
        let shown = dots.iter().skip(line.panning).take(self.columns * self.dots_per_column);
        let repeats = if self.double_width { 2 } else { 1 };
        into.extend(shown.flat_map(|dot| std::iter::repeat_n(*dot, repeats)));
    }

    const fn line_repeats(&self) -> usize {
        if self.double_height { 2 } else { 1 }
    }

    const fn line(&self, start: usize, line: usize, panning: usize) -> Line {
        let row = line / self.character_height;
        Line { counter: start + row * self.pitch, row: line % self.character_height, panning }
    }
}

/// Dots to the left. With nine dots a column, 8 stands for none and 0 for one.
fn panning(snapshot: &Snapshot<'_>, dots_per_column: usize) -> usize {
    let register = usize::from(snapshot.attribute[0x13] & 0x0F);
    match (snapshot.mode, dots_per_column) {
        (Mode::Text, 9) => (register + 1) % 9,
        _ => register & 7,
    }
}
