//! From a dot's number to red, green and blue: the attribute controller's palette, then the DAC.

use super::snapshot::{Mode, Snapshot};
use crate::screen::picture::PALETTE;

/// A colour with eight bits a component.
type Colour = [u8; 3];

/// The colours of all dots: 256 where a pixel has a byte, else 16.
pub(super) fn colours(snapshot: &Snapshot<'_>) -> Vec<Colour> {
    let dac = dac(snapshot);
    // A mask of 0 makes all dots the same, as some programs do to hide their drawing, and QEMU has no mask at all.
    let mask = if snapshot.dac_mask == 0 { u8::MAX } else { snapshot.dac_mask };
    let colour = |index: u8| dac[usize::from(index & mask)];
    match snapshot.mode {
        Mode::Chained | Mode::Unchained => (0..=u8::MAX).map(colour).collect(),
        Mode::Text | Mode::Planar | Mode::Interleaved => {
            (0..16).map(|number| colour(dac_index(snapshot, number))).collect()
        }
    }
}

/// What the attribute controller makes of one of 16 numbers.
fn dac_index(snapshot: &Snapshot<'_>, number: u8) -> u8 {
    let planes_shown = snapshot.attribute[0x12] & 0x0F;
    let entry = snapshot.attribute[usize::from(number & planes_shown)] & 0x3F;
    let select = snapshot.attribute[0x14];
    let middle_bits_are_selected = snapshot.attribute[0x10] & 0x80 != 0;
    let lower = if middle_bits_are_selected { entry & 0x0F | (select & 0x03) << 4 } else { entry };
    lower | (select & 0x0C) << 4
}

/// All 256 colours. Six bits a component become eight; a larger number shows that the card has eight already.
fn dac(snapshot: &Snapshot<'_>) -> Vec<Colour> {
    let Some(components) = snapshot.dac() else {
        return (0..=u8::MAX).map(usual_colour).collect();
    };
    let has_six_bits = components.iter().all(|component| *component < 64);
    let widen = |component: u8| if has_six_bits { component << 2 | component >> 4 } else { component };
    components.chunks_exact(3).map(|colour| [widen(colour[0]), widen(colour[1]), widen(colour[2])]).collect()
}

/// A guess for when the DAC could not be read: text colours, then an EGA's 64, then greys.
fn usual_colour(index: u8) -> Colour {
    let level = |strong: u32, weak: u32| (index >> strong & 1) * 0xAA + (index >> weak & 1) * 0x55;
    match index {
        0..16 => {
            let at = usize::from(index) * 3;
            [PALETTE[at], PALETTE[at + 1], PALETTE[at + 2]]
        }
        16..64 => [level(2, 5), level(1, 4), level(0, 3)],
        64.. => [index; 3],
    }
}
