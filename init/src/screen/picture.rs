//! PNG files of 16 or 256 colours: a text screen that is drawn here, or the dots of a picture.

use anyhow::{Context as _, ensure};
use ghost_contract::bounds;

use super::{Attribute, Cell, Cursor, Picture, Screen, TextScreen, TrueColour, font, frame_buffer};

/// The colours of the VGA's text modes as it sets them at its start, red, green and blue.
pub(super) const PALETTE: [u8; 48] = [
    0x00, 0x00, 0x00, 0x00, 0x00, 0xAA, 0x00, 0xAA, 0x00, 0x00, 0xAA, 0xAA, // black, blue, green, cyan
    0xAA, 0x00, 0x00, 0xAA, 0x00, 0xAA, 0xAA, 0x55, 0x00, 0xAA, 0xAA, 0xAA, // red, magenta, brown, grey
    0x55, 0x55, 0x55, 0x55, 0x55, 0xFF, 0x55, 0xFF, 0x55, 0x55, 0xFF, 0xFF, // the same, bright
    0xFF, 0x55, 0x55, 0xFF, 0x55, 0xFF, 0xFF, 0xFF, 0x55, 0xFF, 0xFF, 0xFF,
];
/// How many rows of dots the cursor's underline has.
const CURSOR_HEIGHT: usize = 2;
/// Two dots a byte: the PNG has 16 colours.
const BYTES_PER_CELL: usize = font::WIDTH / 2;
const NOT_READ: &str = "the picture cannot be read as PNG";
const NOT_WRITTEN: &str = "the picture cannot be written as PNG";

/// The screen as a PNG file's content.
pub(super) fn draw(screen: &TextScreen) -> anyhow::Result<Vec<u8>> {
    let rows = screen.rows().count();
    let too_large = || format!("a screen of {}x{rows} characters cannot be drawn", screen.columns);
    let dots = |cells: usize, dots: usize| {
        cells.checked_mul(dots).and_then(|size| u32::try_from(size).ok()).filter(|size| *size > 0)
    };
    let width = dots(screen.columns, font::WIDTH).with_context(too_large)?;
    let height = dots(rows, font::HEIGHT).with_context(too_large)?;
    encode(width, height, png::BitDepth::Four, &PALETTE, &pixels(screen)).context(NOT_WRITTEN)
}

/// The picture as a PNG file's content.
pub(super) fn store(picture: &Picture) -> anyhow::Result<Vec<u8>> {
    let (columns, rows) = size(picture.width, picture.dots.len())?;
    let colours = picture.colours.concat();
    if picture.colours.len() > 16 {
        return encode(columns, rows, png::BitDepth::Eight, &colours, &picture.dots).context(NOT_WRITTEN);
    }
    let pair = |pair: &[u8]| pair[0] << 4 | pair.get(1).copied().unwrap_or(0);
    let lines = picture.dots.chunks_exact(picture.width);
    let pairs: Vec<u8> = lines.flat_map(|line| line.chunks(2).map(pair)).collect();
    encode(columns, rows, png::BitDepth::Four, &colours, &pairs).context(NOT_WRITTEN)
}

/// The picture as a PNG file's content, without a palette.
pub(super) fn store_true_colour(picture: &TrueColour) -> anyhow::Result<Vec<u8>> {
    let (columns, rows) = size(picture.width, picture.dots.len())?;
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, columns, rows);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    finish(encoder, picture.dots.as_flattened()).context(NOT_WRITTEN)?;
    Ok(file)
}

/// The dots of a PNG file. Its size is looked at before there is room for them.
pub(super) fn load(file: &[u8]) -> anyhow::Result<Screen> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().context(NOT_READ)?;
    let (width, height) = (reader.info().width, reader.info().height);
    ensure!(
        u64::from(width) * u64::from(height) <= bounds::IMAGER_DOTS,
        "the picture claims to have {width} x {height} dots, which no imager's screen has"
    );
    let palette = reader.info().palette.as_ref();
    ensure!(
        palette.is_none_or(|palette| bounds::is_palette(palette.len())),
        "the picture's palette is not one of whole colours"
    );
    let length = reader.output_buffer_size().context(NOT_READ)?;
    let mut samples = vec![0; length];
    let frame = reader.next_frame(&mut samples).context(NOT_READ)?;
    let colour = |samples: &[u8]| match samples {
        [red, green, blue, ..] => [*red, *green, *blue],
        [grey, ..] => [*grey; 3],
        [] => [0; 3],
    };
    samples.truncate(frame.buffer_size());
    let dots = samples.chunks_exact(frame.color_type.samples()).map(colour).collect();
    let width = usize::try_from(frame.width).unwrap_or(usize::MAX);
    Ok(frame_buffer::of_colours(width, dots))
}

/// Width and height of so many dots in lines of that width.
fn size(width: usize, dots: usize) -> anyhow::Result<(u32, u32)> {
    let no_picture = || format!("{dots} dots do not fill lines of {width}");
    let size = |dots: usize| u32::try_from(dots).ok().filter(|size| *size > 0);
    ensure!(dots.checked_rem(width) == Some(0), no_picture());
    size(width).zip(size(dots / width)).with_context(no_picture)
}

fn encode(
    width: u32,
    height: u32,
    depth: png::BitDepth,
    colours: &[u8],
    pixels: &[u8],
) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(depth);
    encoder.set_palette(colours);
    finish(encoder, pixels)?;
    Ok(file)
}

fn finish(encoder: png::Encoder<'_, &mut Vec<u8>>, pixels: &[u8]) -> Result<(), png::EncodingError> {
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()
}

/// All dots from top to bottom, two of them a byte, the left one in the upper half.
fn pixels(screen: &TextScreen) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(screen.cells.len() * BYTES_PER_CELL * font::HEIGHT);
    for (row, cells) in screen.rows().enumerate() {
        for line in 0..font::HEIGHT {
            for (column, cell) in cells.iter().enumerate() {
                let under_cursor = screen.cursor == Some(Cursor { column, row });
                let is_cursor = under_cursor && line >= font::HEIGHT - CURSOR_HEIGHT;
                pixels.extend(line_of_dots(*cell, line, is_cursor));
            }
        }
    }
    pixels
}

fn line_of_dots(cell: Cell, line: usize, is_cursor: bool) -> [u8; BYTES_PER_CELL] {
    let dots = if is_cursor { 0xFF } else { font::glyph(cell.character)[line] };
    [6, 4, 2, 0].map(|shift| {
        let left = colour(cell.attribute, dots >> (shift + 1));
        let right = colour(cell.attribute, dots >> shift);
        left << 4 | right
    })
}

/// The colour of the dot in the lowest bit.
const fn colour(attribute: Attribute, dots: u8) -> u8 {
    if dots & 1 == 1 { attribute.foreground() } else { attribute.background() }
}
