//! The registers ("DISPI") that hold the VESA mode on Bochs, QEMU and similar cards.
//!
//! Does not read them. They are words from offset 500h on in the card's third memory window (QEMU,
//! docs/specs/standard-vga.rst).

use super::frame_buffer::{Layout, Pixels};

pub(crate) const OFFSET: usize = 0x500;
/// How many are looked at.
pub(crate) const COUNT: usize = 10;
/// The lowest and highest number that the first one can have: versions of the interface.
const VERSIONS: std::ops::RangeInclusive<u16> = 0xB0C0..=0xB0CF;

mod index {
    pub(super) const WIDTH: usize = 1;
    pub(super) const HEIGHT: usize = 2;
    pub(super) const BITS: usize = 3;
    pub(super) const ENABLE: usize = 4;
    pub(super) const VIRTUAL_WIDTH: usize = 6;
    pub(super) const X: usize = 8;
    pub(super) const Y: usize = 9;
}

/// A VESA mode that is displayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mode {
    /// How its frame buffer is laid out.
    pub layout: Layout,
    /// Where in the card's memory its first dot is, bytes.
    pub start: usize,
}

/// The mode that the registers tell of; none while the card is a VGA.
pub(crate) fn mode(registers: &[u16; COUNT], colours: impl FnOnce() -> Vec<[u8; 3]>) -> Option<Mode> {
    let is_displayed = VERSIONS.contains(&registers[0]) && registers[index::ENABLE] & 1 == 1;
    if !is_displayed {
        return None;
    }
    let register = |index: usize| usize::from(registers[index]);
    let bits = u32::from(registers[index::BITS]);
    // A mode of 8 bits has the VGA's colours. One of 4 is the VGA's own, planes and all.
    let pixels = if bits == 8 { Pixels::Indexed(colours()) } else { Pixels::usual(bits)? };
    let bytes = usize::try_from(bits.div_ceil(8)).unwrap_or(1);
    let pitch = register(index::VIRTUAL_WIDTH).max(register(index::WIDTH)) * bytes;
    let layout = Layout { width: register(index::WIDTH), height: register(index::HEIGHT), pitch, pixels };
    Some(Mode { layout, start: register(index::Y) * pitch + register(index::X) * bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: [u16; COUNT] = [0xB0C5, 640, 480, 32, 0x41, 0, 800, 600, 4, 2];

    #[test]
    fn a_mode_is_where_the_registers_say() {
        let mode = mode(&SHOWN, Vec::new).unwrap();
        assert_eq!((mode.layout.width, mode.layout.height, mode.layout.pitch), (640, 480, 3200));
        assert_eq!(mode.start, 2 * 3200 + 4 * 4);
    }

    #[test]
    fn a_mode_of_eight_bits_has_the_vgas_colours() {
        let mut registers = SHOWN;
        registers[index::BITS] = 8;
        let shown = mode(&registers, || vec![[1, 2, 3]]).unwrap();
        assert_eq!((shown.layout.pixels, shown.layout.pitch), (Pixels::Indexed(vec![[1, 2, 3]]), 800));
    }

    #[test]
    fn without_a_mode_the_card_is_a_vga() {
        for (index, value) in [(0, 0xFFFF), (index::ENABLE, 0x40), (index::BITS, 4)] {
            let mut registers = SHOWN;
            registers[index] = value;
            assert_eq!(mode(&registers, Vec::new), None, "{index}: {value}");
        }
    }
}
