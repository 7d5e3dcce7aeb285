//! A virtual terminal's cells, as `/dev/vcsaN` and `/dev/vcsuN` give them, become a screen.
//!
//! `vcsa` has a header of rows, columns and the cursor's place, then for each cell the glyph and the attribute;
//! `vcsu` has the Unicode character of each cell as four bytes in the machine's order (vcs(4),
//! Documentation/admin-guide/devices.txt). Both files are read one after the other, so they may be of
//! different moments; a `vcsu` of another size is of another screen and is not used.

use anyhow::{Context as _, ensure};

use super::{Attribute, Cell, Cursor, TextScreen, codepage};

const HEADER: usize = 4;
/// Less than the header, or no cells at all.
const EMPTY: &str = "the virtual terminal has no screen";

/// The screen of a terminal from `vcsa` and, where the kernel has it, `vcsu`. Without the latter, glyphs are
/// taken to be in code page 437, which is right for the font of the BIOS.
pub(crate) fn decode(vcsa: &[u8], vcsu: Option<&[u8]>) -> anyhow::Result<TextScreen> {
    let (header, rest) = vcsa.split_at_checked(HEADER).context(EMPTY)?;
    let [rows, columns, column, row] = [0, 1, 2, 3].map(|index| usize::from(header[index]));
    let count = rows * columns;
    ensure!(count > 0, EMPTY);
    let (cells, _) = rest.split_at_checked(count * 2).with_context(|| {
        let (found, expected) = (vcsa.len(), HEADER + count * 2);
        format!("the virtual terminal's screen is cut off: it has {found} of {expected} bytes")
    })?;
    let unicode = vcsu.filter(|bytes| bytes.len() == count * 4);
    let cells = cells
        .chunks_exact(2)
        .enumerate()
        .map(|(index, pair)| Cell {
            character: unicode
                .and_then(|bytes| unicode_at(bytes, index))
                .unwrap_or_else(|| codepage::character(pair[0])),
            attribute: Attribute(pair[1]),
        })
        .collect();
    Ok(TextScreen::new(columns, cells, Some(Cursor { column, row })))
}

/// The character of a cell; `None` where it cannot be shown.
fn unicode_at(bytes: &[u8], index: usize) -> Option<char> {
    let bytes = bytes.get(index * 4..)?.first_chunk::<4>()?;
    char::from_u32(u32::from_ne_bytes(*bytes)).filter(|character| !character.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vcsa(rows: u8, columns: u8, cells: &[(u8, u8)]) -> Vec<u8> {
        let mut bytes = vec![rows, columns, 1, 0];
        bytes.extend(cells.iter().flat_map(|(glyph, attribute)| [*glyph, *attribute]));
        bytes
    }

    fn vcsu(text: &str) -> Vec<u8> {
        text.chars().flat_map(|character| u32::from(character).to_ne_bytes()).collect()
    }

    #[test]
    fn characters_come_from_unicode_and_colours_from_the_attributes() {
        let cells = vcsa(1, 3, &[(b'?', 0x17), (0xDB, 0x4F), (0, 0x07)]);
        let screen = decode(&cells, Some(&vcsu("é█\0"))).unwrap();
        assert_eq!(screen.text(), "é█\n");
        let attributes: Vec<_> = screen.rows().flatten().map(|cell| cell.attribute.0).collect();
        assert_eq!(attributes, [0x17, 0x4F, 0x07]);
        assert_eq!(screen.cursor, Some(Cursor { column: 1, row: 0 }));
    }

    #[test]
    fn without_unicode_glyphs_are_those_of_a_pc() {
        let cells = vcsa(2, 2, &[(0xC9, 7), (0xCD, 7), (0xBA, 7), (b' ', 7)]);
        let of_another_size = vcsu("zzzzz");
        for unicode in [None, Some(&of_another_size[..])] {
            assert_eq!(decode(&cells, unicode).unwrap().text(), "╔═\n║\n");
        }
    }

    #[test]
    fn a_character_that_is_none_falls_back_to_its_glyph() {
        let surrogate = 0xD800_u32.to_ne_bytes();
        assert_eq!(decode(&vcsa(1, 1, &[(b'x', 7)]), Some(&surrogate)).unwrap().text(), "x\n");
    }

    #[test]
    fn the_size_is_what_the_header_says() {
        let screen = decode(&vcsa(50, 160, &[(b'x', 7); 8000]), None).unwrap();
        assert_eq!(screen.rows().count(), 50);
        assert!(screen.rows().all(|row| row.len() == 160));
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        for bytes in [&[][..], &[25, 80, 0], &[0, 80, 0, 0], &[25, 0, 0, 0]] {
            assert_eq!(decode(bytes, None).unwrap_err().to_string(), EMPTY);
        }
        let cut = &vcsa(25, 80, &[(b'x', 7); 1999]);
        assert_eq!(
            decode(cut, None).unwrap_err().to_string(),
            "the virtual terminal's screen is cut off: it has 4002 of 4004 bytes"
        );
    }
}
