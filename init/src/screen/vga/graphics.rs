//! Graphics modes: how the bits of four bytes, one a plane, become eight dots.

use super::display::Display;
use super::snapshot::{Mode, Snapshot};

/// All dots: numbers of the attribute controller's colours, or of the DAC's where a pixel has a byte.
pub(super) fn draw(snapshot: &Snapshot<'_>, screen: &Display, mode: Mode) -> Vec<u8> {
    let mut dots = Vec::with_capacity(screen.width() * screen.height);
    let shift: fn([u8; 4]) -> [u8; 8] = match mode {
        Mode::Interleaved => interleaved,
        Mode::Chained | Mode::Unchained => bytes,
        Mode::Planar | Mode::Text => planar,
    };
    for line in screen.lines() {
        let group = |counter: usize, dots: &mut Vec<u8>| {
            let offset = screen.addressing.offset(counter, line.row);
            dots.extend(shift(snapshot.planes.map(|plane| plane[offset])));
        };
        screen.draw_line(line, group, &mut dots);
    }
    dots
}

fn planar(planes: [u8; 4]) -> [u8; 8] {
    [7, 6, 5, 4, 3, 2, 1, 0].map(|bit| {
        let of = |plane: usize| (planes[plane] >> bit & 1) << plane;
        of(0) | of(1) | of(2) | of(3)
    })
}

/// Pairs of bits: four pixels from planes 0 and 2, then four from planes 1 and 3.
fn interleaved(planes: [u8; 4]) -> [u8; 8] {
    [(0, 6), (0, 4), (0, 2), (0, 0), (1, 6), (1, 4), (1, 2), (1, 0)]
        .map(|(plane, bit): (usize, u32)| planes[plane] >> bit & 3 | (planes[plane + 2] >> bit & 3) << 2)
}

/// A byte a pixel, each two dots wide.
fn bytes(planes: [u8; 4]) -> [u8; 8] {
    [0, 0, 1, 1, 2, 2, 3, 3].map(|plane: usize| planes[plane])
}
