//! Keeps the mode of the VGA behind the console before a program gets the VGA, and puts it back when the program has ended.
//!
//! A program that is killed leaves the card in the program's mode. The kernel does not notice, and writes letters where the
//! card shows dots.

use std::fs::OpenOptions;
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt as _;

use anyhow::Context as _;

use super::video_memory::{DEVICE, PLANES, Registers, Vga, port};

/// The plane that has the fonts of text modes.
const FONTS: u8 = 2;
/// In the sequencer's clocking mode: the screen is off. The kernel switches that by itself.
const SCREEN_OFF: u8 = 0x20;
/// In the CRT controller: the cursor and the start of the screen, which the kernel sets as it writes.
const MOVES: RangeInclusive<usize> = 0x0A..=0x0F;
/// The CRT controller's register that locks the first eight, and the bit that does it.
const VERTICAL_END: usize = 0x11;
const LOCKED: u8 = 0x80;

/// Registers and fonts of a text mode.
pub(crate) struct VgaMode {
    registers: Registers,
    fonts: Vec<u8>,
}

impl VgaMode {
    pub(crate) fn save() -> anyhow::Result<Self> {
        let read = || {
            let vga = Vga::open()?;
            let [fonts] = vga.planes([FONTS])?;
            anyhow::Ok(Self { registers: vga.registers()?, fonts })
        };
        read().context(
            "cannot keep the console's mode, so DOSEmu cannot have the VGA (DOSEMU_GRAPHICS=no goes without)",
        )
    }

    /// Puts the mode back if it is another one now.
    pub(crate) fn put_back(&self) -> anyhow::Result<()> {
        let set = || {
            let vga = Vga::open()?;
            if vga.registers()?.mode() == self.registers.mode() {
                return Ok(());
            }
            self.write_fonts(&vga)?;
            self.registers.write(&vga)
        };
        set().context("cannot put the console's mode back")
    }

    /// Writes plane 2 alone, at 0xA0000, as it is in memory.
    fn write_fonts(&self, vga: &Vga) -> anyhow::Result<()> {
        let plain = [
            (port::SEQUENCER, 2, 1 << FONTS),
            (port::SEQUENCER, 4, 0x06),
            (port::GRAPHICS, 1, 0),
            (port::GRAPHICS, 3, 0),
            (port::GRAPHICS, 5, 0),
            (port::GRAPHICS, 6, 0x04),
            (port::GRAPHICS, 8, 0xFF),
        ];
        plain.into_iter().try_for_each(|(port, index, value)| vga.set(port, index, value))?;
        let memory =
            OpenOptions::new().write(true).open(DEVICE).with_context(|| format!("cannot open {DEVICE}"))?;
        memory.write_all_at(&self.fonts, u64::try_from(PLANES)?).context("cannot write to video memory")
    }
}

impl Registers {
    /// What makes the mode: not the colours, nor what the kernel changes as it writes.
    fn mode(&self) -> Self {
        let mut mode = self.clone();
        mode.sequencer[1] &= !SCREEN_OFF;
        mode.crtc[MOVES].fill(0);
        mode.dac.fill(0);
        mode
    }

    /// Writes them in the order in which a BIOS sets a mode; the sequencer stands still until its own are set.
    fn write(&self, vga: &Vga) -> anyhow::Result<()> {
        let crtc = port::crtc(self.misc_output);
        vga.set(port::SEQUENCER, 0, 1)?;
        vga.write(port::MISC_OUTPUT_WRITE, self.misc_output)?;
        for (index, value) in (1..).zip(&self.sequencer[1..]) {
            vga.set(port::SEQUENCER, index, *value)?;
        }
        vga.set(port::SEQUENCER, 0, self.sequencer[0])?;
        let lock = u8::try_from(VERTICAL_END)?;
        vga.set(crtc, lock, self.crtc[VERTICAL_END] & !LOCKED)?;
        for (index, value) in (0..).zip(&self.crtc).filter(|(index, _)| *index != lock) {
            vga.set(crtc, index, *value)?;
        }
        vga.set(crtc, lock, self.crtc[VERTICAL_END])?;
        for (index, value) in (0..).zip(&self.graphics) {
            vga.set(port::GRAPHICS, index, *value)?;
        }
        vga.write(port::DAC_MASK, self.dac_mask)?;
        vga.write(port::DAC_WRITE, 0)?;
        self.dac.iter().try_for_each(|component| vga.write(port::DAC_VALUE, *component))?;
        // The port takes an index and a value in turn; a look at the status port makes an index the next.
        vga.read(crtc + port::STATUS_ABOVE_CRTC)?;
        for (index, value) in (0..).zip(&self.attribute) {
            vga.write(port::ATTRIBUTE, index)?;
            vga.write(port::ATTRIBUTE, *value)?;
        }
        vga.write(port::ATTRIBUTE, port::PALETTE_SHOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> Registers {
        Registers {
            misc_output: 0x67,
            sequencer: [3, 0, 3, 0, 2],
            crtc: [0x5F; 25],
            graphics: [0, 0, 0, 0, 0, 0x10, 0x0E, 0, 0xFF],
            attribute: [7; 21],
            dac_mask: 0xFF,
            dac: [0x2A; 768],
        }
    }

    #[test]
    fn the_mode_is_the_same_while_the_kernel_writes_and_another_when_a_program_draws() {
        let mut written = text();
        written.crtc[0x0D] = 0xA0;
        written.crtc[0x0F] = 0x50;
        written.sequencer[1] |= SCREEN_OFF;
        written.dac[3] = 0;
        assert_eq!(written.mode(), text().mode());
        let mut drawn = text();
        drawn.graphics[6] = 0x05;
        assert_ne!(drawn.mode(), text().mode());
    }
}
