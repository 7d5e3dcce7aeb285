//! Whether the FreeDOS kernel of a floppy is too old for dosemu2, as far as its file shows.
//!
//! LREDIR of dosemu2 asks the kernel for a drive that is not there yet (INT 2Fh, AX=1217h). Kernels before build 2043
//! refuse, so that DOS gets no drives and no job can run.
//!
//! A compressed file shows its age only by the size of the settings at its beginning. Kernels of builds 2041, 2042 and 2043
//! may have the same size. Those before have a larger one, and those after a larger one with their number in it.

use super::extract::BootFile;
use super::startup::FREEDOS_KERNEL;

/// What is said of one that is too old.
pub const TOO_OLD: &str = "the FreeDOS kernel of the boot floppy is older than build 2043, and gets no drives from dosemu2: \
     put the KERNEL.SYS of FreeDOS 1.3 or later on it with ghostctl bootdisk";
/// The first build whose drives dosemu2 can make.
const FIRST: u32 = 2043;
/// The settings begin here (`hdr/kconfig.h` of the kernel).
const SETTINGS: &[u8] = b"CONFIG";
const SETTINGS_AT: usize = 2;
/// Compressed kernels say so until October 2012, when the current build was 2042.
const SIZE_BEFORE_2043: [u8; 2] = 19_u16.to_le_bytes();
/// Stands before the number in what a kernel prints when it starts. It can be read in kernels that are not compressed.
const BUILD: &[u8] = b"(build ";
const DIGITS: usize = 4;

/// Whether one of these files is a kernel that is known to be too old.
pub(super) fn is_too_old(files: &[BootFile]) -> bool {
    files.iter().filter(|file| file.path.eq_ignore_ascii_case(FREEDOS_KERNEL)).any(|kernel| {
        match printed_build(&kernel.content) {
            Some(build) => build < FIRST,
            None => settings_size(&kernel.content) == Some(&SIZE_BEFORE_2043[..]),
        }
    })
}

fn settings_size(kernel: &[u8]) -> Option<&[u8]> {
    kernel.get(SETTINGS_AT..)?.strip_prefix(SETTINGS)?.get(..SIZE_BEFORE_2043.len())
}

fn printed_build(kernel: &[u8]) -> Option<u32> {
    let at = kernel.windows(BUILD.len()).position(|window| window == BUILD)? + BUILD.len();
    std::str::from_utf8(kernel.get(at..at + DIGITS)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(size: u8, text: &str) -> BootFile {
        let begin = [&b"\xEB\x1BCONFIG"[..], &[size, 0, 0, 1, 2, 0, 1, 0]].concat();
        BootFile { path: "KERNEL.SYS".to_owned(), content: [&begin[..], text.as_bytes()].concat() }
    }

    #[test]
    fn the_age_of_a_kernel_is_seen_by_its_settings_or_by_what_it_prints() {
        for (size, text, too_old) in [
            (19, "", true),
            (19, "\u{1}2040 OEM", true),
            (6, "", false),
            (6, "e_2043\u{2} (build", false),
            (12, "FreeDOS kernel - SVN (build 2042 OEM:0xfd)", true),
            (12, "FreeDOS kernel - GIT (build 2043 OEM:0xfd)", false),
            (12, "FreeDOS kernel (build 20", false),
            (15, "", false),
        ] {
            assert_eq!(is_too_old(&[kernel(size, text)]), too_old, "{size} {text:?}");
        }
    }

    #[test]
    fn a_kernel_of_another_dos_or_a_file_that_is_none_is_not_judged() {
        let named = |path: &str, content: &[u8]| BootFile { path: path.to_owned(), content: content.into() };
        for file in [
            named("IO.SYS", b"(build 2040"),
            named("OLD/KERNEL.SYS", b"(build 2040"),
            named("KERNEL.SYS", b""),
            named("KERNEL.SYS", b"\xEB\x1BCONFIG\x13"),
        ] {
            assert!(!is_too_old(std::slice::from_ref(&file)), "{file:?}");
        }
        assert!(!is_too_old(&[]));
    }
}
