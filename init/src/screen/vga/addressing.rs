//! How the CRT controller's counter becomes an offset in the planes, which differs between cards where programs see
//! the planes alternating (text, CGA) or in a chain (mode 13h).
//!
//! By the books, the counter counts words or double words there, and only every second or fourth byte of a plane is
//! used. Some cards fill the gaps with the counter's upper bits, some leave them out, and QEMU before version 9 has none.
//! The snapshot has the same memory twice, as planes and as programs saw it, so the wiring can be found out.

use super::snapshot::{PLANE_LENGTH, Snapshot};

/// How the planes are wired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wiring {
    /// As in IBM's manual: the upper bits of the counter come round into the lowest.
    Rotated,
    /// The lowest bits are 0.
    Shifted,
    Packed,
}

/// What the counter counts, as a power of two of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Byte,
    Word,
    DoubleWord,
}

/// The way from the counter to the planes in one mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Addressing {
    wiring: Wiring,
    unit: Unit,
    /// The bit of the counter that comes round in word mode.
    word_bit: u32,
    /// Bits 13 and 14 of the address are the row within a character instead (CGA, Hercules).
    rows_in_bit_13: bool,
    rows_in_bit_14: bool,
}

impl Addressing {
    pub(super) fn of(snapshot: &Snapshot<'_>) -> Self {
        let mode = snapshot.crtc[0x17];
        let unit = match (snapshot.crtc[0x14] & 0x40 != 0, mode & 0x40 != 0) {
            (true, _) => Unit::DoubleWord,
            (false, false) => Unit::Word,
            (false, true) => Unit::Byte,
        };
        Self {
            wiring: wiring(snapshot),
            unit,
            word_bit: if mode & 0x20 == 0 { 13 } else { 15 },
            rows_in_bit_13: mode & 0x01 == 0,
            rows_in_bit_14: mode & 0x02 == 0,
        }
    }

    /// Where in the planes the counter points to, in that row of a character.
    pub(super) const fn offset(self, counter: usize, row: usize) -> usize {
        let shift = match (self.unit, self.wiring) {
            (Unit::Byte, _) | (_, Wiring::Packed) => 0,
            (Unit::Word, _) => 1,
            (Unit::DoubleWord, _) => 2,
        };
        let come_round = match (self.unit, self.wiring) {
            (Unit::Word, Wiring::Rotated) => counter >> self.word_bit & 1,
            (Unit::DoubleWord, Wiring::Rotated) => counter >> 12 & 3,
            _ => 0,
        };
        let mut offset = counter << shift | come_round;
        // Without gaps all bits are further down.
        let missing = match (self.unit, self.wiring) {
            (Unit::Word, Wiring::Packed) => 1,
            (Unit::DoubleWord, Wiring::Packed) => 2,
            _ => 0,
        };
        if self.rows_in_bit_13 {
            offset = offset & !(1 << (13 - missing)) | (row & 1) << (13 - missing);
        }
        if self.rows_in_bit_14 {
            offset = offset & !(1 << (14 - missing)) | (row >> 1 & 1) << (14 - missing);
        }
        offset % PLANE_LENGTH
    }
}

/// The wiring that explains most of what programs saw.
fn wiring(snapshot: &Snapshot<'_>) -> Wiring {
    let agreeing = |wiring: &Wiring| {
        let sees = |(address, byte): (usize, &u8)| {
            let (plane, offset) = seen_at(snapshot, *wiring, address);
            snapshot.planes[plane][offset] == *byte
        };
        snapshot.window.iter().enumerate().filter(|seen| sees(*seen)).count()
    };
    // Of equals the last is taken.
    [Wiring::Packed, Wiring::Shifted, Wiring::Rotated]
        .into_iter()
        .max_by_key(agreeing)
        .unwrap_or(Wiring::Rotated)
}

/// Plane and offset of what a program sees at that place of its window.
fn seen_at(snapshot: &Snapshot<'_>, wiring: Wiring, address: usize) -> (usize, usize) {
    let in_a_chain = snapshot.sequencer[4] & 0x08 != 0;
    if !in_a_chain {
        let plane = usize::from(snapshot.graphics[4] & 2) | address & 1;
        return (plane, if wiring == Wiring::Packed { address >> 1 } else { address & !1 });
    }
    let offset = match wiring {
        Wiring::Rotated => address & !3 | address >> 14 & 3,
        Wiring::Shifted => address & !3,
        Wiring::Packed => address >> 2,
    };
    (address & 3, offset)
}
