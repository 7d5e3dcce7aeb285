//! Pictures that are drawn here with each font, and what was recorded from a VGA.

use super::*;

/// A picture with these lines from the top left on, one colour on another.
fn picture(lines: &[&str], grid: Grid, size: [usize; 2], font: &[u8]) -> Picture {
    let [width, height] = size;
    let mut dots = vec![0; width * height];
    let [wide, high] = grid.scale;
    for (row, line) in lines.iter().enumerate() {
        for (column, byte) in line.bytes().enumerate() {
            let glyph = &font[usize::from(byte) * grid.height..][..grid.height];
            for (y, bits) in glyph.iter().enumerate() {
                for x in (0..8).filter(|x| bits >> (7 - x) & 1 == 1) {
                    let (left, top) = ((column * grid.width + x) * wide, (row * grid.height + y) * high);
                    for dot in
                        (0..high).flat_map(|down| (0..wide).map(move |right| (left + right, top + down)))
                    {
                        dots[dot.1 * width + dot.0] = 1;
                    }
                }
            }
        }
    }
    Picture { width, colours: vec![[0, 0, 170], [255, 255, 85]], dots, text: None }
}

#[test]
fn text_is_read_in_all_modes_that_a_bios_writes_in() {
    let [large, narrow, middle, small] = FONTS.map(|(_, font)| font);
    let grid = |width, height, scale| Grid { width, height, scale };
    for (mode, grid, size, font) in [
        ("12h", grid(8, 16, [1, 1]), [640, 480], large),
        ("11h of dosbox-x", grid(8, 16, [1, 1]), [640, 480], narrow),
        ("10h", grid(8, 14, [1, 1]), [640, 350], middle),
        ("13h", grid(8, 8, [2, 2]), [640, 400], small),
        ("13h, not doubled", grid(8, 8, [1, 1]), [320, 200], small),
        ("0Eh", grid(8, 8, [1, 2]), [640, 400], small),
        ("3", grid(9, 16, [1, 1]), [720, 400], large),
        ("3 with 50 lines", grid(9, 8, [1, 1]), [720, 400], small),
        ("1", grid(9, 16, [2, 1]), [720, 400], large),
    ] {
        let lines = ["Mark this disk?", "", "  [ Yes ]  No 0123456789"];
        let screen = read(&picture(&lines, grid, size, font)).unwrap_or_else(|| panic!("mode {mode}"));
        assert_eq!(screen.text(), "Mark this disk?\n\n  [ Yes ]  No 0123456789\n", "mode {mode}");
        let attribute = screen.rows().next().unwrap()[0].attribute;
        assert_eq!((attribute.foreground(), attribute.background()), (14, 1), "mode {mode}");
    }
}

#[test]
fn what_is_marked_by_exchanged_colours_is_read_too() {
    let grid = Grid { width: 8, height: 16, scale: [1, 1] };
    let mut picture = picture(&["Yes, destroy it"], grid, [640, 480], FONTS[0].1);
    picture.dots[..640 * 16].iter_mut().for_each(|dot| *dot = 1 - *dot);
    let screen = read(&picture).unwrap();
    assert_eq!(screen.text(), "Yes, destroy it\n");
    assert_eq!(screen.rows().next().unwrap()[0].attribute.foreground(), 1);
}

#[test]
fn text_among_drawings_is_read_and_the_drawings_are_not() {
    let grid = Grid { width: 8, height: 16, scale: [1, 1] };
    let mut picture = picture(&["", "Clone 42%"], grid, [640, 480], FONTS[0].1);
    let mut noise = 1_u32;
    for dot in &mut picture.dots[640 * 48..] {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *dot = u8::from(noise >> 31 == 1);
    }
    assert_eq!(read(&picture).unwrap().text(), "\nClone 42%\n");
}

#[test]
fn a_picture_without_letters_has_no_text() {
    let blank = Picture { width: 640, colours: vec![[0; 3]], dots: vec![0; 640 * 480], text: None };
    assert_eq!(read(&blank), None);
    let stripes = (0..640 * 480).map(|dot: usize| u8::from((dot / 3).is_multiple_of(2))).collect();
    assert_eq!(read(&Picture { colours: vec![[0; 3], [9; 3]], dots: stripes, ..blank }), None);
    let empty = Picture { width: 0, colours: Vec::new(), dots: Vec::new(), text: None };
    assert_eq!(read(&empty), None);
}

/// The recorded text screens have the font of QEMU's VGA BIOS in plane 2, so the dots say what the cells say.
#[test]
fn what_a_vga_draws_is_read_as_what_it_was_told_to_write() {
    for name in ["text-80x25", "text-mono"] {
        let mut picture = crate::screen::vga::recorded(name);
        let written = picture.text.take().unwrap();
        let seen = read(&picture).unwrap();
        let (mut letters, mut wrong) = (0, 0);
        for (written, seen) in written.rows().flatten().zip(seen.rows().flatten()) {
            let is_visible = written.attribute.foreground() != written.attribute.background();
            if is_visible && written.character.is_ascii_alphanumeric() {
                letters += 1;
                wrong += u32::from(written.character != seen.character);
            }
        }
        assert!(letters > 100, "{name}: {letters}");
        // A colour can be the same as another by its number of the DAC.
        assert_eq!(wrong, 0, "{name}");
    }
}

/// dosbox-x' own picture of the stand-in for GHOST.EXE (`tests/dos/`), which drew its question straight into video memory.
#[test]
fn a_question_that_was_drawn_is_read_in_a_picture_of_dosbox_x() {
    let file = include_bytes!("fixtures/dosbox-x-drawn.png").to_vec();
    let text = crate::screen::Screen::Png(file).text().unwrap();
    for line in [
        "*** STAND-IN for GHOST.EXE, not Norton Ghost ***",
        "This disk has not been marked as one that Ghost has seen before.",
        "[ Mark ]  [ Continue without marking ]   Tab: other choice, Enter: take it",
    ] {
        assert!(text.lines().any(|read| read == line), "{text}");
    }
}
