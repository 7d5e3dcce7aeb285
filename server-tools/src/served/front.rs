//! Answers the kernel's questions about a file system, one after the other, until it is unmounted.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use super::wire::{self, Asked, What};
use super::{Children, Driver, Kind, LONGEST_LINK, ROOT, Tree, is_name, unreadable};

/// Opens the file system in a file and answers on the device. `is_up` is called when it can be looked into.
pub(crate) fn serve(driver: Driver, file: File, device: File, is_up: impl FnOnce()) -> io::Result<()> {
    let mut shown = Shown { tree: driver.open(file)?, listed: None };
    // The root is there, or it is no file system.
    shown.tree.entry(ROOT)?;
    shown.tree.children(ROOT)?;
    is_up();
    let mut request = vec![0; wire::LONGEST];
    loop {
        let length = match (&device).read(&mut request) {
            Ok(length) => length,
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(()),
            Err(error) if is_passing(&error) => continue,
            Err(error) => return Err(error),
        };
        let asked = wire::asked(request.get(..length).unwrap_or_default())?;
        let Some(answer) = shown.answer(&asked) else { continue };
        match (&device).write_all(&answer) {
            Err(error) if !is_passing(&error) => return Err(error),
            _ => {}
        }
    }
}

/// Whoever has asked does not want the answer any more.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

struct Shown {
    tree: Box<dyn Tree>,
    /// The folder that is being listed: the kernel asks for it piece by piece.
    listed: Option<(u64, Children)>,
}

impl Shown {
    fn answer(&mut self, Asked { unique, node, what }: &Asked<'_>) -> Option<Vec<u8>> {
        let content = match what {
            What::Forget => return None,
            What::Other => return Some(wire::unknown(*unique)),
            what => self.content(*node, what),
        };
        Some(match content {
            Ok(content) => wire::answer(*unique, &content),
            Err(error) => wire::refusal(*unique, &error),
        })
    }

    fn content(&mut self, node: u64, what: &What<'_>) -> io::Result<Vec<u8>> {
        let tree = &mut self.tree;
        Ok(match what {
            What::Init { readahead } => wire::init(*readahead),
            What::Lookup { name } => {
                let child = tree.child(node, name)?;
                wire::found(child, &tree.entry(child)?)
            }
            What::Attributes => wire::looked_at(node, &tree.entry(node)?),
            What::Link => {
                let target = tree.link(node)?;
                // The kernel refuses a longer answer, and then there is none.
                if target.len() > LONGEST_LINK {
                    return Err(unreadable());
                }
                target
            }
            What::Open | What::OpenFolder => wire::opened(),
            What::Read { offset, size } => tree.read(node, *offset, usize::try_from(*size).unwrap_or(0))?,
            What::List { offset, size } => wire::names(self.children(node, *offset)?, *offset, *size),
            What::Statistics => wire::statistics(),
            What::Done | What::Forget | What::Other => Vec::new(),
        })
    }

    fn children(&mut self, folder: u64, from: u64) -> io::Result<&[(Vec<u8>, Kind)]> {
        let known = self.listed.take().filter(|(listed, _)| *listed == folder && from > 0);
        let listed = match known {
            Some(known) => known,
            None => {
                let mut children = self.tree.children(folder)?;
                children.retain(|(name, _)| is_name(name));
                (folder, children)
            }
        };
        Ok(&self.listed.insert(listed).1)
    }
}
