//! What reads words of boot loaders, files, emulators' logs and screens, as plain functions of bytes: for the fuzz targets
//! (`fuzz/`), and for nothing else. Each asserts what must hold for any input.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use ghost_contract::Mode;
use ghost_contract::order::{self, DosProgram, Graphics};
use ghost_contract::report::Outcome;

use crate::cmdline::BootOptions;
use crate::fstab;
use crate::imager::evidence::FoundFile;
use crate::imager::{self, Files, dos};
use crate::screen::frame_buffer::{self, Layout, Pixels};
use crate::screen::{Screen, vga, vt};

/// No reason is longer, characters: it becomes a line of the report.
const LONGEST_REASON: usize = 1_000;
/// A screen of more cells is not drawn here: it takes a millisecond.
const DRAWN: usize = 16;
/// A picture of more dots is left to the tests of `screen`, which have whole ones: to look for letters in one takes six
/// milliseconds. What can go wrong in it goes wrong in a small one: start and pitch may be any in both, and letters of all sizes fit in.
const DOTS: usize = 64 * 32;

/// A mount that fstab asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub source: String,
    pub target: PathBuf,
    pub options: String,
}

/// The kernel command line: blanks between words mean nothing, and of two flags the last one counts.
pub fn command_line(line: &str) {
    let options = BootOptions::parse(line);
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    assert_eq!(BootOptions::parse(&words.join("\n")), options);
    let is_flag = |word: &String| word.starts_with("ghost.") && words.contains(&word.as_str());
    assert!(options.unknown.iter().all(is_flag), "{options:?}");
    let twice = BootOptions::parse(&format!("{line} {line}"));
    let unknown = [options.unknown.clone(), options.unknown.clone()].concat();
    assert_eq!(twice, BootOptions { unknown, ..options.clone() });
    for root in [options.root, options.trees].into_iter().flatten() {
        let mount = root.below("192.168.7.2", "nosuid").mount(Path::new("/root"));
        let mount = mount.unwrap_or_else(|error| panic!("{root:?}: {error:#}"));
        assert_eq!(addresses(&mount.options), [root.server.to_string()]);
    }
}

/// The mounts of an fstab that can be made. Each has a place of its own, and one of NFS one server.
pub fn mounts(text: &str) -> Vec<Asked> {
    let mounts = fstab::mounts(text);
    assert!(mounts.len() <= text.lines().count());
    let sound = mounts.into_iter().filter_map(Result::ok).inspect(|mount| {
        assert!(mount.target.is_absolute() && mount.target != Path::new("/"), "{mount:?}");
        assert!(mount.kind != "nfs" || addresses(&mount.options).len() == 1, "{mount:?}");
    });
    sound.map(|mount| Asked { source: mount.source, target: mount.target, options: mount.options }).collect()
}

fn addresses(options: &str) -> Vec<&str> {
    options.split(',').filter_map(|option| option.strip_prefix("addr=")).collect()
}

/// What a DOS program and its emulator have left: nothing but the marks of success make a success, and a reason is short enough
/// for a line of a report.
pub fn dos_job(left: &[u8]) {
    let (flags, texts) = left.split_first().unwrap_or((&0, left));
    let left = Left { flags: *flags, texts: texts.split(|byte| *byte == 0).collect() };
    let program = || DosProgram { command: String::new(), graphics: Graphics::Vga };
    for ordered in [order::Imager::Dosemu(program()), order::Imager::DosboxX(program())] {
        let imager = imager::of(Some(&ordered), false);
        for mode in Mode::ALL {
            let judged = imager.judge(mode, 1, &left).unwrap_or_else(|error| panic!("{error:#}"));
            match judged.outcome {
                Outcome::Failed { reason } => {
                    assert!(!reason.is_empty() && reason.chars().count() <= LONGEST_REASON, "{reason}");
                }
                Outcome::Succeeded => assert!(left.has_succeeded(mode)),
                other => panic!("{other:?}"),
            }
        }
        let written = imager.written(&left).unwrap_or_else(|error| panic!("{error:#}"));
        assert!(written.is_none_or(|text| text.lines().count() <= 25));
    }
}

/// The files of a machine on which a DOS program has run.
struct Left<'a> {
    /// Which marks and images are there.
    flags: u8,
    /// What is in the texts.
    texts: Vec<&'a [u8]>,
}

