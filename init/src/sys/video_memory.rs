//! What a VGA displays, from user space: `/dev/mem` and `/dev/port`, where the kernel allows them.
//!
//! Nothing keeps a program or the console from drawing in the middle, on another processor or between two calls: it may
//! find a register that is not its own, and the picture may be of two moments. So only what must be changed is, for some
//! microseconds at a time, and it is put back; a text screen, where the kernel itself draws, is read as programs see it, and
//! only its font needs registers. Where that is not good enough there is the kernel module (`kmod/`), which stops
//! all others.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

use anyhow::Context as _;

use super::display;
use super::linear;
use crate::screen::frame_buffer::Layout;
use crate::screen::vga::{Memory, Registers, text_planes};

/// The device, which is also its name as a source.
pub const DEVICE: &str = "/dev/mem";
/// One byte of it is one port.
const PORTS: &str = "/dev/port";
/// Where a plane is seen once it is selected.
const PLANES: usize = 0xA_0000;
/// Bytes that are read of each plane before the registers are put back.
const CHUNK: usize = 4096;

/// The ports of a VGA (IBM's manual; linux/include/video/vga.h).
mod port {
    pub(super) const ATTRIBUTE: u16 = 0x3C0;
    pub(super) const ATTRIBUTE_READ: u16 = 0x3C1;
    pub(super) const SEQUENCER: u16 = 0x3C4;
    pub(super) const DAC_MASK: u16 = 0x3C6;
    /// Read: whether the DAC is being read or written. Written: the colour to be read.
    pub(super) const DAC_READ: u16 = 0x3C7;
    pub(super) const DAC_WRITE: u16 = 0x3C8;
    pub(super) const DAC_VALUE: u16 = 0x3C9;
    pub(super) const MISC_OUTPUT: u16 = 0x3CC;
    pub(super) const GRAPHICS: u16 = 0x3CE;
    /// The CRT controller in colour and in monochrome modes; the status port is 6 above.
    pub(super) const CRTC: [u16; 2] = [0x3D4, 0x3B4];
    pub(super) const STATUS_ABOVE_CRTC: u16 = 6;
}

/// What a VGA displays.
pub enum Displayed {
    /// Registers and planes, in the format of the kernel module's snapshot.
    Planes(Vec<u8>),
    /// The linear frame buffer of a VESA mode.
    Linear(Layout, Vec<u8>),
}

pub fn read() -> anyhow::Result<Displayed> {
    let vga = display::vga()?;
    if let Some((layout, bytes)) = linear::dots(&vga)? {
        return Ok(Displayed::Linear(layout, bytes));
    }
    Ok(Displayed::Planes(Vga::open()?.snapshot()?))
}

struct Vga {
    memory: File,
    ports: File,
}

impl Vga {
    fn open() -> anyhow::Result<Self> {
        // The kernel may keep them to itself (lockdown), or have been built without them.
        let open =
            |options: &OpenOptions, path| options.open(path).with_context(|| format!("cannot open {path}"));
        let memory = open(OpenOptions::new().read(true), DEVICE)?;
        Ok(Self { memory, ports: open(OpenOptions::new().read(true).write(true), PORTS)? })
    }

    fn snapshot(&self) -> anyhow::Result<Vec<u8>> {
        let registers = self.registers()?;
        let window = registers.window();
        let window = self.bytes(window.address, window.length)?;
        let planes = if registers.is_text() {
            let [characters, attributes] = text_planes(&window);
            [characters, attributes, self.fonts(&registers)?, Vec::new()]
        } else {
            self.planes()?
        };
        Ok(registers.snapshot(&Memory { planes, window }))
    }

    fn registers(&self) -> anyhow::Result<Registers> {
        let misc_output = self.read(port::MISC_OUTPUT)?;
        let crtc = port::CRTC[usize::from(misc_output & 1 == 0)];
        Ok(Registers {
            misc_output,
            sequencer: self.indexed(port::SEQUENCER)?,
            crtc: self.indexed(crtc)?,
            graphics: self.indexed(port::GRAPHICS)?,
            attribute: self.attributes(crtc + port::STATUS_ABOVE_CRTC)?,
            dac_mask: self.read(port::DAC_MASK)?,
            dac: self.dac()?,
        })
    }

    /// The registers behind an index port; the index is put back.
    fn indexed<const N: usize>(&self, port: u16) -> anyhow::Result<[u8; N]> {
        let index = self.read(port)?;
        let mut registers = [0; N];
        for (register, number) in registers.iter_mut().zip(0..) {
            *register = self.register(port, number)?;
        }
        self.write(port, index)?;
        Ok(registers)
    }

    /// The port takes an index and a value in turn; a look at the status port makes an index the next.
    fn attributes(&self, status: u16) -> anyhow::Result<[u8; 21]> {
        self.read(status)?;
        let index = self.read(port::ATTRIBUTE)?;
        let mut registers = [0; 21];
        for (register, number) in registers.iter_mut().zip(0..) {
            self.read(status)?;
            self.write(port::ATTRIBUTE, number)?;
            *register = self.read(port::ATTRIBUTE_READ)?;
        }
        self.read(status)?;
        self.write(port::ATTRIBUTE, index)?;
        self.read(status)?;
        Ok(registers)
    }

