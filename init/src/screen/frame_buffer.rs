//! Turns the bytes of a linear frame buffer into a picture, whether KMS, a frame buffer driver or a VESA mode filled
//! it.
//!
//! Does not know how the layout and the bytes were read.

use anyhow::ensure;

use std::collections::HashMap;

use super::{Picture, Screen, TrueColour};

/// How many colours fit into a picture with a palette.
const PALETTE_LENGTH: usize = 256;
/// The largest side of a screen that is believed, dots: DRM's limit is 16384 and less on all cards.
const LARGEST_SIDE: usize = 16384;

/// How a pixel's bits make a colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pixels {
    /// A byte is the number of a colour.
    Indexed(Vec<[u8; 3]>),
    /// Bits of the pixel, read as a little-endian number, are red, green and blue.
    Packed {
        /// Bytes of a pixel: 2, 3 or 4.
        bytes: usize,
        channels: [Channel; 3],
    },
}

/// Where a component is in a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Channel {
    pub offset: u32,
    pub length: u32,
}

/// How the bytes of a frame buffer are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// In dots, as is the height.
    pub width: usize,
    pub height: usize,
    /// Bytes from one line to the next.
    pub pitch: usize,
    pub pixels: Pixels,
}

impl Pixels {
    /// Pixels of 15, 16, 24 or 32 bits as PCs have them: blue lowest, then green, then red.
    pub(crate) const fn usual(bits: u32) -> Option<Self> {
        let (bytes, lengths) = match bits {
            15 => (2, [5, 5, 5]),
            16 => (2, [5, 6, 5]),
            24 => (3, [8, 8, 8]),
            32 => (4, [8, 8, 8]),
            _ => return None,
        };
        let [red, green, blue] = lengths;
        let channels = [
            Channel { offset: blue + green, length: red },
            Channel { offset: blue, length: green },
            Channel { offset: 0, length: blue },
        ];
        Some(Self::Packed { bytes, channels })
    }

    const fn bytes(&self) -> usize {
        match self {
            Self::Indexed(_) => 1,
            Self::Packed { bytes, .. } => *bytes,
        }
    }

    fn colour(&self, pixel: &[u8]) -> [u8; 3] {
        match self {
            Self::Indexed(colours) => pixel
                .first()
                .and_then(|number| colours.get(usize::from(*number)))
                .copied()
                .unwrap_or_default(),
            Self::Packed { channels, .. } => {
                let value = pixel.iter().rev().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
                channels.map(|channel| channel.of(value))
            }
        }
    }
}

impl Channel {
    /// The component, widened to eight bits.
    fn of(self, pixel: u32) -> u8 {
        let length = self.length.clamp(1, 8);
        let largest = (1_u32 << length) - 1;
        let above = self.length.saturating_sub(8);
        let value = pixel.checked_shr(self.offset.saturating_add(above)).unwrap_or(0) & largest;
        u8::try_from(value * 255 / largest).unwrap_or(u8::MAX)
    }
}

/// How many bytes such a frame buffer has, from the first dot on.
pub(crate) fn length(layout: &Layout) -> anyhow::Result<usize> {
    let Layout { width, height, pitch, .. } = *layout;
    let fits = (1..=LARGEST_SIDE).contains(&width)
        && (1..=LARGEST_SIDE).contains(&height)
        && (width * layout.pixels.bytes()..=LARGEST_SIDE * 8).contains(&pitch);
    ensure!(fits, "a frame buffer of {width}x{height} dots cannot have {pitch} bytes a line");
    Ok(pitch * (height - 1) + width * layout.pixels.bytes())
}

/// The picture: with a palette if it has no more colours than fit into one, as consoles do.
pub(crate) fn decode(layout: &Layout, bytes: &[u8]) -> anyhow::Result<Screen> {
    let expected = length(layout)?;
    let found = bytes.len();
    ensure!(found >= expected, "the frame buffer has {found} of {expected} bytes");
    let line_length = layout.width * layout.pixels.bytes();
    let lines = (0..layout.height).map(|line| &bytes[line * layout.pitch..][..line_length]);
    let pixels = lines.flat_map(|line| line.chunks_exact(layout.pixels.bytes()));
    let dots: Vec<[u8; 3]> = pixels.map(|pixel| layout.pixels.colour(pixel)).collect();
    Ok(of_colours(layout.width, dots))
}

