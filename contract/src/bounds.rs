//! How much is taken of what a client says. Whatever a client can write is read by root on the boot server, so everything
//! of it has a bound, and here they are together.
//!
//! Larger than anything that a sound client writes: who meets one of them is broken, or hostile. What is beyond a bound is
//! refused where half of it would be worth nothing, and otherwise left out and counted.

use std::time::Duration;

/// How much of one thing that a client says a person is shown, characters.
pub const SAYING: usize = 4_096;
/// The longest line of a report, bytes without its end.
pub const REPORT_LINE: usize = 64 << 10;
/// So many lines of a report are understood. Of those that come after, only what decides the job is
/// ([`crate::report::Event::decides`]).
pub const REPORT_LINES: u64 = 250_000;
/// So much of a report is kept with the record of its job, bytes.
pub const REPORT_KEPT: u64 = 64 << 20;
/// A client that writes its report faster than it is read may be so far ahead, bytes. What is older is left out.
pub const REPORT_BACKLOG: u64 = 16 << 20;
/// People are told this many lines of each kind of a report as they come. The job counts the rest, and tells the count at its end.
/// Readings and screenshots come as long as a client works, so only [`TOLD`] bounds them.
pub const TOLD_OF_A_KIND: u64 = 1_000;
/// People are told this many bytes of a report, all kinds together, which lasts for weeks.
pub const TOLD: u64 = 64 << 20;
/// People are told this many lines that this version does not understand, and as many about other machines.
pub const TOLD_STRANGE: u64 = 20;
/// How deep folders may be nested in what becomes a generation.
pub const STAGING_DEPTH: usize = 16;
/// So many screenshots of a job are kept, the last ones, and shown. The client's own bound is the order's; the others are removed, or
/// left out, and counted.
pub const SCREENSHOTS: usize = 1_000;
/// The longest name of a screenshot without its ending, bytes.
pub const SCREENSHOT_NAME: usize = 64;
/// How many files may be in it.
pub const STAGING_FILES: usize = 100_000;
/// How many bytes their paths may have together. Each is held in memory, and each byte may take six in a manifest.
pub const STAGING_NAMES: usize = 8 << 20;
/// Of how many disks there may be images in it.
pub const STAGING_DISKS: usize = 64;
/// How many bytes the descriptions of these disks and their lists of checksums may have together. What they say is held in memory and
/// stands in the manifest.
pub const STAGING_DESCRIPTIONS: u64 = 16 << 20;
/// How many files and folders a client's tree may have, which is copied from the base root …
pub const TREE_FILES: usize = 200_000;
/// … how deep they may be nested …
pub const TREE_DEPTH: usize = 64;
/// … and how many bytes it may have.
pub const TREE_BYTES: u64 = 4 << 30;
/// The dots of the largest picture that is decoded, or given to a terminal that decodes it: those of an 8K screen.
pub const PICTURE_DOTS: u64 = 7_680 * 4_320;
/// The dots of the largest picture that the console decodes, which has little memory: those of a 4K screen.
pub const CONSOLE_DOTS: u64 = 4_096 * 2_160;
/// The dots of the largest picture that the client's PID 1 decodes, which an imager makes of its own screen. PID 1 is locked in
/// memory, and must not run out of it.
pub const IMAGER_DOTS: u64 = CONSOLE_DOTS;
/// Whether so many bytes are the palette of a PNG: 1 to 256 colours of three bytes (PNG, third edition, 11.2.2). The decoder that is
/// used here panics at others.
pub const fn is_palette(bytes: usize) -> bool {
    bytes > 0 && bytes <= 3 * 256 && bytes.is_multiple_of(3)
}
/// How deep the values of a JSON text may be nested. It is the limit of `serde_json`, so that no parser here has another.
pub const JSON_NESTING: usize = 127;

/// How much memory a program may take that parses a client's image, bytes. partclone takes a bit for each block of a file system:
/// so much is enough for 48 TiB in blocks of 4 KiB.
pub const PARSER_MEMORY: u64 = 2 << 30;

/// So many bytes are left free on the file system that a client's image is unpacked to, or an eighth of it where it is small. What an
/// image unpacks to is its client's choice, and the boot server must not run out of room by it.
pub const LEFT_FREE: u64 = 512 << 20;

/// The slowest image store that is waited for reads so many bytes a second …
const SLOWEST: u64 = 4 << 20;
/// … and so many of what has no blocks on the disk.
const SLOWEST_HOLES: u64 = 100 << 20;
/// How many bytes of holes an image has for each that is stored, where the image store's file system compresses …
const HOLES_OF_STORED: u64 = 16;
/// … how many it may have besides, as some file systems do not tell what is stored …
const HOLES: u64 = 256 << 30;
/// … and how many at most. A client can make a file that claims any size, and it costs nothing.
const MOST_HOLES: u64 = 4 << 40;
/// Whatever is read is given so long.
const AT_LEAST: Duration = Duration::from_secs(3_600);

/// How long it may take to read back what a client wrote, of which `stored` bytes take room on the disk and `apparent` are
/// claimed by the sizes of the files. `known`: how many bytes the boot server's own manifest says, if there is one.
pub fn check_deadline(stored: u64, apparent: u64, known: Option<u64>) -> Duration {
    let within = |bytes: u64| known.map_or(bytes, |known| bytes.min(known));
    let (stored, apparent) = (within(stored), within(apparent));
    let credible = stored.saturating_mul(HOLES_OF_STORED).saturating_add(HOLES).min(MOST_HOLES);
    let holes = apparent.saturating_sub(stored).min(credible);
    AT_LEAST + Duration::from_secs(stored / SLOWEST + holes / SLOWEST_HOLES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn minutes(stored: u64, apparent: u64, known: Option<u64>) -> u64 {
        check_deadline(stored, apparent, known).as_secs() / 60
    }

    #[test]
    fn a_large_image_is_given_its_time_and_one_that_only_claims_to_be_large_is_not() {
        assert_eq!(minutes(0, 0, None), 60);
        assert_eq!(minutes(1_000 * GIB, 1_000 * GIB, None), 60 + 71 * 60 + 6);
        assert_eq!(minutes(0, 40 * GIB, None), 66);
        assert_eq!(minutes(0, u64::MAX, None), 60 + 43, "a file of 16 EiB that is a hole");
        assert_eq!(minutes(100 * GIB, 1_000 * GIB, None), 640, "one that the file system compresses");
        assert_eq!(minutes(1_000 * GIB, u64::MAX, None), 60 + 71 * 60 + 6 + 699);
    }

    #[test]
    fn what_the_manifest_says_is_enough_to_know_that_a_file_is_another() {
        assert_eq!(minutes(GIB, u64::MAX, Some(GIB)), 64);
        assert_eq!(minutes(1_000 * GIB, 1_000 * GIB, Some(GIB)), 64);
        assert_eq!(minutes(GIB, GIB, Some(1_000 * GIB)), 64);
    }
}
