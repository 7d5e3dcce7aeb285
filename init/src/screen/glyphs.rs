//! Text that was drawn with a PC's own fonts, read back from the dots: so prompts can be waited for in graphics modes and in
//! pictures.
//!
//! ```text
//! dots ──▶ cells of each grid that fits ──▶ glyphs of code page 437 ──▶ the grid with the most letters
//! ```
//!
//! Cells are looked for where the BIOS writes them: from the top left on, 8 or 9 dots wide, as high as a font, dots and
//! lines doubled or not. A cell of two colours that is exactly a glyph, or exactly the opposite of one, is a character; anything
//! else is taken for a space. Does not know the font that was really used, but all VGA cards have these.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::picture::PALETTE;
use super::{Attribute, Cell, Picture, TextScreen, codepage};

/// Dots of a glyph from left to right.
const WIDTH: usize = 8;
/// The height of the highest font; rows that a glyph does not have are 0.
const HIGHEST: usize = 16;
/// Each font with the height of its glyphs: 256 of them, a byte a row. `font/README.md` says where they come from.
const FONTS: [(usize, &[u8]); 4] = [
    (16, include_bytes!("font/bios-8x16.bin")),
    (16, include_bytes!("font/bios-8x16-narrow.bin")),
    (14, include_bytes!("font/bios-8x14.bin")),
    (8, include_bytes!("font/bios-8x8.bin")),
];
/// Fewer letters and digits than this are no text: a pattern may look like some by chance.
const FEWEST_LETTERS: usize = 4;

type Rows = [u8; HIGHEST];

/// The characters of each height, by their rows.
static GLYPHS: LazyLock<HashMap<(usize, Rows), u8>> = LazyLock::new(|| {
    let mut glyphs = HashMap::new();
    for (height, font) in FONTS {
        for (byte, glyph) in (0..=u8::MAX).zip(font.chunks_exact(height)) {
            // 0, the space and FFh look the same, and some glyphs are in two fonts.
            glyphs.entry((height, rows(glyph))).or_insert(byte);
        }
    }
    glyphs
});

fn rows(glyph: &[u8]) -> Rows {
    std::array::from_fn(|row| glyph.get(row).copied().unwrap_or(0))
}

/// How characters are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Grid {
    /// Dots of a cell: 8 or 9.
    width: usize,
    height: usize,
    /// How often each dot, and each line, is repeated.
    scale: [usize; 2],
}

impl Grid {
    /// All that there are, the usual ones first.
    fn all() -> impl Iterator<Item = Self> {
        let scales = [[1, 1], [1, 2], [2, 2], [2, 1]];
        let heights = [16, 8, 14];
        scales.into_iter().flat_map(move |scale| {
            heights.into_iter().flat_map(move |height| [8, 9].map(move |width| Self { width, height, scale }))
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Drawn {
    /// The character, if it is one.
    byte: Option<u8>,
    /// Numbers of the picture's colours.
    foreground: u8,
    background: u8,
}

/// What can be read in a picture; nothing if there is hardly a letter.
pub(crate) fn read(picture: &Picture) -> Option<TextScreen> {
    let readings = Grid::all().filter_map(|grid| {
        let (columns, cells) = cells(picture, grid)?;
        let letters =
            cells.iter().filter(|cell| cell.byte.is_some_and(|byte| byte.is_ascii_alphanumeric())).count();
        (letters >= FEWEST_LETTERS).then_some((letters, columns, cells))
    });
    // Of equals the first is taken.
    let (_, columns, cells) = readings.reduce(|best, other| if other.0 > best.0 { other } else { best })?;
    let attributes = Attributes::of(&picture.colours);
    let shown = |cell: Drawn| Cell {
        character: codepage::character(cell.byte.unwrap_or(b' ')),
        attribute: attributes.attribute(cell),
    };
    Some(TextScreen::new(columns, cells.into_iter().map(shown).collect(), None))
}

/// The cells of whole rows, and how many a row has; nothing where that grid does not fit.
fn cells(picture: &Picture, grid: Grid) -> Option<(usize, Vec<Drawn>)> {
    let [wide, high] = grid.scale;
    let columns = picture.width / (grid.width * wide);
    let fits = columns > 0 && picture.width.is_multiple_of(grid.width * wide);
    if !fits {
        return None;
    }
    let rows = picture.dots.len() / picture.width / (grid.height * high);
    let mut cells: Vec<Drawn> = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        for column in 0..columns {
            let corner = row * grid.height * high * picture.width + column * grid.width * wide;
            let before = (column > 0).then(|| cells.last().map(|cell| cell.background)).flatten();
            cells.push(drawn(picture, grid, corner, before));
        }
    }
    Some((columns, cells))
}

/// What the cell at that dot shows; `before` is the background of the one to its left.
fn drawn(picture: &Picture, grid: Grid, corner: usize, before: Option<u8>) -> Drawn {
    let [wide, high] = grid.scale;
    let first = picture.dots[corner];
    let mut second = None;
    let mut bits: Rows = [0; HIGHEST];
    for (y, row) in bits.iter_mut().enumerate().take(grid.height) {
        for x in 0..WIDTH {
            let at = corner + y * high * picture.width + x * wide;
            let dot = picture.dots[at];
            let is_repeated = (0..high)
                .all(|down| (0..wide).all(|right| picture.dots[at + down * picture.width + right] == dot));
            let is_known = dot == first || *second.get_or_insert(dot) == dot;
            if !is_repeated || !is_known {
                return Drawn { byte: None, foreground: first, background: first };
            }
            *row |= u8::from(dot != first) << (WIDTH - 1 - x);
        }
    }
    let Some(second) = second else {
        return Drawn { byte: Some(b' '), foreground: first, background: first };
    };
    let mut opposite: Rows = [0; HIGHEST];
    bits.iter().zip(&mut opposite).take(grid.height).for_each(|(row, into)| *into = !row);
    let look_up = |rows: Rows| GLYPHS.get(&(grid.height, rows)).copied();
    let on_first = Drawn { byte: look_up(bits), foreground: second, background: first };
    let on_second = Drawn { byte: look_up(opposite), foreground: first, background: second };
    let prefer_second = on_first.byte.is_none() || (on_second.byte.is_some() && before == Some(second));
    if prefer_second { on_second } else { on_first }
}

/// The nearest of the 16 usual colours to each colour of a picture.
struct Attributes {
    foreground: Vec<u8>,
    background: Vec<u8>,
}

impl Attributes {
    fn of(colours: &[[u8; 3]]) -> Self {
        let among = |count: usize| colours.iter().map(|colour| nearest(*colour, count)).collect();
        Self { foreground: among(16), background: among(8) }
    }

    fn attribute(&self, cell: Drawn) -> Attribute {
        let of = |numbers: &[u8], colour: u8| numbers.get(usize::from(colour)).copied().unwrap_or(0);
        Attribute(of(&self.background, cell.background) << 4 | of(&self.foreground, cell.foreground))
    }
}

fn nearest(colour: [u8; 3], count: usize) -> u8 {
    let distance = |usual: &[u8]| -> u32 {
        usual.iter().zip(colour).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    let usual = PALETTE.chunks_exact(3).take(count).zip(0_u8..);
    usual.min_by_key(|(usual, _)| distance(usual)).map_or(0, |(_, number)| number)
}

#[cfg(test)]
mod tests;