/// The dots as a picture with a palette, if their colours fit into one.
pub(super) fn of_colours(width: usize, dots: Vec<[u8; 3]>) -> Screen {
    let mut colours: Vec<[u8; 3]> = Vec::new();
    let mut numbers: HashMap<[u8; 3], u8> = HashMap::new();
    let mut indexed = Vec::with_capacity(dots.len());
    for dot in &dots {
        let number = match numbers.get(dot) {
            Some(number) => *number,
            None if colours.len() == PALETTE_LENGTH => return Screen::TrueColour(TrueColour { width, dots }),
            None => {
                let number = u8::try_from(colours.len()).unwrap_or(u8::MAX);
                colours.push(*dot);
                numbers.insert(*dot, number);
                number
            }
        };
        indexed.push(number);
    }
    Screen::Picture(Picture { width, colours, dots: indexed, text: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(screen: Screen) -> Picture {
        match screen {
            Screen::Picture(picture) => picture,
            other => panic!("{other:?}"),
        }
    }

    fn colours(layout: &Layout, bytes: &[u8]) -> Vec<[u8; 3]> {
        let picture = picture(decode(layout, bytes).unwrap());
        picture.dots.iter().map(|dot| picture.colours[usize::from(*dot)]).collect()
    }

    #[test]
    fn pixels_of_all_usual_sizes_have_their_colours() {
        for (bits, bytes) in [
            (15, &[0x00, 0x7C, 0xE0, 0x03, 0x1F, 0x00][..]),
            (16, &[0x00, 0xF8, 0xE0, 0x07, 0x1F, 0x00]),
            (24, &[0, 0, 255, 0, 255, 0, 255, 0, 0]),
            (32, &[0, 0, 255, 9, 0, 255, 0, 9, 255, 0, 0, 9]),
        ] {
            let pixels = Pixels::usual(bits).unwrap();
            let layout = Layout { width: 3, height: 1, pitch: bytes.len(), pixels };
            assert_eq!(colours(&layout, bytes), [[255, 0, 0], [0, 255, 0], [0, 0, 255]], "{bits} bits");
        }
        assert_eq!(Pixels::usual(12), None);
    }

    #[test]
    fn indexed_pixels_have_the_colours_of_the_palette() {
        let pixels = Pixels::Indexed(vec![[1, 2, 3], [4, 5, 6]]);
        let layout = Layout { width: 2, height: 1, pitch: 2, pixels };
        assert_eq!(colours(&layout, &[1, 0]), [[4, 5, 6], [1, 2, 3]]);
    }

    #[test]
    fn what_is_between_the_lines_is_not_shown() {
        let layout = Layout { width: 1, height: 2, pitch: 8, pixels: Pixels::usual(32).unwrap() };
        let bytes = [1, 1, 1, 0, 77, 77, 77, 0, 2, 2, 2, 0];
        assert_eq!(colours(&layout, &bytes), [[1, 1, 1], [2, 2, 2]]);
        assert_eq!(length(&layout).unwrap(), 12);
    }

    #[test]
    fn ten_bits_a_component_keep_the_upper_eight() {
        let channel = |offset| Channel { offset, length: 10 };
        let pixels = Pixels::Packed { bytes: 4, channels: [channel(20), channel(10), channel(0)] };
        let layout = Layout { width: 1, height: 1, pitch: 4, pixels };
        let pixel = (1023_u32 << 20 | 512 << 10 | 3).to_le_bytes();
        assert_eq!(colours(&layout, &pixel), [[255, 128, 0]]);
    }

    #[test]
    fn many_colours_need_no_palette() {
        let bytes: Vec<u8> = (0..300_u32).flat_map(|dot| (dot * 7).to_le_bytes()).collect();
        let layout = Layout { width: 300, height: 1, pitch: 1200, pixels: Pixels::usual(32).unwrap() };
        let screen = decode(&layout, &bytes).unwrap();
        assert!(matches!(&screen, Screen::TrueColour(picture) if picture.dots.len() == 300));
        let file = screen.png().unwrap();
        let reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        assert_eq!((reader.info().color_type, reader.info().width), (png::ColorType::Rgb, 300));
    }

    #[test]
    fn what_is_no_frame_buffer_is_refused() {
        let pixels = Pixels::usual(32).unwrap();
        let layout = |width, height, pitch| Layout { width, height, pitch, pixels: pixels.clone() };
        for wrong in [layout(0, 1, 4), layout(2, 0, 8), layout(2, 1, 7), layout(20_000, 1, 80_000)] {
            let error = decode(&wrong, &[0; 64]).unwrap_err().to_string();
            assert!(error.starts_with("a frame buffer of "), "{wrong:?}: {error}");
        }
        let error = decode(&layout(2, 2, 8), &[0; 15]).unwrap_err();
        assert_eq!(error.to_string(), "the frame buffer has 15 of 16 bytes");
    }
}