    /// All colours; the index and the direction are put back.
    fn dac(&self) -> anyhow::Result<[u8; 768]> {
        let index = self.read(port::DAC_WRITE)?;
        let is_being_read = self.read(port::DAC_READ)? & 3 == 3;
        self.write(port::DAC_READ, 0)?;
        let mut colours = [0; 768];
        for component in &mut colours {
            *component = self.read(port::DAC_VALUE)?;
        }
        // While being read, the index is already that of the next colour.
        if is_being_read {
            self.write(port::DAC_READ, index.wrapping_sub(1))?;
        } else {
            self.write(port::DAC_WRITE, index)?;
        }
        Ok(colours)
    }

    /// Plane 2 with the fonts that are in use, and nothing else.
    fn fonts(&self, registers: &Registers) -> anyhow::Result<Vec<u8>> {
        let mut plane = vec![0; Memory::PLANE];
        let [first, second] = registers.fonts();
        let fonts = if first == second { vec![first] } else { vec![first, second] };
        for start in fonts.into_iter().flat_map(|font| (font..font + Memory::FONT).step_by(CHUNK)) {
            let [chunk] = self.chunk(start, [2])?;
            plane[start..start + CHUNK].copy_from_slice(&chunk);
        }
        Ok(plane)
    }

    fn planes(&self) -> anyhow::Result<[Vec<u8>; 4]> {
        let mut planes: [Vec<u8>; 4] = Default::default();
        for start in (0..Memory::PLANE).step_by(CHUNK) {
            let chunks = self.chunk(start, [0, 1, 2, 3])?;
            planes.iter_mut().zip(chunks).for_each(|(plane, chunk)| plane.extend(chunk));
        }
        Ok(planes)
    }

    /// A part of some planes: no odd/even, no chain, one plane at 0xA0000, plain reads; then all registers are as
    /// before, whatever failed.
    fn chunk<const N: usize>(&self, start: usize, planes: [u8; N]) -> anyhow::Result<[Vec<u8>; N]> {
        let graphics_index = self.read(port::GRAPHICS)?;
        let sequencer_index = self.read(port::SEQUENCER)?;
        let [read_map, mode, map] = [
            self.register(port::GRAPHICS, 4)?,
            self.register(port::GRAPHICS, 5)?,
            self.register(port::GRAPHICS, 6)?,
        ];
        let memory_mode = self.register(port::SEQUENCER, 4)?;
        let mut chunks = [const { Vec::new() }; N];
        let read = self
            .set(port::SEQUENCER, 4, (memory_mode | 0x06) & !0x08)
            .and_then(|()| self.set(port::GRAPHICS, 5, mode & !0x18))
            .and_then(|()| self.set(port::GRAPHICS, 6, map & !0x0E | 0x04))
            .and_then(|()| {
                planes.into_iter().zip(&mut chunks).try_for_each(|(plane, chunk)| {
                    self.set(port::GRAPHICS, 4, plane)?;
                    *chunk = self.bytes(PLANES + start, CHUNK)?;
                    Ok(())
                })
            });
        let put_back = [
            self.set(port::GRAPHICS, 4, read_map),
            self.set(port::GRAPHICS, 6, map),
            self.set(port::GRAPHICS, 5, mode),
            self.set(port::SEQUENCER, 4, memory_mode),
            self.write(port::GRAPHICS, graphics_index),
            self.write(port::SEQUENCER, sequencer_index),
        ];
        read?;
        put_back.into_iter().collect::<Result<(), _>>()?;
        Ok(chunks)
    }

    fn register(&self, port: u16, index: u8) -> anyhow::Result<u8> {
        self.write(port, index)?;
        self.read(port + 1)
    }

    fn set(&self, port: u16, index: u8, value: u8) -> anyhow::Result<()> {
        self.write(port, index)?;
        self.write(port + 1, value)
    }

    fn read(&self, port: u16) -> anyhow::Result<u8> {
        let mut byte = [0];
        let read = self.ports.read_exact_at(&mut byte, u64::from(port));
        read.with_context(|| format!("cannot use the port {port:#x}"))?;
        Ok(byte[0])
    }

    fn write(&self, port: u16, value: u8) -> anyhow::Result<()> {
        let written = self.ports.write_all_at(&[value], u64::from(port));
        written.with_context(|| format!("cannot use the port {port:#x}"))
    }

    fn bytes(&self, address: usize, length: usize) -> anyhow::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let at = u64::try_from(address).map_err(io::Error::other);
        let read = at.and_then(|at| self.memory.read_exact_at(&mut bytes, at));
        read.with_context(|| format!("cannot read video memory at {address:#x}"))?;
        Ok(bytes)
    }
}
