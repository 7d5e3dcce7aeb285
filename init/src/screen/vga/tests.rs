//! Recorded snapshots against QEMU's own picture of the same moment (`kmod/test/record` made both), and the format
//! against the kernel module's header.

use std::io::{Read, Write};
use std::process::Command;

use super::snapshot::{self, Mode, offset};
use super::*;
use crate::screen::{Cursor, Screen, TextScreen};

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/screen/vga/fixtures");
    let file = std::fs::File::open(format!("{folder}/{name}.gz")).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

fn snapshot(name: &str) -> Vec<u8> {
    fixture(&format!("{name}.snapshot"))
}

/// What a recorded snapshot shows.
pub(in super::super) fn recorded(name: &str) -> Picture {
    decode(&snapshot(name)).unwrap()
}

/// Width and components of a picture as QEMU writes it: binary PPM of one header line each for kind, size, maximum.
fn photograph(name: &str) -> (usize, Vec<u8>) {
    let file = fixture(&format!("{name}.ppm"));
    let mut parts = file.splitn(4, |byte| *byte == b'\n');
    assert_eq!(parts.next().unwrap(), b"P6");
    let size = String::from_utf8(parts.next().unwrap().to_vec()).unwrap();
    assert_eq!(parts.next().unwrap(), b"255");
    let width = size.split_once(' ').unwrap().0.parse().unwrap();
    (width, parts.next().unwrap().to_vec())
}

/// QEMU rounds a DAC's six bits to eight in its own way, so the upper six are compared. Returns how many dots differ.
fn differing(picture: &Picture, photograph: &[u8], ignore: impl Fn(usize, usize) -> bool) -> usize {
    assert_eq!(picture.dots.len() * 3, photograph.len());
    let differs = |(index, (dot, seen)): (usize, (&u8, &[u8]))| {
        let colour = picture.colours[usize::from(*dot)];
        !ignore(index % picture.width, index / picture.width)
            && colour.iter().zip(seen).any(|(a, b)| a >> 2 != b >> 2)
    };
    picture.dots.iter().zip(photograph.chunks_exact(3)).enumerate().filter(|dot| differs(*dot)).count()
}

fn assert_same(name: &str) {
    let picture = decode(&snapshot(name)).unwrap();
    let (width, photograph) = photograph(name);
    assert_eq!(picture.width, width, "{name}");
    assert_eq!(differing(&picture, &photograph, |_, _| false), 0, "{name}");
}

/// As `assert_same`, without the ninth dot of B0h to BFh, which QEMU alone lets reach on.
fn assert_same_text(name: &str, character_height: usize) {
    let bytes = snapshot(name);
    let picture = decode(&bytes).unwrap();
    let parts = Snapshot::read(&bytes).unwrap();
    let screen = display::Display::of(&parts);
    let (width, photograph) = photograph(name);
    assert_eq!(picture.width, width, "{name}");
    let ignore = |x: usize, y: usize| {
        let counter = screen.row_start(y / character_height) + x / 9;
        let character = parts.planes[0][screen.addressing.offset(counter, 0)];
        x % 9 == 8 && (0xB0..=0xBF).contains(&character)
    };
    assert_eq!(differing(&picture, &photograph, ignore), 0, "{name}");
}

#[test]
fn text_modes_look_as_on_the_monitor() {
    assert_same_text("text-80x25", 16);
    assert_same_text("text-80x50", 8);
    assert_same_text("text-mono", 16);
    assert_same_text("text-two-fonts", 16);
}

/// QEMU gives characters of 40 columns eight double dots; a VGA gives them nine.
#[test]
fn wide_text_looks_as_on_the_monitor_but_for_the_ninth_dots() {
    let mut picture = decode(&snapshot("text-40x25")).unwrap();
    let (width, photograph) = photograph("text-40x25");
    assert_eq!((picture.width, width), (40 * 18, 40 * 16));
    picture.dots = picture.dots.chunks_exact(18).flat_map(|character| character[..16].to_vec()).collect();
    picture.width = width;
    assert_eq!(differing(&picture, &photograph, |_, _| false), 0);
}

