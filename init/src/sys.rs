//! What touches the kernel: one effect a file, and no decisions.
//!
//! Everything here may wait for a file on a server that has died, and so runs in a thread of its own, except
//! where a file says that it never waits.

/// Threads are shallow, and all memory is locked: they get small stacks.
pub(crate) const STACK: usize = 256 * 1024;

pub(crate) mod card;
pub mod child;
pub(crate) mod clock;
pub mod console;
pub(crate) mod counters;
pub(crate) mod datagram;
pub(crate) mod dhcp;
pub(crate) mod disks;
pub(crate) mod display;
pub mod drivers;
pub(crate) mod ethtool;
pub(crate) mod file;
pub(crate) mod frame_buffer;
pub(crate) mod imager;
pub(crate) mod interface;
pub(crate) mod ioctl;
pub(crate) mod kernel_log;
pub(crate) mod keyboard;
pub(crate) mod kms;
pub(crate) mod log;
pub mod modprobe;
pub(crate) mod modules;
pub(crate) mod mount;
pub(crate) mod neighbours;
pub(crate) mod network;
pub(crate) mod nfs_client;
pub(crate) mod order_file;
pub(crate) mod pci_window;
pub mod power;
pub(crate) mod power_button;
pub mod power_command;
pub mod read_only;
pub(crate) mod report_file;
pub(crate) mod root;
pub(crate) mod screens;
pub(crate) mod shell;
pub(crate) mod signals;
pub(crate) mod store;
pub(crate) mod terminal;
pub(crate) mod vga;
pub(crate) mod vga_mode;
pub(crate) mod video_memory;
pub mod watchdog;
pub mod way_out;

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
