//! The format of `/dev/ghostvga`: `kmod/ghostvga_uapi.h` in Rust. A test compiles that header and compares.

use anyhow::{Context as _, ensure};

/// Bytes before plane 0.
pub(crate) const HEADER_LENGTH: usize = 1024;
/// Bytes of a plane, and of the window after the planes.
pub(super) const PLANE_LENGTH: usize = 65536;
pub(super) const PLANES: usize = 4;
/// Bytes of a snapshot.
pub(crate) const LENGTH: usize = HEADER_LENGTH + (PLANES + 1) * PLANE_LENGTH;
pub(super) const MAGIC: &[u8; 8] = b"GHOSTVGA";
/// The version of the format.
pub(super) const VERSION: u16 = 1;
/// Set in `flags`: the colours could not be read.
pub(super) const FLAG_DAC_BUSY: u32 = 0x02;

/// Where the fields of the header are that are used here.
pub(super) mod offset {
    pub(in super::super) const VERSION: usize = 8;
    pub(in super::super) const FLAGS: usize = 32;
    pub(crate) const WINDOW_LENGTH: usize = 40;
    pub(in super::super) const MODE: usize = 44;
    pub(in super::super) const MISC_OUTPUT: usize = 45;
    pub(in super::super) const DAC_MASK: usize = 53;
    pub(in super::super) const SEQUENCER: usize = 56;
    pub(in super::super) const CRTC: usize = 64;
    pub(in super::super) const GRAPHICS: usize = 96;
    pub(in super::super) const ATTRIBUTE: usize = 112;
    pub(in super::super) const DAC: usize = 144;
}

/// What the registers make of the planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Text,
    Planar,
    /// Two bits a pixel, as on a CGA.
    Interleaved,
    /// A byte a pixel, four planes in a chain.
    Chained,
    /// A byte a pixel, the planes apart.
    Unchained,
}

impl Mode {
    /// All of them, by their numbers in the header.
    pub(super) const NUMBERS: [(u8, Self); 5] = [
        (1, Self::Text),
        (2, Self::Planar),
        (3, Self::Interleaved),
        (4, Self::Chained),
        (5, Self::Unchained),
    ];
}

/// One snapshot, its parts borrowed.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    pub(super) mode: Mode,
    flags: u32,
    pub(super) sequencer: &'a [u8],
    pub(super) crtc: &'a [u8],
    pub(super) graphics: &'a [u8],
    pub(super) attribute: &'a [u8],
    dac: &'a [u8],
    pub(super) dac_mask: u8,
    pub(super) planes: [&'a [u8]; PLANES],
    /// What programs saw of the planes; empty where they see them one at a time.
    pub(super) window: &'a [u8],
}

impl<'a> Snapshot<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> anyhow::Result<Self> {
        ensure!(bytes.starts_with(MAGIC), "this is no snapshot of a VGA");
        let found = bytes.len();
        ensure!(found >= LENGTH, "the snapshot has {found} of {LENGTH} bytes");
        let version = u16::from_le_bytes([bytes[offset::VERSION], bytes[offset::VERSION + 1]]);
        // Else the kernel module is newer or older than this program.
        ensure!(version == VERSION, "the snapshot has format {version}, and only format {VERSION} is known");
        let number = bytes[offset::MODE];
        let (_, mode) = Mode::NUMBERS
            .into_iter()
            .find(|(known, _)| *known == number)
            .with_context(|| format!("the snapshot is of mode {number}, which is not known"))?;
        let field = |at: usize, length: usize| &bytes[at..at + length];
        let plane = |index: usize| field(HEADER_LENGTH + index * PLANE_LENGTH, PLANE_LENGTH);
        let window = word(bytes, offset::WINDOW_LENGTH).try_into().unwrap_or(PLANE_LENGTH).min(PLANE_LENGTH);
        Ok(Self {
            mode,
            flags: word(bytes, offset::FLAGS),
            sequencer: field(offset::SEQUENCER, 8),
            crtc: field(offset::CRTC, 32),
            graphics: field(offset::GRAPHICS, 16),
            attribute: field(offset::ATTRIBUTE, 32),
            dac: field(offset::DAC, 768),
            dac_mask: bytes[offset::DAC_MASK],
            planes: [plane(0), plane(1), plane(2), plane(3)],
            window: &plane(PLANES)[..window],
        })
    }

    /// Red, green and blue of 256 colours, of six bits each, or eight where the card was told so; if they are known.
    pub(super) fn dac(&self) -> Option<&'a [u8]> {
        (self.flags & FLAG_DAC_BUSY == 0).then_some(self.dac)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