#[test]
fn planar_modes_look_as_on_the_monitor() {
    for name in ["mode-06", "mode-0d", "mode-0e", "mode-0f", "mode-10", "mode-11", "mode-12"] {
        assert_same(name);
    }
}

#[test]
fn a_split_screen_begins_again_at_the_start_of_memory() {
    assert_same("mode-12-split");
}

#[test]
fn cga_looks_as_on_the_monitor() {
    assert_same("mode-04");
}

#[test]
fn modes_of_256_colours_look_as_on_the_monitor() {
    assert_same("mode-13");
    assert_same("mode-x");
}

fn text_of(bytes: &[u8]) -> TextScreen {
    decode(bytes).unwrap().text.unwrap()
}

#[test]
fn text_is_read_where_the_start_address_points() {
    for (name, columns, rows) in [("text-80x25", 80, 25), ("text-80x50", 80, 50), ("text-40x25", 40, 25)] {
        let text = text_of(&snapshot(name));
        assert_eq!((text.rows().next().unwrap().len(), text.rows().count()), (columns, rows), "{name}");
        let first: String = text.rows().next().unwrap().iter().take(8).map(|cell| cell.character).collect();
        assert_eq!(first, " ☺☻♥♦♣♠•", "{name}");
    }
}

#[test]
fn the_cursor_is_where_the_registers_say_and_drawn_in_its_lines() {
    let mut bytes = snapshot("text-80x25");
    assert_eq!(text_of(&bytes).cursor, None);
    let before = decode(&bytes).unwrap();
    bytes[offset::CRTC + 0x0A..offset::CRTC + 0x0C].copy_from_slice(&[0x0D, 0x0E]);
    bytes[offset::CRTC + 0x0E..offset::CRTC + 0x10].copy_from_slice(&[0x00, 0x52]);
    assert_eq!(text_of(&bytes).cursor, Some(Cursor { column: 2, row: 1 }));
    let after = decode(&bytes).unwrap();
    let changed: Vec<usize> =
        (0..after.dots.len()).filter(|dot| before.dots[*dot] != after.dots[*dot]).collect();
    assert!(!changed.is_empty());
    let is_inside = |dot: &usize| (18..27).contains(&(dot % 720)) && (29..31).contains(&(dot / 720));
    assert!(changed.iter().all(is_inside));
}

#[test]
fn panning_moves_to_the_left() {
    let mut bytes = snapshot("mode-12");
    let before = decode(&bytes).unwrap();
    bytes[offset::ATTRIBUTE + 0x13] = 3;
    let after = decode(&bytes).unwrap();
    assert_eq!(before.dots[3..640], after.dots[..637]);
}

#[test]
fn colours_that_could_not_be_read_are_the_usual_ones() {
    let mut bytes = snapshot("mode-12");
    bytes[offset::FLAGS] |= 0x02;
    let colours = decode(&bytes).unwrap().colours;
    assert_eq!((colours[1], colours[15]), ([0, 0, 0xAA], [0xFF, 0xFF, 0xFF]));
}

/// A card by the books leaves gaps; QEMU's old memory is spread out as such a card would have it.
#[test]
fn the_wiring_of_the_planes_is_found_out() {
    for (name, spread) in [
        ("mode-13", (|at| at << 2 | at >> 12 & 3) as fn(usize) -> usize),
        ("mode-13", |at| at << 2),
        ("text-80x25", |at| at << 1),
        ("mode-04", |at| at << 1),
    ] {
        let packed = snapshot(name);
        let mut spread_out = packed.clone();
        for plane in 0..4 {
            let start = snapshot::HEADER_LENGTH + plane * snapshot::PLANE_LENGTH;
            if name == "text-80x25" && plane >= 2 {
                continue;
            }
            spread_out[start..start + snapshot::PLANE_LENGTH].fill(0xA5);
            for at in 0..snapshot::PLANE_LENGTH / 4 {
                spread_out[start + spread(at)] = packed[start + at];
            }
        }
        assert_eq!(decode(&spread_out).unwrap(), decode(&packed).unwrap(), "{name}");
    }
}

