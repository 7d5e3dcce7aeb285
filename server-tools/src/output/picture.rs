//! A picture for a terminal that can show one: as sixels (DEC STD 070, chapter 9) or in kitty's graphics protocol
//! (<https://sw.kovidgoyal.net/kitty/graphics-protocol/>).
//!
//! Does not know which terminal there is.

mod anew;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Cursor};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use ghost_contract::bounds;

pub(crate) use anew::{redrawn, redrawn_small};

/// How a terminal takes pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Graphics {
    /// kitty's own protocol, which others have taken over.
    Kitty,
    Sixel,
}

/// Bytes of a picture in one sequence of kitty's protocol, which sets this limit.
const CHUNK: usize = 4096;
/// Lines of dots in one row of sixels.
const BAND: usize = 6;
const UNREADABLE: &str = "the screenshot cannot be read as PNG";

/// What makes the terminal show the picture, and goes to the next line.
pub(crate) fn sequence(png: &[u8], graphics: Graphics) -> anyhow::Result<String> {
    require_a_screens_size(png)?;
    Ok(match graphics {
        Graphics::Kitty => kitty(png),
        Graphics::Sixel => sixel(&Dots::of(png).context(UNREADABLE)?),
    })
}

fn require_a_screens_size(png: &[u8]) -> anyhow::Result<()> {
    require_at_most(png, bounds::PICTURE_DOTS, "which no screen has")
}

/// Refuses a picture with more dots than this, before anything of it is decoded.
pub(crate) fn require_at_most(png: &[u8], dots: u64, why: &str) -> anyhow::Result<()> {
    if let Some((width, height)) = size(png)
        && u64::from(width) * u64::from(height) > dots
    {
        bail!("the screenshot claims to have {width} x {height} dots, {why}");
    }
    Ok(())
}

/// The size that a PNG says it has (its first chunk, IHDR), before anything of it is decoded. A terminal decodes it, too.
fn size(png: &[u8]) -> Option<(u32, u32)> {
    let (head, _) = png.split_first_chunk::<24>()?;
    let number = |at: usize| head[at..].first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    head.starts_with(b"\x89PNG\r\n\x1a\n").then(|| Some((number(16)?, number(20)?)))?
}

/// The file as it is, in pieces.
fn kitty(png: &[u8]) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(png);
    let mut sequence = String::with_capacity(encoded.len() + encoded.len() / 100);
    let count = encoded.len().div_ceil(CHUNK);
    for index in 0..count {
        let chunk = &encoded[index * CHUNK..encoded.len().min((index + 1) * CHUNK)];
        // Transmit and show (a=T) a PNG (f=100), and want no answer (q=2).
        let first = if index == 0 { "a=T,f=100,q=2," } else { "" };
        let more = u8::from(index + 1 < count);
        // Writing into a string cannot fail.
        let _ = write!(sequence, "\x1b_G{first}m={more};{chunk}\x1b\\");
    }
    sequence.push('\n');
    sequence
}

/// A picture as it was decoded.
struct Decoded {
    width: u32,
    height: u32,
    /// How many samples a dot has.
    depth: usize,
    samples: Vec<u8>,
}

impl Decoded {
    fn of(file: &[u8]) -> Result<Self, png::DecodingError> {
        let mut decoder = png::Decoder::new(Cursor::new(file));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info()?;
        if !reader.info().palette.as_ref().is_none_or(|palette| bounds::is_palette(palette.len())) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its palette is not one of whole colours",
            )
            .into());
        }
        let length = reader.output_buffer_size().ok_or(png::DecodingError::LimitsExceeded)?;
        let mut samples = vec![0; length];
        let frame = reader.next_frame(&mut samples)?;
        samples.truncate(frame.buffer_size());
        let depth = frame.color_type.samples();
        Ok(Self { width: frame.width, height: frame.height, depth, samples })
    }

    /// Red, green and blue of each dot.
    fn dots(&self) -> impl Iterator<Item = [u8; 3]> + Clone {
        self.samples.chunks_exact(self.depth).map(|samples| match samples {
            [red, green, blue, ..] => [*red, *green, *blue],
            [grey, ..] => [*grey; 3],
            [] => [0; 3],
        })
    }
}

/// The dots of a picture, as numbers of colours.
#[derive(Debug, Default)]
struct Dots {
    width: usize,
    colours: Vec<[u8; 3]>,
    dots: Vec<u8>,
}

impl Dots {
    fn of(file: &[u8]) -> Result<Self, png::DecodingError> {
        let decoded = Decoded::of(file)?;
        Ok(Self::numbered(usize::try_from(decoded.width).unwrap_or(usize::MAX), decoded.dots()))
    }

    /// Terminals have 256 colours for sixels: if there are more, the nearest of a cube of 6x6x6 are taken.
    fn numbered(width: usize, pixels: impl Iterator<Item = [u8; 3]> + Clone) -> Self {
        let coarse = pixels.clone().map(|colour| colour.map(|component| component / 43 * 51));
        Self::exactly(width, pixels).or_else(|| Self::exactly(width, coarse)).unwrap_or_default()
    }

