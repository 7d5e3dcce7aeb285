//! The built-in font, for screens whose own font is not known. `font/README.md` says where it comes from.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Dots of a character from left to right.
pub(super) const WIDTH: usize = 8;
/// Dots of a character from top to bottom.
pub(super) const HEIGHT: usize = 16;
/// Records in ascending order of their code points, as `font/make-glyphs` describes them.
const GLYPHS: &[u8] = include_bytes!("font/glyphs-8x16.bin");
/// The code point, then the rows.
const RECORD: usize = 2 + HEIGHT;
/// The rows of each character.
static ROWS: LazyLock<HashMap<char, &[u8]>> = LazyLock::new(|| {
    let record = |record: &'static [u8]| {
        let code_point = u16::from_le_bytes([record[0], record[1]]);
        char::from_u32(u32::from(code_point)).map(|character| (character, &record[2..]))
    };
    GLYPHS.chunks_exact(RECORD).filter_map(record).collect()
});
/// Drawn for a character that the font does not have.
const REPLACEMENT: char = '\u{FFFD}';

/// The rows of a character from top to bottom, the leftmost dot in the highest bit.
pub(super) fn glyph(character: char) -> &'static [u8] {
    find(character).or_else(|| find(REPLACEMENT)).unwrap_or(&[0; HEIGHT])
}

fn find(character: char) -> Option<&'static [u8]> {
    ROWS.get(&character).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::codepage;

    #[test]
    fn the_font_has_all_of_a_pcs_characters() {
        for byte in 0..=u8::MAX {
            assert!(find(codepage::character(byte)).is_some(), "{byte:#x}");
        }
        assert!(find(REPLACEMENT).is_some());
    }

    #[test]
    fn glyphs_are_those_of_their_characters() {
        assert_eq!(glyph(' '), [0; HEIGHT]);
        assert_eq!(glyph('█'), [0xFF; HEIGHT]);
        assert_eq!(glyph('▄'), [[0; 8], [0xFF; 8]].concat());
        assert_eq!(glyph('│'), [0b0001_0000; HEIGHT]);
    }

    #[test]
    fn an_unknown_character_is_seen_to_be_one() {
        assert_eq!(glyph('字'), glyph(REPLACEMENT));
        assert_eq!(glyph('\u{1F600}'), glyph(REPLACEMENT));
    }
}