#[test]
fn a_picture_becomes_a_png_of_its_size_and_colours() {
    for (name, depth, colours) in
        [("mode-12", png::BitDepth::Four, 16), ("mode-13", png::BitDepth::Eight, 256)]
    {
        let picture = decode(&snapshot(name)).unwrap();
        let (width, height) = (picture.width, picture.dots.len() / picture.width);
        let file = Screen::Picture(picture).png().unwrap();
        let reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let info = reader.info();
        assert_eq!((info.width as usize, info.height as usize), (width, height));
        assert_eq!((info.bit_depth, info.palette.as_ref().unwrap().len()), (depth, colours * 3));
    }
}

#[test]
fn what_is_no_snapshot_is_refused() {
    let good = snapshot("mode-12");
    let refused = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
    assert_eq!(refused(b"PNG"), "this is no snapshot of a VGA");
    assert_eq!(refused(&good[..5000]), format!("the snapshot has 5000 of {} bytes", good.len()));
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        refused(&bytes)
    };
    assert_eq!(with(offset::VERSION, 2), "the snapshot has format 2, and only format 1 is known");
    assert_eq!(with(offset::MODE, 9), "the snapshot is of mode 9, which is not known");
}

/// Registers and memory of a recorded snapshot, as they would be read one by one.
fn read_one_by_one(bytes: &[u8]) -> (Registers, Memory) {
    fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
        bytes[at..at + N].try_into().unwrap()
    }
    let registers = Registers {
        misc_output: bytes[offset::MISC_OUTPUT],
        sequencer: field(bytes, offset::SEQUENCER),
        crtc: field(bytes, offset::CRTC),
        graphics: field(bytes, offset::GRAPHICS),
        attribute: field(bytes, offset::ATTRIBUTE),
        dac: field(bytes, offset::DAC),
        dac_mask: bytes[offset::DAC_MASK],
    };
    let part = |index: usize| {
        let start = snapshot::HEADER_LENGTH + index * snapshot::PLANE_LENGTH;
        bytes[start..start + snapshot::PLANE_LENGTH].to_vec()
    };
    let mut window = part(4);
    window.truncate(registers.window().length);
    (registers, Memory { planes: [part(0), part(1), part(2), part(3)], window })
}

const SCENES: [&str; 16] = [
    "mode-04",
    "mode-06",
    "mode-0d",
    "mode-0e",
    "mode-0f",
    "mode-10",
    "mode-11",
    "mode-12",
    "mode-12-split",
    "mode-13",
    "mode-x",
    "text-40x25",
    "text-80x25",
    "text-80x50",
    "text-mono",
    "text-two-fonts",
];

#[test]
fn registers_that_were_read_from_user_space_mean_the_same() {
    for name in SCENES {
        let recorded = snapshot(name);
        let (registers, memory) = read_one_by_one(&recorded);
        assert_eq!(decode(&registers.snapshot(&memory)).unwrap(), decode(&recorded).unwrap(), "{name}");
        let length = &recorded[offset::WINDOW_LENGTH..offset::WINDOW_LENGTH + 4];
        assert_eq!(length, u32::try_from(memory.window.len()).unwrap().to_le_bytes(), "{name}");
    }
}