impl Left<'_> {
    const MARKS: [&'static str; 4] = ["Started.txt", "DONE.TXT", "failed.txt", "GHOSTERR.TXT"];
    const IMAGES: [&'static str; 4] = ["IMAGE.GHO", "image.sta", "IMAGE.END", "manifest.json"];
    const TEXTS: [&'static str; 5] = [dos::LOG, dos::ERRORS, "GHOSTERR.TXT", "image.sta", "IMAGE.END"];

    fn has(&self, bit: usize) -> bool {
        self.flags >> bit & 1 == 1
    }

    fn has_succeeded(&self, mode: Mode) -> bool {
        let of_the_howto = |bit| self.has(bit) && !self.has(7);
        let (began, ended) = (self.has(0) || of_the_howto(5), self.has(1) || of_the_howto(6));
        began && ended && !self.has(2) && !self.has(3) && (mode != Mode::Backup || self.has(4))
    }

    fn found(&self, names: [&str; 4], first: usize) -> Vec<FoundFile> {
        let there = names.iter().enumerate().filter(|(place, _)| self.has(first + place));
        there.map(|(_, name)| FoundFile { name: (*name).to_owned(), size: 9 }).collect()
    }
}

impl Files for Left<'_> {
    fn read(&self, path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
        // By its bytes: to take paths apart costs more than what is tried.
        let path = path.as_os_str().as_encoded_bytes();
        let place = Self::TEXTS.iter().position(|name| path.ends_with(name.as_bytes()));
        Ok(place.and_then(|place| self.texts.get(place)).map(|text| text.to_vec()))
    }

    fn list(&self, folder: &Path) -> anyhow::Result<Vec<FoundFile>> {
        Ok(match folder.to_str() {
            Some(dos::MARKS) => self.found(Self::MARKS, 0),
            Some(dos::IMAGES) => self.found(Self::IMAGES, 4),
            _ => Vec::new(),
        })
    }

    fn free_space(&self, _folder: &Path) -> anyhow::Result<u64> {
        Ok(1 << 30)
    }
}

/// Bytes of a virtual terminal, a VGA or a frame buffer become a picture of their size, and text that can be shown. The first byte
/// says which of them, and whether all is done that takes long.
pub fn screens(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let (kind, all) = (first % 3, first / 3 == 1);
    let decoded = match kind {
        0 => vt::decode(bytes, None).ok().map(Screen::Text),
        1 => SNAPSHOT.with_borrow_mut(|snapshot| from_vga(bytes, all, snapshot)),
        _ => from_frame_buffer(bytes),
    };
    let Some(screen) = decoded else { return };
    if let Some(text) = screen.text() {
        assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
    }
    let is_small = |screen: &Screen| match screen {
        Screen::Text(text) => text.rows().flatten().count() <= DRAWN,
        other => matches!(other, Screen::TrueColour(_)),
    };
    if all && is_small(&screen) {
        screen.png().unwrap_or_else(|error| panic!("{error:#}"));
    }
}

std::thread_local! {
    /// Made once: to make room for one with each input costs more than what is tried.
    static SNAPSHOT: RefCell<Vec<u8>> = RefCell::new(vec![0; vga::LENGTH]);
}

/// A snapshot whose planes are these bytes again and again, and whose window is a short one unless all of it is wanted.
fn from_vga(bytes: &[u8], all: bool, snapshot: &mut [u8]) -> Option<Screen> {
    let (head, planes) = bytes.split_at_checked(vga::HEADER_LENGTH).unwrap_or((bytes, &[]));
    let header = &mut snapshot[..vga::HEADER_LENGTH];
    header.fill(0);
    header[..head.len()].copy_from_slice(head);
    if !all {
        // The lowest byte of it, and two bits of the next.
        header[vga::WINDOW_LENGTH + 1] &= 3;
        header[vga::WINDOW_LENGTH + 2..][..2].fill(0);
    }
    let dots = vga::dots(snapshot).ok().filter(|dots| *dots <= DOTS)?;
    let planes = if planes.is_empty() { &[0x55] } else { planes };
    fill(&mut snapshot[vga::HEADER_LENGTH..], planes);
    let picture = vga::decode(snapshot).ok()?;
    assert_eq!(picture.dots.len(), dots);
    Some(Screen::Picture(picture))
}

/// Puts these bytes there again and again: at each step as many as are there, since one after the other takes longer than all that is
/// done with them.
fn fill(room: &mut [u8], bytes: &[u8]) {
    let mut filled = bytes.len().min(room.len());
    room[..filled].copy_from_slice(&bytes[..filled]);
    while filled < room.len() {
        let more = filled.min(room.len() - filled);
        room.copy_within(..more, filled);
        filled += more;
    }
}

fn from_frame_buffer(bytes: &[u8]) -> Option<Screen> {
    let (&[width, height, pitch, bits], bytes) = bytes.split_first_chunk::<4>()?;
    let pixels = Pixels::usual(u32::from(bits))?;
    let [width, height, pitch] = [width, height, pitch].map(usize::from);
    if width * height > DOTS {
        return None;
    }
    let layout = Layout { width, height, pitch, pixels };
    let screen = frame_buffer::decode(&layout, bytes).ok()?;
    let dots = match &screen {
        Screen::Picture(picture) => picture.dots.len(),
        Screen::TrueColour(picture) => picture.dots.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(dots, width * height);
    Some(screen)
}
