use super::*;

fn cells(text: &str, attribute: u8) -> Vec<Cell> {
    text.chars().map(|character| Cell { character, attribute: Attribute(attribute) }).collect()
}

/// Width, height and colour numbers of the dots of a PNG.
fn decoded(file: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut dots = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut dots).unwrap();
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Indexed, png::BitDepth::Four));
    let dots = dots.iter().flat_map(|pair| [pair >> 4, pair & 0x0F]).collect();
    (info.width, info.height, dots)
}

#[test]
fn text_is_what_a_person_would_read() {
    let screen = TextScreen::new(6, cells(" Mark         ok  x           ", 7), None);
    assert_eq!(screen.text(), " Mark\n\n  ok\nx\n");
}

#[test]
fn an_empty_screen_has_an_empty_text() {
    assert_eq!(TextScreen::new(4, cells("        ", 7), None).text(), "\n");
    assert_eq!(TextScreen::new(0, cells("   ", 7), None).text(), "\n");
}

#[test]
fn a_text_screen_is_drawn_in_its_colours() {
    let mut row = cells("█", 0x1E);
    row.extend(cells(" ", 0x4F));
    let screen = Screen::Text(TextScreen::new(2, row, None));
    let (width, height, dots) = decoded(&screen.png().unwrap());
    assert_eq!((width, height), (16, 16));
    let line = [[14; 8], [4; 8]].concat();
    assert_eq!(dots, line.repeat(16));
}

#[test]
fn dots_stand_where_the_glyph_has_them() {
    let screen = Screen::Text(TextScreen::new(1, cells("│", 0x07), None));
    let (_, _, dots) = decoded(&screen.png().unwrap());
    assert_eq!(dots[..8], [0, 0, 0, 7, 0, 0, 0, 0]);
}

#[test]
fn the_cursor_is_an_underline() {
    let cursor = Some(Cursor { column: 1, row: 0 });
    let screen = Screen::Text(TextScreen::new(2, cells("  ", 0x07), cursor));
    let (_, _, dots) = decoded(&screen.png().unwrap());
    assert_eq!(dots.iter().filter(|dot| **dot == 7).count(), 16);
    assert_eq!(dots[15 * 16..], [[0; 8], [7; 8]].concat());
}

#[test]
fn a_blinking_character_has_no_bright_background() {
    assert_eq!((Attribute(0xF4).background(), Attribute(0xF4).foreground()), (7, 4));
}

#[test]
fn the_same_screen_gives_the_same_bytes() {
    let screen = Screen::Text(TextScreen::new(80, cells(&"Ghost ".repeat(400), 0x17), None));
    assert_eq!(screen.png().unwrap(), screen.png().unwrap());
}

#[test]
fn a_screen_without_cells_cannot_be_drawn() {
    let error = Screen::Text(TextScreen::new(0, vec![], None)).png().unwrap_err();
    assert_eq!(error.to_string(), "a screen of 0x0 characters cannot be drawn");
}

#[test]
fn the_imagers_own_picture_is_passed_on_and_has_no_text() {
    let screen = Screen::Png(vec![1, 2, 3]);
    assert_eq!((screen.png().unwrap(), screen.text()), (vec![1, 2, 3], None));
}

#[test]
fn a_picture_of_the_imagers_that_claims_to_be_huge_is_not_decoded() {
    let claims = |width: u32, height: u32| {
        let mut file = Vec::new();
        let mut writer = png::Encoder::new(&mut file, width, height).write_header().unwrap();
        writer.write_chunk(png::chunk::IDAT, &[]).unwrap();
        drop(writer);
        picture::load(&file).unwrap_err().to_string()
    };
    let refused = "the picture claims to have 4097 x 2160 dots, which no imager's screen has";
    assert_eq!(claims(4_097, 2_160), refused);
    assert_eq!(claims(4_096, 2_160), "the picture cannot be read as PNG", "it has no dots");
}

#[test]
fn a_picture_of_the_imagers_with_a_palette_of_no_whole_colours_is_not_decoded() {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 1, 1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(vec![0; 7]);
    encoder.write_header().unwrap().write_image_data(&[0]).unwrap();
    let refused = picture::load(&file).unwrap_err().to_string();
    assert_eq!(refused, "the picture's palette is not one of whole colours");
}

#[test]
fn a_screen_can_be_drawn_on_the_small_stack_of_a_task() {
    let screen = Screen::Text(TextScreen::new(160, cells(&"Ghost ▒█".repeat(1000), 0x17), None));
    let small_stack = std::thread::Builder::new().stack_size(256 * 1024);
    let drawn = small_stack.spawn(move || screen.png().map(|picture| picture.len())).unwrap();
    assert!(drawn.join().unwrap().unwrap() > 0);
}

#[test]
fn colours_are_those_of_a_terminal() {
    let mut row = cells("Ok", 0x1E);
    row.extend(cells("!", 0x4F));
    row.extend(cells("   ", 0x07));
    let screen = TextScreen::new(6, row, None);
    assert_eq!(screen.coloured(), "\x1b[93;44mOk\x1b[97;41m!\x1b[0m\n");
}
