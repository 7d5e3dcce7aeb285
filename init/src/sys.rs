//! What touches the kernel: one effect a file, and no decisions.
//!
//! Everything here may wait for a file on a server that has died, and so runs in a thread of its own, except
//! where a file says that it never waits.

/// Threads are shallow, and all memory is locked: they get small stacks.
pub(crate) const STACK: usize = 256 * 1024;

pub mod child;
pub mod clock;
pub mod console;
pub mod counters;
pub mod disks;
pub mod display;
pub mod ethtool;
pub mod file;
pub mod frame_buffer;
pub mod imager;
mod ioctl;
pub mod keyboard;
pub mod kms;
pub mod log;
pub mod modules;
pub mod mount;
pub mod network;
pub mod order_file;
pub mod pci_window;
pub mod power;
pub mod read_only;
pub mod report_file;
pub mod screens;
pub mod shell;
pub mod signals;
pub mod store;
pub mod terminal;
pub mod vga;
pub mod video_memory;
pub mod watchdog;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Bytes go up from here; what they show is found out above.
    #[test]
    fn the_ground_floor_does_not_decode_screens() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sys");
        let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty());
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            assert!(!text.contains("crate::screen"), "{} uses a type of screen/", file.display());
        }
    }
}
