//! The settings of each DOSEmu, as its `dosemurc`, and what it shows on the screen.
//!
//! In text mode DOSEmu writes characters to its terminal. What a program draws then stays in DOSEmu's own memory, where
//! nobody can see it. With the VGA for itself, 1.4 lets the card's own BIOS and the program draw on the card, from which all
//! that a person would see can be read. dosemu2 has text only: since August 2024 it gives up all capabilities when it starts,
//! and then cannot open `/dev/mem`, in which the VGA is.

use std::path::Path;

use ghost_contract::order::Graphics;

use super::super::Files;
use super::super::dos::{IMAGES, MARKS};

/// The kernel's list of what draws its consoles.
const CONSOLES: &str = "/sys/class/vtconsole";
/// What vgacon calls itself (drivers/video/console/vgacon.c).
const VGA_CONSOLE: &str = "VGA+";

/// What DOS shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Video {
    Text,
    Vga,
}

impl Video {
    /// A VGA can be had where the kernel's own console is on it: then no driver displays anything else.
    pub(super) fn of(wanted: Graphics, files: &dyn Files) -> anyhow::Result<Self> {
        if wanted == Graphics::Text {
            return Ok(Self::Text);
        }
        for console in files.list(Path::new(CONSOLES))? {
            let line = |name: &str| {
                let content = files.read(&Path::new(CONSOLES).join(&console.name).join(name))?;
                anyhow::Ok(String::from_utf8_lossy(&content.unwrap_or_default()).trim().to_owned())
            };
            if line("name")?.contains(VGA_CONSOLE) && line("bind")? == "1" {
                return Ok(Self::Vga);
            }
        }
        Ok(Self::Text)
    }
}

/// How 1.4 gets the VGA. `vesa` has the card's BIOS change modes; `plainvga` stays in text. The ports are those of the BIOS
/// of QEMU's and Bochs' card, its log and its registers, and of no other device: at a port that it may not use, 1.4 ends.
const VGA: &str = "$_console = (1)\n\
    $_graphics = (1)\n\
    $_chipset = \"vesa\"\n\
    $_ports = \"range 0x402 0x403 range 0x1ce 0x1d1\"\n";

/// Whether DOSEmu gets the VGA by this `dosemurc`.
pub(super) fn give_the_vga(dosemurc: &[u8]) -> bool {
    dosemurc.ends_with(VGA.as_bytes())
}

/// Without a set of characters, 1.4 warns on its error output, where the reason is looked for when DOS did not start.
pub(super) fn dosemu1(disk: &str, video: Video) -> String {
    let video = match video {
        Video::Text => "",
        Video::Vga => VGA,
    };
    format!(
        "$_cpu_emu = \"full\"\n\
         $_vbootfloppy = \"/run/ghost/dos/ghost.img\"\n\
         $_hdimage = \"\"\n\
         {disk}\
         $_sound = (off)\n\
         $_pktdriver = (off)\n\
         $_layout = \"us\"\n\
         $_external_char_set = \"utf8\"\n\
         {video}"
    )
}

pub(super) fn dosemu2(disk: &str) -> String {
    format!(
        "$_cpu_vm = \"emulated\"\n\
         $_cpu_vm_dpmi = \"emulated\"\n\
         $_floppy_a = \"/run/ghost/dos/ghost.img:threeinch\"\n\
         $_bootdrive = \"a\"\n\
         $_hdimage = \"\"\n\
         {disk}\
         $_lredir_paths = \"{IMAGES} {MARKS}\"\n\
         $_sound = (off)\n\
         $_layout = \"us\"\n\
         $_mouse_dev = \"\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imager::kept::Kept;

    /// A machine whose consoles have these names, and are in use or not.
    fn machine(consoles: &[(&str, &str)]) -> Kept {
        let files = consoles.iter().enumerate().flat_map(|(number, (name, bind))| {
            [("name", name), ("bind", bind)]
                .map(|(file, text)| (format!("{CONSOLES}/vtcon{number}/{file}"), format!("{text}\n")))
        });
        files.collect()
    }

    #[test]
    fn dosemu_gets_the_vga_where_the_console_is_on_it() {
        let bare: &[_] = &[("(S) VGA+", "1")];
        let drawn_by_drm: &[_] = &[("(S) VGA+", "0"), ("(M) frame buffer device", "1")];
        let uefi: &[_] = &[("(S) dummy device", "0"), ("(M) frame buffer device", "1")];
        for (consoles, wanted, video) in [
            (bare, Graphics::Vga, Video::Vga),
            (bare, Graphics::Text, Video::Text),
            (drawn_by_drm, Graphics::Vga, Video::Text),
            (uefi, Graphics::Vga, Video::Text),
            (&[], Graphics::Vga, Video::Text),
        ] {
            assert_eq!(Video::of(wanted, &machine(consoles)).unwrap(), video, "{consoles:?} {wanted:?}");
        }
    }
}