#[test]
fn a_text_screen_needs_no_planes_but_the_one_of_its_font() {
    for name in SCENES.iter().filter(|name| name.starts_with("text-")) {
        let recorded = snapshot(name);
        let (registers, mut memory) = read_one_by_one(&recorded);
        assert!(registers.is_text(), "{name}");
        let [characters, attributes] = text_planes(&memory.window);
        let [_, _, font, unused] = memory.planes;
        memory.planes = [characters, attributes, font, unused];
        assert_eq!(decode(&registers.snapshot(&memory)).unwrap(), decode(&recorded).unwrap(), "{name}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(32))]

    /// Registers can hold anything; no combination may break the decoder.
    #[test]
    fn any_registers_give_a_picture(header in proptest::collection::vec(proptest::num::u8::ANY, 100), mode in 1_u8..=5) {
        let mut bytes = vec![0x5A; snapshot::LENGTH];
        bytes[..8].copy_from_slice(snapshot::MAGIC);
        bytes[8..10].copy_from_slice(&snapshot::VERSION.to_le_bytes());
        bytes[offset::FLAGS..offset::FLAGS + 100].copy_from_slice(&header);
        bytes[offset::MODE] = mode;
        let picture = decode(&bytes).unwrap();
        proptest::prop_assert_eq!(picture.dots.len() % picture.width, 0);
        let colours = picture.colours.len();
        proptest::prop_assert!(picture.dots.iter().all(|dot| usize::from(*dot) < colours));
    }
}

/// Compiles the module's header and has it say where its fields are.
#[test]
fn the_format_is_the_kernel_modules() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("layout");
    let fields = ["version", "flags", "window_length", "mode", "misc_output", "dac_mask"]
        .into_iter()
        .chain(["sequencer", "crtc", "graphics", "attribute", "dac"]);
    let prints: String =
        fields.map(|field| format!("P(offsetof(struct ghostvga_header, {field}))")).collect();
    let source = format!(
        "#include <stddef.h>\n#include <stdio.h>\n#include \"ghostvga_uapi.h\"\n\
         #define P(x) printf(\"%zu\\n\", (size_t)(x));\n\
         int main(void) {{ P(sizeof(struct ghostvga_header)) P(GHOSTVGA_LENGTH) P(GHOSTVGA_PLANE_LENGTH)\n\
         P(GHOSTVGA_VERSION) P(GHOSTVGA_FLAG_DAC_BUSY) {prints}\n\
         P(GHOSTVGA_MODE_TEXT) P(GHOSTVGA_MODE_PLANAR) P(GHOSTVGA_MODE_INTERLEAVED) P(GHOSTVGA_MODE_CHAINED)\n\
         P(GHOSTVGA_MODE_UNCHAINED) fputs(GHOSTVGA_MAGIC, stdout); return 0; }}\n"
    );
    let mut compiler = Command::new("cc")
        .args(["-x", "c", "-I", concat!(env!("CARGO_MANIFEST_DIR"), "/../kmod"), "-", "-o"])
        .arg(&program)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    compiler.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    assert!(compiler.wait().unwrap().success());
    let printed = String::from_utf8(Command::new(&program).output().unwrap().stdout).unwrap();
    let (numbers, magic) = printed.rsplit_once('\n').unwrap();
    let numbers: Vec<usize> = numbers.lines().map(|line| line.parse().unwrap()).collect();
    let mut expected = vec![
        snapshot::HEADER_LENGTH,
        snapshot::LENGTH,
        snapshot::PLANE_LENGTH,
        usize::from(snapshot::VERSION),
        snapshot::FLAG_DAC_BUSY as usize,
        offset::VERSION,
        offset::FLAGS,
        offset::WINDOW_LENGTH,
        offset::MODE,
        offset::MISC_OUTPUT,
        offset::DAC_MASK,
        offset::SEQUENCER,
        offset::CRTC,
        offset::GRAPHICS,
        offset::ATTRIBUTE,
        offset::DAC,
    ];
    let named = [Mode::Text, Mode::Planar, Mode::Interleaved, Mode::Chained, Mode::Unchained];
    expected.extend(named.map(|mode| {
        let (number, _) = Mode::NUMBERS.into_iter().find(|(_, known)| *known == mode).unwrap();
        usize::from(number)
    }));
    assert_eq!(numbers, expected);
    assert_eq!(magic.as_bytes(), snapshot::MAGIC);
}
