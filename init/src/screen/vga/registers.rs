//! A VGA's registers that were read one by one, from user space: what they mean is found out as the kernel module does
//! it, and they are put before the planes in the format of its snapshots.

use super::snapshot::{HEADER_LENGTH, MAGIC, Mode, PLANE_LENGTH, PLANES, VERSION, offset};
use super::text;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registers {
    pub misc_output: u8,
    pub sequencer: [u8; 5],
    pub crtc: [u8; 25],
    pub graphics: [u8; 9],
    pub attribute: [u8; 21],
    /// Red, green and blue of 256 colours.
    pub dac: [u8; 768],
    pub dac_mask: u8,
}

/// Where programs see video memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub address: usize,
    /// Bytes of it in which planes alternate; 0 where a program sees one plane at a time.
    pub length: usize,
}

/// The memory that belongs to the registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// The planes, each of [`Memory::PLANE`] bytes or empty if it was not read.
    pub planes: [Vec<u8>; PLANES],
    pub window: Vec<u8>,
}

impl Memory {
    /// Bytes of a plane.
    pub const PLANE: usize = PLANE_LENGTH;
    /// Bytes of a font: 256 glyphs of 32.
    pub const FONT: usize = 8192;
}

impl Registers {
    /// What they make of the planes.
    pub(super) const fn mode(&self) -> Mode {
        if self.graphics[6] & 0x01 == 0 {
            return Mode::Text;
        }
        match (self.graphics[5] & 0x60, self.sequencer[4] & 0x08) {
            (0x40.., 0) => Mode::Unchained,
            (0x40.., _) => Mode::Chained,
            (0x20, _) => Mode::Interleaved,
            _ => Mode::Planar,
        }
    }

    pub const fn is_text(&self) -> bool {
        matches!(self.mode(), Mode::Text)
    }

    /// Where in plane 2 the fonts are that a text mode uses, each of [`Memory::FONT`] bytes.
    pub const fn fonts(&self) -> [usize; 2] {
        text::fonts(self.sequencer[3])
    }

    /// Where programs see video memory.
    pub const fn window(&self) -> Window {
        let (address, length) = match self.graphics[6] >> 2 & 3 {
            // Of 128 KiB, as much as a plane has.
            0 | 1 => (0xA_0000, 0x1_0000),
            2 => (0xB_0000, 0x8000),
            _ => (0xB_8000, 0x8000),
        };
        let planes_alternate = self.graphics[5] & 0x10 != 0 || self.sequencer[4] & 0x08 != 0;
        let reads_compare_colours = self.graphics[5] & 0x08 != 0;
        Window { address, length: if planes_alternate && !reads_compare_colours { length } else { 0 } }
    }

    /// A snapshot in the kernel module's format.
    pub fn snapshot(&self, memory: &Memory) -> Vec<u8> {
        let mut bytes = self.header(memory.window.len());
        for part in memory.planes.iter().chain([&memory.window]) {
            let start = bytes.len();
            bytes.extend(part.iter().take(PLANE_LENGTH));
            bytes.resize(start + PLANE_LENGTH, 0);
        }
        bytes
    }

    fn header(&self, window_length: usize) -> Vec<u8> {
        let mut header = vec![0; HEADER_LENGTH];
        let number = Mode::NUMBERS.into_iter().find(|(_, mode)| *mode == self.mode());
        let window_length = u32::try_from(window_length).unwrap_or(u32::MAX).to_le_bytes();
        for (at, bytes) in [
            (0, &MAGIC[..]),
            (offset::VERSION, &VERSION.to_le_bytes()),
            (offset::WINDOW_LENGTH, &window_length),
            (offset::MODE, &[number.map_or(0, |(number, _)| number)]),
            (offset::MISC_OUTPUT, &[self.misc_output]),
            (offset::DAC_MASK, &[self.dac_mask]),
            (offset::SEQUENCER, &self.sequencer),
            (offset::CRTC, &self.crtc),
            (offset::GRAPHICS, &self.graphics),
            (offset::ATTRIBUTE, &self.attribute),
            (offset::DAC, &self.dac),
        ] {
            header[at..at + bytes.len()].copy_from_slice(bytes);
        }
        header
    }
}

/// Planes 0 and 1 of a text mode, from what programs see of them: even places have characters, odd ones attributes. So
/// no register needs to be changed while a console may be writing.
pub fn text_planes(window: &[u8]) -> [Vec<u8>; 2] {
    [0, 1].map(|odd| {
        let mut plane = vec![0; PLANE_LENGTH];
        for (address, pair) in window.chunks_exact(2).enumerate().take(PLANE_LENGTH / 2) {
            plane[address * 2] = pair[odd];
        }
        plane
    })
}
