//! Why an image is not written to a disk, in words and numbers.

use crate::plan::shrink::{NoneShrinks, Shrink};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Places in the table would mean others.
    #[error(
        "{path} has sectors of {has} bytes, the image those of {wants}: its partition table cannot be used there"
    )]
    Sector {
        path: String,
        /// Its sectors.
        has: u32,
        wants: u32,
    },
    /// The disk that the image was made from is another one in this machine.
    #[error(
        "the image was made from the disk with serial number {serial}, which is {meant} here and not {path}"
    )]
    AnotherDisk {
        serial: String,
        /// The disk that has it.
        meant: String,
        /// The disk that was chosen.
        path: String,
    },
    /// What is at its end would not be there.
    #[error(
        "the image is of a disk that is {found} as a whole, which finds itself by what is at the end of its {was} bytes: \
         {path} is of another size ({has} bytes); take one of the same"
    )]
    EndsElsewhere {
        path: String,
        has: u64,
        /// The size of the disk that it was made from.
        was: u64,
        /// What it is.
        found: String,
    },
    #[error(
        "{path} has {has} bytes, and the image needs {needs} ({what}); it was made from a disk of {was} bytes, of which \
         its file systems use {used}. {way}"
    )]
    TooSmall {
        path: String,
        has: u64,
        needs: u64,
        what: String,
        /// The size of the disk that it was made from.
        was: u64,
        used: u64,
        /// What can be done about it.
        way: Box<Way>,
    },
}

/// What can be done about a disk that is too small.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Way {
    #[error(
        "ghostctl restore --shrink (smaller_disk: shrink) would try to shrink partition {} from {} to {} bytes, of which \
         {} are used{}; else take a larger disk",
        .0.partition, .0.was, .0.length, .0.used, and_move(.0)
    )]
    Shrink(Shrink),
    #[error("No partition can be shrunk for it: {0}. Take a larger disk")]
    LargerDisk(NoneShrinks),
}

fn and_move(shrink: &Shrink) -> String {
    match shrink.moves.partitions.len() {
        0 => String::new(),
        count => {
            format!(
                ", and move the {count} behind it {} bytes nearer to the beginning",
                shrink.moves.distance
            )
        }
    }
}
