//! Reading a sector without the page cache, which gives a page with one bad sector not at all.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags, open};

/// What the memory has to begin with that the kernel reads to, bytes: a page suffices for every disk.
const ALIGNMENT: usize = 4096;

/// Reads these bytes and no others.
pub(crate) fn read(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
    let Ok(direct) = open(itself, OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC, Mode::empty()) else {
        // A file system that has no such way.
        return file.read_exact_at(buffer, at);
    };
    let mut memory = vec![0; buffer.len() + ALIGNMENT];
    let from = memory.as_ptr().align_offset(ALIGNMENT);
    let aligned = memory.get_mut(from..from + buffer.len()).unwrap_or_default();
    File::from(direct).read_exact_at(aligned, at)?;
    buffer.copy_from_slice(aligned);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sector_is_read_wherever_the_file_is() {
        for folder in ["/dev/shm", "/var/tmp"] {
            let file = tempfile::tempfile_in(folder).unwrap();
            let bytes: Vec<u8> = (0..8192_u32).map(|n| u8::try_from(n / 512).unwrap()).collect();
            file.write_all_at(&bytes, 0).unwrap();
            let mut sector = [0; 512];
            read(&file, &mut sector, 3 * 512).unwrap();
            assert_eq!(sector, [3; 512], "{folder}");
            assert!(read(&file, &mut sector, 8192).is_err(), "behind the end");
        }
    }
}
