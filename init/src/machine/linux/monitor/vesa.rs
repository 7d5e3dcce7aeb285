//! What the VGA shows in a VESA mode.
//!
//! Only QEMU's and Bochs' card tells its mode, in registers of its own. Other cards do not say what their VESA BIOS
//! set.

use std::path::Path;

use crate::screen::dispi;
use crate::screen::frame_buffer::{self, Layout};
use crate::sys::display::line;
use crate::sys::pci_window::Window;

/// Vendor and device of the card (QEMU, docs/specs/standard-vga.rst).
const STANDARD_VGA: [&str; 2] = ["0x1234", "0x1111"];
/// Its memory, its registers: the first and third window, as files of sysfs.
const MEMORY: &str = "resource0";
const REGISTERS: &str = "resource2";
/// In the third window, the VGA's ports 3C0h to 3DFh.
const PORTS: usize = 0x400;
/// Bytes of the third window.
const REGISTERS_LENGTH: usize = 4096;
const PORT_DAC_READ: usize = PORTS + 7;
const PORT_DAC_VALUE: usize = PORTS + 9;

/// Whether a VESA mode is displayed, so that the planes say nothing. It counts as no where the kernel does not let one look.
pub(super) fn is_displayed(vga: &Path) -> bool {
    is_known(vga) && registers(vga).is_ok_and(|registers| mode(&registers).is_some())
}

/// Layout and bytes of what the VGA in that folder of sysfs displays in a VESA mode; `None` if it is in no such mode, or the
/// card is one that does not tell.
pub(super) fn dots(vga: &Path) -> anyhow::Result<Option<(Layout, Vec<u8>)>> {
    if !is_known(vga) {
        return Ok(None);
    }
    let Some(mode) = mode(&registers(vga)?) else { return Ok(None) };
    let length = frame_buffer::length(&mode.layout)?;
    let memory = Window::map(vga, MEMORY, mode.start + length)?;
    let bytes = memory.bytes(mode.start, length);
    Ok(Some((mode.layout, bytes)))
}

fn is_known(vga: &Path) -> bool {
    [line(vga, "vendor"), line(vga, "device")] == STANDARD_VGA
}

fn registers(vga: &Path) -> anyhow::Result<Window> {
    Window::map(vga, REGISTERS, REGISTERS_LENGTH)
}

fn mode(registers: &Window) -> Option<dispi::Mode> {
    let words = std::array::from_fn(|index| registers.word(dispi::OFFSET + index * 2));
    dispi::mode(&words, || {
        registers.set(PORT_DAC_READ, 0);
        (0..=u8::MAX).map(|_| std::array::from_fn(|_| registers.byte(PORT_DAC_VALUE) << 2)).collect()
    })
}
