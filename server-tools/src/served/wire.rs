//! What the kernel asks over FUSE, and how it is answered: `linux/fuse.h`, as far as a file system needs it that is only read. Pure.

use std::io;
use std::time::{Duration, SystemTime};

use super::bytes::{broken, u32_at, u64_at};
use super::{Entry, Kind};

/// The version of the protocol that is spoken: that of Linux 5.4.
const VERSION: [u32; 2] = [7, 31];
/// The kernel may ask for several pieces of a file at once.
const ASYNC_READ: u32 = 1;
/// What a folder tells of a file that nobody has asked for yet.
const UNKNOWN: u64 = 0xffff_ffff;
/// What the kernel has read of a file stays right.
const KEEP_CACHE: u32 = 2;
/// Nothing ever changes, so the kernel may remember it, seconds.
const FOR_LONG: u64 = 24 * 3_600;
const HEADER: usize = 40;
/// The longest request, bytes: a name, and some room. The kernel wants at least 8 KiB.
pub(super) const LONGEST: usize = 64 << 10;

/// A question of the kernel's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    pub(super) unique: u64,
    pub(super) node: u64,
    pub(super) what: What<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What<'a> {
    Init {
        readahead: u32,
    },
    Lookup {
        name: &'a [u8],
    },
    Attributes,
    Link,
    Open,
    Read {
        offset: u64,
        size: u32,
    },
    Statistics,
    OpenFolder,
    List {
        offset: u64,
        size: u32,
    },
    /// It is closed, or the file system is.
    Done,
    /// It wants no answer.
    Forget,
    Other,
}

pub(super) fn asked(bytes: &[u8]) -> io::Result<Asked<'_>> {
    let (code, unique, node) = (u32_at(bytes, 4)?, u64_at(bytes, 8)?, u64_at(bytes, 16)?);
    let rest = bytes.get(HEADER..).ok_or_else(broken)?;
    let place = || Ok::<_, io::Error>((u64_at(rest, 8)?, u32_at(rest, 16)?));
    let what = match code {
        1 => What::Lookup { name: rest.split(|byte| *byte == 0).next().unwrap_or_default() },
        2 | 36 | 42 => What::Forget,
        3 => What::Attributes,
        5 => What::Link,
        14 => What::Open,
        15 => place().map(|(offset, size)| What::Read { offset, size })?,
        17 => What::Statistics,
        18 | 29 | 38 => What::Done,
        26 => What::Init { readahead: u32_at(rest, 8)? },
        27 => What::OpenFolder,
        28 => place().map(|(offset, size)| What::List { offset, size })?,
        _ => What::Other,
    };
    Ok(Asked { unique, node, what })
}

/// An answer with this content.
pub(super) fn answer(unique: u64, content: &[u8]) -> Vec<u8> {
    message(unique, 0, content)
}

/// An answer that there is none, for this reason.
pub(super) fn refusal(unique: u64, reason: &io::Error) -> Vec<u8> {
    let number = match reason.kind() {
        io::ErrorKind::NotFound => libc::ENOENT,
        io::ErrorKind::Unsupported => libc::EOPNOTSUPP,
        io::ErrorKind::InvalidInput => libc::EINVAL,
        _ => libc::EIO,
    };
    message(unique, -number, &[])
}

/// An answer that this is never answered.
pub(super) fn unknown(unique: u64) -> Vec<u8> {
    message(unique, -libc::ENOSYS, &[])
}

fn message(unique: u64, error: i32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 16).unwrap_or(u32::MAX);
    let head = [&length.to_ne_bytes()[..], &error.to_ne_bytes(), &unique.to_ne_bytes()].concat();
    [head.as_slice(), content].concat()
}

#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn long(mut self, numbers: &[u64]) -> Self {
        self.0.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
        self
    }

    fn short(mut self, numbers: &[u32]) -> Self {
        self.0.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
        self
    }
}

pub(super) fn init(readahead: u32) -> Vec<u8> {
    let background = 0;
    let (largest_write, granularity) = (4_096, 1);
    let known = [VERSION[0], VERSION[1], readahead, ASYNC_READ, background, largest_write, granularity];
    Fields::default().short(&known).short(&[0; 9]).0
}

pub(super) fn found(node: u64, entry: &Entry) -> Vec<u8> {
    let head = Fields::default().long(&[node, 0, FOR_LONG, FOR_LONG]).short(&[0, 0]);
    [head.0, attributes(node, entry)].concat()
}

