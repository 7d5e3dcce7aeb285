//! Looks at all of a file system as the kernel does, for the fuzz targets.

use std::fs::File;

use super::{Driver, Kind, ROOT, Tree};

/// How deep folders are entered, and how many files are looked at.
const DEPTH: usize = 3;
const MOST: usize = 24;
/// Stretches of a file, of which one is far behind its beginning.
const STRETCHES: [(u64, usize); 3] = [(0, 4_096), (3, 100), (90_000, 8_192)];

/// Lists, reads and follows what there is. What the driver answers must be what it was asked for.
pub(crate) fn into(file_system: &str, file: File) {
    let Some(Ok(mut tree)) = Driver::of(file_system).map(|driver| driver.open(file)) else { return };
    let mut left = MOST;
    folder(&mut *tree, ROOT, DEPTH, &mut left);
}

fn folder(tree: &mut dyn Tree, node: u64, depth: usize, left: &mut usize) {
    let Ok(children) = tree.children(node) else { return };
    for (name, kind) in children {
        if depth == 0 || *left == 0 {
            return;
        }
        *left -= 1;
        let Ok(child) = tree.child(node, &name) else { continue };
        let _entry = tree.entry(child);
        for (offset, length) in STRETCHES {
            let read = tree.read(child, offset, length).unwrap_or_default();
            assert!(read.len() <= length, "{} bytes of {length}", read.len());
        }
        let _target = tree.link(child);
        if kind == Kind::Folder {
            folder(tree, child, depth - 1, left);
        }
    }
}