    /// None if there are more than 256 colours.
    fn exactly(width: usize, pixels: impl Iterator<Item = [u8; 3]>) -> Option<Self> {
        let mut known: HashMap<[u8; 3], u8> = HashMap::new();
        let mut picture = Self { width, colours: Vec::new(), dots: Vec::with_capacity(pixels.size_hint().0) };
        // Most dots are like the one before them.
        let mut last: Option<([u8; 3], u8)> = None;
        for pixel in pixels {
            let number = match last {
                Some((same, number)) if same == pixel => number,
                _ => match known.get(&pixel) {
                    Some(number) => *number,
                    None => {
                        let number = u8::try_from(picture.colours.len()).ok()?;
                        picture.colours.push(pixel);
                        known.insert(pixel, number);
                        number
                    }
                },
            };
            last = Some((pixel, number));
            picture.dots.push(number);
        }
        Some(picture)
    }
}

fn sixel(picture: &Dots) -> String {
    let Dots { width, colours, dots } = picture;
    let height = dots.len().checked_div(*width).unwrap_or(0);
    // Dots as wide as they are high, and all of the background drawn.
    let mut sequence = format!("\x1bPq\"1;1;{width};{height}");
    for (number, colour) in colours.iter().enumerate() {
        let [red, green, blue] = colour.map(|component| u32::from(component) * 100 / 255);
        let _ = write!(sequence, "#{number};2;{red};{green};{blue}");
    }
    for band in dots.chunks(width * BAND).filter(|_| *width > 0) {
        for number in (0..=u8::MAX).take(colours.len()) {
            let column = |x: usize| {
                let is_set = |y: usize| band.get(y * width + x) == Some(&number);
                (0..BAND).fold(0, |bits, y| bits | u8::from(is_set(y)) << y)
            };
            let columns: Vec<u8> = (0..*width).map(column).collect();
            if columns.iter().any(|bits| *bits != 0) {
                let _ = write!(sequence, "#{number}");
                repeated(&columns, &mut sequence);
                sequence.push('$');
            }
        }
        sequence.push('-');
    }
    sequence.push_str("\x1b\\\n");
    sequence
}

/// Columns of six dots, the same ones in a row as a number and one.
fn repeated(columns: &[u8], sequence: &mut String) {
    for same in columns.chunk_by(|one, other| one == other) {
        let character = char::from(b'?' + same[0]);
        if same.len() > 3 {
            let _ = write!(sequence, "!{}{character}", same.len());
        } else {
            sequence.extend(std::iter::repeat_n(character, same.len()));
        }
    }
}

/// Whether a terminal takes sixels, by its answer to the question for its attributes: `CSI ? 64 ; 4 ; … c`, where 4 stands
/// for them (xterm's ctlseqs, Primary DA).
pub(crate) fn answers_sixel(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let attributes = text.split("\x1b[?").nth(1).and_then(|rest| rest.split('c').next());
    attributes.is_some_and(|attributes| attributes.split(';').skip(1).any(|attribute| attribute == "4"))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn png(width: u32, height: u32, colours: &[u8], dots: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(colours);
        encoder.write_header().unwrap().write_image_data(dots).unwrap();
        file
    }

    #[test]
    fn sixels_are_bands_of_six_lines_a_colour_at_a_time() {
        let mut dots = vec![0; 5 * 7];
        dots[5 * 6 + 4] = 1;
        let picture = png(5, 7, &[0, 0, 0, 255, 255, 255], &dots);
        assert_eq!(
            sequence(&picture, Graphics::Sixel).unwrap(),
            "\x1bPq\"1;1;5;7#0;2;0;0;0#1;2;100;100;100#0!5~$-#0!4@?$#1!4?@$-\x1b\\\n"
        );
    }

    #[test]
    fn a_picture_that_claims_to_be_huge_is_not_decoded_by_anybody() {
        let mut bomb = png(5, 7, &[0, 0, 0], &[0; 5 * 7]);
        bomb[16..24].copy_from_slice(&[0, 0, 0x7f, 0xff, 0, 0, 0x7f, 0xff]);
        for graphics in [Graphics::Sixel, Graphics::Kitty] {
            let error = sequence(&bomb, graphics).unwrap_err().to_string();
            assert_eq!(error, "the screenshot claims to have 32767 x 32767 dots, which no screen has");
        }
        assert!(redrawn(&bomb).unwrap_err().to_string().contains("which no screen has"));
    }

    #[test]
    fn many_colours_become_few() {
        let pixels = (0..1000_u32).map(|number| {
            let [.., middle, low] = number.wrapping_mul(2_654_435_761).to_be_bytes();
            [middle, low, low ^ middle]
        });
        let picture = Dots::numbered(100, pixels);
        assert_eq!((picture.dots.len(), picture.colours.len() <= 216), (1000, true));
    }

    #[test]
    fn kitty_gets_the_file_in_pieces() {
        let sequence = sequence(&[7; 4000], Graphics::Kitty).unwrap();
        let pieces: Vec<&str> = sequence.split("\x1b\\").collect();
        assert_eq!(pieces.len(), 3);
        assert!(pieces[0].starts_with("\x1b_Ga=T,f=100,q=2,m=1;BwcH"), "{}", &pieces[0][..40]);
        assert!(pieces[1].starts_with("\x1b_Gm=0;"), "{}", pieces[1]);
        assert_eq!(pieces[2], "\n");
    }

    #[test]
    fn a_terminal_says_whether_it_takes_sixels() {
        for (answer, expected) in [
            (&b"\x1b[?64;1;2;4;6c"[..], true),
            (b"\x1b[?62;4c", true),
            (b"\x1b[?4;6c", false),
            (b"\x1b[?64;1;14c", false),
            (b"", false),
            (b"q", false),
        ] {
            assert_eq!(answers_sixel(answer), expected, "{}", String::from_utf8_lossy(answer));
        }
    }
}