pub(super) fn looked_at(node: u64, entry: &Entry) -> Vec<u8> {
    [Fields::default().long(&[FOR_LONG]).short(&[0, 0]).0, attributes(node, entry)].concat()
}

pub(super) fn opened() -> Vec<u8> {
    Fields::default().long(&[0]).short(&[KEEP_CACHE, 0]).0
}

pub(super) fn statistics() -> Vec<u8> {
    Fields::default().long(&[0; 5]).short(&[4_096, 255, 4_096, 0]).short(&[0; 6]).0
}

fn attributes(node: u64, entry: &Entry) -> Vec<u8> {
    let [(changed, changed_rest), (accessed, accessed_rest)] = [entry.changed, entry.accessed].map(since);
    let mode = entry.kind.bits() | u32::from(entry.permissions);
    let blocks = entry.size.div_ceil(512);
    Fields::default()
        .long(&[node, entry.size, blocks, accessed, changed, changed])
        .short(&[accessed_rest, changed_rest, changed_rest, mode, 1, entry.user, entry.group, 0, 4_096, 0])
        .0
}

/// Seconds, which may be before 1970, and the rest.
fn since(time: SystemTime) -> (u64, u32) {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => (since.as_secs(), since.subsec_nanos()),
        Err(before) => {
            let whole = before.duration() + Duration::from_nanos(999_999_999);
            (whole.as_secs().wrapping_neg(), 0)
        }
    }
}

/// As many names of a folder, from this one on, as this many bytes hold.
pub(super) fn names(names: &[(Vec<u8>, Kind)], offset: u64, size: u32) -> Vec<u8> {
    let own = [(b".".to_vec(), Kind::Folder), (b"..".to_vec(), Kind::Folder)];
    let all = own.iter().chain(names).zip(1_u64..);
    let (mut list, size) = (Vec::new(), usize::try_from(size).unwrap_or(usize::MAX));
    for ((name, kind), next) in all.skip(usize::try_from(offset).unwrap_or(usize::MAX)) {
        let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
        let mut one = Fields::default().long(&[UNKNOWN, next]).short(&[length, kind.bits() >> 12]).0;
        one.extend(name);
        one.resize(one.len().next_multiple_of(8), 0);
        if list.len() + one.len() > size {
            break;
        }
        list.extend(one);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request as the kernel writes it.
    fn request(code: u32, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + content.len()).unwrap();
        let head = Fields::default().short(&[length, code]).long(&[7, 9]).short(&[0; 4]).0;
        [head.as_slice(), content].concat()
    }

    #[test]
    fn what_is_asked_is_understood_and_a_short_request_is_none() {
        let read = Fields::default().long(&[0, 4_096]).short(&[512, 0]).0;
        for (code, content, what) in [
            (1, &b"name\0"[..], What::Lookup { name: b"name" }),
            (15, &read, What::Read { offset: 4_096, size: 512 }),
            (28, &read, What::List { offset: 4_096, size: 512 }),
            (16, b"", What::Other),
        ] {
            assert_eq!(asked(&request(code, content)).unwrap(), Asked { unique: 7, node: 9, what });
        }
        assert!(asked(&request(15, &read[..19])).is_err());
        assert!(asked(&request(1, b"")[..HEADER - 1]).is_err());
    }

    #[test]
    fn answers_have_the_sizes_that_the_kernel_wants() {
        let now = SystemTime::UNIX_EPOCH;
        let entry = Entry {
            kind: Kind::File,
            permissions: 0o600,
            user: 1,
            group: 2,
            size: 3,
            changed: now,
            accessed: now,
        };
        let sizes =
            [init(0), found(1, &entry), looked_at(1, &entry), opened(), statistics()].map(|one| one.len());
        assert_eq!(sizes, [64, 128, 104, 16, 80]);
        assert_eq!(refusal(7, &io::ErrorKind::NotFound.into())[4..8], (-libc::ENOENT).to_ne_bytes());
    }

    #[test]
    fn a_folder_is_listed_piece_by_piece() {
        let children: Vec<_> =
            ["a", "bb", "a long name"].map(|name| (name.as_bytes().to_vec(), Kind::File)).into();
        let whole = names(&children, 0, 4_096);
        let first = names(&children, 0, 70);
        assert!(whole.starts_with(&first) && first.len() == 64, "{}", first.len());
        assert_eq!([first, names(&children, 2, 4_096)].concat(), whole);
        assert_eq!(names(&children, 5, 4_096), b"");
    }

    #[test]
    fn a_time_before_1970_is_one() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_millis(1_500);
        assert_eq!(since(before), (2_u64.wrapping_neg(), 0));
    }
}
