//! Reads a VGA's registers and memory from user space, with `/dev/mem` and `/dev/port`, where the kernel allows them.
//!
//! Nothing stops a program or the console from drawing at the same time: the picture may mix two moments, and the other
//! program may find a register changed. So we change only what must be changed, for some microseconds, and put it back.
//! A text screen, where the kernel itself draws, is read as programs see it; only its font needs registers. Where that
//! is not good enough, the kernel module (`kmod/`) stops all others.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

use anyhow::Context as _;

/// The device, which is also its name as a source.
pub(crate) const DEVICE: &str = "/dev/mem";
/// One byte of it is one port.
const PORTS: &str = "/dev/port";
/// Where a plane is seen once it is selected.
pub(super) const PLANES: usize = 0xA_0000;
/// Bytes of a plane.
const PLANE: usize = 64 << 10;
/// Bytes that are read of a plane before the registers are put back.
pub(crate) const CHUNK: usize = 4096;

/// The ports of a VGA (IBM's manual; linux/include/video/vga.h).
pub(super) mod port {
    pub(in crate::sys) const ATTRIBUTE: u16 = 0x3C0;
    pub(in crate::sys) const ATTRIBUTE_READ: u16 = 0x3C1;
    /// As an index: the palette is shown again, and not to be changed.
    pub(in crate::sys) const PALETTE_SHOWN: u8 = 0x20;
    pub(in crate::sys) const SEQUENCER: u16 = 0x3C4;
    pub(in crate::sys) const DAC_MASK: u16 = 0x3C6;
    /// Read: whether the DAC is being read or written. Written: the colour to be read.
    pub(in crate::sys) const DAC_READ: u16 = 0x3C7;
    pub(in crate::sys) const DAC_WRITE: u16 = 0x3C8;
    pub(in crate::sys) const DAC_VALUE: u16 = 0x3C9;
    pub(in crate::sys) const MISC_OUTPUT: u16 = 0x3CC;
    /// Where that register is written.
    pub(in crate::sys) const MISC_OUTPUT_WRITE: u16 = 0x3C2;
    pub(in crate::sys) const GRAPHICS: u16 = 0x3CE;
    /// The status port is so far above that of the CRT controller.
    pub(in crate::sys) const STATUS_ABOVE_CRTC: u16 = 6;

    /// The CRT controller: its port depends on whether the mode is in colour.
    pub(in crate::sys) const fn crtc(misc_output: u8) -> u16 {
        if misc_output & 1 == 0 { 0x3B4 } else { 0x3D4 }
    }
}

/// What the registers held at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registers {
    pub misc_output: u8,
    pub sequencer: [u8; 5],
    pub crtc: [u8; 25],
    pub graphics: [u8; 9],
    pub attribute: [u8; 21],
    pub dac_mask: u8,
    /// Red, green and blue of 256 colours.
    pub dac: [u8; 768],
}

/// The registers and the memory of the machine's VGA.
pub(crate) struct Vga {
    memory: File,
    ports: File,
}

impl Vga {
    pub(crate) fn open() -> anyhow::Result<Self> {
        // The kernel may keep them to itself (lockdown), or have been built without them.
        let open =
            |options: &OpenOptions, path| options.open(path).with_context(|| format!("cannot open {path}"));
        let memory = open(OpenOptions::new().read(true), DEVICE)?;
        Ok(Self { memory, ports: open(OpenOptions::new().read(true).write(true), PORTS)? })
    }

    pub(crate) fn registers(&self) -> anyhow::Result<Registers> {
        let misc_output = self.read(port::MISC_OUTPUT)?;
        let crtc = port::crtc(misc_output);
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

    /// The whole of some planes.
    pub(crate) fn planes<const N: usize>(&self, planes: [u8; N]) -> anyhow::Result<[Vec<u8>; N]> {
        let mut whole = [const { Vec::new() }; N];
        for start in (0..PLANE).step_by(CHUNK) {
            let chunks = self.chunk(start, planes)?;
            whole.iter_mut().zip(chunks).for_each(|(plane, chunk)| plane.extend(chunk));
        }
        Ok(whole)
    }

    /// [`CHUNK`] bytes of some planes, from `start` on: no odd/even, no chain, one plane at 0xA0000, plain reads. Then all
    /// registers are as before, whatever failed.
    pub(crate) fn chunk<const N: usize>(
        &self,
        start: usize,
        planes: [u8; N],
    ) -> anyhow::Result<[Vec<u8>; N]> {
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

    pub(super) fn set(&self, port: u16, index: u8, value: u8) -> anyhow::Result<()> {
        self.write(port, index)?;
        self.write(port + 1, value)
    }

    pub(super) fn read(&self, port: u16) -> anyhow::Result<u8> {
        let mut byte = [0];
        let read = self.ports.read_exact_at(&mut byte, u64::from(port));
        read.with_context(|| format!("cannot use the port {port:#x}"))?;
        Ok(byte[0])
    }

    pub(super) fn write(&self, port: u16, value: u8) -> anyhow::Result<()> {
        let written = self.ports.write_all_at(&[value], u64::from(port));
        written.with_context(|| format!("cannot use the port {port:#x}"))
    }

    /// What programs see at an address of the processor.
    pub(crate) fn bytes(&self, address: usize, length: usize) -> anyhow::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let at = u64::try_from(address).map_err(io::Error::other);
        let read = at.and_then(|at| self.memory.read_exact_at(&mut bytes, at));
        read.with_context(|| format!("cannot read video memory at {address:#x}"))?;
        Ok(bytes)
    }
}
