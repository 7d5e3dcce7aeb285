//! What a person would see on the client's monitor, as picture and as text.
//!
//! ```text
//! bytes of a source ──▶ Screen ──▶ PNG, and text where there is any
//! ```
//!
//! Each kind of bytes has a decoder: `vt` for text consoles, `vga` for a VGA's memory, `frame_buffer` for linear ones.
//! `source` decides which source is asked, and `history` which screenshots are kept. Does not open devices, and does not
//! know why a screenshot is taken.

pub(crate) mod album;
pub(crate) mod codepage;
pub(crate) mod dispi;
mod font;
pub(crate) mod frame_buffer;
pub(crate) mod glyphs;
pub(crate) mod history;
mod picture;
pub mod source;
pub mod vga;
pub(crate) mod vt;

use std::borrow::Cow;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Screen {
    Text(TextScreen),
    /// Dots, as a monitor has them.
    Picture(Picture),
    /// Dots of more colours than a palette has.
    TrueColour(TrueColour),
    /// A picture that the imager made itself, as the PNG that it wrote.
    Png(Vec<u8>),
}

/// The dots of a screen with any number of colours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrueColour {
    pub width: usize,
    /// Red, green and blue of each dot, line by line from the top left.
    pub dots: Vec<[u8; 3]>,
}

/// The dots of a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub width: usize,
    /// Red, green and blue of each colour; 256 at most.
    pub colours: Vec<[u8; 3]>,
    /// The number of each dot's colour, line by line from the top left.
    pub dots: Vec<u8>,
    /// What can be read, where the source knows.
    pub text: Option<TextScreen>,
}

/// A screen in text mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextScreen {
    columns: usize,
    cells: Vec<Cell>,
    cursor: Option<Cursor>,
}

/// One character on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    pub character: char,
    pub attribute: Attribute,
}

/// Colours of a character as VGA text modes code them: foreground in the lower four bits, background in the
/// next three, blinking in the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute(pub u8);

/// Where the cursor stands, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub column: usize,
    pub row: usize,
}

impl Attribute {
    /// The number of the colour of the character, 0 to 15.
    pub const fn foreground(self) -> u8 {
        self.0 & 0x0F
    }

    /// What makes a terminal use these colours. It counts red, green, blue where a VGA counts blue, green, red.
    fn sequence(self) -> String {
        let swapped = |colour: u8| colour & 2 | colour >> 2 & 1 | (colour & 1) << 2;
        let bright = if self.foreground() > 7 { 90 } else { 30 };
        format!("\x1b[{};{}m", bright + swapped(self.foreground()), 40 + swapped(self.background()))
    }

    /// The number of the colour behind it, 0 to 7.
    pub const fn background(self) -> u8 {
        self.0 >> 4 & 0x07
    }
}

impl TextScreen {
    /// A screen of that many columns; what does not fill a last row is left out.
    pub fn new(columns: usize, mut cells: Vec<Cell>, cursor: Option<Cursor>) -> Self {
        let rows = cells.len().checked_div(columns).unwrap_or(0);
        cells.truncate(rows * columns);
        Self { columns, cells, cursor }
    }

    pub fn rows(&self) -> impl Iterator<Item = &[Cell]> {
        self.cells.chunks_exact(self.columns.max(1))
    }

    /// What can be read, without spaces at the ends of lines and without empty lines at the end.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.cells.len());
        for row in self.rows() {
            text.extend(row.iter().map(|cell| cell.character));
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
        }
        text.truncate(text.trim_end_matches('\n').len());
        text.push('\n');
        text
    }
}

impl TextScreen {
    /// What can be read, in its colours, for a terminal: each row ends with the usual ones (ECMA-48, SGR).
    pub fn coloured(&self) -> String {
        let mut text = String::new();
        for row in self.rows() {
            let blank = |cell: &&Cell| cell.character == ' ' && cell.attribute.background() == 0;
            let shown = row.len() - row.iter().rev().take_while(blank).count();
            let mut last = None;
            for cell in &row[..shown] {
                if last != Some(cell.attribute) {
                    text.push_str(&cell.attribute.sequence());
                    last = Some(cell.attribute);
                }
                text.push(cell.character);
            }
            text.push_str("\x1b[0m\n");
        }
        text
    }
}

impl Screen {
    /// The picture, as a PNG file's content.
    pub fn png(&self) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Text(screen) => picture::draw(screen),
            Self::Picture(dots) => picture::store(dots),
            Self::TrueColour(dots) => picture::store_true_colour(dots),
            Self::Png(picture) => Ok(picture.clone()),
        }
    }

    /// The text, if the source has any or it can be read from the dots.
    pub fn text(&self) -> Option<String> {
        self.characters().map(|screen| screen.text())
    }

    /// The same, with its colours.
    pub fn characters(&self) -> Option<Cow<'_, TextScreen>> {
        match self {
            Self::Text(screen) => Some(Cow::Borrowed(screen)),
            Self::Picture(Picture { text: Some(screen), .. }) => Some(Cow::Borrowed(screen)),
            Self::Picture(picture) => glyphs::read(picture).map(Cow::Owned),
            Self::TrueColour(_) => None,
            Self::Png(file) => match picture::load(file).ok()? {
                Self::Picture(picture) => glyphs::read(&picture).map(Cow::Owned),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests;
