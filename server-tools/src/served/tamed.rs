//! A driver that panics at what is damaged gives an error instead: all else can still be looked at.

use std::io;
use std::panic::{self, AssertUnwindSafe};

use super::bytes::broken;
use super::{Children, Entry, Tree};

pub(super) struct Tamed(Box<dyn Tree>);

impl Tamed {
    pub(super) fn open<T: Tree + 'static>(open: impl FnOnce() -> io::Result<T>) -> io::Result<Self> {
        tamed(|| Ok(Self(Box::new(open()?))))
    }
}

impl Tree for Tamed {
    fn entry(&mut self, node: u64) -> io::Result<Entry> {
        tamed(|| self.0.entry(node))
    }

    fn child(&mut self, folder: u64, name: &[u8]) -> io::Result<u64> {
        tamed(|| self.0.child(folder, name))
    }

    fn children(&mut self, folder: u64) -> io::Result<Children> {
        tamed(|| self.0.children(folder))
    }

    fn read(&mut self, file: u64, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        tamed(|| self.0.read(file, offset, length))
    }

    fn link(&mut self, link: u64) -> io::Result<Vec<u8>> {
        tamed(|| self.0.link(link))
    }
}

/// What a driver has changed before it panicked is what it remembers of a file that is only read: at worst it is read anew.
fn tamed<T>(act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    panic::catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| Err(broken()))
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, ROOT};
    use super::*;

    /// Panics at the files of odd numbers.
    struct Wild;

    fn even(node: u64) -> io::Result<()> {
        assert!(node.is_multiple_of(2), "a panic that is wanted");
        Ok(())
    }

    impl Tree for Wild {
        fn entry(&mut self, node: u64) -> io::Result<Entry> {
            even(node)?;
            Err(io::ErrorKind::NotFound.into())
        }

        fn child(&mut self, folder: u64, _name: &[u8]) -> io::Result<u64> {
            even(folder)?;
            Ok(2)
        }

        fn children(&mut self, folder: u64) -> io::Result<Children> {
            even(folder)?;
            Ok(vec![(b"file".to_vec(), Kind::File)])
        }

        fn read(&mut self, file: u64, _offset: u64, length: usize) -> io::Result<Vec<u8>> {
            even(file)?;
            Ok(vec![7; length])
        }

        fn link(&mut self, link: u64) -> io::Result<Vec<u8>> {
            even(link)?;
            Ok(Vec::new())
        }
    }

    #[test]
    fn what_a_driver_panics_at_is_an_error_and_all_else_is_as_it_says() {
        let mut tree = Tamed::open(|| Ok(Wild)).unwrap();
        let errors = [
            tree.entry(ROOT).unwrap_err(),
            tree.child(ROOT, b"file").unwrap_err(),
            tree.children(ROOT).unwrap_err(),
            tree.read(ROOT, 0, 1).unwrap_err(),
            tree.link(ROOT).unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.kind() == io::ErrorKind::InvalidData), "{errors:?}");
        assert_eq!(tree.read(2, 0, 3).unwrap(), [7; 3]);
        assert_eq!(tree.entry(2).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(tree.children(2).unwrap().len(), 1);
        let wild = || -> io::Result<Wild> { panic!("a panic that is wanted") };
        assert!(Tamed::open(wild).is_err());
    }
}
