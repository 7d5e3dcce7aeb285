//! Code page 437: the characters of a PC's text mode.
//!
//! Does not know of control characters: in video memory every byte has a glyph.

/// Glyphs of the bytes 0x00 to 0x1F.
const LOW: &str = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";
/// Glyphs of the bytes 0x7F to 0xFF.
const HIGH: &str = concat!(
    "⌂",
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ",
    "áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
    "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}"
);

/// The character whose glyph a PC's own font has for this byte.
pub(crate) fn character(byte: u8) -> char {
    let index = usize::from(byte);
    match byte {
        ..=0x1F => LOW.chars().nth(index),
        0x20..=0x7E => None,
        0x7F.. => HIGH.chars().nth(index - 0x7F),
    }
    .unwrap_or_else(|| char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        let mut characters: Vec<char> = (1..=u8::MAX).map(character).collect();
        characters.sort_unstable();
        characters.dedup();
        assert_eq!(characters.len(), 255);
        assert_eq!((LOW.chars().count(), HIGH.chars().count()), (0x20, 0x81));
    }

    #[test]
    fn well_known_bytes_are_where_they_belong() {
        for (byte, expected) in [
            (0x00, ' '),
            (0x01, '☺'),
            (0x1F, '▼'),
            (b'A', 'A'),
            (0x7F, '⌂'),
            (0x84, 'ä'),
            (0xB3, '│'),
            (0xC9, '╔'),
            (0xDB, '█'),
            (0xE1, 'ß'),
            (0xFE, '■'),
        ] {
            assert_eq!(character(byte), expected, "{byte:#x}");
        }
    }
}
