//! A picture in a file of our own making, with nothing of the client's file but its dots.
//!
//! A screen of letters has at most 16 colours, and is written by their numbers: that takes a third less time and room.

use anyhow::Context as _;

use super::{Decoded, Dots, UNREADABLE, require_a_screens_size};

/// The most colours that half a byte has numbers for.
const COLOURS_OF_LETTERS: usize = 16;

pub(crate) fn redrawn(png: &[u8]) -> anyhow::Result<Vec<u8>> {
    require_a_screens_size(png)?;
    let decoded = Decoded::of(png).context(UNREADABLE)?;
    drawn(decoded.width, decoded.height, decoded.dots())
}

/// As [`redrawn`], with each square of dots become one, so that it is at most so wide and high.
pub(crate) fn redrawn_small(png: &[u8], widest: u32) -> anyhow::Result<Vec<u8>> {
    require_a_screens_size(png)?;
    let decoded = Decoded::of(png).context(UNREADABLE)?;
    let side = decoded.width.max(decoded.height).div_ceil(widest.max(1)).max(1);
    if side == 1 {
        return drawn(decoded.width, decoded.height, decoded.dots());
    }
    let (width, height) = ((decoded.width / side).max(1), (decoded.height / side).max(1));
    let step = usize::try_from(side)?;
    let row = usize::try_from(decoded.width)?;
    let dots: Vec<[u8; 3]> = decoded.dots().collect();
    let mut small = Vec::with_capacity(usize::try_from(u64::from(width) * u64::from(height))?);
    for top in (0..usize::try_from(height)?).map(|line| line * step) {
        for left in (0..usize::try_from(width)?).map(|column| column * step) {
            small.push(mean(&dots, row, left, top, step));
        }
    }
    drawn(width, height, small.into_iter())
}

/// The mean colour of a square of dots.
fn mean(dots: &[[u8; 3]], row: usize, left: usize, top: usize, side: usize) -> [u8; 3] {
    let mut sums = [0_u32; 3];
    let mut count = 0;
    for line in top..top + side {
        let begin = line * row + left;
        for dot in dots.get(begin..begin + side.min(row - left)).unwrap_or_default() {
            sums.iter_mut().zip(dot).for_each(|(sum, part)| *sum += u32::from(*part));
            count += 1;
        }
    }
    sums.map(|sum| u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX))
}

fn drawn(width: u32, height: u32, dots: impl Iterator<Item = [u8; 3]> + Clone) -> anyhow::Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_depth(png::BitDepth::Eight);
    let samples = match Dots::exactly(usize::try_from(width)?, dots.clone()) {
        Some(numbered) => {
            encoder.set_color(png::ColorType::Indexed);
            let is_of_letters = numbered.colours.len() <= COLOURS_OF_LETTERS;
            encoder.set_palette(numbered.colours.concat());
            if is_of_letters {
                encoder.set_depth(png::BitDepth::Four);
                two_a_byte(&numbered)
            } else {
                numbered.dots
            }
        }
        None => {
            encoder.set_color(png::ColorType::Rgb);
            dots.flatten().collect()
        }
    };
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&samples)?;
        writer.finish()
    });
    written.context("the screenshot cannot be drawn anew")?;
    Ok(file)
}

/// The left one of two dots is in the upper half of their byte, and each line begins with a byte of its own.
fn two_a_byte(picture: &Dots) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(picture.dots.len() / 2 + 1);
    for line in picture.dots.chunks(picture.width.max(1)) {
        bytes.extend(line.chunks(2).map(|two| two[0] << 4 | two.get(1).unwrap_or(&0)));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::tests::png;
    use super::*;

    #[test]
    fn a_palette_that_the_decoder_would_panic_at_is_refused() {
        for colours in [4, 7, 767] {
            let picture = png(1, 1, &vec![0; colours], &[0]);
            let error = redrawn(&picture).unwrap_err();
            assert!(format!("{error:#}").contains("not one of whole colours"), "{colours}: {error:#}");
        }
        assert!(redrawn(&png(1, 1, &[0; 3 * 256], &[0])).is_ok());
    }

    #[test]
    fn a_picture_that_is_drawn_anew_has_the_same_dots_and_nothing_else() {
        let mut original = png(2, 1, &[0, 0, 0, 255, 128, 0], &[1, 0]);
        let end = original.len() - 12;
        let hidden = [&12_u32.to_be_bytes()[..], b"tEXtA\0<script></", &[0; 4]].concat();
        original.splice(end..end, hidden);
        let anew = redrawn(&original).unwrap();
        assert!(!anew.windows(6).any(|window| window == b"script"));
        let dots: Vec<_> = Decoded::of(&anew).unwrap().dots().collect();
        assert_eq!(dots, [[255, 128, 0], [0, 0, 0]]);
        assert!(redrawn(b"PNG of nothing").is_err());
    }

    #[test]
    fn a_small_picture_has_the_mean_of_each_square_and_its_edges() {
        // Two squares of four dots, and a column and a row that belong to no whole square.
        let original = png(5, 3, &[0, 0, 0, 200, 100, 40], &[0, 1, 1, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0]);
        let small = Decoded::of(&redrawn_small(&original, 2).unwrap()).unwrap();
        assert_eq!((small.width, small.height), (1, 1), "5 dots in squares of 3 are one whole square");
        let small = Decoded::of(&redrawn_small(&original, 3).unwrap()).unwrap();
        assert_eq!((small.width, small.height), (2, 1));
        assert_eq!(small.dots().collect::<Vec<_>>(), [[100, 50, 20], [200, 100, 40]]);
        let small = Decoded::of(&redrawn_small(&png(1, 9, &[1, 2, 3], &[0; 9]), 4).unwrap()).unwrap();
        assert_eq!((small.width, small.height), (1, 3), "a narrow one is not too high");
    }

    #[test]
    fn a_picture_of_few_colours_is_written_by_their_numbers_and_has_the_same_dots() {
        use png::{BitDepth, ColorType};
        for (colours, kind, depth) in [
            (1_u16, ColorType::Indexed, BitDepth::Four),
            (16, ColorType::Indexed, BitDepth::Four),
            (17, ColorType::Indexed, BitDepth::Eight),
            (256, ColorType::Indexed, BitDepth::Eight),
            (257, ColorType::Rgb, BitDepth::Eight),
        ] {
            let colour = |dot: u16| {
                let [high, low] = (dot % colours).to_be_bytes();
                [high, low, 9]
            };
            // Lines of an odd number of dots end in half a byte.
            let dots: Vec<[u8; 3]> = (0..315).map(colour).collect();
            let file = drawn(21, 15, dots.iter().copied()).unwrap();
            let read = png::Decoder::new(Cursor::new(&file)).read_info().unwrap();
            assert_eq!((read.info().color_type, read.info().bit_depth), (kind, depth), "{colours}");
            let anew = Decoded::of(&file).unwrap();
            assert_eq!((anew.width, anew.height), (21, 15));
            assert_eq!(anew.dots().collect::<Vec<_>>(), dots, "{colours}");
        }
    }
}
